"""Is a score associated with survival? Kaplan-Meier by groups of the score, log-rank, Cox, C-index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flexict.errors import FlexiCTError

from .. import progress
from ..checks import patient_numbers
from ..display import Displayed
from ..serialise import plain
from .concordance import harrell_c
from .cox import MIN_EVENTS, CoxTerm, cox_model
from .cox_design import read_covariate
from .kaplan_meier import (
    MAX_GROUPS,
    AtRisk,
    SurvivalGroup,
    group_names,
    kaplan_meier,
    log_rank,
    numbers_at_risk,
    score_groups,
)
from .outcomes import event_flags, event_spellings, follow_up_times

MIN_PATIENTS = 20


@dataclass(frozen=True)
class SurvivalByScore(Displayed):
    """Survival of patients by a score.

    Attributes:
        groups: Kaplan-Meier curves, lowest score first.
        at_risk: patients of each group still followed at round times.
        logrank_statistic, logrank_p: log-rank test over all groups.
        score_alone: Cox's model of the score alone, on all `n` patients; None where it could not be fitted.
        cox: Cox's model of the score (first) and the covariates, on the `n_cox` patients with all of them; the same as
            `score_alone` without covariates, empty where it could not be fitted.
        c_index, c_index_low, c_index_high: Harrell's C of the score, without covariates; above 0.5 when those with
            a higher score have the event sooner.
        median_follow_up: by the reverse Kaplan-Meier estimate (Schemper and Smith 1996); NaN if not reached.
        n, n_events: patients analysed, and those with the event.
        n_missing: scans left out for want of a score, a time or an event.
        n_repeat_scans: further scans of a patient, left out: the first complete one is kept.
        n_excluded: both together.
        n_cox, n_cox_events: patients and events in `cox`.
        read_as_event, read_as_censored: the values of the event column that count as each, commonest first.
        warnings: sentences on what weakens the result.
    """

    groups: tuple[SurvivalGroup, ...]
    at_risk: AtRisk
    logrank_statistic: float
    logrank_p: float
    score_alone: CoxTerm | None
    cox: tuple[CoxTerm, ...]
    c_index: float
    c_index_low: float
    c_index_high: float
    median_follow_up: float
    n: int
    n_events: int
    n_missing: int
    n_repeat_scans: int
    n_excluded: int
    n_cox: int
    n_cox_events: int
    n_bootstrap: int
    seed: int
    read_as_event: tuple[str, ...]
    read_as_censored: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values for JSON."""
        return plain(self)


def by_score(
    score: ArrayLike,
    time: ArrayLike | Sequence[object],
    event: ArrayLike | Sequence[object],
    *,
    covariates: Mapping[str, ArrayLike] | None = None,
    patient: ArrayLike | None = None,
    n_groups: int = 3,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> SurvivalByScore:
    """Relate a score to survival: curves of groups of similar score, log-rank, Cox, C-index.

    The groups are cut by rank of the score alone, never by outcome: a cut chosen for its p-value invents
    differences. One row a patient enters, its first with a score, a time and an event.

    Args:
        score: one number a scan `[n]`, such as the out-of-fold stage axis; NaN where it has none.
        time: from the scan to the event or the last contact `[n]`, in any one unit.
        event: whether the event happened, as `event_flags` reads it `[n]`.
        covariates: further columns of Cox's model, name to values `[n]`.
        patient: patient of each scan `[n]`; without it every scan is its own patient.
        n_groups: 2 to 5 groups.

    Raises:
        FlexiCTError: on unequal lengths, an unreadable time or event, fewer than 20 complete patients, no event at all,
            or a constant score.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> score = rng.normal(size=60)
        >>> months = rng.exponential(24.0 * np.exp(-score))
        >>> found = by_score(score, months, months < 48.0, n_bootstrap=50)
        >>> found.n, found.c_index > 0.6
        (60, True)
    """
    scores = _scores(score)
    times, events = follow_up_times(time), event_flags(event)
    n_scans = len(scores)
    columns = {name: read_covariate(values) for name, values in (covariates or {}).items()}
    lengths = {"time": len(times), "event": len(events), **{name: len(column) for name, column in columns.items()}}
    for name, length in lengths.items():
        if length != n_scans:
            raise FlexiCTError(f"Survival needs one {name} a score: there are {n_scans} scores and {length} of {name}.")
    if not 2 <= n_groups <= MAX_GROUPS:
        raise FlexiCTError(f"Survival curves are drawn of 2 to {MAX_GROUPS} groups of the score, not of {n_groups}.")
    number = patient_numbers(patient, "survival analysis", n=n_scans)
    complete = np.flatnonzero(np.isfinite(scores) & np.isfinite(times) & np.isfinite(events))
    kept = complete[np.sort(np.unique(number[complete], return_index=True)[1])]
    _check(scores[kept], events[kept], n_scans)
    if not times[kept].any():
        raise FlexiCTError("All follow-up times are 0: choose the column with the time to the event.")
    s, t, e = scores[kept], times[kept], events[kept]

    progress.report(0, 10, "comparing groups of the score")
    group = score_groups(s, n_groups)
    names = group_names(int(group.max()) + 1)
    groups = tuple(kaplan_meier(one, s[group == g], t[group == g], e[group == g]) for g, one in enumerate(names))
    warnings = _warnings(groups, int(e.sum()), n_groups)
    statistic, p = log_rank(t, e, group)
    progress.report(2, 10, "fitting Cox's model")
    alone = cox_model(s, t, e, {})
    cox = cox_model(s, t, e, {name: column.iloc[kept] for name, column in columns.items()}) if columns else alone
    with progress.part(0.5, 1.0, "resampling the patients"):
        c, c_low, c_high = harrell_c(s, t, e, n_bootstrap=n_bootstrap, seed=seed)
    read_as_event, read_as_censored = event_spellings(event)
    return SurvivalByScore(
        groups=groups,
        at_risk=numbers_at_risk(t, group),
        logrank_statistic=statistic,
        logrank_p=p,
        score_alone=alone.terms[0] if alone.terms else None,
        cox=cox.terms,
        c_index=c,
        c_index_low=c_low,
        c_index_high=c_high,
        median_follow_up=kaplan_meier("follow-up", s, t, 1.0 - e).median,
        n=len(kept),
        n_events=int(e.sum()),
        n_missing=n_scans - len(complete),
        n_repeat_scans=len(complete) - len(kept),
        n_excluded=n_scans - len(kept),
        n_cox=cox.n,
        n_cox_events=cox.n_events,
        n_bootstrap=n_bootstrap,
        seed=seed,
        read_as_event=read_as_event,
        read_as_censored=read_as_censored,
        warnings=(*warnings, *cox.notes),
    )


def _scores(score: ArrayLike) -> NDArray[np.float64]:
    try:
        values = np.asarray(score, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise FlexiCTError("The score must be numbers, one a scan.") from error
    if values.ndim != 1:
        raise FlexiCTError(f"The score must be one number a scan, but its shape is {values.shape}.")
    return values


def _check(score: NDArray[np.float64], event: NDArray[np.float64], n_scans: int) -> None:
    n = len(score)
    if n < MIN_PATIENTS:
        raise FlexiCTError(
            f"Survival needs at least {MIN_PATIENTS} patients with a score, a time and an event, but there are {n} "
            f"(of {n_scans} scans)."
        )
    if not event.any():
        raise FlexiCTError(
            f"All {n} patients are censored: without an event there is no survival to compare. "
            "Check that the event column has 1 for the event and 0 for censored."
        )
    if np.unique(score).size < 2:
        raise FlexiCTError(f"All {n} patients have the same score, so there are no groups to compare.")


def _warnings(groups: tuple[SurvivalGroup, ...], n_events: int, n_groups: int) -> list[str]:
    said = []
    if n_events < MIN_EVENTS:
        said.append(
            f"Only {n_events} event{'s' * (n_events > 1)}: curves and log-rank test are descriptive, not evidence."
        )
    if len(groups) < n_groups:
        said.append(f"Many patients share a score, so only {len(groups)} of {n_groups} groups could be made.")
    for group in groups:
        if not group.n_events:
            said.append(f"No event among the {group.n} patients with a {group.name}: their curve stays at 1.")
    return said
