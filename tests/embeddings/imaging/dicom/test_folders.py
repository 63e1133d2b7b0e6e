"""Other files in a folder of slices: lost slices are counted, copies read once, files without preamble read."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import JPEGLSLossless, generate_uid

from embeddings import job
from embeddings.cohort.read import read_cohort
from embeddings.imaging.images import ImageError, content_sha256, inspect, read_image
from embeddings.store.store import Store
from flexict.volume import Volume
from tests.embeddings.dicom_files import write_ct_series
from tests.embeddings.imaging.dicom.test_multiframe import write_enhanced
from tests.embeddings.job.conftest import TinyEncoder

N = 24
LOST: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda raw: b"",
    "zeros": lambda raw: bytes(len(raw)),
    "an error page": lambda raw: b"<!DOCTYPE html>\n<html><body>503 Service Unavailable</body></html>\n",
    "garbage": lambda raw: np.random.default_rng(0).bytes(len(raw)),
    "a header without its end": lambda raw: raw[:132],
    "zeros after the meta information": lambda raw: raw[:340] + bytes(len(raw) - 340),
}
PLACES = {"the middle": range(8, 16), "the start": range(8), "the end": range(16, 24), "every third": range(1, 24, 3)}


def scan(n: int = N, seed: int = 0) -> Volume:
    array = np.random.default_rng(seed).integers(-1000, 1500, (n, 12, 14)).astype(np.int16)
    return Volume(array, (0.7, 0.9, 2.5), (-31.0, 12.0, -205.0), np.eye(3))


def spoil(folder: Path, numbers: range | list[int], change: Callable[[bytes], bytes]) -> None:
    files = sorted(folder.iterdir())
    for number in numbers:
        files[number].write_bytes(change(files[number].read_bytes()))


def refusal(folder: Path) -> str:
    """What `inspect` and `read_image` say alike."""
    said = []
    for read in (inspect, read_image):
        with pytest.raises(ImageError) as caught:
            read(folder)
        said.append(str(caught.value))
    assert said[0] == said[1]
    return said[0]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", LOST)
def test_a_scan_with_lost_slices_is_refused_and_they_are_counted(tmp_path: Path, kind: str, place: str) -> None:
    folder = write_ct_series(tmp_path / "ct", scan())
    spoil(folder, PLACES[place], LOST[kind])
    said = refusal(folder)
    assert "contains 8 files that cannot be read as DICOM" in said
    assert "beside 16 slices" in said


@pytest.mark.parametrize("kind", ["empty", "zeros", "garbage", "an error page"])
@pytest.mark.parametrize("rename", ["{0:03}", "IM{0:05}", "1.2.840.113619.2.55.{0}", "{0:03}.IMA", "CT_{0}.slice"])
def test_lost_slices_are_recognised_by_any_naming_of_slices(tmp_path: Path, rename: str, kind: str) -> None:
    folder = write_ct_series(tmp_path / "ct", scan())
    for number, file in enumerate(sorted(folder.iterdir())):
        file.rename(folder / rename.format(number))
    spoil(folder, [22, 23], LOST[kind])
    assert "contains 2 files that cannot be read as DICOM" in refusal(folder)


def test_slices_without_a_modality_are_not_silently_left_out(tmp_path: Path) -> None:
    folder = write_ct_series(tmp_path / "ct", scan())
    files = sorted(folder.iterdir())
    for file in files[20:]:
        ds = pydicom.dcmread(file)
        del ds.Modality
        ds.save_as(file)
    assert "contains 4 files that cannot be read as DICOM slices" in refusal(folder)
    for file in files:
        ds = pydicom.dcmread(file)
        ds.Modality = ""
        ds.save_as(file)
    assert "contains DICOM of modality unknown" in refusal(folder)


def test_an_incomplete_download_is_a_lost_slice(tmp_path: Path) -> None:
    folder = write_ct_series(tmp_path / "ct", scan())
    last = sorted(folder.iterdir())[-1]
    last.rename(f"{last}.part").write_bytes(b"\0" * 900)
    assert "contains 1 file that cannot be read as DICOM" in refusal(folder)


def test_files_that_are_clearly_not_slices_are_accepted_beside_them(tmp_path: Path) -> None:
    volume = scan()
    folder = write_ct_series(tmp_path / "ct", volume)
    for name, content in {
        "DICOMDIR": b"\0" * 900,
        "LICENSE": b"CC BY",
        "README2": b"see README",
        "DONE": b"",
        "notes.txt": b"",
        "preview_01.png": b"\x89PNG\r\n\x1a\n",
        "scan_01.jpg": b"\xff\xd8\xff\xe0",
        "01.json": b"{}",
        "index.html": b"<html>",
        "viewer.exe": b"MZ" + bytes(99),
        "002.dcm.md5": b"d41d8cd98f00b204e9800998ecf8427e",
        "Thumbs.db": bytes(99),
        "sync.tmp": bytes(99),
        ".DS_Store": bytes(99),
    }.items():
        (folder / name).write_bytes(content)
    np.testing.assert_array_equal(read_image(folder).array, volume.array)
    assert inspect(folder).notes == ()


def test_a_folder_of_only_lost_slices_states_their_number(tmp_path: Path) -> None:
    folder = write_ct_series(tmp_path / "ct", scan())
    spoil(folder, range(N), LOST["zeros"])
    assert "contains 24 files that cannot be read as DICOM slices and no DICOM slices" in refusal(folder)


def test_a_series_that_states_its_number_of_images_is_read_if_complete(tmp_path: Path) -> None:
    def counted(ds: Dataset) -> None:
        ds.AcquisitionNumber, ds.ImagesInAcquisition = 1, N

    volume = scan()
    folder = write_ct_series(tmp_path / "ct", volume, counted)
    (folder / "024.dcm").write_bytes(b"")
    (folder / "025.dcm").write_bytes(b"")
    np.testing.assert_array_equal(read_image(folder).array, volume.array)
    (note,) = inspect(folder).notes
    assert note == (
        "2 files that cannot be read as DICOM slices are left out: the series states 24 images, and all are present"
    )
    spoil(folder, [23], LOST["empty"])  # now it has fewer than it says
    assert "contains 3 files that cannot be read as DICOM" in refusal(folder)


def test_lost_slices_of_a_real_series_are_counted(real_ct: Path, tmp_path: Path) -> None:
    source = real_ct / "dicom" / "CRLM-CT-1004" / "image"
    folder = Path(shutil.copytree(source, tmp_path / "ct"))
    spoil(folder, range(30, 41), LOST["zeros"])
    assert (
        "contains 11 files that cannot be read as DICOM slices (empty, damaged or of another kind) beside 30"
        in refusal(folder)
    )


def test_validate_reports_lost_slices_as_embed_records_them(tmp_path: Path) -> None:
    folder = write_ct_series(tmp_path / "ct", scan())
    spoil(folder, range(16, 24), LOST["zeros"])
    csv = tmp_path / "cohort.csv"
    write_ct_series(tmp_path / "whole", scan())
    csv.write_text("case_id,patient_id,image_path\na,p,ct\nb,q,whole\n")
    (problem,) = read_cohort(csv).problems
    assert (problem.case_id, problem.severity) == ("a", "error")
    assert "contains 8 files that cannot be read" in problem.reason
    job.run(csv, tmp_path / "out.duckdb", encoder=TinyEncoder(), view="volume", workers=1)
    failures = Store(tmp_path / "out.duckdb").failures()
    assert failures[["case_id", "reason"]].to_numpy().tolist() == [["a", problem.reason]]


# Without the 128 bytes and DICM before the data


def bare(file: Path, form: str) -> None:
    """Write a file again without its preamble: with its meta information, or the data set alone."""
    if form == "meta information":
        file.write_bytes(file.read_bytes()[132:])
        return
    ds = pydicom.dcmread(file)
    content = DicomBytesIO()
    content.is_implicit_VR, content.is_little_endian = form == "implicit", form != "big endian"
    if form == "big endian" and "PixelData" in ds:
        ds.PixelData = np.frombuffer(ds.PixelData, "<i2").astype(">i2").tobytes()
        ds["PixelData"].VR = "OW"
    write_dataset(content, ds)
    file.write_bytes(content.getvalue())


FORMS = ["meta information", "implicit", "explicit", "big endian"]


@pytest.mark.parametrize("form", FORMS)
def test_slices_without_preamble_are_read_as_itk_reads_them(tmp_path: Path, form: str) -> None:
    volume = scan()
    folder = write_ct_series(tmp_path / "ct", volume)
    for file in folder.iterdir():
        bare(file, form)
    found = read_image(folder)
    np.testing.assert_array_equal(found.array, volume.array)
    assert found.same_grid(volume)
    files = [str(file) for file in sorted(folder.iterdir())]
    by_itk = sitk.GetArrayFromImage(sitk.ReadImage(files, imageIO="GDCMImageIO"))
    np.testing.assert_array_equal(found.array, by_itk)


@pytest.mark.parametrize("form", FORMS)
def test_frames_without_preamble_are_read(tmp_path: Path, form: str) -> None:
    volume = scan(5)
    path = write_enhanced(tmp_path / "all.dcm", volume)
    bare(path, form)
    np.testing.assert_array_equal(read_image(path).array, volume.array)


def test_a_slice_without_preamble_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    folder = write_ct_series(tmp_path / "ct", scan())
    for file in folder.iterdir():
        bare(file, "implicit")
    spoil(folder, [5], lambda raw: raw[:-50])
    assert "fewer pixels than its header claims" in refusal(folder)


def test_some_slices_without_preamble_are_not_left_out(tmp_path: Path) -> None:
    volume = scan()
    folder = write_ct_series(tmp_path / "ct", volume)
    for file in sorted(folder.iterdir())[16:]:
        bare(file, "explicit")
    np.testing.assert_array_equal(read_image(folder).array, volume.array)


def test_a_real_series_without_preamble_is_the_same_scan(real_ct: Path, tmp_path: Path) -> None:
    source = real_ct / "dicom" / "CRLM-CT-1004" / "image"
    folder = Path(shutil.copytree(source, tmp_path / "ct"))
    for file in folder.iterdir():
        file.chmod(0o644)
        bare(file, "meta information")
    np.testing.assert_array_equal(read_image(folder).array, read_image(source).array)


# Slices that lie there twice


def recompress(ds: Dataset) -> None:
    ds.compress(JPEGLSLossless, generate_instance_uid=False)


def renew(ds: Dataset) -> None:
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()


CHANGES: dict[str, Callable[[Dataset], object]] = {
    "the same bytes": lambda ds: None,
    "other tags": lambda ds: setattr(ds, "InstanceCreationTime", "101010"),
    "another SOP instance UID": renew,
    "lossless compression": recompress,
}


@pytest.mark.parametrize("change", CHANGES)
def test_repeated_slices_are_read_once(tmp_path: Path, change: str) -> None:
    if change == "lossless compression":
        pytest.importorskip("jpeg_ls", reason="pyjpegls, which writes JPEG-LS, is not installed")
    volume = scan()
    folder = write_ct_series(tmp_path / "ct", volume)
    for file in sorted(folder.iterdir())[:5]:
        copy = folder / f"copy of {file.name}"
        shutil.copy(file, copy)
        if change != "the same bytes":
            ds = pydicom.dcmread(copy)
            CHANGES[change](ds)
            ds.save_as(copy)
    found = read_image(folder)
    np.testing.assert_array_equal(found.array, volume.array)
    assert found.same_grid(volume)
    header = inspect(folder)
    assert header.shape_zyx == volume.shape
    assert header.notes == ("5 of its files are copies of another: each slice is read once",)


def test_validate_notes_copies(tmp_path: Path) -> None:
    folder = write_ct_series(tmp_path / "ct", scan())
    shutil.copy(folder / "003.dcm", folder / "003 (1).dcm")
    csv = tmp_path / "cohort.csv"
    csv.write_text("case_id,patient_id,image_path\na,p,ct\n")
    report = read_cohort(csv)
    assert [(p.severity, p.reason) for p in report.problems] == [
        ("warning", "1 of its files is a copy of another: each slice is read once")
    ]
    assert len(report.cases) == 1


def test_different_images_at_one_position_are_refused_even_under_one_uid(tmp_path: Path) -> None:
    folder = write_ct_series(tmp_path / "ct", scan())
    ds = pydicom.dcmread(folder / "003.dcm")
    ds.PixelData = bytes(2) + ds.PixelData[2:]
    ds.save_as(folder / "003 (1).dcm")
    assert "two different slices at the same position" in refusal(folder)


def test_copies_do_not_make_a_series_longer(tmp_path: Path) -> None:
    longer = scan(8, seed=1)
    folder = write_ct_series(tmp_path / "ct", longer)
    for file in list(folder.iterdir()):
        file.rename(folder / f"b{file.name}")

    def other(ds: Dataset) -> None:
        ds.SeriesInstanceUID = "1.2.3.9"

    write_ct_series(folder, scan(6), other)
    for file in list(folder.glob("0*")):
        shutil.copy(file, folder / f"copy {file.name}")
    np.testing.assert_array_equal(read_image(folder).array, longer.array)


def test_a_repeated_multiframe_file_is_read_once(tmp_path: Path) -> None:
    volume = scan(5)
    (tmp_path / "ct").mkdir()
    write_enhanced(tmp_path / "ct" / "all.dcm", volume)
    shutil.copy(tmp_path / "ct" / "all.dcm", tmp_path / "ct" / "again.dcm")
    np.testing.assert_array_equal(read_image(tmp_path / "ct").array, volume.array)
    assert "copy of another" in inspect(tmp_path / "ct").notes[0]


def test_the_hash_of_a_folder_covers_files_that_are_left_out(tmp_path: Path) -> None:
    folder = write_ct_series(tmp_path / "ct", scan(4))
    before = content_sha256(folder)
    shutil.copy(folder / "003.dcm", folder / "copy.dcm")
    assert content_sha256(folder) != before


def test_a_binary_file_that_begins_like_dicom_is_not_a_slice(tmp_path: Path) -> None:
    volume = scan()
    folder = write_ct_series(tmp_path / "ct", volume)
    content = io.BytesIO(b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100" + b"\xff" * 300)
    (folder / "viewer.bin").write_bytes(content.getvalue())
    np.testing.assert_array_equal(read_image(folder).array, volume.array)
