"""Do patients with a higher score have worse survival, and does that remain after adjustment for covariates?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard.components import notices
from dashboard.components.choices import pick_column, pick_columns, pick_seed, pick_step
from dashboard.components.context import Context, Staged, pick_stage
from dashboard.components.page import explanation, page
from dashboard.components.result_figure import result_figure
from dashboard.components.stage_order import ask_for_order
from dashboard.components.tables import result_table
from dashboard.compute import analyses
from dashboard.data import caveats, columns, defaults, loading
from dashboard.figures import survival as survival_figure
from dashboard.wording.escaping import plain
from embeddings.analysis import (
    FALSE_DISCOVERY,
    SurvivalByScore,
    by_score,
    p_number,
    pseudotime,
    stage_gradient,
    verdicts,
)
from embeddings.formatting import counted

STAGE_AXIS, PSEUDOTIME = "Stage axis (out of fold)", "Pseudotime"
MAX_LEVELS = 10


def _survival(found: Context) -> None:
    table = loading.case_table(found.path, found.set_id)
    times, events = columns.times(table.frame), columns.events(table.frame)
    if not times or not events:
        _say_missing(times, events)
        return
    ask_for_order(found.path)
    stages = columns.stages(table.frame)
    numbers = [c for c in columns.numeric(table.frame) if c not in times and c not in events]
    numbers.sort(key=lambda c: c not in columns.sizes(table.frame))
    scores = [*([STAGE_AXIS, PSEUDOTIME] if stages else []), *numbers]
    if not scores:
        st.info(
            f"There is no score to compare by: add an ordered stage, or a column of numbers such as a size, to the CSV "
            f"{notices.EMBED_AGAIN}"
        )
        return
    left, middle, right = st.columns(3)
    score_by = pick_column(left, "Score", scores, "survival.score", words=_score_name)
    time = pick_column(middle, "Time", times, "survival.time")
    event = pick_column(right, "Event", events, "survival.event")
    staged = None
    from_vectors = score_by in (STAGE_AXIS, PSEUDOTIME)
    first, rest = st.columns([1, 2]) if from_vectors else (st.container(), st.container())
    # Every choice is drawn before the first analysis: Streamlit forgets one that a run leaves out.
    if from_vectors:
        staged = pick_stage(table, stages, first, "survival")
    others = [c for c in _covariates(table.frame) if c not in (score_by, event, *times)]
    covariates = pick_columns(
        rest, "Covariates in Cox's model", others, "survival.covariates", placeholder="None: the score alone"
    )
    if staged is not None:
        notices.caveat(caveats.t_stage_and_size(table.frame, staged.column, covariates))
    with st.expander("Settings"):
        n_groups = pick_step("Groups of the score", [2, 3, 4, 5], 3, "survival.groups")
        seed = pick_seed("survival")
    if staged is not None:
        score = _score_from_vectors(found, table, staged, score_by)
    else:
        score = table.frame[score_by].to_numpy(dtype=np.float64)
    result = analyses.run(
        by_score,
        found.path,
        found.set_id,
        "survival",
        score=score,
        time=table.frame[time],
        event=table.frame[event],
        covariates=_named(table.frame, covariates),
        patient=table.frame["patient_id"].to_numpy(dtype=str),
        n_groups=n_groups,
        seed=seed,
    )
    _show(found, result, _score_name(score_by), time)


def _say_missing(times: list[str], events: list[str]) -> None:
    missing = []
    if not times:
        missing.append(
            "a **time** from the scan to the event or the last contact (numbers, in a column named like survival_days, "
            "follow_up_months or os_years)"
        )
    if not events:
        missing.append(
            "an **event** column: 1 where the event happened and 0 where the patient was censored, or dead and alive "
            "(a column in which 1 means censored is coded the opposite way and is not used)"
        )
    st.info(
        f"Survival cannot be shown: this cohort lacks {' and '.join(missing)}. Add it to the CSV {notices.EMBED_AGAIN}"
    )


def _score_name(score_by: str) -> str:
    return score_by if score_by in (STAGE_AXIS, PSEUDOTIME) else columns.label(score_by)


def _started(words: str) -> str:
    """The words as the start of a title; what follows the first letter, such as a unit, keeps its case."""
    return words[:1].upper() + words[1:]


def _score_from_vectors(
    found: Context, table: loading.EmbeddingTable, staged: Staged, which: str
) -> NDArray[np.float64]:
    """The score of every row `[n]`, NaN where it has no stage."""
    place = found.path, found.set_id, "survival.score"
    # The same requests as those of the gradient and trajectory pages, so that one fit serves both.
    data = {"X": staged.vectors, "stage": staged.codes, "patient": staged.patients}
    settings = {"n_permutations": defaults.PERMUTATIONS, "seed": defaults.SEED}
    if which == STAGE_AXIS:
        # The same request as the gradient page makes, so that one fit serves both.
        scores = analyses.run(stage_gradient, *place, **data, size=None, covariates=None, **settings).score
    else:
        neighbours = defaults.GRAPH_NEIGHBOURS
        scores = analyses.run(pseudotime, *place, **data, root=None, n_neighbours=neighbours, **settings).pseudotime
    by_item = dict(zip(staged.frame["item_id"], scores, strict=True))
    return np.array([by_item.get(item, np.nan) for item in table.frame["item_id"]], dtype=np.float64)


def _covariates(frame: pd.DataFrame) -> list[str]:
    numbers = columns.numeric(frame)
    return [c for c in columns.describing(frame) if c in numbers or frame[c].nunique() <= MAX_LEVELS]


def _named(frame: pd.DataFrame, covariates: list[str]) -> dict[str, NDArray]:
    """Values by the column's name in words, or by the column itself where two have the same name in words."""
    headings = columns.headings(frame[covariates])
    return {headings.get(column, column): frame[column].to_numpy(dtype=object) for column in covariates}


def _show(found: Context, result: SurvivalByScore, score_name: str, time: str) -> None:
    in_sentence = score_name.lower() if score_name in (STAGE_AXIS, PSEUDOTIME) else score_name
    st.markdown(f"#### {plain(verdicts.survival(result, in_sentence))}")
    st.caption(plain(verdicts.event_reading(result)))
    score_name, time_label = _started(score_name), _started(columns.label(time))
    reasons = [f"{result.n_missing} without the score, the time or the event"] if result.n_missing else []
    if result.n_repeat_scans:
        reasons.append(f"{counted(result.n_repeat_scans, 'further scan')} of a patient: the first one counts")
    notices.left_out(result.n_excluded, result.n + result.n_excluded, "; ".join(reasons))
    for warning in result.warnings:
        st.warning(plain(warning))
    shown = st.columns(4)
    alone, follow_up, unit = result.score_alone, result.median_follow_up, columns.unit(time)
    shown[0].metric("Log-rank p, two-sided", p_number(result.logrank_p), help="Over all groups of the score")
    shown[1].metric("Hazard ratio per SD", f"{alone.hazard_ratio:.2f}" if alone else "not fitted")
    shown[2].metric(
        "C-index",
        f"{result.c_index:.2f}",
        help="Share of pairs of patients in which the one with the higher score has the event first",
    )
    shown[3].metric(
        f"Median follow-up{f' ({unit})' if unit else ''}",
        f"{follow_up:g}" if np.isfinite(follow_up) else "not reached",
        help="By the reverse Kaplan-Meier estimate",
    )
    result_figure(
        survival_figure,
        result,
        key="survival.chart",
        name="survival",
        alt="Kaplan-Meier curves by group of the score, numbers at risk, hazard ratios",
        panels={
            "Groups": lambda: survival_figure.group_data(result),
            "Cox": lambda: survival_figure.cox_data(result, score_name=score_name),
        },
        score_name=score_name,
        time_label=time_label,
        footer=found.footer,
    )
    result_table(survival_figure.group_data(result))
    result_table(survival_figure.cox_data(result, score_name=score_name), {"p": "p, two-sided"})
    st.caption(f"p two-sided; adjusted: {FALSE_DISCOVERY} over the terms of a model.")
    explanation(
        f"n = {counted(result.n, 'patient')}, {counted(result.n_events, 'event')}; one scan a patient. Groups are cut "
        "by rank of the score, never by outcome; equal scores stay together. Curves are Kaplan-Meier's with 95 % bands "
        "(Greenwood, log-log). The log-rank test is over all groups. Cox's model has the score and other numbers per "
        "standard deviation, categories against their most frequent level, and Efron's method for ties; p is Wald's, "
        "adjusted over the terms of a model (Benjamini-Hochberg); proportional hazards are tested by scaled Schoenfeld "
        "residuals. The C-index is Harrell's; its interval is a bootstrap over patients "
        f"({result.n_bootstrap} draws), given the score. Seed {result.seed}. The stage axis is scored out of fold, and "
        "no score is fitted to survival."
    )


page("Survival", _survival)
