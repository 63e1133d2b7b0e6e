"""The job that the Cohort page starts is the command line that it shows."""

from __future__ import annotations

import shlex
from pathlib import Path

from dashboard.compute.jobs import JobRequest, start
from embeddings.__main__ import parser
from embeddings.job.settings import JobSettings
from embeddings.options import settings_from

ROOT = Path(__file__).resolve().parents[3]


def request(folder: Path, **changes: object) -> JobRequest:
    settings = {
        "csv": folder / "my cohort.csv",
        "db": folder / "out" / "cohort.duckdb",
        "encoder": "flexict-nano",
        "view": "slices",
        "data_root": folder,
        "mapping": {"stage": "T stage; rm -rf"},
        "slice_step": 5,
    }
    return JobRequest(**{**settings, **changes})  # type: ignore[arg-type]


def test_the_command_shown_is_understood_by_the_command_line(tmp_path: Path) -> None:
    words = shlex.split(request(tmp_path).command_line())
    assert words[:3] == ["python", "-m", "embeddings"]
    options = parser().parse_args(words[3:])
    assert options.cohort == tmp_path / "my cohort.csv"
    settings = settings_from(JobSettings, options)
    assert settings.mapping == {"stage": "T stage; rm -rf"}
    assert settings.slice_step == 5
    assert list(settings.views) == ["slices"]


def test_a_label_of_the_masks_is_handed_on_whatever_it_begins_with(tmp_path: Path) -> None:
    words = shlex.split(request(tmp_path, mask_label="--GTV p").command_line())
    assert settings_from(JobSettings, parser().parse_args(words[3:])).mask_label == "--GTV p"
    assert settings_from(JobSettings, parser().parse_args(request(tmp_path).words()[2:])).mask_label is None


def test_the_slice_step_is_left_out_for_other_views(tmp_path: Path) -> None:
    assert "--slice-step" not in request(tmp_path, view="volume").words()


def test_a_job_that_fails_keeps_what_it_said(tmp_path: Path) -> None:
    job = start(request(tmp_path), ROOT)
    assert job.process.wait() == 2
    assert not job.running
    last = job.output().splitlines()[-1]
    assert last.startswith("error: ")
    assert "my cohort.csv does not exist" in last
    assert "Traceback" not in job.output()
