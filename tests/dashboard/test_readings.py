"""The sentence beside a result says what the numbers say, and no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dashboard import readings
from embeddings.analysis import StageGradient, stage_gradient


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
        ((0.01, 0.01, 0.01), "holds after size is removed from the vectors and among cases of like size"),
        ((0.01, 0.3, 0.3), "not shown to be more than tumour size"),
        ((0.01, 0.01, 0.3), "holds after size is removed from the vectors, but not among cases of like size"),
        ((0.01, 0.3, 0.01), "holds among cases of like size, but not after size is removed from the vectors"),
    ],
)
def test_the_verdict_follows_the_three_tests(result: StageGradient, p: tuple[float, ...], words: str) -> None:
    assert words in readings.gradient(with_p(result, *p))


def test_without_a_size_the_question_is_left_open(result: StageGradient) -> None:
    untested = replace(with_p(result, 0.01, 0.01, 0.01), size=None, size_matched=None)
    assert "is not tested yet" in readings.gradient(untested)


def test_a_p_value_is_never_smaller_than_the_permutations_allow() -> None:
    assert readings.p_words(1 / 1000, 999).replace("\u00a0", " ") == "p ≤ 0.001"
    assert readings.p_words(0.049, 999).replace("\u00a0", " ") == "p = 0.049"
    assert readings.p_words(0.051, 999).replace("\u00a0", " ") == "p = 0.051"
