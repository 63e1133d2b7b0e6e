"""The scripts and manifests of docs/cluster.md are whole, and their commands are understood."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from embeddings.__main__ import parser

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
MANIFESTS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize("script", SCRIPTS, ids=[str(n) for n in range(len(SCRIPTS))])
def test_scripts_are_whole(script: str) -> None:
    subprocess.run(["bash", "-n"], input=script, encoding="utf-8", check=True)


@pytest.mark.parametrize("manifest", MANIFESTS, ids=[str(n) for n in range(len(MANIFESTS))])
def test_manifests_are_yaml_with_a_kind_and_a_name(manifest: str) -> None:
    found = yaml.safe_load(manifest)
    assert found["kind"] in ("Job", "RayJob")
    assert found["metadata"]["name"]


def test_every_command_is_one_of_the_command_line() -> None:
    text = PAGE.replace("\\\n", " ").replace("\n    --", " --").replace("\n              --", " --")
    commands = re.findall(r"python -m embeddings ((?:embed|merge|doctor) [^\n`]*)", text)
    assert len(commands) >= 7
    for command in commands:
        words = command.replace("$((JOB_COMPLETION_INDEX + 1))", "1").replace("$SLURM_ARRAY_TASK_ID", "1")
        parser().parse_args(shlex.split(words))
