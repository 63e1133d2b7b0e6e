"""Result objects as figures: plotly for the screen, matplotlib for print.

`map`, `gradient`, `audit`, `trajectory`, `courses`, `retrieval`, `probe` and `survival` each offer `screen`,
`print_figure` and `data`.
"""

from . import audit, courses, gradient, map, probe, retrieval, survival, trajectory
from .colouring import ColourColumn
from .export import csv_bytes, figure_bytes

__all__ = [
    "ColourColumn",
    "audit",
    "courses",
    "csv_bytes",
    "figure_bytes",
    "gradient",
    "map",
    "probe",
    "retrieval",
    "survival",
    "trajectory",
]
