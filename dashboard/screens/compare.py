"""Two to four embedding sets of the same scans on the same folds: which says more, and where do they disagree?"""

from __future__ import annotations

import shlex

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from dashboard.components import notices
from dashboard.components.choices import (
    pick_columns,
    pick_number,
    pick_optional_column,
    pick_permutations,
    pick_seed,
    pick_step,
)
from dashboard.components.context import Context, pick_stage_column
from dashboard.components.downloads import table_download
from dashboard.components.page import explanation, page
from dashboard.components.result_figure import result_figure
from dashboard.components.split_at import split_at
from dashboard.components.stage_order import ask_for_order
from dashboard.components.tables import result_table
from dashboard.compute import analyses
from dashboard.data import columns, embedding_sets, loading
from dashboard.data.labels import labels_of
from dashboard.figures import compare as compare_figure
from dashboard.figures import set_similarity as similarity_figure
from dashboard.session import state
from dashboard.session.widget_state import SESSION
from dashboard.wording.escaping import plain
from embeddings import disclosure
from embeddings.analysis import EncoderComparison, SetComparison, SetSimilarity, compare_sets, verdicts
from embeddings.formatting import of_patients

MOST_SETS = 4
NO_STAGE, NO_LABEL = "(do not compare stage axes)", "(do not compare probes and retrieval)"
# A view that has no set yet, and the encoder whose weights every installation has.
FURTHER_VIEWS = ("lesion", "volume", "slices")
ALT = {
    "rho": "Rho of each set's stage axis with intervals, and the difference of each pair against zero",
    "AUC": "Area under the curve of each set's probe with intervals, and the difference of each pair against zero",
    "mAP": "Mean average precision of each set with intervals and chance, and the difference of each pair",
}


def _compare(found: Context) -> None:
    usable = embedding_sets.ranked(loading.embedding_sets(found.path))
    if len(usable) < 2:
        _one_set_only(found)
        return
    names = embedding_sets.labels(usable)
    chosen = pick_columns(
        st,
        "Embedding sets",
        list(names),
        "compare.sets",
        default=_default(usable, found.set_id),
        words=names.__getitem__,
        max_selections=MOST_SETS,
        help=f"Two to {MOST_SETS}. Sets of different views are compared scan by scan; slices by the mean of their scan",
    )
    if len(chosen) < 2:
        st.info("Choose at least two embedding sets above to compare them.")
        return
    same = loading.same_cases(found.path, chosen)
    if same.frame.empty:
        st.info("These sets have no scan in common. Choose others, or embed the missing scans on the **Cohort** page.")
        return
    _say_common(same)
    ask_for_order(found.path)
    left, middle, right = st.columns(3)
    codes = _pick_stage(same.frame, left)
    labels = _pick_label(same.frame, middle, right)
    with st.expander("Settings"):
        repeats = pick_step("Repeats of the probe's cross-validation", [2, 5, 20], 5, "compare.repeats")
        n_permutations, seed = pick_permutations("compare"), pick_seed("compare")
    result = analyses.run(
        compare_sets,
        found.path,
        chosen[0],
        "comparison",
        sets=same.vectors,
        names=[names[one] for one in chosen],
        stage=codes,
        label=labels,
        patient=same.frame["patient_id"].to_numpy(dtype=str),
        n_repeats=repeats,
        n_permutations=n_permutations,
        seed=seed,
    )
    rows = usable.set_index("set_id", drop=False).loc[chosen]
    footer = disclosure.sets_footer(found.info, rows)
    for note in result.notes:
        st.info(plain(note))
    for part in (result.gradient, result.probe, result.retrieval):
        if part is not None:
            _measure(part, same.frame, footer)
    if result.similarity is not None:
        _similarity(result, result.similarity, same.frame, footer)
    _explain(result)


def _one_set_only(found: Context) -> None:
    view = str(found.embedding_set["view"])
    csv = found.info.cohort_csv or "cohort.csv"
    db = shlex.quote(str(found.path))
    embed = f"python -m embeddings embed {shlex.quote(csv)} --db {db}"
    published = "flexict-2d" if view == "slices" else "flexict-3d"
    other = next(one for one in FURTHER_VIEWS if one != view)
    st.info("This cohort has one embedding set. A comparison needs a second one of the same scans.")
    for text, command in (
        (
            f"Embed {embedding_sets.VIEW_WORDS[view]} with another encoder:",
            f"{embed} --encoder {published} --view {view}",
        ),
        (
            f"Or {embedding_sets.VIEW_WORDS[other]} with the bundled encoder, which needs no download:",
            f"{embed} --encoder flexict-nano --view {other}",
        ),
        (
            "Or import vectors that another model computed for these scans, matched by case id:",
            f"python -m embeddings import {db} --vectors vectors.csv --name other-model",
        ),
    ):
        st.markdown(text)
        st.code(command, language="sh")
    notices.cohort_link("Or start the job on the Cohort page")


def _default(usable: pd.DataFrame, set_id: str) -> list[str]:
    """The set that the pages show, then others of its view; one of another view if there is no other of this one."""
    shown = usable["set_id"] == set_id
    same_view = usable["view"] == usable.loc[shown, "view"].iloc[0]
    ordered = [*usable.loc[shown, "set_id"], *usable.loc[same_view & ~shown, "set_id"]]
    if len(ordered) < 2:
        ordered += list(usable.loc[~same_view, "set_id"])[:1]
    return [str(one) for one in ordered[:MOST_SETS]]


def _say_common(same: loading.SameCases) -> None:
    n, patients = len(same.frame), same.frame["patient_id"].nunique()
    left_out = f"; {same.n_left_out} left out because not every set has them" if same.n_left_out else ""
    st.caption(f"In all of these sets: {of_patients(n, patients, 'scan')}{left_out}.")


def _pick_stage(frame: pd.DataFrame, place: DeltaGenerator) -> NDArray[np.float64] | None:
    """The code of each case's stage (NaN where missing), or None where no stage is compared."""
    options = columns.stages(frame)
    if not options:
        place.caption("No column is an ordered stage, so stage axes are not compared.")
        return None
    column = pick_stage_column(options, place, "compare", NO_STAGE)
    if column is None:
        return None
    codes = columns.codes(frame, column)[0].astype(np.float64)
    return np.where(codes < 0, np.nan, codes)


def _pick_label(frame: pd.DataFrame, place: DeltaGenerator, beside: DeltaGenerator) -> NDArray[np.object_] | None:
    """The label of each case (None where missing), or None where no label is compared."""
    options = columns.classes(frame)
    if not options:
        place.caption("No column has two to eight labels, so probes and retrieval are not compared.")
        return None
    column = pick_optional_column(
        place, "Label (probe and retrieval)", options, "compare.label", none=NO_LABEL, index=1
    )
    if column is None:
        return None
    cut = split_at(frame, column, beside, "compare.cut")
    return labels_of(frame, column, cut)


def _measure(part: SetComparison, frame: pd.DataFrame, footer: str | None) -> None:
    st.subheader(compare_figure.TITLES[part.measure])
    st.markdown(f"#### {plain(verdicts.set_comparison(part))}")
    if part.classes:
        st.caption(f"Label: {plain(', '.join(part.classes))}. n = {of_patients(part.n, part.n_patients, 'scan')}.")
    result_figure(
        compare_figure,
        part,
        key=f"compare.{part.measure}",
        name=f"compare-{part.measure.casefold()}",
        alt=ALT[part.measure],
        panels={
            "Differences": lambda: compare_figure.difference_data(part),
            "Cases": lambda: compare_figure.case_data(part, frame["case_id"].tolist()),
        },
        footer=footer,
    )
    with st.expander("Numbers"):
        result_table(compare_figure.data(part))
        result_table(compare_figure.difference_data(part), {"p": "p, two-sided"})
        st.caption(
            "p of a difference: two-sided; adjusted: Holm over the pairs. "
            "p against chance: one-sided; adjusted: Holm over the sets."
        )


def _similarity(result: EncoderComparison, found: SetSimilarity, frame: pd.DataFrame, footer: str | None) -> None:
    st.subheader("Are the same scans similar in all sets?")
    middle = found.k[len(found.k) // 2]
    picked = st.segmented_control("Nearest neighbours", found.k, default=middle, key="compare.k", persist_state=SESSION)
    k = int(picked or middle)
    st.markdown(f"#### {plain(verdicts.set_similarity(found, k))}")
    names = list(result.names)
    result_figure(
        similarity_figure,
        found,
        names,
        k,
        key="compare.similarity",
        name="compare-neighbours",
        alt="Matrix of shared neighbours and alignment of every pair of sets, and each pair with interval and chance",
        footer=footer,
    )
    st.caption(" · ".join(f"**{short}** {plain(name)}" for name, short in compare_figure.lettered(names).items()))
    _disagreements(found, k, frame)


def _disagreements(found: SetSimilarity, k: int, frame: pd.DataFrame) -> None:
    st.markdown("**Scans on which two sets disagree most**")
    pairs = [(one.first, one.second) for one in found.alignments]
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    first, second = left.selectbox(
        "Pair", pairs, format_func=lambda pair: f"{pair[0]}  and  {pair[1]}", key="compare.pair"
    )
    count = pick_number(right, "Scans", 1, min(50, len(frame)), min(10, len(frame)), "compare.count")
    overlap = found.overlap(first, second, k)
    worst = overlap.least_alike(count)
    index = overlap.by_case[worst]
    shown = frame.iloc[worst][["case_id", "patient_id", *(c for c in ("stage",) if c in frame)]].assign(
        shared=np.rint(2 * k * index / (1 + index)).astype(int), jaccard=index
    )
    st.dataframe(
        shown,
        hide_index=True,
        placeholder="",
        column_config={
            "case_id": "Case",
            "patient_id": "Patient",
            "stage": "Stage",
            "shared": st.column_config.NumberColumn(f"Shared of {k} nearest"),
            "jaccard": st.column_config.NumberColumn("Jaccard index", format="%.3f"),
        },
    )
    with st.container(horizontal=True):
        st.button(
            f"Select {'this scan' if count == 1 else f'these {count} scans'} on every page",
            icon=":material/ads_click:",
            key="compare.select",
            on_click=state.select,
            args=(shown["case_id"].tolist(),),
        )
        table_download("compare-disagreement", lambda: shown)
        st.page_link("screens/neighbours.py", label="See their neighbours", icon=":material/compare:")
    st.caption("Where two sets disagree, at least one of them sees the scan differently; neither is known to be right.")


def _explain(result: EncoderComparison) -> None:
    widths = ", ".join(f"{plain(name)}: {width}" for name, width in zip(result.names, result.widths, strict=True))
    explanation(
        f"n = {of_patients(result.n, result.n_patients, 'scan')} in every set (dimensions of a vector: {widths}). All "
        "sets are scored on the same folds by patient, the same resamples and the same permutations, each as on its "
        "own page.\n\n"
        "**Difference.** The wide interval and the adjusted p are about the *sets*. They come from the paired patient "
        "bootstrap given the fits, with its variance doubled, because another cohort would also give other fits: tests "
        "that ignore this call 7 to 22 % of equally good simulated sets different where 5 % is expected. For "
        "retrieval, where nothing is fitted, the bootstrap takes patients as queries and as candidates. The narrow "
        "interval and the p given these fits, both in the table, are about *these fits*: ranks of out-of-fold scores "
        "(axes) or average precisions (retrieval) are swapped between the two sets patient by patient (null: they are "
        "exchangeable); for probes it is the paired bootstrap. Each p is two-sided and adjusted over the pairs by "
        "Holm's method, which allows for any dependence.\n\n"
        "**Shared neighbours.** Mean Jaccard index of the k most similar scans of other patients, by cosine; chance by "
        "formula. **CKA**: linear centred kernel alignment of the patients' mean vectors, debiased, so that unrelated "
        "sets are expected to give 0 whatever their dimensions; interval by jackknife over patients.\n\n"
        f"That no set is shown to be better does not mean that the sets are equal. Seed {result.seed}."
    )


page("Compare encoders", _compare)
