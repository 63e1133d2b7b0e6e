"""What `make` says on a machine that lacks something."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "environment.sh"


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


def browser_code(tmp_path: Path, node: str | None, *words: str) -> subprocess.CompletedProcess[str]:
    """Check the JavaScript on a machine with this version of node, or without it."""
    (tmp_path / "sh").symlink_to("/bin/sh")
    if node is not None:
        for name in ("node", "npm"):
            (tmp_path / name).write_text(f"#!/bin/sh\necho {node}\n")
            (tmp_path / name).chmod(0o755)
    command = ["sh", str(ROOT / "scripts" / "browser_code.sh"), *words]
    return subprocess.run(
        command, cwd=tmp_path, env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(("node", "found"), [(None, "none"), ("v18.20.4", "v18.20.4")])
def test_without_a_new_node_the_checks_pass_and_say_what_was_not_checked(
    tmp_path: Path, node: str | None, found: str
) -> None:
    done = browser_code(tmp_path, node)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"JavaScript not checked: node 20 or newer with npm is needed (node found: {found}).\n"


def test_without_node_nothing_is_bundled_and_that_is_an_error(tmp_path: Path) -> None:
    done = browser_code(tmp_path, None, "bundle")
    assert done.returncode == 1
    assert "node 20 or newer" in done.stdout
