"""Enhanced CT: position and HU of frames; every transfer syntax gives the same voxels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from embeddings.imaging.images import ImageError, inspect, read_image
from flexict.volume import Volume
from tests.embeddings.dicom_files import new_file, numbers, write_ct_series

SHAPE = (6, 9, 11)


def grid() -> Volume:
    """An oblique CT of whole HU."""
    angle = np.radians(10)
    axes = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    array = np.random.default_rng(1).integers(-1000, 1500, SHAPE).astype(np.int16)
    return Volume(array, (0.8, 0.9, 2.5), (-20.0, 30.0, -150.0), axes)


def write_enhanced(
    path: Path,
    volume: Volume,
    order: list[int] | None = None,
    slopes: list[float] | None = None,
    compress: Any = None,
    **changes: object,
) -> Path:
    """One file of all slices; slopes of their own make stored numbers differ from frame to frame."""
    order = order or list(range(len(volume.array)))
    slopes = slopes or [1.0] * len(order)
    ds = new_file(path, EnhancedCTImageStorage, "CT")
    ds.NumberOfFrames, (_, ds.Rows, ds.Columns) = len(order), volume.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 1
    shared, pixels, axes = Dataset(), Dataset(), Dataset()
    pixels.PixelSpacing = numbers([volume.spacing[1], volume.spacing[0]])
    axes.ImageOrientationPatient = numbers(volume.direction[:, :2].T)
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [pixels], [axes]
    ds.SharedFunctionalGroupsSequence = [shared]
    frames, stored = [], []
    for z, slope in zip(order, slopes, strict=True):
        frame, place, values = Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = numbers(volume.lps_of((z, 0, 0)))
        values.RescaleSlope, values.RescaleIntercept = numbers([slope])[0], "-1000"
        frame.PlanePositionSequence, frame.PixelValueTransformationSequence = [place], [values]
        frames.append(frame)
        stored.append((volume.array[z].astype(int) + 1000) / slope)
    ds.PerFrameFunctionalGroupsSequence = frames
    ds.PixelData = np.round(stored).astype("<i2").tobytes()
    for name, value in changes.items():
        if value is None:
            delattr(ds, name)
        else:
            setattr(ds, name, value)
    if compress is not None:
        ds.compress(compress)
    ds.save_as(path)
    return path


@pytest.mark.parametrize("in_folder", [False, True], ids=["the file", "its folder"])
def test_frames_are_ordered_by_position_and_come_in_hu(tmp_path: Path, in_folder: bool) -> None:
    volume = grid()
    (tmp_path / "ct").mkdir()
    path = write_enhanced(tmp_path / "ct" / "all.dcm", volume, order=[3, 0, 5, 1, 4, 2])
    found = read_image(path.parent if in_folder else path)
    np.testing.assert_array_equal(found.array, volume.array)
    assert found.same_grid(volume)
    assert inspect(path).kind == "DICOM"


def test_each_frame_is_rescaled_by_its_own_slope(tmp_path: Path) -> None:
    volume = grid()
    slopes = [1.0, 0.5, 2.0, 0.25, 1.0, 0.5]
    found = read_image(write_enhanced(tmp_path / "all.dcm", volume, slopes=slopes))
    np.testing.assert_allclose(found.array, volume.array, atol=1.01)  # a slope of 2 keeps even numbers only
    np.testing.assert_array_equal(found.array[1], volume.array[1])


@pytest.mark.parametrize("compress", [RLELossless, JPEGLSLossless], ids=["RLE", "JPEG-LS"])
@pytest.mark.parametrize("slopes", [None, [1.0, 0.5, 1.0, 0.25, 1.0, 0.5]], ids=["one slope", "many slopes"])
def test_compressed_frames_are_the_same_voxels(tmp_path: Path, compress: Any, slopes: list[float] | None) -> None:
    pytest.importorskip("jpeg_ls", reason="pyjpegls, which writes JPEG-LS, is not installed")
    volume = grid()
    found = read_image(write_enhanced(tmp_path / "all.dcm", volume, slopes=slopes, compress=compress))
    np.testing.assert_array_equal(found.array, volume.array)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"NumberOfFrames": 60}, "fewer pixels than its header claims"),
        ({"NumberOfFrames": 5}, "5 frames but positions for 6"),
        ({"PerFrameFunctionalGroupsSequence": None}, "6 frames but positions for 0"),
        ({"SharedFunctionalGroupsSequence": None}, "frames without position, orientation or pixel size"),
        ({"PixelData": bytes(10)}, "fewer pixels than its header claims"),
        ({"Modality": "MR"}, "modality MR"),
    ],
    ids=["too many frames", "too few frames", "no places", "no sizes", "no pixels", "MR"],
)
def test_an_enhanced_file_with_a_wrong_header_is_refused(
    tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    path = write_enhanced(tmp_path / "all.dcm", grid(), **changes)
    with pytest.raises(ImageError, match=sentence):
        read_image(path)


def test_a_single_frame_is_not_a_volume(tmp_path: Path) -> None:
    folder = write_ct_series(tmp_path / "ct", grid())
    with pytest.raises(ImageError, match="give the folder that contains the series"):
        read_image(next(folder.iterdir()))


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
        JPEGLSLossless,
        "JPEG2000",
        "JPEG",
    ],
    ids=["implicit", "explicit", "big endian", "deflated", "RLE", "JPEG-LS", "JPEG 2000", "JPEG lossless"],
)
def test_slices_of_every_transfer_syntax_are_the_same_voxels(tmp_path: Path, syntax: Any) -> None:
    import pydicom

    volume = Volume(grid().array, (0.8, 0.9, 2.5), (-20.0, 30.0, -150.0), np.eye(3))
    folder = write_ct_series(tmp_path / "ct", volume)
    for file in sorted(folder.iterdir()):
        ds = pydicom.dcmread(file)
        if syntax in ("JPEG2000", "JPEG"):
            _write_with_gdcm(file, ds, syntax)
            continue
        if syntax in (RLELossless, JPEGLSLossless):
            if syntax == JPEGLSLossless:
                pytest.importorskip("jpeg_ls", reason="pyjpegls, which writes JPEG-LS, is not installed")
            ds.compress(syntax)
        elif syntax == ExplicitVRBigEndian:
            ds.PixelData = np.frombuffer(ds.PixelData, "<i2").astype(">i2").tobytes()
            ds["PixelData"].VR = "OW"
        ds.file_meta.TransferSyntaxUID = syntax
        pydicom.dcmwrite(
            file, ds, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian, force_encoding=True
        )
    written = {pydicom.dcmread(file).file_meta.TransferSyntaxUID for file in folder.iterdir()}
    assert written == {{"JPEG2000": JPEG2000Lossless, "JPEG": JPEGLosslessSV1}.get(syntax, syntax)}
    found = read_image(folder)
    np.testing.assert_array_equal(found.array, volume.array)
    assert found.same_grid(volume)


def _write_with_gdcm(file: Path, ds: Dataset, compressor: str) -> None:
    """SimpleITK writes JPEG 2000 and lossless JPEG."""
    image = sitk.Cast(sitk.ReadImage(str(file), imageIO="GDCMImageIO"), sitk.sitkInt16)
    for key in ("SeriesInstanceUID", "ImagePositionPatient", "ImageOrientationPatient", "RescaleIntercept"):
        element = ds[key]
        value = element.value if isinstance(element.value, str) else element.to_json_dict(None, 0)["Value"]
        text = "\\".join(map(str, value)) if isinstance(value, list) else str(value)
        image.SetMetaData(f"{element.tag.group:04x}|{element.tag.element:04x}", text)
    image.SetMetaData("0008|0060", "CT")
    image.SetMetaData("0028|1053", "1")
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.SetFileName(str(file))
    writer.KeepOriginalImageUIDOn()
    writer.SetUseCompression(True)
    writer.SetCompressor(compressor)
    writer.Execute(image)
