"""The sentence beside a comparison names the better set only where the difference is shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from embeddings.analysis import EncoderComparison, SetComparison, compare_sets, verdicts


@pytest.fixture(scope="module")
def result() -> EncoderComparison:
    rng = np.random.default_rng(0)
    stage = np.arange(60) % 3
    sets = [rng.normal(size=(60, 8)) + strength * stage[:, None] * np.eye(8)[0] for strength in (3.0, 0.0, 0.0)]
    return compare_sets(
        sets, ["strong", "weak", "noise"], stage=stage, label=stage > 1, n_permutations=99, n_bootstrap=99, n_repeats=1
    )


def with_p(part: SetComparison, *p: float) -> SetComparison:
    pairs = zip(part.differences, p, strict=True)
    return replace(part, differences=tuple(replace(one, p_adjusted=value) for one, value in pairs))


def test_the_better_set_is_named_with_its_difference(result: EncoderComparison) -> None:
    assert result.gradient is not None
    said = verdicts.set_comparison(with_p(result.gradient, 0.001, 0.3, 0.4))
    assert said.startswith("strong follows stage better than weak (difference in ρ ")
    assert "more of" not in said
    assert "1 more of 3 pairs differs" in verdicts.set_comparison(with_p(result.gradient, 0.01, 0.02, 0.4))


def test_a_second_set_that_is_better_is_named_first_with_its_sign_turned(result: EncoderComparison) -> None:
    assert result.probe is not None
    pair = replace(result.probe.differences[0], value=-0.2, low=-0.3, high=-0.1, p_adjusted=0.01)
    said = verdicts.set_comparison(replace(result.probe, sets=result.probe.sets[:2], differences=(pair,)))
    assert said.startswith("weak predicts the class better than strong (difference in AUC 0.20 [0.10,\u00a00.30]")


def test_no_difference_is_called_not_shown(result: EncoderComparison) -> None:
    assert result.retrieval is not None
    said = verdicts.set_comparison(with_p(result.retrieval, 0.4, 0.2, 0.9))
    assert said.startswith("It is not shown that any two of the 3 sets differ in how well they find cases of the same")


def test_sets_that_do_not_follow_stage_are_said_to(result: EncoderComparison) -> None:
    assert result.gradient is not None
    chance = replace(result.gradient, sets=tuple(replace(one, p_chance=0.5) for one in result.gradient.sets))
    none = "None of the sets is shown to follow stage beyond chance"
    assert none in verdicts.set_comparison(chance)
    least, *others = chance.sets
    for p, is_shown in ((0.03, False), (0.01, True)):
        by_chance = replace(chance, sets=(replace(least, p_chance=p), *others))
        assert [one.p for one in by_chance.chance_adjusted] == [pytest.approx(3 * p), 1.0, 1.0]
        assert (none in verdicts.set_comparison(by_chance)) != is_shown


def test_shared_neighbours_stand_beside_chance(result: EncoderComparison) -> None:
    found = result.similarity
    assert found is not None
    said = verdicts.set_similarity(found, 10)
    assert "share most" in said
    assert f"chance {found.overlaps[0].chance:.2f}"[:9] in said
    pair = tuple(replace(one, low=0.5) for one in found.overlaps if (one.first, one.second) == ("strong", "weak"))
    assert "the two sets share more than by chance" in verdicts.set_similarity(replace(found, overlaps=pair), 10)
    pair = tuple(replace(one, low=0.0) for one in pair)
    assert "the two sets are not shown to share more than by chance" in verdicts.set_similarity(
        replace(found, overlaps=pair), 10
    )
