"""Thumbnails show the right place, the right way round, at the size they claim."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from embeddings.job.preparation.thumbnails import Painter
from embeddings.records import Thumbnail
from flexict.volume import Volume


def pixels(thumbnail: Thumbnail) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(thumbnail.png)))


def volume_with(point_lps: tuple[float, float, float], direction: np.ndarray) -> Volume:
    """40 x 60 x 50 voxels of soft tissue, 3 x 2 x 2.5 mm, with a dense spot of some 8 mm."""
    shape, spacing = (40, 60, 50), (2.5, 2.0, 3.0)
    volume = Volume(np.zeros(shape, np.int16), spacing, (-40.0, 15.0, -90.0), direction)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    near = np.linalg.norm(volume.lps_of(index.astype(float)) - np.array(point_lps), axis=-1) <= 5
    assert near.any()
    return Volume(np.where(near, 400, 0).astype(np.int16), spacing, volume.origin, direction)


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, -1, 1), (1, -1, -1), (-1, 1, -1)])
def test_a_point_appears_where_the_slice_has_it_whatever_the_orientation(flips: tuple[int, int, int]) -> None:
    direction = np.diag([float(f) for f in flips])
    corner = Volume(np.zeros((40, 60, 50)), (2.5, 2.0, 3.0), (-40.0, 15.0, -90.0), direction)
    lps = tuple(float(v) for v in corner.lps_of((30.0, 20.0, 10.0)))
    volume = volume_with((lps[0], lps[1], lps[2]), direction)
    picture = Painter(volume).around((lps[0], lps[1], lps[2]), 60.0)
    shown = pixels(picture)
    assert shown.shape == (128, 128)
    assert picture.pixel_mm == pytest.approx(60 / 128)
    assert picture.window == "soft tissue"
    assert picture.z_lps_mm == pytest.approx(lps[2], abs=1.5)
    rows, columns = np.nonzero(shown > 200)
    # The spot lies in the middle of a picture centred on it, and is as large as it is.
    assert rows.mean() == pytest.approx(63.5, abs=2.5)
    assert columns.mean() == pytest.approx(63.5, abs=2.5)
    assert np.ptp(columns) * picture.pixel_mm == pytest.approx(10, abs=3)


def test_left_of_the_patient_is_right_in_the_picture_and_anterior_is_up() -> None:
    direction = np.diag([-1.0, -1.0, 1.0])
    corner = Volume(np.zeros((40, 60, 50)), (2.5, 2.0, 3.0), (-40.0, 15.0, -90.0), direction)
    corners = corner.lps_of(np.array([(0, 0, 0), (39, 59, 49)], dtype=float))
    left, anterior = corners[:, 0].max(), corners[:, 1].min()
    volume = volume_with((left - 10, anterior + 10, -90.0 + 20 * 3.0), direction)
    shown = pixels(Painter(volume).middle())
    rows, columns = np.nonzero(shown > 200)
    assert rows.mean() < 40
    assert columns.mean() > 88


def test_aerated_slices_get_the_lung_window() -> None:
    array = np.full((4, 64, 64), 30, np.int16)
    array[:, 16:48, 16:48] = -820
    painter = Painter(Volume(array, (3.0, 3.0, 3.0), (0.0, 0.0, 0.0), np.eye(3)))
    picture = painter.axial(1)
    assert picture.window == "lung"
    shown = pixels(picture)
    # -820 HU in a window of -600 / 1500: (-820 + 1350) / 1500 of 255.
    assert shown[64, 64] == pytest.approx(90, abs=1)
    assert shown[4, 4] == pytest.approx(235, abs=1)


def test_a_crop_at_the_border_is_padded_with_black_and_keeps_its_scale() -> None:
    array = np.full((4, 40, 40), 240, np.int16)
    painter = Painter(Volume(array, (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), np.eye(3)))
    shown = pixels(painter.around((0.0, 0.0, 2.0), 64.0))
    assert (shown[:60, :60] == 0).all()
    assert (shown[66:, 66:] == 255).all()
