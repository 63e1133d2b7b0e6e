"""Tables of results read as a table of a paper does: no names of the program, no None, one format for p."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dashboard.wording.result_tables import as_text, heading, is_p

TABLE = pd.DataFrame(
    {
        "axis": ["out of fold", "after size"],
        "rho": [0.25, -0.004],
        "rho_low": [0.11, np.nan],
        "rho_high": [0.38, np.nan],
        "p_permutation": [0.016, 9.1e-05],
        "p_adjusted": [0.051, np.nan],
        "n_patients": [41, 1],
        "note": [None, "text"],
    }
)


def test_an_estimate_and_its_interval_are_one_cell_and_a_p_has_one_format() -> None:
    shown = as_text(TABLE)
    assert shown.columns.tolist() == ["axis", "rho [95 % interval]", "p, one-sided", "p, adjusted", "patients", "note"]
    assert shown.iloc[0].tolist() == ["out of fold", "0.250 [0.110, 0.380]", "0.016", "0.051", "41", ""]
    assert shown.iloc[1].tolist() == ["after size", "-0.004", "< 0.001", "", "1", "text"]


def test_an_open_interval_says_that_its_upper_limit_was_not_reached() -> None:
    table = pd.DataFrame({"median": [2219.0], "median_low": [1490.0], "median_high": [np.nan]})
    assert as_text(table).iloc[0, 0] == "2219.000 [1490.000, not reached]"


def test_a_heading_can_say_the_sides_of_a_p() -> None:
    assert "p, two-sided" in as_text(TABLE.rename(columns={"p_adjusted": "p"}), {"p": "p, two-sided"})


@pytest.mark.parametrize("column", ["p", "p adjusted", "p_adjusted", "ph_p", "ph_p_adjusted", "p_permutation"])
def test_columns_of_p_are_known_by_name(column: str) -> None:
    assert is_p(column)


@pytest.mark.parametrize("column", ["rho", "n_patients", "hazard_ratio", "spacing", "sample", "value [95 % interval]"])
def test_other_columns_are_no_p(column: str) -> None:
    assert not is_p(column)


def test_no_heading_has_an_underline() -> None:
    assert heading("stage_rho_without [95 % interval]") == "stage axis without it, rho [95 % interval]"
    assert heading("at_risk_500") == "at risk 500"
