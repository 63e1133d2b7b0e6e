"""A mask prepared beside its CT covers the same voxels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexict import PreprocessError, Volume
from flexict.presets import presets
from flexict.presets.crop import Crop

BRIGHT, DARK = 800, -900


def bright_box(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], flips: tuple[int, int, int], lesion: tuple
) -> tuple[Volume, Volume]:
    """A dark scan with one bright box, and the mask of that box."""
    mask = np.zeros(shape, dtype=np.uint8)
    mask[lesion] = 1
    hu = np.where(mask, BRIGHT, DARK).astype(np.int16)
    direction = np.diag([1.0 - 2.0 * flip for flip in flips])
    return Volume(hu, spacing, (5.0, -7.0, 11.0), direction), Volume(mask, spacing, (5.0, -7.0, 11.0), direction)


def overlap(array: np.ndarray, mask: np.ndarray) -> float:
    """Dice of the mask and the voxels nearer to the bright than to the dark level."""
    bright = array > (array.max() + array.min()) / 2
    return 2 * (bright & (mask > 0)).sum() / (bright.sum() + (mask > 0).sum())


def centroid(mask: Volume) -> tuple[float, float, float]:
    x, y, z = mask.lps_of(np.argwhere(mask.array).mean(axis=0))
    return float(x), float(y), float(z)


CROPS: dict[str, Callable[[Volume, Volume], Crop]] = {
    "default": lambda ct, mask: presets.default(ct),
    "local_path": lambda ct, mask: presets.local_path(ct),
    "lesion_mask": lambda ct, mask: presets.lesion_mask(ct, mask, 1.5),
    "lesion_seed": lambda ct, mask: presets.lesion_seed(ct, centroid(mask), 64.0),
}


@pytest.mark.parametrize("preset", CROPS)
@settings(max_examples=4, deadline=None)
@given(
    flips=st.tuples(*[st.integers(0, 1)] * 3),
    spacing=st.tuples(*[st.sampled_from([1.0, 1.6, 2.0, 2.5])] * 3),
    corner=st.tuples(*[st.integers(2, 14)] * 3),
)
def test_the_mask_covers_the_lesion_in_every_preset_and_orientation(
    preset: str, flips: tuple[int, int, int], spacing: tuple[float, float, float], corner: tuple[int, int, int]
) -> None:
    lesion = tuple(slice(c, c + 12) for c in corner)
    ct, drawn = bright_box((30, 34, 40), spacing, flips, lesion)
    crop = CROPS[preset](ct, drawn)
    array, mask = crop.voxels(), crop.mask(drawn)
    assert mask.shape == array.shape
    assert mask.dtype == np.uint8
    assert set(np.unique(mask)) <= {0, 1}
    assert overlap(array, mask) > 0.85


@pytest.mark.parametrize("flips", [(0, 0, 0), (1, 1, 1), (1, 0, 1)])
def test_the_mask_of_a_slice_covers_the_lesion_in_it(flips: tuple[int, int, int]) -> None:
    lesion = (slice(4, 9), slice(5, 20), slice(10, 30))
    ct, mask = bright_box((12, 30, 40), (2.0, 2.0, 3.0), flips, lesion)
    covered = []
    for index in range(12):
        crop = presets.axial_slice(ct, index)
        pixels, cover = crop.voxels(), crop.mask(mask)
        assert cover.shape == pixels.shape == (512, 512)
        if cover.any():
            covered.append(index)
            assert overlap(pixels, cover) > 0.95
    assert len(covered) == 5


def test_a_lesion_crop_beyond_the_scan_is_empty_there() -> None:
    ct, mask = bright_box((20, 20, 20), (1.0, 1.0, 1.0), (0, 0, 0), (slice(0, 4),) * 3)
    cover = presets.lesion_seed(ct, centroid(mask), 32.0).mask(mask)
    assert cover[:60, :60, :60].sum() == 0
    assert 0 < cover.mean() < 0.02


def test_a_lesion_too_small_for_2_mm_is_refused() -> None:
    ct, mask = bright_box((20, 20, 20), (0.3, 0.3, 0.3), (0, 0, 0), (slice(2, 3),) * 3)
    with pytest.raises(PreprocessError, match="smaller than a 2 mm voxel"):
        presets.lesion_mask(ct, mask, 1.5)
