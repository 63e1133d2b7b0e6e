"""The number of a slice is the same on the screen, in the figure's table, and in the two languages that compute it."""

from __future__ import annotations

import io
import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("playwright", reason="playwright is not installed: make env-dev")
from playwright.sync_api import Page

from dashboard.components import viewer
from dashboard.data.planes import PLANES, slice_index, slice_number
from flexict.volume import Volume
from tests.dashboard.journeys.steps import MARKS, downloaded_by_key, go, slices_ready, wheel

pytestmark = MARKS
GEOMETRY = Path(viewer.__file__).with_name("geometry.js")
NUMBERS = """async ([source, cases]) => {
    const module = URL.createObjectURL(new Blob([source], {type: 'text/javascript'}));
    const { sliceIndex, sliceNumber } = await import(module);
    return cases.map(([centre, spacing, count, place]) => sliceNumber(sliceIndex(
        {centre: [0, 0, centre], spacing: [1, 1, spacing], shape: [1, 1, count]}, {through: 2}, [0, 0, place])));
}"""
SHOWN = re.compile(r"slice (\d+) of (\d+), ([xyz]) = (−?[\d.]+) mm")


def test_browser_and_server_number_a_slice_alike(page: Page) -> None:
    cases = list(
        itertools.product((0.0, 4.5, 5.5, 20.25, 20.5), (0.7, 1.0, 2.5), (1, 12, 42), np.arange(-9, 9.1, 0.25))
    )
    expected = []
    for centre, spacing, count, place in cases:
        volume = Volume(np.zeros((count, 1, 1), np.int16), (1.0, 1.0, spacing), (0.0, 0.0, 0.0), np.eye(3))
        expected.append(slice_number(slice_index(volume, PLANES["axial"], (0.0, 0.0, centre), float(place))))
    numbers = [[a, b, c, float(d)] for a, b, c, d in cases]
    assert page.evaluate(NUMBERS, [GEOMETRY.read_text("utf-8"), numbers]) == expected


def test_the_table_of_the_slices_has_the_numbers_on_the_screen(page: Page, embedded: str) -> None:
    go(page, embedded, "neighbours")
    slices_ready(page)
    for plane in ("Axial", "Coronal", "Sagittal"):
        page.get_by_role("button", name=plane).click()
        slices_ready(page)
        wheel(page, 3)
        words = page.locator(".viewer .place").all_inner_texts()
        shown = [found.groups() for found in map(SHOWN.search, words) if found]
        assert len(shown) == len(words)
        # At once: the server may not know the last turns of the wheel yet.
        table = pd.read_csv(io.BytesIO(downloaded_by_key(page, "download.slices-neighbours.csv")))
        assert set(table["plane"]) == {plane.lower()}
        for (number, count, axis, mm), (_, row) in zip(shown, table.iterrows(), strict=True):
            assert (row["slice_number"], row["n_slices"]) == (int(number), int(count))
            assert row[f"lps_{axis}_mm"] == pytest.approx(float(mm.replace("−", "-")), abs=0.051)
