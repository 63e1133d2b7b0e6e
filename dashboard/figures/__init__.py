"""Result objects as figures: plotly for the screen, matplotlib for print.

`map`, `gradient`, `audit`, `trajectory`, `courses`, `retrieval`, `probe`, `survival`, `compare` and `set_similarity`
each offer `screen`, `print_figure` and `data`.
"""

from . import audit, compare, courses, gradient, map, probe, retrieval, set_similarity, slices, survival, trajectory
from .style.colouring import ColourColumn
from .style.export import csv_bytes, figure_bytes

__all__ = [
    "ColourColumn",
    "audit",
    "compare",
    "courses",
    "csv_bytes",
    "figure_bytes",
    "gradient",
    "map",
    "probe",
    "retrieval",
    "set_similarity",
    "slices",
    "survival",
    "trajectory",
]
