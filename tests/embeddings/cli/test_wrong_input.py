"""Input that cannot be used ends a command with one sentence and the code 2; a bug keeps its traceback."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from embeddings import __main__ as program
from embeddings.cli import commands
from embeddings.exchange.export import export, sidecar
from embeddings.exit_codes import WRONG_INPUT
from embeddings.store.store import Store

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def filled(store: Store, identity: Any, items: Any) -> Store:
    set_id = store.open_set(identity())
    store.commit(set_id, items(["c0", "c1", "c2"]))
    return store


def refused(capsys: Capture, *words: object) -> str:
    """The one sentence that the command ends with."""
    assert program.main([str(word) for word in words]) == WRONG_INPUT
    lines = capsys.readouterr().err.strip().splitlines()
    assert [line.startswith("error: ") for line in lines] == [True], lines
    return lines[0]


def spoil(path: Path, start: int, length: int) -> None:
    content = bytearray(path.read_bytes())
    content[start : start + length] = np.random.default_rng(0).bytes(length)
    path.write_bytes(content)


def foreign(*statements: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.unlink()
        with duckdb.connect(path) as con:
            for statement in statements:
                con.execute(statement)

    return make


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda path: path.write_text("case_id,image_path"), "is not a DuckDB file"),
    "nothing in it": (lambda path: path.write_bytes(b""), "is not a DuckDB file"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "is no file"),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:5000]), "is damaged or was copied only in part"),
    "damaged at the start": (lambda path: spoil(path, 12288, 4000), "is damaged or was copied only in part"),
    "damaged within": (lambda path: spoil(path, 2 * 12288, path.stat().st_size), "is damaged or was copied only"),
    "another program's": (foreign("CREATE TABLE t (a INTEGER)"), "a DuckDB file of something else"),
    "another's version": (
        foreign("CREATE TABLE schema_version (version VARCHAR)", "INSERT INTO schema_version VALUES ('x')"),
        "a DuckDB file of something else",
    ),
    "a version without tables": (
        foreign("CREATE TABLE schema_version (version INTEGER)", "INSERT INTO schema_version VALUES (4)"),
        "a DuckDB file of something else",
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_file_that_is_no_store_is_named_in_one_sentence(
    filled: Store, tmp_path: Path, capsys: Capture, what: str
) -> None:
    bad = tmp_path / "bad.duckdb"
    shutil.copy(filled.path, bad)
    damage, sentence = DAMAGE[what]
    damage(bad)
    out = tmp_path / "out.csv"
    for words in (("export", bad, "--format", "csv", "--out", out), ("merge", bad, filled.path)):
        assert sentence in refused(capsys, *words), words


def test_a_file_name_that_is_not_utf8_is_refused(filled: Store, tmp_path: Path, capsys: Capture) -> None:
    try:
        odd = Path(shutil.copy(filled.path, tmp_path / "b\udcffd.duckdb"))
    except (OSError, UnicodeError):
        pytest.skip("this file system takes no such name")
    assert "rename the file or its folder" in refused(capsys, "status", odd)
    assert "rename the file or its folder" in refused(capsys, "merge", odd.with_name("c\udcff.duckdb"), filled.path)


def test_npz_files_packed_in_an_unknown_way_are_refused(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "labels.csv").write_text("case_id,stage\na,T1\nb,T2\n")
    whole = tmp_path / "whole.npz"
    np.savez(whole, vectors=np.ones((2, 4), np.float32), ids=np.array(["a", "b"]))
    with zipfile.ZipFile(whole) as archive:
        places = [member.header_offset for member in archive.infolist()]
    for method in (1, 6, 99):
        content = bytearray(whole.read_bytes())
        central = content.index(b"PK\x01\x02")
        content[places[0] + 8] = content[central + 10] = method
        (tmp_path / "bad.npz").write_bytes(content)
        words = ("--vectors", tmp_path / "bad.npz", "--labels", tmp_path / "labels.csv")
        assert "not a readable npz file" in refused(capsys, "import", tmp_path / "new.duckdb", *words)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_an_export_replaces_no_pipe_or_device(filled: Store, tmp_path: Path, capsys: Capture) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    assert "is a device or pipe" in refused(capsys, "export", filled.path, "--format", "csv", "--out", pipe)
    assert pipe.is_fifo()


PLACES = [
    ("cohort", "name"),
    ("cohort", "simulated"),
    ("cohort", "data_root"),
    ("sets", "*"),
    ("sets", "*", "weights_source"),
    ("sets", "*", "is_published"),
    ("sets", "*", "width"),
    ("covariates", "age"),
    ("types", "age"),
]


@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_a_description_with_a_value_of_another_kind_is_refused(
    filled: Store, tmp_path: Path, capsys: Capture, place: tuple[str, ...]
) -> None:
    table = tmp_path / "table.csv"
    export(filled, table, "csv")
    whole = sidecar(table).read_text(encoding="utf-8")
    for value in (None, [], {}, "x\0", -1, "\udcff"):
        words = json.loads(whole)
        *path, last = (filled.sets()["set_id"][0] if name == "*" else name for name in place)
        owner = words
        for name in path:
            owner = owner[name]
        owner[last] = value
        sidecar(table).write_text(json.dumps(words))
        assert "table.csv" in refused(capsys, "import", tmp_path / "new.duckdb", "--vectors", table), value
    assert not (tmp_path / "new.duckdb").exists()


@pytest.mark.parametrize("damage", [b"\x8c", b"\xff\xfe"])
def test_a_csv_whose_header_is_damaged_is_refused(
    filled: Store, tmp_path: Path, capsys: Capture, damage: bytes
) -> None:
    table = tmp_path / "table.csv"
    export(filled, table, "csv")
    table.write_bytes(damage + table.read_bytes())
    assert "table.csv" in refused(capsys, "import", tmp_path / "new.duckdb", "--vectors", table)


def test_h5ad_files_that_are_damaged_anywhere_are_refused_or_read(
    filled: Store, tmp_path: Path, capsys: Capture
) -> None:
    pytest.importorskip("anndata", reason="the optional extra h5ad is not installed")
    whole, bad = tmp_path / "whole.h5ad", tmp_path / "bad.h5ad"
    export(filled, whole, "h5ad")
    content = whole.read_bytes()
    codes = set()
    for start in range(0, len(content), len(content) // 20):
        spoilt = bytearray(content)
        spoilt[start : start + 16] = bytes(16)
        bad.write_bytes(spoilt)
        codes.add(program.main(["import", str(tmp_path / f"{start}.duckdb"), "--vectors", str(bad)]))
    assert codes == {0, WRONG_INPUT}
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("kind", [RuntimeError, ValueError, KeyError, TypeError])
def test_a_bug_is_no_sentence(kind: type[Exception], filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise kind("a fault of the program")

    monkeypatch.setattr(commands, "status", broken)
    with pytest.raises(kind, match="a fault of the program"):
        program.main(["status", str(filled.path)])
