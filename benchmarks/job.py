"""Volumes a minute of the embedding job beside the plainest loop over the same files, on this machine.

The plain loop is what one would write in ten minutes: nibabel reads, SimpleITK resamples, one forward at a time. Both
sides use the same encoder and the same preset. Speeds are told by core-second as well as by second, for the job uses
more than one core. The machine's noise is in both alike: compare within one run only.

    python benchmarks/job.py                                  simulated scans of 512 x 512 x 300 voxels, flexict-nano
    python benchmarks/job.py --images /data/*.nii.gz          files of your own
    python benchmarks/job.py --encoder flexict-3d --device cuda
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from embeddings import job
from embeddings.job.engines.allocation import keep_large_blocks
from embeddings.job.engines.local_engine import cores
from embeddings.store.store import Store
from flexict import load_encoder
from flexict.hub.devices import pick_device
from flexict.phantoms import chest_phantom

PLAIN = "plain loop"
SIZE = (512, 512, 300)
NOISE_HU = 12.0


@dataclass(frozen=True)
class Timing:
    """One pass over all files."""

    way: str
    n: int
    seconds: float
    core_seconds: float
    reader_share: float | None = None
    encoder_share: float | None = None
    limit: str | None = None

    @property
    def per_minute(self) -> float:
        return 60 * self.n / self.seconds

    @property
    def per_core_minute(self) -> float:
        return 60 * self.n / self.core_seconds

    @property
    def cores(self) -> float:
        return self.core_seconds / self.seconds


def simulated(folder: Path, n: int) -> list[Path]:
    """Chest phantoms stretched to the size of a clinical CT, with noise that compresses like one."""
    paths = []
    for seed in range(n):
        small = chest_phantom(seed, spacing_mm=2.5).ct.to_sitk()
        spacing = [count * mm / size for count, mm, size in zip(small.GetSize(), small.GetSpacing(), SIZE, strict=True)]
        image = sitk.Resample(
            sitk.Cast(small, sitk.sitkFloat32),
            SIZE,
            sitk.Transform(),
            sitk.sitkLinear,
            small.GetOrigin(),
            spacing,
            small.GetDirection(),
            -1000.0,
        )
        noise = np.random.default_rng(seed).standard_normal(SIZE[::-1], dtype=np.float32) * NOISE_HU
        ct = sitk.GetImageFromArray(np.rint(sitk.GetArrayViewFromImage(image) + noise).astype(np.int16))
        ct.CopyInformation(image)
        paths.append(folder / f"scan{seed}.nii.gz")
        sitk.WriteImage(ct, str(paths[-1]), True, 1)
    return paths


def plain_loop(paths: Sequence[Path], encoder_name: str, device: str) -> list[np.ndarray]:
    """The loop to beat: read all of it, resample all of it, encode, next."""
    encoder = load_encoder(encoder_name, device=device)
    vectors = []
    for path in paths:
        nifti = nib.as_closest_canonical(nib.load(path))
        voxels = nifti.get_fdata()[::-1, ::-1].transpose(2, 1, 0)  # RAS to LPS, z first
        image = sitk.GetImageFromArray(voxels)
        spacing = [float(mm) for mm in nifti.header.get_zooms()[:3]]
        image.SetSpacing(spacing)
        size = [max(1, round(n * mm / 2.0)) for n, mm in zip(image.GetSize(), spacing, strict=True)]
        image = sitk.Resample(
            image, size, sitk.Transform(), sitk.sitkLinear, image.GetOrigin(), [2.0] * 3, image.GetDirection(), -1000.0
        )
        array = np.clip(sitk.GetArrayFromImage(image), -1000, 1000).astype(np.float32)
        array = (array - array.mean()) / array.std(ddof=1)
        short = [max(0, 160 - n) for n in array.shape]
        array = np.pad(array, [(s // 2, s - s // 2) for s in short], constant_values=array.min())
        start = [(n - 160) // 2 for n in array.shape]
        cube = array[tuple(slice(s, s + 160) for s in start)]
        vectors.append(encoder.encode(np.ascontiguousarray(cube)[None, None])[0])
    return vectors


@dataclass(frozen=True)
class Work:
    """What one process does: a way of embedding these files."""

    way: str
    paths: tuple[Path, ...]
    encoder: str
    device: str
    folder: Path
    options: tuple[tuple[str, object], ...] = ()


def timed(work: Work) -> tuple[Timing, list[np.ndarray]]:
    """Do the work in this process, its imports and the first forward left out, and return the vectors in order."""
    load_encoder(work.encoder, device=work.device).encode(np.zeros((1, 1, 160, 160, 160), np.float32))
    wall, processor = time.perf_counter(), time.process_time()
    if work.way == PLAIN:
        vectors, summary = plain_loop(work.paths, work.encoder, work.device), None
    else:
        keep_large_blocks()
        vectors, summary = embedded(work)
    seconds, core_seconds = time.perf_counter() - wall, time.process_time() - processor
    pace = None if summary is None else summary.pace
    shares = (None, None, None) if pace is None else (pace.reader_share, pace.encoder_share, pace.limit)
    return Timing(work.way, len(work.paths), seconds, core_seconds, *shares), vectors


def embedded(work: Work) -> tuple[list[np.ndarray], job.RunSummary]:
    """The job's own vectors, in the order of the files."""
    csv = work.folder / f"{uuid.uuid4().hex}.csv"
    rows = "".join(f"c{i},p{i},{path.absolute()}\n" for i, path in enumerate(work.paths))
    csv.write_text(f"case_id,patient_id,image_path\n{rows}")
    root = Path(os.path.commonpath([path.absolute().parent for path in work.paths]))
    db = csv.with_suffix(".duckdb")
    options: dict[str, Any] = dict(work.options)
    summary = job.run(csv, db, encoder=work.encoder, view="volume", device=work.device, data_root=root, **options)
    ids, vectors = Store(db).vectors(summary.set_id)
    return [vectors[ids.index(f"c{i}/volume")] for i in range(len(work.paths))], summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, nargs="+", help="NIfTI files (default: simulated ones)")
    parser.add_argument("--scans", type=int, default=8, help="simulated scans (8)")
    parser.add_argument("--encoder", default="flexict-nano")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=3, help="every way is timed so often; the median counts")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    device = pick_device(arguments.device)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = tuple(arguments.images or simulated(folder, arguments.scans))
        rounds, agreement = [], 1.0
        for number in range(arguments.rounds):
            kept = ("cache", folder / f"cache{number}")
            ways = (
                Work(PLAIN, paths, arguments.encoder, device, folder),
                Work("job, one worker", paths, arguments.encoder, device, folder, (("workers", 1),)),
                Work("job", paths, arguments.encoder, device, folder),
                Work("job, filling a cache", paths, arguments.encoder, device, folder, (kept,)),
                Work("job, from the cache", paths, arguments.encoder, device, folder, (kept,)),
            )
            timings, expected = [], None
            for work in ways:
                # A process each: none inherits another's memory or threads.
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                    timing, vectors = process.submit(timed, work).result()
                timings.append(timing)
                expected = expected or vectors
                agreement = min(agreement, *(_cosine(a, b) for a, b in zip(vectors, expected, strict=True)))
            rounds.append(timings)
        megabytes = sum(path.stat().st_size for path in paths) / 1e6 / len(paths)
        print(f"{len(paths)} files of {megabytes:.0f} MB, {arguments.encoder}, {device}, {cores()} cores.")
        print(f"Median of {len(rounds)} rounds. Smallest cosine with the plain loop's vectors: {agreement:.6f}.")
        rows = table(rounds)
        if arguments.json:
            arguments.json.write_text(json.dumps({"agreement": agreement, "rows": rows}, indent=1))


def table(rounds: Sequence[Sequence[Timing]]) -> list[dict[str, object]]:
    """Print a row a way, each compared with the plain loop of its own round."""
    heads = ("way", "volumes/min", "cores used", "volumes/core-min", "x plain", "x plain per core")
    print("| " + " | ".join([*heads, "readers busy", "encoders busy", "limit"]) + " |")
    print("|---" * (len(heads) + 3) + "|")
    loops, rows = [timings[0] for timings in rounds], []
    for column in zip(*rounds, strict=True):
        pairs = list(zip(column, loops, strict=True))
        faster = statistics.median(one.per_minute / loop.per_minute for one, loop in pairs)
        leaner = statistics.median(one.per_core_minute / loop.per_core_minute for one, loop in pairs)
        middle = sorted(column, key=lambda one: one.seconds)[len(column) // 2]
        shares = ["" if share is None else f"{share:.0%}" for share in (middle.reader_share, middle.encoder_share)]
        cells = [middle.way, f"{middle.per_minute:.1f}", f"{middle.cores:.2f}", f"{middle.per_core_minute:.1f}"]
        print("| " + " | ".join([*cells, f"{faster:.2f}", f"{leaner:.2f}", *shares, middle.limit or ""]) + " |")
        rows.append(asdict(middle) | {"times_plain": faster, "times_plain_per_core": leaner})
    return rows


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


if __name__ == "__main__":
    main()
