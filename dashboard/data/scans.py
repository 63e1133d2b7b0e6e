"""The scan of an item, read for the viewer: CT and mask in LPS order, its centre, and the box that was embedded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.data.planes import Place, lps_to_place
from dashboard.data.scan_files import ReadablePath, ScanFiles
from embeddings.imaging.images import ImageError, ImageHeader, read_noted_mask, read_scan
from embeddings.imaging.masks.lesions import measure
from flexict.errors import FlexiCTError
from flexict.presets.crop import Placement
from flexict.presets.preprocess import PreprocessError, Scan, in_lps_order
from flexict.presets.presets import Subject, crop_of
from flexict.volume import Volume

NO_CT = "no CT is known for this case"


class NoScanError(FlexiCTError):
    """No CT of an item is known, or none that this session may read."""


@dataclass(frozen=True)
class ItemFiles:
    """Everything about an item that decides its picture; hashable, so that its scan can be cached.

    Attributes:
        centroid_lps: of the lesion, from the cohort file; None if it has to be measured on the mask.
        image_path, mask_path: existing files that may be read.
        no_image: why there is no image.
        notes: why there is no mask, and where an image was found if not where the cohort file says.
        seed_lps: of the CSV; without one, a lesion is cropped around its centroid.
        preset: label of the embedding set's preset; None without a set.
        mask_label: number or name of the lesion in the mask; None if it is the only one.
        from_middle: whether the scan opens at its middle, not at its lesion.
    """

    item_id: str
    case_id: str
    image_path: ReadablePath | None
    mask_path: ReadablePath | None
    no_image: str
    notes: tuple[str, ...]
    z_lps_mm: float | None
    slice_index: int | None
    centroid_lps: Place | None
    seed_lps: Place | None
    preset: str | None
    mask_label: str | None = None
    from_middle: bool = False


@dataclass(frozen=True)
class OpenScan:
    """A CT to cut slices from, with what is drawn on it.

    Attributes:
        volume, mask: in LPS order.
        centre: index x, y, z of the item's centre in `volume`.
        box: what was embedded, as low and high corner in item mm; None if unknown.
        notes: why the outline or the box is missing, and notes on the mask.
    """

    volume: Volume
    mask: Volume | None
    centre: Place
    box: tuple[Place, Place] | None
    notes: tuple[str, ...]


def files_of(item: pd.Series, preset: str | None, scans: ScanFiles, *, from_middle: bool = False) -> ItemFiles:
    """What the viewer needs from an item's row (of `Store.table`, or one with the same columns).

    Args:
        scans: finds the files that this session may read.
        from_middle: see `ItemFiles`.
    """
    index = _number(item.get("slice_index"))
    image, no_image = _found(item.get("image_path"), scans, NO_CT)
    mask, no_mask = _found(item.get("mask_path"), scans, "")
    notes = [f"No outline: {no_mask}"] if no_mask else []
    if image is not None and Path(image) != Path(str(item["image_path"])).resolve():
        notes.append(f"The cohort was moved: this CT was found at {image}")
    return ItemFiles(
        item_id=str(item["item_id"]),
        case_id=str(item["case_id"]),
        image_path=image,
        mask_path=mask,
        no_image=no_image,
        notes=tuple(notes),
        z_lps_mm=_number(item.get("z_lps_mm")),
        slice_index=None if index is None else int(index),
        centroid_lps=_point(item, ("centroid_x", "centroid_y", "centroid_z")),
        seed_lps=_point(item, ("seed_x", "seed_y", "seed_z")),
        preset=preset,
        mask_label=_text(item.get("mask_label")),
        from_middle=from_middle,
    )


def _found(stored: Any, scans: ScanFiles, unknown: str) -> tuple[ReadablePath | None, str]:
    """The path of a file, or why there is none."""
    if _text(stored) is None:
        return None, unknown
    try:
        return scans.find(str(stored)), ""
    except (ImageError, OSError) as error:
        return None, str(error)


def modified(files: ItemFiles) -> tuple[int, int]:
    """Times of the image and the mask, ns; 0 for a mask that is not there.

    Raises:
        NoScanError: no image is known, or none that may be read.
        ImageError: it was removed.
    """
    if files.image_path is None:
        raise NoScanError(files.no_image)
    path = Path(files.image_path)
    try:
        image_ns = path.stat().st_mtime_ns
    except OSError as error:
        raise ImageError(path, f"is not there ({error.strerror}): mount the folder of the CTs") from error
    try:
        return image_ns, Path(files.mask_path).stat().st_mtime_ns if files.mask_path else 0
    except OSError:
        return image_ns, 0


def open_scan(files: ItemFiles) -> OpenScan:
    """The item's scan, cached. Raises what `modified` and `read_image` raise."""
    found = _open(files, *modified(files))
    return replace(found, notes=(*found.notes, *files.notes))


def forget_scans() -> None:
    """Drop every cached scan, for all sessions, because a user deleted one."""
    for kept in (_open, _oriented, _oriented_mask, _read, _read_mask):
        kept.clear()


def subject_of(files: ItemFiles) -> Subject:
    """What the preset needs of the item, in the files' own voxel order. Raises as `open_scan`."""
    image_ns, mask_ns = modified(files)
    assert files.image_path is not None
    mask = None
    if files.mask_path is not None:
        mask, _ = _read_mask(files.mask_path, mask_ns, files.mask_label, files.image_path, image_ns)
    centre = files.seed_lps or _centroid(files, image_ns, mask_ns)
    return Subject(Scan(_read(files.image_path, image_ns)[0]), mask, centre, files.slice_index)


def box_of(placement: Placement, volume: Volume, centre: Place) -> tuple[Place, Place]:
    """Low and high corner, in item mm, of the box that an input was made from."""
    low = lps_to_place(volume, centre, placement.box_corner)
    x, y, z = (a + b for a, b in zip(low, placement.box_mm, strict=True))
    return low, (x, y, z)


@st.cache_resource(max_entries=24, show_spinner=False)
def _open(files: ItemFiles, image_ns: int, mask_ns: int) -> OpenScan:
    assert files.image_path is not None
    volume = _oriented(files.image_path, image_ns)
    notes, mask, centroid = [], None, files.centroid_lps
    if files.mask_path is not None:
        try:
            mask, said = _oriented_mask(files.mask_path, mask_ns, files.mask_label, files.image_path, image_ns)
            notes += [f"Outline: {note}" for note in said]
            centroid = _centroid(files, image_ns, mask_ns)
        except (ImageError, OSError) as error:
            notes.append(f"No outline: {error}")
    centre = _centre(files, centroid, volume)
    box = None
    if files.preset is not None:
        # The volume in LPS order gives the same box, because a preset reorders every scan first.
        subject = Subject(Scan(volume), mask, files.seed_lps or centroid, files.slice_index)
        try:
            box = box_of(crop_of(files.preset, subject).placement, volume, centre)
        except PreprocessError as error:
            notes.append(f"No box of what was embedded: {error}")
    return OpenScan(volume, mask, centre, box, tuple(notes))


@st.cache_resource(max_entries=12, show_spinner=False)
def _read(path: ReadablePath, modified_ns: int) -> tuple[Volume, ImageHeader]:
    return read_scan(Path(path))[:2]


@st.cache_resource(max_entries=12, show_spinner=False)
def _read_mask(
    path: ReadablePath, modified_ns: int, label: str | None, image_path: ReadablePath, image_modified_ns: int
) -> tuple[Volume, tuple[str, ...]]:
    """A lesion mask on the grid of its CT, and notes on it."""
    volume, header = _read(image_path, image_modified_ns)
    return read_noted_mask(Path(path), volume, label, header)


@st.cache_resource(max_entries=12, show_spinner=False)
def _oriented(path: ReadablePath, modified_ns: int) -> Volume:
    return in_lps_order(_read(path, modified_ns)[0])


@st.cache_resource(max_entries=12, show_spinner=False)
def _oriented_mask(
    path: ReadablePath, modified_ns: int, label: str | None, image_path: ReadablePath, image_modified_ns: int
) -> tuple[Volume, tuple[str, ...]]:
    mask, notes = _read_mask(path, modified_ns, label, image_path, image_modified_ns)
    return in_lps_order(mask), notes


def _centroid(files: ItemFiles, image_ns: int, mask_ns: int) -> Place | None:
    """Of the lesion, LPS mm, as the job measures it: on the mask in its own voxel order. None without a lesion."""
    if files.centroid_lps is not None or files.mask_path is None or files.image_path is None:
        return files.centroid_lps
    mask, _ = _read_mask(files.mask_path, mask_ns, files.mask_label, files.image_path, image_ns)
    return measure(mask).centroid_lps if mask.array.any() else None


def _centre(files: ItemFiles, centroid: Place | None, volume: Volume) -> Place:
    """Index x, y, z of the item's centre: its slice, its lesion, or the middle of the scan."""
    z, y, x = ((n - 1) / 2 for n in volume.shape)
    seed_first = files.preset is not None and files.preset.startswith("lesion_seed")
    place = (files.seed_lps or centroid) if seed_first else (centroid or files.seed_lps)
    if files.z_lps_mm is not None:
        # The stored height of a slice is that of its first voxel.
        z = float(volume.index_of((volume.origin[0], volume.origin[1], files.z_lps_mm))[0])
    elif place is not None and not files.from_middle:
        z, y, x = (float(v) for v in volume.index_of(place))
    # Rounding errors must not change the slice where the centre of a lesion is midway between two.
    return round(x, 6), round(y, 6), round(z, 6)


def _text(value: Any) -> str | None:
    return None if value is None or pd.isna(value) else str(value)


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) or not np.isfinite(float(value)) else float(value)


def _point(item: pd.Series, names: tuple[str, str, str]) -> Place | None:
    values = [_number(item.get(name)) for name in names]
    if None in values:
        return None
    x, y, z = (float(v) for v in values if v is not None)
    return x, y, z
