"""Gradient, trajectory and probe: what the figures say is what the results hold."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from dashboard.figures import figure_bytes, gradient, probe, trajectory
from dashboard.figures.style.intervals import IntervalRow
from embeddings.analysis import linear_probe, p_number, pseudotime, stage_gradient

FOOTER = "Simulated demonstration cohort"


def screens(cohort: Any, gradient_result: Any, trajectory_result: Any, probe_result: Any) -> list[Any]:
    ids, names, points = cohort["ids"], cohort["names"], cohort["coordinates"]
    return [
        gradient.screen(gradient_result, stage_names=names, item_ids=ids, footer=FOOTER),
        trajectory.screen(trajectory_result, points, ids, stage_names=names, footer=FOOTER),
        probe.screen(probe_result, footer=FOOTER),
    ]


def prints(cohort: Any, gradient_result: Any, trajectory_result: Any, probe_result: Any) -> list[Any]:
    ids, names, points = cohort["ids"], cohort["names"], cohort["coordinates"]
    return [
        gradient.print_figure(gradient_result, stage_names=names, footer=FOOTER),
        trajectory.print_figure(trajectory_result, points, ids, stage_names=names, footer=FOOTER),
        probe.print_figure(probe_result, footer=FOOTER),
    ]


def test_screens_are_transparent_carry_the_footer_and_go_to_json(
    cohort: Any, gradient_result: Any, trajectory_result: Any, probe_result: Any
) -> None:
    for figure in screens(cohort, gradient_result, trajectory_result, probe_result):
        assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
        assert any(FOOTER in note.text for note in figure.layout.annotations)
        assert "60 cases of 60 patients" in figure.layout.title.text
        assert figure.to_json()


def test_prints_are_two_columns_wide_with_footer_and_n(
    cohort: Any, gradient_result: Any, trajectory_result: Any, probe_result: Any
) -> None:
    for figure in prints(cohort, gradient_result, trajectory_result, probe_result):
        assert figure.get_size_inches()[0] * 25.4 == pytest.approx(183)
        svg = figure_bytes(figure, "svg").decode()
        assert FOOTER in svg
        assert "60 cases of 60 patients" in svg


def test_no_text_of_a_printed_figure_leaves_the_page(
    cohort: Any, gradient_result: Any, trajectory_result: Any, probe_result: Any
) -> None:
    for figure in prints(cohort, gradient_result, trajectory_result, probe_result):
        figure_bytes(figure, "png")
        width, height = figure.bbox.size
        inside = figure.get_tightbbox().get_points() * figure.dpi
        assert inside.min() >= -2
        assert inside[1, 0] <= width + 2
        assert inside[1, 1] <= height + 2


def test_gradient_points_carry_item_id_and_own_score(cohort: Any, gradient_result: Any) -> None:
    figure = gradient.screen(gradient_result, stage_names=cohort["names"], item_ids=cohort["ids"])
    scores: dict[str, float] = {}
    for trace in figure.data:
        if trace.type == "scattergl" and trace.xaxis == "x":
            scores |= {row[0]: y for row, y in zip(trace.customdata, trace.y, strict=True)}
    assert scores == dict(zip(cohort["ids"], gradient_result.score, strict=True))
    counts = [f"n = {(cohort['stage'] == code).sum()}" for code in (1, 2, 3)]
    assert [text.split("<br>")[1] for text in figure.layout.xaxis.ticktext] == counts
    assert figure.layout.xaxis.ticktext[2].startswith("T&lt;3&gt;")


def test_gradient_rows_put_the_optimistic_value_beside_the_honest_ones(gradient_result: Any) -> None:
    rows = gradient.evidence_rows(gradient_result)
    assert [row.value for row in rows] == [
        gradient_result.rho_in_sample,
        gradient_result.rho,
        gradient_result.residual.rho,
        gradient_result.size_matched.rho,
        gradient_result.lda.rho,
        gradient_result.lda_residual.rho,
    ]
    assert not rows[0].has_interval
    assert rows[1].note == f"p = 0.050, adjusted {p_number(gradient_result.p_adjusted)}"
    key = "p one-sided, adjusted: Holm over 5 tests"
    assert key in gradient.screen(gradient_result).layout.xaxis3.title.text
    svg = " ".join(re.findall(r">([^<>]+)<", figure_bytes(gradient.print_figure(gradient_result), "svg").decode()))
    assert key in svg
    assert "interval: patients resampled, fit kept;" in svg
    table = gradient.evidence_data(gradient_result).set_index("axis")
    assert table.loc["after size", "rho"] == gradient_result.residual.rho
    assert table.loc["after size", "p_adjusted"] == gradient_result.residual.p_adjusted


@pytest.mark.parametrize(
    ("size", "covariates", "words"),
    [
        (True, False, "size"),
        (False, True, "covariates"),
        (True, True, "size and covariates"),
    ],
)
def test_the_adjusted_row_says_what_was_taken_out(
    gradient_result: Any, size: bool, covariates: bool, words: str
) -> None:
    taken_out = gradient.taken_out_words(size=size, covariates=covariates)
    labels = [" ".join(row.label.split()) for row in gradient.evidence_rows(gradient_result, taken_out)]
    assert f"After {words}" in labels
    table = gradient.evidence_data(gradient_result, taken_out)
    assert {f"after {words}", f"LDA axis after {words}"} <= set(table["axis"])
    screen = gradient.screen(gradient_result, taken_out=taken_out)
    assert f"After {words}" in " ".join(str(screen.layout).replace("<br>", " ").replace("\\n", " ").split())
    svg = figure_bytes(gradient.print_figure(gradient_result, taken_out=taken_out), "svg").decode()
    assert (">covariates<" if covariates else ">After size<") in svg


def test_gradient_without_size_has_two_panels(cohort: Any) -> None:
    result = stage_gradient(cohort["X"], cohort["stage"], n_permutations=9, n_bootstrap=5)
    assert len(gradient.print_figure(result).axes) == 2
    assert "Score and size" not in str(gradient.screen(result).layout)
    assert "score_after_adjustment" not in gradient.data(result)


def test_gradient_data_is_one_row_a_case(cohort: Any, gradient_result: Any) -> None:
    table = gradient.data(gradient_result, stage_names=cohort["names"], item_ids=cohort["ids"])
    assert table["item_id"].tolist() == cohort["ids"]
    assert np.array_equal(table["score_out_of_fold"], gradient_result.score)
    assert np.array_equal(table["Tumour volume (ml)"], cohort["size"])


def test_trajectory_marks_the_root_and_its_data_names_it(cohort: Any, trajectory_result: Any) -> None:
    figure = trajectory.screen(trajectory_result, cohort["coordinates"], cohort["ids"])
    stars = [trace for trace in figure.data if trace.marker.symbol == "star"]
    assert stars[0].customdata[0][0] == cohort["ids"][trajectory_result.root]
    table = trajectory.data(trajectory_result, cohort["coordinates"], cohort["ids"])
    assert table.loc[table["root"], "pseudotime"].tolist() == [0.0]


def test_trajectory_without_stage_has_one_panel_and_no_claim(cohort: Any) -> None:
    result = pseudotime(cohort["X"], root=0, n_resamples=1)
    figure = trajectory.screen(result, cohort["coordinates"], cohort["ids"])
    assert "rho" not in str(figure.layout)
    printed = trajectory.print_figure(result, cohort["coordinates"], cohort["ids"])
    assert printed.get_size_inches()[0] * 25.4 == pytest.approx(89)
    with pytest.raises(ValueError, match="as many points"):
        trajectory.data(result, cohort["coordinates"][:9], cohort["ids"])


def test_probe_shows_each_model_and_its_confusion(cohort: Any, probe_result: Any) -> None:
    svg = figure_bytes(probe.print_figure(probe_result, baseline_name="Volume"), "svg").decode()
    for text in ("Embedding, Brier", "Volume, Brier", "Embedding + volume, Brier"):
        assert text in svg
    heatmap = next(trace for trace in probe.screen(probe_result).data if trace.type == "heatmap")
    assert np.asarray(heatmap.z).sum(axis=1) == pytest.approx([1, 1])
    shares = probe.confusion_data(probe_result).filter(like="share predicted").to_numpy()
    counts = probe_result.embedding.confusion
    assert shares == pytest.approx(counts / counts.sum(axis=1, keepdims=True))
    table = probe.data(probe_result)
    row = table[(table["model"] == "Size") & (table["measure"] == "AUC")].iloc[0]
    assert row["value"] == probe_result.baseline.auc.value
    assert (table["measure"] == "difference of AUC").sum() == 2
    assert probe.calibration_data(probe_result)["n"].sum() == 3 * 60


def test_probe_of_many_classes_without_baseline(cohort: Any) -> None:
    result = linear_probe(cohort["X"], [cohort["names"][code] for code in cohort["stage"]], n_repeats=1, n_bootstrap=5)
    assert "Macro AUC of 3 classes" in figure_bytes(probe.print_figure(result), "svg").decode()
    assert len(probe.auc_rows(result, "Size")) == 1


def test_an_interval_row_reads_as_numbers() -> None:
    assert IntervalRow("a", 0.5, 0.4, 0.6, "p = 0.01").text == "0.50 [0.40, 0.60], p = 0.01"
    assert IntervalRow("a", 0.5, np.nan, np.nan).text == "0.50"
    long = IntervalRow("a", 0.5, 0.4, 0.6, "p = 0.016, adjusted 0.051")
    assert long.text == "0.50 [0.40, 0.60], p = 0.016, adjusted 0.051"
    assert long.wrapped("\n") == "0.50 [0.40, 0.60]\np = 0.016, adjusted 0.051"
