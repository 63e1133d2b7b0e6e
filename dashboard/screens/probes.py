"""What a linear probe predicts from the embedding, and what that adds to a simple measurement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from dashboard.components import notices
from dashboard.components.choices import pick_column, pick_columns, pick_seed, pick_step
from dashboard.components.context import Context
from dashboard.components.page import explanation, page, result_section
from dashboard.components.result_figure import result_figure
from dashboard.components.split_at import split_at
from dashboard.components.tables import result_table
from dashboard.compute import analyses
from dashboard.data import caveats, columns, defaults, loading
from dashboard.data.labels import labels_of
from dashboard.figures import probe as probe_figure
from dashboard.session.widget_state import SESSION
from dashboard.wording.escaping import plain
from embeddings.analysis import Probe, linear_probe, verdicts
from embeddings.formatting import of_patients
from embeddings.worker.analyses import learning_curve, probe_chance


def _probes(found: Context) -> None:
    table = loading.case_table(found.path, found.set_id)
    targets = columns.classes(table.frame)
    if not targets:
        st.info(f"No column has two to eight classes to predict. Add one to the CSV {notices.EMBED_AGAIN}")
        return
    left, middle, right = st.columns(3)
    target = pick_column(left, "Predict", targets, "probes.target")
    cut = split_at(table.frame, target, middle, "probes.cut")
    allowed = columns.covariates(table.frame)
    baseline_options = [c for c in columns.numeric(table.frame) if c in allowed and c != target]
    sizes = [c for c in columns.sizes(table.frame) if c in baseline_options]
    baseline = pick_columns(right, "Baseline", baseline_options, "probes.baseline", default=sizes[:1])
    notices.censored_left_out(table.frame)
    notices.caveat(caveats.t_stage_and_size(table.frame, target, baseline))
    labels = labels_of(table.frame, target, cut)
    measured = table.frame[baseline].notna().all(axis=1).to_numpy(dtype=bool)
    kept = np.array([one is not None for one in labels]) & measured
    notices.left_out(int((~kept).sum()), len(kept), "no value for the class or the baseline")
    rows, y = table.frame[kept].reset_index(drop=True), labels[kept]
    usual = defaults.probe_permutations(len(set(y.tolist())))
    with st.expander("Settings"):
        repeats = pick_step("Repeats of the cross-validation", [2, 5, 10, 20], defaults.PROBE_REPEATS, "probes.repeats")
        n_permutations = pick_step(
            "Permutations against chance",
            [0, 100, 200, 500, 1000],
            usual,
            f"probes.permutations.{usual}",
            "The whole cross-validation is repeated in each; with many classes this takes long",
        )
        seed = pick_seed("probes")
    learning = st.checkbox(
        "Learning curve: how many labels does it take?", key="probes.learning", persist_state=SESSION
    )
    place = found.path, found.set_id
    data = {"X": table.vectors[kept], "y": y, "patient": rows["patient_id"].to_numpy(dtype=str), "seed": seed}
    measures = rows[baseline].to_numpy(dtype=float) if baseline else None
    result = analyses.run(linear_probe, *place, "probe", **data, n_repeats=repeats, baseline=measures)
    if target not in columns.stages(table.frame):
        # Classes without an order, such as histology, have no steps to be wrong by.
        result = replace(result, ordinal=None)
    # Both take long: the rest is shown without them meanwhile.
    if n_permutations:
        with result_section():
            p_chance = analyses.run(probe_chance, *place, "probe.chance", **data, n_permutations=n_permutations)
            result = replace(result, p_chance=p_chance, n_permutations=n_permutations)
    if learning:
        with result_section():
            shares = defaults.LEARNING_SHARES
            curve = analyses.run(
                learning_curve, *place, "probe.learning", **data, n_repeats=repeats, learning_shares=shares
            )
            result = replace(result, learning_curve=curve)
    _show(found, result, " and ".join(map(columns.label, baseline)) or None, bool(baseline_options))


def _show(found: Context, result: Probe, baseline_name: str | None, can_compare: bool) -> None:
    without_baseline = (
        "Choose a baseline to see what it adds to a simple measurement."
        if can_compare
        else "What it adds to a simple measurement is not tested: this cohort has no column of numbers."
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
            f"With the order of the {len(result.classes)} stages known, an ordinal probe agrees with them at a "
            f"quadratic-weighted κ of {kappa.value:z.2f} [{kappa.low:z.2f}, {kappa.high:z.2f}] (0 is chance, 1 is "
            f"perfect); its mean error is {error.value:.2f} [{error.low:.2f}, {error.high:.2f}] stage steps."
        )
    result_figure(
        probe_figure,
        result,
        key="probes.chart",
        name="linear-probe",
        alt="Area under the ROC curve with intervals, confusion matrix, calibration, learning curve if computed",
        data=lambda: probe_figure.data(result, baseline_name=name),
        panels={
            "Confusion": lambda: probe_figure.confusion_data(result),
            "Calibration": lambda: probe_figure.calibration_data(result, baseline_name=name),
            **({"Learning curve": lambda: probe_figure.learning_data(result)} if result.learning_curve else {}),
        },
        baseline_name=name,
        footer=found.footer,
    )
    result_table(probe_figure.data(result, baseline_name=name).drop(columns=["n", "n_patients"]))
    st.caption(
        "p of the embedding's AUC: one-sided, against chance; of a difference: two-sided. Adjusted: Holm over the "
        f"tests of this page. {verdicts.TWO_QUESTIONS}"
    )
    sizes = ", ".join(f"{c}: {n}" for c, n in zip(result.classes, result.n_per_class, strict=True))
    explanation(
        f"n = {of_patients(result.n, result.n_patients, 'scan')} ({plain(sizes)}). Logistic regression in "
        f"{result.n_folds}-fold cross-validation by patient, repeated {result.n_repeats} times; the "
        "strength of the penalty is chosen by an inner cross-validation on the training folds, never on test scans. "
        "Baseline and combined model use the same folds. Intervals and the paired difference are bootstraps over "
        f"patients ({result.n_bootstrap} draws), given the fitted models. The confusion matrix is the mean over "
        f"repeats, rounded to whole scans. {_further(result)}Seed {result.seed}."
    )


def _further(result: Probe) -> str:
    """How the optional parts are computed."""
    text = ""
    if result.n_permutations:
        text += (
            f"p against chance: one-sided over {result.n_permutations} permutations of the classes between patients, "
            "with the nested cross-validation repeated in each. "
        )
    if result.learning_curve:
        text += (
            "Learning curve: training folds thinned by patient, class by class, with at least one patient of each; "
            "shares that give the same number of scans are one point. "
        )
    if result.ordinal is not None:
        text += (
            "Ordinal probe: a logistic regression of *above stage k* for every k (Frank and Hall 2001), on the same "
            "folds; the predicted stage is the median of the predicted distribution. "
        )
    return text


page("Probes", _probes)
