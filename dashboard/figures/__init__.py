"""Result objects as figures: plotly for the screen, matplotlib for print.

`map`, `gradient`, `audit`, `trajectory`, `courses`, `retrieval`, `probe`, `survival`, `compare` and `set_similarity`
each offer `screen`, `print_figure` and `data`; `draw` finds the one for a result.
"""

from . import audit, compare, courses, gradient, map, probe, retrieval, set_similarity, slices, survival, trajectory
from .drawing import Drawing, draw, save_table
from .style import intervals, theme
from .style.colouring import ColourColumn
from .style.export import csv_bytes, figure_bytes

__all__ = [
    "ColourColumn",
    "Drawing",
    "audit",
    "compare",
    "courses",
    "csv_bytes",
    "draw",
    "figure_bytes",
    "gradient",
    "intervals",
    "map",
    "probe",
    "retrieval",
    "save_table",
    "set_similarity",
    "slices",
    "survival",
    "theme",
    "trajectory",
]
