"""The retrieval panel says what the result holds, and where chance lies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dashboard.figures import figure_bytes, retrieval
from dashboard.figures.style.theme import print_canvas
from embeddings.analysis import Retrieval, evaluate

FOOTER = "Simulated demonstration cohort"


@pytest.fixture(scope="module")
def fused(cohort: dict[str, Any]) -> Retrieval:
    other = cohort["X"] + np.random.default_rng(1).normal(size=cohort["X"].shape)
    return evaluate([cohort["X"], other], cohort["stage"], protocol="halves", n_splits=4, n_bootstrap=20)


@pytest.fixture(scope="module")
def plain(cohort: dict[str, Any]) -> Retrieval:
    return evaluate(cohort["X"], cohort["stage"], k=(1, 3), n_bootstrap=20)


def test_each_measure_stands_once_with_its_chance(plain: Retrieval) -> None:
    lines = retrieval.rows(plain)
    assert [line.label for line in lines] == ["Recall@1", "Recall@3", "Precision@3", "mAP"]
    first, third = plain.at_k
    assert [line.value for line in lines] == [
        first.recall,
        third.recall,
        third.precision,
        plain.mean_average_precision,
    ]
    assert [line.chance for line in lines] == [
        first.recall_chance,
        third.recall_chance,
        third.precision_chance,
        plain.mean_average_precision_chance,
    ]
    assert lines[0].text.endswith(f"chance {first.recall_chance:.2f}")


def test_the_screen_draws_values_and_chance_over_the_same_measures(plain: Retrieval) -> None:
    figure = retrieval.screen(plain, footer=FOOTER)
    values, chance = figure.data
    assert list(values.y) == list(chance.y)
    assert list(chance.x) == [line.chance for line in retrieval.rows(plain)]
    assert np.array(values.x) - np.array(values.error_x.arrayminus) == pytest.approx(
        [line.low for line in retrieval.rows(plain)]
    )
    assert "60 cases of 60 patients" in figure.layout.title.text
    assert any(FOOTER in note.text for note in figure.layout.annotations)
    assert figure.to_json()


def test_the_print_is_one_column_wide_and_names_protocol_and_fusion(fused: Retrieval) -> None:
    figure = retrieval.print_figure(fused, footer=FOOTER)
    assert figure.get_size_inches()[0] * 25.4 == pytest.approx(89)
    svg = figure_bytes(figure, "svg").decode()
    for text in ("4 random halves, 2 sets fused", "Precision@5", "chance", FOOTER):
        assert text in svg
    figure_bytes(figure, "png")
    width, height = figure.bbox.size
    inside = figure.get_tightbbox().get_points() * figure.dpi
    assert inside.min() >= -2
    assert inside[1, 0] <= width + 2
    assert inside[1, 1] <= height + 2


def test_a_panel_can_be_drawn_into_another_figure(plain: Retrieval) -> None:
    figure, (_, axes) = print_canvas(width_mm=183.0, height_mm=60.0, panels=2)
    retrieval.draw(axes, plain)
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [line.label for line in retrieval.rows(plain)]
    assert "mAP" in figure_bytes(figure, "svg").decode()


def test_the_data_hold_the_numbers_and_how_they_were_taken(fused: Retrieval) -> None:
    table = retrieval.data(fused).set_index("measure")
    assert table.loc["mAP", "value"] == fused.mean_average_precision
    assert table.loc["Recall@3", "chance"] == fused.at_k[1].recall_chance
    assert set(table["protocol"]) == {"halves"}
    assert set(table["n_sets"]) == {2}
