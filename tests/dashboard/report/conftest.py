"""A small cohort file whose stages, sizes and columns have all that can be wrong with them, and its report."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dashboard.__main__ import main
from embeddings.cohort.read import read_cohort
from embeddings.records import EmbeddedItem, Failure, SetIdentity
from embeddings.store.store import Store

STAGES = ("pT1a", "T2", "T3")
N_PATIENTS, WIDTH = 48, 12
HOSTILE_NAME = "<img src=x onerror=alert(1)> & co"
HOSTILE_SITE = "=HYPERLINK('http://evil')<script>"
LESION, VOLUME = "flexict-nano", "flexict-3d"


def _rows(generator: np.random.Generator) -> list[dict[str, object]]:
    """52 scans of 48 patients: 2 without a vector, 3 unstaged, 1 of no known stage, 2 without size."""
    rows = []
    for number in range(N_PATIENTS + 4):
        patient = number % N_PATIENTS
        stage = patient % 3
        size = 12.0 + 8 * stage + generator.uniform(-5, 5)
        time = generator.exponential(900) + 30
        rows.append(
            {
                "case_id": f"case{number:02d}",
                "patient_id": f"patient{patient:02d}",
                "image_path": f"case{number:02d}.nii.gz",
                "t_category": STAGES[stage],
                "diameter_mm": f"{size:.2f}",
                "age": int(generator.integers(40, 85)),
                "site": HOSTILE_SITE if generator.random() < 0.4 else "south",
                "follow_up_days": f"{time:.0f}",
                "died": int(generator.random() < 0.6),
            }
        )
    for number, value in ((5, ""), (6, "TX"), (7, "not staged"), (8, "banana")):
        rows[number]["t_category"] = value
    for number in (10, 11):
        rows[number]["diameter_mm"] = ""
    rows[12]["follow_up_days"] = ""
    return rows


@pytest.fixture(scope="session")
def make_cohort(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes a cohort file with a lesion set (of flexict-nano) and a volume set, the vectors following stage."""

    def make(*, simulated: bool = False, broken_vector: bool = False) -> Path:
        folder = tmp_path_factory.mktemp("cohort")
        generator = np.random.default_rng(7)
        rows = _rows(generator)
        for row in rows:
            (folder / str(row["image_path"])).write_bytes(b"")
        with (folder / "cohort.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        report = read_cohort(folder / "cohort.csv", check_images=False)
        path = folder / "small.duckdb"
        store = Store(path, read_only=False)
        store.register_cohort(report, simulated=simulated, name=HOSTILE_NAME)
        failed = {"case00", "case01"}
        for encoder, view, published in ((LESION, "lesion", False), (VOLUME, "volume", True)):
            identity = SetIdentity(encoder, "0" * 64, view, view, "pooled", WIDTH, "1", "test", published)
            set_id = store.open_set(identity)
            items = []
            for number, case in enumerate(report.cases):
                vector = generator.normal(0, 1, WIDTH).astype(np.float32)
                vector[:3] += 0.7 * (number % N_PATIENTS % 3)
                if broken_vector and number == 20:
                    vector[4] = np.nan
                if case.case_id not in failed:
                    items.append(EmbeddedItem(f"{case.case_id}/{view}", case.case_id, vector))
            failures = [Failure(one, "read", "the file is cut off") for one in sorted(failed)]
            store.commit(set_id, items, failures=failures)
        return path

    return make


@pytest.fixture(scope="session")
def cohort_path(make_cohort: Callable[..., Path]) -> Path:
    """The cohort file that is not simulated; tests read it only."""
    return make_cohort()


@pytest.fixture(scope="session")
def set_ids(cohort_path: Path) -> dict[str, str]:
    """View -> set id."""
    sets = Store(cohort_path).sets()
    return dict(zip(sets["view"], sets["set_id"], strict=True))


@pytest.fixture(scope="session")
def full_report(cohort_path: Path, set_ids: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report with everything in it, written by the command."""
    out = tmp_path_factory.mktemp("report") / "out"
    words = ["report", str(cohort_path), "--stage", "t_category", "--size", "diameter_mm", "--covariates", "age,site"]
    words += ["--time", "follow_up_days", "--event", "died", "--set", set_ids["lesion"], "--compare", set_ids["volume"]]
    words += ["--permutations", "19", "--bootstrap", "25", "--seed", "3", "--out", str(out)]
    assert main(words) == 0
    return out
