"""One process writes while four read what the app and `status` read: nobody meets an error, and nobody is shut out."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from embeddings.store import file_lock as lock_module
from embeddings.store.file_lock import file_lock
from embeddings.store.store import Store
from tests.embeddings.store.readers_and_writer import ITEMS_A_COMMIT, READERS, new_store

ROOT = Path(__file__).resolve().parents[3]
TURNS = 3


@pytest.mark.slow
def test_four_read_while_one_writes_and_everybody_gets_turns(tmp_path: Path) -> None:
    db, set_id = new_store(tmp_path)
    board = tmp_path / "board"
    board.mkdir()
    roles = ["writer", *(f"reader{number}" for number in range(READERS))]
    words = [sys.executable, "-m", "tests.embeddings.store.readers_and_writer"]
    processes = [
        subprocess.Popen([*words, role, str(db), set_id, str(board), str(TURNS)], cwd=ROOT, stderr=subprocess.PIPE)
        for role in roles
    ]
    # They end once each has had its turns; where one is shut out, the time limit of the tests ends them.
    try:
        for process in processes:
            _, errors = process.communicate()
            assert (process.returncode, errors) == (0, b"")
    finally:
        for process in processes:
            process.kill()
    turns = {one.name: int(one.read_text(encoding="utf-8")) for one in board.iterdir() if not one.name.startswith(".")}
    assert set(turns) == set(roles)
    assert min(turns.values()) >= TURNS
    assert len(Store(db).vectors(set_id)[0]) == ITEMS_A_COMMIT * turns["writer"]


@pytest.mark.skipif(os.name != "posix", reason="there are no such locks")
def test_a_writer_that_waits_lets_no_new_reader_in_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, entered = tmp_path / "c.duckdb", []
    tried, far = threading.Semaphore(0), time.monotonic() + 1e6
    pause = time.sleep

    def told(seconds: float) -> None:
        tried.release()  # Somebody has found the way shut.
        pause(seconds)

    def pass_through(name: str, writing: bool) -> None:
        with file_lock(path, writing, far):
            entered.append(name)

    monkeypatch.setattr(lock_module, "time", SimpleNamespace(sleep=told, monotonic=time.monotonic))
    with file_lock(path, True, far):
        reader = threading.Thread(target=pass_through, args=("reader", False))
        reader.start()
        tried.acquire()
        assert entered == []
    reader.join()
    assert entered == ["reader"]
    # Readers do not keep each other out, and a writer waits for those that hold the lock.
    with file_lock(path, False, far):
        pass_through("another reader", False)
        while tried.acquire(blocking=False):
            pass
        writer = threading.Thread(target=pass_through, args=("writer", True))
        writer.start()
        tried.acquire()
        assert entered == ["reader", "another reader"]
    writer.join()
    assert entered == ["reader", "another reader", "writer"]
