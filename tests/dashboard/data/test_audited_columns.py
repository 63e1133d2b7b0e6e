"""Columns that measure the tumour's size are audited as one, whatever they are called; others stay by themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dashboard.data.audited_columns import audited

N = 40
DIAMETER = np.linspace(5.0, 60.0, N)
NOISE = np.random.default_rng(0).permutation(N).astype(float)
FRAME = pd.DataFrame(
    {
        "equivalent_diameter_mm": DIAMETER,
        "max_extent_mm": DIAMETER * 1.2 + NOISE / 20,
        "volume_ml": DIAMETER**3,
        "tumor_volume_mm3": DIAMETER**3 * 1000,
        "short_axis": np.where(np.arange(N) < 5, np.nan, DIAMETER),
        "pixel_size": NOISE,
        "kidney_volume_mm3": NOISE[::-1],
        "age": DIAMETER,
        "site": ["north", "south"] * (N // 2),
    }
)
SIZES = ["equivalent diameter (mm)", "max extent (mm)", "volume (ml)", "tumor volume mm3", "short axis"]


def test_five_measures_of_one_size_are_one_finding_with_its_columns() -> None:
    found = audited(FRAME, list(FRAME))
    # Age rises with the size here, and is none; a pixel is not the tumour, nor is the kidney.
    assert list(found) == ["tumour size", "pixel size", "kidney volume mm3", "age (years)", "site"]
    assert list(found["tumour size"]) == SIZES
    assert found["site"].tolist()[:2] == ["north", "south"]


def test_a_size_by_itself_keeps_its_name() -> None:
    found = audited(FRAME, ["site", "volume_ml", "pixel_size"])
    assert list(found) == ["site", "volume (ml)", "pixel size"]
    assert found["volume (ml)"].tolist() == FRAME["volume_ml"].tolist()


def test_another_column_of_that_name_is_kept() -> None:
    found = audited(FRAME.rename(columns={"site": "tumour_size"}), ["volume_ml", "max_extent_mm", "tumour_size"])
    assert list(found) == ["tumour size, 2 columns", "tumour size"]


def test_two_columns_that_are_written_alike_keep_their_names() -> None:
    frame = FRAME[["age"]].assign(age_years=NOISE)
    assert list(audited(frame, ["age", "age_years"])) == ["age", "age_years"]
