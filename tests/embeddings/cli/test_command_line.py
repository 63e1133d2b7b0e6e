"""`python -m embeddings` as its users call it: what it prints, what it writes and how it ends."""

from __future__ import annotations

import argparse
import csv
import errno
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import SimpleITK as sitk
import torch
from safetensors.torch import save_file

from embeddings import exit_codes
from embeddings.__main__ import main
from embeddings.cli import commands
from embeddings.exchange.export import defused
from embeddings.exit_codes import exit_code_of_error, run_command
from embeddings.job.summary import RunSummary, exit_code_of
from embeddings.store.store import Store, StoreBusy
from flexict.errors import FlexiCTError
from flexict.hub.registry import NANO_SHAPE
from flexict.model.backbone import FlexiCTBackbone

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained weights of the small encoder: the command line does not care what a vector means."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "nano.safetensors"
    save_file({k: v.contiguous() for k, v in FlexiCTBackbone(**NANO_SHAPE).state_dict().items()}, str(path))
    return path


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    folder = tmp_path / "lungs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    lines = ["case,patient,image,stage,vector,Age,age,note"]
    for n in range(3):
        image = sitk.GetImageFromArray(rng.normal(-400, 300, (8, 32, 32)).astype(np.int16))
        image.SetSpacing((4.0, 4.0, 5.0))
        sitk.WriteImage(image, str(folder / f"s{n}.nii.gz"))
        lines.append(f"s{n},p{n},s{n}.nii.gz,T{n + 1},mine{n},{60 + n},{0.5 + n},=HYPERLINK(0)")
    path = folder / "cohort.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def db(cohort: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = cohort.parent / "new" / "lungs.duckdb"
    words = ["embed", str(cohort), "--db", str(path), "--view", "slices", "--slice-step", "4"]
    assert main([*words, "--encoder", "flexict-nano", "--weights", str(weights), "--device", "cpu"]) == 0
    capsys.readouterr()
    return path


def test_validate_tells_good_from_bad_by_its_status(cohort: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(cohort)]) == 0
    with cohort.open("a", encoding="utf-8") as file:
        file.write("s9,p9,absent.nii.gz,T1,,,,\n")
    assert main(["validate", str(cohort), "--json"]) == 1
    out = capsys.readouterr().out
    report = json.loads(out[out.index("{") :])
    assert [(p["row"], p["case_id"]) for p in report["problems"] if p["severity"] == "error"] == [(5, "s9")]
    cohort.write_text("nothing,here\n1,2\n", encoding="utf-8")
    assert main(["validate", str(cohort)]) == 2


def test_embed_says_what_it_did_and_does_it_once(
    cohort: Path, db: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with cohort.open("a", encoding="utf-8") as file:
        file.write("s9,p9,absent.nii.gz,T1,,,,\n")
    (cohort.parent / "bad.nii.gz").write_bytes(b"bad")
    with cohort.open("a", encoding="utf-8") as file:
        file.write("s8,p8,bad.nii.gz,T1,,,,\n")
    words = ["embed", str(cohort), "--db", str(db), "--view", "slices", "--slice-step", "4"]
    words += ["--weights", str(weights), "--device", "cpu"]
    # Nothing that could be embedded is left, and what was tried failed.
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert "0 of 1 case embedded" in out
    assert "3 were already complete, 1 failed, 1 row of the CSV could not be used" in out
    assert "flexict-nano slices: 100%" in err
    assert set(Store(db).failures()["case_id"]) == {"s8", "s9"}


def test_embed_takes_columns_by_the_names_that_it_is_told(
    cohort: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort.write_text(
        cohort.read_text(encoding="utf-8").replace("patient,", "wer,").replace("stage,", "wie weit,"), encoding="utf-8"
    )
    db = cohort.parent / "mapped.duckdb"
    words = ["embed", str(cohort), "--db", str(db), "--view", "slices", "--slice-step", "8", "--device", "cpu"]
    words += ["--weights", str(weights), "--map", "patient_id=wer", "--map", "stage=wie weit"]
    assert main(words) == 0
    assert Store(db).cases()["patient_id"].tolist() == ["p0", "p1", "p2"]
    assert main([*words, "--map", "patient_id"]) == 2
    assert "--map takes ROLE=COLUMN" in capsys.readouterr().err


def test_import_brings_vectors_beside_those_of_the_job_and_a_report_of_what_did_not_fit(
    cohort: Path, db: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, labels = cohort.parent / "theirs.csv", cohort.parent / "labels.csv"
    table.write_text("scan no,0,1\ns2,0.5,2\ns0,1,-2\nzz,3,3\n")
    labels.write_text("scan no;who;how far;SUV\ns0;p0;T4;1,5\ns1;p1;T1;2,5\ns2;p2;T2;3,5\n")
    words = ["import", str(db), "--vectors", str(table), "--labels", str(labels), "--view", "lesion"]
    words += ["--id", "scan no", "--map", "patient_id=who", "--stage", "how far", "--name", "their model"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "2 vectors of 2 dimensions, of 2 patients. Set: their model.lesion." in out
    assert "1 without a row in the labels, left out: zz" in out
    assert "1 in the labels without a vector: s1" in out
    store = Store(db)
    set_id = store.sets().loc[1, "set_id"]
    found, X = store.table(set_id)
    assert found[["case_id", "stage", "SUV", "Age"]].to_numpy().tolist() == [
        ["s0", "T4", 1.5, 60],
        ["s2", "T2", 3.5, 62],
    ]
    assert X.tolist() == [[1, -2], [0.5, 2]]
    assert main(["status", str(db)]) == 0
    assert "s1 (import): theirs.csv has no vector for it" in capsys.readouterr().out
    assert main(["export", str(db), "--format", "csv", "--out", str(cohort.parent / "out.csv"), "--set", set_id]) == 0


def test_status_counts_and_names_what_failed(db: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(db)]) == 0
    text = capsys.readouterr().out
    assert "lungs: 3 cases of 3 patients" in text
    assert "6 items of 3 cases, 288 numbers each, preset slice, not the published weights" in text
    assert "last run: finished, 3 of 3 cases, 0 failed" in text
    assert "SIMULATED" not in text
    assert main(["status", str(db), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n_cases"], found["sets"][0]["n_items"], found["failures"]) == (3, 6, [])


def test_a_parquet_export_holds_the_vectors_bit_for_bit_beside_their_cases(
    db: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "all.parquet"
    assert main(["export", str(db), "--format", "parquet", "--out", str(out)]) == 0
    assert "6 rows" in capsys.readouterr().out
    table = pq.read_table(out)
    set_id = Store(db).sets().loc[0, "set_id"]
    ids, X = Store(db).vectors(set_id)
    assert table["item_id"].to_pylist() == ids
    np.testing.assert_array_equal(np.array(table["vector"].to_pylist(), dtype=np.float32), X)
    assert table["case_id"].to_pylist() == [item_id.split("/")[0] for item_id in ids]
    assert table["vector (CSV)"].to_pylist() == ["mine0"] * 2 + ["mine1"] * 2 + ["mine2"] * 2
    assert table["Age"].to_pylist() == [60, 60, 61, 61, 62, 62]
    assert table["age (2)"].to_pylist() == [0.5, 0.5, 1.5, 1.5, 2.5, 2.5]
    assert table["image_path"].to_pylist()[0] == "s0.nii.gz"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.parquet", "lungs"]


def test_a_csv_export_reads_back_and_holds_no_formula(db: Path, tmp_path: Path) -> None:
    out = tmp_path / "one.csv"
    set_id = Store(db).sets().loc[0, "set_id"]
    assert main(["export", str(db), "--format", "csv", "--out", str(out), "--set", str(set_id)]) == 0
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    ids, X = Store(db).vectors(str(set_id))
    assert [row["item_id"] for row in rows] == ids
    np.testing.assert_array_equal(np.array([json.loads(row["vector"]) for row in rows], dtype=np.float32), X)
    assert {row["note"] for row in rows} == {"'=HYPERLINK(0)"}


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("\t=1", "'\t=1"),
        ("-1.5e-3", "-1.5e-3"),
        ("T1a", "T1a"),
        ("", ""),
    ],
)
def test_formulas_are_defused_and_numbers_are_not(text: str, safe: str) -> None:
    assert defused(text) == safe


def test_exports_of_several_sets_name_the_set_of_each_row(cohort: Path, db: Path, weights: Path) -> None:
    words = ["embed", str(cohort), "--db", str(db), "--view", "volume", "--weights", str(weights)]
    assert main([*words, "--device", "cpu"]) == 0
    out = cohort.parent / "both.parquet"
    assert main(["export", str(db), "--format", "parquet", "--out", str(out)]) == 0
    table = pq.read_table(out)
    assert sorted(set(table["set_id"].to_pylist())) == sorted(Store(db).sets()["set_id"])
    assert table.num_rows == 9


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["status", "{tmp}/absent.duckdb"], "there is no file"),
        (["status", "{tmp}/lungs/cohort.csv"], "is not a DuckDB file"),
        (["validate", "{tmp}/absent.csv"], "absent.csv"),
        (["embed", "{tmp}/lungs/cohort.csv", "--db", "{tmp}/a.duckdb", "--view", "slices", "--encoder", "x"], "'x'"),
        (["embed", "{tmp}/lungs/s0.nii.gz", "--db", "{tmp}/a.duckdb", "--view", "slices"], "s0.nii.gz"),
        (["embed", "{tmp}/lungs/cohort.csv", "--db", "{tmp}/lungs/cohort.csv", "--view", "slices"], "DuckDB"),
        (["import", "{db}", "--vectors", "{tmp}/x.npz", "--labels", "{tmp}/lungs/cohort.csv"], "there is no file"),
        (
            ["import", "{db}", "--vectors", "{tmp}/lungs/cohort.csv", "--labels", "{tmp}/no.csv"],
            "no.csv does not exist",
        ),
        (
            ["import", "{db}", "--vectors", "{tmp}/lungs/cohort.csv", "--labels", "{tmp}/lungs/cohort.csv"],
            "not numbers",
        ),
        (["export", "{db}", "--format", "csv", "--out", "{tmp}/no/such/place.csv"], "no folder"),
        (["export", "{db}", "--format", "csv", "--out", "{db}"], "the store itself"),
        (["export", "{db}", "--format", "csv", "--out", "{tmp}/x.csv", "--set", "other"], "no embedding set 'other'"),
    ],
)
def test_what_the_user_can_mend_is_one_sentence_and_status_2(
    words: list[str],
    sentence: str,
    tmp_path: Path,
    db: Path,
    weights: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    filled = [word.format(tmp=tmp_path, db=db) for word in words]
    if words[0] == "embed":
        filled += ["--weights", str(weights), "--device", "cpu"]
    before = Store(db).sets().to_json()
    assert main(filled) == 2
    err = capsys.readouterr().err.strip().splitlines()[-1]
    assert err.startswith("error: ")
    assert sentence in err
    assert "Traceback" not in err
    assert Store(db).sets().to_json() == before
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize("name", ["caf\udce9.csv", "d\udce9/cohort.csv"])
def test_a_csv_at_a_path_that_is_not_utf_8_is_refused_in_one_sentence(
    name: str, cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = cohort.parent / name  # with the byte E9, which is é in Latin-1
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(cohort.read_bytes())
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    for image in cohort.parent.glob("*.nii.gz"):
        (path.parent / image.name).write_bytes(image.read_bytes())
    db = cohort.parent / "a.duckdb"
    vectors = cohort.parent / "v.npz"
    np.savez(vectors, vectors=np.eye(2, dtype=np.float32), ids=np.array(["s0", "s1"]))
    for words in (
        ["validate", str(path)],
        ["embed", str(path), "--db", str(db), "--view", "slices", "--device", "cpu"],
        ["import", str(db), "--vectors", str(vectors), "--labels", str(path)],
    ):
        assert main(words) == 2
        err = capsys.readouterr().err.strip().splitlines()[-1]
        assert err.startswith("error: the path ")
        assert err.endswith("is not UTF-8: rename the file or its folder")
        assert "\\udce9" in err
        assert not db.exists() or Store(db).sets().empty


def test_the_module_runs_as_a_program(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "embeddings", "status", str(tmp_path / "absent.duckdb")],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert found.returncode == 2
    assert found.stderr.startswith("error: there is no file")
    assert "Traceback" not in found.stderr


class LaterError(FlexiCTError):
    """Says of itself that it passes."""

    temporary = True


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FlexiCTError("the CSV has no rows"), 2),
        (FileNotFoundError(errno.ENOENT, "No such file"), 2),
        (PermissionError(errno.EACCES, "Permission denied"), 2),
        (OSError(errno.ENOSPC, "No space left on device"), 75),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 75),
        (OSError(errno.ESTALE, "Stale file handle"), 75),
        (OSError(errno.EIO, "Input/output error"), 75),
        (LaterError("the folder is gone"), 75),
        (StoreBusy("in use"), 75),
        (caused(FlexiCTError("the folder cannot be made"), OSError(errno.ENOSPC, "No space left on device")), 75),
        (caused(FlexiCTError("the store cannot be written"), ValueError("cell 3")), 2),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: f"{type(value).__name__} {value}".strip() if isinstance(value, BaseException) else str(value),
)
def test_an_error_ends_in_a_code_that_says_whether_to_try_again(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: argparse.Namespace) -> int:
        raise error

    assert run_command(argparse.Namespace(command=fail), when_interrupted="run it again") == code
    err = capsys.readouterr().err
    assert err.startswith("interrupted; run it again" if code == 130 else "error: ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "error",
    [
        ValueError("cell 3"),
        KeyError("a"),
        RuntimeError("a fault"),
        caused(RuntimeError("a fault"), OSError(errno.ENOSPC, "No space left on device")),
    ],
    ids=repr,
)
def test_a_bug_is_not_caught_and_has_pythons_own_code(error: Exception) -> None:
    def fail(_: argparse.Namespace) -> int:
        raise error

    with pytest.raises(type(error)):
        run_command(argparse.Namespace(command=fail), when_interrupted="run it again")
    assert exit_code_of_error(error) == 1


def summary(**changes: object) -> RunSummary:
    values: dict[str, object] = {
        "set_id": "nano.volume.1",
        "run_id": "r",
        "state": "finished",
        "n_planned": 0,
        "n_done_before": 0,
        "n_embedded": 0,
        "n_failed": 0,
        "n_refused": 0,
        "n_items": 0,
        "seconds": 1.0,
    }
    return RunSummary(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"n_planned": 5, "n_embedded": 5}, exit_codes.DONE),
        ({"n_done_before": 5}, exit_codes.DONE),
        ({"n_planned": 2, "n_embedded": 2, "n_left_out": 3}, exit_codes.DONE),
        ({"n_planned": 5, "n_embedded": 4, "n_failed": 1}, exit_codes.SOME_FAILED),
        ({"n_planned": 5, "n_embedded": 5, "n_refused": 1}, exit_codes.SOME_FAILED),
        # The same command again, which finds only what failed before, ends as before.
        ({"n_done_before": 4, "n_failed_before": 1}, exit_codes.SOME_FAILED),
        ({"n_planned": 5, "n_failed": 5}, exit_codes.NOTHING_DONE),
        ({"n_planned": 1, "n_failed": 1, "n_done_before": 4}, exit_codes.NOTHING_DONE),
        ({"n_failed_before": 5}, exit_codes.NOTHING_DONE),
        ({"n_planned": 5, "n_embedded": 2, "state": "interrupted"}, exit_codes.INTERRUPTED),
        ({"n_planned": 5, "state": "interrupted", "vanished": "/mnt/ct"}, exit_codes.TEMPORARY),
    ],
    ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else str(value),
)
def test_a_run_ends_in_a_code_for_a_scheduler(changes: dict[str, object], code: int) -> None:
    assert exit_code_of([summary(**changes)]) == code


def test_a_run_of_several_sets_ends_in_one_code() -> None:
    done, failed = summary(n_planned=2, n_embedded=2), summary(n_planned=2, n_failed=2)
    assert exit_code_of([done, done]) == 0
    assert exit_code_of([done, failed]) == 3
    assert exit_code_of([failed, failed]) == 1


def test_a_store_in_use_is_worth_another_try(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import duckdb, sys, time; con = duckdb.connect(sys.argv[1]); print('open', flush=True); time.sleep(60)"
    monkeypatch.setattr(commands, "Store", partial(Store, patience_s=0.2))
    with subprocess.Popen([sys.executable, "-c", code, str(db)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        try:
            assert main(["status", str(db)]) == 75
        finally:
            holder.kill()
