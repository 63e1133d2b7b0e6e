"""A small cohort of real files, and an encoder small enough to do by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray


@dataclass
class TinyEncoder:
    """Twelve means of the input's quarters: deterministic, and different for different inputs."""

    name: str = "tiny"
    width: int = 12
    weights_sha256: str = "00" * 32
    weights_source: str = "none: closed form"
    pooling: str = "pooled"
    is_published: bool = False
    needs_mask: bool = False
    device: str = "cpu"
    views: Mapping[str, str] = field(
        default_factory=lambda: {"volume": "default", "slices": "slice", "lesion": "lesion_mask"}
    )
    calls: list[int] = field(default_factory=list)
    before: Callable[[NDArray[np.float32]], None] = lambda batch: None

    def encode(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        self.before(batch)
        self.calls.append(len(batch))
        parts = np.array_split(np.asarray(batch).reshape(len(batch), -1), self.width, axis=1)
        return np.stack([part.mean(axis=1) for part in parts], axis=1).astype(np.float32)


@pytest.fixture
def tiny() -> TinyEncoder:
    return TinyEncoder()


@pytest.fixture
def make_encoder() -> type[TinyEncoder]:
    return TinyEncoder


def write_scan(folder: Path, name: str, seed: int, radius: float = 5.0) -> tuple[Path, Path, tuple[float, ...]]:
    """A lung-like block of 24 x 40 x 40 voxels of 3 x 2 x 2 mm with a ball in it; centre in LPS mm."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.arange(n) for n in (24, 40, 40)), indexing="ij")
    centre = np.array([12, 20, 15 + seed % 5])
    ball = ((z - centre[0]) * 3) ** 2 + ((y - centre[1]) * 2) ** 2 + ((x - centre[2]) * 2) ** 2 <= (2 * radius) ** 2
    hu = np.where(ball, 40, -800) + rng.normal(0, 20, ball.shape)
    paths = []
    for array, kind in ((hu.astype(np.int16), "ct"), (ball.astype(np.uint8), "mask")):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((2.0, 2.0, 3.0))
        image.SetOrigin((-10.0, 20.0, -300.0))
        path = folder / f"{name}_{kind}.nii.gz"
        sitk.WriteImage(image, str(path))
        paths.append(path)
    lps = (-10.0 + 2 * centre[2], 20.0 + 2 * centre[1], -300.0 + 3 * centre[0])
    return paths[0], paths[1], tuple(float(v) for v in lps)


@pytest.fixture
def make_cohort(tmp_path: Path) -> Callable[..., Path]:
    """`make_cohort(n, masks=True, seeds=False)` writes n scans and their CSV, two scans a patient."""

    def make(n: int = 4, masks: bool = True, seeds: bool = False) -> Path:
        folder = tmp_path / "cohort"
        folder.mkdir()
        lines = ["case_id,patient_id,image_path,mask_path,seed_x,seed_y,seed_z,stage,age"]
        for i in range(n):
            image, mask, (x, y, z) = write_scan(folder, f"c{i}", i)
            lesion = mask.name if masks else ""
            seed = f"{x},{y},{z}" if seeds else ",,"
            lines.append(f"c{i},p{i // 2},{image.name},{lesion},{seed},T{1 + i % 3},{50 + i}")
        csv = folder / "cohort.csv"
        csv.write_text("\n".join(lines) + "\n")
        return csv

    return make
