"""Text-to-image retrieval on simulated patients that no stage has seen: does a report find its own scan?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from flexict.hub.encoders import load_encoder
from flexict.phantoms import chest_phantom
from flexict.phantoms.phantom import Truth
from flexict.presets import presets
from flexict.pretrain.phantom_views import SEED_SIDE_MM, lesion_centroid, lesion_phantom
from flexict.pretrain.reports import LESION_FIXED, WHOLE, findings, full_report, lesion_report
from flexict.text.text_tower import TextTower, load_text_tower, similarity, zero_shot

KS = (1, 5, 10)
N_RESAMPLES = 2000
ASKED = ("pleural effusion", "emphysema", "spiculated margin", "lesion in the right lung", "lesion larger than 30 mm")


REPORTS: Mapping[str, Callable[[Truth], str]] = {WHOLE: full_report, LESION_FIXED: lesion_report}


class Patients:
    """Simulated patients: prepared inputs of the whole chest and of the lesion in 64 mm, and truth."""

    def __init__(self, seeds: range) -> None:
        self.inputs: dict[str, list[NDArray[np.float16]]] = {WHOLE: [], LESION_FIXED: []}
        self.truths: list[Truth] = []
        for seed in seeds:
            phantom = chest_phantom(seed)
            fine = lesion_phantom(seed)
            self.inputs[WHOLE].append(presets.default(phantom.ct).voxels().astype(np.float16))
            self.inputs[LESION_FIXED].append(
                presets.lesion_seed(fine.ct, lesion_centroid(fine), SEED_SIDE_MM).voxels().astype(np.float16)
            )
            self.truths.append(phantom.truth)


def recall(patients: Patients, view: str, name: str, weights: Path, folder: Path) -> dict[str, Any]:
    """Recall@k with bootstrap intervals over the reports, chance beside it, and the AUC of zero-shot findings."""
    encoder = load_encoder("flexict-nano-vlm", weights=weights)
    tower = load_text_tower("flexict-nano-vlm", weights=weights, text_folder=folder)
    images = np.concatenate([encoder.encode(x[None, None].astype(np.float32)) for x in patients.inputs[view]])
    texts = tower.encode([REPORTS[view](truth) for truth in patients.truths])
    scores = similarity(images, texts, tower.logit_scale)
    own = np.diag(scores)
    # Ties count against the scan.
    rank = (scores >= own[None]).sum(axis=0)
    n = len(rank)
    draws = np.random.default_rng(0).integers(n, size=(N_RESAMPLES, n))
    row: dict[str, Any] = {
        "task": "text to image",
        "view": view,
        "encoder": name,
        "n": n,
        "median_rank": float(np.median(rank)),
    }
    for k in KS:
        hit = (rank <= k).astype(float)
        low, high = np.percentile(hit[draws].mean(axis=1), [2.5, 97.5])
        row[f"recall@{k}"] = [float(hit.mean()), float(low), float(high)]
        row[f"chance@{k}"] = k / n
    row["zero_shot_auc"] = _zero_shot(patients, view, images, tower, draws)
    print(row, flush=True)
    return row


def _zero_shot(
    patients: Patients, view: str, images: NDArray[np.float32], tower: TextTower, draws: NDArray[np.int64]
) -> dict[str, list[float]]:
    asked = [phrase for phrase in ASKED if any(f.phrase == phrase for f in findings(patients.truths[0], view))]
    scores = zero_shot(images, tower, asked)
    out = {}
    for number, phrase in enumerate(asked):
        truth = np.array(
            [next(f.present for f in findings(one, view) if f.phrase == phrase) for one in patients.truths]
        )
        resampled = [roc_auc_score(truth[d], scores[d, number]) for d in draws[:500] if 0 < truth[d].sum() < len(truth)]
        low, high = np.percentile(resampled, [2.5, 97.5])
        out[phrase] = [float(roc_auc_score(truth, scores[:, number])), float(low), float(high), int(truth.sum())]
    return out
