"""Damaged inputs, each made by a function that is given a folder of its own and returns the cells of its CSV row."""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless, generate_uid

Cells = tuple[str, str]
Builder = Callable[[Path], Cells]
CORPUS: dict[str, Builder] = {}

SHAPE = (10, 16, 16)
# Byte offsets in a NIfTI-1 header.
DIM, DATATYPE, PIXDIM, VOX_OFFSET, SCL_SLOPE, SCL_INTER = 40, 70, 76, 108, 112, 116
QFORM_CODE, SFORM_CODE, QUATERN_B, SROW_X, MAGIC = 252, 254, 256, 280, 344


def hu(seed: int = 0) -> np.ndarray:
    """A small CT with air and tissue."""
    array = np.random.default_rng(seed).integers(-1000, 300, SHAPE).astype(np.int16)
    array[:, :4] = -1000
    return array


def one_voxel(value: float) -> np.ndarray:
    """The CT as float32 with one voxel of this value."""
    array = hu().astype(np.float32)
    array[5, 8, 8] = value
    return array


def write_good(folder: Path, name: str = "ct.nii.gz", array: np.ndarray | None = None) -> Path:
    """A CT that nothing is wrong with, of 2 x 2 x 3 mm."""
    image = sitk.GetImageFromArray(hu() if array is None else array)
    image.SetSpacing((2.0, 2.0, 3.0))
    sitk.WriteImage(image, str(folder / name))
    return folder / name


def write_mask(folder: Path, name: str = "mask.nii.gz", values: int = 1) -> Path:
    """A lesion of a few voxels on the grid of `write_good`."""
    array = np.zeros(SHAPE, np.uint8)
    array[4:7, 6:10, 6:10] = 1
    array[4:7, 6:10, 6] = values
    return write_good(folder, name, array)


def add(name: str) -> Callable[[Builder], Builder]:
    """Put a builder into the corpus."""

    def put(builder: Builder) -> Builder:
        assert name not in CORPUS
        CORPUS[name] = builder
        return builder

    return put


def _image(name: str, write: Callable[[Path], object], file: str = "ct.nii.gz") -> None:
    def build(folder: Path) -> Cells:
        write(folder / file)
        return file, ""

    add(name)(build)


# NIfTI: compression, header, grid, values


def _packed(change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        raw = write_good(path.parent, "whole.nii").read_bytes()
        (path.parent / "whole.nii").unlink()
        path.write_bytes(change(gzip.compress(raw, mtime=0)))

    return write


def _header(offset: int, form: str, *values: float) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        raw = bytearray(gzip.decompress(write_good(path.parent, path.name).read_bytes()))
        struct.pack_into(form, raw, offset, *values)
        path.write_bytes(gzip.compress(bytes(raw), mtime=0))

    return write


_image("nifti: gzip cut in the middle", _packed(lambda raw: raw[: len(raw) // 2]))
_image("nifti: gzip cut in the last byte", _packed(lambda raw: raw[:-1]))
_image("nifti: gzip cut in the header", _packed(lambda raw: raw[:30]))
_image("nifti: gzip of two bytes", _packed(lambda raw: raw[:2]))
_image("nifti: wrong checksum", _packed(lambda raw: raw[:-8] + bytes([raw[-8] ^ 1]) + raw[-7:]))
_image("nifti: flipped bits in the voxels", _packed(lambda raw: raw[:2000] + bytes([raw[2000] ^ 255]) + raw[2001:]))
_image("nifti: garbage in place of deflate", _packed(lambda raw: raw[:10] + b"\xff" * 500))
_image("nifti: another file packed", _packed(lambda raw: gzip.compress(b"no image " * 200)))
_image("nifti: voxels missing, whole gzip", _packed(lambda raw: gzip.compress(gzip.decompress(raw)[:2000])))
_image("nifti: a gzip bomb", _packed(lambda raw: gzip.compress(gzip.decompress(raw)[:40] + bytes(64 << 20))))
_image("nifti: wrong magic", _header(MAGIC, "4s", b"nix\0"))  # type: ignore[arg-type]
_image("nifti: claims 2^40 voxels", _header(DIM, "<4h", 3, 16384, 8192, 8192))
_image("nifti: dimensions of 32767 each", _header(DIM, "<4h", 3, 32767, 32767, 32767))
_image("nifti: a negative dimension", _header(DIM, "<4h", 3, 16, -16, 10))
_image("nifti: no dimensions", _header(DIM, "<h", 0))
_image("nifti: nine dimensions", _header(DIM, "<h", 9))
_image("nifti: an unknown kind of voxel", _header(DATATYPE, "<2h", 999, 16))
_image("nifti: colour", _header(DATATYPE, "<2h", 128, 24))
_image("nifti: complex numbers", _header(DATATYPE, "<2h", 32, 64))
_image("nifti: voxels past the end", _header(VOX_OFFSET, "<f", 1e6))
_image("nifti: a negative offset", _header(VOX_OFFSET, "<f", -352.0))
_image("nifti: an offset that is NaN", _header(VOX_OFFSET, "<f", np.nan))
_image("nifti: spacing of 0", _header(PIXDIM + 4, "<f", 0.0))
_image("nifti: negative spacing", _header(PIXDIM + 4, "<3f", -2.0, 2.0, 3.0))
_image("nifti: spacing NaN", _header(PIXDIM + 8, "<f", np.nan))
_image("nifti: spacing infinite", _header(PIXDIM + 12, "<f", np.inf))
_image("nifti: spacing of a metre", _header(PIXDIM + 4, "<3f", 1e3, 1e3, 1e3))
_image("nifti: affine NaN", _header(SROW_X, "<4f", np.nan, 0, 0, 0))
_image("nifti: affine infinite", _header(SROW_X, "<4f", np.inf, 0, 0, 0))
_image("nifti: quaternion NaN", _header(QUATERN_B, "<f", np.nan))
_image("nifti: slope infinite", _header(SCL_SLOPE, "<2f", np.inf, 0.0))
_image("nifti: intercept infinite", _header(SCL_SLOPE, "<2f", 1.0, np.inf))


@add("nifti: sheared axes")
def _(folder: Path) -> Cells:
    affine = np.array([[2.0, 0, 1.5, 0], [0, 2, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1]])
    image = nib.Nifti1Image(hu().T, affine)
    image.header.set_sform(affine, 1)
    image.header.set_qform(None, 0)
    nib.save(image, folder / "ct.nii.gz")
    return "ct.nii.gz", ""


def _array(name: str, array: Callable[[], np.ndarray]) -> None:
    def build(folder: Path) -> Cells:
        nib.save(nib.Nifti1Image(array().T, np.diag([2.0, 2.0, 3.0, 1.0])), folder / "ct.nii.gz")
        return "ct.nii.gz", ""

    add(name)(build)


_array("nifti: one slice", lambda: hu()[:1])
_array("nifti: four dimensions", lambda: np.stack([hu(), hu(1)]))
_array("nifti: every voxel the same", lambda: np.full(SHAPE, -1000, np.int16))
_array("nifti: every voxel NaN", lambda: np.full(SHAPE, np.nan, np.float32))
_array(
    "nifti: one voxel NaN", lambda: np.where(np.arange(np.prod(SHAPE)).reshape(SHAPE) == 99, np.nan, hu()).astype("f4")
)
_array(
    "nifti: one voxel infinite",
    lambda: np.where(np.arange(np.prod(SHAPE)).reshape(SHAPE) == 9, np.inf, hu()).astype("f4"),
)


# Files that are something else


_image("file: empty", lambda path: path.write_bytes(b""))
_image("file: text under an image's name", lambda path: path.write_text("case_id,stage\n" * 100))
_image("file: a ZIP under an image's name", lambda path: path.write_bytes(b"PK\x03\x04" + bytes(1000)))
_image("file: HDF5 under an image's name", lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(1000)))
_image("file: a picture", lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100)), "ct.png")
_image("file: a folder under an image's name", lambda path: path.mkdir())
_image("file: a named pipe", lambda path: os.mkfifo(path))
_image("file: a link to an endless device", lambda path: path.symlink_to("/dev/zero"), "ct.nii")
_image("file: a link to nothing", lambda path: path.symlink_to("no such file"))
_image("file: a link to itself", lambda path: path.symlink_to(path.name))


@add("path: a link out of the data root")
def _(folder: Path) -> Cells:
    outside = folder.parent.parent / "outside"
    outside.mkdir(exist_ok=True)
    write_good(outside, "secret.nii.gz")
    (folder / "ct.nii.gz").symlink_to(outside / "secret.nii.gz")
    return "ct.nii.gz", ""


add("path: out of the data root by ..")(lambda folder: ("../../../outside.nii.gz", ""))
add("path: absolute, elsewhere")(lambda folder: ("/etc/hostname", ""))
add("path: an address on the network")(lambda folder: ("https://example.org/ct.nii.gz", ""))
add("path: of a file that is not there")(lambda folder: ("no such.nii.gz", ""))
add("path: longer than a path can be")(lambda folder: ("x" * 5000 + ".nii.gz", ""))
add("path: a line break in it")(lambda folder: ("line\nbreak.nii.gz", ""))


# NRRD and MetaImage


def _text(name: str, file: str, old: str, new: str, cut: int | None = None) -> None:
    def write(path: Path) -> None:
        raw = write_good(path.parent, path.name).read_bytes()
        assert old.encode() in raw
        path.write_bytes(raw.replace(old.encode(), new.encode(), 1)[:cut])

    _image(name, write, file)


_text("nrrd: cut off", "ct.nrrd", "NRRD", "NRRD", -3000)
_text("nrrd: an unknown encoding", "ct.nrrd", "encoding: raw", "encoding: wax")
_text("nrrd: sizes of 2^40 voxels", "ct.nrrd", "sizes: 16 16 10", "sizes: 16384 8192 8192")
_text("nrrd: sizes that are no numbers", "ct.nrrd", "sizes: 16 16 10", "sizes: a b c")
_text("nrrd: directions NaN", "ct.nrrd", "(2,0,0)", "(nan,0,0)")
_text("nrrd: directions of no length", "ct.nrrd", "(2,0,0)", "(0,0,0)")
_text("nrrd: voxels in another file", "ct.nrrd", "encoding: raw", "data file: /etc/hostname\nencoding: raw")
_text("nrrd: no dimension", "ct.nrrd", "dimension: 3\n", "")
_text("nrrd: an unknown type", "ct.nrrd", "type: short", "type: block")
_text("mha: cut off", "ct.mha", "ObjectType", "ObjectType", -3000)
_text("mha: spacing of 0", "ct.mha", "ElementSpacing = 2 2 3", "ElementSpacing = 0 2 3")
_text("mha: negative spacing", "ct.mha", "ElementSpacing = 2 2 3", "ElementSpacing = -2 2 3")
_text("mha: 2^40 voxels", "ct.mha", "DimSize = 16 16 10", "DimSize = 16384 8192 8192")
_text("mha: seven dimensions", "ct.mha", "NDims = 3", "NDims = 7")
_text("mha: voxels in another folder", "ct.mha", "ElementDataFile = LOCAL", "ElementDataFile = ../../etc/hostname")
_text("mha: voxels in many files", "ct.mha", "ElementDataFile = LOCAL", "ElementDataFile = LIST")
_text("mha: an unknown type", "ct.mha", "MET_SHORT", "MET_OTHER")


@add("mhd: its voxel file is missing")
def _(folder: Path) -> Cells:
    write_good(folder, "ct.mhd")
    (folder / "ct.raw").unlink()
    return "ct.mhd", ""


@add("mha: damaged compression")
def _(folder: Path) -> Cells:
    image = sitk.GetImageFromArray(hu())
    sitk.WriteImage(image, str(folder / "ct.mha"), True)
    raw = (folder / "ct.mha").read_bytes()
    at = raw.index(b"LOCAL\n") + 6
    (folder / "ct.mha").write_bytes(raw[:at] + zlib.compress(b"short"))
    return "ct.mha", ""


# DICOM


def _slice(path: Path, height: float, **changes: object) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.Modality = "1.2.3.4", "1.2.3", "CT"
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0.0, 0.0, height], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.Rows, ds.Columns = [2, 2], 16, 16
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 1
    ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
    ds.PixelData = (hu()[int(height) % 10].astype(int) + 1024).astype("<i2").tobytes()
    for name, value in changes.items():
        if value is None:
            delattr(ds, name)
        elif name == "TransferSyntaxUID":
            ds.file_meta.TransferSyntaxUID = value
            ds["PixelData"].is_undefined_length = True
        else:
            setattr(ds, name, value)
    ds.save_as(path)


def _series(name: str, every: dict[str, object] | None = None, **third: object) -> None:
    """Ten slices 3 mm apart; `every` changes all of them, the other changes are of the third alone."""

    def build(folder: Path) -> Cells:
        (folder / "ct").mkdir()
        for number in range(10):
            changes = (every or {}) | (third if number == 3 else {})
            height = changes.pop("height", 3.0 * number)
            _slice(folder / "ct" / f"{number}.dcm", float(str(height)), **changes)
        return "ct", ""

    add(name)(build)


_series("dicom: two slices at one place", height=6.0)
_series("dicom: a slice out of its place", height=10.4)
_series("dicom: a slice without a place", ImagePositionPatient=None)
_series("dicom: a place that is not finite", ImagePositionPatient=["0", "0", "nan"])
_series("dicom: no pixel size", {"PixelSpacing": None})
_series("dicom: a pixel size of 0", {"PixelSpacing": [0, 0]})
_series("dicom: a slice of another size", Rows=8, PixelData=bytes(8 * 16 * 2))
_series("dicom: a slice of another direction", ImageOrientationPatient=[0, 1, 0, 1, 0, 0])
_series("dicom: a slice without pixels", PixelData=None)
_series("dicom: too few pixels", PixelData=bytes(100))
_series("dicom: an MR series", {"Modality": "MR"})
_series("dicom: nothing but a scout", {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})
_series("dicom: more frames than there are", {"NumberOfFrames": 1000})
_series("dicom: no rows", {"Rows": 0})
_series("dicom: rows of 65535", {"Rows": 65535, "Columns": 65535})
_series(
    "dicom: JPEG 2000 that is none",
    {"TransferSyntaxUID": JPEG2000Lossless, "PixelData": encapsulate([b"\xff\x4f\xff\x51 no picture"])},
)


def _files(name: str, write: Callable[[Path], object]) -> None:
    def build(folder: Path) -> Cells:
        (folder / "ct").mkdir()
        for number in range(10):
            _slice(folder / "ct" / f"{number}.dcm", 3.0 * number)
        write(folder / "ct")
        return "ct", ""

    add(name)(build)


def _shorten(path: Path, n_bytes: int) -> None:
    path.write_bytes(path.read_bytes()[:n_bytes])


_files("dicom: a slice is missing", lambda folder: (folder / "4.dcm").unlink())
_files("dicom: a slice cut off", lambda folder: _shorten(folder / "4.dcm", -300))
_files("dicom: a slice cut in its header", lambda folder: _shorten(folder / "4.dcm", 400))
_files("dicom: one slice alone", lambda folder: [(folder / f"{n}.dcm").unlink() for n in range(1, 10)])
_files("dicom: empty files", lambda folder: [(folder / f"{n}.dcm").write_bytes(b"") for n in range(10)])
_files("dicom: an empty folder", lambda folder: [(folder / f"{n}.dcm").unlink() for n in range(10)])
_files("dicom: text files", lambda folder: [(folder / f"{n}.dcm").write_text("no slice") for n in range(10)])


@add("dicom: one file of a series")
def _(folder: Path) -> Cells:
    _slice(folder / "0.dcm", 0.0)
    return "0.dcm", ""


# Masks: these are embedded as volumes, but not as lesions


def _moved(path: Path) -> None:
    image = sitk.ReadImage(str(path))
    image.SetOrigin((1000.0, 0.0, 0.0))
    sitk.WriteImage(image, str(path))


def _mask(name: str, write: Callable[[Path], object]) -> None:
    def build(folder: Path) -> Cells:
        write_good(folder)
        write(folder)
        return "ct.nii.gz", "mask.nii.gz"

    add(name)(build)


_mask("mask: beside the image", lambda folder: _moved(write_mask(folder)))
_mask("mask: nothing in it", lambda folder: write_good(folder, "mask.nii.gz", np.zeros(SHAPE, np.uint8)))
_mask("mask: two labels", lambda folder: write_mask(folder, values=2))
_mask("mask: cut off", lambda folder: _shorten(write_mask(folder), 60))
_mask("mask: no image", lambda folder: (folder / "mask.nii.gz").write_text("no mask"))
_mask("mask: not there", lambda folder: None)
