"""Which cases a report analyses, and where every other case was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.data import caveats, columns, embedding_sets
from dashboard.data.audited_columns import Audited, audited
from dashboard.data.case_columns import Design, design, find_column, is_numeric, numbers
from dashboard.data.staging import stage_cases
from dashboard.report.arguments import ReportSettings
from embeddings.records import CohortInfo
from embeddings.store.case_vectors import one_row_a_case
from embeddings.store.saved_work import KeptWork
from embeddings.store.store import Store
from flexict.errors import FlexiCTError

EMBEDDED = "embedded"
Losses = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class FlowStep:
    """Cases left at one step, and why those lost since the step before were lost (reason, cases)."""

    name: str
    n: int
    lost: Losses


@dataclass(frozen=True)
class ComparedSet:
    """Another embedding set: its row in the file, its label, and which of the analysed cases it holds.

    rows: positions [m] among the analysed cases; vectors [m, width] of these cases.
    """

    record: Mapping[str, Any]
    label: str
    rows: NDArray[np.intp]
    vectors: NDArray[np.float32]


@dataclass(frozen=True)
class AnalysedCohort:
    """The analysed cases, one row each, in one order.

    stage: codes [n] into `stage_names`; size [n] or None; time and event [n], as they stand in the file, or None;
    suspects: columns that the audit looks at, by name as people write it, those of the tumour's size as one.
    """

    info: CohortInfo
    record: Mapping[str, Any]
    label: str
    frame: pd.DataFrame
    vectors: NDArray[np.float32]
    stage: NDArray[np.int64]
    stage_column: str
    stage_names: tuple[str, ...]
    size: NDArray[np.float64] | None
    size_column: str | None
    covariates: Design | None
    covariate_columns: tuple[str, ...]
    baseline: Design | None
    baseline_name: str
    baseline_columns: tuple[str, ...]
    time: NDArray | None
    event: NDArray | None
    time_column: str | None
    suspects: Audited
    compared: tuple[ComparedSet, ...]
    flow: tuple[FlowStep, ...]
    warnings: tuple[str, ...]

    @property
    def n(self) -> int:
        """Number of cases."""
        return len(self.frame)

    @property
    def patients(self) -> NDArray[np.str_]:
        """Patient of each case."""
        return self.frame["patient_id"].to_numpy(dtype=str)

    @property
    def present(self) -> tuple[str, ...]:
        """The stages that a case has, lowest first."""
        return tuple(self.stage_names[code] for code in np.unique(self.stage))

    @property
    def size_name(self) -> str:
        """The size as people write it, without its unit."""
        return columns.name_only(self.size_column).capitalize() if self.size_column else "Size"

    @property
    def size_unit(self) -> str:
        """Unit that the name of the size column gives away, or nothing."""
        return (columns.unit(self.size_column) or "") if self.size_column else ""


def select_cases(settings: ReportSettings) -> AnalysedCohort:
    """Read the cohort file and keep the cases that every analysis of the report can use.

    Raises ValueError (StoreError among them) on a file, set, column, group or order that cannot be used, on a column
    without any value, and where no case is left.
    """
    store = Store(settings.cohort)
    info, sets, headers = store.info(), store.sets(), store.covariates()
    record = _chosen(sets, settings.set_id, "--set")
    others = [_chosen(sets, one, "--compare") for one in settings.compare if one != record["set_id"]]
    labels = _labels([record, *others])
    frame, vectors = one_row_a_case(*store.table(str(record["set_id"])))
    flow = [FlowStep("in the cohort file", info.n_cases, ())]
    flow.append(FlowStep(EMBEDDED, len(frame), _not_embedded(store, str(record["set_id"]), frame)))
    if settings.selection is not None:
        inside = _selected(settings, frame)
        outside = int((~inside).sum())
        frame, vectors = frame[inside].reset_index(drop=True), vectors[inside]
        flow.append(FlowStep("selected", len(frame), (("outside the selection", outside),) if outside else ()))

    def named(name: str | None, option: str) -> str | None:
        return None if name is None else find_column(frame, name, headers, option)

    stage_column = named(settings.stage, "--stage") or ""
    size_column, time_column = named(settings.size, "--size"), named(settings.time, "--time")
    event_column = named(settings.event, "--event")
    covariates = [find_column(frame, name, headers, "--covariates") for name in settings.covariates]
    baseline = [find_column(frame, name, headers, "--baseline") for name in settings.baseline]
    for option, chosen in (("--covariates", covariates), ("--baseline", baseline), ("--size", [size_column])):
        if stage_column in chosen:
            raise FlexiCTError(f"{option}: {stage_column!r} is the stage itself and cannot explain it")
        for column in chosen:
            if column is not None and frame[column].isna().all():
                raise FlexiCTError(
                    f"{option}: column {column!r} is empty in all {len(frame)} cases: leave it out or name another"
                )

    finite = np.asarray(np.isfinite(vectors).all(axis=1))
    # Stages that are missing are counted among the cases whose vector can be used.
    staging = stage_cases(frame[stage_column], settings.order, settings.groups, counted=finite)
    # A time that the survival analysis is asked for is one, whatever it is called.
    followed = {*columns.censored_times(frame), *([time_column] if event_column and time_column else [])}
    left_out = [c for c in dict.fromkeys([*covariates, *baseline]) if c in followed]
    covariates = [c for c in covariates if c not in followed]
    baseline = [c for c in baseline if c not in followed]
    size = None if size_column is None else numbers(frame, size_column, "--size")
    sized = np.ones(len(frame), dtype=bool) if size is None else np.isfinite(size) & (size > 0)
    kept = np.ones(len(frame), dtype=bool)
    if not finite.all():
        kept &= finite
        flow.append(
            FlowStep("with a usable vector", int(kept.sum()), (("NaN or infinity in it", int((~finite).sum())),))
        )
    kept &= staging.codes >= 0
    flow.append(FlowStep("staged", int(kept.sum()), staging.losses))
    if size is not None:
        flow.append(
            FlowStep(f"with {columns.name_only(size_column or '')}", int((kept & sized).sum()), _unsized(size[kept]))
        )
        kept &= sized
    for column in dict.fromkeys([*covariates, *baseline]):
        if column == size_column:
            continue
        known = frame[column].notna().to_numpy(dtype=bool)
        if is_numeric(frame[column]):
            known &= np.isfinite(numbers(frame, column, "--covariates"))
        lost = int((kept & ~known).sum())
        kept &= known
        flow.append(
            FlowStep(f"with {columns.name_only(column)}", int(kept.sum()), (("missing", lost),) if lost else ())
        )
    flow.append(FlowStep("analysed", int(kept.sum()), ()))
    if not kept.any():
        raise FlexiCTError(_nothing_left(flow))

    rows = frame[kept].reset_index(drop=True)
    covariates = [column for column in covariates if column != size_column]
    adjusted = design(rows, covariates, "--covariates") if covariates else None
    clinical = baseline or ([size_column] if size_column else [])
    compared = tuple(
        _compared(store, other, label, rows["case_id"]) for other, label in zip(others, labels[1:], strict=True)
    )
    return AnalysedCohort(
        info=info,
        record=record,
        label=labels[0],
        frame=rows,
        vectors=vectors[kept],
        stage=staging.codes[kept],
        stage_column=stage_column,
        stage_names=staging.names,
        size=None if size is None else size[kept],
        size_column=size_column,
        covariates=adjusted if adjusted is not None and adjusted.terms else None,
        covariate_columns=tuple(covariates),
        baseline=design(rows, clinical, "--baseline") if clinical else None,
        baseline_name=" + ".join(columns.name_only(c) for c in clinical),
        baseline_columns=tuple(clinical),
        time=None if time_column is None else rows[time_column].to_numpy(dtype=object),
        event=None if event_column is None else rows[event_column].to_numpy(dtype=object),
        time_column=time_column,
        suspects=_suspects(
            rows, stage_column, staging.codes[kept], [c for c in (size_column, *covariates, *baseline) if c]
        ),
        compared=compared,
        flow=tuple(flow),
        warnings=(
            *staging.warnings,
            *([caveat] if (caveat := caveats.censored(left_out)) else []),
            *_constant_words(adjusted),
            *_partial(compared, len(rows)),
            *_refused_rows(store, record),
        ),
    )


def _nothing_left(flow: Sequence[FlowStep]) -> str:
    steps = (f"{step.name} {step.n} ({', '.join(f'{n} {why}' for why, n in step.lost)})" for step in flow if step.lost)
    return (
        f"no case is left to analyse: of {flow[0].n} cases {flow[0].name}, {'; '.join(steps)}. Leave out a column that "
        "few cases have, or correct --stage, --order, --group or --selection"
    )


def _selected(settings: ReportSettings, frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows of the selection's cases. Raises ValueError where the file keeps none of this name, or none is embedded."""
    name = str(settings.selection)
    kept = KeptWork(settings.cohort).selection(name)
    if kept is None:
        names = ", ".join(KeptWork(settings.cohort).selections()["name"]) or "none"
        raise FlexiCTError(f"--selection: the cohort file has no selection {name!r}; it has {names}")
    chosen = frame["case_id"].isin(kept.case_ids).to_numpy(dtype=bool)
    if not chosen.any():
        raise FlexiCTError(f"--selection: no case of {name!r} is in this embedding set")
    return chosen


def _chosen(sets: pd.DataFrame, set_id: str | None, option: str) -> Mapping[str, Any]:
    ranked = embedding_sets.ranked(sets)
    if ranked.empty:
        raise FlexiCTError("the cohort file holds no vector yet: run python -m embeddings embed on it first")
    if set_id is None:
        return dict(ranked.iloc[0])
    rows = ranked[ranked["set_id"] == set_id]
    if rows.empty:
        raise FlexiCTError(f"{option}: the file has no embedding set {set_id!r}; it has {', '.join(ranked['set_id'])}")
    return dict(rows.iloc[0])


def _labels(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Short names of the sets, told apart by what differs: the encoder, the view, the preset, at last the id."""
    encoders, views = [str(one["encoder"]) for one in records], [str(one["view"]) for one in records]
    presets = [str(one["preset"]) for one in records]
    if len(set(encoders)) == len(records):
        return encoders
    for parts in (zip(encoders, views, strict=True), zip(encoders, views, presets, strict=True)):
        names = [", ".join(one) for one in parts]
        if len(set(names)) == len(records):
            return names
    return [str(one["set_id"]) for one in records]


def _not_embedded(store: Store, set_id: str, frame: pd.DataFrame) -> Losses:
    cases = set(store.cases()["case_id"]) - set(frame["case_id"])
    failures = store.failures(set_id)
    reasons = dict(zip(failures["case_id"], failures["reason"], strict=True))
    counts = Counter(str(reasons.get(case, "not embedded yet")) for case in sorted(cases))
    return tuple(counts.items())


def _refused_rows(store: Store, record: Mapping[str, Any]) -> tuple[str, ...]:
    failures = store.failures(str(record["set_id"]))
    outside = set(failures["case_id"]) - set(store.cases()["case_id"])
    return (f"Rows of the CSV that could not be used and are not in the file: {len(outside)}.",) if outside else ()


def _unsized(size: NDArray[np.float64]) -> Losses:
    missing, small = int((~np.isfinite(size)).sum()), int((size <= 0).sum())
    return tuple((reason, n) for reason, n in (("size missing", missing), ("size not above 0", small)) if n)


def _constant_words(adjusted: Design | None) -> tuple[str, ...]:
    constant = adjusted.constant if adjusted else ()
    return (f"Left out of the covariates as all cases share one value: {', '.join(constant)}.",) if constant else ()


def _suspects(rows: pd.DataFrame, stage_column: str, stage: NDArray[np.int64], chosen: Sequence[str]) -> Audited:
    """The columns of the audit: those the user named, then those that the page audits by default."""
    return audited(rows, list(dict.fromkeys([*chosen, *columns.suspects(rows, stage_column, stage)])))


def _compared(store: Store, record: Mapping[str, Any], label: str, cases: pd.Series) -> ComparedSet:
    frame, vectors = one_row_a_case(*store.table(str(record["set_id"])))
    place = {str(case): row for row, case in enumerate(frame["case_id"])}
    usable = [
        (i, place[case]) for i, case in enumerate(cases) if case in place and np.isfinite(vectors[place[case]]).all()
    ]
    rows = np.array([i for i, _ in usable], dtype=np.intp)
    return ComparedSet(record, label, rows, vectors[[j for _, j in usable]])


def _partial(compared: Sequence[ComparedSet], n: int) -> tuple[str, ...]:
    return tuple(
        f"{one.label} has {len(one.rows)} of the {n} analysed cases; its figures are for these alone."
        for one in compared
        if len(one.rows) < n
    )
