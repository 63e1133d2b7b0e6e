"""The stage axes written plainly with scikit-learn: what `stage_gradient` computes, one fit at a time.

The oracle of its tests and the yardstick of its speed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import empirical_covariance, ledoit_wolf_shrinkage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.preprocessing import StandardScaler

from embeddings.analysis.gradient.adjustment import size_design
from embeddings.analysis.gradient.crossfit import ridge_strength

Split = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass
class RidgedCovariance:
    """Empirical covariance with `ridge` on its diagonal, as scikit-learn's discriminant wants it."""

    ridge: float
    covariance_: NDArray[np.float64] | None = None

    def fit(self, X: NDArray[np.float64]) -> RidgedCovariance:
        """The covariance of rows [n, d]."""
        self.covariance_ = empirical_covariance(X) + self.ridge * np.eye(X.shape[1])
        return self


@dataclass(frozen=True)
class PlainAxes:
    """Out-of-fold scores by scikit-learn on the splits of a cohort; `size` [n] is regressed out where given."""

    rows: NDArray[np.float64]
    splits: tuple[Split, ...]
    size: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, X: NDArray[np.float64], splits: Iterable[Split], size: NDArray[np.float64] | None = None) -> PlainAxes:
        """The axes of vectors [n, d]."""
        return cls(StandardScaler().fit_transform(X), tuple(splits), size)

    def ridge(self, stage: NDArray[np.float64], penalty: float) -> NDArray[np.float64]:
        """Ridge scores [n], the mean over the splits that test a case; `penalty` is of one training case."""
        score, times = np.zeros(len(stage)), np.zeros(len(stage))
        for train, test in self.splits:
            rows = self._prepared(train)
            fitted = Ridge(alpha=penalty * len(train)).fit(rows[train], stage[train])
            score[test] += fitted.predict(rows[test]) - stage[train].mean()
            times[test] += 1
        return score / times

    def discriminant(self, stage: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
        """Scores [n] of the linear discriminant along the stages, of unit deviation in training."""
        score, times = np.zeros(len(stage)), np.zeros(len(stage))
        for train, test in self.splits:
            rows = self._prepared(train)
            fitted = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=RidgedCovariance(ridge))
            fitted.fit(rows[train], stage[train])
            if len(fitted.classes_) == 2:
                axis = fitted.coef_[0]
            else:
                counts = np.array([(stage[train] == level).sum() for level in fitted.classes_])
                axis = (counts * (fitted.classes_ - stage[train].mean())) @ fitted.coef_
            along = (rows - rows[train].mean(axis=0)) @ axis
            score[test] += along[test] / along[train].std()
            times[test] += 1
        return score / times

    def penalties(self) -> tuple[float, float]:
        """The ridge penalty (a case) and the ridge on the covariance, of the whole cohort and of no label."""
        n, d = self.rows.shape
        rows = self._prepared(np.arange(n))
        strength = ridge_strength(np.linalg.svd(rows, compute_uv=False) ** 2, n / 3.0) / n
        intensity = min(max(ledoit_wolf_shrinkage(rows, assume_centered=True), 1e-6), 0.9999)
        return strength, intensity / (1.0 - intensity) * float((rows**2).sum()) / n / d

    def _prepared(self, train: NDArray[np.intp]) -> NDArray[np.float64]:
        if self.size is None:
            return self.rows
        design = size_design(train, size=self.size, covariates=None, n=len(self.rows))
        return self.rows - LinearRegression().fit(design[train], self.rows[train]).predict(design)
