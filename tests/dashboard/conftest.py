"""A small cohort on disk: CTs with masks, a CSV, and a store whose vectors carry a stage signal."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from streamlit.components.v2 import manifest_scanner

from dashboard.session.settings import Settings
from embeddings.cohort.read import read_cohort
from embeddings.imaging.masks.lesions import measure
from embeddings.records import CaseOutcome, EmbeddedItem, Failure, LesionRecord, SetIdentity, Thumbnail
from embeddings.store.store import Store
from flexict import Volume

STAGES = ("T1", "T2", "T3")
N_CASES = 42
EDGE, SPACING_MM = 32, 3.0
WIDTH = 16


@pytest.fixture(scope="session", autouse=True)
def installed_components_are_scanned_once() -> Iterator[None]:
    """Every AppTest reads the metadata of all installed packages anew, which takes longer than most pages."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


def write_case(folder: Path, name: str, radius_mm: float) -> None:
    """A ball of soft tissue in lung, and its mask, as NIfTI."""
    grid = np.indices((EDGE,) * 3) * SPACING_MM
    distance = np.linalg.norm(grid - EDGE * SPACING_MM / 2, axis=0)
    noise = np.random.default_rng(zlib.crc32(name.encode())).normal(0, 20, distance.shape)
    ct = np.where(distance <= radius_mm, 40, -850) + noise
    affine = np.diag([-SPACING_MM, -SPACING_MM, SPACING_MM, 1.0])
    nib.save(nib.Nifti1Image(ct.astype(np.int16), affine), folder / f"{name}.nii.gz")
    nib.save(nib.Nifti1Image((distance <= radius_mm).astype(np.uint8), affine), folder / f"{name}_mask.nii.gz")


@pytest.fixture(scope="session")
def cohort_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """42 scans of 36 patients, three stages, lesions that grow with stage."""
    folder = tmp_path_factory.mktemp("cohort")
    generator = np.random.default_rng(1)
    rows = []
    for number in range(N_CASES):
        stage = number % 3
        name = f"case{number:02d}"
        radius = 8 + 4 * stage + generator.uniform(-3, 3)
        write_case(folder, name, radius)
        rows.append(
            {
                "case_id": name,
                "patient_id": f"patient{number % 36:02d}",
                "image_path": f"{name}.nii.gz",
                "mask_path": f"{name}_mask.nii.gz",
                "t_stage": STAGES[stage],
                "age": int(generator.integers(40, 85)),
                "histology": ("adenocarcinoma", "squamous", "other")[number // 3 % 3],
                "site": "north" if generator.random() < 0.5 else "south",
            }
        )
    path = folder / "cohort.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="session")
def make_store(cohort_csv: Path) -> Callable[[Path, bool], Path]:
    """Writes a store of the cohort: one lesion set and one slice set, with a failure and thumbnails."""

    def make(path: Path, simulated: bool) -> Path:
        report = read_cohort(cohort_csv, check_images=False)
        store = Store(path, read_only=False)
        store.register_cohort(report, simulated=simulated)
        picture = io.BytesIO()
        Image.fromarray(np.full((128, 128), 90, np.uint8)).save(picture, "PNG")
        thumbnail = Thumbnail(picture.getvalue(), "lung", 0.75, 48.0)
        generator = np.random.default_rng(2)
        for view in ("lesion", "slices"):
            identity = SetIdentity("flexict-nano", "0" * 64, view, view, "pooled", WIDTH, "1", "bundled", False)
            set_id = store.open_set(identity)
            items, lesions = [], []
            for number, case in enumerate(report.cases[:-1]):
                centre = np.zeros(WIDTH)
                centre[:2] = number % 3, 0.5 * (number % 3)
                for part in range(1 if view == "lesion" else 2):
                    vector = (centre + generator.normal(0, 0.5, WIDTH)).astype(np.float32)
                    name = f"{case.case_id}/lesion" if view == "lesion" else f"{case.case_id}/slice/{part:04d}"
                    height = None if view == "lesion" else 30.0 + 20 * part
                    index = None if view == "lesion" else part
                    items.append(EmbeddedItem(name, case.case_id, vector, index, height, thumbnail))
                lesions.append(_lesion(case.case_id, case.mask_path))
            store.commit(
                set_id,
                items,
                failures=[Failure(report.cases[-1].case_id, "read", "the file is cut off: copy it again")],
                outcomes=[CaseOutcome(c.case_id, True) for c in report.cases[:-1]],
                lesions=lesions,
            )
        return path

    return make


def _lesion(case_id: str, mask_path: Path | None) -> LesionRecord:
    assert mask_path is not None
    image = nib.load(mask_path)
    array = np.asarray(image.dataobj).astype(np.uint8).transpose(2, 1, 0)
    found = measure(Volume(array, (SPACING_MM,) * 3, (0.0, 0.0, 0.0), np.eye(3)))
    return LesionRecord(
        case_id,
        "mask",
        found.centroid_lps,
        found.volume_ml,
        found.equivalent_diameter_mm,
        found.max_extent_mm,
        found.n_components,
    )


@pytest.fixture(scope="session")
def store_path(make_store: Callable[[Path, bool], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the cohort that is not simulated; tests read it only."""
    return make_store(tmp_path_factory.mktemp("store") / "cohort.duckdb", False)


@pytest.fixture
def settings(tmp_path: Path, cohort_csv: Path) -> Settings:
    """An app that may read the cohort's folder and its own workspace, and whose pages wait for their analyses."""
    return Settings(None, tmp_path / "workspace", (cohort_csv.parent,), patience_s=600.0)
