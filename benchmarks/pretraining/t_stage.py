"""T stage of real lung tumours (T1 against later) by linear probe, each stage paired with the one before.

Five-fold cross-validation by patient, repeated, nested choice of the penalty; 95 % intervals by bootstrap over patients
(`embeddings.analysis.linear_probe`), differences on the same folds and resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.analysis import linear_probe
from embeddings.cohort.read import read_cohort
from embeddings.imaging.images import ImageError, read_mask, read_scan
from embeddings.imaging.masks.lesions import Lesion, measure
from flexict.hub.encoders import Encoder
from flexict.presets import presets
from flexict.presets.crop import Crop
from flexict.presets.preprocess import Scan
from flexict.volume import Volume

N_REPEATS = 10
INTENSITY_QUANTILES = (5, 25, 50, 75, 95)
SEED_SIDE_MM, SCALE = 64.0, 1.5

Input = NDArray[np.float16]


class Tumours:
    """The staged tumours of a cohort that have a mask, read once; inputs of each view in half precision."""

    def __init__(self, csv: Path) -> None:
        self.label: list[str] = []
        self.patient: list[str] = []
        self.plain: dict[str, list[list[float]]] = {"size": [], "intensity": []}
        self.inputs: dict[str, list[Input]] = {view: [] for view in VIEWS}
        for case in read_cohort(csv, check_images=False).cases:
            if case.stage is None or case.mask_path is None:
                continue
            volume, header, _ = read_scan(case.image_path)
            try:
                mask = read_mask(case.mask_path, volume, case.mask_label, header)
            except ImageError as error:
                print(f"left out: {error}")
                continue
            lesion = measure(mask)
            self.label.append("T1" if str(case.stage).startswith("T1") else "T2 to T4")
            self.patient.append(case.patient_id)
            self.plain["size"].append([np.log(lesion.volume_ml), lesion.equivalent_diameter_mm, lesion.max_extent_mm])
            self.plain["intensity"].append(_intensity(volume, mask))
            scan = Scan(volume)
            for view, crop in VIEWS.items():
                self.inputs[view].append(crop(scan, mask, lesion).voxels().astype(np.float16))

    def vectors(self, encoder: Encoder, view: str) -> NDArray[np.float32]:
        """`[n, width]`, one scan at a time."""
        return np.concatenate([encoder.encode(x[None, None].astype(np.float32)) for x in self.inputs[view]])


VIEWS: Mapping[str, Callable[[Scan, Volume, Lesion], Crop]] = {
    "lesion, 64 mm": lambda scan, mask, lesion: presets.lesion_seed(scan, lesion.centroid_lps, SEED_SIDE_MM),
    "lesion, 1.5 sizes": lambda scan, mask, lesion: presets.lesion_mask(scan, mask, SCALE),
    "whole crop": lambda scan, mask, lesion: presets.default(scan),
}


def _intensity(volume: Volume, mask: Volume) -> list[float]:
    hu = volume.array[mask.array > 0].astype(np.float64)
    return [float(hu.mean()), float(hu.std()), *(float(q) for q in np.percentile(hu, INTENSITY_QUANTILES))]


def compare(tumours: Tumours, encoders: Mapping[str, Encoder]) -> list[dict[str, Any]]:
    """A row a view and encoder: AUC with interval, and what it gains over the encoder named before it."""
    rows = []
    label, patient = np.array(tumours.label), np.array(tumours.patient)
    for name, features in tumours.plain.items():
        probe = linear_probe(np.array(features), label, patient=patient, n_repeats=N_REPEATS, seed=0)
        rows.append(_row("none: masks", name, probe.n, probe.embedding.auc))
    for view in VIEWS:
        before: tuple[str, NDArray[np.float32]] | None = None
        for name, encoder in encoders.items():
            X = tumours.vectors(encoder, view)
            baseline = None if before is None else before[1]
            probe = linear_probe(X, label, patient=patient, baseline=baseline, n_repeats=N_REPEATS, seed=0)
            row = _row(view, name, probe.n, probe.embedding.auc)
            for difference in probe.differences:
                if before is not None and (difference.better, difference.than) == ("embedding", "baseline"):
                    row |= {"over": before[0], "gain": [difference.value, difference.low, difference.high]}
            rows.append(row)
            print(row, flush=True)
            before = (name, X)
    return rows


def _row(view: str, name: str, n: int, auc: Any) -> dict[str, Any]:
    return {"task": "T stage", "view": view, "encoder": name, "n": n, "auc": [auc.value, auc.low, auc.high]}
