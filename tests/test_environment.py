"""What `make` says on a machine that lacks something."""

from __future__ import annotations

import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "environment.sh"


def run(tmp_path: Path, python: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "requirements.txt").write_text("torch==0\n")
    words = ["sh", str(SCRIPT), "requirements.txt", python]
    return subprocess.run(words, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60, check=False)


def stand_in(tmp_path: Path, refuses: str) -> str:
    """An interpreter that fails whatever `-c` program holds the word `refuses`."""
    path = tmp_path / "python-stand-in"
    path.write_text(
        f'#!/bin/sh\ncase "$*" in *{refuses}*) exit 1;; *--version*) echo "Python 3.9.2";; *) echo 3.11;; esac\n'
    )
    path.chmod(0o755)
    return str(path)


def test_a_missing_python_is_named_with_the_package_that_brings_it(tmp_path: Path) -> None:
    done = run(tmp_path, "no-such-python")
    assert done.returncode == 1
    assert "no-such-python" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr


def test_an_old_python_is_named_with_its_version(tmp_path: Path) -> None:
    done = run(tmp_path, stand_in(tmp_path, "version_info"))
    assert done.returncode == 1
    assert "Python 3.9.2 is too old: Python 3.11 or newer" in done.stderr


def test_a_missing_venv_module_is_named_with_the_package_that_brings_it(tmp_path: Path) -> None:
    done = run(tmp_path, stand_in(tmp_path, "ensurepip"))
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr
    assert not (tmp_path / ".venv").exists()
