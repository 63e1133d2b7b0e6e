"""The picture of a slice: orientation, window, outline, shape in millimetres."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.components.slice_image import OUTLINE, Window, axial_picture, grey, in_lps
from flexict import Volume

SOFT = Window(400, 40)


def volume(direction: np.ndarray | None = None, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Volume:
    return Volume(np.full((4, 50, 40), -1000, np.int16), spacing, (0.0, 0.0, 0.0), direction or np.eye(3))


def test_the_window_maps_its_ends_to_black_and_white() -> None:
    assert grey(np.array([[-160, 40, 240, 5000]]), SOFT).tolist() == [[0, 127, 255, 255]]


@pytest.mark.parametrize("flip", [1.0, -1.0])
def test_the_patients_left_is_on_the_right_however_the_file_is_stored(flip: float) -> None:
    stored = Volume(np.full((4, 50, 40), -1000, np.int16), (1.0,) * 3, (0.0,) * 3, np.diag([flip, flip, 1.0]))
    left = stored.array[:, :, 30:] if flip > 0 else stored.array[:, :, :10]
    left[:] = 400
    pixels = np.asarray(axial_picture(in_lps(stored), 1, SOFT).convert("L")).astype(float)
    third = pixels.shape[1] // 4
    assert pixels[100:300, -third:].mean() > pixels[100:300, :third].mean() + 100


def test_pixels_that_are_not_square_in_mm_are_drawn_in_true_shape() -> None:
    picture = axial_picture(volume(spacing=(2.0, 1.0, 1.0)), 0, SOFT, edge_px=400)
    assert picture.size == (400, 250)


def test_the_outline_surrounds_the_mask_and_leaves_its_inside_free() -> None:
    ct = volume()
    mask = Volume(np.zeros(ct.shape, np.uint8), ct.spacing, ct.origin, ct.direction)
    mask.array[2, 20:30, 15:25] = 1
    pixels = np.asarray(axial_picture(ct, 2, SOFT, mask, edge_px=500))
    drawn = (pixels == OUTLINE).all(axis=-1)
    assert drawn.any()
    assert not drawn[220:280, 170:230].any()
    assert not (np.asarray(axial_picture(ct, 1, SOFT, mask, edge_px=500)) == OUTLINE).all(axis=-1).any()
