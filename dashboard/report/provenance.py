"""What made a report: versions of the program and its parts, the cohort file, the embedding sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from dashboard.report.cohort_selection import AnalysedCohort
from embeddings import disclosure

# Computes nothing in a report, but the tests compare the statistics with it.
ORACLE = "scikit-learn"
PARTS = ("numpy", "scipy", "pandas", "lifelines", "matplotlib", "duckdb", ORACLE)
_SET_FIELDS = (
    *("set_id", "encoder", "weights_sha256", "weights_source", "is_published", "view", "preset", "pooling", "width"),
    *("code_version", "n_items", "n_cases"),
)


def set_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """An embedding set as plain values."""
    found = {name: record[name] for name in _SET_FIELDS if name in record}
    return {
        name: None if pd.isna(value) else getattr(value, "item", lambda value=value: value)()
        for name, value in found.items()
    }


def statements(cohort: AnalysedCohort) -> list[str]:
    """What must be said of these data wherever they are shown."""
    said = [disclosure.SIMULATED] if cohort.info.simulated else []
    records = [cohort.record, *(other.record for other in cohort.compared)]
    unpublished = dict.fromkeys(str(one["encoder"]) for one in records if not bool(one["is_published"]))
    said += [disclosure.encoder_line(encoder) for encoder in unpublished]
    return [*said, disclosure.RESEARCH_ONLY]


def figure_footer(cohort: AnalysedCohort) -> str:
    """The line under every figure: of what, of how many, and what must be said."""
    patients = len(set(cohort.patients))
    first = (
        f"{cohort.info.name}: {cohort.n} cases of {patients} patients; {cohort.record['encoder']}, "
        f"{cohort.record['view']}, {cohort.record['preset']}"
    )
    return ". ".join([first, *statements(cohort)]) + "."
