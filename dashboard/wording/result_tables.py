"""Tables of results for readers: rounded numbers, p-values in one format, headings in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from embeddings.analysis import p_number

# Headings for columns of the CSV files; in others, underscores become spaces.
HEADINGS = {
    "p_permutation": "p, one-sided",
    "p_chance": "p against chance, one-sided",
    "p_chance_adjusted": "p against chance, adjusted",
    "p_adjusted": "p, adjusted",
    "p_given_fits": "p given these fits",
    "ph_p": "p of the proportional hazards test",
    "ph_p_adjusted": "p of the proportional hazards test, adjusted",
    "hazard_ratio": "hazard ratio",
    "rho_in_sample": "rho in sample",
    "n_patients": "patients",
    "n_events": "events",
    "n_missing": "without a value",
    "n_train": "training cases",
    "n_splits": "splits",
    "n_folds": "folds",
    "n_repeats": "repeats",
    "n_permutations": "permutations",
    "n_bootstrap": "bootstrap resamples",
    "score_from": "lowest score",
    "score_to": "highest score",
    "stage_auc": "stage from it alone, AUC",
    "stage_auc_chance": "AUC by chance",
    "stage_auc_p": "p of that AUC",
    "stage_auc_p_adjusted": "p of that AUC, adjusted",
    "association": "measure of association",
    "association_value": "association with stage",
    "association_p": "p of the association",
    "association_p_adjusted": "p of the association, adjusted",
    "from_vectors_measure": "measure of its prediction",
    "from_vectors": "predicted by the vectors",
    "from_vectors_p": "p of the prediction",
    "from_vectors_p_adjusted": "p of the prediction, adjusted",
    "stage_rho": "stage axis, rho",
    "stage_rho_p": "p of the stage axis",
    "stage_rho_p_adjusted": "p of the stage axis, adjusted",
    "stage_rho_without": "stage axis without it, rho",
    "stage_rho_without_p": "p without it",
    "stage_rho_without_p_adjusted": "p without it, adjusted",
    "auc_within": "AUC, trained with the level",
    "auc_left_out": "AUC, trained without the level",
    "difference_rho": "difference of rho",
    "difference_AUC": "difference of AUC",
    "difference_mAP": "difference of mAP",
    "given_fits": "given these fits",
}
_INTERVAL_OF = {"value", "hazard_ratio", "rho", "AUC", "mAP", "difference_rho", "difference_AUC", "difference_mAP"}


def as_text(table: pd.DataFrame, named: Mapping[str, str] | None = None) -> pd.DataFrame:
    """The table as text, with one cell for an estimate and its interval; a missing value is an empty cell.

    named: headings of columns whose meaning differs from other tables, such as the sides of a p.
    """
    joined = _with_intervals(table)
    columns = {
        (named or {}).get(str(column), heading(str(column))): [_text(value, is_p(str(column))) for value in values]
        for column, values in joined.items()
    }
    return pd.DataFrame(columns, index=joined.index, dtype=object)


def heading(column: str) -> str:
    """The heading of a column in words."""
    stem, sign, rest = column.partition(" [")
    return HEADINGS.get(stem, stem.replace("_", " ")) + sign + rest


def is_p(column: str) -> bool:
    """Whether a column contains p-values, by its name."""
    parts = column.replace(" ", "_").split("_")
    return "p" in parts


def _with_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """A value, its low and its high become one column of text."""
    joined = table.copy()
    for column in table.columns:
        stem = str(column)
        ends = next((pair for pair in _ends(stem) if all(end in joined for end in pair)), None)
        if ends is None:
            continue
        rows = zip(table[column], table[ends[0]], table[ends[1]], strict=True)
        joined[column] = [_interval(*row) for row in rows]
        joined = joined.drop(columns=list(ends)).rename(columns={column: f"{stem} [95 % interval]"})
    return joined


def _ends(stem: str) -> list[tuple[str, str]]:
    named = [(f"{stem}_low", f"{stem}_high")]
    return [*named, ("low", "high")] if stem in _INTERVAL_OF else named


def _interval(value: float, low: float, high: float) -> str:
    if pd.isna(value):
        return ""
    if pd.isna(low):
        return f"{value:z.3f}"
    # Half of the patients outlive the follow-up at the upper limit of a median survival.
    return f"{value:z.3f} [{low:z.3f}, {'not reached' if pd.isna(high) else f'{high:z.3f}'}]"


def _text(value: object, of_p: bool) -> str:
    if value is None or value is pd.NaT or (isinstance(value, float | np.floating) and np.isnan(value)):
        return ""
    if isinstance(value, float | np.floating):
        number = float(value)
        if of_p:
            return p_number(number)
        return f"{number:.0f}" if number.is_integer() and abs(number) < 1e15 else f"{number:z.3f}"
    return str(value)
