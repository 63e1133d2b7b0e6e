"""Cox's proportional hazards model of a score and covariates, and the check of its assumption."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError, ConvergenceWarning
from lifelines.statistics import proportional_hazard_test
from numpy.typing import NDArray

from ..p_values import FALSE_DISCOVERY, Adjusted, p_words
from ..resampling import benjamini_hochberg
from .cox_design import Term, covariate_terms, flaw, per_sd

MIN_EVENTS = 10
# Peduzzi et al. 1995, J Clin Epidemiol 48:1503.
EVENTS_A_TERM = 10
ALPHA = 0.05
# A log hazard per SD or level with a wider error than this belongs to a likelihood that has no maximum.
_LARGEST_STANDARD_ERROR = 10.0


@dataclass(frozen=True)
class CoxTerm:
    """One line of a Cox model.

    Attributes:
        name: the column, with the level where it is a category ("histology: squamous").
        contrast: what the hazard ratio compares ("per SD of 9.81", "against adenocarcinoma").
        hazard_ratio, low, high: with its 95 % Wald interval.
        p, p_adjusted: Wald test, and adjusted over the terms of the model (Benjamini and Hochberg 1995).
        ph_p, ph_p_adjusted: test of proportional hazards (Grambsch and Therneau 1994, Biometrika 81:515; scaled
            Schoenfeld residuals against ranked event times); small where the hazard ratio changes over time.
    """

    name: str
    contrast: str
    hazard_ratio: float
    low: float
    high: float
    p: float
    p_adjusted: float
    ph_p: float
    ph_p_adjusted: float


@dataclass(frozen=True)
class CoxModel:
    """The terms, score first (none where no model can be fitted), its patients and events, and warnings."""

    terms: tuple[CoxTerm, ...]
    n: int
    n_events: int
    notes: tuple[str, ...]


def cox_model(
    score: NDArray[np.float64],
    time: NDArray[np.float64],
    event: NDArray[np.float64],
    covariates: Mapping[str, pd.Series],
) -> CoxModel:
    """The model of the score `[n]` per standard deviation with the covariates, one patient a row.

    Only patients with every covariate enter. Equal times are handled in Efron's way.

    Raises:
        FlexiCTError: on a category with too many levels.
    """
    given = {name: column for name, column in covariates.items() if column.notna().any()}
    notes = [f"{name} is empty and is left out of Cox's model." for name in covariates if name not in given]
    rows = np.ones(len(score), dtype=bool)
    for column in given.values():
        rows &= column.notna().to_numpy(dtype=bool)
    n, n_events = int(rows.sum()), int(event[rows].sum())
    if n < len(score):
        notes.append(f"Cox's model is fitted to the {n} of {len(score)} patients that have every covariate.")
    if n_events < MIN_EVENTS:
        why = f"{n_events} event{'s' * (n_events != 1)} among its {n} patients are too few; it needs {MIN_EVENTS}"
        return _none(why, notes)
    if np.ptp(score[rows]) == 0:
        return _none(f"the {n} patients that have every covariate share one score", notes)
    added, left_out = covariate_terms({name: column[rows].infer_objects() for name, column in given.items()})
    notes += left_out
    terms = [per_sd("score", score[rows]), *added]
    why_not = flaw(terms, event[rows])
    if why_not:
        return _none(why_not, notes)
    fitted = _fitted(terms, time[rows], event[rows])
    if fitted is None:
        why = (
            "it does not converge, most often because a column separates early events from the others (columns: "
            f"{', '.join(term.name for term in terms)}); leave columns out or merge rare levels"
        )
        return _none(why, notes)
    return CoxModel(fitted, n, n_events, (*notes, *_doubts(fitted, n_events)))


def _fitted(terms: list[Term], time: NDArray[np.float64], event: NDArray[np.float64]) -> tuple[CoxTerm, ...] | None:
    """The estimates, or None where the fit does not converge."""
    names = [f"x{i}" for i in range(len(terms))]
    frame = pd.DataFrame(np.column_stack([term.values for term in terms]), columns=names)
    frame = frame.assign(time=time, event=event)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = CoxPHFitter(alpha=0.05).fit(frame, "time", "event")
            summary = model.summary.loc[names]
            tested = proportional_hazard_test(model, frame, time_transform="rank").summary
        except (ConvergenceError, np.linalg.LinAlgError):
            return None
    numbers = summary[["exp(coef)", "exp(coef) lower 95%", "exp(coef) upper 95%", "p"]].to_numpy(dtype=np.float64)
    stopped = any(issubclass(one.category, ConvergenceWarning) and "Newton" in str(one.message) for one in caught)
    if stopped or not np.isfinite(numbers).all() or summary["se(coef)"].max() > _LARGEST_STANDARD_ERROR:
        return None
    adjusted = benjamini_hochberg(numbers[:, 3])
    ph = tested["p"].reindex(names).to_numpy(dtype=np.float64)
    ph_adjusted = benjamini_hochberg(ph)
    return tuple(
        CoxTerm(term.name, term.contrast, *(float(x) for x in (*row, q, ph_p, ph_q)))
        for term, row, q, ph_p, ph_q in zip(terms, numbers, adjusted, ph, ph_adjusted, strict=True)
    )


def _none(why: str, notes: list[str]) -> CoxModel:
    return CoxModel((), 0, 0, (*notes, f"Cox's model is not fitted: {why}."))


def _doubts(terms: tuple[CoxTerm, ...], n_events: int) -> list[str]:
    said = []
    if n_events < EVENTS_A_TERM * len(terms):
        said.append(
            f"Cox's model has {n_events / len(terms):.1f} events a term ({n_events} events, {len(terms)} terms): below "
            f"{EVENTS_A_TERM} its estimates and intervals are unreliable."
        )
    untested = [term.name for term in terms if np.isnan(term.ph_p)]
    if untested:
        said.append(
            f"The test of proportional hazards cannot be computed for {', '.join(untested)}: whether the hazard ratio "
            "changes over the follow-up is not known."
        )
    for term in terms:
        if term.ph_p_adjusted < ALPHA:
            adjusted = Adjusted(term.ph_p_adjusted, len(terms), FALSE_DISCOVERY, "terms")
            said.append(
                f"The hazard ratio of {term.name} changes over the follow-up (test of proportional hazards, "
                f"{p_words(term.ph_p, 'two-sided', adjusted)}): read it as an average over the time observed."
            )
    return said
