"""How a look-up ended: a refusal is its sentence, anything else a fault whose log is kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.lookup.process import LookUp, LookUpFailedError, LookUpRequest
from flexict.errors import FlexiCTError


def ended(folder: Path, program: str) -> LookUp:
    """A look-up whose process was this program."""
    log = folder / "look-up.log"
    with log.open("wb") as stream:
        process = subprocess.Popen([sys.executable, "-c", program], stderr=stream)
    process.wait()
    return LookUp(LookUpRequest(folder / "c.duckdb", "set", folder / "ct.nii"), process, folder / "vector.npy", log)


def test_what_a_look_up_refuses_is_its_sentence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    look_up = ended(
        tmp_path, "import sys; print('reading', 'error: this is no CT', sep=chr(10), file=sys.stderr); sys.exit(2)"
    )
    with pytest.raises(FlexiCTError, match=r"^this is no CT$"):
        look_up.vector()
    assert not caplog.records


def test_a_fault_of_the_program_is_no_refusal_and_its_traceback_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = "import sys; print('error: of a library', file=sys.stderr); raise ValueError('zip() is shorter')"
    with pytest.raises(LookUpFailedError, match=r"exit code 1 .*try again.*ValueError: zip\(\) is shorter"):
        ended(tmp_path, program).vector()
    assert "Traceback (most recent call last)" in caplog.text


def test_a_look_up_that_was_killed_says_so(tmp_path: Path) -> None:
    with pytest.raises(LookUpFailedError, match=r"exit code -9 .*too little memory"):
        ended(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)").vector()


def test_a_look_up_that_runs_can_be_ended_twice(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    look_up = LookUp(LookUpRequest(tmp_path, "set", tmp_path), process, tmp_path / "v.npy", tmp_path / "log")
    assert look_up.running
    look_up.end()
    look_up.end()
    assert not look_up.running
