from __future__ import annotations

from io import BytesIO, StringIO
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.figures import csv_bytes, figure_bytes
from dashboard.figures.style.theme import print_canvas


@pytest.fixture
def figure() -> Any:
    made, (axes,) = print_canvas(width_mm=89, height_mm=50)
    axes.set_title("Tumour volume")
    return made


def test_png_has_three_hundred_dots_an_inch(figure: Any) -> None:
    pixels = matplotlib.image.imread(BytesIO(figure_bytes(figure, "png")))
    assert pixels.shape[1] == pytest.approx(89 / 25.4 * 300, abs=1)


def test_svg_keeps_text_as_text_and_pdf_embeds_truetype(figure: Any) -> None:
    assert b"Tumour volume</text>" in figure_bytes(figure, "svg")
    pdf = figure_bytes(figure, "pdf")
    assert pdf.startswith(b"%PDF")
    assert b"/Type3" not in pdf
    assert b"/FontFile2" in pdf


@pytest.mark.parametrize("format", ["svg", "pdf", "png"])
def test_the_same_figure_gives_the_same_bytes(figure: Any, format: Any) -> None:
    assert figure_bytes(figure, format) == figure_bytes(figure, format)


def test_another_format_is_refused(figure: Any) -> None:
    wrong: Any = "tiff"
    with pytest.raises(ValueError, match="svg, pdf or png"):
        figure_bytes(figure, wrong)


def test_formulas_are_defused_and_numbers_left_alone() -> None:
    table = pd.DataFrame({"id": ["=1+1", "@x", "-2", "ok", None], "value": [-1.5, 2, np.nan, 0, 1], "=head": 1})
    text = csv_bytes(table).decode()
    assert text.splitlines()[0] == "id,value,'=head"
    assert text.splitlines()[1] == "'=1+1,-1.5,1"
    assert text.splitlines()[3] == "'-2,,1"
    assert text.splitlines()[5] == ",1.0,1"
    assert table.columns[2] == "=head"


def test_categories_and_repeated_columns_are_defused_too() -> None:
    table = pd.DataFrame([["=a", "+b"]], columns=["x", "x"]).astype("category")
    assert csv_bytes(table).decode().splitlines()[1] == "'=a,'+b"


@given(st.lists(st.text(), min_size=1))
def test_no_cell_of_text_starts_a_formula(cells: Any) -> None:
    csv = csv_bytes(pd.DataFrame({"text": cells})).decode()
    back = pd.read_csv(StringIO(csv, newline=""), dtype=str, keep_default_na=False, skip_blank_lines=False)
    assert not any(str(cell).startswith(("=", "+", "-", "@", "\t", "\r")) for cell in back["text"])
