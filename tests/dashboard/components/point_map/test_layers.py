"""What the browser gets of a map: all points, or a density and the points in view."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dashboard.components.browser_payload import encoded, part
from dashboard.components.point_map import layers
from dashboard.components.point_map.layers import Layer, bounds_of, contents, inks_of, tip
from dashboard.components.point_map.picks import rows_of
from dashboard.figures.style.colouring import ColourColumn

N = 500


def layer_of(values: object, kind: str = "category", n: int = N, levels: tuple[str, ...] = ()) -> Layer:
    rng = np.random.default_rng(0)
    xy = rng.normal(size=(n, 2))
    ids = np.array([f"c{i}/lesion" for i in range(n)], dtype=object)
    colour = ColourColumn("stage", values, kind, levels=levels)  # type: ignore[arg-type]
    frame = pd.DataFrame({"stage": values})
    return Layer("t", xy, ids, inks_of(colour), [tip("stage", frame["stage"])], bounds_of(xy))


@pytest.fixture
def stages() -> Layer:
    return layer_of(["T1", "T2", None, "T3"] * (N // 4), "stage", levels=("T1", "T2", "T3"))


def decoded(block: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the arrays of a block, as the browser reads them."""
    (length,) = struct.unpack_from("<I", block)
    header = json.loads(block[4 : 4 + length])
    arrays: dict[str, Any] = {}
    for one in header.pop("arrays"):
        start = 4 + length + one["offset"]
        raw = block[start : start + one["length"]]
        raw = zlib.decompress(raw) if one["deflated"] else raw
        arrays[one["name"]] = json.loads(raw) if one["type"] == "json" else np.frombuffer(raw, one["type"])
    return header, arrays


def sent(layer: Layer, selected: np.ndarray, viewport: object = None) -> tuple[dict, dict]:
    return decoded(encoded(*contents(layer, selected, viewport)))  # type: ignore[arg-type]


def test_every_point_arrives_at_its_place_with_its_id_value_and_mark(stages: Layer) -> None:
    selected = np.arange(N) % 3 == 0
    header, arrays = sent(stages, selected)
    x0, x1, y0, y1 = header["view"]
    x = x0 + arrays["x"] / 65535 * (x1 - x0)
    y = y0 + arrays["y"] / 65535 * (y1 - y0)
    np.testing.assert_allclose(np.column_stack([x, y]), stages.coordinates, atol=(x1 - x0) / 60000)
    assert arrays["text"]["ids"] == stages.item_ids.tolist()
    name, values, codes = arrays["text"]["fields"][0]
    assert name == "stage"
    assert [values[c] for c in codes[:4]] == ["T1", "T2", "missing", "T3"]
    assert [header["groups"][c]["name"] for c in arrays["code"][:4]] == ["T1", "T2", "missing", "T3"]
    assert np.unpackbits(arrays["selected"])[:N].astype(bool).tolist() == selected.tolist()
    assert header["n_selected"] == selected.sum()


def test_no_two_groups_look_alike_and_their_counts_add_up(stages: Layer) -> None:
    looks = [(group["colour"], group["symbol"]) for group in stages.inks.groups]
    assert len(set(looks)) == len(looks)
    assert sum(group["count"] for group in stages.inks.groups) == N


def test_a_quantity_gets_a_ramp_with_ticks_and_missing_values_their_own_mark() -> None:
    values = np.linspace(10, 20, N)
    values[:5] = np.nan
    layer = layer_of(values, "continuous")
    assert layer.inks.ramp is not None
    assert [words for _, words in layer.inks.ramp["ticks"]] == ["10.1", "12.6", "15.1", "17.5", "20"]
    assert layer.inks.codes[0] == layers.LEVELS
    assert [group["count"] for group in layer.inks.legend] == [5]
    assert (np.diff(layer.inks.codes[5:].astype(int)) >= 0).all()


def test_a_quantity_over_decades_is_spread_by_its_logarithm() -> None:
    layer = layer_of(np.logspace(0, 4, N), "continuous")
    assert layer.inks.ramp is not None
    assert [words for _, words in layer.inks.ramp["ticks"]] == ["1", "10", "100", "1e+03", "1e+04"]
    assert layer.inks.codes[N // 2] == pytest.approx(layers.LEVELS / 2, abs=1)


def test_many_points_are_sent_as_a_density_that_holds_them_all(monkeypatch: pytest.MonkeyPatch, stages: Layer) -> None:
    monkeypatch.setattr(layers, "MOST_POINTS", 100)
    monkeypatch.setattr(layers, "MOST_IN_VIEW", 50)
    selected = stages.coordinates[:, 0] > 0
    header, arrays = sent(stages, selected)
    assert header["mode"] == "density"
    counts = arrays["counts"].reshape(layers.ROWS, layers.COLUMNS)
    left, right, bottom, top = header["view"]
    column = np.minimum((stages.coordinates[:, 0] - left) / (right - left) * layers.COLUMNS, layers.COLUMNS - 1)
    row = np.minimum((top - stages.coordinates[:, 1]) / (top - bottom) * layers.ROWS, layers.ROWS - 1)
    full = np.zeros_like(counts, dtype=bool)
    full[row.astype(int), column.astype(int)] = True
    assert ((counts > 0) == full).all()
    alone = (row.astype(int) * layers.COLUMNS + column.astype(int))[:4]
    assert [header["groups"][arrays["group"][cell]]["name"] for cell in alone] == ["T1", "T2", "missing", "T3"]
    assert arrays["share"][alone].astype(bool).tolist() == selected[:4].tolist()


def test_zooming_in_turns_the_density_into_the_points_in_view(monkeypatch: pytest.MonkeyPatch, stages: Layer) -> None:
    monkeypatch.setattr(layers, "MOST_POINTS", 100)
    monkeypatch.setattr(layers, "MOST_IN_VIEW", 50)
    header, arrays = sent(stages, np.zeros(N, dtype=bool), [0.0, 0.3, 0.0, 0.3])
    assert header["mode"] == "points"
    near = np.all((stages.coordinates >= 0) & (stages.coordinates <= 0.3), axis=1)
    assert arrays["text"]["ids"] == stages.item_ids[near].tolist()
    assert 0 < near.sum() < 50


@pytest.mark.parametrize("viewport", [[1, 0, 0, 1], [0, 1, 0], [0, float("nan"), 0, 1], [0, 0, 0, 1]])
def test_a_part_of_the_map_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, stages: Layer, viewport: list[float]
) -> None:
    monkeypatch.setattr(layers, "MOST_POINTS", 100)
    with pytest.raises(ValueError, match="cannot be read"):
        contents(stages, np.zeros(N, dtype=bool), viewport)


def test_all_points_in_one_place_have_a_map() -> None:
    places, ids = np.ones((3, 2)), np.array(list("abc"), dtype=object)
    layer = Layer("t", places, ids, inks_of(ColourColumn("x", ["a"] * 3, "category")), [], bounds_of(places))
    header, arrays = sent(layer, np.zeros(3, dtype=bool))
    assert len(set(arrays["x"])) == 1
    assert header["bounds"][0] < header["bounds"][1]


def test_a_payload_of_a_hundred_thousand_slices_is_below_two_megabytes() -> None:
    n = 100_000
    ids = np.array([f"case{i // 200:04d}/slice/{i % 200:04d}" for i in range(n)], dtype=object)
    values = np.array(["T1", "T2", "T3", "T4"], dtype=object)[np.arange(n) // 200 % 4]
    xy = np.random.default_rng(0).normal(size=(n, 2))
    frame = pd.DataFrame({"case_id": [one.split("/")[0] for one in ids], "stage": values})
    inks = inks_of(ColourColumn("stage", values, "stage", levels=("T1", "T2", "T3", "T4")))
    layer = Layer("t", xy, ids, inks, [tip(c, frame[c]) for c in frame], bounds_of(xy))
    assert len(encoded(*contents(layer, np.arange(n) % 2 == 0, None))) < 2_000_000


def test_a_lasso_a_box_a_click_and_the_legend_pick_rows(stages: Layer) -> None:
    right = [(0, -9), (9, -9), (9, 9), (0, 9)]
    for kind in ("lasso", "box"):
        rows, origin = rows_of({"kind": kind, "polygon": right}, stages)
        assert (rows == (stages.coordinates[:, 0] > 0)).all()
        assert kind in origin
    rows, _ = rows_of({"kind": "item", "item": "c7/lesion"}, stages)
    assert np.flatnonzero(rows).tolist() == [7]
    rows, _ = rows_of({"kind": "group", "group": "T2"}, stages)
    assert (np.flatnonzero(rows) % 4 == 1).all()
    assert rows.sum() == N // 4


@pytest.mark.parametrize(
    "picked", [{}, {"kind": "lasso"}, {"kind": "group", "group": "T9"}, {"kind": "group"}, {"kind": "__init__"}]
)
def test_a_pick_that_cannot_be_read_is_refused(stages: Layer, picked: dict) -> None:
    with pytest.raises(ValueError):
        rows_of(picked, stages)


def test_an_array_that_the_browser_does_not_read_is_refused() -> None:
    with pytest.raises(ValueError, match="float64"):
        part(np.zeros(3))
