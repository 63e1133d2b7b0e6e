"""What the server and the viewer in the browser say to each other.

To the browser goes one bytes object: a JSON header (`browser_payload.framed`), then blobs, which the header names by
number and whose places it lists under `blobs`. Slices are deflated little-endian int16.
From the browser comes a JSON object, which is checked field by field before anything is done with it.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.components.browser_payload import EFFORT, framed
from dashboard.data.planes import PLANES, Place, Region, Slice

MOST_WANTED = 64
MAPS = ("off", "similarity", "pca")
FURTHEST_MM = 5000.0


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


@dataclass(frozen=True)
class Wanted:
    """A slice that the browser lacks: of which panel, in which plane; a region of it where one is zoomed in."""

    panel: int
    plane: str
    index: int
    region: Region | None = None


@dataclass(frozen=True)
class Point:
    """A place in item mm on a panel, clicked for the `n`-th time."""

    panel: int
    place: Place
    n: int


@dataclass(frozen=True)
class Request:
    """What the viewer in the browser asks for, and what it shows.

    Attributes:
        signature: of the panels that it knows.
        place: what is shown, item mm from each item's centre.
        opens: panels whose scan it waits for.
        map_key: of the map that it has.
        attempt: ms since 1970 at which the map was asked for again after a failure; 0 before that.
    """

    signature: str
    seq: int
    plane: str
    place: Place
    window: tuple[str, float, float]
    wants: tuple[Wanted, ...] = ()
    opens: tuple[int, ...] = ()
    point: Point | None = None
    map: str = "off"
    map_key: str = ""
    attempt: int = 0


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
        wants = _items(raw["wants"])
        if len(wants) > MOST_WANTED:
            raise RequestError(f"{len(wants)} slices were asked for at once")
        point = raw.get("point")
        window = raw["window"]
        return Request(
            signature=str(raw["signature"])[:128],
            seq=int(raw["seq"]),
            plane=_one_of(raw["plane"], PLANES),
            place=_place(raw["place"]),
            window=(str(window[0])[:40], _number(window[1]), _number(window[2])),
            wants=tuple(_wanted(one, n_panels) for one in wants),
            opens=tuple(_panel(one, n_panels) for one in _items(raw["opens"])),
            point=None if point is None else _point(point, n_panels),
            map=_one_of(raw["map"], MAPS),
            map_key=str(raw["map_key"])[:256],
            # One from the future would count for more than every attempt of other people until then.
            attempt=min(int(raw["attempt"]), int(1000 * time.time())),
        )
    except RequestError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise RequestError("the viewer asked for something that cannot be read: load the page again") from error


def _items(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _wanted(raw: Any, n_panels: int) -> Wanted:
    panel, plane, index, region = raw
    box = None if region is None else Region(*(_number(v) for v in _items(region)))
    if box is not None and not (box.left < box.right and box.top < box.bottom):
        raise RequestError("a region without an area was asked for")
    return Wanted(_panel(panel, n_panels), _one_of(plane, PLANES), int(index), box)


def _point(raw: Any, n_panels: int) -> Point:
    return Point(_panel(raw["panel"], n_panels), _place(raw["place"]), int(raw["n"]))


def _panel(value: Any, n_panels: int) -> int:
    if not isinstance(value, int) or not 0 <= value < n_panels:
        raise RequestError(f"there is no panel {value}")
    return value


def _place(value: Any) -> Place:
    x, y, z = (_number(v) for v in _items(value))
    return x, y, z


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number) or abs(number) > FURTHEST_MM:
        raise RequestError(f"{value} is out of range")
    return number


def _one_of(value: Any, choices: Any) -> str:
    if not isinstance(value, str) or value not in choices:
        raise RequestError(f"{value!r} is not one of {', '.join(choices)}")
    return value
