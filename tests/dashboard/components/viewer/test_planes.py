"""Slices lie where their voxels lie, in every plane."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.data.planes import PLANES, NoSliceError, Region, cut, lps_to_place, place_to_lps, slice_index
from flexict.presets.preprocess import in_lps_order
from flexict.volume import Volume

sizes = st.integers(1, 40)
spacings = st.floats(0.3, 6.0)
places = st.floats(-80, 80)


@st.composite
def volumes(draw: st.DrawFn) -> Volume:
    """Scans in LPS order whose every voxel has another value."""
    shape = draw(st.tuples(sizes, sizes, sizes))
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) % 30000
    spacing = draw(st.tuples(spacings, spacings, spacings))
    return Volume(array.astype(np.int16), spacing, draw(st.tuples(places, places, places)), np.eye(3))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Volume, str, int, tuple[float, float, float]]:
    volume = draw(volumes())
    plane = draw(st.sampled_from(sorted(PLANES)))
    count = volume.shape[2 - PLANES[plane].through]
    centre = tuple(draw(st.floats(0, n - 1)) for n in volume.shape[::-1])
    return volume, plane, draw(st.integers(0, count - 1)), centre


def hu_on_screen(piece, right: float, down: float) -> int:
    """As the browser looks it up."""
    column = int(np.floor((right - piece.left) / piece.pixel_mm[0]))
    row = int(np.floor((down - piece.top) / piece.pixel_mm[1]))
    return int(piece.pixels[row, column])


@settings(max_examples=200, deadline=None)
@given(cases(), st.data())
def test_what_is_under_a_point_of_the_screen_is_the_voxel_at_its_place(case, data) -> None:
    volume, name, index, centre = case
    plane = PLANES[name]
    piece = cut(volume, None, plane, index, centre)
    voxel = [data.draw(st.integers(0, n - 1)) for n in volume.shape[::-1]]
    voxel[plane.through] = index
    place = (np.array(voxel) - np.array(centre)) * np.array(volume.spacing)
    right, down = place[plane.across], place[plane.down] * (-1 if plane.turned else 1)
    assert hu_on_screen(piece, right, down) == volume.array[voxel[2], voxel[1], voxel[0]]


@settings(max_examples=200, deadline=None)
@given(cases(), st.data())
def test_a_region_shows_the_voxels_that_the_whole_slice_shows_there(case, data) -> None:
    volume, name, index, centre = case
    plane = PLANES[name]
    whole = cut(volume, None, plane, index, centre)
    rows, columns = whole.pixels.shape
    row, column = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    right = whole.left + (column + 0.5) * whole.pixel_mm[0]
    down = whole.top + (row + 0.5) * whole.pixel_mm[1]
    reach = data.draw(st.floats(0.01, 30))
    part = cut(volume, None, plane, index, centre, Region(right - reach, down - reach, right + reach, down + reach))
    assert part.pixels.size <= whole.pixels.size
    assert hu_on_screen(part, right, down) == whole.pixels[row, column]


@settings(max_examples=100, deadline=None)
@given(volumes(), st.tuples(places, places, places))
def test_a_place_goes_to_lps_and_back(volume: Volume, place) -> None:
    centre = (1.5, 0.25, 3.0)
    assert lps_to_place(volume, centre, place_to_lps(volume, centre, place)) == pytest.approx(place, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(cases(), st.floats(-500, 500))
def test_scrolling_ends_at_the_ends_of_the_scan(case, offset: float) -> None:
    volume, name, _, centre = case
    plane = PLANES[name]
    index = slice_index(volume, plane, centre, offset)
    wanted = centre[plane.through] + offset / volume.spacing[plane.through]
    last = volume.shape[2 - plane.through] - 1
    assert 0 <= index <= last
    assert abs(index - min(max(wanted, 0), last)) <= 0.5


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize(("half", "upper"), [(0.5, 1), (1.5, 2), (2.5, 3), (4.5, 5), (-0.5, 0), (5.5, 5)])
def test_half_way_between_two_slices_is_the_upper_one(plane: str, half: float, upper: int) -> None:
    volume = Volume(np.zeros((6, 6, 6), np.int16), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), np.eye(3))
    assert slice_index(volume, PLANES[plane], (half, half, half), 0.0) == upper
    assert slice_index(volume, PLANES[plane], (0.0, 0.0, 0.0), 2.0 * half) == upper


@pytest.mark.parametrize(
    ("plane", "left", "right", "top", "bottom"),
    [
        ("axial", "R", "L", "A", "P"),
        ("coronal", "R", "L", "H", "F"),
        ("sagittal", "A", "P", "H", "F"),
    ],
)
def test_sides_of_the_patient_are_where_the_letters_say(
    tilted: Volume, plane: str, left: str, right: str, top: str, bottom: str
) -> None:
    assert PLANES[plane].letters == left + right + top + bottom
    # The direction in LPS of each side; a slice of the tilted scan follows it to the nearest.
    towards = {"R": (0, -1), "L": (0, 1), "A": (1, -1), "P": (1, 1), "F": (2, -1), "H": (2, 1)}
    for sign, letter in ((1, right), (-1, left)):
        assert side_of_screen(tilted, plane, (sign, 0)) == towards[letter]
    for sign, letter in ((1, bottom), (-1, top)):
        assert side_of_screen(tilted, plane, (0, sign)) == towards[letter]


def side_of_screen(volume: Volume, name: str, step: tuple[int, int]) -> tuple[int, int]:
    """Axis of LPS and sign in which a step on the screen (right, down) goes, by the voxel that is drawn there."""
    oriented = in_lps_order(volume)
    plane = PLANES[name]
    z, y, x = oriented.shape
    middle = (x // 2, y // 2, z // 2)
    found = []
    for right, down in ((0, 0), step):
        drawn = []
        # Scans whose voxels hold their own index along one axis tell which voxel it is.
        for ordinals in np.indices(oriented.shape):
            numbered = Volume(ordinals, oriented.spacing, oriented.origin, oriented.direction)
            piece = cut(numbered, None, plane, middle[plane.through], tuple(map(float, middle)))
            drawn.append(float(hu_on_screen(piece, right * piece.pixel_mm[0], down * piece.pixel_mm[1])))
        found.append(oriented.lps_of(np.array(drawn)))
    moved = found[1] - found[0]
    axis = int(np.abs(moved).argmax())
    return axis, int(np.sign(moved[axis]))


def test_a_large_slice_is_averaged_and_says_by_how_much() -> None:
    array = np.zeros((2, 700, 512), dtype=np.int16)
    array[0, :, ::2] = 100
    piece = cut(Volume(array, (0.7, 0.7, 5.0), (0, 0, 0), np.eye(3)), None, PLANES["axial"], 0, (255.5, 349.5, 0.0))
    assert piece.step == (2, 3)
    assert piece.pixels.shape == (234, 256)
    assert (piece.pixels == 50).all()
    assert piece.pixel_mm == pytest.approx((1.4, 2.1))
    near = Region(-40, -40, 40, 40)
    fine = cut(
        Volume(array, (0.7, 0.7, 5.0), (0, 0, 0), np.eye(3)), None, PLANES["axial"], 0, (255.5, 349.5, 0.0), near
    )
    assert fine.step == (1, 1)
    assert set(np.unique(fine.pixels)) == {0, 100}


def test_a_lesion_of_one_voxel_is_still_seen_where_voxels_are_averaged() -> None:
    array = np.zeros((1, 640, 640), dtype=np.int16)
    inside = np.zeros(array.shape, dtype=np.uint8)
    inside[0, 301, 77] = 1
    where = ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    piece = cut(Volume(array, *where), Volume(inside, *where), PLANES["axial"], 0, (0.0, 0.0, 0.0))
    assert piece.mask is not None
    assert piece.mask.sum() == 1
    assert piece.mask[150, 38] == 1


def test_a_slice_beside_the_scan_is_refused(tilted: Volume) -> None:
    with pytest.raises(NoSliceError, match="60 axial slices, and no slice 100"):
        cut(in_lps_order(tilted), None, PLANES["axial"], 99, (0.0, 0.0, 0.0))
