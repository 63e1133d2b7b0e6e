"""What a linear probe predicts from the embedding, and what that adds to a plain measurement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard.components import notices
from dashboard.components.chart import chart
from dashboard.components.context import Context, require
from dashboard.components.downloads import figure_downloads
from dashboard.components.split_at import split_at
from dashboard.compute import analyses
from dashboard.compute.waiting import section
from dashboard.data import caveats, columns, defaults, loading
from dashboard.figures import probe as probe_figure
from dashboard.session.widget_state import SESSION
from dashboard.wording.escaping import plain
from dashboard.wording.result_tables import as_text
from embeddings.analysis import Probe, StageLabel, linear_probe, verdicts
from embeddings.formatting import counted, of_patients
from embeddings.worker.analyses import learning_curve, probe_chance
from flexict.errors import FlexiCTError


def _page(found: Context) -> None:
    table = loading.case_table(found.path, found.set_id)
    targets = columns.classes(table.frame)
    if not targets:
        st.info("No column has two to eight classes to predict. Add one to the CSV and embed again.")
        return
    left, middle, right = st.columns(3)
    target = left.selectbox("Predict", targets, format_func=columns.label, key="probes.target", persist_state=SESSION)
    classes = _classes(table.frame, str(target))
    cut = None
    if classes.ordered and len(classes.order) > 2:
        known = [classes.order.index(label) for label in classes.labels if label is not None]
        cut = split_at(classes.order, known, middle, "probes.cut")
    allowed = columns.covariates(table.frame)
    baseline_options = [c for c in columns.numeric(table.frame) if c in allowed and c != target]
    sizes = [c for c in columns.sizes(table.frame) if c in baseline_options]
    baseline = right.multiselect(
        "Baseline",
        baseline_options,
        default=sizes[:1],
        format_func=columns.label,
        key="probes.baseline",
        persist_state=SESSION,
    )
    notices.censored_left_out(table.frame)
    notices.caveat(caveats.t_stage_and_size(table.frame, str(target), baseline))
    labels = classes.labels if cut is None else [_grouped(v, classes.order, cut) for v in classes.labels]
    kept = np.array([v is not None for v in labels]) & table.frame[baseline].notna().all(axis=1).to_numpy(dtype=bool)
    if not kept.all():
        st.caption(
            f"Left out, as they lack the class or the baseline: {int((~kept).sum())} of {counted(len(kept), 'scan')}."
        )
    rows = table.frame[kept].reset_index(drop=True)
    y = _in_order([str(v) for v, keep in zip(labels, kept, strict=True) if keep], classes, cut)
    usual = defaults.probe_permutations(len(set(y.tolist())))
    with st.expander("Settings"):
        repeats = st.select_slider(
            "Repeats of the cross-validation",
            [2, 5, 10, 20],
            defaults.PROBE_REPEATS,
            key="probes.repeats",
            persist_state=SESSION,
        )
        n_permutations = st.select_slider(
            "Permutations against chance",
            [0, 100, 200, 500, 1000],
            usual,
            key=f"probes.permutations.{usual}",
            persist_state=SESSION,
            help="The whole cross-validation is redone in each; with many classes this takes long",
        )
        seed = st.number_input("Seed", 0, 10_000, defaults.SEED, key="probes.seed", persist_state=SESSION)
    learning = st.checkbox(
        "Learning curve: how many labels does it take?", key="probes.learning", persist_state=SESSION
    )
    name = " and ".join(columns.label(c) for c in baseline) if baseline else None
    place = found.path, found.set_id
    data = {"X": table.vectors[kept], "y": y, "patient": rows["patient_id"].to_numpy(dtype=str), "seed": int(seed)}
    repeated = {"n_repeats": int(repeats)}
    measures = rows[baseline].to_numpy(dtype=float) if baseline else None
    try:
        result = analyses.run(linear_probe, *place, "probe", **data, **repeated, baseline=measures)
        # Classes without an order, such as histology, have no steps to be wrong by.
        result = replace(result, ordinal=result.ordinal if classes.ordered else None)
        # Both take long: until they are there, the rest is shown without them.
        if n_permutations:
            with section():
                p_chance = analyses.run(
                    probe_chance, *place, "probe.chance", **data, n_permutations=int(n_permutations)
                )
                result = replace(result, p_chance=p_chance, n_permutations=int(n_permutations))
        if learning:
            with section():
                curve = analyses.run(
                    learning_curve,
                    *place,
                    "probe.learning",
                    **data,
                    **repeated,
                    learning_shares=defaults.LEARNING_SHARES,
                )
                result = replace(result, learning_curve=curve)
    except FlexiCTError as error:
        st.info(plain(error))
        return
    _show(found, result, name, bool(baseline_options))


class _Labels:
    """The class of each row (None where missing) and the classes in order."""

    def __init__(self, labels: list[str | None], order: list[str], ordered: bool) -> None:
        self.labels = labels
        self.order = order
        self.ordered = ordered


def _classes(frame: pd.DataFrame, column: str) -> _Labels:
    if column in columns.stages(frame):
        codes, order = columns.codes(frame, column)
        return _Labels([order[c] if c >= 0 else None for c in codes], order, ordered=True)
    labels = [None if pd.isna(v) else str(v) for v in frame[column]]
    return _Labels(labels, sorted({v for v in labels if v is not None}), ordered=False)


def _in_order(labels: list[str], classes: _Labels, cut: str | None) -> NDArray:
    """The labels so that they sort in the order of the stages: the ordinal probe and the figures go by it."""
    if not classes.ordered:
        return np.array(labels)
    order = classes.order if cut is None else [_grouped(one, classes.order, cut) for one in classes.order]
    place = {name: code for code, name in enumerate(dict.fromkeys(order))}
    return np.array([StageLabel(place[one], one) for one in labels], dtype=object)


def _grouped(value: str | None, order: list[str], cut: str) -> str | None:
    if value is None:
        return None
    at = order.index(cut)
    low = order[0] if at == 1 else f"{order[0]} to {order[at - 1]}"
    high = cut if at == len(order) - 1 else f"{cut} to {order[-1]}"
    return high if order.index(value) >= at else low


def _show(found: Context, result: Probe, baseline_name: str | None, can_compare: bool) -> None:
    without_baseline = (
        "Choose a baseline to see what it adds to a plain measurement."
        if can_compare
        else "What it adds to a plain measurement is not tested: this cohort has no column of numbers."
    )
    st.markdown(f"#### {plain(verdicts.probe(result, baseline_name, without_baseline=without_baseline))}")
    name = "Baseline"
    if baseline_name:
        st.caption(f"Baseline: {plain(baseline_name)}")
    compared = probe_figure.difference_lines(result, name)
    if compared:
        st.markdown("AUC compared on the same folds:\n" + "\n".join(f"- {plain(one)}" for one in compared))
    if result.ordinal is not None:
        kappa, error = result.ordinal.kappa, result.ordinal.mean_absolute_error
        st.markdown(
            f"As an order: a probe that knows the order of the {len(result.classes)} stages agrees with them at "
            f"quadratic-weighted κ = {kappa.value:z.2f} [{kappa.low:z.2f}, {kappa.high:z.2f}] (0 is chance, 1 is "
            f"perfect), and is off by {error.value:.2f} [{error.low:.2f}, {error.high:.2f}] stage steps on average."
        )
    chart(
        probe_figure.screen(result, baseline_name=name, footer=found.footer),
        "probes.chart",
        "Area under the ROC curve with intervals, confusion matrix, calibration, learning curve where asked for",
    )
    figure_downloads(
        "linear-probe",
        lambda: probe_figure.print_figure(result, baseline_name=name, footer=found.footer),
        lambda: probe_figure.data(result, baseline_name=name),
        {
            "Confusion": lambda: probe_figure.confusion_data(result),
            "Calibration": lambda: probe_figure.calibration_data(result, baseline_name=name),
            **({"Learning curve": lambda: probe_figure.learning_data(result)} if result.learning_curve else {}),
        },
    )
    table = probe_figure.data(result, baseline_name=name).drop(columns=["n", "n_patients"])
    st.dataframe(as_text(table), hide_index=True)
    st.caption(
        "p of the embedding's AUC: one-sided, against chance; of a difference: two-sided. Adjusted: Holm over the "
        f"tests of this page. {verdicts.TWO_QUESTIONS}"
    )
    with st.expander("How is this computed?"):
        sizes = ", ".join(f"{c}: {n}" for c, n in zip(result.classes, result.n_per_class, strict=True))
        st.markdown(
            f"n = {of_patients(result.n, result.n_patients, 'scan')} ({plain(sizes)}). Logistic regression in "
            f"{result.n_folds}-fold cross-validation by patient, repeated {result.n_repeats} times; its strength is "
            "chosen by an inner cross-validation on the training folds, never on the cases reported. Baseline and "
            "combined model use the same folds. Intervals and the paired difference are bootstraps over patients "
            f"({result.n_bootstrap} draws) given the fitted models. The confusion matrix is the mean over repeats, "
            f"rounded to whole cases. {_further(result)}Seed {result.seed}."
        )


def _further(result: Probe) -> str:
    """How the parts that were asked for are computed."""
    said = ""
    if result.n_permutations:
        said += (
            f"p against chance: one-sided over {result.n_permutations} permutations of the classes between patients, "
            "the nested cross-validation redone in each. "
        )
    if result.learning_curve:
        said += (
            "Learning curve: training folds thinned by patient, class by class, at least one patient of each; shares "
            "that come to the same number of cases are one point. "
        )
    if result.ordinal is not None:
        said += (
            "Ordinal probe: a logistic regression of *above stage k* for every k (Frank and Hall 2001), on the same "
            "folds; the predicted stage is the median of the predicted distribution. "
        )
    return said


st.title("Probes")
with section():
    _page(require())
