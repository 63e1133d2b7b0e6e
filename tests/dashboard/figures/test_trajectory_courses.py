"""Pseudotime beside simple axes, and covariates along it: what the figures say is what the results hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dashboard.figures import courses, figure_bytes, trajectory
from dashboard.figures.style.theme import print_canvas
from embeddings.analysis import Courses, along_each, pseudotime

FOOTER = "Simulated demonstration cohort"
LABELS = {"size_ml": "tumour <size> (ml)"}


@pytest.fixture(scope="module")
def followed(cohort: dict[str, Any], trajectory_result: Any) -> Courses:
    sex = np.where(np.random.default_rng(0).random(60) < 0.5, "F", "M").astype(object)
    sex[:3] = None
    covariates = {"size_ml": cohort["size"], "sex": sex, "constant": np.ones(60)}
    return along_each(trajectory_result.pseudotime, covariates, n_permutations=19, n_bootstrap=50)


def test_the_simple_axes_stand_beside_pseudotime(trajectory_result: Any) -> None:
    lines = trajectory.axis_rows(trajectory_result)
    assert [line.value for line in lines] == [
        trajectory_result.rho,
        trajectory_result.pc1_rho,
        trajectory_result.supervised_rho,
    ]
    assert all(line.has_interval for line in lines)
    table = trajectory.axes_data(trajectory_result).set_index("axis")
    assert table.loc["supervised axis, out of fold", "rho"] == trajectory_result.supervised_rho
    assert table.loc["first principal component", "p_permutation"] == trajectory_result.pc1_p_permutation


def test_an_axis_that_was_not_fitted_is_left_out(cohort: dict[str, Any]) -> None:
    result = pseudotime(cohort["X"], cohort["stage"], patient=np.arange(60) % 9, n_permutations=9, n_resamples=1)
    assert len(trajectory.axis_rows(result)) == 2
    assert "supervised_axis_out_of_fold" not in trajectory.data(result, cohort["coordinates"], cohort["ids"])


def test_trajectory_panels_can_be_drawn_into_another_figure(cohort: dict[str, Any], trajectory_result: Any) -> None:
    figure, (first, second, third) = print_canvas(width_mm=183.0, height_mm=60.0, panels=3)
    trajectory.draw(first, trajectory_result, stage_names=cohort["names"])
    trajectory.draw_axes(second, trajectory_result)
    trajectory.draw_map(third, trajectory_result, cohort["coordinates"], cohort["ids"])
    assert first.get_xticklabels()[0].get_text().startswith("T1\nn = ")
    svg = figure_bytes(figure, "svg").decode()
    assert "Supervised axis" in svg
    assert "UMAP 1" in svg
    without = pseudotime(cohort["X"], root=0, n_resamples=1)
    with pytest.raises(ValueError, match="without a stage"):
        trajectory.draw(first, without)


def test_the_screen_has_a_panel_a_covariate_with_line_and_band(followed: Courses) -> None:
    figure = courses.screen(followed, labels=LABELS, footer=FOOTER)
    lines = [trace for trace in figure.data if trace.type == "scatter" and trace.fill is None]
    assert [list(trace.y) for trace in lines] == [list(one.fit) for one in followed.smooths]
    texts = [note.text for note in figure.layout.annotations]
    assert any(text.startswith("tumour &lt;size&gt; (ml): rho") for text in texts)
    assert any(FOOTER in text for text in texts)
    assert figure.layout.yaxis2.title.text == "sex: share of M"
    assert (
        "60 cases of 60 patients; p two-sided, adjusted: Benjamini-Hochberg over 2 covariates"
        in figure.layout.title.text
    )
    assert figure.to_json()


@pytest.mark.parametrize(("count", "width_mm"), [(1, 89), (2, 183), (5, 183)])
def test_prints_have_their_width_and_nothing_leaves_the_page(followed: Courses, count: int, width_mm: float) -> None:
    some = Courses((followed.smooths * 3)[:count], ())
    figure = courses.print_figure(some, labels=LABELS, footer=FOOTER)
    assert len(figure.axes) == count
    assert figure.get_size_inches()[0] * 25.4 == pytest.approx(width_mm)
    assert FOOTER in figure_bytes(figure, "svg").decode()
    figure_bytes(figure, "png")
    width, height = figure.bbox.size
    inside = figure.get_tightbbox().get_points() * figure.dpi
    assert inside.min() >= -2
    assert inside[1, 0] <= width + 2
    assert inside[1, 1] <= height + 2


def test_tables_hold_curves_cases_and_adjusted_p(followed: Courses) -> None:
    curves, cases = courses.data(followed), courses.cases_data(followed)
    size, sex = followed.smooths
    assert np.array_equal(curves.loc[curves["covariate"] == "size_ml", "fit"], size.fit)
    assert set(curves.loc[curves["covariate"] == "sex", "share_of"]) == {"M"}
    assert (cases["covariate"] == "sex").sum() == 57
    table = courses.summary(followed, labels=LABELS).set_index("covariate")
    assert table.loc["tumour <size> (ml)", "p_adjusted"] == size.p_adjusted
    assert table.loc["sex: share of M", "n_missing"] == sex.n_missing == 3
