"""Stage axes fitted and scored on different patients, for many labellings of one cohort at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import brentq
from threadpoolctl import threadpool_limits

from .. import progress
from ..gram import Gram
from ..resampling import grouped_folds

# The Gram matrix that a training fold leaves, such as that of vectors with size regressed out.
Adjustment = Callable[[NDArray[np.intp]], Gram]
FOLDS = 5
CORES = os.cpu_count() or 1
# Labellings per batch: limits the memory of 10,000 permutations.
BATCH = 500


def ridge_strength(eigenvalues: NDArray[np.floating], effective_df: float) -> float:
    """The ridge penalty at which sum(e / (e + penalty)) equals `effective_df`.

    It depends on the vectors alone, never on the labels (Hastie, Tibshirani and Friedman 2009, eq. 3.50).
    Without a positive eigenvalue it is infinite: there is nothing to fit.
    """
    positive = eigenvalues[eigenvalues > 1e-10 * max(float(eigenvalues.max()), 1e-300)]
    if not positive.size:
        return float("inf")
    target = min(effective_df, 0.9 * positive.size)

    def excess(log_penalty: float) -> float:
        return float((positive / (positive + np.exp(log_penalty))).sum()) - target

    low, high = np.log(positive.min()) - 10.0, np.log(positive.sum()) + 10.0
    return float(np.exp(brentq(excess, low, high)))


def ridge_penalty(adjust: Adjustment, n: int) -> float:
    """The penalty of the stage axis, a case: a third of n effective degrees of freedom over the whole cohort.

    Found once, from vectors without labels; a training fold multiplies it by its number of cases.
    """
    everyone = np.arange(n)
    return ridge_strength(np.linalg.eigvalsh(adjust(everyone).centred(everyone)), n / 3.0) / n


def ledoit_wolf_penalty(adjust: Adjustment, n: int) -> float:
    """The ridge on the covariance that Ledoit and Wolf's shrinkage amounts to.

    Shrinking a covariance S to (1 - s) S + s (trace S / d) I is, up to scale, adding the identity times
    s / (1 - s) * trace S / d. The intensity s of the whole cohort's vectors (Ledoit and Wolf 2004, J Multivar
    Anal 88:365) needs no label, so it is the same under every permutation, as that of each class would not be.
    """
    everyone = np.arange(n)
    gram = adjust(everyone)
    products = gram.centred(everyone)
    squared_lengths = np.diag(products)
    mean_variance = squared_lengths.sum() / n / gram.width
    if mean_variance == 0:
        return float("inf")
    norm = (products**2).sum() / n**2  # trace(S S)
    delta = (norm - gram.width * mean_variance**2) / gram.width
    beta = ((squared_lengths**2).sum() / n - norm) / n / gram.width
    intensity = min(max(beta, 0.0), delta) / delta if delta > 0 else 1.0
    # At 1 the discriminant is the difference of means; just below it is the same axis and stays finite. Above 0 it
    # can be inverted where columns repeat each other.
    intensity = min(max(intensity, 1e-6), 0.9999)
    return float(intensity / (1.0 - intensity) * mean_variance)


def repeats_for(n: int) -> int:
    """How often the cross-fit of n cases is repeated: few repeats suffice in a large cohort, where each costs more."""
    return 10 if n <= 300 else 4 if n <= 1000 else 2


def fold_plan(
    patient: NDArray[np.intp], *, n_folds: int, n_repeats: int, seed: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """The (training cases, test cases) of every fold of every repeat, by patient, whatever the labels."""
    for repeat in range(n_repeats):
        fold = grouped_folds(patient, n_folds=n_folds, seed=seed * 1000 + repeat)
        for number in range(n_folds):
            yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def ridge_smoother(
    products: NDArray[np.float64], train: NDArray[np.intp], test: NDArray[np.intp], penalty: float
) -> NDArray[np.float64]:
    """The matrix [len(test), len(train)] that turns training labels into ridge scores of the test cases.

    products: [n, n_train] as `Gram.centred`. The score is the deviation from the mean training label: without
    the intercept every row sums to 0, so that under permuted labels the expected score is 0 in every fold and
    the known negative bias of pooled cross-validated scores does not arise.
    """
    weights = _regularised(products[train], penalty * len(train), products[test])
    return weights - weights.mean(axis=1, keepdims=True)


def out_of_fold_smoother(
    adjust: Adjustment, patient: NDArray[np.intp], *, n_folds: int, n_repeats: int, seed: int
) -> NDArray[np.float64]:
    """Smoother S [n, n] of repeated cross-fitting: S @ stage is every case's mean out-of-fold score.

    Folds group patients and know no labels, so S is the same for every permutation of the stage.
    """
    n = len(patient)
    penalty = ridge_penalty(adjust, n)
    smoother = np.zeros((n, n))
    plan = fold_plan(patient, n_folds=n_folds, n_repeats=n_repeats, seed=seed)
    for train, test in progress.counted(plan, n_folds * n_repeats):
        products = adjust(train).centred(train)
        smoother[np.ix_(test, train)] += ridge_smoother(products, train, test, penalty) / n_repeats
    return smoother


def in_sample_smoother(adjust: Adjustment, n: int) -> NDArray[np.float64]:
    """The same ridge fitted and scored on all cases: the optimistic way, for comparison only."""
    everyone = np.arange(n)
    return ridge_smoother(adjust(everyone).centred(everyone), everyone, everyone, ridge_penalty(adjust, n))


def discriminant_scores(
    adjust: Adjustment,
    labels: NDArray[np.float64],
    splits: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    *,
    degree: int = 1,
) -> NDArray[np.float64]:
    """Scores [n, m] of a shrinkage linear discriminant along the order of the stages, for labels [m, n].

    The axis is inv(W + r I) @ sum_k n_k a_k m_k, with m_k the mean of stage k, W the covariance within stages
    and r of `ledoit_wolf_penalty`: Fisher's discriminant for one contrast a of the stages. Degree 1 is the
    linear contrast, 2 the quadratic one (the middle stages against the ends), orthogonal to it. Each fold's
    score has unit deviation among its training cases, so that folds can be pooled; a case that several
    splits score gets the mean.

    With G the training Gram matrix, H = G inv(G + n r I) and Q the stage indicators over the root of n_k,
    W = G - G Q Q' G in the span of the cases, and the Woodbury identity gives the axis the label coding
    Q inv(I - Q' H Q) a: a permutation costs one product with H, which it leaves unchanged.
    """
    m, n = labels.shape
    penalty = ledoit_wolf_penalty(adjust, n)
    score, times = np.zeros((n, m)), np.zeros(n)
    batches = [slice(first, min(first + BATCH, m)) for first in range(0, m, BATCH)]
    # Many small products: a core a batch is quicker than all cores on each.
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(min(len(batches), CORES)) as cores:
        for train, test in progress.counted(splits, len(splits)):
            products = adjust(train).centred(train)
            smoother = _regularised(products[train], penalty * len(train), products)
            times[test] += 1

            def scored(batch: slice, train: NDArray = train, test: NDArray = test, S: NDArray = smoother) -> NDArray:
                coding, trained = _contrast_coding(S[train], labels[batch][:, train], degree)
                spread = trained.std(axis=0)
                usable = spread > 1e-12
                return S[test] @ (coding * np.where(usable, 1.0 / np.where(usable, spread, 1.0), 0.0))

            for batch, added in zip(batches, cores.map(scored, batches), strict=True):
                score[test, batch] += added
    return score / np.maximum(times, 1.0)[:, None]


def _contrast_coding(
    hat: NDArray[np.float64], labels: NDArray[np.float64], degree: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The coding Q inv(I - Q' H Q) a of every row of labels [m, n_train], and H times it, `[n_train, m]` each."""
    n_train, m = labels.shape[1], len(labels)
    levels = np.unique(labels)
    member = labels.T[:, None, :] == levels[:, None]  # [n_train, K, m]
    counts = member.sum(axis=0)
    indicators = member / np.sqrt(np.maximum(counts, 1))
    # Centred products turn a constant into 0, so the last level follows from the others.
    first = indicators[:, :-1]
    smoothed = np.empty_like(indicators)
    smoothed[:, :-1] = (hat @ first.reshape(n_train, -1)).reshape(first.shape)
    roots = np.sqrt(counts)
    share = np.where(counts[-1] > 0, -roots[:-1] / np.maximum(roots[-1], 1.0), 0.0)
    smoothed[:, -1] = np.einsum("ikm,km->im", smoothed[:, :-1], share)
    last = len(levels) - 1
    overlap = np.empty((m, len(levels), len(levels)))
    for k in range(last):
        for j in range(k + 1):
            overlap[:, k, j] = overlap[:, j, k] = np.einsum("im,im->m", indicators[:, k], smoothed[:, j])
    overlap[:, last, :last] = overlap[:, :last, last] = np.einsum("km,mkj->mj", share, overlap[:, :last, :last])
    overlap[:, last, last] = np.einsum("km,mk->m", share, overlap[:, :last, last])
    contrast = np.sqrt(counts.T) * _contrast(counts.T.astype(np.float64), levels, degree)
    weights = np.linalg.solve(np.eye(len(levels)) - overlap, contrast[:, :, None])[:, :, 0].T
    return np.einsum("ikm,km->im", indicators, weights), np.einsum("ikm,km->im", smoothed, weights)


def _contrast(counts: NDArray[np.float64], levels: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    """Polynomial contrast of the stage codes, orthogonal to the lower ones under the cases' counts [m, K]."""
    share = counts / counts.sum(axis=1, keepdims=True)
    lower = [np.ones_like(counts)]
    for power in range(1, degree + 1):
        column = np.broadcast_to(levels**power, counts.shape)
        for before in lower:
            norm = (share * before**2).sum(axis=1, keepdims=True)
            along = (share * before * column).sum(axis=1, keepdims=True)
            column = column - before * np.divide(along, norm, out=np.zeros_like(along), where=norm > 1e-12)
        lower.append(column)
    return lower[-1]


def _regularised(gram: NDArray[np.float64], penalty: float, against: NDArray[np.float64]) -> NDArray[np.float64]:
    """against @ inv(gram + penalty I); zeros where the penalty is infinite."""
    if not np.isfinite(penalty):
        return np.zeros_like(against)
    factor = cho_factor(gram + penalty * np.eye(len(gram)), lower=True)
    return cho_solve(factor, against.T).T
