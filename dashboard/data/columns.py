"""Which columns of a cohort can serve as stage, size, colour or covariate."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.data.staging import stage_cases
from embeddings.analysis import event_flags
from embeddings.cohort.stages import parse_stage, read_column, stage_codes, stage_order
from flexict.errors import FlexiCTError

STAGE = "stage"
MAX_STAGES = 15
MAX_CLASSES = 8
SIZE_COLUMNS = ("equivalent_diameter_mm", "max_extent_mm", "volume_ml")
SIZE_WORDS = ("diameter", "volume_ml", "extent", "size", "diam")
UNITS = {
    "_mm": "mm",
    "_ml": "ml",
    "_hu": "HU",
    "_days": "days",
    "_weeks": "weeks",
    "_months": "months",
    "_years": "years",
    "_age": "years",
    "_kvp": "kV",
}
_TIME_PARTS = ("surviv", "follow", "time")
_TIME_WORDS = frozenset({"days", "weeks", "months", "years", "os", "pfs", "dfs", "rfs", "efs", "ttp"})
_TIME_UNITS = frozenset({"days", "weeks", "months", "years"})
# Words for a time until an event or the last contact, unlike the time of an operation or years of smoking.
_FOLLOW_UP_PARTS = (
    *("surviv", "follow", "censor", "death", "died", "dead", "deceas", "vital", "alive", "contact"),
    *("event", "relapse", "recur", "progress"),
)
_FOLLOW_UP_WORDS = frozenset({"os", "pfs", "dfs", "rfs", "efs", "ttp"})
_BARE_TIME_WORDS = frozenset({"", "time", "in", "t", *_TIME_UNITS})
_EVENT_PARTS = ("event", "status", "dead", "death", "died", "deceas", "vital")
_OUTCOME_PARTS = (*_EVENT_PARTS, "censor")
# What can make vectors differ without any disease, and the words in the names of its columns.
_USUAL_SUSPECTS = {
    "site": ("site", "centre", "center", "hospital", "institution"),
    "scanner": ("scanner", "manufacturer", "vendor", "model"),
    "kernel": ("kernel",),
    "slice thickness": ("thickness", "spacing"),
    "contrast medium": ("contrast",),
    "sex": ("sex", "gender"),
    "age": ("age",),
}
_FILES = ("image_path", "mask_path", "mask_label", "row")
_SEED = ("seed_x", "seed_y", "seed_z")
# Where an item comes from: nothing that a table of scans needs.
SOURCE = ("view", *_FILES, *_SEED, "lesion_source")
_NOT_COVARIATES = frozenset(
    (*SOURCE, "item_id", "case_id", "patient_id", "slice_index", "z_lps_mm", "centroid_x", "centroid_y", "centroid_z")
)
# Scores of a finding by the text tower, computed from the same vectors that the pages analyse.
_ZERO_SHOT = " (zero-shot)"
# What the demonstration cohort knows because it simulated each scan; no reader of a CT could know it.
_SIMULATED_TRUTH = "true_"
# Whole numbers that look like ordered stages but count slices.
_NOT_STAGES = frozenset({"n_slices"})


def describing(frame: pd.DataFrame) -> list[str]:
    """Columns that describe a case: no ids, paths, coordinates or simulated truth, not empty or constant."""
    simulated = "simulated" in frame and frame["simulated"].notna().any()
    return [
        c
        for c in map(str, frame.columns)
        if c not in _NOT_COVARIATES
        and not (simulated and c.startswith(_SIMULATED_TRUTH))
        and frame[c].dropna().nunique() > 1
    ]


def numeric(frame: pd.DataFrame) -> list[str]:
    """Describing columns of numbers."""
    return [c for c in describing(frame) if holds_numbers(frame[c])]


def holds_numbers(values: pd.Series) -> bool:
    """Whether a column contains numbers (flags are not numbers)."""
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def sizes(frame: pd.DataFrame) -> list[str]:
    """Numeric columns that measure the tumour: measured from the mask first, then those named like a size."""
    found = numeric(frame)
    named = [c for c in found if c not in SIZE_COLUMNS and any(word in c.casefold() for word in SIZE_WORDS)]
    named = [c for c in named if not is_zero_shot(c)]
    return [c for c in SIZE_COLUMNS if c in found] + named


def stages(frame: pd.DataFrame) -> list[str]:
    """Columns that read as an ordered stage or grade, the cohort's own stage first.

    Some values of the cohort's own stage may have no known place in the order; these scans have no stage.
    """
    found = []
    for column in describing(frame):
        values = frame[column].dropna()
        if _is_ordered(values):
            found.append(column)
            continue
        if column in _NOT_STAGES or not 2 <= values.nunique() <= MAX_STAGES or pd.api.types.is_float_dtype(values):
            continue
        try:
            counts = _counts(values)
            if column == STAGE:
                order = read_column(list(counts), counts).order
            else:
                order = stage_order(list(counts), counts, column)
        except FlexiCTError:
            continue
        if len(order) >= 2:
            found.append(column)
    return sorted(found, key=lambda c: (c != STAGE, "stage" not in c.casefold(), "grade" not in c.casefold()))


def classes(frame: pd.DataFrame) -> list[str]:
    """Columns with classes to predict or to share: stages first, then those of two to eight values."""
    found = stages(frame)
    return [*found, *(c for c in describing(frame) if frame[c].nunique() <= MAX_CLASSES and c not in found)]


def events(frame: pd.DataFrame) -> list[str]:
    """Columns that read as event (1) or censored (0), those named like one first.

    A number in a column called "censored" counts the other way round, so that one is not offered.
    """
    found = []
    for column in describing(frame):
        values = frame[column].dropna()
        in_numbers = pd.to_numeric(values, errors="coerce").notna().all()
        if values.nunique() > MAX_STAGES or ("censor" in column.casefold() and in_numbers):
            continue
        try:
            flags = event_flags(values)
        except FlexiCTError:
            continue
        if {0.0, 1.0} <= set(flags):
            found.append(column)
    return sorted(found, key=lambda c: not any(part in c.casefold() for part in _EVENT_PARTS))


def times(frame: pd.DataFrame) -> list[str]:
    """Numeric columns without negative values that are named like a follow-up time, the clearest names first.

    A column that is zero in half of the rows or more, such as the days since a patient's first scan, is no follow-up.
    """
    not_times = set(events(frame))
    found = [c for c in numeric(frame) if c not in not_times and _named_like_time(c)]
    followed = [c for c in found if frame[c].min() >= 0 and frame[c].median() > 0]
    return sorted(followed, key=lambda c: (not _runs_until_an_event(c), "surviv" not in c.casefold()))


def censored_times(frame: pd.DataFrame) -> list[str]:
    """Follow-up times of a cohort that also records who had the event. They end early in the other patients, so they
    must not be correlated or regressed on as numbers; only survival analysis can use them.
    """
    candidates = [c for c in numeric(frame) if _named_like_time(c) and _runs_until_an_event(c)]
    has_events = any(
        frame[c].nunique() <= MAX_STAGES
        for c in describing(frame)
        if c not in candidates and any(part in c.casefold() for part in _OUTCOME_PARTS)
    )
    return candidates if has_events else []


def covariates(frame: pd.DataFrame) -> list[str]:
    """Describing columns that may be correlated with or regressed on: all except censored times."""
    censored = censored_times(frame)
    return [c for c in describing(frame) if c not in censored]


def is_t_stage(values: pd.Series) -> bool:
    """Whether a stage column contains T stages, by its values (T1, pT2b, 1a) or its name."""
    read = [parse_stage(str(value)) for value in values.dropna().unique()]
    words = re.split(r"[^a-z]+", str(values.name).casefold())
    named = any(word in ("t", "pt", "ct", "ypt") for word in words) and not any(k and k.kind in "NM" for k in read)
    return named or any(key is not None and key.kind == "T" for key in read)


def zero_shot_column(finding: str) -> str:
    """The name of the column with the zero-shot scores of a finding."""
    return finding + _ZERO_SHOT


def is_zero_shot(column: str) -> bool:
    """Whether a column contains zero-shot scores: a covariate, but no measurement independent of the vectors."""
    return column.endswith(_ZERO_SHOT)


def _named_like_time(column: str) -> bool:
    if is_zero_shot(column) or (unit(column) or "days") not in _TIME_UNITS:
        return False
    words = set(re.split(r"[^a-z]+", column.casefold()))
    if "age" in words:
        return False
    return bool(words & _TIME_WORDS) or any(part in column.casefold() for part in _TIME_PARTS)


def _runs_until_an_event(column: str) -> bool:
    """Whether a time is named like a follow-up, or like a time and nothing else ("time", "days")."""
    words = set(re.split(r"[^a-z]+", column.casefold()))
    named = any(part in column.casefold() for part in _FOLLOW_UP_PARTS) or bool(words & _FOLLOW_UP_WORDS)
    return named or words <= _BARE_TIME_WORDS


def suspects(frame: pd.DataFrame, stage: str, stage_codes: NDArray[np.int64] | None = None) -> list[str]:
    """Columns that could explain the stage axis, which page and report audit by default: no other spelling of the
    stage, no outcome, no free text.

    stage_codes: codes [n] of the stage (-1 where unstaged), if they differ from those of the column.
    """
    staged = codes(frame, stage)[0] if stage_codes is None else stage_codes
    outcomes = {c for c in describing(frame) if any(part in c.casefold() for part in _OUTCOME_PARTS)}
    return [
        c
        for c in covariates(frame)
        if c != stage
        and c not in outcomes
        and not is_zero_shot(c)
        and not _is_free_text(frame[c])
        and not _spells(frame, c, staged)
    ]


def unrecorded(frame: pd.DataFrame) -> list[str]:
    """The usual suspects (site, scanner, kernel ...) that no column records."""
    words = {word for c in describing(frame) for word in re.split(r"[^a-z]+", c.casefold())}
    return [suspect for suspect, names in _USUAL_SUSPECTS.items() if not words & set(names)]


def _is_free_text(values: pd.Series) -> bool:
    known = values.dropna()
    return not pd.api.types.is_numeric_dtype(known) and known.nunique() > max(MAX_STAGES, len(known) / 2)


def _spells(frame: pd.DataFrame, column: str, staged: NDArray[np.int64]) -> bool:
    """Whether a column is another spelling of the stage: named so, in its order, one nested in the other."""
    if not any(word in column.casefold() for word in ("stage", "grade")) or column not in stages(frame):
        return False
    one = codes(frame, column)[0]
    pairs = {(int(a), int(b)) for a, b in zip(one, staged, strict=True) if a >= 0 and b >= 0}
    rising = all(b <= d for a, b in pairs for c, d in pairs if a < c)
    return rising and len(pairs) == max(len({a for a, _ in pairs}), len({b for _, b in pairs}))


def codes(frame: pd.DataFrame, column: str) -> tuple[NDArray[np.int64], list[str]]:
    """Stage codes of a column (-1 where unstaged) and the stages in order."""
    if _is_ordered(frame[column]):
        return np.asarray(frame[column].cat.codes, dtype=np.int64), [str(one) for one in frame[column].cat.categories]
    # Many slices have few distinct values.
    places, values = pd.factorize(frame[column])
    counts = _counts(frame[column])
    if column == STAGE:
        found = read_column([*map(str, values)], counts)
        return np.append(found.codes, -1)[places], found.order
    codes, order = stage_codes([*map(str, values), None], counts=counts, header=column)
    return codes[places], order


def with_orders(frame: pd.DataFrame, orders: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The frame with these columns as ordered categories, lowest first; values not in an order are missing."""
    ordered = {}
    for column, order in orders.items():
        if column in frame:
            # Many slices have few distinct values.
            places, values = pd.factorize(frame[column])
            codes = np.append(stage_cases(pd.Series(values), order, ()).codes, -1)[places]
            ordered[column] = pd.Categorical.from_codes(codes, categories=pd.Index(list(order)), ordered=True)  # type: ignore[arg-type]
    return frame.assign(**ordered) if ordered else frame


def _is_ordered(values: pd.Series) -> bool:
    return isinstance(values.dtype, pd.CategoricalDtype) and bool(values.dtype.ordered)


def _counts(values: pd.Series) -> dict[str, int]:
    return {str(value): int(count) for value, count in values.value_counts().items()}


def unit(column: str) -> str | None:
    """The unit in a column's name."""
    name = f"_{column.casefold()}"
    return next((unit for ending, unit in UNITS.items() if name.endswith(ending)), None)


def label(column: str) -> str:
    """A column's name in words, with its unit."""
    found = unit(column)
    return name_only(column) + (f" ({found})" if found else "")


def headings(frame: pd.DataFrame) -> dict[str, str]:
    """Column -> its heading in a table of cases, unless two columns would have the same."""
    labels = {str(c): label(str(c)) for c in frame.columns}
    return {c: name for c, name in labels.items() if list(labels.values()).count(name) == 1}


def name_only(column: str) -> str:
    """A column's name in words, without its unit."""
    found = unit(column)
    short = column[: -len(found) - 1] if found and column.casefold().endswith(f"_{found.casefold()}") else column
    return short.replace("_", " ")
