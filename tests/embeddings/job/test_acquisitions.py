"""The job notes how the scans that it reads were acquired, and catches up on those of before it did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import SimpleITK as sitk

from embeddings import job
from embeddings.store.schema import MIGRATIONS
from embeddings.store.store import Store

MakeCohort = Callable[..., Path]


def go(csv: Path, encoder: Any, view: str = "volume") -> job.RunSummary:
    return job.run(csv, csv.parent / "out.duckdb", encoder=encoder, view=view, workers=1)


def stored(csv: Path) -> Store:
    return Store(csv.parent / "out.duckdb")


def make_version_1(path: Path) -> None:
    """Take back what the second and every later migration did."""
    with duckdb.connect(path) as con:
        for table in ("selections", "results", "scores"):
            con.execute(f"DROP TABLE {table}")
        con.execute("ALTER TABLE failures DROP COLUMN stamp")
        con.execute("ALTER TABLE embedding_sets DROP COLUMN number_type")
        con.execute("DROP TABLE acquisition")
        con.execute("ALTER TABLE cases ALTER COLUMN image_path SET NOT NULL")
        con.execute("ALTER TABLE cases DROP COLUMN mask_label")
        con.execute("UPDATE schema_version SET version = 1")
    assert len(MIGRATIONS) == 5


def test_every_scan_that_was_read_tells_its_grid(make_cohort: MakeCohort, tiny: Any) -> None:
    csv = make_cohort(3, masks=False)
    (csv.parent / "c1_ct.nii.gz").write_bytes(b"no image")
    table, _ = stored(csv).table(go(csv, tiny).set_id)
    assert stored(csv).acquisitions()["case_id"].tolist() == ["c0", "c2"]
    assert table[["spacing_xy_mm", "spacing_z_mm", "n_slices"]].to_numpy().tolist() == [[2.0, 3.0, 24]] * 2
    assert "manufacturer" not in table.columns


def test_a_scan_that_was_replaced_tells_its_new_grid(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(2, masks=False)
    go(csv, make_encoder())
    path = str(csv.parent / "c1_ct.nii.gz")
    image = sitk.ReadImage(path)[:, :, ::2]
    sitk.WriteImage(image, path)
    go(csv, make_encoder())
    found = stored(csv).acquisitions().set_index("case_id")
    assert found["spacing_z_mm"].to_dict() == {"c0": 3.0, "c1": 6.0}
    assert found["n_slices"].to_dict() == {"c0": 24, "c1": 12}


def test_cases_embedded_before_acquisitions_were_kept_get_theirs_without_being_embedded(
    make_cohort: MakeCohort, make_encoder: Any
) -> None:
    csv = make_cohort(3, masks=False)
    set_id = go(csv, make_encoder()).set_id
    before = stored(csv).vectors(set_id)[1]
    make_version_1(stored(csv).path)
    again = make_encoder()
    assert go(csv, again).n_planned == 0
    assert again.calls == []
    table, after = stored(csv).table(set_id)
    assert table["n_slices"].tolist() == [24] * 3
    assert (after == before).all()
