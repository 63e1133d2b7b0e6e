"""The figure of a result on a page, with its downloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure

from dashboard.components.chart import chart
from dashboard.components.downloads import figure_downloads


class FigureModule(Protocol):
    """A module of `dashboard.figures`: the same figure for the screen and for print, and its table."""

    screen: Callable[..., go.Figure]
    print_figure: Callable[..., Figure]
    data: Callable[..., pd.DataFrame]


def result_figure(
    module: FigureModule,
    *results: Any,
    key: str,
    name: str,
    alt: str,
    data: Callable[[], pd.DataFrame] | None = None,
    panels: Mapping[str, Callable[[], pd.DataFrame]] | None = None,
    **words: Any,
) -> None:
    """Show a figure of `results` and offer it as SVG, PDF, PNG and CSV.

    Args:
        key: of the chart on the page.
        name: file name of the downloads without ending.
        alt: what the figure shows, for screen readers.
        data: makes the table, where `module.data` needs more than the first result.
        panels: see `figure_downloads`.
        words: names and footer, as `module.screen` and `module.print_figure` take them.
    """
    chart(module.screen(*results, **words), key, alt)
    figure_downloads(
        name, partial(module.print_figure, *results, **words), data or partial(module.data, results[0]), panels
    )
