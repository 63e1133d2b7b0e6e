"""What flexict-nano's vectors know of T stage, beside the same network untrained and plain measurements.

Five-fold cross-validation by patient, repeated, nested choice of the regularisation, 95 % intervals by bootstrap
over patients: `embeddings.analysis.linear_probe`. The task is T1 against later stage.

    python -m benchmarks.nano_stage COHORT.csv --out results.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from embeddings.analysis import Estimate, Probe, linear_probe
from embeddings.cohort import Case, read_cohort
from embeddings.images import ImageError, read_image, read_mask
from embeddings.lesions import measure
from flexict import FlexiCTBackbone, Volume, load_encoder, preprocess
from flexict.encoders import REGISTRY, Encoder

N_REPEATS = 20
UNTRAINED_SEEDS = (0, 1, 2)
INTENSITY_QUANTILES = (5, 25, 50, 75, 95)
CENTRE_MM = 20.0


@dataclass(frozen=True)
class Scan:
    """One case as read: its CT, and its lesion mask where that has voxels."""

    case: Case
    volume: Volume
    mask: Volume | None


def read_scans(csv: Path) -> list[Scan]:
    """Every staged case of the cohort; an empty mask becomes None."""
    scans = []
    for case in read_cohort(csv, check_images=False).cases:
        if case.stage is None:
            continue
        volume = read_image(case.image_path)
        mask = None
        if case.mask_path is not None:
            try:
                mask = read_mask(case.mask_path, volume)
            except ImageError as error:
                print(f"without a lesion: {error}")
        scans.append(Scan(case, volume, mask))
    return scans


def untrained(seed: int) -> Encoder:
    """The architecture of nano with fresh weights."""
    torch.manual_seed(seed)
    spec = REGISTRY["flexict-nano"]
    backbone = FlexiCTBackbone(**spec.shape, layer_scale=0.1)
    backbone.set_patch_size(spec.patch)
    return Encoder(spec, backbone.requires_grad_(False).eval(), "untrained", f"seed {seed}", "cpu")


def vectors(scans: list[Scan], encoder: Encoder, prepare: Callable[[Scan], NDArray[np.float32]]) -> NDArray[np.float32]:
    """`[n, width]`, one scan at a time."""
    return np.concatenate([encoder.encode(prepare(scan)[None, None]) for scan in scans])


def size_features(scan: Scan) -> list[float]:
    """Log volume, equivalent diameter and largest extent of the mask."""
    assert scan.mask is not None
    lesion = measure(scan.mask)
    return [float(np.log(lesion.volume_ml)), lesion.equivalent_diameter_mm, lesion.max_extent_mm]


def intensity_features(scan: Scan) -> list[float]:
    """Mean, deviation and quantiles of HU in the lesion, or in the central 20 mm ball where there is no mask."""
    if scan.mask is not None:
        inside = scan.mask.array > 0
    else:
        index = np.stack(np.meshgrid(*(np.arange(n) for n in scan.volume.shape), indexing="ij"), axis=-1)
        centre = np.array(scan.volume.shape) / 2
        spacing = np.array(scan.volume.spacing[::-1])
        inside = np.linalg.norm((index - centre) * spacing, axis=-1) <= CENTRE_MM / 2
    hu = scan.volume.array[inside].astype(np.float64)
    return [float(hu.mean()), float(hu.std()), *(float(q) for q in np.percentile(hu, INTENSITY_QUANTILES))]


def main() -> None:
    """Print one table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    scans = read_scans(options.cohort)
    with_lesion = [scan for scan in scans if scan.mask is not None]
    nano = load_encoder("flexict-nano")
    rows: list[dict[str, object]] = []

    def row(name: str, used: list[Scan], X: NDArray[np.floating]) -> None:
        stage = np.array(["T1" if str(s.case.stage).startswith("T1") else "T2 to T4" for s in used])
        patient = np.array([s.case.patient_id for s in used])
        result: Probe = linear_probe(X, stage, patient=patient, n_repeats=N_REPEATS, seed=0)
        model = result.embedding
        measures: dict[str, Estimate] = {"auc": model.auc, "balanced_accuracy": model.balanced_accuracy}
        rows.append(
            {"features": name, "n": result.n, "per_class": dict(zip(result.classes, result.n_per_class, strict=True))}
            | {m: [round(e.value, 3), round(e.low, 3), round(e.high, 3)] for m, e in measures.items()}
        )
        auc = model.auc
        print(f"{name:58s} n = {result.n:3d}  AUC {auc.value:.3f} [{auc.low:.3f}, {auc.high:.3f}]", flush=True)

    def whole(scan: Scan) -> NDArray[np.float32]:
        return preprocess.default(scan.volume)

    def lesion(scan: Scan) -> NDArray[np.float32]:
        assert scan.mask is not None
        return preprocess.lesion_mask(scan.volume, scan.mask)

    for view, used, prepare in (("whole crop", scans, whole), ("lesion crop", with_lesion, lesion)):
        row(f"nano, {view}", used, vectors(used, nano, prepare))
        for seed in UNTRAINED_SEEDS:
            row(f"untrained (seed {seed}), {view}", used, vectors(used, untrained(seed), prepare))
    row("intensity, central ball or lesion", scans, np.array([intensity_features(s) for s in scans]))
    row("intensity, lesion", with_lesion, np.array([intensity_features(s) for s in with_lesion]))
    row("size, lesion", with_lesion, np.array([size_features(s) for s in with_lesion]))
    plain = np.array([size_features(s) + intensity_features(s) for s in with_lesion])
    row("size and intensity, lesion", with_lesion, plain)
    both = np.hstack([plain, vectors(with_lesion, nano, lesion)])
    row("nano lesion crop with size and intensity", with_lesion, both)
    if options.out:
        options.out.write_text(json.dumps({"weights_sha256": nano.weights_sha256, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
