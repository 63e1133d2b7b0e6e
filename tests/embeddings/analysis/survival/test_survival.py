"""Survival by a score: curves by hand, log-rank by formula, hazard ratios of a simulated model, pairs counted."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines.statistics import proportional_hazard_test
from scipy.stats import chi2

from embeddings.analysis.survival import cox
from embeddings.analysis.survival.survival import SurvivalByScore, by_score
from flexict.errors import FlexiCTError

REAL = Path(__file__).resolve().parents[4] / ".." / "shared" / "ct" / "nsclc_radiogenomics" / "cohort.csv"

# Freireich et al. 1963, Blood 21:699: weeks of remission under 6-mercaptopurine (+ censored) and placebo.
REMISSIONS = """
6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+
1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23
"""
MERCAPTOPURINE, PLACEBO = (line.split() for line in REMISSIONS.strip().splitlines())


def cohort(n: int, log_hazards: tuple[float, float], seed: int) -> dict[str, Any]:
    """Exponential survival with hazard exp(b0 score + b1 age_sd), some 30 % censored at random times."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=n)
    age = 0.5 * score + rng.normal(size=n)
    time = rng.exponential(np.exp(-(log_hazards[0] * score + log_hazards[1] * age)))
    limit = rng.exponential(2.5, size=n)
    return {"score": score, "time": np.minimum(time, limit), "event": (time <= limit) * 1.0, "age": age}


@pytest.fixture(scope="module")
def leukaemia() -> SurvivalByScore:
    weeks = [*MERCAPTOPURINE, *PLACEBO]
    return by_score(
        [0.0] * 21 + [1.0] * 21,
        [float(w.strip("+")) for w in weeks],
        [not w.endswith("+") for w in weeks],
        n_groups=2,
        n_bootstrap=200,
    )


def at(group: Any, time: float) -> int:
    return int(np.searchsorted(group.time, time, side="right") - 1)


def test_the_curve_of_a_textbook_trial_is_that_worked_by_hand(leukaemia: SurvivalByScore) -> None:
    treated, placebo = leukaemia.groups
    factors = {6: 18 / 21, 7: 16 / 17, 10: 14 / 15, 13: 11 / 12, 16: 10 / 11, 22: 6 / 7, 23: 5 / 6}
    for week in (0, 5, 6, 7, 9, 10, 13, 16, 22, 23, 35):
        by_hand = math.prod(factor for event_week, factor in factors.items() if event_week <= week)
        assert treated.survival[at(treated, week)] == pytest.approx(by_hand)
    assert placebo.survival[at(placebo, 8)] == pytest.approx(8 / 21)  # nobody censored: the share still in remission
    assert placebo.survival[-1] == 0
    assert (treated.n, treated.n_events, placebo.n, placebo.n_events) == (21, 9, 21, 21)
    assert (treated.median, placebo.median) == (23, 8)
    assert treated.n_censored[at(treated, 32)] == 2


def test_the_band_is_greenwoods_on_the_log_log_scale(leukaemia: SurvivalByScore) -> None:
    treated, placebo = leukaemia.groups
    s = 18 / 21 * 16 / 17 * 14 / 15
    greenwood = 3 / (21 * 18) + 1 / (17 * 16) + 1 / (15 * 14)
    reach = 1.959964 * math.sqrt(greenwood) / abs(math.log(s))
    k = at(treated, 10)
    assert treated.low[k] == pytest.approx(s ** math.exp(reach), rel=1e-5)
    assert treated.high[k] == pytest.approx(s ** math.exp(-reach), rel=1e-5)
    assert treated.low[0] == treated.high[0] == 1
    assert np.isnan(placebo.low[-1])
    assert np.isnan(placebo.high[-1])


def test_numbers_at_risk_are_counted_at_round_times(leukaemia: SurvivalByScore) -> None:
    table = leukaemia.at_risk
    assert table.time.tolist() == [0, 5, 10, 15, 20, 25, 30, 35]
    weeks = [[float(w.strip("+")) for w in arm] for arm in (MERCAPTOPURINE, PLACEBO)]
    assert table.n.tolist() == [[sum(w >= t for w in arm) for t in table.time] for arm in weeks]


def test_an_event_at_time_zero_leaves_a_curve_that_starts_at_one() -> None:
    data = cohort(40, (0.0, 0.0), 0)
    data["time"][np.argmin(data["score"])], data["event"][np.argmin(data["score"])] = 0.0, 1.0
    first = by_score(data["score"], data["time"], data["event"], n_groups=2, n_bootstrap=10).groups[0]
    assert (first.time[0], first.survival[0]) == (0, 1)
    assert (first.time[1], first.survival[1]) == (0, pytest.approx(19 / 20))


def log_rank_by_formula(time: Any, event: Any, group: Any) -> float:
    """Observed less expected with the hypergeometric covariance (Mantel 1966), over two or more groups."""
    levels = np.unique(group)
    difference, covariance = np.zeros(len(levels)), np.zeros((len(levels),) * 2)
    for t in np.unique(time[event == 1]):
        risk = np.array([np.sum((time >= t) & (group == g)) for g in levels], dtype=float)
        died = np.array([np.sum((time == t) & (event == 1) & (group == g)) for g in levels], dtype=float)
        n, d, share = risk.sum(), died.sum(), risk / risk.sum()
        difference += died - d * share
        if n > 1:
            covariance += d * (n - d) / (n - 1) * (np.diag(share) - np.outer(share, share))
    return float(difference[:-1] @ np.linalg.solve(covariance[:-1, :-1], difference[:-1]))


def test_log_rank_of_the_textbook_trial(leukaemia: SurvivalByScore) -> None:
    assert leukaemia.logrank_statistic == pytest.approx(16.793, abs=5e-4)  # as published for these data


def test_log_rank_over_three_groups_is_the_formula() -> None:
    data = cohort(90, (0.5, 0.0), 3)
    time = np.ceil(data["time"] * 10)  # with ties
    result = by_score(data["score"], time, data["event"], n_bootstrap=10)
    group = np.argsort(np.argsort(data["score"])) // 30
    statistic = log_rank_by_formula(time, data["event"], group)
    assert result.logrank_statistic == pytest.approx(statistic)
    assert result.logrank_p == pytest.approx(chi2.sf(statistic, 2))


def test_cox_recovers_the_hazard_ratios_of_an_exponential_model() -> None:
    data = cohort(1500, (0.4, 0.6), 1)
    result = by_score(
        data["score"], data["time"], data["event"], covariates={"age": data["age"] * 9 + 60}, n_bootstrap=10
    )
    sd = np.std(data["score"], ddof=1), np.std(data["age"], ddof=1)
    for term, log_hazard, one in zip(result.cox, (0.4, 0.6), sd, strict=True):
        truth = math.exp(log_hazard * one)
        assert term.low < truth < term.high
        assert term.hazard_ratio == pytest.approx(truth, rel=0.1)
        assert term.ph_p > 0.01
    assert result.cox[1].contrast == f"per SD of {sd[1] * 9:.3g}"
    # Without the covariate that goes with it, the score takes part of its effect.
    assert result.score_alone is not None
    assert result.score_alone.low > result.cox[0].hazard_ratio


def test_intervals_hold_the_truth_in_some_95_percent_of_cohorts() -> None:
    held = []
    for seed in range(60):
        data = cohort(120, (0.5, 0.0), seed)
        alone = by_score(data["score"], data["time"], data["event"], n_bootstrap=2).score_alone
        assert alone is not None
        held.append(alone.low < math.exp(0.5 * np.std(data["score"], ddof=1)) < alone.high)
    assert sum(held) >= 52  # fewer than 52 of 60 would come up in 1 of 200 sets of cohorts


def test_cox_of_the_textbook_trial(leukaemia: SurvivalByScore) -> None:
    # Efron's estimate for these data is a log hazard ratio of 1.572 (placebo against treatment).
    alone = leukaemia.score_alone
    assert alone is not None
    sd = np.std([0.0] * 21 + [1.0] * 21, ddof=1)
    assert math.log(alone.hazard_ratio) / sd == pytest.approx(1.572, abs=2e-3)


def test_a_hazard_ratio_that_changes_with_time_is_noticed() -> None:
    rng = np.random.default_rng(0)
    high = rng.normal(size=400)
    # Early on a high score is worse, later it is better: crossing Weibull hazards.
    time = rng.weibull(np.where(high > 0, 0.6, 2.5))
    result = by_score(high, time, np.ones(400), n_bootstrap=2)
    assert result.cox[0].ph_p < 0.001
    assert any("changes over the follow-up" in one for one in result.warnings)


def test_a_term_whose_hazards_cannot_be_tested_is_said_and_hides_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    high, age = rng.normal(size=400), rng.normal(size=400)
    time = rng.weibull(np.where(high > 0, 0.6, 2.5))
    known = by_score(high, time, np.ones(400), covariates={"age": age}, n_bootstrap=2)

    def one_undefined(*words: Any, **options: Any) -> Any:
        tested = proportional_hazard_test(*words, **options)
        p = tested.summary["p"].where(tested.summary.index != "x1")  # of the covariate
        return SimpleNamespace(summary=tested.summary.assign(p=p))

    monkeypatch.setattr(cox, "proportional_hazard_test", one_undefined)
    result = by_score(high, time, np.ones(400), covariates={"age": age}, n_bootstrap=2)
    # The family is the one p that is defined.
    assert result.cox[0].ph_p_adjusted == result.cox[0].ph_p == known.cox[0].ph_p
    assert math.isnan(result.cox[1].ph_p_adjusted)
    assert any("hazard ratio of score changes over the follow-up" in one for one in result.warnings)
    assert any("cannot be computed for age" in one for one in result.warnings)
    assert not any("cannot be computed" in one for one in known.warnings)


def count_pairs(score: Any, time: Any, event: Any) -> float:
    concordant = pairs = 0.0
    for i in range(len(score)):
        for j in range(len(score)):
            if event[i] == 1 and (time[i] < time[j] or (time[i] == time[j] and event[j] == 0)):
                pairs += 1
                concordant += 1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0
    return concordant / pairs


def test_the_c_index_is_the_share_of_pairs_in_the_right_order() -> None:
    data = cohort(60, (0.7, 0.0), 5)
    score, time = np.round(data["score"], 1), np.ceil(data["time"] * 8)  # ties in both
    result = by_score(score, time, data["event"], n_bootstrap=100)
    assert result.c_index == pytest.approx(count_pairs(score, time, data["event"]))
    mirrored = by_score(-score, time, data["event"], n_bootstrap=100)
    assert mirrored.c_index == pytest.approx(1 - result.c_index)
    assert result.c_index_low < result.c_index < result.c_index_high


def test_the_interval_of_the_c_index_is_the_patient_bootstrap() -> None:
    data = cohort(40, (0.7, 0.0), 6)
    result = by_score(data["score"], data["time"], data["event"], n_bootstrap=400, seed=1)
    rng = np.random.default_rng(9)
    drawn = []
    for _ in range(400):
        rows = rng.integers(0, 40, 40)
        drawn.append(count_pairs(*(data[k][rows] for k in ("score", "time", "event"))))
    assert (result.c_index_low, result.c_index_high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.03)
    again = by_score(data["score"], data["time"], data["event"], n_bootstrap=400, seed=1)
    assert again.to_dict() == result.to_dict()


def test_groups_are_thirds_of_the_score_and_keep_ties_together() -> None:
    data = cohort(61, (0.0, 0.0), 0)
    result = by_score(data["score"], data["time"], data["event"], n_bootstrap=2)
    assert [g.name for g in result.groups] == ["low score", "middle score", "high score"]
    assert sorted(g.n for g in result.groups) == [20, 20, 21]
    tied = np.repeat([1.0, 2.0, 3.0, 4.0], [10, 30, 11, 10])
    groups = by_score(tied, data["time"], data["event"], n_bootstrap=2).groups
    assert [(g.score_low, g.score_high, g.n) for g in groups] == [(1, 1, 10), (2, 2, 30), (3, 4, 21)]
    two = by_score((tied > 3) * 1.0, data["time"], data["event"], n_bootstrap=2)
    assert [(g.name, g.n) for g in two.groups] == [("low score", 51), ("high score", 10)]
    assert any("only 2 of 3 groups" in one for one in two.warnings)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=20, max_size=60).filter(lambda s: len(set(s)) > 1), st.integers(2, 5))
def test_groups_are_ordered_disjoint_and_complete(score: list[int], n_groups: int) -> None:
    result = by_score(score, np.arange(1, len(score) + 1), [1] * len(score), n_groups=n_groups, n_bootstrap=1)
    assert sum(g.n for g in result.groups) == len(score)
    assert 2 <= len(result.groups) <= n_groups
    for below, above in zip(result.groups, result.groups[1:], strict=False):
        assert below.score_high < above.score_low


def test_one_scan_a_patient_is_kept_and_the_rest_counted() -> None:
    data = cohort(40, (0.5, 0.0), 2)
    doubled = {key: np.tile(values, 2) for key, values in data.items()}
    doubled["score"][40:] = 99.0
    doubled["time"][3] = np.nan  # the first scan of one patient has no time: its second is used
    doubled["event"][[5, 45]] = np.nan
    patient = np.tile([f"p{i}" for i in range(40)], 2)
    result = by_score(doubled["score"], doubled["time"], doubled["event"], patient=patient, n_bootstrap=2)
    assert (result.n, result.n_missing, result.n_repeat_scans, result.n_excluded) == (39, 3, 38, 41)
    assert result.groups[-1].score_high == 99
    assert result.groups[-1].n == 13
    assert result.groups[-2].score_high < 99


def test_patients_without_a_covariate_are_left_out_of_cox_alone() -> None:
    data = cohort(80, (0.5, 0.0), 4)
    age = data["age"].copy()
    age[:10] = np.nan
    result = by_score(data["score"], data["time"], data["event"], covariates={"age": age}, n_bootstrap=2)
    assert (result.n, result.n_cox, result.n_cox_events) == (80, 70, int(data["event"][10:].sum()))
    assert any("70 of 80 patients" in one for one in result.warnings)


def test_categories_are_held_against_their_most_frequent_level() -> None:
    data = cohort(300, (0.3, 0.0), 7)
    kind = np.array(["squamous", "adeno", "adeno", "other"])[np.arange(300) % 4]
    result = by_score(
        data["score"],
        data["time"] / np.where(kind == "other", 3.0, 1.0),
        data["event"],
        covariates={"histology": kind, "smoker": np.arange(300) % 3 == 0, "empty": [None] * 300, "site": ["a"] * 300},
        n_bootstrap=2,
    )
    terms = {term.name: term for term in result.cox}
    assert list(terms) == ["score", "histology: other", "histology: squamous", "smoker: True"]
    assert terms["histology: other"].contrast == "against adeno"
    assert terms["histology: other"].low < 3 < terms["histology: other"].high
    assert any("empty is empty" in one for one in result.warnings)
    assert any("site has one value" in one for one in result.warnings)


def test_p_values_of_the_model_are_adjusted_together() -> None:
    data = cohort(200, (0.2, 0.3), 8)
    result = by_score(data["score"], data["time"], data["event"], covariates={"age": data["age"]}, n_bootstrap=2)
    small, large = sorted(result.cox, key=lambda term: term.p)
    assert small.p_adjusted == pytest.approx(min(2 * small.p, large.p))
    assert large.p_adjusted == pytest.approx(large.p)


@pytest.mark.parametrize("case", ["no event at a level", "no event at the reference", "copy", "separated"])
def test_a_model_without_an_estimate_is_left_out_and_said(case: str) -> None:
    data = cohort(80, (0.5, 0.0), 9)
    event = data["event"]
    censored = np.flatnonzero(event == 0)
    column = {
        "no event at a level": np.isin(np.arange(80), censored[:6]),
        "no event at the reference": event == 1,
        "copy": data["score"] * 3 + 1,
        "separated": np.where(data["time"] > np.median(data["time"]), "late", "early"),
    }[case]
    words = {
        "no event at a level": "none of the 6 patients with marker: True had the event",
        "no event at the reference": "with marker: False had the event",
        "copy": "marker is determined exactly by score",
        "separated": "does not converge",
    }[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = by_score(data["score"], data["time"], event, covariates={"marker": column}, n_bootstrap=2)
    assert result.cox == ()
    assert result.n_cox == 0
    assert any(words in one for one in result.warnings)
    assert result.score_alone is not None
    assert np.isfinite(result.logrank_p)


def test_few_events_and_a_group_without_any_are_said() -> None:
    data = cohort(60, (0.0, 0.0), 0)
    event = np.zeros(60)
    event[np.argsort(data["score"])[-8:]] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = by_score(data["score"], data["time"], event, n_bootstrap=2)
    assert result.score_alone is None
    said = " ".join(result.warnings)
    assert "Only 8 events" in said
    assert "Cox's model is not fitted: 8 events among its 60 patients are too few" in said
    assert "No event among the 20 patients with a low score" in said
    json.dumps(result.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"event": np.zeros(40)}, "All 40 patients are censored"),
        ({"score": np.ones(40)}, "the same score"),
        ({"score": np.array(["low"] * 40)}, "must be numbers"),
        ({"score": np.full(40, np.nan)}, "at least 20 patients"),
        ({"time": -np.arange(40.0)}, "39 of 40 times are negative or infinite (first: -1 at row 1)"),
        ({"time": np.array(["12 months"] * 40)}, "row 0 holds '12 months'"),
        ({"time": np.ones(39)}, "40 scores and 39 of time"),
        ({"event": np.arange(40) % 2 + 1}, "'2' (20x)"),
        ({"n_groups": 9}, "2 to 5 groups"),
        ({"covariates": {"age": np.ones(3)}}, "40 scores and 3 of age"),
        ({"covariates": {"id": [f"p{i}" for i in range(40)]}}, "id has 40 levels"),
    ],
)
def test_what_cannot_be_analysed_is_refused_in_a_sentence(change: dict[str, Any], words: str) -> None:
    data = cohort(40, (0.0, 0.0), 0)
    given = {"score": data["score"], "time": data["time"], "event": data["event"], "n_bootstrap": 2} | change
    with pytest.raises(FlexiCTError) as refused:
        by_score(**given)
    assert words in str(refused.value)


def test_the_real_lung_cohort_by_tumour_diameter() -> None:
    if not REAL.exists():
        pytest.skip("the shared CT cohort is not here")
    table = pd.read_csv(REAL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = by_score(
            table["max_diameter_mm"],
            table["survival_days"],
            table["event"],
            covariates={"age": table["age"], "histology": table["histology"]},
            patient=table["patient_id"],
            n_bootstrap=200,
        )
    complete = table[["max_diameter_mm", "survival_days", "event"]].dropna()
    assert (result.n, result.n_events) == (len(complete), int(complete["event"].sum()))
    assert result.n_excluded == len(table) - len(complete)
    assert result.c_index == pytest.approx(count_pairs(*complete.to_numpy().T))
    assert result.groups[2].survival[-1] < result.groups[0].survival[-1]
    assert result.score_alone is not None
    assert result.score_alone.low > 1
    assert [term.contrast for term in result.cox if "histology" in term.name] == ["against adenocarcinoma"] * 2


def test_times_that_are_all_zero_are_no_follow_up() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(FlexiCTError, match="All follow-up times are 0"):
        by_score(rng.normal(size=40), np.zeros(40), rng.integers(0, 2, 40))
