"""Result objects as figures: plotly for the screen, matplotlib for print.

`map`, `gradient`, `trajectory` and `probe` each offer `screen`, `print_figure` and `data`.
"""

from . import gradient, map, probe, trajectory
from .colouring import ColourColumn
from .export import csv_bytes, figure_bytes

__all__ = ["ColourColumn", "csv_bytes", "figure_bytes", "gradient", "map", "probe", "trajectory"]
