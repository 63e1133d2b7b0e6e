"""Where the scans of a cohort file are found, and which are refused before anything of them is asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dashboard.data.scan_files import ScanFiles
from dashboard.session.settings import Settings
from embeddings.cohort.read import read_cohort
from embeddings.imaging.images import ImageError
from embeddings.store.store import Store


def scan_files(root: Path, *starts: Path, roots: tuple[Path, ...] = ()) -> ScanFiles:
    return ScanFiles(Settings(None, root, (root,)), starts, roots)


def refused(scans: ScanFiles, stored: Path) -> str:
    with pytest.raises(ImageError) as found:
        scans.find(str(stored))
    return str(found.value)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file outside the data root."""
    path = tmp_path / "outside" / "secret.nii.gz"
    path.parent.mkdir()
    path.write_bytes(b"secret")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def test_a_scan_within_the_data_root_is_found_by_its_real_path(root: Path) -> None:
    (root / "ct.nii.gz").write_bytes(b"x")
    (root / "link.nii.gz").symlink_to("ct.nii.gz")
    assert scan_files(root).find(str(root / "link.nii.gz")) == str(root / "ct.nii.gz")


def test_a_path_out_of_the_data_root_is_refused_also_by_a_link_or_by_dots(root: Path, secret: Path) -> None:
    (root / "link.nii.gz").symlink_to(secret)
    (root / "folder").symlink_to(secret.parent)
    for stored in (secret, root / "link.nii.gz", root / "folder" / secret.name, root / ".." / "outside" / secret.name):
        assert "outside the data root" in refused(scan_files(root), stored)


def test_a_dicom_folder_with_a_link_out_of_the_data_root_is_refused(root: Path, secret: Path) -> None:
    series = root / "series"
    series.mkdir()
    (series / "1.dcm").write_bytes(b"x")
    assert scan_files(root).find(str(series)) == str(series)
    (series / "2.dcm").symlink_to("1.dcm")
    assert scan_files(root).find(str(series)) == str(series)
    (series / "3.dcm").symlink_to(secret)
    assert "3.dcm, a link out of the data root" in refused(scan_files(root), series)


def test_whether_a_file_outside_is_there_is_not_told(root: Path, secret: Path) -> None:
    there = refused(scan_files(root), secret)
    assert refused(scan_files(root), secret.with_name("nobody.nii.gz")) == there.replace("secret", "nobody")


def test_a_moved_cohort_is_found_below_the_data_root(root: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    (root / "ct").mkdir()
    (root / "ct" / "1.nii.gz").write_bytes(b"x")
    found = str(root / "ct" / "1.nii.gz")
    assert scan_files(root, old, roots=(root,)).find(str(old / "ct" / "1.nii.gz")) == found
    # The data root of the job lay above the folder of the CSV.
    assert scan_files(root, tmp_path, old, roots=(root,)).find(str(old / "ct" / "1.nii.gz")) == found


def test_a_moved_scan_is_not_found_out_of_the_data_root(root: Path, secret: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    scans = scan_files(root, old, roots=(root, secret.parent))
    assert "and not at" in refused(scans, old / secret.name)
    assert "outside the data root" in refused(scans, old / ".." / "outside" / secret.name)


def test_what_is_missing_is_named_with_where_it_was_looked_for(root: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    said = refused(scan_files(root, old, roots=(root,)), old / "ct" / "1.nii.gz")
    assert "ct/1.nii.gz" in said
    assert str(old / "ct") in said
    assert str(root / "ct" / "1.nii.gz") in said
    gone = refused(scan_files(root, root / "a", roots=(root,)), root / "a" / "1.nii.gz")
    assert "is not there" in gone
    assert str(root / "a") in gone
    assert str(root / "1.nii.gz") in gone


def test_two_scans_that_could_be_the_moved_one_are_both_named_and_none_is_shown(root: Path, tmp_path: Path) -> None:
    for name in "ab":
        (root / name).mkdir()
        (root / name / "1.nii.gz").write_bytes(name.encode())
    scans = scan_files(root, tmp_path / "old", roots=(root / "a", root / "b"))
    said = refused(scans, tmp_path / "old" / "1.nii.gz")
    assert str(root / "a" / "1.nii.gz") in said
    assert str(root / "b" / "1.nii.gz") in said


def test_a_real_cohort_file_finds_its_scans_after_its_folder_was_moved(
    cohort_csv: Path, tmp_path: Path, root: Path
) -> None:
    first = tmp_path / "first"
    first.mkdir()
    for name in ("case00.nii.gz", "case00_mask.nii.gz"):
        shutil.copy(cohort_csv.parent / name, first)
    lines = cohort_csv.read_text(encoding="utf-8").splitlines()[:2]
    (first / "cohort.csv").write_text("\n".join(lines) + "\n")
    store = Store(first / "cohort.duckdb", read_only=False)
    store.register_cohort(read_cohort(first / "cohort.csv", check_images=False), simulated=False)
    first.rename(root / "moved")
    path = root / "moved" / "cohort.duckdb"
    moved = Store(path)
    scans = ScanFiles.of_cohort(Settings(None, root, (root,)), path, moved.info())
    case = moved.cases().iloc[0]
    assert scans.find(case["image_path"]) == str(root / "moved" / "case00.nii.gz")
    assert scans.find(case["mask_path"]) == str(root / "moved" / "case00_mask.nii.gz")
