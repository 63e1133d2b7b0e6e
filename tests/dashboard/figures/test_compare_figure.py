"""The figures of a comparison say what the result holds: every set, every pair, intervals, chance and n."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from dashboard.figures import compare, csv_bytes, figure_bytes, set_similarity
from embeddings.analysis import EncoderComparison, SetComparison, compare_sets

FOOTER = "Simulated demonstration cohort"
NAMES = ("<b>one</b>", "two with a name that is much longer than a line of labels can be", "three $x$")


@pytest.fixture(scope="module")
def result(cohort: dict[str, Any]) -> EncoderComparison:
    rng = np.random.default_rng(1)
    sets = [cohort["X"], cohort["X"] + rng.normal(size=cohort["X"].shape), rng.normal(size=(60, 7))]
    return compare_sets(
        sets,
        NAMES,
        stage=cohort["stage"],
        label=cohort["stage"] > 1,
        n_permutations=39,
        n_bootstrap=39,
        n_repeats=1,
        k=(5, 10),
    )


def parts(result: EncoderComparison) -> Iterator[SetComparison]:
    for part in (result.gradient, result.probe, result.retrieval):
        assert part is not None
        yield part


def stays_on_the_page(figure: Figure) -> None:
    figure_bytes(figure, "png")
    width, height = figure.bbox.size
    inside = figure.get_tightbbox().get_points() * figure.dpi
    assert inside.min() >= -2
    assert inside[1, 0] <= width + 2
    assert inside[1, 1] <= height + 2


def test_the_screen_draws_every_set_with_its_chance_and_every_difference(result: EncoderComparison) -> None:
    for part in parts(result):
        figure = compare.screen(part, footer=FOOTER)
        drawn = [float(trace.x[0]) for trace in figure.data if trace.mode == "markers"]
        for one in part.sets:
            assert one.value in drawn
            assert one.chance in drawn
        for pair in part.differences:
            assert pair.value in drawn
        lines = [list(trace.x) for trace in figure.data if trace.mode == "lines"]
        for pair in part.differences:
            assert [pair.low, pair.high] in lines
            assert [pair.low_given_fits, pair.high_given_fits] in lines
        texts = [note.text for note in figure.layout.annotations]
        assert any(FOOTER in text for text in texts)
        assert sum("chance" in text for text in texts) == 3
        against_chance = 3 if part.measure == "rho" else 0
        assert sum(", adjusted " in text for text in texts) == 3 + against_chance
        label = figure.layout.xaxis.title.text
        assert ("p one-sided, adjusted: Holm over 3 sets" in label) == (part.measure == "rho")
        assert "3 sets, 60 cases of 60 patients" in figure.layout.title.text


def test_sets_differ_by_shape_beside_colour(result: EncoderComparison) -> None:
    part = next(parts(result))
    figure = compare.screen(part)
    marks = [trace.marker for trace in figure.data if trace.mode == "markers" and trace.marker.size == 12][:3]
    assert len({mark.symbol for mark in marks}) == 3
    assert len({mark.color for mark in marks}) == 3


def test_names_cannot_bring_markup(result: EncoderComparison) -> None:
    assert result.similarity is not None
    figures = [*(compare.screen(part) for part in parts(result))]
    figures.append(set_similarity.screen(result.similarity, NAMES, 5))
    for figure in figures:
        assert "<b>one" not in figure.to_json().replace("\\u003c", "<")


def test_the_print_is_two_columns_wide_with_both_panels(result: EncoderComparison) -> None:
    for part in parts(result):
        figure = compare.print_figure(part, footer=FOOTER)
        assert figure.get_size_inches()[0] * 25.4 == pytest.approx(183)
        svg = figure_bytes(figure, "svg").decode()
        for text in ("A − B", "B − C", "adjusted p", "two-sided", "Holm", "tick: chance", FOOTER):
            assert text in svg
        stays_on_the_page(figure)


def test_the_data_hold_every_number(result: EncoderComparison) -> None:
    for part in parts(result):
        sets = compare.data(part)
        assert sets["set"].tolist() == list(NAMES)
        assert sets[part.measure].tolist() == [one.value for one in part.sets]
        assert set(sets["n"]) == {60}
        differences = compare.difference_data(part)
        assert differences["p_adjusted"].tolist() == [one.p_adjusted for one in part.differences]
        cases = compare.case_data(part, [f"C{row:03d}" for row in range(60)])
        assert cases["case_id"].iloc[7] == f"C{part.cases[7]:03d}"
        assert cases[NAMES[1]].tolist() == part.by_case[1].tolist()
        assert csv_bytes(cases)


def test_the_matrix_holds_overlap_below_and_alignment_above(result: EncoderComparison) -> None:
    found = result.similarity
    assert found is not None
    matrix = set_similarity.matrix(found, NAMES, 10)
    assert np.diag(matrix).tolist() == [1, 1, 1]
    assert matrix[2, 0] == found.overlap(NAMES[0], NAMES[2], 10).value
    assert matrix[0, 2] == found.alignments[1].value


def test_every_pair_stands_with_interval_and_chance_at_every_k(result: EncoderComparison) -> None:
    found = result.similarity
    assert found is not None
    lines = set_similarity.rows(found, NAMES)
    assert [line.label for line in lines[:3]] == ["A, B: k = 5", "A, B: k = 10", "A, B: CKA"]
    assert len(lines) == 9
    assert lines[0].chance == found.overlap(NAMES[0], NAMES[1], 5).chance
    figure = set_similarity.screen(found, NAMES, 5, footer=FOOTER)
    texts = [note.text for note in figure.layout.annotations]
    for line in lines:
        assert line.text in texts
    printed = set_similarity.print_figure(found, NAMES, 5, footer=FOOTER)
    assert "5 nearest shared" in figure_bytes(printed, "svg").decode()
    stays_on_the_page(printed)
    assert len(set_similarity.data(found)) == 9
