"""The inner products of a cohort's vectors: all that a linear method needs of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flexict.errors import FlexiCTError

from .checks import checked_vectors


@dataclass(frozen=True)
class Gram:
    """Inner products [n, n] of standardised vectors, computed once for many fits; `width` columns are not constant.

    Every column is scaled to unit deviation over the whole cohort. That looks at the vectors of test cases
    but at no label, so a permutation of labels leaves it unchanged; centring, regressing size out, penalties
    and axes are of training cases alone, since each is a matter of the inner products (Hastie, Tibshirani
    and Friedman 2009, section 18.3.5: with n below d every ridge-type fit lies in the span of the cases).
    """

    products: NDArray[np.float64]
    width: int

    @classmethod
    def of(cls, X: ArrayLike | Gram, analysis: str, *, at_least: int = 2) -> Gram:
        """The Gram matrix of vectors [n, d]; one that is given already is passed on.

        Raises FlexiCTError as `checked_vectors`, and where all vectors are equal.
        """
        if isinstance(X, Gram):
            if len(X.products) < at_least:
                raise FlexiCTError(f"The {analysis} needs at least {at_least} cases, but there are {len(X.products)}.")
            return X
        vectors = checked_vectors(X, analysis, at_least=at_least)
        rows = standardised(vectors)
        rows = rows[:, rows.any(axis=0)]
        if not rows.size:
            raise FlexiCTError(
                f"The {analysis} needs vectors that differ, but those of all {len(vectors)} cases are equal."
            )
        return cls(rows @ rows.T, rows.shape[1])

    def __len__(self) -> int:
        return len(self.products)

    def of_cases(self, cases: NDArray[np.intp]) -> Gram:
        """The Gram matrix of some of the cases, on the scale of the whole cohort."""
        return Gram(self.products[np.ix_(cases, cases)], self.width)

    def centred(self, train: NDArray[np.intp]) -> NDArray[np.float64]:
        """Inner products [n, n_train] of all cases with the training cases, the training mean taken off all."""
        with_train = self.products[:, train]
        to_mean = with_train.mean(axis=1)
        return with_train - to_mean[:, None] - to_mean[train][None, :] + to_mean[train].mean()

    def without(self, design: NDArray[np.float64], train: NDArray[np.intp]) -> Gram:
        """What is left when `design` [n, p] is regressed out of the vectors, by least squares on training cases.

        The residual vectors are (I - design C) X with C = pinv(design[train]), so their inner products need
        no vector. Products that are rounding error beside the vectors' own length become 0.
        """
        # Covariates may be equivalent (age and year of birth): the residual of one given the other is rounding.
        coefficients = np.linalg.pinv(design[train], rcond=1e-9)
        known = coefficients @ self.products[train]
        explained = design @ known
        left = self.products - explained - explained.T + design @ (known[:, train] @ coefficients.T) @ design.T
        lengths = np.einsum("ii->i", left)
        nothing = lengths < 1e-10 * np.einsum("ii->i", self.products).mean()
        left[nothing], left[:, nothing] = 0.0, 0.0
        return Gram(left, self.width)


def standardised(X: NDArray[np.float64], train: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
    """All rows of X [n, d] centred and scaled by the mean and deviation of the training rows (all if None).

    Columns without spread in training become 0.
    """
    rows = X if train is None else X[train]
    # Relative to each column's own scale: tiny numbers may vary, and a large constant varies by rounding alone.
    largest = np.abs(rows).max(axis=0)
    scaled = X / np.where(largest > 0, largest, 1.0)
    rows = scaled if train is None else scaled[train]
    centre, spread = rows.mean(axis=0), rows.std(axis=0)
    usable = spread > 1e-12
    return np.where(usable, (scaled - centre) / np.where(usable, spread, 1.0), 0.0)
