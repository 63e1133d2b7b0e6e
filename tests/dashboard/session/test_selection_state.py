"""The selection itself: combined, undone, carried by item id between views of the same cases."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline

from dashboard.session.selection import History, Selection, combined, inside, mode_of, of_cases, of_rows

SLICES = pd.DataFrame({"item_id": ["a/slice/0", "a/slice/1", "b/slice/0"], "case_id": ["a", "a", "b"]})
LESIONS = pd.DataFrame({"item_id": ["b/lesion", "a/lesion"], "case_id": ["b", "a"]})


def rows(*chosen: int, n: int = 3) -> np.ndarray:
    found = np.zeros(n, dtype=bool)
    found[list(chosen)] = True
    return found


def test_a_slice_that_is_selected_selects_its_case_in_another_view() -> None:
    one = of_rows(SLICES, rows(1), "click")
    assert one.rows(SLICES).tolist() == [False, True, False]
    assert one.rows(LESIONS).tolist() == [False, True]


def test_a_case_that_is_selected_selects_all_its_slices() -> None:
    assert of_cases(["a"]).rows(SLICES).tolist() == [True, True, False]


def test_the_same_items_are_found_in_whatever_order_the_table_is() -> None:
    shuffled = SLICES.iloc[[2, 0, 1]].reset_index(drop=True)
    one = of_rows(SLICES, rows(0, 2), "lasso")
    assert set(shuffled["item_id"][one.rows(shuffled)]) == {"a/slice/0", "b/slice/0"}


@pytest.mark.parametrize(
    ("mode", "expected"), [("replace", {"b/slice/0"}), ("add", {"a/slice/0", "b/slice/0"}), ("subtract", {"a/slice/0"})]
)
def test_a_pick_replaces_adds_or_takes_away(mode: str, expected: set[str]) -> None:
    before = of_rows(SLICES, rows(0), "click")
    if mode == "subtract":
        before = of_rows(SLICES, rows(0, 2), "click")
    assert combined(SLICES, before, rows(2), mode, "box").items == expected  # type: ignore[arg-type]


def test_taking_away_from_nothing_selects_nothing() -> None:
    assert not combined(SLICES, Selection(), rows(0), "subtract", "box")


def test_undo_goes_back_one_step_and_redo_forth_until_something_else_is_selected() -> None:
    history = History()
    history.put(of_cases(["a"]))
    history.put(of_cases(["b"]))
    history.undo()
    assert history.current.cases == {"a"}
    history.undo()
    assert not history.current
    assert not history.can_undo
    history.redo()
    assert history.current.cases == {"a"}
    history.put(of_cases(["c"]))
    assert not history.can_redo
    history.undo()
    assert history.current.cases == {"a"}


def test_selecting_the_same_again_is_no_step() -> None:
    history = History()
    history.put(of_cases(["a"]))
    history.put(of_cases(["a"]))
    history.undo()
    assert not history.current


def test_the_history_is_bounded() -> None:
    history = History()
    for number in range(200):
        history.put(of_cases([str(number)]))
    assert len(history.steps) == 50
    assert history.current.cases == {"199"}


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=3, max_size=12), st.integers(0, 2**32 - 1))
def test_points_inside_an_area_are_those_that_matplotlib_finds(corners: list[tuple[float, float]], seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-6, 6, (200, 2))
    expected = Outline(corners).contains_points(points)
    box = np.array(corners)
    assert (inside(points, corners) == expected)[np.all((points > box.min(0)) & (points < box.max(0)), axis=1)].all()
    assert not inside(points, corners)[~np.all((points >= box.min(0)) & (points <= box.max(0)), axis=1)].any()


@pytest.mark.parametrize(
    "polygon",
    [[], [(0, 0), (1, 1)], [(0, 0, 0)] * 3, [(0, float("nan"))] * 3, [(i, i) for i in range(201)], "abc", [["a", "b"]]],
)
def test_an_area_that_is_none_is_refused(polygon: object) -> None:
    with pytest.raises(ValueError, match="corners"):
        inside(np.zeros((2, 2)), polygon)  # type: ignore[arg-type]


def test_an_unknown_way_to_pick_replaces() -> None:
    assert mode_of({"mode": "__class__"}) == "replace"
    assert mode_of({}) == "replace"
    assert mode_of({"mode": "add"}) == "add"
