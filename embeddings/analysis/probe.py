"""What a linear probe reads from the embedding, and what it adds to a plain measurement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checks import checked_columns, checked_vectors, patient_numbers
from .discrimination import (
    ReliabilityBin,
    balanced_accuracy,
    brier,
    confusion_matrices,
    macro_auc,
    macro_average_precision,
    macro_f1,
    reliability,
)
from .logistic import out_of_fold_probability
from .resampling import (
    bootstrap_weights,
    grouped_folds,
    highest_by_patient,
    percentile_interval,
    permutation_p,
)
from .serialise import plain

ANALYSIS = "linear probe"
MAX_FOLDS = 5
MIN_PATIENTS_PER_CLASS = 3
MIN_CASES = 20


@dataclass(frozen=True)
class Estimate:
    """A measure with its 95 % patient bootstrap interval, given the fitted models."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ProbeModel:
    """One model's measures, all out of fold and averaged over repeats.

    confusion: [K, K] cases, true class by row, likeliest class by column. probability: [n, K], mean over
    repeats; calibration and Brier score are of it.
    """

    name: str
    auc: Estimate
    balanced_accuracy: Estimate
    f1: Estimate
    pr_auc: Estimate
    brier: float
    calibration: tuple[ReliabilityBin, ...]
    confusion: NDArray[np.float64]
    probability: NDArray[np.float64]


@dataclass(frozen=True)
class AucDifference:
    """AUC of `better` less AUC of `than` on the same folds and resamples, with its interval.

    p is two-sided: twice the smaller share of resamples at or beyond 0, counted (1 + b) / (1 + m).
    """

    better: str
    than: str
    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Probe:
    """Result of `linear_probe`. baseline, combined and differences are empty without a baseline."""

    classes: tuple[str, ...]
    truth: NDArray[np.intp]
    embedding: ProbeModel
    baseline: ProbeModel | None
    combined: ProbeModel | None
    differences: tuple[AucDifference, ...]
    n: int
    n_patients: int
    n_per_class: tuple[int, ...]
    n_folds: int
    n_repeats: int
    n_bootstrap: int
    seed: int

    @property
    def models(self) -> tuple[ProbeModel, ...]:
        """The models that were fitted, the embedding first."""
        return tuple(one for one in (self.embedding, self.baseline, self.combined) if one is not None)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values."""
        return plain(self)


def linear_probe(
    X: ArrayLike,
    y: ArrayLike,
    *,
    patient: ArrayLike | None = None,
    baseline: ArrayLike | None = None,
    n_repeats: int = 20,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Probe:
    """Logistic regression of the label y [n] on the vectors X [n, d], in nested cross-validation.

    Repeated 5-fold cross-validation, stratified, by patient (a patient's class for stratification is its
    highest); fewer folds where the rarest class has fewer patients. Standardisation, rotation and penalty
    come from training folds alone, the penalty by an inner cross-validation of them. Classes are not
    reweighted, so that probabilities stay calibrated. baseline: [n, k] features such as tumour size, probed
    alone and together with the vectors on the same folds. Classes are the sorted values of y; of two, the
    second is positive.

    Raises ValueError on NaN vectors, missing labels, one class, fewer than 20 cases, or a class with fewer
    than 3 patients.
    """
    vectors = checked_vectors(X, ANALYSIS, at_least=MIN_CASES)
    n = len(vectors)
    classes, truth = _classes(y, n)
    patients = patient_numbers(patient, ANALYSIS, n=n)
    columns = None if baseline is None else checked_columns(baseline, ANALYSIS, n=n, name="baseline")
    if n_repeats < 1:
        raise ValueError(f"The {ANALYSIS} needs at least 1 repeat, not {n_repeats}.")
    per_class = np.bincount(highest_by_patient(patients, truth), minlength=len(classes))
    rarest = int(per_class.argmin())
    if per_class[rarest] < MIN_PATIENTS_PER_CLASS:
        raise ValueError(
            f"The {ANALYSIS} needs at least {MIN_PATIENTS_PER_CLASS} patients of every class, but "
            f"'{classes[rarest]}' has {per_class[rarest]}; merge it with another class or leave it out."
        )
    n_folds = int(min(MAX_FOLDS, per_class[rarest]))

    tables: dict[str, list[NDArray[np.float64]]] = {"embedding": [vectors]}
    if columns is not None:
        tables["baseline"] = [columns]
        tables["combined"] = [vectors, columns]
    folds = [grouped_folds(patients, truth, n_folds=n_folds, seed=seed * 1000 + repeat) for repeat in range(n_repeats)]
    weights = np.vstack([np.ones(n), bootstrap_weights(patients, n_resamples=n_bootstrap, seed=seed)])
    models, areas = {}, {}
    for name, blocks in tables.items():
        probability = np.stack([out_of_fold_probability(blocks, truth, patients, fold) for fold in folds])
        areas[name] = macro_auc(probability, truth, weights)
        models[name] = _model(name, areas[name], probability, truth, weights)

    differences = []
    if columns is not None:
        for better, than in (("combined", "baseline"), ("embedding", "baseline")):
            differences.append(_difference(better, than, areas[better] - areas[than]))
    return Probe(
        classes=classes,
        truth=truth,
        embedding=models["embedding"],
        baseline=models.get("baseline"),
        combined=models.get("combined"),
        differences=tuple(differences),
        n=n,
        n_patients=int(patients.max()) + 1,
        n_per_class=tuple(np.bincount(truth).tolist()),
        n_folds=n_folds,
        n_repeats=n_repeats,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )


def _classes(y: ArrayLike, n: int) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    labels = np.asarray(y, dtype=object)
    missing = sum(one is None or one != one for one in labels.ravel())
    if labels.shape != (n,) or missing:
        raise ValueError(f"The {ANALYSIS} needs one label for each of the {n} cases, and {missing} are missing.")
    try:
        values = sorted(set(labels.tolist()))
    except TypeError as error:
        raise ValueError(f"The {ANALYSIS} needs labels of one kind, not numbers mixed with text.") from error
    if len(values) < 2:
        raise ValueError(f"The {ANALYSIS} needs at least two classes, but all cases are '{values[0]}'.")
    number = {value: k for k, value in enumerate(values)}
    return tuple(str(value) for value in values), np.array([number[one] for one in labels], dtype=np.intp)


def _model(
    name: str,
    auc: NDArray[np.float64],
    probability: NDArray[np.float64],
    truth: NDArray[np.intp],
    weights: NDArray[np.float64],
) -> ProbeModel:
    confusion = confusion_matrices(probability, truth, weights)
    mean = probability.mean(axis=0)
    return ProbeModel(
        name=name,
        auc=_estimate(auc),
        balanced_accuracy=_estimate(balanced_accuracy(confusion)),
        f1=_estimate(macro_f1(confusion)),
        pr_auc=_estimate(macro_average_precision(probability, truth, weights)),
        brier=brier(mean, truth),
        calibration=reliability(mean, truth),
        confusion=confusion[0],
        probability=mean,
    )


def _estimate(values: NDArray[np.float64]) -> Estimate:
    """The first value is of all cases, the rest are of resamples."""
    return Estimate(float(values[0]), *percentile_interval(values[1:]))


def _difference(better: str, than: str, values: NDArray[np.float64]) -> AucDifference:
    estimate = _estimate(values)
    resampled = values[1:][np.isfinite(values[1:])]
    one_side = min(permutation_p(0.0, resampled), permutation_p(0.0, -resampled))
    return AucDifference(better, than, estimate.value, estimate.low, estimate.high, min(1.0, 2.0 * one_side))
