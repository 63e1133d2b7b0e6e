"""Writes the demonstration cohort: simulated chest CTs of which every property is known.

A latent severity drives the tumour's size, spiculation and density, its stage and the patient's survival.
Nothing in it comes from a patient, and every row of its CSV says so.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from embeddings.atomic_file import write_atomically
from flexict.errors import FlexiCTError
from flexict.phantoms import SCANNERS, chest_phantom
from flexict.volume import Volume

STAGES = ("T1a", "T1b", "T2a", "T2b", "T3", "T4")
MARKER = "SIMULATED.txt"
SETTINGS = "demo.json"
# Raise it when the same seed gives different files, so that a half-written cohort is not completed with those.
RECIPE = 1
_YES_NO = {True: "yes", False: "no"}
_TRUE_COLUMNS = (
    *("severity", "volume_ml", "diameter_mm", "spiculation", "margin", "density", "solid_fraction", "mean_hu"),
    *("side", "lobe", "emphysema", "effusion"),
)
FIELD_MM = (320.0, 260.0, 260.0)

_README = """Demonstration cohort: simulated chest CT

Every scan in this folder was computed; none shows a real person. Do not draw medical conclusions from it.

cohort.csv    one row per scan; columns that begin with "true_" contain the simulated values
images/       CT in HU, NIfTI
masks/        1 in the tumour, on the grid of the CT
truth/        all simulated values of each scan, as JSON

A latent severity between 0 and 1 (true_severity) drives the tumour's size, spiculation and density, each
with noise of its own. t_stage cuts the severity, with noise, into six groups. Survival in days from the scan
depends on severity and age. Scanners A (soft kernel, 3 mm slices) and B (sharp kernel, thinner slices, more
noise) alternate within each stage, so they say nothing about it. Some patients were scanned a second time, on
either scanner, when the tumour had grown a little; both rows carry the same patient_id.
"""


@dataclass(frozen=True)
class _Case:
    """One scan to simulate, with everything that the phantom does not decide."""

    case_id: str
    patient_id: str
    seed: int
    severity: float
    progression: float
    visit: int
    scanner: str
    t_stage: str
    age: int
    days_since_first_scan: int
    survival_days: int
    event: int


def write_demo_cohort(
    folder: Path | str,
    *,
    n_patients: int = 90,
    seed: int = 2026,
    spacing_mm: float = 2.5,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 2,
) -> Path:
    """Write the cohort into `folder` and return the path of its `cohort.csv`.

    Files appear only when complete, so a run that was interrupted continues where it stopped.

    Args:
        folder: created if missing.
        n_patients: at least 6, one per stage; about one in 7.5 is scanned twice.
        seed: the cohort; equal seeds and settings give equal files.
        spacing_mm: in-plane spacing of the CTs, and the least slice spacing.
        progress: called with the number of scans done and their total.
        workers: scans simulated at once. They are threads: numpy and zlib release the interpreter's lock,
            and no other process has to import the packages.

    Raises:
        FlexiCTError: fewer than 6 patients, or a spacing above 6 mm or not positive.
        FileExistsError: the folder contains a demonstration cohort with other settings.
    """
    if n_patients < len(STAGES):
        raise FlexiCTError(f"a demonstration cohort needs at least {len(STAGES)} patients, not {n_patients}")
    if not 0.0 < spacing_mm <= 6.0:
        raise FlexiCTError(f"the spacing must be between 0 and 6 mm, not {spacing_mm}")
    folder = Path(folder)
    _claim(folder, {"recipe": RECIPE, "n_patients": n_patients, "seed": seed, "spacing_mm": spacing_mm})
    for name in ("images", "masks", "truth"):
        (folder / name).mkdir(exist_ok=True)
    cases = _plan(n_patients, seed)
    truths: dict[str, dict[str, object]] = {}
    pool = ThreadPoolExecutor(max_workers=max(workers, 1))
    try:
        jobs = {pool.submit(_complete, folder, case, spacing_mm): case.case_id for case in cases}
        for done, job in enumerate(as_completed(jobs), start=1):
            truths[jobs[job]] = job.result()
            if progress is not None:
                progress(done, len(cases))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    rows = pd.DataFrame([_row(case, truths[case.case_id]) for case in cases])
    csv = folder / "cohort.csv"
    write_atomically(csv, rows.to_csv(index=False, float_format="%.4f", lineterminator="\n").encode())
    return csv


def _claim(folder: Path, settings: dict[str, object]) -> None:
    """Mark the folder as a simulated cohort of these settings, or refuse one of others."""
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / SETTINGS
    if record.exists():
        try:
            found = json.loads(record.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise FileExistsError(f"{record} is damaged ({error}); delete the folder or choose another") from error
        if found != settings:
            raise FileExistsError(
                f"{folder} contains a demonstration cohort made with {found}, not {settings}; "
                "delete it or choose another folder"
            )
    elif (folder / "cohort.csv").exists():
        raise FileExistsError(f"{folder} already contains another cohort.csv; choose another folder")
    write_atomically(folder / MARKER, b"Every scan in this folder is simulated.\n")
    write_atomically(folder / "README.txt", _README.encode())
    write_atomically(record, json.dumps(settings, indent=1).encode())


def _plan(n_patients: int, seed: int) -> list[_Case]:
    """Draw the cohort: even severities, stages cut from noisy severity, scanners in blocks of two."""
    rng = np.random.default_rng(seed)
    severity = (rng.permutation(n_patients) + rng.uniform(size=n_patients)) / n_patients
    blur = rng.normal(0.0, 0.06, n_patients)
    noisy = severity + blur
    order = np.argsort(noisy)
    stage_of_rank = np.arange(n_patients) * len(STAGES) // n_patients
    cuts = noisy[order][np.searchsorted(stage_of_rank, np.arange(1, len(STAGES)))]

    scanners = np.empty(n_patients, dtype=object)
    for start in range(0, n_patients, 2):
        pair = order[start : start + 2]
        scanners[pair] = rng.permutation(["A", "B"])[: len(pair)]

    seeds = rng.integers(2**31, size=n_patients)
    age = np.clip(np.rint(rng.normal(66.0, 9.0, n_patients)), 38, 89).astype(int)
    hazard = np.exp(2.4 * (severity - 0.5) + 0.025 * (age - 66)) / 1500.0
    death = 30.0 + rng.weibull(1.2, n_patients) / hazard
    censored = rng.uniform(500.0, 2600.0, n_patients)
    survival = np.minimum(death, censored).astype(int)
    event = (death <= censored).astype(int)
    # Only patients with a long enough follow-up can have a second scan.
    alive = rng.permutation(np.flatnonzero(survival > 240))
    again = set(alive[: max(round(n_patients * 12 / 90), 1)].tolist())

    cases = []
    for i in range(n_patients):
        visits = [(0, 0.0, scanners[i], 0)]
        if i in again:
            growth = min(float(rng.uniform(0.04, 0.12)), 1.0 - float(severity[i]))
            later = int(rng.integers(90, min(int(survival[i]) - 60, 420)))
            visits.append((1, growth, str(rng.choice(["A", "B"])), later))
        for visit, growth, scanner, days in visits:
            cases.append(
                _Case(
                    case_id=f"P{i + 1:03d}-{visit + 1}",
                    patient_id=f"P{i + 1:03d}",
                    seed=int(seeds[i]),
                    severity=float(severity[i]),
                    progression=growth,
                    visit=visit,
                    scanner=str(scanner),
                    t_stage=STAGES[int(np.searchsorted(cuts, noisy[i] + growth, side="right"))],
                    age=int(age[i]) + days // 365,
                    days_since_first_scan=days,
                    survival_days=int(survival[i]) - days,
                    event=int(event[i]),
                )
            )
    return cases


def _complete(folder: Path, case: _Case, spacing_mm: float) -> dict[str, object]:
    """Simulate and write a case unless it exists; returns its simulated values, which are written last."""
    image, mask, record = _paths(folder, case.case_id)
    planned = asdict(case)
    if record.exists() and image.exists() and mask.exists():
        known: dict[str, object] = json.loads(record.read_text(encoding="utf-8"))
        if known.get("case") == planned:
            return known
    phantom = chest_phantom(
        case.seed,
        severity=case.severity,
        scanner=SCANNERS[case.scanner],
        spacing_mm=spacing_mm,
        field_mm=FIELD_MM,
        visit=case.visit,
        progression=case.progression,
    )
    write_atomically(image, _nifti(phantom.ct))
    write_atomically(mask, _nifti(phantom.mask))
    truth: dict[str, object] = {"case": planned, "truth": phantom.truth}
    write_atomically(record, json.dumps(truth, indent=1).encode())
    return truth


def _paths(folder: Path, case_id: str) -> tuple[Path, Path, Path]:
    return (
        folder / "images" / f"{case_id}_ct.nii.gz",
        folder / "masks" / f"{case_id}_mask.nii.gz",
        folder / "truth" / f"{case_id}.json",
    )


def _row(case: _Case, known: dict[str, object]) -> dict[str, object]:
    truth = known["truth"]
    assert isinstance(truth, dict)
    known_values = {name: _YES_NO[value] if isinstance(value, bool) else value for name, value in truth.items()}
    image, mask, _ = _paths(Path(), case.case_id)
    return {
        "case_id": case.case_id,
        "patient_id": case.patient_id,
        "image_path": image.as_posix(),
        "mask_path": mask.as_posix(),
        "t_stage": case.t_stage,
        "scanner": case.scanner,
        "kernel": truth["kernel"],
        "slice_thickness_mm": truth["slice_thickness_mm"],
        "visit": case.visit + 1,
        "days_since_first_scan": case.days_since_first_scan,
        "age": case.age,
        "sex": truth["sex"],
        "contrast": known_values["contrast"],
        "survival_days": case.survival_days,
        "event": case.event,
        **{f"true_{name}": known_values[name] for name in _TRUE_COLUMNS},
        "simulated": "yes",
    }


def _nifti(volume: Volume) -> bytes:
    """A compressed NIfTI-1 file: LPS becomes RAS, and the voxels are stored x fastest."""
    affine = np.eye(4)
    affine[:3, :3] = volume.direction * np.asarray(volume.spacing)
    affine[:3, 3] = volume.origin
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    image = nib.Nifti1Image(volume.array.transpose(2, 1, 0), affine, dtype=volume.array.dtype)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    return gzip.compress(image.to_bytes(), compresslevel=1, mtime=0)
