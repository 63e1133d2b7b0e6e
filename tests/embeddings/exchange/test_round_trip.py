"""`import` restores what `export` wrote bit for bit: Parquet, h5ad and CSV."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from embeddings.__main__ import main
from embeddings.exchange.description import NotOurExportError
from embeddings.exchange.export import ExportError, export, sidecar
from embeddings.exchange.import_export import import_export
from embeddings.records import AcquisitionRecord, EmbeddedItem, LesionRecord
from embeddings.store import item_table
from embeddings.store.number_types import vectors_of
from embeddings.store.store import Store

WIDTH = 6


@pytest.fixture
def full(tmp_path: Path, cohort: Any, identity: Any) -> Store:
    """Two sets of four cases, lesions and slices, with everything that an export carries."""
    store = Store(tmp_path / "full.duckdb", read_only=False)
    awkward = ["=1+1", "-not a number", "'quoted", None]
    for case, text in zip(cohort.cases, awkward, strict=True):
        case.covariates |= {
            "formula": text,
            "when": datetime(2020, 1, 2 + case.row) if case.row > 2 else None,
            "smoker": case.row % 2 == 0,
            "size, mm": None if case.row == 3 else 1.5 * case.row,
            "nothing": None,
        }
    cohort.cases[1].stage = None
    cohort.cases[1].mask_label = "=2"
    store.register_cohort(cohort, simulated=True)
    chance = np.random.default_rng(5)
    for view in ("lesion", "slices"):
        set_id = store.open_set(identity(view=view, weights_sha256=view[0] * 64))
        items = []
        for case in cohort.cases:
            for place in range(1 if view == "lesion" else 3):
                item_id = f"{case.case_id}/lesion" if view == "lesion" else f"{case.case_id}/slice/{place:04d}"
                at = None if view == "lesion" else place
                vector = chance.normal(size=WIDTH).astype(np.float32)
                items.append(EmbeddedItem(item_id, case.case_id, vector, at, None if at is None else -2.5 * at))
        store.commit(
            set_id,
            items,
            lesions=[
                LesionRecord("c0", "seed", (1.5, -2.0, 3.25)),
                LesionRecord("c1", "mask", (1.0, 2.0, 3.0), 4.2, 20.0, 25.5, 2),
            ],
            acquisitions=[AcquisitionRecord("c1", 0.7, 2.5, 80, kernel="B30f", kvp=120.0)],
        )
    return store


def everything(store: Store) -> dict[str, Any]:
    found: dict[str, Any] = {
        "cases": store.cases().to_json(date_format="iso"),
        "types": store.cases().dtypes.astype(str).to_dict(),
        "covariates": store.covariates(),
        "lesions": store.lesions().to_json(),
        "acquisitions": store.acquisitions().to_json(),
        "order": store.info().stage_order,
        "simulated": store.info().simulated,
        "sets": store.sets().drop(columns="created").to_json(),
    }
    for set_id in store.sets()["set_id"]:
        ids, vectors = store.vectors(set_id)
        found[set_id] = (ids, vectors.tobytes(), store.items(set_id).to_json())
    return found


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_all_sets_are_restored_bit_for_bit(full: Store, tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"all.{kind}"
    assert export(full, out, kind) == 4 + 12
    summaries = import_export(tmp_path / "back.duckdb", out)
    assert [summary.n_imported for summary in summaries] == full.sets()["n_items"].tolist()
    assert everything(Store(tmp_path / "back.duckdb")) == everything(full)


@pytest.mark.parametrize("kind", ["parquet", "csv", "h5ad"])
def test_an_export_reads_each_vector_once(
    full: Store, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "h5ad":
        pytest.importorskip("anndata", reason="the optional extra h5ad is not installed")
    n_read = []

    def counted(*words: Any) -> Any:
        found = vectors_of(*words)
        n_read.append(len(found))
        return found

    monkeypatch.setattr(item_table, "vectors_of", counted)
    set_id = full.sets()["set_id"][1] if kind == "h5ad" else None
    assert export(full, tmp_path / f"all.{kind}", kind, set_id) == sum(n_read)


@pytest.mark.parametrize("number", [0, 1], ids=["lesion", "slices"])
def test_an_h5ad_of_one_set_is_restored_bit_for_bit(full: Store, tmp_path: Path, number: int) -> None:
    anndata = pytest.importorskip("anndata", reason="the optional extra h5ad is not installed")
    set_id = full.sets()["set_id"][number]
    out = tmp_path / "one.h5ad"
    export(full, out, "h5ad", set_id)
    data = anndata.read_h5ad(out)
    ids, vectors = full.vectors(set_id)
    assert data.obs_names.tolist() == ids
    np.testing.assert_array_equal(data.X, vectors)
    assert data.X.dtype == np.float32
    assert data.obs["stage"].cat.ordered
    assert data.obs["stage"].cat.categories.tolist() == list(full.info().stage_order)
    assert data.obs["age"].tolist() == full.table(set_id)[0]["age"].tolist()
    import_export(tmp_path / "back.duckdb", out)
    found, expected = everything(Store(tmp_path / "back.duckdb")), everything(full)
    assert found[set_id] == expected[set_id]
    for name in ("cases", "types", "covariates", "lesions", "acquisitions", "order", "simulated"):
        assert found[name] == expected[name], name


def test_an_h5ad_contains_the_stored_map_or_a_new_one(full: Store, tmp_path: Path) -> None:
    anndata = pytest.importorskip("anndata", reason="the optional extra h5ad is not installed")
    lesions, slices = full.sets()["set_id"]
    ids = full.vectors(slices)[0]
    points = np.arange(2.0 * len(ids)).reshape(-1, 2)
    full.save_projection(slices, {"method": "pca"}, ids, -points)
    full.save_projection(slices, {"method": "umap", "n_neighbours": 15}, ids, points)
    export(full, tmp_path / "slices.h5ad", "h5ad", slices)
    np.testing.assert_array_equal(anndata.read_h5ad(tmp_path / "slices.h5ad").obsm["X_umap"], points)
    full.save_projection(slices, {"method": "umap", "n_neighbours": 15}, ids[1:], points[1:])
    export(full, tmp_path / "again.h5ad", "h5ad", slices)
    laid_out = anndata.read_h5ad(tmp_path / "again.h5ad").obsm["X_umap"]
    assert laid_out.shape == (12, 2)
    assert np.isfinite(laid_out).all()
    export(full, tmp_path / "lesions.h5ad", "h5ad", lesions)
    assert "X_umap" not in anndata.read_h5ad(tmp_path / "lesions.h5ad").obsm


def test_an_h5ad_contains_one_set(full: Store, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="choose it with --set from"):
        export(full, tmp_path / "all.h5ad", "h5ad")


def test_importing_twice_or_into_the_same_store_changes_nothing(full: Store, tmp_path: Path) -> None:
    out = tmp_path / "all.parquet"
    export(full, out, "parquet")
    before = everything(full)
    summaries = import_export(full.path, out)
    assert everything(full) == before
    assert [(one.n_imported, one.n_present) for one in summaries] == [(0, 4), (0, 12)]
    assert "0 new vectors of 6 dimensions (12 more were already there), of 2 patients" in summaries[1].text()


def scale_vectors(path: Path, factor: float) -> None:
    """Scale every vector of an exported file, as another program would, and leave the description as it is."""
    if path.suffix == ".parquet":
        change_parquet(path, lambda frame: frame.assign(vector=[factor * v for v in frame["vector"]]))
    elif path.suffix == ".csv":
        frame = pd.read_csv(path)
        scaled = [np.float32(factor) * np.array(json.loads(text), np.float32) for text in frame["vector"]]
        frame.assign(vector=[json.dumps(v.tolist()) for v in scaled]).to_csv(path, index=False)
    else:
        import h5py

        with h5py.File(path, "r+") as file:
            file["X"][...] = file["X"][...] * np.float32(factor)


def forget_the_hash(path: Path) -> None:
    """The Parquet file as older versions of the program wrote it."""
    table = pq.read_table(path)
    words = json.loads(table.schema.metadata[b"flexict"])
    for one in words["sets"].values():
        del one["vectors_sha256"]
    pq.write_table(table.replace_schema_metadata({b"flexict": json.dumps(words).encode()}), path)


@pytest.mark.parametrize("kind", ["parquet", "csv", "h5ad"])
def test_vectors_changed_after_their_export_become_a_separate_set(full: Store, tmp_path: Path, kind: str) -> None:
    if kind == "h5ad":
        pytest.importorskip("anndata", reason="the optional extra h5ad is not installed")
    set_id = full.sets()["set_id"][0]
    out = tmp_path / f"changed.{kind}"
    export(full, out, kind, set_id)
    scale_vectors(out, 3.0)
    before = full.vectors(set_id)[1].copy()
    for path in (full.path, tmp_path / "new.duckdb"):
        (summary,) = import_export(path, out)
        assert summary.set_id != set_id
        assert summary.n_imported == 4
        assert f"differ from those that were exported as {set_id}" in summary.text()
        store = Store(path)
        row = store.sets().set_index("set_id").loc[summary.set_id]
        assert row["encoder"] == "changed tiny"
        assert row["weights_sha256"] != full.sets().set_index("set_id").loc[set_id, "weights_sha256"]
        assert not row["is_published"]
        np.testing.assert_array_equal(store.vectors(summary.set_id)[1], np.float32(3) * before)
    assert set_id not in set(Store(tmp_path / "new.duckdb").sets()["set_id"])
    np.testing.assert_array_equal(full.vectors(set_id)[1], before)
    (again,) = import_export(full.path, out)
    assert (again.set_id, again.n_imported, again.n_present) == (summary.set_id, 0, 4)


def test_part_of_an_export_and_another_order_are_distinguished(full: Store, tmp_path: Path) -> None:
    set_id = full.sets()["set_id"][0]
    out = tmp_path / "one.parquet"
    export(full, out, "parquet", set_id)
    change_parquet(out, lambda frame: frame[::-1])
    assert import_export(tmp_path / "turned.duckdb", out)[0].set_id == set_id
    change_parquet(out, lambda frame: frame[1:])
    assert import_export(tmp_path / "part.duckdb", out)[0].set_id != set_id


def test_an_old_export_without_a_hash_is_compared_with_the_file(full: Store, tmp_path: Path) -> None:
    out = tmp_path / "all.parquet"
    export(full, out, "parquet")
    forget_the_hash(out)
    before = everything(full)
    import_export(tmp_path / "back.duckdb", out)
    assert everything(Store(tmp_path / "back.duckdb")) == before
    import_export(full.path, out)
    assert everything(full) == before
    scale_vectors(out, 2.0)
    summaries = import_export(full.path, out)
    assert {one.set_id for one in summaries}.isdisjoint(before)
    assert all("differ from those in the cohort file" in one.text() for one in summaries)
    for set_id in before.keys() & set(full.sets()["set_id"]):
        assert full.vectors(set_id)[1].tobytes() == before[set_id][1]


def test_vectors_of_zeros_in_an_export_are_left_out_and_named(full: Store, tmp_path: Path) -> None:
    set_id = full.sets()["set_id"][0]
    out = tmp_path / "one.parquet"
    export(full, out, "parquet", set_id)

    def emptied(frame: pd.DataFrame) -> pd.DataFrame:
        zero = frame["item_id"] == "c1/lesion"
        return frame.assign(vector=[0 * v if z else v for v, z in zip(frame["vector"], zero, strict=True)])

    change_parquet(out, emptied)
    (summary,) = import_export(tmp_path / "back.duckdb", out)
    assert (summary.n_imported, summary.all_zero) == (3, ("c1/lesion",))
    store = Store(tmp_path / "back.duckdb")
    assert store.vectors(summary.set_id)[0] == ["c0/lesion", "c2/lesion", "c3/lesion"]
    assert store.failures()["item_id"].tolist() == ["c1/lesion"]
    change_parquet(out, lambda frame: frame.assign(vector=[0 * v for v in frame["vector"]]))
    with pytest.raises(NotOurExportError, match="contains only zeros"):
        import_export(tmp_path / "none.duckdb", out)


def test_an_h5ad_keeps_stages_of_unknown_order(full: Store, tmp_path: Path, cohort: Any) -> None:
    anndata = pytest.importorskip("anndata", reason="the optional extra h5ad is not installed")
    cohort.cases[0].stage = "Group 1"
    full.register_cohort(cohort)
    export(full, tmp_path / "one.h5ad", "h5ad", full.sets()["set_id"][0])
    stages = anndata.read_h5ad(tmp_path / "one.h5ad").obs["stage"]
    assert stages.tolist()[0] == "Group 1"
    assert not stages.cat.ordered


def test_an_imported_simulation_stays_one(full: Store, tmp_path: Path, cohort: Any) -> None:
    export(full, tmp_path / "all.csv", "csv")
    real = Store(tmp_path / "real.duckdb", read_only=False)
    real.register_cohort(cohort)
    assert not real.info().simulated
    import_export(real.path, tmp_path / "all.csv")
    assert real.info().simulated


def change_parquet(path: Path, change: Any) -> None:
    table = pq.read_table(path)
    frame = table.to_pandas()
    pq.write_table(type(table).from_pandas(change(frame)).replace_schema_metadata(table.schema.metadata), path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda frame: frame.drop(columns="stage"), "lacks 'stage'"),
        (lambda frame: pd.concat([frame, frame[:1]]), "other sets or items"),
        (lambda frame: frame.assign(set_id="x"), "other sets or items"),
        (lambda frame: frame.assign(vector=[[1.0, 2.0]] * len(frame)), "not 6 float32 numbers"),
        (
            lambda frame: frame.assign(vector=[np.full(6, np.nan, np.float32)] * len(frame)),
            "another width, or NaN",
        ),
    ],
    ids=["no stage", "a row twice", "another set", "other vectors", "nan"],
)
def test_a_table_that_was_changed_is_refused_and_nothing_is_written(
    full: Store, tmp_path: Path, change: Any, sentence: str
) -> None:
    out = tmp_path / "all.parquet"
    export(full, out, "parquet")
    change_parquet(out, change)
    with pytest.raises(NotOurExportError, match=sentence):
        import_export(tmp_path / "back.duckdb", out)
    assert not (tmp_path / "back.duckdb").exists()


def test_a_csv_needs_its_description(full: Store, tmp_path: Path) -> None:
    out = tmp_path / "all.csv"
    export(full, out, "csv")
    words = json.loads(sidecar(out).read_text(encoding="utf-8"))
    words["sets"][next(iter(words["sets"]))]["weights_sha256"] = "f" * 64
    sidecar(out).write_text(json.dumps(words))
    with pytest.raises(NotOurExportError, match="was changed since it was exported"):
        import_export(tmp_path / "back.duckdb", out)
    sidecar(out).unlink()
    with pytest.raises(NotOurExportError, match=r"all\.csv\.json"):
        import_export(tmp_path / "back.duckdb", out)


def test_h5ad_files_with_wrong_headers_or_links_are_refused(full: Store, tmp_path: Path) -> None:
    pytest.importorskip("anndata", reason="the optional extra h5ad is not installed")
    import h5py

    set_id = full.sets()["set_id"][0]
    out = tmp_path / "one.h5ad"

    def spoil(name: str, change: Any) -> Path:
        export(full, out, "h5ad", set_id)
        path = out.rename(tmp_path / f"{name}.h5ad")
        with h5py.File(path, "r+") as file:
            change(file)
        return path

    def claim(file: Any) -> None:
        del file["X"]
        file.create_dataset("X", shape=(40_000, 40_000), dtype="f4", chunks=(100, 100))

    def link(file: Any) -> None:
        file["uns/secret"] = h5py.ExternalLink("/etc/hostname", "/")

    cases = {
        "claim": (claim, "claims vectors that it does not contain"),
        "link": (link, "links to other data"),
        "bare": (lambda file: file["uns"].__delitem__("flexict"), "was not exported by this program"),
        "words": (
            lambda file: file["X"].attrs.modify("encoding-type", "odd") or file.__delitem__("X"),
            "no dense table",
        ),
    }
    for name, (change, sentence) in cases.items():
        with pytest.raises(NotOurExportError, match=sentence):
            import_export(tmp_path / "back.duckdb", spoil(name, change))
    out.write_bytes(b"no HDF5")
    with pytest.raises(NotOurExportError, match="not a readable h5ad"):
        import_export(tmp_path / "back.duckdb", out)
    assert not (tmp_path / "back.duckdb").exists()


def test_the_command_line_imports_an_export(full: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "all.parquet"
    assert main(["export", str(full.path), "--format", "parquet", "--out", str(out)]) == 0
    assert main(["import", str(tmp_path / "back.duckdb"), "--vectors", str(out)]) == 0
    assert "12 vectors of 6 dimensions, of 2 patients" in capsys.readouterr().out
    (tmp_path / "other.csv").write_text("id,a\nx,1\n")
    assert main(["import", str(tmp_path / "new.duckdb"), "--vectors", str(tmp_path / "other.csv")]) == 2
    assert "or give --labels" in capsys.readouterr().err
