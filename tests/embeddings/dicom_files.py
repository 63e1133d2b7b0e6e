"""DICOM CT series, segmentations and structure sets, written with pydicom by the standard (PS3.3 A.3, A.51, A.19)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    RTStructureSetStorage,
    SegmentationStorage,
    generate_uid,
)

from flexict.volume import Volume

Tagged = Callable[[Dataset], None]

TURN = np.deg2rad(20)
OBLIQUE = np.array([[np.cos(TURN), 0, np.sin(TURN)], [0, 1, 0], [-np.sin(TURN), 0, np.cos(TURN)]])
DIRECTIONS = {"LPS": np.eye(3), "RAS": np.diag([-1.0, -1.0, 1.0]), "oblique": OBLIQUE, "upside down": -np.eye(3)}


def grid_of(shape: tuple[int, int, int] = (9, 13, 11), direction: NDArray[np.float64] = DIRECTIONS["LPS"]) -> Volume:
    """A CT of nothing, of 0.7 x 0.9 x 2.5 mm."""
    return Volume(np.zeros(shape, np.int16), (0.7, 0.9, 2.5), (-31.4, 12.7, -205.5), direction)


def blob(shape: Sequence[int], seed: int = 0) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random(shape) < 0.3


def on_plane(grid: Volume, z: float, points_yx: NDArray[np.floating]) -> NDArray[np.float64]:
    """An outline given in indices, in LPS mm."""
    return grid.lps_of(np.column_stack([np.full(len(points_yx), z), points_yx]))


def box(y0: float, y1: float, x0: float, x1: float) -> NDArray[np.float64]:
    return np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]])


def new_file(path: Path, sop_class: UID, modality: str, syntax: UID = ExplicitVRLittleEndian) -> FileDataset:
    """A DICOM file of a kind that holds nothing yet; its UID follows from its name."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[path.name, modality])
    meta.TransferSyntaxUID = syntax
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = sop_class, meta.MediaStorageSOPInstanceUID, modality
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    return ds


def numbers(values: Sequence[float] | NDArray[np.floating]) -> list[str]:
    """Decimal strings of at most 16 characters, as DICOM stores them."""
    return [f"{v:.8g}"[:16] for v in np.asarray(values, dtype=float).ravel()]


def write_ct_series(folder: Path, volume: Volume, change: Tagged = lambda ds: None) -> Path:
    """A slice a file, stored with an intercept of -1024; the grid must be right-handed."""
    folder.mkdir(exist_ok=True)
    for z, plane in enumerate(volume.array):
        path = folder / f"{z:03}.dcm"
        ds = new_file(path, CTImageStorage, "CT")
        ds.ImagePositionPatient = numbers(volume.lps_of((z, 0, 0)))
        ds.ImageOrientationPatient = numbers(volume.direction[:, :2].T)
        ds.PixelSpacing = numbers([volume.spacing[1], volume.spacing[0]])
        ds.Rows, ds.Columns = plane.shape
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated = ds.BitsStored = 16
        ds.HighBit, ds.PixelRepresentation = 15, 1
        ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
        ds.PixelData = (plane.astype(int) + 1024).astype("<i2").tobytes()
        change(ds)
        ds.save_as(path)
    return folder


def write_seg(
    path: Path,
    grid: Volume,
    frames: NDArray[np.integer],
    places: Sequence[tuple[float, float, float]] | None = None,
    *,
    axes: NDArray[np.floating] | None = None,
    pixel_mm: Sequence[float] | None = None,
    highest: int | None = None,
    segments: Sequence[int] = (1,),
    syntax: UID = ExplicitVRLittleEndian,
    change: Tagged = lambda ds: None,
) -> Path:
    """Frames `[n, rows, columns]`, binary, or fractions up to `highest`.

    Args:
        grid: whose slices the frames lie on, in order, unless said otherwise.
        places: index (z, y, x) on the grid of each frame's first pixel.
        axes: the six numbers of ImageOrientationPatient.
        pixel_mm: row and column distance.
    """
    n, rows, columns = frames.shape
    places = [(z, 0, 0) for z in range(n)] if places is None else places
    ds = new_file(path, SegmentationStorage, "SEG", syntax)
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.Rows, ds.Columns, ds.NumberOfFrames = rows, columns, n
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    bits = 1 if highest is None else 8
    ds.BitsAllocated = ds.BitsStored = bits
    ds.HighBit = bits - 1
    ds.SegmentationType = "BINARY" if highest is None else "FRACTIONAL"
    if highest is not None:
        ds.SegmentationFractionalType, ds.MaximumFractionalValue = "OCCUPANCY", highest
    ds.SegmentSequence = [_segment(number) for number in segments]
    shared = Dataset()
    orientation, measures = Dataset(), Dataset()
    orientation.ImageOrientationPatient = numbers(grid.direction[:, :2].T if axes is None else axes)
    measures.PixelSpacing = numbers([grid.spacing[1], grid.spacing[0]] if pixel_mm is None else pixel_mm)
    measures.SliceThickness = numbers([grid.spacing[2]])[0]
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    ds.SharedFunctionalGroupsSequence = [shared]
    ds.PerFrameFunctionalGroupsSequence = [
        _frame(grid.lps_of(place), segments[i % len(segments)]) for i, place in enumerate(places)
    ]
    stored = np.packbits(frames.ravel() != 0, bitorder="little") if highest is None else frames.astype(np.uint8)
    data = stored.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OB"
    change(ds)
    if syntax.is_compressed:
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.compress(syntax, generate_instance_uid=False)
    ds.save_as(path)
    return path


def named(*names: str) -> Tagged:
    """A change that gives the segments of a SEG their names."""

    def change(ds: Dataset) -> None:
        for segment, name in zip(ds.SegmentSequence, names, strict=True):
            segment.SegmentLabel = name

    return change


def write_labelmap(path: Path, grid: Volume, stored: NDArray[np.integer], names: dict[int, str], bits: int = 8) -> Path:
    """A label map segmentation (PS3.3 A.51 with the SOP class of Supplement 243), a frame a slice of `grid`."""

    def change(ds: Dataset) -> None:
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.66.7")
        ds.SegmentationType, ds.BitsAllocated, ds.BitsStored, ds.HighBit = "LABELMAP", bits, bits, bits - 1
        del ds.SegmentationFractionalType, ds.MaximumFractionalValue
        for frame in ds.PerFrameFunctionalGroupsSequence:
            del frame.SegmentIdentificationSequence
        data = stored.astype(f"<u{bits // 8}").tobytes()
        ds.PixelData = data + b"\0" * (len(data) % 2)
        ds["PixelData"].VR = "OW" if bits == 16 else "OB"
        named(*names.values())(ds)

    return write_seg(path, grid, stored, highest=255, segments=tuple(names), change=change)


def write_rtstruct(
    path: Path,
    rois: dict[str, Sequence[NDArray[np.floating]]],
    *,
    kind: str = "CLOSED_PLANAR",
    change: Tagged = lambda ds: None,
) -> Path:
    """ROIs by name, each a list of outlines `[points, 3]` in LPS mm."""
    ds = new_file(path, RTStructureSetStorage, "RTSTRUCT")
    ds.StructureSetLabel = "set"
    ds.StructureSetROISequence, ds.ROIContourSequence = [], []
    for number, (name, outlines) in enumerate(rois.items(), start=1):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName = number, name
        drawn.ReferencedROINumber = number
        drawn.ContourSequence = [_contour(points, kind) for points in outlines]
        ds.StructureSetROISequence.append(roi)
        ds.ROIContourSequence.append(drawn)
    change(ds)
    ds.save_as(path)
    return path


def _segment(number: int) -> Dataset:
    segment = Dataset()
    segment.SegmentNumber, segment.SegmentLabel, segment.SegmentAlgorithmType = number, "lesion", "MANUAL"
    return segment


def _frame(position: NDArray[np.float64], segment: int) -> Dataset:
    frame, place, reference = Dataset(), Dataset(), Dataset()
    place.ImagePositionPatient = numbers(position)
    reference.ReferencedSegmentNumber = segment
    frame.PlanePositionSequence, frame.SegmentIdentificationSequence = [place], [reference]
    return frame


def _contour(points: NDArray[np.floating], kind: str) -> Dataset:
    contour = Dataset()
    contour.ContourGeometricType, contour.NumberOfContourPoints = kind, len(points)
    text = "\\".join(numbers(points))
    # Long outlines do not fit the 16-bit length of explicit DS; writers then store them as UN.
    vr, value = ("DS", text) if len(text) < 2**16 else ("UN", text.encode())
    contour.add(DataElement(0x30060050, vr, value, validation_mode=config.IGNORE))
    return contour
