"""Body region of axial slices by the nearest neighbour in other patients' scans.

Regions follow from the HU alone: the lung's share of the body in each slice (air inside the body, below -500 HU). Above
the lungs: shoulders. Where they fill over 15 %: lower chest up to 120 mm above their lower end, upper chest beyond.
2 to 15 % under that: lung base. Below, or without any lung, under 2 %: abdomen. Slices between are left out, and the
pelvis, which one scan alone shows. Accuracy is averaged over scans; intervals are a bootstrap over scans (few, hence
wide).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from embeddings.imaging.images import read_image
from flexict.hub.encoders import Encoder
from flexict.presets.preprocess import Scan
from flexict.presets.presets import axial_slice

EVERY_MM = 6.0
AIR_HU, BODY_HU = -500, -300
CHEST, BASE = 0.15, 0.02
LOWER_CHEST_MM = 120.0
HISTOGRAM_HU = np.arange(-1000, 1001, 50)
N_RESAMPLES = 2000


@dataclass(frozen=True)
class Slices:
    """Labelled slices of one scan: prepared pixels, region, and the histogram of HU as a plain vector."""

    scan: str
    pixels: list[NDArray[np.float16]]
    region: list[str]
    histogram: list[NDArray[np.float64]]


def read_slices(path: Path, pelvis_below: int = 0) -> Slices:
    """Every slice `EVERY_MM` apart that has a region; slices with an index under `pelvis_below` are left out."""
    scan = Scan(read_image(path))
    hu = sitk.GetArrayFromImage(scan.oriented)
    spacing = scan.oriented.GetSpacing()[2]
    share = np.array([_lung_share(one) for one in hu])
    found = Slices(path.name.split("_CT")[0].split(".")[0], [], [], [])
    for index in range(pelvis_below, len(hu), max(1, round(EVERY_MM / spacing))):
        region = _region(share, index, spacing)
        if region is not None:
            found.pixels.append(axial_slice(scan, index).voxels().astype(np.float16))
            found.region.append(region)
            found.histogram.append(np.histogram(hu[index], HISTOGRAM_HU)[0] / hu[index].size)
    return found


def _lung_share(hu: NDArray[np.integer]) -> float:
    labels, n = ndimage.label(hu > BODY_HU)
    if n == 0:
        return 0.0
    body = ndimage.binary_fill_holes(labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]))
    return float(((hu < AIR_HU) & body).sum() / max(1, body.sum()))


def _region(share: NDArray[np.float64], index: int, spacing: float) -> str | None:
    lung, here = np.flatnonzero(share > CHEST), share[index]
    if lung.size == 0 or index < lung.min():
        return "abdomen" if here < BASE else "lung base" if lung.size and here < CHEST else None
    if index > lung.max():
        return "shoulders" if here < BASE else None
    if here < CHEST:
        return None
    return "upper chest" if (index - lung.min()) * spacing > LOWER_CHEST_MM else "lower chest"


def vectors(scans: Sequence[Slices], encoder: Encoder) -> list[NDArray[np.float32]]:
    """`[n, width]` of each scan's slices."""
    return [np.concatenate([encoder.encode(p[None, None].astype(np.float32)) for p in scan.pixels]) for scan in scans]


def accuracy_by_scan(scans: Sequence[Slices], found: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
    """1-nearest-neighbour accuracy of each scan's slices among those of all other scans, by cosine."""
    out = []
    for number, scan in enumerate(scans):
        others = [i for i in range(len(scans)) if i != number]
        gallery = _unit(np.concatenate([found[i] for i in others]))
        labels = np.concatenate([np.array(scans[i].region) for i in others])
        nearest = (_unit(found[number]) @ gallery.T).argmax(axis=1)
        out.append(float((labels[nearest] == np.array(scan.region)).mean()))
    return np.array(out)


def _unit(X: NDArray[np.floating]) -> NDArray[np.float64]:
    X = X.astype(np.float64)
    return X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-12)


def compare(scans: Sequence[Slices], encoders: Mapping[str, Encoder], unseen: Sequence[str]) -> list[dict[str, Any]]:
    """A row an encoder: accuracy over all scans and over those that no stage has seen, and the gain over the last."""
    n = sum(len(scan.region) for scan in scans)
    rng = np.random.default_rng(0)
    draws = rng.integers(len(scans), size=(N_RESAMPLES, len(scans)))
    new = np.array([scan.scan in unseen for scan in scans])
    rows: list[dict[str, Any]] = []
    before: tuple[str, NDArray[np.float64]] | None = None
    named = {"HU histogram": [np.array(s.histogram) for s in scans]}
    for name in ("HU histogram", *encoders):
        found = named[name] if name in named else vectors(scans, encoders[name])
        accuracy = accuracy_by_scan(scans, found)
        row: dict[str, Any] = {"task": "body region", "encoder": name, "n": n, "n_scans": len(scans)}
        row |= {"accuracy": _interval(accuracy, draws), "unseen_scans": float(accuracy[new].mean())}
        row["by_scan"] = dict(zip([s.scan for s in scans], accuracy.round(3).tolist(), strict=True))
        if before is not None:
            row |= {"over": before[0], "gain": _interval(accuracy - before[1], draws)}
        rows.append(row)
        print(row, flush=True)
        if name in encoders:
            before = (name, accuracy)
    return rows


def _interval(values: NDArray[np.float64], draws: NDArray[np.int64]) -> list[float]:
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return [float(values.mean()), float(low), float(high)]
