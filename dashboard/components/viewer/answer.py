"""The server's half of the viewer: the reply to a request, as far as it can be computed in a short time."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cmcrameri import cm

from dashboard.components.viewer.message import Blobs, Request, Wanted, pack, slice_record
from dashboard.components.viewer.patch_encoder import Progress, SetEncoder, request_tokens
from dashboard.components.viewer.patch_maps import component_colours, scaled, similarity
from dashboard.components.viewer.slice_image import OUTLINE, WINDOWS
from dashboard.data.planes import PLANES, Place, cut, place_to_lps, slice_index
from dashboard.data.scans import NO_CT, ItemFiles, OpenScan, open_scan
from embeddings.records import Thumbnail
from embeddings.store.store import Store
from flexict.errors import FlexiCTError

# What takes longer is left for the next request, so that pictures appear one after the other.
PATIENCE_S = 0.6
RAMP = np.rint(np.asarray(cm.lipari(np.linspace(0.1, 1, 256)))[:, :3] * 255).astype(np.uint8)


@dataclass(frozen=True)
class Shown:
    """What the viewer shows: the items with their texts, and how it opens.

    Attributes:
        footer: what every exported picture must say.
        encoder: of the embedding set; None without a set.
        start: plane, place (item mm) and window in which it opens.
    """

    cohort: Path
    files: tuple[ItemFiles, ...]
    titles: tuple[str, ...]
    captions: tuple[str, ...]
    footer: str | None
    encoder: SetEncoder | None
    start: tuple[str, Place, str]

    @property
    def signature(self) -> str:
        """Changes when the browser has to discard what it has."""
        words = [[one.item_id, one.image_path, one.mask_path, one.mask_label, one.preset] for one in self.files]
        return hashlib.sha256(json.dumps([words, self.titles, self.captions]).encode()).hexdigest()[:16]


def answer(shown: Shown, request: Request | None, channel: str = "") -> bytes:
    """The message for a request; without one, the first message. channel: names the viewer that it is for."""
    ends = time.monotonic() + PATIENCE_S
    blobs = Blobs()
    first = request is None
    opens: Sequence[int] = range(len(shown.files)) if request is None else request.opens
    panels = _opened(shown, opens, ends, blobs)
    if request is None:
        name, place, _ = shown.start
        wants = _first_slices(panels, name, place)
    else:
        wants = list(request.wants)
    slices = _cut(shown, wants, ends, blobs)
    header: dict[str, Any] = {
        "channel": channel,
        "signature": shown.signature,
        "seq": 0 if request is None else request.seq,
        "panels": [record for record, _ in panels.values()],
        "slices": slices,
        "map": _map(shown, request, blobs),
    }
    if first:
        header |= _beginning(shown, blobs)
    return pack(header, blobs.parts)


def clicked_lps(shown: Shown, request: Request) -> tuple[str, Place] | None:
    """Item and LPS mm of the point clicked last, if its scan can be read."""
    if request.point is None:
        return None
    files = shown.files[request.point.panel]
    try:
        scan = open_scan(files)
    except (FlexiCTError, OSError):
        return None
    return files.item_id, place_to_lps(scan.volume, scan.centre, request.point.place)


def _beginning(shown: Shown, blobs: Blobs) -> dict[str, Any]:
    """What never changes: texts, planes, windows and the colour ramp."""
    plane, place, window = shown.start
    words = zip(shown.files, shown.titles, shown.captions, strict=True)
    return {
        "items": [
            {"item": files.item_id, "case": files.case_id, "title": title, "caption": caption}
            for files, title, caption in words
        ],
        "planes": [
            {"name": p.name, "through": p.through, "across": p.across, "down": p.down, "turned": p.turned}
            | {"letters": p.letters}
            for p in PLANES.values()
        ],
        "windows": [[one.name, one.width, one.level] for one in WINDOWS.values()],
        "start": {"plane": plane, "place": list(place), "window": window},
        "outline": list(OUTLINE),
        "ramp": blobs.add(RAMP.tobytes()),
        "footer": shown.footer or "",
        "maps": shown.encoder is not None,
    }


def _opened(
    shown: Shown, wanted: Sequence[int], ends: float, blobs: Blobs
) -> dict[int, tuple[dict[str, Any], OpenScan | None]]:
    """Panels opened in time, at least one, each with its record."""
    found: dict[int, tuple[dict[str, Any], OpenScan | None]] = {}
    pictures: dict[str, Thumbnail] | None = None
    for number in wanted:
        if found and time.monotonic() > ends:
            break
        files = shown.files[number]
        try:
            scan = open_scan(files)
        except (FlexiCTError, OSError) as error:
            if pictures is None:
                pictures = Store(shown.cohort).thumbnails([one.item_id for one in shown.files])
            found[number] = _without_scan(number, pictures.get(files.item_id), str(error), blobs), None
        else:
            found[number] = _with_scan(number, scan), scan
    return found


def _with_scan(number: int, scan: OpenScan) -> dict[str, Any]:
    volume = scan.volume
    z, y, x = volume.shape
    return {
        "panel": number,
        "kind": "ct",
        "shape": [x, y, z],
        "spacing": list(volume.spacing),
        "centre": list(scan.centre),
        "lps": list(place_to_lps(volume, scan.centre, (0.0, 0.0, 0.0))),
        "direction": volume.direction.ravel().tolist(),
        "box": None if scan.box is None else [list(corner) for corner in scan.box],
        "has_mask": scan.mask is not None,
        "notes": list(scan.notes),
    }


def _without_scan(number: int, stored: Thumbnail | None, reason: str, blobs: Blobs) -> dict[str, Any]:
    if stored is None:
        # Expected for imported vectors: nothing went wrong.
        words = "No picture" if reason == NO_CT else "Neither the CT nor a thumbnail can be shown"
        return {"panel": number, "kind": "none", "notes": [f"{words}: {reason}"]}
    said = f"Stored thumbnail ({stored.window} window), because the CT cannot be read: {reason}"
    return {
        "panel": number,
        "kind": "thumbnail",
        "png": blobs.add(stored.png),
        "pixel_mm": stored.pixel_mm,
        "z_lps_mm": stored.z_lps_mm,
        "notes": [said],
    }


def _first_slices(panels: dict[int, tuple[dict[str, Any], OpenScan | None]], plane: str, place: Place) -> list[Wanted]:
    axis = PLANES[plane]
    return [
        Wanted(number, plane, slice_index(scan.volume, axis, scan.centre, place[axis.through]), None)
        for number, (_, scan) in panels.items()
        if scan is not None
    ]


def _cut(shown: Shown, wants: Sequence[Wanted], ends: float, blobs: Blobs) -> list[dict[str, Any]]:
    """Slices in the order of the request until the time is over; at least one."""
    found: list[dict[str, Any]] = []
    for wanted in wants:
        if found and time.monotonic() > ends:
            break
        try:
            scan = open_scan(shown.files[wanted.panel])
            piece = cut(scan.volume, scan.mask, PLANES[wanted.plane], wanted.index, scan.centre, wanted.region)
        except (FlexiCTError, OSError) as error:
            # The file was removed meanwhile; slices already sent stay.
            found.append({"panel": wanted.panel, "plane": wanted.plane, "index": wanted.index, "error": str(error)})
        else:
            found.append(slice_record(wanted, piece, blobs))
    return found


def _map(shown: Shown, request: Request | None, blobs: Blobs) -> dict[str, Any] | None:
    """The map that the request names, or None."""
    if request is None or request.map == "off" or shown.encoder is None:
        return None
    if request.map == "similarity" and request.point is None:
        return None
    known = request_tokens(shown.encoder, shown.files, request.attempt)
    point = "" if request.point is None or request.map == "pca" else f"{request.point.panel}{request.point.place}"
    key = f"{request.map} {point} {len(known.tokens)} {len(known.errors)}"
    state = {
        "kind": request.map,
        "key": key,
        "waiting": known.n_waiting,
        "n": len(shown.files),
        "errors": [known.errors.get(files.item_id) for files in shown.files],
    }
    if key == request.map_key:
        return {**state, "same": True}
    ready = [number for number, files in enumerate(shown.files) if files.item_id in known.tokens]
    # Components over only some panels would change their colours with the next panel.
    if not ready or (request.map == "pca" and known.n_waiting):
        return {**state, "key": "", "grids": []}
    if request.map == "pca":
        parts, low, cell = component_colours([known.tokens[shown.files[n].item_id] for n in ready]), None, None
        return {**state, "low": low, "cell": cell, "grids": _grids(shown, known, ready, parts, blobs)}
    return state | _similarity(shown, known, ready, request, blobs)


def _similarity(shown: Shown, known: Progress, ready: list[int], request: Request, blobs: Blobs) -> dict[str, Any]:
    assert request.point is not None
    panel = request.point.panel
    query = known.tokens.get(shown.files[panel].item_id)
    found = clicked_lps(shown, request)
    if query is None or found is None:
        return {"grids": [], "key": ""}
    cell = query.cell_at(found[1])
    if cell is None:
        return {"grids": [], "outside": True}
    tokens = [known.tokens[shown.files[n].item_id] for n in ready]
    steps, low = scaled(similarity(query, cell, tokens))
    return {"low": low, "cell": [panel, *cell], "grids": _grids(shown, known, ready, steps, blobs)}


def _grids(
    shown: Shown, known: Progress, ready: list[int], parts: Sequence[np.ndarray], blobs: Blobs
) -> list[dict[str, Any]]:
    """Position of each panel's patches (item mm), with their values as a blob in the order z, y, x."""
    found = []
    for number, values in zip(ready, parts, strict=True):
        tokens = known.tokens[shown.files[number].item_id]
        try:
            scan = open_scan(shown.files[number])
        except (FlexiCTError, OSError):
            continue  # Its panel shows a thumbnail, on which patches have no position.
        d, h, w = values.shape[:3]
        found.append(
            {
                "panel": number,
                "shape": [w, h, d],
                "corner": list(tokens.corner(scan.volume, scan.centre)),
                "cell_mm": list(tokens.cell_mm),
                "values": blobs.add(np.ascontiguousarray(values).tobytes()),
            }
        )
    return found
