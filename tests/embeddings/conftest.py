"""A small cohort of rows without files, and what a job would store of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from embeddings.records import CaseOutcome, EmbeddedItem, LesionRecord, SetIdentity, Source
from embeddings.store.store import Store

WIDTH = 6


@dataclass
class FakeCase:
    """The attributes of a cohort case that the store reads."""

    case_id: str
    row: int
    image_path: Path
    patient_id: str = "p"
    mask_path: Path | None = None
    seed_lps: tuple[float, float, float] | None = None
    stage: str | None = None
    covariates: dict[str, object] = field(default_factory=dict)
    mask_label: str | None = None


@dataclass
class FakeReport:
    """The attributes of a cohort report that the store reads."""

    path: Path
    cases: list[FakeCase]
    stage_order: tuple[str, ...] = ("T1", "T2")

    @property
    def data_root(self) -> Path:
        return self.path.parent


@pytest.fixture
def make_case() -> type[FakeCase]:
    return FakeCase


@pytest.fixture
def make_report() -> type[FakeReport]:
    return FakeReport


@pytest.fixture
def cohort(tmp_path: Path) -> FakeReport:
    folder = tmp_path / "lungs"
    folder.mkdir()
    csv = folder / "cohort.csv"
    csv.write_text("case,patient,image\n")
    cases = [
        FakeCase(
            f"c{n}",
            n + 2,
            folder / f"c{n}.nii.gz",
            patient_id=f"p{n // 2}",
            stage=f"T{1 + n % 2}",
            mask_path=folder / f"m{n}.nii.gz" if n % 2 else None,
            seed_lps=(1.5, -2.0, 3.25) if n == 0 else None,
            covariates={"age": 50 + n, "site": "A"},
        )
        for n in range(4)
    ]
    return FakeReport(csv, cases)


@pytest.fixture
def identity() -> Callable[..., SetIdentity]:
    """`identity(**changes)`: that of a set of vectors of 6 numbers."""

    def make(**changes: object) -> SetIdentity:
        values: dict[str, object] = {
            "encoder": "tiny",
            "weights_sha256": "ab" * 32,
            "view": "lesion",
            "preset": "lesion_mask@1.5",
            "pooling": "pooled",
            "width": WIDTH,
            "code_version": "1",
            "weights_source": "bundled",
            "is_published": False,
        }
        return SetIdentity(**(values | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def items() -> Callable[..., list[EmbeddedItem]]:
    """`items(case_ids, seed=0)`: an item with a random vector for each case."""

    def make(case_ids: list[str], seed: int = 0) -> list[EmbeddedItem]:
        vectors = np.random.default_rng(seed).normal(size=(len(case_ids), WIDTH)).astype(np.float32)
        return [EmbeddedItem(f"{c}/lesion", c, v) for c, v in zip(case_ids, vectors, strict=True)]

    return make


@pytest.fixture
def store(tmp_path: Path, cohort: FakeReport) -> Store:
    store = Store(tmp_path / "lungs.duckdb", read_only=False)
    store.register_cohort(cohort)
    return store


@pytest.fixture
def copies(store: Store, tmp_path: Path) -> tuple[Path, Path]:
    """The file of the cohort twice, for two jobs."""
    paths = (tmp_path / "part1.duckdb", tmp_path / "part2.duckdb")
    for path in paths:
        shutil.copy(store.path, path)
    return paths


@pytest.fixture
def run_job() -> Callable[..., str]:
    """`run_job(path, identity, items, **more)`: a job that commits the items of one case; returns the set's id."""

    def run(path: Path, identity: SetIdentity, items: list[EmbeddedItem], **more: object) -> str:
        store, case = Store(path, read_only=False), items[0].case_id
        set_id = store.open_set(identity)
        run_id = store.start_run(set_id, {}, 1)
        store.commit(
            set_id,
            items,
            sources=[Source(case, "content", "stamp")],
            outcomes=[CaseOutcome(case, True)],
            lesions=[LesionRecord(case, "mask", (1.0, 2.0, 3.0), 4.5)],
            run_id=run_id,
            **more,  # type: ignore[arg-type]
        )
        store.finish_run(run_id, "finished")
        return set_id

    return run
