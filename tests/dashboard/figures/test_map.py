from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from dashboard.figures import ColourColumn, figure_bytes
from dashboard.figures import map as map_figure
from dashboard.figures.style.theme import category_marks, stage_marks


def stage_colour(cohort: Any) -> ColourColumn:
    names = [cohort["names"][code] for code in cohort["stage"]]
    return ColourColumn("T stage", [None, *names[1:]], "stage", levels=("T1", "T2", "T<3>"))


def test_every_point_carries_its_own_item_id_whatever_the_groups(cohort: Any) -> None:
    figure = map_figure.screen(cohort["coordinates"], cohort["ids"], stage_colour(cohort))
    place: dict[str, tuple[float, float]] = {}
    for trace in figure.data:
        assert trace.type == "scattergl"
        place |= {row[0]: (x, y) for row, x, y in zip(trace.customdata, trace.x, trace.y, strict=True)}
    assert place == {item: tuple(point) for item, point in zip(cohort["ids"], cohort["coordinates"], strict=True)}


def test_stages_stay_in_order_with_n_and_missing_last(cohort: Any) -> None:
    figure = map_figure.screen(cohort["coordinates"], cohort["ids"], stage_colour(cohort))
    names = [trace.name for trace in figure.data]
    assert [name.split(" (")[0] for name in names] == ["T1", "T2", "T&lt;3&gt;", "missing"]
    assert names[-1] == "missing (n = 1)"
    assert len({trace.marker.symbol for trace in figure.data}) == 4


def test_text_from_files_is_not_markup(cohort: Any) -> None:
    hover = pd.DataFrame({"<i>note": ["<a href='x'>"] * 60})
    colour = ColourColumn("<script>", ["x"] * 60, "category")
    figure = map_figure.screen(cohort["coordinates"], cohort["ids"], colour, hover=hover, footer="<u>")
    shown = [*figure.data[0].text, figure.data[0].name, figure.layout.title.text]
    shown += [figure.layout.annotations[0].text, figure.layout.legend.title.text]
    for text in shown:
        for tag in ("<script>", "<a href", "<u>", "<b>C000</b>", "<i>note"):
            assert tag not in text


def test_rare_categories_become_one_group_and_no_case_is_lost() -> None:
    colour = ColourColumn("Centre", [f"c{i % 30}" for i in range(100)], "category")
    groups = colour.groups()
    assert len(groups) == 12
    assert groups[-1].name == "19 other values"
    assert sorted(np.concatenate([group.rows for group in groups])) == list(range(100))


def test_wide_positive_quantities_are_coloured_on_a_log_scale_and_labelled_in_their_unit() -> None:
    values = [1.0, 10.0, 100.0, np.nan, 3.0]
    colour = ColourColumn("Tumour volume", values, "continuous", unit="ml")
    figure = map_figure.screen(np.zeros((5, 2)), list("abcde"), colour)
    marker = figure.data[0].marker
    assert marker.colorbar.title.text == "Tumour volume (ml)"
    assert marker.color == pytest.approx([0, 1, 2, np.log10(3)])
    assert (marker.colorbar.ticktext[0], marker.colorbar.ticktext[-1]) == ("1", "100")
    assert figure.data[1].name == "missing (n = 1)"
    assert not ColourColumn("Age", [50, 60, 70], "continuous").on_log_scale


def test_marks_differ_in_colour_and_shape() -> None:
    for marks in (stage_marks(5), category_marks(8)):
        assert len({mark.colour for mark in marks}) == len(marks)
        assert len({mark.symbol for mark in marks}) == len(marks)
    assert len(set(category_marks(64))) == 64


@pytest.mark.parametrize("kind", ["category", "stage", "continuous"])
def test_print_shows_title_axes_and_footer(cohort: Any, kind: Any) -> None:
    values = cohort["size"] if kind == "continuous" else ["a", "b", None] * 20
    colour = ColourColumn("Column", values, kind, unit="ml" if kind == "continuous" else None)
    figure = map_figure.print_figure(cohort["coordinates"], cohort["ids"], colour, footer="Simulated cohort")
    svg = figure_bytes(figure, "svg").decode()
    for text in ("Map of 60 items by Column", "UMAP 1", "UMAP 2", "Simulated cohort"):
        assert text in svg
    assert ("Column (ml)" if kind == "continuous" else "missing (n = 20)") in svg


def test_data_has_the_points_in_order(cohort: Any) -> None:
    table = map_figure.data(cohort["coordinates"], cohort["ids"], stage_colour(cohort))
    assert table["item_id"].tolist() == cohort["ids"]
    assert np.array_equal(table[["UMAP 1", "UMAP 2"]], cohort["coordinates"])
    assert table["T stage"].tolist()[0] is None


def test_points_without_their_ids_are_refused(cohort: Any) -> None:
    with pytest.raises(ValueError, match="one point and one value"):
        map_figure.screen(cohort["coordinates"][:5], cohort["ids"], stage_colour(cohort))
