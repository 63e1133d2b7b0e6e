"""Two to four embedding sets of the same cases on the same folds: which says more, and where do they disagree?"""

from __future__ import annotations

import shlex

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from dashboard.components.chart import chart
from dashboard.components.context import Context, require
from dashboard.components.downloads import figure_downloads, table_download
from dashboard.components.split_at import split_at
from dashboard.components.stage_order import ask_for_order
from dashboard.compute import analyses
from dashboard.compute.waiting import section
from dashboard.data import columns, defaults, embedding_sets, loading
from dashboard.figures import compare as compare_figure
from dashboard.figures import set_similarity as similarity_figure
from dashboard.session import state
from dashboard.session.widget_state import SESSION
from dashboard.wording.escaping import plain
from dashboard.wording.result_tables import as_text
from embeddings import disclosure
from embeddings.analysis import EncoderComparison, SetComparison, SetSimilarity, StageLabel, compare_sets, verdicts
from embeddings.formatting import of_patients
from flexict.errors import FlexiCTError

MOST_SETS = 4
NO_STAGE, NO_LABEL = "(do not compare stage axes)", "(do not compare probes and retrieval)"
# A view that has no set yet, and the encoder that every installation has the weights of.
FURTHER_VIEWS = ("lesion", "volume", "slices")
ALT = {
    "rho": "Rho of each set's stage axis with intervals, and the difference of each pair against zero",
    "AUC": "Area under the curve of each set's probe with intervals, and the difference of each pair against zero",
    "mAP": "Mean average precision of each set with intervals and chance, and the difference of each pair",
}


def _page(found: Context) -> None:
    usable = embedding_sets.ranked(loading.embedding_sets(found.path))
    if len(usable) < 2:
        _one_set_only(found)
        return
    names = embedding_sets.labels(usable)
    chosen = st.multiselect(
        "Embedding sets",
        list(names),
        default=_default(usable, found.set_id),
        format_func=names.__getitem__,
        max_selections=MOST_SETS,
        key="compare.sets",
        persist_state=SESSION,
        help=f"Two to {MOST_SETS}; sets of different views are compared case by case, a case of slices by their mean",
    )
    if len(chosen) < 2:
        st.info("Choose at least two embedding sets above to compare them.")
        return
    same = loading.same_cases(found.path, chosen)
    if same.frame.empty:
        st.info("These sets have no case in common. Choose others, or embed the missing scans on the **Cohort** page.")
        return
    _say_common(same)
    ask_for_order(found.path)
    left, middle, right = st.columns(3)
    codes = _pick_stage(same.frame, left)
    labels = _pick_label(same.frame, middle, right)
    with st.expander("Settings"):
        repeats = st.select_slider(
            "Repeats of the probe's cross-validation", [2, 5, 20], 5, key="compare.repeats", persist_state=SESSION
        )
        n_permutations = st.select_slider(
            "Permutations", [200, 1000, 5000], defaults.PERMUTATIONS, key="compare.permutations", persist_state=SESSION
        )
        seed = st.number_input("Seed", 0, 10_000, defaults.SEED, key="compare.seed", persist_state=SESSION)
    try:
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
            n_repeats=int(repeats),
            n_permutations=int(n_permutations),
            seed=int(seed),
        )
    except FlexiCTError as error:
        st.info(plain(error))
        return
    rows = usable.set_index("set_id", drop=False).loc[chosen]
    footer = disclosure.sets_footer(found.info, rows)
    for note in result.notes:
        st.info(plain(note))
    _measures(result, same.frame, footer)
    if result.similarity is not None:
        _similarity(result, result.similarity, same.frame, footer)
    _how(result)


def _one_set_only(found: Context) -> None:
    here = found.embedding_set
    view = str(here["view"])
    csv = found.info.cohort_csv or "cohort.csv"
    start = f"python -m embeddings embed {shlex.quote(csv)} --db {shlex.quote(str(found.path))}"
    published = "flexict-2d" if view == "slices" else "flexict-3d"
    other = next(one for one in FURTHER_VIEWS if one != view)
    st.info("This cohort has one embedding set. To compare encoders it needs a second one of the same scans.")
    st.markdown(f"Embed {embedding_sets.VIEW_WORDS[view]} with another encoder:")
    st.code(f"{start} --encoder {published} --view {view}", language="sh")
    st.markdown(f"Or {embedding_sets.VIEW_WORDS[other]} with the bundled encoder, for which nothing has to be fetched:")
    st.code(f"{start} --encoder flexict-nano --view {other}", language="sh")
    st.markdown("Or bring in vectors that another model made of these scans, matched by case id:")
    st.code(
        f"python -m embeddings import {shlex.quote(str(found.path))} --vectors vectors.csv --name other-model",
        language="sh",
    )
    st.page_link("screens/cohort.py", label="Or start the job on the Cohort page", icon=":material/folder_open:")


def _default(usable: pd.DataFrame, set_id: str) -> list[str]:
    """The sets of the view that the pages show, that one first; of other views too where it is the only one."""
    shown = usable["set_id"] == set_id
    same_view = usable["view"] == usable.loc[shown, "view"].iloc[0]
    ordered = [*usable.loc[shown, "set_id"], *usable.loc[same_view & ~shown, "set_id"]]
    if len(ordered) < 2:
        ordered += list(usable.loc[~same_view, "set_id"])[:1]
    return [str(one) for one in ordered[:MOST_SETS]]


def _say_common(same: loading.SameCases) -> None:
    n, patients = len(same.frame), same.frame["patient_id"].nunique()
    left_out = f"; left out, as not in every set: {same.n_left_out}" if same.n_left_out else ""
    st.caption(f"In all of these sets: {of_patients(n, patients, 'scan')}{left_out}.")


def _pick_stage(frame: pd.DataFrame, place: DeltaGenerator) -> NDArray[np.float64] | None:
    """The code of each case's stage (NaN where missing), or None where no stage is compared."""
    options = columns.stages(frame)
    if not options:
        place.caption("No column reads as an ordered stage, so stage axes are not compared.")
        return None
    shared = state.stage_column()
    picked = place.selectbox(
        "Stage",
        [*options, NO_STAGE],
        index=options.index(shared) if shared in options else 0,
        format_func=lambda one: one if one == NO_STAGE else columns.label(one),
        key="compare.stage",
    )
    if picked == NO_STAGE:
        return None
    state.choose_stage_column(str(picked))
    codes = columns.codes(frame, str(picked))[0].astype(np.float64)
    return np.where(codes < 0, np.nan, codes)


def _pick_label(frame: pd.DataFrame, place: DeltaGenerator, beside: DeltaGenerator) -> NDArray[np.object_] | None:
    """The label of each case (None where missing), or None where no label is compared."""
    options = columns.classes(frame)
    if not options:
        place.caption("No column has two to eight labels, so probes and retrieval are not compared.")
        return None
    picked = place.selectbox(
        "Label (probe and retrieval)",
        [*options, NO_LABEL],
        format_func=lambda one: one if one == NO_LABEL else columns.label(one),
        key="compare.label",
        persist_state=SESSION,
    )
    if picked == NO_LABEL:
        return None
    column = str(picked)
    if column not in columns.stages(frame):
        return np.array([None if pd.isna(v) else str(v) for v in frame[column]], dtype=object)
    codes, order = columns.codes(frame, column)
    cut = None
    if len(order) > 2:
        cut = split_at(order, codes[codes >= 0], beside, "compare.cut")
    if cut is None:
        values = [None if c < 0 else StageLabel(int(c), order[c]) for c in codes]
    else:
        at = order.index(cut)
        two = (StageLabel(0, f"below {cut}"), StageLabel(1, f"{cut} and above"))
        values = [None if c < 0 else two[int(c >= at)] for c in codes]
    return np.array(values, dtype=object)


def _measures(result: EncoderComparison, frame: pd.DataFrame, footer: str | None) -> None:
    for part in (result.gradient, result.probe, result.retrieval):
        if part is None:
            continue
        st.subheader(compare_figure.TITLES[part.measure])
        st.markdown(f"#### {plain(verdicts.set_comparison(part))}")
        if part.classes:
            st.caption(f"Label: {plain(', '.join(part.classes))}. n = {of_patients(part.n, part.n_patients, 'scan')}.")
        _measure(part, frame, footer)


def _measure(part: SetComparison, frame: pd.DataFrame, footer: str | None) -> None:
    chart(compare_figure.screen(part, footer=footer), f"compare.{part.measure}", ALT[part.measure])
    figure_downloads(
        f"compare-{part.measure.casefold()}",
        lambda: compare_figure.print_figure(part, footer=footer),
        lambda: compare_figure.data(part),
        {
            "Differences": lambda: compare_figure.difference_data(part),
            "Cases": lambda: compare_figure.case_data(part, frame["case_id"].tolist()),
        },
    )
    with st.expander("Numbers"):
        st.dataframe(as_text(compare_figure.data(part)), hide_index=True)
        st.dataframe(as_text(compare_figure.difference_data(part), {"p": "p, two-sided"}), hide_index=True)
        st.caption(
            "p of a difference: two-sided; adjusted: Holm over the pairs. p against chance: one-sided; adjusted: Holm "
            "over the sets."
        )


def _similarity(result: EncoderComparison, found: SetSimilarity, frame: pd.DataFrame, footer: str | None) -> None:
    st.subheader("Are the same cases similar in all sets?")
    k = int(
        st.segmented_control("Nearest cases", found.k, default=_middle(found.k), key="compare.k", persist_state=SESSION)
        or _middle(found.k)
    )
    st.markdown(f"#### {plain(verdicts.set_similarity(found, k))}")
    names = list(result.names)
    chart(
        similarity_figure.screen(found, names, k, footer=footer),
        "compare.similarity",
        "Matrix of shared neighbours and alignment of every pair of sets, and each pair with interval and chance",
    )
    st.caption(" · ".join(f"**{short}** {plain(name)}" for name, short in compare_figure.lettered(names).items()))
    figure_downloads(
        "compare-neighbours",
        lambda: similarity_figure.print_figure(found, names, k, footer=footer),
        lambda: similarity_figure.data(found),
    )
    _disagreements(result, found, k, frame)


def _middle(k: tuple[int, ...]) -> int:
    return k[len(k) // 2]


def _disagreements(result: EncoderComparison, found: SetSimilarity, k: int, frame: pd.DataFrame) -> None:
    st.markdown("**Cases on which two sets disagree most**")
    pairs = [(one.first, one.second) for one in found.alignments]
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    first, second = left.selectbox(
        "Pair", pairs, format_func=lambda pair: f"{pair[0]}  and  {pair[1]}", key="compare.pair"
    )
    count = int(
        right.number_input(
            "Cases", 1, min(50, len(frame)), min(10, len(frame)), key="compare.count", persist_state=SESSION
        )
    )
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
    st.caption("Disagreement says that at least one of the two sees the case differently, not which of them is right.")


def _how(result: EncoderComparison) -> None:
    with st.expander("How is this computed?"):
        widths = ", ".join(f"{plain(name)}: {width}" for name, width in zip(result.names, result.widths, strict=True))
        st.markdown(
            f"n = {of_patients(result.n, result.n_patients, 'scan')} in every set (numbers in a vector: {widths}). All "
            "sets are scored on the same folds by patient, the same resamples and the same permutations, each as on "
            "its own page.\n\n"
            "**Difference.** The wide interval and the adjusted p are of the *sets*: the paired patient bootstrap "
            "given the fits, its variance doubled, since another cohort would give other fits as well: of equally good "
            "simulated sets, tests that keep the fits as they are called 7 to 22 % different where 5 % is due. For "
            "retrieval, where nothing is fitted, the bootstrap takes patients as queries and as candidates. The narrow "
            "interval and the p given these fits in the table are of *these fits*: for the axes ranks of out-of-fold "
            "scores, for retrieval average precisions, are swapped between the two sets patient by patient (null: they "
            "can be exchanged); for probes it is the paired bootstrap. Each p is two-sided and adjusted over the pairs "
            "by Holm's method, which allows for any dependence.\n\n"
            "**Shared neighbours.** Mean Jaccard index of the k most similar cases by cosine, of other patients; "
            "chance by formula. **CKA**: linear centred kernel alignment of the patients' mean vectors, debiased, so "
            "that 0 is expected of unrelated sets however wide; interval by jackknife over patients.\n\n"
            f"A set that is not shown to be better is not shown to be equal. Seed {result.seed}."
        )


st.title("Compare encoders")
with section():
    _page(require())
