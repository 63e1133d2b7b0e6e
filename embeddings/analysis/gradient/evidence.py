"""How far an axis follows stage: correlation, patient bootstrap interval, permutation test, optimism."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ..p_values import Adjusted
from ..resampling import bootstrap_weights, holm, percentile_interval, permutation_p
from ..serialise import plain
from ..trend import column_correlations, weighted_correlations, weighted_spearman

TOO_LONG_FOR_JSON = ("null",)


@dataclass(frozen=True)
class AxisTest:
    """Whether the axis follows stage, in numbers.

    `rho` is Spearman's, of out-of-fold scores; `rho_low`, `rho_high` the 95 % patient bootstrap interval
    given the fitted axes; `p_permutation` one-sided, the cross-fit redone under every permutation; `p_adjusted`
    the same after Holm (1979) over the `n_tests` of the analysis.
    """

    rho: float
    rho_low: float
    rho_high: float
    p_permutation: float
    p_adjusted: float
    n_tests: int
    n: int
    n_patients: int

    @property
    def adjusted(self) -> Adjusted:
        """The adjusted p with its method, for text."""
        return Adjusted(self.p_adjusted, self.n_tests)


@dataclass(frozen=True)
class AxisEvidence(AxisTest):
    """One way of asking whether the axis follows stage.

    `score` [n] is each case's out-of-fold score; `null` [n_permutations] the rho of each permutation;
    `rho_in_sample` the optimistic value of an axis scored on the cases it was fitted to.
    """

    rho_in_sample: float
    seed: int
    score: NDArray[np.float64]
    null: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the null distribution as plain Python values, of which its 95 % quantile stays."""
        return _without_null(plain(self))


def _without_null(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_null(one) for one in value]
    if not isinstance(value, dict):
        return value
    short = {key: _without_null(one) for key, one in value.items() if key not in TOO_LONG_FOR_JSON}
    if "null" in value:
        defined = np.asarray([one for one in value["null"] if one is not None])
        short["null_95"] = float(np.quantile(defined, 0.95)) if defined.size else None
    return short


@dataclass(frozen=True)
class Labelling:
    """What every way of asking shares: stage [n], patient [n], and how much is resampled from which seed."""

    stage: NDArray[np.float64]
    patient: NDArray[np.intp]
    n_bootstrap: int
    seed: int

    def evidence(
        self,
        score: NDArray[np.float64],
        null: NDArray[np.float64],
        in_sample: NDArray[np.float64],
        permuted: PermutedStages,
    ) -> AxisEvidence:
        """score [n] out of fold, `in_sample` [n], and null [n, m]: scores refitted to every permuted stage."""
        stage_ranks = permuted.ranks_of(self.stage[:, None])

        def rho_of(scores: NDArray[np.float64]) -> float:
            return float(column_correlations(permuted.ranks_of(scores[:, None]), stage_ranks)[0])

        if permuted.bins is None:
            draws = self.resampled(score, self.stage)
        else:
            # A resample would fill bins of three with copies, so the ranks stay those of the whole cohort.
            draws = weighted_correlations(permuted.ranks_of(score[:, None]).T, stage_ranks.T, self._weights)
        low, high = percentile_interval(draws)
        rho, null_rho = rho_of(score), column_correlations(permuted.ranks_of(null), permuted.ranks)
        p = permutation_p(rho, null_rho)
        return AxisEvidence(
            rho=rho,
            rho_low=low,
            rho_high=high,
            p_permutation=p,
            p_adjusted=p,
            n_tests=1,
            rho_in_sample=rho_of(in_sample),
            n=len(self.stage),
            n_patients=int(self.patient.max()) + 1,
            seed=self.seed,
            score=score,
            null=null_rho,
        )

    def resampled(self, score: NDArray[np.float64], against: NDArray[np.float64]) -> NDArray[np.float64]:
        """Spearman's rho of two vectors [n] in every patient bootstrap; NaN where one of them is constant."""
        return weighted_spearman(score, against, self._weights)

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        return bootstrap_weights(self.patient, n_resamples=self.n_bootstrap, seed=self.seed)


@dataclass(frozen=True)
class PermutedStages:
    """Stages permuted [m, n], and bins [n] within which ranks are taken, such as bins of similar tumour size."""

    labels: NDArray[np.float64]
    bins: NDArray[np.intp] | None = None

    @cached_property
    def ranks(self) -> NDArray[np.float64]:
        """The ranks [n, m] of every permuted stage."""
        return self.ranks_of(self.labels.T)

    def ranks_of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Ranks of each column of values [n, m], within each bin centred on 0 and scaled to -0.5..0.5."""
        if self.bins is None:
            return rankdata(values, axis=0)
        ranks = np.empty(values.shape)
        for one in np.unique(self.bins):
            rows = self.bins == one
            count = int(rows.sum())
            ranks[rows] = (rankdata(values[rows], axis=0) - (count + 1) / 2) / count
        return ranks


def own_fields(evidence: AxisEvidence) -> dict[str, Any]:
    """The fields of an `AxisEvidence` by name, to make a richer result of it."""
    return {field.name: getattr(evidence, field.name) for field in fields(AxisEvidence)}


def adjusted_for_each_other(tests: Mapping[str, AxisEvidence | None]) -> dict[str, AxisEvidence | None]:
    """The tests with their p adjusted (Holm 1979, which allows for any dependence) over those that there are."""
    there = [one for one in tests.values() if one is not None]
    adjusted = iter(holm([one.p_permutation for one in there]))
    return {
        name: one and replace(one, p_adjusted=float(next(adjusted)), n_tests=len(there)) for name, one in tests.items()
    }
