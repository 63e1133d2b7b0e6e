"""What the person who starts the app allows."""

from __future__ import annotations

from pathlib import Path

from dashboard.session.settings import read_settings


def test_only_folders_below_a_data_root_are_allowed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "data", tmp_path / "other"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    settings = read_settings(["--data-root", str(inside), "--workspace", str(tmp_path / "work")])
    assert settings.allows(inside / "a" / "b.nii.gz")
    assert settings.allows(tmp_path / "work" / "x.duckdb")
    assert not settings.allows(outside / "a.nii.gz")
    assert not settings.allows(inside / "link" / "a.nii.gz")
    assert not settings.allows(inside / ".." / "other")


def test_the_folder_of_the_cohort_given_is_allowed(tmp_path: Path) -> None:
    settings = read_settings(["--cohort", str(tmp_path / "a.duckdb"), "--data-root", str(tmp_path / "data")])
    assert settings.cohort == (tmp_path / "a.duckdb").resolve()
    assert settings.allows(tmp_path / "b.duckdb")
