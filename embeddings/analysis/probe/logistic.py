"""Many logistic regressions on the vectors of one cohort, fitted together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from .. import progress
from ..gram import Gram

MAX_COMPONENTS = 300
BATCH = 256
MAX_ITERATIONS = 500
# On the scale of the linear predictor; probabilities then agree with scikit-learn's to about 1e-5.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Components:
    """A cohort's vectors in the basis of their own principal components: scores [n, r] of variance `spread` [r].

    Every linear fit with a ridge penalty is a fit on these, whichever cases it is trained on.
    """

    scores: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, blocks: Sequence[Gram]) -> Components:
        """The components of several tables side by side, each given a total variance of 1 a case.

        Where they number above 300 the leading ones are kept: with up to 300 cases nothing is lost.
        """
        everyone = np.arange(len(blocks[0]))
        products = sum((block.centred(everyone) / block.width for block in blocks), np.zeros((1, 1)))
        values, vectors = np.linalg.eigh(products)
        values, vectors = values[::-1][:MAX_COMPONENTS], vectors[:, ::-1][:, :MAX_COMPONENTS]
        kept = values > 1e-10 * max(float(values[0]), 1e-300)
        return cls(vectors[:, kept] * np.sqrt(values[kept]), values[kept])


def probability_path(
    components: Components,
    truth: NDArray[np.intp],
    train: NDArray[np.bool_],
    n_classes: int,
    strengths: Sequence[float],
) -> NDArray[np.float64]:
    """Class probabilities [S, B, n, K] of every case, for B fits at each of S inverse penalties.

    truth: [B, n] in 0..K-1. train: [B, n], the cases that each fit sees. The fit is scikit-learn's: multinomial
    (binary for two classes), with an intercept that is not penalised. A class that a fit does not see has
    probability 0.

    All fits share the components, so an iteration is two matrix products. Steps follow Boehning's bound on the
    Hessian (Boehning 1992, Ann Inst Stat Math 44:197), which is diagonal in the components and the same for
    every fit, with Nesterov's momentum, restarted where it points uphill (O'Donoghue and Candes 2015, Found
    Comput Math 15:715).
    """
    found = np.empty((len(strengths), len(truth), truth.shape[1], n_classes))
    for first in range(0, len(truth), BATCH):
        batch = slice(first, first + BATCH)
        fits = _Fits(components, truth[batch], train[batch], n_classes)
        for number, strength in enumerate(strengths):
            progress.report(first + len(truth[batch]) * number / len(strengths), len(truth))
            fits.advance(strength)
            found[number, batch] = fits.probability()
    return found


class _Fits:
    """Up to `BATCH` fits on the way along a path of penalties, each starting from the penalty before.

    Arrays end in [classes, fits]: sums over the few classes are quick only where the many fits lie together.
    """

    def __init__(
        self, components: Components, truth: NDArray[np.intp], train: NDArray[np.bool_], n_classes: int
    ) -> None:
        n, rank = components.scores.shape
        self._design = np.hstack([components.scores, np.ones((n, 1))])
        self._bound = np.append(components.spread, float(n))
        self._penalised = np.append(np.ones(rank), 0.0)[:, None, None]
        self._binary = n_classes == 2
        self._train = train.T.astype(np.float64)[:, None, :]  # [n, 1, B]
        member = truth.T[:, None, :] == np.arange(n_classes)[:, None]  # [n, K, B]
        self._seen = (member & train.T[:, None, :]).any(axis=0)  # [K, B]
        self._target = (member[:, 1:] if self._binary else member).astype(np.float64)
        self._weights = np.zeros((rank + 1, *self._target.shape[1:]))

    def advance(self, strength: float) -> None:
        """Fit at this inverse penalty."""
        curvature = 0.25 if self._binary else 0.5
        step = 1.0 / (strength * curvature * self._bound[:, None, None] + self._penalised)
        # Fits of a single class are certain and have no finite optimum.
        active = np.flatnonzero(self._seen.sum(axis=0) > 1)
        train, target = self._train[..., active], self._target[..., active]
        weights = self._weights[..., active]
        ahead, pace = weights.copy(), np.ones(active.size)
        for _ in range(MAX_ITERATIONS):
            if not active.size:
                return
            missed = train * (target - self._predicted(ahead, active))
            gradient = strength * _product(self._design.T, missed) - self._penalised * ahead
            moved = ahead + step * gradient
            change = moved - weights
            restart = (gradient * change).sum(axis=(0, 1)) < 0
            pace = np.where(restart, 1.0, pace)
            faster = (1.0 + np.sqrt(1.0 + 4.0 * pace**2)) / 2.0
            ahead = moved + ((pace - 1.0) / faster) * change
            weights, pace = moved, faster
            # The squared step in the metric of the bound: what the linear predictor could still move.
            left = strength * (gradient**2 * step).sum(axis=(0, 1)) > TOLERANCE**2 * len(self._train)
            if not left.all():
                self._weights[..., active] = weights
                active, weights, ahead, pace = active[left], weights[..., left], ahead[..., left], pace[left]
                train, target = train[..., left], target[..., left]
        self._weights[..., active] = weights

    def probability(self) -> NDArray[np.float64]:
        """Class probabilities [B, n, K]."""
        predicted = self._predicted(self._weights, np.arange(self._weights.shape[2]))
        if self._binary:
            predicted = np.concatenate([1.0 - predicted, predicted], axis=1)
        alone = self._seen.sum(axis=0) == 1
        predicted[..., alone] = self._seen[:, alone]
        return predicted.transpose(2, 0, 1)

    def _predicted(self, weights: NDArray[np.float64], fits: NDArray[np.intp]) -> NDArray[np.float64]:
        linear = _product(self._design, weights)
        if self._binary:
            return expit(linear)
        linear = np.where(self._seen[:, fits], linear, -np.inf)
        odds = np.exp(linear - linear.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)


def _product(matrix: NDArray[np.float64], table: NDArray[np.float64]) -> NDArray[np.float64]:
    return (matrix @ table.reshape(len(table), -1)).reshape(len(matrix), *table.shape[1:])
