"""Splits, bootstraps and permutations that keep the scans of a patient together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import false_discovery_control

from flexict.errors import FlexiCTError


class NothingToExchangeError(FlexiCTError):
    """No two patients can exchange different labels, so a permutation test has nothing to permute."""


def grouped_folds(
    patient: ArrayLike, stage: ArrayLike | None = None, *, n_folds: int = 5, seed: int = 0
) -> NDArray[np.intp]:
    """The fold number 0..n_folds-1 of every case, `[n]`; a patient is never split.

    With `stage`, patients are dealt out stage by stage, so that every fold holds each stage in like number;
    the stage of a patient is the highest of its scans. Without it, folds do not depend on any label, which
    a permutation test needs. The same seed gives the same folds.

    Raises FlexiCTError when there are fewer patients than folds.
    """
    number = np.unique(np.asarray(patient), return_inverse=True)[1]
    n_patients = int(number.max()) + 1
    if n_folds < 2 or n_patients < n_folds:
        raise FlexiCTError(f"Cross-validation in {n_folds} folds needs that many patients, but there are {n_patients}.")
    rng = np.random.default_rng(seed)
    order = rng.permutation(n_patients)
    if stage is not None:
        highest = highest_by_patient(number, np.unique(np.asarray(stage), return_inverse=True)[1])
        order = order[np.argsort(highest[order], kind="stable")]
    # Dealing on from where the stage before ended keeps the folds of equal size.
    fold_of_patient = np.empty(n_patients, dtype=np.intp)
    fold_of_patient[order] = np.arange(n_patients) % n_folds
    return rng.permutation(n_folds)[fold_of_patient][number]


def highest_by_patient(patient: NDArray[np.intp], stage: NDArray) -> NDArray:
    """The highest stage of each patient 0..P-1, `[P]`."""
    highest = np.full(int(patient.max()) + 1, stage.min())
    np.maximum.at(highest, patient, stage)
    return highest


def bootstrap_weights(patient: ArrayLike, *, n_resamples: int, seed: int = 0) -> NDArray[np.float64]:
    """How often each case occurs in each patient bootstrap, `[n_resamples, n]`.

    Patients are drawn with replacement, each with all its scans.
    """
    number = np.unique(np.asarray(patient), return_inverse=True)[1]
    n_patients = int(number.max()) + 1
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(n_patients, np.full(n_patients, 1.0 / n_patients), size=n_resamples)
    return counts[:, number].astype(np.float64)


def permuted_labels(
    label: ArrayLike,
    patient: ArrayLike,
    *,
    n_permutations: int,
    seed: int = 0,
    within: ArrayLike | None = None,
) -> NDArray:
    """Labels permuted by patient, `[n_permutations, n]`.

    Where the label is constant within every patient, patients exchange labels and all scans of a patient
    carry the same one. Where it changes within some patient (a follow-up scan of higher stage), patients
    with the same number of scans exchange their whole series of labels, in order. `within` (one value a
    case, constant within a patient) limits exchange to patients of the same value, such as a bin of tumour
    size.

    Raises NothingToExchangeError when no two patients can exchange different labels.
    """
    labels = np.asarray(label)
    number = np.unique(np.asarray(patient), return_inverse=True)[1]
    block = np.zeros(len(labels), dtype=np.intp) if within is None else np.unique(within, return_inverse=True)[1]
    cases_of = np.split(np.argsort(number, kind="stable"), np.cumsum(np.bincount(number))[:-1])
    constant = all(np.all(labels[cases] == labels[cases[0]]) for cases in cases_of)

    exchangeable: dict[tuple[int, int], list[int]] = {}
    for p, cases in enumerate(cases_of):
        exchangeable.setdefault((int(block[cases[0]]), 0 if constant else len(cases)), []).append(p)

    rng = np.random.default_rng(seed)
    permuted = np.broadcast_to(labels, (n_permutations, len(labels))).copy()
    can_move = False
    for members in exchangeable.values():
        length = 1 if constant else len(cases_of[members[0]])
        series = np.stack([labels[cases_of[p][:length]] for p in members])
        if np.all(series == series[0]):
            continue
        can_move = True
        drawn = rng.permuted(np.tile(np.arange(len(members)), (n_permutations, 1)), axis=1)
        for position, p in enumerate(members):
            permuted[:, cases_of[p]] = series[drawn[:, position]]
    if not can_move:
        raise NothingToExchangeError(
            "A permutation test needs patients that can exchange different labels, and here none can."
        )
    return permuted


def permuted_given(
    label: ArrayLike, design: NDArray[np.float64], patient: ArrayLike, *, n_permutations: int, seed: int = 0
) -> NDArray[np.float64]:
    """Ordered labels permuted by patient so that they keep their relation with `design` [n, p], `[m, n]`.

    Freedman and Lane (1983, J Bus Econ Stat 1:292): what the design (tumour size) does not explain of the labels
    is exchanged and added to what it explains; the labels are then dealt out again in that order, so that they
    are stages still. Labels permuted at will would lose their tie to size, and compared with those the true ones
    would look poor: a test of what is left after size fired in 2 % of cohorts where 5 % is due.

    Patients with one label are units, by their mean design; where the label changes within some patient, the
    series of residuals of patients with equally many scans are exchanged.

    Raises NothingToExchangeError when no two patients can exchange different residuals.
    """
    labels = np.asarray(label, dtype=np.float64)
    number = np.unique(np.asarray(patient), return_inverse=True)[1]
    highest = highest_by_patient(number, labels)
    constant = bool(np.all(highest[number] == labels))
    if constant:
        known = np.stack([np.bincount(number, column) / np.bincount(number) for column in design.T], axis=1)
        unit, values = np.arange(len(highest)), highest
    else:
        known, unit, values = design, number, labels
    explained = known @ np.linalg.lstsq(known, values, rcond=1e-9)[0]
    residual = values - explained
    # Where the design fixes the label, rounding is all that is left, and there is nothing to exchange.
    residual[np.abs(residual) < 1e-9 * values.std()] = 0.0
    exchanged = explained + permuted_labels(residual, unit, n_permutations=n_permutations, seed=seed)
    # Equal values are dealt at random: rows in the order of stage would else bring the true stages back.
    chance = np.random.default_rng([seed, 1]).random(exchanged.shape)
    order = np.lexsort((chance, np.round(exchanged / values.std(), 9)), axis=1)
    dealt = np.empty_like(exchanged)
    np.put_along_axis(dealt, order, np.sort(values)[None], axis=1)
    return dealt[:, number] if constant else dealt


def permutation_p(observed: float, null: ArrayLike) -> float:
    """One-sided (1 + b) / (1 + m): b of m permuted statistics are at least the observed one.

    NaN without permutations, and where the observed one is NaN. It is never 0 (Phipson and Smyth 2010, Stat Appl
    Genet Mol Biol 9:39).
    """
    values = np.asarray(null, dtype=np.float64)
    if not values.size or np.isnan(observed):
        return float("nan")
    # The tolerance counts ties as reached in spite of the rounding of a matrix product.
    return float((1 + np.count_nonzero(values >= observed - 1e-12)) / (1 + values.size))


def two_sided_p(draws: ArrayLike) -> float:
    """Twice the smaller share of resampled differences at or beyond 0, counted (1 + b) / (1 + m), at most 1.

    Undefined resamples (NaN) are left out.
    """
    finite = np.asarray(draws, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    return float(np.minimum(1.0, 2.0 * min(permutation_p(0.0, finite), permutation_p(0.0, -finite))))


def percentile_interval(values: ArrayLike, *, level: float = 0.95) -> tuple[float, float]:
    """The percentile bootstrap interval (low, high); undefined resamples (NaN) are left out."""
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return float("nan"), float("nan")
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(finite, [tail, 1.0 - tail])
    return float(low), float(high)


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """p-values adjusted for the false discovery rate (Benjamini and Hochberg 1995), in the order given.

    Undefined values (NaN) stay and are not counted.
    """
    adjusted = np.array(p_values, dtype=np.float64)
    known = ~np.isnan(adjusted)
    adjusted[known] = false_discovery_control(adjusted[known])
    return adjusted


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """p-values adjusted for the chance of any false one (Holm 1979, Scand J Stat 6:65), in the order given.

    It holds whatever the dependence between the tests. Undefined values (NaN) stay and are not counted.
    """
    adjusted = np.array(p_values, dtype=np.float64)
    order = np.argsort(adjusted)[: np.count_nonzero(~np.isnan(adjusted))]  # NaN is sorted to the end
    stepped = adjusted[order] * np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(stepped))
    return adjusted


def adjusted_table(tests: Sequence[Mapping[str, object]], p: str = "p") -> pd.DataFrame:
    """Tests, a dict each, as a table with `p_adjusted`: their p after `benjamini_hochberg` over all of them.

    Example:
        >>> adjusted_table([{"test": "a", "p": 0.01}, {"test": "b", "p": 0.2}])["p_adjusted"].tolist()
        [0.02, 0.2]
    """
    table = pd.DataFrame(tests)
    return table.assign(p_adjusted=benjamini_hochberg(table[p]))
