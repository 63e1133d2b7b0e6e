"""Folders of DICOM slices, written slice by slice with pydicom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, generate_uid

from embeddings.imaging.images import ImageError, inspect, read_image

ROWS, COLUMNS = 6, 8


def slice_file(path: Path, series: str, position: tuple[float, ...], stored: np.ndarray, **changes: object) -> None:
    """One CT slice; `changes` overrides any attribute."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.Modality = series, "1.2.3", "CT"
    ds.ImagePositionPatient = [float(v) for v in position]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [0.9, 0.6]  # row distance (y), column distance (x)
    ds.Rows, ds.Columns = stored.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 1
    ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
    ds.PixelData = stored.astype("<i2").tobytes()
    for name, value in changes.items():
        setattr(ds, name, value)
    ds.save_as(path)


def series_folder(
    folder: Path,
    heights: tuple[float, ...] = (0.0, 2.5, 5.0, 7.5),
    series: str = "1.2.3.4",
    **changes: object,
) -> np.ndarray:
    """Slices at the heights, file names in no order of height; the stored values `[z, y, x]`."""
    folder.mkdir(exist_ok=True)
    stored = np.random.default_rng(0).integers(0, 3000, (len(heights), ROWS, COLUMNS))
    for i, height in enumerate(heights):
        slice_file(folder / f"{series}.{(i * 7) % 11}.dcm", series, (-20, -30, height), stored[i], **changes)
    return stored


def test_slices_are_ordered_by_position_and_come_in_hu(tmp_path: Path) -> None:
    stored = series_folder(tmp_path / "ct")
    volume = read_image(tmp_path / "ct")
    np.testing.assert_array_equal(volume.array, stored - 1024)
    assert volume.spacing == pytest.approx((0.6, 0.9, 2.5))
    assert volume.origin == (-20.0, -30.0, 0.0)
    assert inspect(tmp_path / "ct").kind == "DICOM"


def test_each_slice_is_rescaled_by_its_own_slope(tmp_path: Path) -> None:
    stored = np.random.default_rng(1).integers(0, 2000, (3, ROWS, COLUMNS))
    (tmp_path / "ct").mkdir()
    for i, slope in enumerate((1.0, 0.5, 0.25)):
        slice_file(tmp_path / "ct" / f"{i}", "1.2", (0, 0, i * 2), stored[i], RescaleSlope=slope)
    expected = stored * np.array([1.0, 0.5, 0.25])[:, None, None] - 1024
    np.testing.assert_allclose(read_image(tmp_path / "ct").array.astype(float), expected, atol=1e-3)


def test_a_coronal_series_keeps_its_axes(tmp_path: Path) -> None:
    (tmp_path / "ct").mkdir()
    stored = np.random.default_rng(2).integers(0, 3000, (3, ROWS, COLUMNS))
    for i in range(3):
        slice_file(
            tmp_path / "ct" / f"{i}.dcm",
            "1.2",
            (1, 10 + 3 * i, 50),
            stored[i],
            ImageOrientationPatient=[1, 0, 0, 0, 0, -1],
        )
    volume = read_image(tmp_path / "ct")
    index = (2, 4, 5)
    assert volume.lps_of(index) == pytest.approx((1 + 5 * 0.6, 10 + 2 * 3, 50 - 4 * 0.9))
    assert volume.array[index] == stored[2, 4, 5] - 1024


def test_the_series_with_most_slices_is_read_and_noted(tmp_path: Path) -> None:
    series_folder(tmp_path / "ct", heights=(0, 5), series="1.1")
    stored = series_folder(tmp_path / "ct", heights=(0, 2, 4, 6), series="1.2")
    series_folder(tmp_path / "ct", heights=(0, 1, 2, 3, 4), series="1.3", ImageType=["DERIVED", "PRIMARY", "LOCALIZER"])
    (tmp_path / "ct" / "LICENCE.txt").write_text("CC BY")
    header = inspect(tmp_path / "ct")
    assert header.shape_zyx == stored.shape
    assert "2 CT series" in header.notes[0]
    assert header.notes[0].endswith("the one of 4 slices is read, left out: 2 slices")
    np.testing.assert_array_equal(read_image(tmp_path / "ct").array, stored - 1024)


@pytest.mark.parametrize(
    ("heights", "said"),
    [
        ((0, 2, 4, 8, 10), "lacks 1 slice "),
        ((0, 2, 4, 10, 12), "lacks 2 slices"),
        ((0, 2, 2, 4), "same position"),
        ((0, 2, 4.5, 6.5, 8.5), "unevenly spaced"),
        ((0,), "single slice"),
    ],
)
def test_slices_that_do_not_form_an_even_stack_are_refused(
    tmp_path: Path, heights: tuple[float, ...], said: str
) -> None:
    series_folder(tmp_path / "ct", heights=heights)
    with pytest.raises(ImageError, match=said):
        inspect(tmp_path / "ct")


def test_rounded_positions_are_even_enough(tmp_path: Path) -> None:
    series_folder(tmp_path / "ct", heights=(0, 0.62, 1.25, 1.87, 2.5))
    assert inspect(tmp_path / "ct").spacing[2] == pytest.approx(0.625)


def test_original_slices_are_preferred_to_derived_ones_and_thin_to_thick(tmp_path: Path) -> None:
    series_folder(tmp_path / "ct", heights=(0, 1, 2, 3, 4), series="1.1", ImageType=["DERIVED", "SECONDARY", "MPR"])
    series_folder(tmp_path / "ct", heights=(0, 5, 10), series="1.2", SliceThickness=5, ConvolutionKernel="B70f")
    series_folder(tmp_path / "ct", heights=(0, 2, 4), series="1.3", SliceThickness=2, ConvolutionKernel="B30f")
    header = inspect(tmp_path / "ct")
    assert header.spacing[2] == pytest.approx(2)
    assert "the one of 3 slices of 2 mm, kernel B30f is read" in header.notes[0]
    assert "3 slices of 5 mm, kernel B70f" in header.notes[0]
    assert "1.3" not in header.notes[0]


def test_slices_that_shift_sideways_unevenly_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ct").mkdir()
    for i, shift in enumerate((0, 1, 6, 7)):
        slice_file(tmp_path / "ct" / f"{i}.dcm", "1.2", (0, shift, 5 * i), np.ones((ROWS, COLUMNS)))
    with pytest.raises(ImageError, match="sideways unevenly"):
        inspect(tmp_path / "ct")


def test_other_modalities_are_named(tmp_path: Path) -> None:
    series_folder(tmp_path / "mr", Modality="MR")
    with pytest.raises(ImageError, match="modality MR, no CT"):
        inspect(tmp_path / "mr")


def test_slices_of_two_sizes_are_refused(tmp_path: Path) -> None:
    series_folder(tmp_path / "ct")
    slice_file(tmp_path / "ct" / "z.dcm", "1.2.3.4", (-20, -30, 10), np.ones((ROWS, COLUMNS + 1)))
    with pytest.raises(ImageError, match="different size"):
        inspect(tmp_path / "ct")


def test_a_slice_cut_off_in_its_pixels_is_refused(tmp_path: Path) -> None:
    series_folder(tmp_path / "ct")
    file = sorted((tmp_path / "ct").iterdir())[1]
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(ImageError, match="ct"):
        read_image(tmp_path / "ct")


def test_a_slice_without_a_position_is_refused(tmp_path: Path) -> None:
    series_folder(tmp_path / "ct")
    file = sorted((tmp_path / "ct").iterdir())[1]
    ds = pydicom.dcmread(file)
    del ds.ImagePositionPatient
    ds.save_as(file)
    with pytest.raises(ImageError, match="without position"):
        inspect(tmp_path / "ct")


def test_a_real_series_agrees_with_itk(real_ct: Path) -> None:
    folder = real_ct / "dicom" / "CRLM-CT-1004" / "image"
    volume = read_image(folder)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    assert volume.shape == (41, 512, 512)
    assert volume.array.min() == -1024  # the file pads with -3024
    np.testing.assert_array_equal(volume.array, np.maximum(sitk.GetArrayFromImage(image), -1024))
    assert volume.origin == pytest.approx(image.GetOrigin())
    assert volume.spacing == pytest.approx(image.GetSpacing())
    np.testing.assert_allclose(volume.direction.ravel(), image.GetDirection(), atol=1e-9)


@given(place=st.integers(0, 10_000), byte=st.integers(0, 255))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_byte_is_read_past_or_refused_in_one_sentence(tmp_path: Path, place: int, byte: int) -> None:
    folder = tmp_path / "ct"
    if not folder.exists():
        series_folder(folder)
    file = sorted(folder.iterdir())[1]
    whole = file.read_bytes()
    raw = bytearray(whole)
    raw[128 + place % (len(raw) - 128)] = byte
    file.write_bytes(raw)
    said = ""
    try:
        read_image(folder)
    except ImageError as error:
        said = str(error)
    finally:
        file.write_bytes(whole)
    assert "\n" not in said
    assert file.name not in said  # such names may hold a patient's


def test_a_large_deflated_file_is_not_inflated(tmp_path: Path) -> None:
    series_folder(tmp_path / "ct")
    file = next((tmp_path / "ct").iterdir())
    tags = pydicom.dcmread(file)
    tags.PixelData = np.random.default_rng(0).bytes(2 << 20)
    tags.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    tags.save_as(file)
    with pytest.raises(ImageError, match="deflated DICOM of more than 1 MiB"):
        inspect(tmp_path / "ct")
