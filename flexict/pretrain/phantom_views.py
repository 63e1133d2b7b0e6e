"""Simulated chest CTs as inputs of the aligned encoder, with their ground truth; kept on disk between runs.

Three views per patient: the whole chest (preset `default`), and the lesion in a fixed cube (`lesion_seed`, 64 mm) and
in one that grows with it (`lesion_mask`, 1.5 sizes), both from a fine scan of 96 mm round it. The 160^3 inputs are
halved to 80^3: at patch 8 they give the tokens that 160^3 gives at patch 16, for a tenth of the memory.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from flexict.phantoms import chest_phantom
from flexict.phantoms.phantom import Phantom, Truth
from flexict.presets import presets
from flexict.presets.preprocess import Scan
from flexict.pretrain.loop import replacing
from flexict.pretrain.reports import LESION_FIXED, LESION_SCALED, WHOLE

EDGE = 80
FINE_MM, FINE_FIELD_MM = 1.0, 96.0
SEED_SIDE_MM, SCALE = 64.0, 1.5
VIEWS = (WHOLE, LESION_FIXED, LESION_SCALED)


@dataclass(frozen=True)
class PhantomViews:
    """Inputs float16 `[n, 80, 80, 80]` by view, and the truth of each patient."""

    inputs: dict[str, Tensor]
    truths: Sequence[Truth]


def simulate(seeds: Sequence[int], kept_in: Path, workers: int = 2) -> PhantomViews:
    """The views of these patients, read from `kept_in` if they were simulated before."""
    path = kept_in / f"phantoms-{seeds[0]}-{seeds[-1]}.safetensors"
    if not path.exists():
        kept_in.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(workers) as pool:
            made = list(pool.map(_views, seeds, chunksize=4))
        tensors = {view: torch.from_numpy(np.stack([one[0][i] for one in made])) for i, view in enumerate(VIEWS)}
        with replacing(path) as temporary:
            save_file(tensors, temporary, metadata={"truths": json.dumps([one[1] for one in made])})
    with safe_open(path, "pt") as stored:
        truths = json.loads(stored.metadata()["truths"])
        return PhantomViews({view: stored.get_tensor(view) for view in VIEWS}, truths)


def _views(seed: int) -> tuple[tuple[np.ndarray, ...], Truth]:
    torch.set_num_threads(1)
    whole = chest_phantom(seed)
    fine = lesion_phantom(seed)
    scan = Scan(fine.ct)
    crops = (
        presets.default(whole.ct),
        presets.lesion_seed(scan, lesion_centroid(fine), SEED_SIDE_MM),
        presets.lesion_mask(scan, fine.mask, SCALE),
    )
    return tuple(_halved(crop.voxels()) for crop in crops), whole.truth


def lesion_phantom(seed: int) -> Phantom:
    """A fine scan of `FINE_FIELD_MM` round the patient's lesion."""
    return chest_phantom(seed, spacing_mm=FINE_MM, field_mm=(FINE_FIELD_MM,) * 3, around_lesion=True)


def lesion_centroid(phantom: Phantom) -> tuple[float, float, float]:
    """Centre of the lesion, LPS mm."""
    x, y, z = (float(phantom.truth[f"centroid_{axis}"] or 0.0) for axis in "xyz")
    return x, y, z


def _halved(array: np.ndarray) -> np.ndarray:
    factor = len(array) // EDGE
    return F.avg_pool3d(torch.from_numpy(array)[None, None], factor)[0, 0].half().numpy()
