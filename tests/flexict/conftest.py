"""Real scans as an encoder takes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from flexict import Volume
from flexict.presets import presets


@pytest.fixture
def reading() -> Callable[[Path, str], NDArray[np.float32]]:
    """`reading(path, view)`: a NIfTI as the input of a view, `slices` giving the middle one."""

    def read(path: Path, view: str) -> NDArray[np.float32]:
        volume = Volume.from_sitk(sitk.ReadImage(str(path)))
        if view == "volume":
            return presets.default(volume).voxels()
        return presets.axial_slice(volume, volume.shape[0] // 2).voxels()

    return read
