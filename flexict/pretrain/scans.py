"""The scans for pretraining, in memory as normalised voxels."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from torch import Tensor

from flexict.phantoms import chest_phantom
from flexict.presets.preprocess import PreprocessError, clipped_statistics, resample, standardised
from flexict.volume import Volume

LOG = logging.getLogger(__name__)
CT_SUFFIXES = (".nii", ".nii.gz")
MASK_WORDS = ("gtv", "seg", "mask")
COARSEST_MM = 2.0


@dataclass(frozen=True)
class Scans:
    """Normalised scans, float16 `[z, y, x]` in LPS order, real ones and simulated ones apart."""

    real: list[Tensor]
    simulated: list[Tensor]

    def draw(self, generator: torch.Generator, phantom_share: float) -> Tensor:
        """One scan, drawn in proportion to its size; simulated with chance `phantom_share` if there are both kinds."""
        chance = torch.rand((), generator=generator).item()
        pool = self.simulated if self.simulated and (not self.real or chance < phantom_share) else self.real
        sizes = torch.tensor([float(scan.numel()) for scan in pool])
        return pool[int(torch.multinomial(sizes, 1, generator=generator))]


def load_scans(folders: Sequence[Path], n_phantoms: int, seed: int, workers: int = 2) -> Scans:
    """Read every NIfTI below `folders` (files named like masks are left out) and simulate `n_phantoms` more.

    Raises:
        PreprocessError: if there is nothing to read, or a file is damaged.
    """
    paths = sorted(p for folder in folders for p in Path(folder).rglob("*") if _is_ct(p))
    real = [_read(p) for p in paths]
    with ProcessPoolExecutor(workers) as pool:
        arrays = list(pool.map(_simulate, range(seed, seed + n_phantoms)))
    simulated = [torch.from_numpy(a) for a in arrays]
    if not real and not simulated:
        raise PreprocessError("there is nothing to train on: name a folder of CTs or ask for phantoms")
    LOG.info("%d real scans, %d simulated", len(real), len(simulated))
    return Scans(real, simulated)


def _is_ct(path: Path) -> bool:
    name = path.name.lower()
    return name.endswith(CT_SUFFIXES) and not any(word in name for word in MASK_WORDS)


def _read(path: Path) -> Tensor:
    """A NIfTI in LPS order. SimpleITK would silently fill the missing half of a truncated file with garbage."""
    try:
        nifti = nib.as_closest_canonical(nib.load(path))
        voxels = np.asarray(nifti.dataobj, dtype=np.float32)
    except (nib.filebasedimages.ImageFileError, OSError, EOFError, zlib.error) as error:
        raise PreprocessError(f"{path} cannot be read ({error}): replace it or remove it from the folder") from error
    if voxels.ndim != 3 or not np.isfinite(voxels).all():
        raise PreprocessError(f"{path} is not a 3D CT of finite values: remove it from the folder")
    x, y, z = (float(v) for v in nifti.header.get_zooms()[:3])
    # Canonical is RAS [x, y, z]; LPS reverses x and y.
    array = np.ascontiguousarray(voxels[::-1, ::-1].transpose(2, 1, 0))
    volume = Volume(array, (x, y, z), (0.0, 0.0, 0.0), np.eye(3))
    if max(volume.spacing) > COARSEST_MM:
        volume = Volume.from_sitk(resample(volume.to_sitk(), COARSEST_MM))
    return torch.from_numpy(_normalised(volume.array))


def _simulate(seed: int) -> np.ndarray:
    return _normalised(chest_phantom(seed).ct.array)


def _normalised(hu: np.ndarray) -> np.ndarray:
    return standardised(hu, clipped_statistics(hu)).astype(np.float16)
