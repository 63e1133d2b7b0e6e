"""The bundles that the browser is sent are what their sources give."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPONENTS = ROOT / "dashboard" / "components"


def test_every_bundle_is_what_its_sources_give(tmp_path: Path) -> None:
    if shutil.which("npm") is None or not (ROOT / "node_modules" / ".bin" / "esbuild").exists():
        pytest.skip("node and the packages of package-lock.json are not installed: make check")
    command = ["npm", "run", "--silent", "bundle", "--", f"--outdir={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.js")}
    committed = {path.relative_to(COMPONENTS): path.read_bytes() for path in COMPONENTS.rglob("*.bundle.js")}
    assert made.keys() == committed.keys()
    assert [str(name) for name in made if made[name] != committed[name]] == [], "the sources changed: make bundle"
