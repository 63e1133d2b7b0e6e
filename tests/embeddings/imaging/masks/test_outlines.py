"""Closed outlines as pixels: the area of one, and of several on a slice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Polygon
from numpy.typing import NDArray

from embeddings.imaging.masks.outlines import combined, filled
from tests.embeddings.dicom_files import box

SHAPE = (24, 20)
OUTER, HOLE, ISLAND = box(1.5, 20.5, 1.5, 16.5), box(4.5, 14.5, 4.5, 12.5), box(6.5, 10.5, 6.5, 9.5)


def pixels(low: tuple[int, int], high: tuple[int, int]) -> NDArray[np.bool_]:
    """A rectangle of pixels, both corners in it."""
    found = np.zeros(SHAPE, bool)
    found[low[0] : high[0] + 1, low[1] : high[1] + 1] = True
    return found


OUTER_AREA, HOLE_AREA, ISLAND_AREA = pixels((2, 2), (20, 16)), pixels((5, 5), (14, 12)), pixels((7, 7), (10, 9))


def on_edges(points: NDArray[np.float64], centres: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which centres lie on an edge of the closed outline, to 0.00001 pixels."""
    found = np.zeros(len(centres), bool)
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        along = end - start
        share = np.clip((centres - start) @ along / max(along @ along, 1e-12), 0, 1)
        found |= np.linalg.norm(centres - start - share[:, None] * along, axis=1) < 1e-5
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-700, 3100), st.integers(-700, 2700)), min_size=3, max_size=12),
    st.booleans(),
)
@example([(0, 0), (0, 0), (200, 200)], False)  # a line there and back, through centres
def test_an_outline_of_any_form_encloses_what_a_crossing_test_finds(
    hundredths: list[tuple[int, int]], turned: bool
) -> None:
    points = np.array(hundredths, float) / 100 + 0.00317  # few centres of pixels on edges
    points = points[::-1] if turned else points
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    centres = np.column_stack([rows.ravel(), columns.ravel()])
    expected = Polygon(np.vstack([points, points[:1]])).contains_points(centres).reshape(SHAPE)
    # A centre on the outline may count as in or out.
    clear = ~on_edges(points, centres).reshape(SHAPE)
    np.testing.assert_array_equal(filled(points, SHAPE)[clear], expected[clear])


def test_areas_that_share_an_edge_through_pixel_centres_share_no_pixel() -> None:
    left, right = filled(box(2, 9, 2, 6), SHAPE), filled(box(2, 9, 6, 11), SHAPE)
    assert not (left & right).any()
    np.testing.assert_array_equal(left | right, filled(box(2, 9, 2, 11), SHAPE))


class TestSeveral:
    def test_an_outline_that_was_drawn_twice_counts_once(self) -> None:
        midway = np.vstack([OUTER, (OUTER[3] + OUTER[0]) / 2])
        for again in (OUTER, OUTER[::-1], np.roll(OUTER, 1, axis=0), np.vstack([OUTER, OUTER[:1]]), midway):
            np.testing.assert_array_equal(combined([OUTER, again], SHAPE), OUTER_AREA)
        np.testing.assert_array_equal(combined([OUTER] * 3, SHAPE), OUTER_AREA)

    @pytest.mark.parametrize("shift", [0.01, -0.01, 0.2, -0.2])
    def test_an_outline_drawn_again_slightly_wider_or_narrower_is_not_a_hole(self, shift: float) -> None:
        wider = box(1.5 - shift, 20.5 + shift, 1.5 - shift, 16.5 + shift)
        np.testing.assert_array_equal(combined([OUTER, wider], SHAPE), OUTER_AREA)

    def test_outlines_that_overlap_are_one_area(self) -> None:
        for other in (box(10.5, 22.5, 10.5, 18.5), box(10.5, 20.9, 4.5, 9.5), box(10.5, 22.5, 1.5, 16.5)):
            expected = filled(OUTER, SHAPE) | filled(other, SHAPE)
            for order in ([OUTER, other], [other, OUTER]):
                np.testing.assert_array_equal(combined(order, SHAPE), expected)

    def test_an_outline_within_another_is_a_hole_and_one_in_that_an_island(self) -> None:
        expected = (OUTER_AREA & ~HOLE_AREA) | ISLAND_AREA
        for order in ([OUTER, HOLE, ISLAND], [ISLAND, HOLE, OUTER], [HOLE, OUTER, ISLAND]):
            np.testing.assert_array_equal(combined(order, SHAPE), expected)
        np.testing.assert_array_equal(combined([OUTER, HOLE, HOLE], SHAPE), OUTER_AREA & ~HOLE_AREA)

    def test_a_hole_that_touches_the_edge_of_its_outline_is_a_hole(self) -> None:
        for hole in (box(1.5, 8.5, 5.5, 9.5), np.array([[1.5, 1.5], [8.5, 6.5], [6.5, 8.5]])):
            np.testing.assert_array_equal(combined([OUTER, hole], SHAPE), OUTER_AREA & ~filled(hole, SHAPE))

    def test_a_hole_in_the_overlap_of_two_outlines_is_a_hole(self) -> None:
        other = box(3.5, 22.5, 3.5, 18.5)
        expected = (filled(OUTER, SHAPE) | filled(other, SHAPE)) & ~ISLAND_AREA
        np.testing.assert_array_equal(combined([OUTER, other, ISLAND], SHAPE), expected)

    def test_a_hole_of_one_outline_does_not_cut_the_other(self) -> None:
        other = box(12.5, 22.5, 9.5, 18.5)
        expected = (OUTER_AREA & ~HOLE_AREA) | filled(other, SHAPE)
        np.testing.assert_array_equal(combined([OUTER, HOLE, other], SHAPE), expected)

    def test_a_bridge_over_the_gap_of_a_ring_is_not_a_hole(self) -> None:
        ring = np.array([[1.5, 1.5], [18.5, 1.5], [18.5, 4.5], [4.5, 4.5], [4.5, 12.5], [18.5, 12.5], [18.5, 15.5]])
        ring = np.vstack([ring, [[1.5, 15.5]]])
        bridge = box(14.5, 16.5, 2.5, 14.5)
        np.testing.assert_array_equal(combined([ring, bridge], SHAPE), filled(ring, SHAPE) | filled(bridge, SHAPE))

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.tuples(*[st.integers(-2, 25)] * 4), min_size=1, max_size=5), st.randoms())
    def test_every_order_gives_the_same_and_no_pixel_outside_any(
        self, corners: list[tuple[int, int, int, int]], random: object
    ) -> None:
        boxes = [box(min(a, b) - 0.4, max(a, b) + 0.4, min(c, d) - 0.4, max(c, d) + 0.4) for a, b, c, d in corners]
        found = combined(boxes, SHAPE)
        mixed = list(boxes)
        random.shuffle(mixed)  # type: ignore[attr-defined]
        np.testing.assert_array_equal(combined(mixed, SHAPE), found)
        assert not (found & ~np.logical_or.reduce([filled(one, SHAPE) for one in boxes])).any()
