"""Uploaded CTs: under names of the app's own, within limits, no archive leads out of its folder, gone after a day."""

from __future__ import annotations

import dataclasses
import io
import os
import shutil
import stat
import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dashboard.lookup import uploaded_ct
from dashboard.lookup.uploaded_ct import delete_old, keep_ct, keep_mask, new_folder
from dashboard.session.settings import Settings
from embeddings.imaging.images import ImageError, read_image
from flexict import Volume
from flexict.errors import FlexiCTError
from tests.embeddings.dicom_files import write_ct_series


def zipped(entries: dict[str, bytes]) -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    stream.seek(0)
    return stream


@pytest.fixture
def folder(settings: Settings) -> Path:
    """A new upload's folder."""
    return new_folder(settings)


def test_the_name_from_the_browser_is_not_used(folder: Path) -> None:
    path = keep_ct("../../evil; rm -rf.NII.GZ", io.BytesIO(b"x"), folder, 1)
    assert path == folder / "ct.nii.gz"
    assert keep_mask("/etc/passwd.nrrd", io.BytesIO(b"x"), folder, 1) == folder / "mask.nrrd"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["ct.exe", "ct.dcm", "ct", "nii.gz.txt"])
def test_another_kind_of_file_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(ValueError, match="save it as one of these"):
        keep_ct(name, io.BytesIO(b"x"), folder, 1)


def test_what_is_too_large_is_refused_and_not_left_behind(folder: Path) -> None:
    with pytest.raises(ValueError, match="larger than 1 MB"):
        keep_ct("ct.nii", io.BytesIO(bytes(1_000_001)), folder, 1)
    assert not list(folder.iterdir())


def test_the_slices_of_a_zip_are_read_as_one_series(folder: Path, tmp_path: Path) -> None:
    series = tmp_path / "series"
    grid = np.random.default_rng(0).integers(-900, 200, (4, 16, 16)).astype(np.int16)
    write_ct_series(series, Volume(grid, (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), np.eye(3)))
    entries = {f"patient name/{file.name}": file.read_bytes() for file in series.iterdir()}
    path = keep_ct("x.zip", zipped({**entries, "__MACOSX/._a": b"junk", "DICOMDIR": b"junk"}), folder, 10)
    assert {file.name for file in path.iterdir()} == {f"{n:05d}.dcm" for n in range(1, len(entries) + 1)}
    assert read_image(path).same_grid(read_image(series))
    assert not (folder / "ct.zip").exists()


@pytest.mark.parametrize("slice_name", ["{0}.dcm", "IM{0}", "1.2.840.{0}", "{0}.CT"])
def test_what_lies_beside_the_slices_of_a_zip_costs_nothing_and_a_lost_slice_the_scan(
    folder: Path, tmp_path: Path, slice_name: str
) -> None:
    grid = np.random.default_rng(0).integers(-900, 200, (4, 16, 16)).astype(np.int16)
    series = write_ct_series(tmp_path / "series", Volume(grid, (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), np.eye(3)))
    entries = {slice_name.format(n): file.read_bytes() for n, file in enumerate(sorted(series.iterdir()))}
    beside = {"LICENSE": b"CC BY", "read me.txt": b"hello", "preview1.png": b"\x89PNG", "DONE": b""}
    path = keep_ct("x.zip", zipped({**beside, **entries}), folder, 10)
    np.testing.assert_array_equal(read_image(path).array, grid)
    shutil.rmtree(path)
    path = keep_ct("x.zip", zipped({**beside, **entries, slice_name.format(3): b""}), folder, 10)
    with pytest.raises(ImageError, match="contains 1 file that cannot be read as DICOM"):
        read_image(path)


@pytest.mark.parametrize(
    "name", ["../out.dcm", "/etc/out.dcm", "a/../../out.dcm", "..\\out.dcm", "C:/out.dcm", "a\\b.dcm"]
)
def test_a_path_that_leads_out_of_a_zip_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(ValueError, match="leads out of it"):
        keep_ct("x.zip", zipped({"good.dcm": b"x", name: b"x"}), folder, 1)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("name", [".", "a/.", "a/b/."])
def test_an_entry_of_a_zip_that_names_no_file_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(FlexiCTError, match="names no file"):
        keep_ct("x.zip", zipped({"good.dcm": b"x", name: b"x"}), folder, 1)
    assert not list(folder.iterdir())


def test_an_entry_of_a_zip_without_any_name_is_refused(folder: Path) -> None:
    nameless = bytearray(zipped({"x": b"content"}).getvalue())
    # The name's length in both headers, and the name itself.
    local, central = nameless.index(b"PK\x03\x04"), nameless.index(b"PK\x01\x02")
    nameless[local + 26], nameless[central + 28] = 0, 0
    del nameless[central + 46]
    del nameless[local + 30]
    end = nameless.index(b"PK\x05\x06")
    nameless[end + 12 : end + 20] = struct.pack("<II", 46, central - 1)
    assert zipfile.ZipFile(io.BytesIO(bytes(nameless))).namelist() == [""]
    with pytest.raises(FlexiCTError, match="names no file"):
        keep_ct("x.zip", io.BytesIO(bytes(nameless)), folder, 1)


@pytest.mark.parametrize("name", ["a/..", "..", "/", "a/"])
def test_folders_of_a_zip_are_passed_over_and_a_path_that_climbs_is_refused(folder: Path, name: str) -> None:
    archive = zipped({"good.dcm": b"x", name: b""})
    if ".." in name:
        with pytest.raises(FlexiCTError, match="leads out of it"):
            keep_ct("x.zip", archive, folder, 1)
    else:
        assert [one.name for one in keep_ct("x.zip", archive, folder, 1).iterdir()] == ["00001.dcm"]


def test_a_link_in_a_zip_is_refused(folder: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        entry = zipfile.ZipInfo("link.dcm")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    stream.seek(0)
    with pytest.raises(ValueError, match="contains a link"):
        keep_ct("x.zip", stream, folder, 1)


def test_a_zip_that_unpacks_to_too_much_is_refused_before_and_while_it_is_unpacked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = zipped({f"{n}.dcm": bytes(1_000_000) for n in range(7)})
    assert len(bomb.getvalue()) < 10_000
    with pytest.raises(ValueError, match="unpacks to more than 6 MB"):
        keep_ct("x.zip", bomb, folder, 1)
    # An archive that lies about its sizes is stopped as it grows.
    monkeypatch.setattr(uploaded_ct, "_checked", lambda entries, most: entries)
    bomb.seek(0)
    with pytest.raises(ValueError, match="larger than"):
        keep_ct("x.zip", bomb, folder, 1)
    assert not list(folder.iterdir())


def test_a_zip_of_too_many_files_or_of_none_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="more than 5000"):
        keep_ct("x.zip", zipped({f"{n}.dcm": b"" for n in range(5001)}), folder, 10)
    with pytest.raises(ValueError, match="contains no files"):
        keep_ct("x.zip", zipped({"folder/": b""}), folder, 1)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"no zip at all" * 100])
def test_a_zip_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be unpacked"):
        keep_ct("x.zip", io.BytesIO(content), folder, 1)
    assert not list(folder.iterdir())


def test_a_zip_whose_content_is_damaged_is_refused(folder: Path) -> None:
    content = bytearray(zipped({"a.dcm": os.urandom(5000)}).getvalue())
    content[200:260] = bytes(60)
    with pytest.raises(ValueError, match="cannot be unpacked"):
        keep_ct("x.zip", io.BytesIO(bytes(content)), folder, 1)


def test_uploads_of_anybody_are_deleted_after_a_day(settings: Settings, tmp_path: Path) -> None:
    everybody = tmp_path / "everybody"
    people = [
        dataclasses.replace(settings, workspace=everybody / "people" / name, workspaces=everybody) for name in "ab"
    ]
    old, new = new_folder(people[0]), new_folder(people[1])
    (old / "ct.nii").write_bytes(b"x")
    os.utime(old, (time.time() - 25 * 3600,) * 2)
    delete_old(people[1])
    assert not old.exists()
    assert new.exists()
    delete_old(people[1], now=time.time() + 25 * 3600)
    assert not new.exists()


def test_uploads_that_another_session_deletes_meanwhile_are_no_fault(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = [new_folder(settings) for _ in range(3)]
    delete = uploaded_ct.delete_folder

    def delete_with_all_others(_: Path) -> None:
        for one in old:
            delete(one)

    monkeypatch.setattr(uploaded_ct, "delete_folder", delete_with_all_others)
    delete_old(settings, now=time.time() + 25 * 3600)
    assert not any(one.exists() for one in old)


def test_a_file_is_read_from_its_beginning_and_only_a_whole_one_is_kept(folder: Path) -> None:
    class EndsInTheMiddle(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise KeyboardInterrupt
            return super().read(3)

    with pytest.raises(KeyboardInterrupt):
        keep_mask("mask.nii", EndsInTheMiddle(b"content"), folder, 1)
    assert not list(folder.iterdir())
    source = io.BytesIO(b"content")
    source.read(3)
    assert keep_mask("mask.nii", source, folder, 1).read_bytes() == b"content"
