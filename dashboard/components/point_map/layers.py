"""The map as arrays for the browser: points if there are few, a density if there are many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from cmcrameri import cm
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from dashboard.components.browser_payload import Part, part
from dashboard.figures.style.colouring import ColourColumn
from embeddings.formatting import counted
from flexict.errors import FlexiCTError

# More points than this are sent as a density, until fewer than MOST_IN_VIEW are in view.
MOST_POINTS = 150_000
MOST_IN_VIEW = 40_000
COLUMNS, ROWS = 480, 300
LEVELS = 64
STEPS = 65_535
TICKS = 5
View = tuple[float, float, float, float]


@dataclass(frozen=True)
class Inks:
    """How points are coloured: a code for each point, and the look of each code.

    Attributes:
        codes: uint8 `[n]`.
        groups: name, colour, symbol and count of each code.
        legend: the groups in the legend.
        ramp: colours and ticks (place 0 to 1, text) of a quantity, or None.
    """

    codes: NDArray[np.uint8]
    groups: list[dict[str, Any]]
    legend: list[dict[str, Any]]
    ramp: dict[str, Any] | None = None


@dataclass(frozen=True)
class Layer:
    """One map: coordinates `[n, 2]`, colours, and the hover text of each point.

    Attributes:
        token: changes with the coordinates: the browser then redraws the whole map.
        bounds: left, right, bottom, top of all points.
        tips: name, values and code `[n]` of each line of the hover text.
    """

    token: str
    coordinates: NDArray[np.float64]
    item_ids: NDArray[np.object_]
    inks: Inks
    tips: list[tuple[str, list[str], NDArray[np.int64]]]
    bounds: View
    words: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def all_points(self) -> dict[str, Part]:
        """What every view of all points sends, computed once."""
        return _point_parts(self, np.arange(len(self.item_ids)), self.bounds)

    @property
    def binned(self) -> bool:
        """Whether there are too many points to send them all."""
        return len(self.item_ids) > MOST_POINTS


def bounds_of(coordinates: NDArray[np.float64]) -> View:
    """Left, right, bottom and top of points `[n, 2]`, never without extent."""
    (x0, y0), (x1, y1) = coordinates.min(axis=0), coordinates.max(axis=0)
    pad_x, pad_y = (0.5 if x1 <= x0 else 0.0), (0.5 if y1 <= y0 else 0.0)
    return float(x0 - pad_x), float(x1 + pad_x), float(y0 - pad_y), float(y1 + pad_y)


def inks_of(colour: ColourColumn) -> Inks:
    """Codes and looks of the values that points are coloured by."""
    return _continuous(colour) if colour.kind == "continuous" else _grouped(colour)


def _grouped(colour: ColourColumn) -> Inks:
    codes = np.zeros(len(colour.values), dtype=np.uint8)
    groups = []
    for code, group in enumerate(colour.groups()):
        codes[group.rows] = code
        groups.append(_look(group.name, group.mark.colour, group.mark.symbol, len(group.rows)))
    return Inks(codes, groups, groups)


def _continuous(colour: ColourColumn) -> Inks:
    numbers = colour.numbers()
    known = np.isfinite(numbers)
    shown = np.log10(numbers, where=known, out=np.full(len(numbers), np.nan)) if colour.on_log_scale else numbers
    codes = np.full(len(numbers), LEVELS, dtype=np.uint8)
    low, high = (float(shown[known].min()), float(shown[known].max())) if known.any() else (0.0, 1.0)
    span = high - low or 1.0
    codes[known] = np.clip((shown[known] - low) / span * (LEVELS - 1), 0, LEVELS - 1).round().astype(np.uint8)
    colours = [to_hex(cm.batlow(level / (LEVELS - 1))) for level in range(LEVELS)]
    counts = np.bincount(codes, minlength=LEVELS + 1)
    groups = [_look("", one, "circle", int(counts[level])) for level, one in enumerate(colours)]
    missing = _look("missing", "#9A9A9A", "x-thin-open", int(counts[LEVELS]))
    ticks = []
    for place in np.linspace(0, 1, TICKS):
        value = low + place * span
        value = 10**value if colour.on_log_scale else value
        ticks.append((float(place), f"{value:.3g}"))
    ramp = {"colours": colours[:: LEVELS // 16] + colours[-1:], "ticks": ticks}
    return Inks(codes, [*groups, missing], [missing] if counts[LEVELS] else [], ramp if known.any() else None)


def _look(name: str, colour: str, symbol: str, count: int) -> dict[str, Any]:
    return {"name": name, "colour": colour, "symbol": symbol, "count": count}


def tip(name: str, values: pd.Series) -> tuple[str, list[str], NDArray[np.int64]]:
    """One line of the hover text: its name, the distinct values as text, and the code of each point."""
    codes, distinct = pd.factorize(values, use_na_sentinel=True)
    texts = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in distinct]
    return name, [*texts, "missing"], np.where(codes < 0, len(texts), codes).astype(np.int64)


def contents(
    layer: Layer, selected: NDArray[np.bool_], viewport: Sequence[float] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and arrays for the browser: all points, those in view, or a density of those in view.

    viewport: left, right, bottom, top in map coordinates; ignored where all points are sent.
    Raises FlexiCTError if the viewport, which a browser sent, is not four finite numbers in order.
    """
    header = {
        "token": layer.token,
        "bounds": layer.bounds,
        "n_selected": int(selected.sum()),
        "binned": layer.binned,
        "groups": layer.inks.groups,
        "legend": layer.inks.legend,
        "ramp": layer.inks.ramp,
        **layer.words,
    }
    if not layer.binned:
        return _points(header, layer, np.arange(len(selected)), layer.bounds, selected)
    view = checked_view(viewport) if viewport is not None else layer.bounds
    left, right, bottom, top = view
    x, y = layer.coordinates.T
    rows = np.flatnonzero((x >= left) & (x <= right) & (y >= bottom) & (y <= top))
    if len(rows) <= MOST_IN_VIEW:
        return _points(header, layer, rows, view, selected)
    return _density(header, layer, rows, view, selected)


def checked_view(viewport: Sequence[float]) -> View:
    """Four finite numbers: left below right, bottom below top."""
    numbers = np.asarray(viewport, dtype=np.float64)
    if numbers.shape != (4,) or not np.isfinite(numbers).all() or numbers[0] >= numbers[1] or numbers[2] >= numbers[3]:
        raise FlexiCTError("the browser asked for a part of the map that cannot be read: reload the page")
    return float(numbers[0]), float(numbers[1]), float(numbers[2]), float(numbers[3])


def _points(
    header: dict[str, Any], layer: Layer, rows: NDArray[np.intp], view: View, selected: NDArray[np.bool_]
) -> tuple[dict[str, Any], dict[str, Any]]:
    n, shown = len(layer.item_ids), len(rows)
    parts = _point_parts(layer, rows, view) if layer.binned else layer.all_points
    note = counted(n, "item") if shown == n else f"{shown:,} of {counted(n, 'item')} in view"
    arrays = {**parts, "selected": np.packbits(selected[rows])}
    return {**header, "mode": "points", "view": view, "note": note}, arrays


def _point_parts(layer: Layer, rows: NDArray[np.intp], view: View) -> dict[str, Part]:
    left, right, bottom, top = view
    places = layer.coordinates[rows]
    fields = []
    for name, values, codes in layer.tips:
        own, used = _compact(values, codes[rows])
        fields.append([name, own, used.tolist()])
    return {
        "x": part(np.round((places[:, 0] - left) / (right - left) * STEPS).astype(np.uint16)),
        "y": part(np.round((places[:, 1] - bottom) / (top - bottom) * STEPS).astype(np.uint16)),
        "code": part(layer.inks.codes[rows]),
        "text": part({"ids": layer.item_ids[rows].tolist(), "fields": fields}),
    }


def _compact(values: list[str], codes: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int64]]:
    used, codes = np.unique(codes, return_inverse=True)
    return [values[one] for one in used], codes


def _density(
    header: dict[str, Any], layer: Layer, rows: NDArray[np.intp], view: View, selected: NDArray[np.bool_]
) -> tuple[dict[str, Any], dict[str, Any]]:
    left, right, bottom, top = view
    column = np.minimum((layer.coordinates[rows, 0] - left) / (right - left) * COLUMNS, COLUMNS - 1).astype(np.int64)
    # The first row of a picture is its top.
    row = np.minimum((top - layer.coordinates[rows, 1]) / (top - bottom) * ROWS, ROWS - 1).astype(np.int64)
    cell = row * COLUMNS + column
    counts = np.bincount(cell, minlength=COLUMNS * ROWS)
    codes = layer.inks.codes[rows]
    if layer.inks.ramp is None:
        n_groups = len(layer.inks.groups)
        by_group = np.bincount(cell * n_groups + codes, minlength=COLUMNS * ROWS * n_groups)
        group = by_group.reshape(-1, n_groups).argmax(axis=1).astype(np.uint8)
    else:
        known = codes < LEVELS
        sums = np.bincount(cell[known], weights=codes[known], minlength=COLUMNS * ROWS)
        n_known = np.bincount(cell[known], minlength=COLUMNS * ROWS)
        mean = np.divide(sums, n_known, out=np.full(len(sums), float(LEVELS)), where=n_known > 0)
        group = np.round(mean).astype(np.uint8)
    chosen = np.bincount(cell[selected[rows]], minlength=COLUMNS * ROWS)
    strength = np.log1p(counts) / np.log1p(max(1, counts.max()))
    arrays = {
        "counts": np.ceil(strength * 255).astype(np.uint8),
        "group": group,
        "share": np.round(255 * chosen / np.maximum(1, counts)).astype(np.uint8),
    }
    note = f"{counted(len(rows), 'item')} as a density; zoom in to see single items (below {MOST_IN_VIEW:,})"
    return {**header, "mode": "density", "view": view, "columns": COLUMNS, "rows": ROWS, "note": note}, arrays
