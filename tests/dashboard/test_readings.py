"""The sentence beside a result says what the numbers say, and no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dashboard import readings
from embeddings.analysis import StageGradient, linear_probe, stage_gradient


@pytest.fixture(scope="module")
def result() -> StageGradient:
    generator = np.random.default_rng(0)
    stage = np.arange(45) % 3
    vectors = generator.normal(size=(45, 8)) + stage[:, None] * np.eye(8)[0] * 2
    size = np.exp(generator.normal(size=45))
    return stage_gradient(vectors, stage, size=size, n_permutations=99, n_bootstrap=50)


def with_p(result: StageGradient, plain: float, after: float, matched: float) -> StageGradient:
    assert result.residual is not None
    assert result.size_matched is not None
    return replace(
        result,
        p_permutation=plain,
        residual=replace(result.residual, p_permutation=after),
        size_matched=replace(result.size_matched, p_permutation=matched),
    )


@pytest.mark.parametrize(
    ("p", "words"),
    [
        ((0.4, 0.4, 0.4), "No gradient shown"),
        ((0.4, 0.001, 0.001), "No gradient shown"),
        ((0.01, 0.01, 0.01), "holds with size removed from the vectors and among cases of like size"),
        ((0.01, 0.3, 0.3), "not shown to be more than tumour size"),
        ((0.01, 0.01, 0.3), "holds with size removed from the vectors, but not among cases of like size"),
        ((0.01, 0.3, 0.01), "holds among cases of like size, but not with size removed from the vectors"),
    ],
)
def test_the_verdict_follows_the_three_tests(result: StageGradient, p: tuple[float, ...], words: str) -> None:
    assert words in readings.gradient(with_p(result, *p))


def test_the_verdict_names_covariates_that_were_removed_with_the_size(result: StageGradient) -> None:
    said = readings.gradient(with_p(result, 0.01, 0.01, 0.3), "size and covariates")
    assert "with size and covariates removed" in said


def test_a_warning_calls_a_stage_by_its_name() -> None:
    names = ("T1", "T2", "T10")
    assert readings.warning("Stage 2 has a single patient: ...", names) == "Stage T10 has a single patient: ..."
    assert readings.warning("Only 3 of 4 resamples agree.", names) == "Only 3 of 4 resamples agree."


def test_without_a_size_the_question_is_left_open(result: StageGradient) -> None:
    untested = replace(with_p(result, 0.01, 0.01, 0.01), size=None, size_matched=None)
    assert readings.gradient(untested).endswith("is not tested: choose a size above.")
    assert readings.gradient(untested, without_size="no size was given").endswith("is not tested: no size was given.")


def test_a_p_value_is_never_smaller_than_the_permutations_allow() -> None:
    assert readings.p_words(1 / 1000, 999).replace("\u00a0", " ") == "p ≤ 0.001"
    assert readings.p_words(0.049, 999).replace("\u00a0", " ") == "p = 0.049"
    assert readings.p_words(0.051, 999).replace("\u00a0", " ") == "p = 0.051"


@pytest.mark.parametrize(
    ("value", "p", "words"),
    [
        (0.1, 0.01, "The embedding adds to age"),
        (0.1, 0.3, "is not shown to add to age"),
        (-0.1, 0.3, "is not shown to add to age"),
        (-0.1, 0.01, "age tells less than alone"),
    ],
)
def test_the_probe_says_what_the_embedding_does_beside_a_baseline(value: float, p: float, words: str) -> None:
    rng = np.random.default_rng(1)
    y = np.arange(60) % 2
    probe = linear_probe(rng.normal(size=(60, 4)), y, baseline=rng.normal(size=60), n_repeats=1, n_bootstrap=5)
    differences = tuple(replace(one, value=value, p=p) for one in probe.differences)
    assert words in readings.probe(replace(probe, differences=differences), "age")
    assert "tells the classes" in readings.probe(replace(probe, differences=()), None, without_baseline="Nothing else.")
    assert readings.probe(replace(probe, differences=()), None, without_baseline="Nothing else.").endswith("else.")
