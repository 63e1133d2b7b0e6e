"""The messages between the server and the viewer in the browser.

To the browser goes one bytes object: a JSON header (`browser_payload.framed`), then blobs, which the header names by
number and whose places it lists under `blobs`. Slices are deflated little-endian int16.
From the browser comes a JSON object, which is checked field by field before anything is done with it.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from dashboard.components.browser_payload import EFFORT, framed
from dashboard.data.planes import PLANES, Mm, Region, Slice

MOST_WANTED = 64
PlaceMm = tuple[Mm, Mm, Mm]
PanelNumber = Annotated[int, msgspec.Meta(ge=0)]
PlaneName = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(PLANES)})$")]


class RequestError(ValueError):
    """A request that no viewer of this version sends."""


class Blobs:
    """The blobs of a message; each is known by its number."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def add(self, part: bytes) -> int:
        """Append a blob and return its number."""
        self.parts.append(part)
        return len(self.parts) - 1


class Wanted(msgspec.Struct, frozen=True, array_like=True):
    """A slice that the browser lacks, by panel and plane; only a region of it when zoomed in."""

    panel: PanelNumber
    plane: PlaneName
    index: int
    region: Region | None


class Point(msgspec.Struct, frozen=True):
    """A place in item mm on a panel, clicked for the `n`-th time."""

    panel: PanelNumber
    place: PlaceMm
    n: int


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request of the viewer in the browser, with what it shows.

    Attributes:
        signature: of the panels that it has.
        place: what is shown, item mm from each item's centre.
        window: name, width and level (HU).
        opens: panels whose scan it is waiting for.
        map_key: of the map that it has.
        attempt: ms since 1970 of the last retry of a failed map; 0 before one.
    """

    signature: Annotated[str, msgspec.Meta(max_length=128)]
    seq: int
    plane: PlaneName
    place: PlaceMm
    window: tuple[Annotated[str, msgspec.Meta(max_length=40)], Mm, Mm]
    wants: Annotated[tuple[Wanted, ...], msgspec.Meta(max_length=MOST_WANTED)]
    opens: tuple[PanelNumber, ...]
    point: Point | None = None
    map: Literal["off", "similarity", "pca"]
    map_key: Annotated[str, msgspec.Meta(max_length=256)]
    attempt: int


def pack(header: Mapping[str, Any], blobs: Sequence[bytes]) -> bytes:
    """One message of a header and blobs."""
    places, start = [], 0
    for blob in blobs:
        places.append([start, len(blob)])
        start += len(blob)
    return framed({**header, "blobs": places}, blobs)


def slice_record(wanted: Wanted, found: Slice, blobs: Blobs) -> dict[str, Any]:
    """A slice as the header lists it; its pixels and mask become blobs."""
    rows, columns = found.pixels.shape
    pixels = zlib.compress(found.pixels.astype("<i2").tobytes(), EFFORT)
    return {
        "panel": wanted.panel,
        "plane": wanted.plane,
        "index": wanted.index,
        "detail": wanted.region is not None,
        "rows": rows,
        "columns": columns,
        "left": found.left,
        "top": found.top,
        "pixel": list(found.pixel_mm),
        "step": list(found.step),
        "pixels": blobs.add(pixels),
        "mask": None if found.mask is None else blobs.add(zlib.compress(found.mask.tobytes(), EFFORT)),
    }


def read_request(raw: Any, n_panels: int) -> Request:
    """A request of the browser, checked.

    Raises:
        RequestError: a field that is missing, of another kind or out of range.
    """
    try:
        request = msgspec.convert(raw, Request)
    except msgspec.ValidationError as error:
        raise RequestError("The viewer sent a request that cannot be read. Reload the page.") from error
    point = [] if request.point is None else [request.point.panel]
    if max([*(one.panel for one in request.wants), *request.opens, *point], default=0) >= n_panels:
        raise RequestError("The viewer asks for a panel that this page does not show. Reload the page.")
    # An attempt from the future would win over every attempt of other users until then.
    return msgspec.structs.replace(request, attempt=min(request.attempt, int(1000 * time.time())))
