"""`flexict-dashboard` and the package as `pip install .` lays it down, used from another folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from dashboard.launch import APP, streamlit_words

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("flexict", "embeddings", "dashboard")


def test_the_app_listens_on_this_machine_alone_unless_an_address_is_given() -> None:
    assert streamlit_words(["--cohort", "a.duckdb"]) == [
        *("run", str(APP), "--server.port", "8501", "--server.address", "localhost"),
        *("--", "--cohort", "a.duckdb"),
    ]
    assert "0.0.0.0" in streamlit_words(["--address", "0.0.0.0"])


def test_help_names_the_options_of_server_and_app(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        streamlit_words(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith("usage: flexict-dashboard")
    assert all(option in said for option in ("--port", "--address", "--cohort", "--data-root"))


def test_an_option_that_does_not_exist_is_refused_before_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        streamlit_words(["--cohrot", "a.duckdb"])
    assert ended.value.code == 2
    assert "--cohrot" in capsys.readouterr().err


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the package alone was installed, as pip builds it from the sources."""
    pytest.importorskip("setuptools", minversion="77", reason="building the package needs setuptools 77")
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*pip, "--target", str(target), str(source)], capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return target


def run_installed(installed: Path, folder: Path, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(folder)}
    return subprocess.Popen(
        words, cwd=folder, env=environment, encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def test_the_installed_package_brings_every_file_of_the_sources(installed: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout: the list of source files is git's")
    assert listed.stdout
    assert [name for name in listed.stdout.splitlines() if not (installed / name).is_file()] == []


def test_the_installed_command_embeds_from_any_folder(installed: Path, tmp_path: Path) -> None:
    process = run_installed(installed, tmp_path, str(installed / "bin" / "flexict-cohort"), "doctor", "--help")
    said, _ = process.communicate()
    assert process.returncode == 0, said
    where = "import flexict; print(flexict.__file__, flexict.load_encoder('flexict-nano').width)"
    process = run_installed(installed, tmp_path, sys.executable, "-c", where)
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert said.startswith(str(installed))


def test_the_installed_app_answers_on_localhost_and_sends_no_statistics(installed: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("--port", str(port), "--workspace", str(tmp_path / "workspace"))
    process = run_installed(installed, tmp_path, sys.executable, str(installed / "bin" / "flexict-dashboard"), *words)
    try:
        while not _answers(port):
            assert process.poll() is None, process.stdout.read() if process.stdout else ""
            time.sleep(0.2)
    finally:
        process.terminate()
        said, _ = process.communicate()
    assert f"http://localhost:{port}" in said
    assert "usage statistics" not in said
    assert "Network URL" not in said


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
