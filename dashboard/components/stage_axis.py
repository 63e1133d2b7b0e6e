"""The stage axis with the settings of the Stage gradient page, for every page whose verdict rests on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard.components.context import Context, Staged
from dashboard.compute import analyses
from dashboard.data import columns, defaults
from dashboard.data.case_columns import MAX_LEVELS, Design, design
from dashboard.figures import gradient as gradient_figure
from embeddings.analysis import StageGradient, stage_gradient

NO_SIZE = "(do not test size)"


@dataclass(frozen=True)
class StageAxis:
    """A stage gradient and what it was asked of.

    rows: the staged scans that have the size and the covariates. size: the column of the tumour's size, or None.
    covariates: what else was regressed out, or None.
    """

    result: StageGradient
    rows: pd.DataFrame
    size: str | None
    covariates: Design | None

    @property
    def taken_out(self) -> str:
        """What the residual axis is without, as figures and tables call it."""
        covariates = bool(self.covariates and self.covariates.terms)
        return gradient_figure.taken_out_words(size=self.size is not None, covariates=covariates)


@dataclass(frozen=True)
class Choices:
    """The settings of the page: columns of size and covariates, permutations and seed."""

    size: str | None
    covariates: tuple[str, ...]
    n_permutations: int
    seed: int

    def complete(self, staged: Staged) -> NDArray[np.bool_]:
        """Whether each staged scan has the size and all covariates, `[n]`."""
        needed = [c for c in (self.size, *self.covariates) if c]
        return staged.frame[needed].notna().all(axis=1).to_numpy(dtype=bool)


def covariate_options(staged: Staged, size: str | None) -> list[str]:
    """Columns that can be regressed out: numbers, and categories of few levels."""
    numbers = columns.numeric(staged.frame)
    return [
        c
        for c in columns.covariates(staged.frame)
        if c not in (size, staged.column) and (c in numbers or staged.frame[c].nunique() <= MAX_LEVELS)
    ]


def choices(staged: Staged) -> Choices:
    """What is chosen on the page in this session, and its defaults before it was ever open."""
    sizes, kept = columns.sizes(staged.frame), st.session_state
    size = kept.get("gradient.size")
    if size not in sizes:
        size = None if size == NO_SIZE or not sizes else sizes[0]
    allowed = covariate_options(staged, size)
    return Choices(
        size,
        tuple(c for c in kept.get("gradient.covariates", ()) if c in allowed),
        int(kept.get("gradient.permutations", defaults.PERMUTATIONS)),
        int(kept.get("gradient.seed", defaults.SEED)),
    )


def stage_axis(found: Context, staged: Staged, chosen: Choices, slot: str = "gradient") -> StageAxis:
    """The stage gradient with these settings.

    Raises FlexiCTError on what it refuses, NotReadyError while it runs.
    """
    kept = chosen.complete(staged)
    rows = staged.frame[kept].reset_index(drop=True)
    extra = design(rows, list(chosen.covariates), "Also account for") if chosen.covariates else None
    result = analyses.run(
        stage_gradient,
        found.path,
        found.set_id,
        slot,
        X=staged.vectors[kept],
        stage=staged.codes[kept],
        patient=staged.patients[kept],
        size=rows[chosen.size].to_numpy(dtype=float) if chosen.size else None,
        covariates=extra.matrix if extra and extra.terms else None,
        n_permutations=chosen.n_permutations,
        seed=chosen.seed,
    )
    return StageAxis(result, rows, chosen.size, extra)
