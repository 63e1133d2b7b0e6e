"""The probe's p against chance, its learning curve and the ordinal probe, in figures, tables and words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from dashboard.figures import figure_bytes, probe
from embeddings.analysis import Probe, linear_probe, p_number, verdicts

SHARES = (0.1, 0.5, 1.0)


@pytest.fixture(scope="module")
def result(cohort: dict[str, Any]) -> Probe:
    return linear_probe(
        cohort["X"],
        cohort["stage"],
        baseline=cohort["size"],
        n_repeats=1,
        n_permutations=39,
        learning_shares=SHARES,
        n_bootstrap=20,
    )


def test_the_screen_draws_the_learning_curve_over_the_training_cases(result: Probe) -> None:
    figure = probe.screen(result, footer="Simulated")
    curve = figure.data[-1]
    assert curve.x == tuple(one.n_train for one in result.learning_curve)
    assert curve.y == tuple(one.auc.value for one in result.learning_curve)
    assert np.array(curve.y) + curve.error_y.array == pytest.approx([one.auc.high for one in result.learning_curve])
    ticks = figure.get_subplot(3, 1).xaxis.ticktext
    assert ticks == tuple(
        f"{one.n_train:.0f}<br>{share} %" for one, share in zip(result.learning_curve, (10, 50, 100), strict=True)
    )
    # The legend tells the calibration's lines apart and must stand above the learning curve.
    assert figure.layout.legend.y > figure.get_subplot(3, 1).yaxis.domain[1]


def test_without_a_learning_curve_the_figure_has_no_place_for_one(result: Probe) -> None:
    short = replace(result, learning_curve=())
    assert probe.LEARNING_TITLE not in str(probe.screen(short).layout)
    assert len(probe.print_figure(short).axes) == 3
    assert probe.learning_data(short).empty
    assert list(probe.learning_data(short)) == list(probe.learning_data(result))


def test_the_print_has_the_learning_curve_as_panel_d_and_keeps_all_text_on_the_page(result: Probe) -> None:
    figure = probe.print_figure(result, baseline_name="Volume", footer="Simulated")
    assert figure.get_size_inches()[0] * 25.4 == pytest.approx(183)
    svg = figure_bytes(figure, "svg").decode()
    for text in ("d  How many labels it takes", "100 %", "Volume, Brier", "Simulated"):
        assert text in svg
    figure_bytes(figure, "png")
    inside = figure.get_tightbbox().get_points() * figure.dpi
    assert inside.min() >= -2
    assert (inside[1] <= np.array(figure.bbox.size) + 2).all()
    legend = next(axes.get_legend() for axes in figure.axes if axes.get_legend())
    below = next(axes for axes in figure.axes if axes.get_title(loc="left").startswith("d"))
    assert not legend.get_window_extent().overlaps(below.get_tightbbox())


def test_each_panel_can_be_drawn_into_axes_of_another_figure(result: Probe) -> None:
    figure = Figure(layout="constrained")
    panels = figure.subplots(1, 4)
    probe.draw_auc(panels[0], result, baseline_name="Volume")
    probe.draw_confusion(panels[1], result)
    probe.draw_calibration(panels[2], result, baseline_name="Volume")
    probe.draw_learning_curve(panels[3], result)
    figure_bytes(figure, "png")
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["Embedding", "Volume", "Embedding\n+ volume"]
    assert len(panels[1].images) == 1
    assert len(panels[2].get_lines()) == 1 + len(result.models)
    drawn = next(line for line in panels[3].get_lines() if line.get_marker() == "o")
    assert drawn.get_xdata().tolist() == [one.n_train for one in result.learning_curve]


def test_tables_hold_chance_learning_curve_and_ordinal_probe(result: Probe) -> None:
    table = probe.data(result).set_index(["model", "measure"])
    assert table.loc[("Embedding", "AUC"), "p"] == result.p_chance
    assert np.isnan(table.loc[("Size", "AUC"), "p"])
    assert result.ordinal is not None
    assert table.loc[("Embedding, ordinal", "quadratic-weighted kappa"), "value"] == result.ordinal.kappa.value
    error = table.loc[("Embedding, ordinal", "mean absolute error (stage steps)")]
    assert (error["low"], error["high"]) == (
        result.ordinal.mean_absolute_error.low,
        result.ordinal.mean_absolute_error.high,
    )
    learned = probe.learning_data(result)
    assert learned["share"].tolist() == list(SHARES)
    assert learned["auc_low"].tolist() == [one.auc.low for one in result.learning_curve]


def test_without_an_ordinal_probe_the_table_has_no_row_of_it(result: Probe) -> None:
    assert "Embedding, ordinal" not in set(probe.data(replace(result, ordinal=None))["model"])


def with_difference(result: Probe, value: float, p: float) -> Probe:
    """The embedding by itself so much better than the baseline, with this p."""
    combined, alone = result.differences
    assert (alone.better, alone.than) == ("embedding", "baseline")
    return replace(result, p_chance=0.01, differences=(combined, replace(alone, value=value, p=p)))


def test_a_p_beside_a_value_is_against_chance_and_a_comparison_has_a_line_of_its_own(result: Probe) -> None:
    notes = [row.note for row in probe.auc_rows(result, "Volume")]
    assert notes == [f"p = 0.025, adjusted {p_number(result.chance_adjusted.p)}", "", ""]
    untested = probe.auc_rows(replace(result, p_chance=np.nan), "Volume")
    assert [row.note for row in untested] == ["", "", ""]

    combined = replace(result.differences[0], p=0.9)
    worse = with_difference(replace(result, differences=(combined, result.differences[1])), -0.12, 0.002)
    line = plain_spaces(probe.difference_lines(worse, "Volume")[-1])
    assert line.startswith("Embedding minus volume: -0.12 [")
    assert line.endswith("two-sided p = 0.002, 0.006 after Holm over 3 tests, worse than volume")
    better = with_difference(worse, 0.12, 0.002)
    assert probe.difference_lines(better, "Volume")[-1].endswith("better than volume")
    unclear = with_difference(worse, -0.12, 0.04)
    assert plain_spaces(probe.difference_lines(unclear, "Volume")[-1]).endswith(
        "two-sided p = 0.040, 0.080 after Holm over 3 tests, no difference from volume shown"
    )
    svg = figure_bytes(probe.print_figure(worse, baseline_name="Volume"), "svg").decode()
    assert "worse than volume" in svg.replace("\u00a0", " ")
    assert "p one-sided, against chance" in svg
    assert "p one-sided, against chance" in probe.screen(worse, baseline_name="Volume").layout.xaxis.title.text


def plain_spaces(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_the_reading_says_the_p_against_chance(result: Probe) -> None:
    clear = replace(result, p_chance=0.01)
    said = plain_spaces(verdicts.probe(clear, "volume"))
    assert said.startswith("From the embedding alone, a linear probe predicts the class with AUC")
    assert f"one-sided p = 0.010, {p_number(clear.chance_adjusted.p)} after Holm over 3 tests" in said
    weak = plain_spaces(verdicts.probe(replace(result, p_chance=0.3), "volume"))
    assert weak.startswith("The embedding alone is not shown to predict the class better than chance")
    assert "one-sided p = 0.30" in weak
    untested = verdicts.probe(replace(result, p_chance=np.nan, n_permutations=0), "volume")
    assert "one-sided" not in untested


def test_the_verdict_goes_by_the_adjusted_p(result: Probe) -> None:
    combined, alone = result.differences
    just = replace(result, p_chance=0.03, differences=(replace(combined, p=0.8), replace(alone, p=0.9)))
    assert just.chance_adjusted.p == pytest.approx(0.09)
    assert "is not shown to predict the class better than chance" in verdicts.probe(just, "volume")
    clear = replace(just, p_chance=0.01)
    assert "predicts the class with AUC" in verdicts.probe(clear, "volume")


def test_a_confusion_matrix_of_several_repeats_counts_whole_cases(cohort: dict[str, Any]) -> None:
    repeated = linear_probe(cohort["X"], cohort["stage"], n_repeats=3, n_bootstrap=5)
    means = repeated.embedding.confusion
    assert (means != np.rint(means)).any(), "the means are fractions of cases"
    counts = probe.whole_counts(repeated)
    assert counts.sum(axis=1).tolist() == list(repeated.n_per_class)
    assert np.abs(counts - means).max() < 1
    table = probe.confusion_data(repeated)
    assert table[[f"predicted {one}" for one in repeated.classes]].to_numpy().tolist() == counts.tolist()
    shares = table[[f"share predicted {one}" for one in repeated.classes]].to_numpy()
    assert shares.sum(axis=1) == pytest.approx(1.0)
    drawn = str(probe.screen(repeated).data)
    for count, share in zip(counts.ravel(), shares.ravel(), strict=True):
        assert f"{count}<br>{share:.0%}" in drawn
    assert "mean of 3 repeats, whole cases" in str(probe.screen(repeated).layout)
