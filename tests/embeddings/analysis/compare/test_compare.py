"""Sets compared on the same folds: alike sets do not differ, a better one does, and values are the single-set ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest, ortho_group

from embeddings.analysis import compare_sets, evaluate, linear_probe, stage_gradient
from embeddings.analysis.compare import EncoderComparison, SetComparison
from flexict.errors import FlexiCTError

Make = Callable[..., Any]


def parts(result: EncoderComparison) -> list[SetComparison]:
    assert result.gradient is not None
    assert result.probe is not None
    assert result.retrieval is not None
    return [result.gradient, result.probe, result.retrieval]


def compared(drawn: Any, names: str = "AB", **settings: Any) -> EncoderComparison:
    settings = {"n_permutations": 99, "n_bootstrap": 99, "n_repeats": 2, "k": (5, 10), **settings}
    return compare_sets(
        drawn.sets, list(names), stage=drawn.stage, label=drawn.stage > 0, patient=drawn.patient, **settings
    )


def test_the_values_are_those_of_the_single_set_analyses(copies: Make) -> None:
    drawn = copies(2.0, 0.7)
    result = compared(drawn, seed=3)
    settings = {"patient": drawn.patient, "n_bootstrap": 99, "seed": 3}
    for number, vectors in enumerate(drawn.sets):
        gradient = stage_gradient(vectors, drawn.stage, n_permutations=99, **settings)
        probe = linear_probe(vectors, drawn.stage > 0, n_repeats=2, **settings)
        search = evaluate(vectors, drawn.stage > 0, k=(1,), **settings)
        found = [one.sets[number] for one in parts(result)]
        assert [one.value for one in found] == pytest.approx(
            [gradient.rho, probe.embedding.auc.value, search.mean_average_precision], abs=1e-12
        )
        assert [one.low for one in found] == pytest.approx(
            [gradient.rho_low, probe.embedding.auc.low, search.mean_average_precision_low], abs=1e-12
        )
        assert [one.high for one in found] == pytest.approx(
            [gradient.rho_high, probe.embedding.auc.high, search.mean_average_precision_high], abs=1e-12
        )
        assert found[0].p_chance == gradient.p_permutation
        assert found[2].chance == pytest.approx(search.mean_average_precision_chance)


def test_a_set_does_not_differ_from_itself(copies: Make) -> None:
    drawn = copies(1.5)
    drawn.sets.append(drawn.sets[0].copy())
    result = compared(drawn)
    for part in parts(result):
        (one,) = part.differences
        assert (one.value, one.low, one.high, one.low_given_fits, one.high_given_fits) == (0, 0, 0, 0, 0)
        assert (one.p, one.p_adjusted, one.p_given_fits) == (1.0, 1.0, 1.0)
    assert result.similarity is not None
    assert [(one.value, one.low, one.high) for one in result.similarity.overlaps] == [(1, 1, 1)] * 2
    (aligned,) = result.similarity.alignments
    assert (aligned.value, aligned.low, aligned.high) == pytest.approx((1, 1, 1), abs=1e-6)


def test_a_turned_set_has_the_same_neighbours_and_alignment(copies: Make) -> None:
    drawn = copies(1.5)
    drawn.sets.append(drawn.sets[0] @ ortho_group.rvs(40, random_state=1))
    result = compared(drawn)
    assert result.retrieval is not None
    (one,) = result.retrieval.differences
    assert (one.value, one.low, one.high, one.p, one.p_given_fits) == (0, 0, 0, 1, 1)
    assert result.similarity is not None
    assert [one.value for one in result.similarity.overlaps] == [1, 1]
    assert result.similarity.alignments[0].value == pytest.approx(1)


def test_columns_in_another_order_and_scale_make_no_difference_to_what_is_fitted(copies: Make) -> None:
    """Columns are scaled before a fit, so it is turns among them that leave axes and probes as they are."""
    drawn = copies(1.5)
    order = np.random.default_rng(0).permutation(40)
    drawn.sets.append(-3.0 * drawn.sets[0][:, order])
    result = compared(drawn)
    for part in parts(result)[:2]:
        (one,) = part.differences
        assert (one.value, one.p, one.p_given_fits) == (pytest.approx(0, abs=1e-9), 1, 1)


def test_a_set_with_the_signal_is_found_better_than_one_without(copies: Make) -> None:
    result = compared(copies(3.0, 0.0, n=120))
    for part in parts(result):
        (one,) = part.differences
        assert one.value > 0.02
        assert one.low > 0
        assert one.low_given_fits > 0
        assert max(one.p_adjusted, one.p_given_fits) < 0.05


def test_the_sign_says_which_set_is_better(copies: Make) -> None:
    drawn = copies(3.0, 0.0)
    swapped = type(drawn)(drawn.sets[::-1], drawn.stage, drawn.patient)
    for part, other in zip(parts(compared(drawn)), parts(compared(swapped)), strict=True):
        assert part.differences[0].value == pytest.approx(-other.differences[0].value)
        assert part.differences[0].p == pytest.approx(other.differences[0].p)


def test_p_is_adjusted_over_the_pairs(copies: Make) -> None:
    result = compared(copies(3.0, 0.0, 1.5), "ABC")
    for part in parts(result):
        p = sorted(one.p for one in part.differences)
        assert len(p) == 3
        assert min(one.p_adjusted for one in part.differences) == pytest.approx(min(1.0, 3 * p[0]))
        assert all(one.p_adjusted >= one.p for one in part.differences)


@pytest.mark.slow
def test_two_noisy_copies_of_one_signal_are_not_called_different_too_often(copies: Make) -> None:
    p: dict[str, list[float]] = {}
    for seed in range(60):
        result = compared(copies(1.5, 1.5, n=100, seed=seed), seed=seed, n_repeats=1)
        for part in parts(result):
            p.setdefault(part.measure, []).append(part.differences[0].p)
    for values in p.values():
        # Of 60 right tests more than 9 fire at 0.05 once in 2,000 times.
        assert np.sum(np.array(values) < 0.05) <= 9
        assert kstest(values, "uniform").pvalue > 0.001


def test_cases_without_a_stage_are_left_out_of_the_axis_alone(copies: Make) -> None:
    drawn = copies(2.0, 1.0)
    stage = drawn.stage.astype(float)
    stage[[4, 50]] = np.nan
    label = [None if row == 7 else str(value) for row, value in enumerate(drawn.stage > 0)]
    result = compare_sets(
        drawn.sets,
        "AB",
        stage=stage,
        label=label,
        patient=drawn.patient,
        n_permutations=19,
        n_bootstrap=19,
        n_repeats=1,
    )
    gradient, probe, retrieval = parts(result)
    assert (gradient.n, probe.n, retrieval.n, result.n) == (88, 89, 89, 90)
    assert not {4, 50} & set(gradient.cases)
    assert 7 not in probe.cases
    assert gradient.by_case.shape == (2, 88)
    assert result.similarity is not None
    assert result.similarity.n == 90


def test_a_part_that_cannot_be_had_says_why_and_leaves_the_others(copies: Make) -> None:
    drawn = copies(2.0, 1.0)
    label = ["common"] * 88 + ["rare"] * 2
    result = compare_sets(
        drawn.sets, "AB", stage=drawn.stage, label=label, patient=drawn.patient, n_permutations=19, n_bootstrap=19
    )
    assert result.probe is None
    assert result.gradient is not None
    assert any("at least 3 patients of every class" in note for note in result.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"names": ["A"]}, "a name of its own"),
        ({"names": ["A", "A"]}, "a name of its own"),
        ({"sets": [np.ones((30, 2))], "names": ["A"]}, "2 to 8 embedding sets"),
        ({"sets": [np.ones((30, 2)), np.ones((29, 2))]}, "A: 30, B: 29"),
        ({"sets": [np.ones((30, 2)), np.full((30, 2), np.nan)]}, r"\(B\).*NaN"),
        ({"patient": [""] * 30}, "needs a patient"),
        ({"n_permutations": 0}, "at least 1 permutation,"),
        ({"stage": np.zeros(3)}, "one value a case"),
    ],
)
def test_input_that_cannot_be_compared_is_refused(change: dict[str, Any], words: str) -> None:
    rng = np.random.default_rng(0)
    given: dict[str, Any] = {"sets": [rng.normal(size=(30, 3)), rng.normal(size=(30, 5))], "names": ["A", "B"]}
    with pytest.raises(FlexiCTError, match=words):
        compare_sets(**{**given, **change})


def test_the_result_is_plain_values_for_json(copies: Make) -> None:
    result = compared(copies(1.0, 1.0), n_permutations=9, n_bootstrap=9)
    told = json.loads(json.dumps(result.to_dict()))
    assert told["n"] == 90
    assert told["n_patients"] == 60
    assert told["seed"] == 0
    assert told["gradient"]["n_permutations"] == 9
    assert told["similarity"]["overlaps"][0]["chance"] > 0
