"""What a linear probe reads from the embedding, and what it adds to a plain measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flexict.errors import FlexiCTError

from .. import progress
from ..checks import checked_columns, checked_draws, patient_numbers
from ..display import Displayed
from ..estimate import Estimate, estimate
from ..gram import Gram
from ..p_values import Adjusted
from ..resampling import (
    bootstrap_weights,
    grouped_folds,
    highest_by_patient,
    holm,
    permutation_p,
    permuted_labels,
    two_sided_p,
)
from ..serialise import plain
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
from .learning import MAX_REPEATS, LearningPoint, learning_curve
from .logistic import Components
from .nested import out_of_fold_probability
from .ordinal import OrdinalProbe, ordinal_probe

ANALYSIS = "linear probe"
MAX_FOLDS = 5
MIN_PATIENTS_PER_CLASS = 3
MIN_CASES = 20


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

    p is two-sided: twice the smaller share of resamples at or beyond 0, counted (1 + b) / (1 + m). Small, it may
    mean that `better` is worse: look at the sign of `value`. Models are not refitted.
    """

    better: str
    than: str
    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Probe(Displayed):
    """Result of `linear_probe`. baseline, combined and differences are empty without a baseline.

    p_chance: one-sided, of the embedding's AUC against chance, the whole nested cross-validation redone for
    every permutation, on folds that know no label (NaN without permutations). The tests of a probe are p_chance,
    where it was asked for, and the differences. ordinal: None with two classes.
    """

    classes: tuple[str, ...]
    truth: NDArray[np.intp]
    embedding: ProbeModel
    baseline: ProbeModel | None
    combined: ProbeModel | None
    differences: tuple[AucDifference, ...]
    p_chance: float
    learning_curve: tuple[LearningPoint, ...]
    ordinal: OrdinalProbe | None
    n: int
    n_patients: int
    n_per_class: tuple[int, ...]
    n_folds: int
    n_repeats: int
    n_permutations: int
    n_bootstrap: int
    seed: int

    @property
    def models(self) -> tuple[ProbeModel, ...]:
        """The models that were fitted, the embedding first."""
        return tuple(one for one in (self.embedding, self.baseline, self.combined) if one is not None)

    @property
    def chance_adjusted(self) -> Adjusted:
        """p_chance after Holm (1979) over the tests of the probe."""
        return self._adjusted[0]

    @property
    def adjusted_differences(self) -> tuple[tuple[AucDifference, Adjusted], ...]:
        """Each difference with its p after Holm (1979) over the tests of the probe."""
        return tuple(zip(self.differences, self._adjusted[1:], strict=True))

    @property
    def _adjusted(self) -> tuple[Adjusted, ...]:
        raw = [self.p_chance, *(one.p for one in self.differences)]
        return tuple(Adjusted(float(p), int(np.isfinite(raw).sum())) for p in holm(raw))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values, the adjusted p among them."""
        values = plain(self)
        values["p_chance_adjusted"] = plain(self.chance_adjusted.p)
        for one, (_, adjusted) in zip(values["differences"], self.adjusted_differences, strict=True):
            one["p_adjusted"] = plain(adjusted.p)
        return values


def linear_probe(
    X: ArrayLike | Gram,
    y: ArrayLike,
    *,
    patient: ArrayLike | None = None,
    baseline: ArrayLike | None = None,
    n_repeats: int = 20,
    n_permutations: int = 0,
    learning_shares: Sequence[float] = (),
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Probe:
    """Logistic regression of the label y [n] on the vectors X [n, d], in nested cross-validation.

    Repeated 5-fold cross-validation, stratified, by patient (a patient's class for stratification is its
    highest); fewer folds where the rarest class has fewer patients. The penalty comes from an inner
    cross-validation of the training folds. Columns are scaled over the cohort, which needs no label (`Gram`).
    Classes are not reweighted, so that probabilities stay calibrated. baseline: [n, k] features such as tumour
    size, probed alone and together with the vectors on the same folds. learning_shares: shares (0 to 1) of the
    training patients to train on as well. Classes are the sorted values of y; of two, the second is positive.
    With three or more their order is taken for that of a stage by the ordinal probe.

    Raises FlexiCTError on NaN vectors, missing labels, one class, fewer than 20 cases, or a class with fewer
    than 3 patients.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> stage = np.repeat([0, 1, 2], 20)
        >>> X = rng.normal(size=(60, 8))
        >>> X[:, 0] += 2.0 * stage
        >>> found = linear_probe(X, np.where(stage > 0, "late", "early"), n_repeats=2, n_bootstrap=50)
        >>> found.classes, found.embedding.auc.value > 0.8
        (('early', 'late'), True)
    """
    checked_draws(ANALYSIS, seed=seed, permutations=n_permutations, resamples=n_bootstrap)
    gram = Gram.of(X, ANALYSIS, at_least=MIN_CASES)
    n = len(gram)
    classes, truth = labelled_classes(y, ANALYSIS, n=n)
    patients = patient_numbers(patient, ANALYSIS, n=n)
    columns = None if baseline is None else checked_columns(baseline, ANALYSIS, n=n, name="baseline")
    if n_repeats < 1:
        raise FlexiCTError(f"The {ANALYSIS} needs at least 1 repeat, not {n_repeats}.")
    n_folds = stratified_folds(classes, truth, patients, ANALYSIS)

    tables = {"embedding": Components.of([gram])}
    if columns is not None:
        plain = Gram.of(columns, f"{ANALYSIS}'s baseline")
        tables |= {"baseline": Components.of([plain]), "combined": Components.of([gram, plain])}
    fold = np.stack(
        [grouped_folds(patients, truth, n_folds=n_folds, seed=seed * 1000 + repeat) for repeat in range(n_repeats)]
    )
    weights = np.vstack([np.ones(n), bootstrap_weights(patients, n_resamples=n_bootstrap, seed=seed)])
    share = progress.shares(
        {
            **{name: n_repeats * len(classes) for name in tables},
            "chance": n_permutations * len(classes),
            "learning": len(learning_shares) * min(n_repeats, MAX_REPEATS) * len(classes),
            "ordinal": n_repeats * len(classes) if len(classes) > 2 else 0.0,
        }
    )
    models, areas = {}, {}
    for name, table in tables.items():
        repeated = np.tile(truth, (n_repeats, 1))
        with progress.part(*share[name], "cross-validating the probe"):
            probability = out_of_fold_probability(table, repeated, patients, fold, len(classes))
        areas[name] = macro_auc(probability, truth, weights)
        models[name] = _model(name, areas[name], probability, truth, weights)

    differences = []
    if columns is not None:
        for better, than in (("combined", "baseline"), ("embedding", "baseline")):
            differences.append(_difference(better, than, areas[better] - areas[than]))
    embedding = tables["embedding"]
    with progress.part(*share["chance"], "fitting the probe again under every permutation"):
        p_chance = chance_p(embedding, truth, patients, n_permutations=n_permutations, seed=seed)
    with progress.part(*share["learning"], "training the probe on fewer patients"):
        curve = learning_curve(embedding, truth, patients, fold, learning_shares, weights, seed=seed)
    with progress.part(*share["ordinal"], "fitting a probe that knows the order"):
        ordinal = ordinal_probe(embedding, truth, patients, fold, weights) if len(classes) > 2 else None
    return Probe(
        classes=classes,
        truth=truth,
        embedding=models["embedding"],
        baseline=models.get("baseline"),
        combined=models.get("combined"),
        differences=tuple(differences),
        p_chance=p_chance,
        learning_curve=curve,
        ordinal=ordinal,
        n=n,
        n_patients=int(patients.max()) + 1,
        n_per_class=tuple(np.bincount(truth).tolist()),
        n_folds=n_folds,
        n_repeats=n_repeats,
        n_permutations=n_permutations,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )


def chance_p(
    components: Components,
    truth: NDArray[np.intp],
    patient: NDArray[np.intp],
    *,
    n_permutations: int,
    seed: int,
    n_repeats: int = 1,
) -> float:
    """One-sided permutation p of the macro AUC of labels truth [n] in 0..K-1; NaN without permutations.

    Folds, inner ones too, know no label: folds that balance the true labels would not balance the permuted
    ones, and the test would fire too often.
    """
    if not n_permutations:
        return float("nan")
    n, n_classes = len(truth), int(truth.max()) + 1
    permuted = permuted_labels(truth, patient, n_permutations=n_permutations, seed=seed)
    labels = np.vstack([truth[None], permuted])
    areas = np.zeros(len(labels))
    for repeat in range(n_repeats):
        fold = grouped_folds(patient, n_folds=MAX_FOLDS, seed=seed * 1000 + repeat)
        everywhere = np.tile(fold, (len(labels), 1))
        found = out_of_fold_probability(components, labels, patient, everywhere, n_classes, stratified=False)
        areas += [macro_auc(one[None], known, np.ones((1, n)))[0] for one, known in zip(found, labels, strict=True)]
    return permutation_p(float(areas[0]), areas[1:])


def stratified_folds(
    classes: tuple[str, ...], truth: NDArray[np.intp], patient: NDArray[np.intp], analysis: str
) -> int:
    """How many folds every class can be dealt to: 5, or the patients of the rarest class.

    Raises FlexiCTError where a class has fewer than 3 patients.
    """
    per_class = np.bincount(highest_by_patient(patient, truth), minlength=len(classes))
    rarest = int(per_class.argmin())
    if per_class[rarest] < MIN_PATIENTS_PER_CLASS:
        raise FlexiCTError(
            f"The {analysis} needs at least {MIN_PATIENTS_PER_CLASS} patients of every class, but "
            f"'{classes[rarest]}' has {per_class[rarest]} (a patient counts with the highest "
            "of its classes); merge it with another class or leave it out."
        )
    return int(min(MAX_FOLDS, per_class[rarest]))


def labelled_classes(y: ArrayLike, analysis: str, *, n: int) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """The sorted values of labels y [n] as text, and the number of each case's label."""
    labels = np.asarray(y, dtype=object)
    missing = sum(one is None or one != one for one in labels.ravel())
    if labels.shape != (n,) or missing:
        raise FlexiCTError(f"The {analysis} needs one label for each of the {n} cases, and {missing} are missing.")
    try:
        values = sorted(set(labels.tolist()))
    except TypeError as error:
        raise FlexiCTError(f"The {analysis} needs labels of one kind, not numbers mixed with text.") from error
    if len(values) < 2:
        raise FlexiCTError(f"The {analysis} needs at least two classes, but all cases are '{values[0]}'.")
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
        auc=estimate(auc),
        balanced_accuracy=estimate(balanced_accuracy(confusion)),
        f1=estimate(np.mean([macro_f1(confusion_matrices(one[None], truth, weights)) for one in probability], axis=0)),
        pr_auc=estimate(macro_average_precision(probability, truth, weights)),
        brier=brier(mean, truth),
        calibration=reliability(mean, truth),
        confusion=confusion[0],
        probability=mean,
    )


def _difference(better: str, than: str, values: NDArray[np.float64]) -> AucDifference:
    found = estimate(values)
    return AucDifference(better, than, found.value, found.low, found.high, two_sided_p(values[1:]))
