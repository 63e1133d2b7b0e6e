"""What a viewer shows as panels of a figure for print: slices of readable scans, else thumbnails."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from dashboard.components.viewer.answer import Shown
from dashboard.data.planes import PLANES, Place, Plane, cut, place_to_lps, slice_count, slice_index, slice_number
from dashboard.data.scans import OpenScan, open_scan
from dashboard.figures.slices import PanelSlice
from embeddings.records import Thumbnail
from embeddings.store.store import Store
from flexict.errors import FlexiCTError

# A pixel of the scan for every dot of a panel of 60 mm at 300 dpi, and more.
MOST_PIXELS = 1024


def panel_slices(
    shown: Shown, plane: str, offset_mm: float, numbers: tuple[Mapping[str, float], ...]
) -> list[PanelSlice]:
    """A slice of each item in a plane, `offset_mm` along its axis from the item's centre.

    Args:
        shown: the items with their texts.
        plane: a name of `PLANES`.
        numbers: further columns of the table for each item, such as rank and cosine.

    Raises:
        StoreError: neither a CT nor the thumbnails can be read.
    """
    axis = PLANES[plane]
    found: list[PanelSlice] = []
    stored: dict[str, Thumbnail] | None = None
    for files, title, caption, own in zip(shown.files, shown.titles, shown.captions, numbers, strict=True):
        facts = {"item_id": files.item_id, "case_id": files.case_id, **own}
        try:
            scan = open_scan(files)
        except (FlexiCTError, OSError):
            if stored is None:
                stored = Store(shown.cohort).thumbnails([one.item_id for one in shown.files])
            found.append(_without_scan(title, caption, facts, stored.get(files.item_id)))
        else:
            found.append(_with_scan(scan, axis, offset_mm, title, caption, facts))
    return found


def _with_scan(
    scan: OpenScan, plane: Plane, offset_mm: float, title: str, caption: str, facts: dict[str, object]
) -> PanelSlice:
    volume, centre = scan.volume, scan.centre
    index = slice_index(volume, plane, centre, offset_mm)
    piece = cut(volume, scan.mask, plane, index, centre, most_pixels=MOST_PIXELS)
    depth = (index - centre[plane.through]) * volume.spacing[plane.through]
    place = [0.0, 0.0, 0.0]
    place[plane.through] = depth
    lps = place_to_lps(volume, centre, (place[0], place[1], place[2]))
    number, count = slice_number(index), slice_count(volume, plane)
    words = f"{plane.name} slice {number} of {count}, {'xyz'[plane.through]} = {_mm(lps, plane)} mm LPS"
    spacing = dict(zip(("spacing_x_mm", "spacing_y_mm", "spacing_z_mm"), volume.spacing, strict=True))
    return PanelSlice(
        title,
        " · ".join(filter(None, (caption, words))),
        plane.letters,
        hu=piece.pixels,
        pixel_mm=piece.pixel_mm,
        left=piece.left,
        top=piece.top,
        mask=piece.mask,
        box=_box(scan, plane, depth),
        facts={
            **facts,
            "plane": plane.name,
            "slice_number": number,
            "n_slices": count,
            "offset_mm": round(depth, 3),
            **dict(zip(("lps_x_mm", "lps_y_mm", "lps_z_mm"), (round(mm, 3) for mm in lps), strict=True)),
            **spacing,
        },
    )


def _mm(lps: Place, plane: Plane) -> str:
    return f"{lps[plane.through]:z.1f}"


def _box(scan: OpenScan, plane: Plane, depth: float) -> tuple[float, float, float, float] | None:
    """The embedded box, mm on the screen, if this slice cuts it."""
    if scan.box is None or not scan.box[0][plane.through] <= depth <= scan.box[1][plane.through]:
        return None
    low, high = scan.box
    top, bottom = low[plane.down], high[plane.down]
    if plane.turned:
        top, bottom = -bottom, -top
    return low[plane.across], top, high[plane.across], bottom


def _without_scan(title: str, caption: str, facts: dict[str, object], stored: Thumbnail | None) -> PanelSlice:
    axial = PLANES["axial"]
    # A figure that leaves the machine must not reveal the path of the CT.
    reason = "the CT cannot be read here"
    if stored is None:
        return PanelSlice(title, caption, axial.letters, note=f"No picture: {reason}", facts=facts)
    grey = np.asarray(Image.open(io.BytesIO(stored.png)).convert("L"), dtype=np.uint8)
    rows, columns = grey.shape
    return PanelSlice(
        title,
        caption,
        axial.letters,
        stored=grey,
        pixel_mm=(stored.pixel_mm, stored.pixel_mm),
        left=-columns * stored.pixel_mm / 2,
        top=-rows * stored.pixel_mm / 2,
        note=f"Stored thumbnail ({stored.window} window): {reason}",
        facts={**facts, "plane": axial.name, "lps_z_mm": stored.z_lps_mm},
    )
