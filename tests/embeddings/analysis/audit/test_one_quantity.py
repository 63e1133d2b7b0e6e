"""Columns of one quantity: which they are, their mean rank, and that the audit counts them once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from embeddings.analysis import one_quantity, shortcuts
from embeddings.analysis.audit.one_quantity import mean_rank

QUICK: dict[str, Any] = {"n_permutations": 199, "n_bootstrap": 50}
RNG = np.random.default_rng(3)
SIZE = np.exp(RNG.normal(3.0, 0.6, 90))
OTHER = RNG.normal(size=90)


def test_columns_that_rise_together_are_found_through_each_other() -> None:
    near, far = SIZE * np.exp(RNG.normal(0, 0.2, 90)), SIZE * np.exp(RNG.normal(0, 0.2, 90))
    found = one_quantity({"age": OTHER, "volume": SIZE**3, "first": near, "pixel": -OTHER, "second": far})
    assert found == ("volume", "first", "second")
    assert one_quantity({"age": OTHER, "volume": SIZE}) == ()
    # Falling with each other is another thing than measuring the same.
    assert one_quantity({"size": SIZE, "minus": -SIZE}) == ()
    assert one_quantity({}) == ()


def test_too_few_cases_in_common_link_nothing() -> None:
    few = np.where(np.arange(90) < 9, SIZE, np.nan)
    assert one_quantity({"size": SIZE, "few": few}) == ()
    assert one_quantity({"size": SIZE, "ten": np.where(np.arange(90) < 10, SIZE, np.nan)}) == ("size", "ten")


def test_the_mean_rank_is_of_the_columns_that_a_case_has() -> None:
    nan = float("nan")
    found = mean_rank({"a": [10.0, 20.0, 30.0, nan, nan], "b": [1.0, nan, 5.0, 2.0, nan]})
    # Shares: a is 1/6, 3/6, 5/6; b is 1/6, -, 5/6, 3/6.
    assert_allclose(found, [1 / 6, 3 / 6, 5 / 6, 3 / 6, nan])


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=30))
def test_the_mean_rank_of_one_quantity_in_any_unit_is_its_rank(values: list[int]) -> None:
    numbers = np.array(values, dtype=float)
    assert_allclose(mean_rank({"mm": numbers, "ml": numbers**3, "log": numbers * 0.1 - 7}), mean_rank({"mm": numbers}))


def test_a_group_is_audited_as_its_quantity_and_counts_once_in_the_adjustment() -> None:
    stage = RNG.integers(0, 3, 90)
    size = np.exp(0.8 * stage + RNG.normal(0, 0.5, 90))
    X = RNG.normal(size=(90, 20))
    X[:, :5] += np.log(size)[:, None]
    alone = shortcuts(X, stage, {"size": size, "age": OTHER}, **QUICK)
    group = {"diameter (mm)": size, "volume (ml)": size**3, "extent (mm)": 2 * size}
    grouped = shortcuts(X, stage, {"tumour size": group, "age": OTHER}, **QUICK)
    one, same = grouped.columns[0], alone.columns[0]
    assert one.parts == ("diameter (mm)", "volume (ml)", "extent (mm)")
    assert same.parts == ()
    for name in ("stage_from_column", "column_from_vectors_p_adjusted", "after_removal", "after_removal_p_adjusted"):
        found, expected = getattr(one, name), getattr(same, name)
        assert found == expected or found == pytest.approx(expected), name
    assert len(grouped.columns) == 2
    assert one.verdict.endswith("Tumour size is the mean rank of diameter (mm), volume (ml) and extent (mm).")
    assert "mean rank" not in same.verdict
