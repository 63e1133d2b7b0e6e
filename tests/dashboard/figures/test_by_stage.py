"""Boxes by stage: the same numbers on screen and in print, and none of a group under 8."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.testing import assert_allclose
from plotly.subplots import make_subplots

from dashboard.figures.by_stage import box_of, print_panel, screen_panel, violin_panel

# Of 10 values no quartile is one of them, so that every rule gives another number.
TEN = np.array([0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 17.0, 18.0, 19.0, 100.0])


def on_screen(values: np.ndarray, stage: np.ndarray) -> list[go.Box]:
    figure = make_subplots(rows=1, cols=1)
    screen_panel(figure, values, stage, names=None, item_ids=None, value_name="score", row=1, col=1)
    return [trace for trace in figure.data if isinstance(trace, go.Box)]


def in_print(values: np.ndarray, stage: np.ndarray) -> Axes:
    axes: Axes = Figure().subplots()
    print_panel(axes, values, stage, names=None)
    return axes


def drawn_in_print(axes: Axes) -> list[list[float]]:
    """The different heights of the five kinds of line that a box is made of: whisker, quartiles, median, whisker."""
    at: dict[int, set[float]] = {}
    for line in axes.lines:
        at.setdefault(round(float(np.mean(line.get_xdata()))), set()).update(map(float, line.get_ydata()))
    return [sorted(at[position]) for position in sorted(at)]


def test_screen_and_print_draw_the_quartiles_of_numpys_linear_rule() -> None:
    values, stage = np.concatenate([TEN, -TEN]), np.repeat([0.0, 1.0], 10)
    expected = []
    for group in (TEN, -TEN):
        q1, median, q3 = np.quantile(group, [0.25, 0.5, 0.75], method="linear")
        inside = group[(group >= q1 - 1.5 * (q3 - q1)) & (group <= q3 + 1.5 * (q3 - q1))]
        expected.append([inside.min(), q1, median, q3, inside.max()])
    assert expected[0] == [0.0, 2.5, 12.0, 17.75, 19.0]
    screen = [
        [float(one[name][0]) for name in ("lowerfence", "q1", "median", "q3", "upperfence")]
        for one in on_screen(values, stage)
    ]
    assert_allclose(screen, expected)
    assert_allclose(drawn_in_print(in_print(values, stage)), expected)


@pytest.mark.parametrize(("n", "boxes"), [(1, 0), (7, 0), (8, 1), (30, 1)])
def test_a_group_under_8_is_points_alone(n: int, boxes: int) -> None:
    values = np.linspace(0.0, 1.0, n)
    stage = np.zeros(n)
    assert len(on_screen(values, stage)) == boxes
    axes = in_print(values, stage)
    assert bool(axes.lines) is bool(boxes)
    outlined: Axes = Figure().subplots()
    violin_panel(outlined, values, stage, names=None)
    points = [len(one.get_offsets()) for one in axes.collections]
    assert points == [n]
    assert len(outlined.collections) - len(axes.collections) == boxes


def test_a_small_group_leaves_its_neighbours_where_they_stand() -> None:
    values, stage = np.concatenate([TEN, TEN[:7], TEN]), np.repeat([0.0, 1.0, 2.0], [10, 7, 10])
    assert [trace.x[0] for trace in on_screen(values, stage)] == [0.0, 2.0]
    axes = in_print(values, stage)
    assert {round(float(np.mean(line.get_xdata()))) for line in axes.lines} == {0, 2}
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0\nn = 10", "1\nn = 7", "2\nn = 10"]


@given(arrays(np.float64, st.integers(8, 60), elements=st.floats(-1e6, 1e6)))
def test_a_box_is_in_order_and_its_whiskers_end_at_the_values(values: np.ndarray) -> None:
    box = box_of(values)
    assert box is not None
    assert values.min() <= box.whislo <= box.q1 <= box.med <= box.q3 <= box.whishi <= values.max()
    assert box.whislo in values or box.whislo == box.q1
    assert box.whishi in values or box.whishi == box.q3
