"""Kaplan-Meier curves of groups of similar score, numbers at risk, and the log-rank test."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from lifelines import KaplanMeierFitter
from lifelines.statistics import multivariate_logrank_test
from numpy.typing import NDArray

_NAMES = {2: ("low score", "high score"), 3: ("low score", "middle score", "high score")}
MAX_GROUPS = 5


@dataclass(frozen=True)
class SurvivalGroup:
    """The Kaplan-Meier curve of patients of similar score.

    Attributes:
        name: such as "low score".
        n, n_events: patients, and those with the event.
        score_low, score_high: the least and the greatest score in the group.
        median, median_low, median_high: time at which survival falls to 0.5, with its 95 % interval (Brookmeyer
            and Crowley 1982); NaN where it does not fall that far.
        time: 0 and the times of events and censoring, ascending `[m]`.
        survival: probability to be free of the event beyond each time `[m]`.
        low, high: its pointwise 95 % band, Greenwood's variance on the log-log scale (Kalbfleisch and Prentice
            2002, section 1.4.1) `[m]`; NaN once the curve is at 0.
        n_censored: patients censored at each time `[m]`.
    """

    name: str
    n: int
    n_events: int
    score_low: float
    score_high: float
    median: float
    median_low: float
    median_high: float
    time: NDArray[np.float64]
    survival: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n_censored: NDArray[np.int64]


@dataclass(frozen=True)
class AtRisk:
    """How many patients of each group are still followed at regular times: `n` is `[groups, times]`."""

    time: NDArray[np.float64]
    n: NDArray[np.int64]


def score_groups(score: NDArray[np.float64], n_groups: int) -> NDArray[np.intp]:
    """The group 0..G-1 of every case `[n]`, of as like number as equal scores allow, lowest score first.

    Equal scores stay together, so many ties can leave fewer groups than requested. The score must not be
    constant.
    """
    value, number, count = np.unique(score, return_inverse=True, return_counts=True)
    # A cut lies between two neighbouring values: the one with the share below it nearest to k of n groups.
    below = np.cumsum(count)[:-1]
    cuts = np.unique([int(np.argmin(np.abs(below - k * len(score) / n_groups))) for k in range(1, n_groups)])
    return np.searchsorted(cuts, np.arange(len(value)), side="left")[number]


def group_names(n_groups: int) -> tuple[str, ...]:
    """What the groups are called, lowest score first."""
    return _NAMES.get(n_groups) or tuple(f"score group {k} of {n_groups}" for k in range(1, n_groups + 1))


def kaplan_meier(
    name: str, score: NDArray[np.float64], time: NDArray[np.float64], event: NDArray[np.float64]
) -> SurvivalGroup:
    """The curve of one group of `[n]` patients."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a group without an event: said by the caller, in words
        fitted = KaplanMeierFitter(alpha=0.05).fit(time, event)
    at = fitted.survival_function_.index.to_numpy(dtype=np.float64)
    survival = fitted.survival_function_.to_numpy(dtype=np.float64)[:, 0]
    low, high = fitted.confidence_interval_.to_numpy(dtype=np.float64).T
    censored = fitted.event_table["censored"].to_numpy(dtype=np.int64)
    low, high = (np.where(survival == 1.0, 1.0, np.where(survival > 0.0, edge, np.nan)) for edge in (low, high))
    if survival[0] < 1.0:  # an event at time 0: the curve still starts at 1
        at, censored = np.insert(at, 0, 0.0), np.insert(censored, 0, 0)
        survival, low, high = (np.insert(curve, 0, 1.0) for curve in (survival, low, high))
    return SurvivalGroup(
        name=name,
        n=len(time),
        n_events=int(event.sum()),
        score_low=float(score.min()),
        score_high=float(score.max()),
        median=_falls_to_half(at, survival),
        median_low=_falls_to_half(at, low),
        median_high=_falls_to_half(at, high),
        time=at,
        survival=survival,
        low=low,
        high=high,
        n_censored=censored,
    )


def numbers_at_risk(time: NDArray[np.float64], group: NDArray[np.intp]) -> AtRisk:
    """Patients whose time is not less than each of four to eight round times."""
    times = _round_times(float(time.max()))
    counts = [[int(np.count_nonzero(time[group == g] >= t)) for t in times] for g in range(int(group.max()) + 1)]
    return AtRisk(times, np.array(counts, dtype=np.int64))


def log_rank(time: NDArray[np.float64], event: NDArray[np.float64], group: NDArray[np.intp]) -> tuple[float, float]:
    """The log-rank statistic over all groups (chi-squared, groups less one degrees of freedom) and its p."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tested = multivariate_logrank_test(time, group, event)
    return float(tested.test_statistic), float(tested.p_value)


def _falls_to_half(time: NDArray[np.float64], curve: NDArray[np.float64]) -> float:
    reached = np.flatnonzero(curve <= 0.5)
    return float(time[reached[0]]) if reached.size else float("nan")


def _round_times(last: float) -> NDArray[np.float64]:
    if last <= 0:
        return np.zeros(1)
    rough = last / 7
    magnitude = 10.0 ** np.floor(np.log10(rough))
    step = next(one * magnitude for one in (1, 2, 2.5, 5, 10) if one * magnitude >= rough * (1 - 1e-9))
    return np.arange(int(last / step + 1e-9) + 1) * step
