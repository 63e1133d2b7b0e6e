"""How many labels a probe needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flexict.errors import FlexiCTError

from .. import progress
from ..estimate import Estimate, estimate
from ..resampling import highest_by_patient
from .discrimination import macro_auc
from .logistic import Components
from .nested import tuned_probability

MAX_REPEATS = 10


@dataclass(frozen=True)
class LearningPoint:
    """The AUC of probes trained on a share (0 to 1) of the training patients, `n_train` cases on average."""

    share: float
    n_train: float
    auc: Estimate


def learning_curve(
    components: Components,
    truth: NDArray[np.intp],
    patient: NDArray[np.intp],
    fold: NDArray[np.intp],
    shares: Sequence[float],
    weights: NDArray[np.float64],
    *,
    seed: int,
) -> tuple[LearningPoint, ...]:
    """Nested cross-validation with training folds thinned by patient, class by class, at least one of each.

    truth: [n] in 0..K-1. fold: [R, n], of which up to 10 repeats are used. weights: [1 + m, n], ones and then
    resamples. In a small cohort several small shares are one patient a class: only the largest of these is
    kept. Raises FlexiCTError on a share that is not above 0 and at most 1.
    """
    if any(not 0 < share <= 1 for share in shares):
        raise FlexiCTError(f"The learning curve needs shares above 0 and up to 1, not {list(shares)}.")
    plan = fold[:MAX_REPEATS]
    points: dict[float, LearningPoint] = {}
    for number_of_share, share in enumerate(sorted(shares)):
        train, seeds = [], []
        for repeat, one in enumerate(plan):
            rng = np.random.default_rng([seed, repeat])
            for number in range(int(one.max()) + 1):
                train.append(_thinned(one != number, truth, patient, share, rng))
                seeds.append(number)
        masks = np.stack(train)
        labels = np.tile(truth, (len(masks), 1))
        with progress.part(number_of_share / len(shares), (number_of_share + 1) / len(shares)):
            predicted = tuned_probability(components, labels, patient, masks, int(truth.max()) + 1, seeds)
        probability = np.zeros((len(plan), *predicted.shape[1:]))
        for job, number in enumerate(seeds):
            repeat = job // (int(plan.max()) + 1)
            test = plan[repeat] == number
            probability[repeat, test] = predicted[job, test]
        n_train = float(masks.sum(axis=1).mean())
        points[n_train] = LearningPoint(float(share), n_train, estimate(macro_auc(probability, truth, weights)))
    return tuple(points.values())


def _thinned(
    train: NDArray[np.bool_],
    truth: NDArray[np.intp],
    patient: NDArray[np.intp],
    share: float,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    highest = highest_by_patient(patient, truth)
    here = np.unique(patient[train])
    kept = []
    for k in range(int(truth.max()) + 1):
        of_class = rng.permutation(here[highest[here] == k])
        kept.append(of_class[: max(1, round(share * len(of_class)))])
    return train & np.isin(patient, np.concatenate(kept))
