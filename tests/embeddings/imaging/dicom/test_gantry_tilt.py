"""Slices of a tilted gantry are resampled to a rectangular grid, with every structure in its place in the patient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embeddings.imaging.dicom.gantry_tilt import straightened, tilt_of
from embeddings.imaging.images import inspect, read_image
from flexict.volume import Volume
from tests.embeddings.dicom_files import write_ct_series

PIXEL_MM, SLICE_MM, N = (1.5, 1.0), 2.0, 40
CENTRE, RADIUS = np.array([30.0, 28.0, 40.0]), 12.0


def tilted_ball(shift_mm: tuple[float, float]) -> np.ndarray:
    """A ball of 40 HU in air, as a gantry sees it whose slices shift by so much each: `[z, y, x]`."""
    z, y, x = np.meshgrid(np.arange(N), np.arange(60), np.arange(50), indexing="ij")
    place = np.stack([x * PIXEL_MM[0] + z * shift_mm[0], y * PIXEL_MM[1] + z * shift_mm[1], z * SLICE_MM])
    distance = np.linalg.norm(place - CENTRE[:, None, None, None], axis=0)
    # A soft edge of a voxel, so that the centroid is not one of a staircase.
    return np.round(-1000 + 1040 * np.clip(RADIUS - distance + 0.5, 0, 1)).astype(np.int16)


def centroid(volume: Volume) -> np.ndarray:
    weight = np.clip(volume.array.astype(float) + 1000, 0, None)
    index = np.stack(np.meshgrid(*map(np.arange, weight.shape), indexing="ij"), axis=-1)
    return np.asarray(volume.lps_of((index * weight[..., None]).sum(axis=(0, 1, 2)) / weight.sum()))


# Up to 25 degrees, at which the ball still lies inside every slice's field of view.
@given(x=st.floats(-0.65, 0.65), y=st.floats(-0.65, 0.65))
@settings(max_examples=15, deadline=None)
def test_a_ball_stays_where_it_is_and_keeps_its_size(x: float, y: float) -> None:
    tilt = tilt_of((x, y), SLICE_MM, PIXEL_MM, N)
    array = straightened(tilted_ball((x, y)), tilt, PIXEL_MM)
    start = tilt.start_mm(PIXEL_MM)
    volume = Volume(array, (*PIXEL_MM, SLICE_MM), (start[0], start[1], 0.0), np.eye(3))
    np.testing.assert_allclose(centroid(volume), CENTRE, atol=0.1)
    ml = np.clip(volume.array.astype(float) + 1000, 0, None).sum() / 1040 * volume.voxel_ml
    assert ml == pytest.approx(4 / 3 * np.pi * RADIUS**3 / 1000, rel=0.02)
    assert tilt.degrees == pytest.approx(np.degrees(np.arctan(np.hypot(x, y) / SLICE_MM)))


def test_a_tilted_dicom_series_is_resampled_and_noted(tmp_path: Path) -> None:
    shift = (0.0, 0.7)
    grid = Volume(tilted_ball(shift), (*PIXEL_MM, SLICE_MM), (-40.0, 20.0, -300.0), np.eye(3))
    folder = write_ct_series(tmp_path / "ct", grid)
    import pydicom

    for z, file in enumerate(sorted(folder.iterdir())):
        tags = pydicom.dcmread(file)
        tags.ImagePositionPatient = [-40.0, 20.0 + shift[1] * z, -300.0 + SLICE_MM * z]
        tags.save_as(file)
    header, volume = inspect(folder), read_image(folder)
    assert header.shape_zyx == volume.shape
    assert volume.shape == (N, 60 + 28, 50)
    assert "tilted by 19.3 degrees" in header.notes[-1]
    np.testing.assert_allclose(centroid(volume), CENTRE + np.array([-40, 20, -300]), atol=0.1)
    assert volume.array.dtype == np.int16
    assert volume.array.min() == -1024
