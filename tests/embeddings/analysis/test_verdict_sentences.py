"""The sentence beside a result says what the numbers say, and no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from embeddings.analysis import StageGradient, linear_probe, stage_gradient, verdicts


@pytest.fixture(scope="module")
def result() -> StageGradient:
    generator = np.random.default_rng(0)
    stage = np.arange(45) % 3
    vectors = generator.normal(size=(45, 8)) + stage[:, None] * np.eye(8)[0] * 2
    size = np.exp(generator.normal(size=45))
    return stage_gradient(vectors, stage, size=size, n_permutations=99, n_bootstrap=50)


def with_p(result: StageGradient, plain: float, after: float, matched: float) -> StageGradient:
    """The result with these adjusted p; the raw ones are a fifth of them."""
    assert result.residual is not None
    assert result.size_matched is not None
    return replace(
        result,
        p_permutation=plain / 5,
        p_adjusted=plain,
        residual=replace(result.residual, p_permutation=after / 5, p_adjusted=after),
        size_matched=replace(result.size_matched, p_permutation=matched / 5, p_adjusted=matched),
    )


def plain_spaces(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("p", "words"),
    [
        ((0.4, 0.4, 0.4), "No stage gradient is shown"),
        ((0.06, 0.001, 0.001), "No stage gradient is shown"),
        ((0.01, 0.01, 0.01), "It also follows stage with size removed from the vectors ("),
        ((0.01, 0.3, 0.3), "Beyond size no gradient is shown, neither with size removed from the vectors ("),
        (
            (0.01, 0.01, 0.3),
            "Beyond size the evidence is mixed: the axis also follows stage with size removed from the vectors (",
        ),
        (
            (0.01, 0.3, 0.01),
            "Beyond size the evidence is mixed: the axis also follows stage among cases of similar size (",
        ),
    ],
)
def test_the_verdict_follows_the_three_adjusted_tests(result: StageGradient, p: tuple[float, ...], words: str) -> None:
    assert words in verdicts.gradient(with_p(result, *p))


def test_the_headline_gives_both_p_and_goes_by_the_adjusted_one(result: StageGradient) -> None:
    said = plain_spaces(verdicts.gradient(with_p(result, 0.051, 0.4, 0.4)))
    assert said.startswith(
        "No stage gradient is shown: on patients it was not fitted to, the stage axis does not follow"
    )
    assert "one-sided p = 0.010, 0.051 after Holm over 5 tests" in said
    found = plain_spaces(verdicts.gradient(with_p(result, 0.0495, 0.4, 0.4)))
    assert found.startswith("On patients it was not fitted to, the axis follows stage")
    assert "0.0495 after Holm" in found


def test_an_interval_and_a_p_that_seem_to_disagree_are_explained(result: StageGradient) -> None:
    assert result.rho_low > 0
    assert verdicts.TWO_QUESTIONS in verdicts.gradient(with_p(result, 0.43, 0.4, 0.4))
    agreeing = replace(with_p(result, 0.01, 0.4, 0.4), residual=None, size_matched=None, size=None)
    assert verdicts.TWO_QUESTIONS not in verdicts.gradient(agreeing)
    wide = replace(agreeing, rho_low=-0.1)
    assert verdicts.TWO_QUESTIONS in verdicts.gradient(wide)
    assert verdicts.TWO_QUESTIONS not in verdicts.gradient(replace(wide, p_adjusted=0.3))


def test_a_test_that_cannot_be_done_is_not_called_one_that_failed(result: StageGradient) -> None:
    unmatched = replace(with_p(result, 0.01, 0.01, 0.01), size_matched=None)
    said = verdicts.gradient(unmatched)
    assert "It also follows stage with size removed" in said
    assert said.endswith("The test among cases of similar size cannot be done: see the warnings.")
    neither = verdicts.gradient(replace(unmatched, residual=None))
    assert neither.endswith("Whether this is more than size cannot be tested: see the warnings.")


def test_the_verdict_names_covariates_that_were_removed_with_the_size(result: StageGradient) -> None:
    said = verdicts.gradient(with_p(result, 0.01, 0.01, 0.3), "size and covariates")
    assert "with size and covariates removed" in said


def test_a_warning_calls_a_stage_by_its_name() -> None:
    names = ("T1", "T2", "T10")
    assert verdicts.warning("Stage 2 has a single patient: ...", names) == "Stage T10 has a single patient: ..."
    assert verdicts.warning("Only 3 of 4 resamples agree.", names) == "Only 3 of 4 resamples agree."


def test_without_a_size_the_question_is_left_open(result: StageGradient) -> None:
    untested = replace(with_p(result, 0.01, 0.01, 0.01), size=None, size_matched=None)
    assert verdicts.gradient(untested).endswith("is not tested: no size is given.")
    assert verdicts.gradient(untested, without_size="no size was given").endswith("is not tested: no size was given.")
    assert "follows stage with covariates removed" in verdicts.gradient(untested, "covariates")


@pytest.mark.parametrize(
    ("value", "p", "words"),
    [
        (0.1, 0.01, "The embedding adds to age"),
        (0.1, 0.3, "is not shown to add to age"),
        (-0.1, 0.3, "is not shown to add to age"),
        (-0.1, 0.01, "Adding the embedding to age makes the prediction worse"),
    ],
)
def test_the_probe_says_what_the_embedding_does_beside_a_baseline(value: float, p: float, words: str) -> None:
    rng = np.random.default_rng(1)
    y = np.arange(60) % 2
    probe = linear_probe(rng.normal(size=(60, 4)), y, baseline=rng.normal(size=60), n_repeats=1, n_bootstrap=5)
    differences = tuple(replace(one, value=value, p=p) for one in probe.differences)
    assert words in verdicts.probe(replace(probe, differences=differences), "age")
    assert "predicts the class" in verdicts.probe(
        replace(probe, differences=()), None, without_baseline="Nothing else."
    )
    assert verdicts.probe(replace(probe, differences=()), None, without_baseline="Nothing else.").endswith("else.")
