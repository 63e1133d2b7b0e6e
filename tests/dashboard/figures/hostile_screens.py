"""Every figure of the screen, of real results whose names try to be markup."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from dashboard.figures import (
    ColourColumn,
    audit,
    compare,
    courses,
    gradient,
    map,
    probe,
    retrieval,
    set_similarity,
    survival,
    trajectory,
)
from embeddings.analysis import along_each, by_score, compare_sets, evaluate, linear_probe, shortcuts

HOSTILE = '<a href="javascript:alert(1)">x</a><b>b</b><img src=x>%{x}'
SCREENS = (
    *("gradient", "trajectory", "courses", "probe", "survival", "audit"),
    *("retrieval", "compare", "set_similarity", "map", "map_of_numbers"),
)


def named(words: object) -> str:
    """A hostile name that is told from others."""
    return f"{HOSTILE}{words}"


def screen(name: str, request: pytest.FixtureRequest) -> go.Figure:
    """The figure of a name in `SCREENS`."""
    cohort: dict[str, Any] = request.getfixturevalue("cohort")
    footer = named("footer")
    ids = [named(one) for one in cohort["ids"]]
    stages = {code: named(words) for code, words in cohort["names"].items()}
    classes = np.array([named(stages[code]) for code in cohort["stage"]])
    if name == "gradient":
        words = {"size_name": named("size"), "size_unit": named("ml"), "footer": footer}
        found = request.getfixturevalue("gradient_result")
        return gradient.screen(found, stage_names=stages, item_ids=ids, taken_out=HOSTILE, **words)
    if name == "trajectory":
        found = replace(request.getfixturevalue("trajectory_result"), root_rule=HOSTILE)
        axes = (named("one"), named("two"))
        return trajectory.screen(found, cohort["coordinates"], ids, stage_names=stages, axis_names=axes, footer=footer)
    if name == "courses":
        groups = np.where(cohort["size"] > np.median(cohort["size"]), named("a"), named("b")).astype(object)
        followed = along_each(
            request.getfixturevalue("trajectory_result").pseudotime,
            {"size": cohort["size"], "group": groups},
            n_permutations=19,
            n_bootstrap=20,
        )
        return courses.screen(followed, labels={"size": named("size"), "group": named("group")}, footer=footer)
    if name == "probe":
        learned = linear_probe(
            cohort["X"], classes, baseline=cohort["size"], n_repeats=1, n_bootstrap=20, learning_shares=(0.5, 1.0)
        )
        return probe.screen(learned, baseline_name=named("baseline"), footer=footer)
    if name == "survival":
        rng = np.random.default_rng(0)
        score = cohort["size"]
        told = by_score(
            score,
            rng.exponential(1000 / score),
            rng.random(60) > 0.3,
            covariates={named("age"): rng.normal(size=60), named("site"): classes},
            n_bootstrap=20,
        )
        groups = tuple(replace(one, name=named(one.name)) for one in told.groups)
        return survival.screen(
            replace(told, groups=groups), score_name=named("score"), time_label=named("time"), footer=footer
        )
    if name == "audit":
        columns = {named("site"): classes, named("size"): cohort["size"], named("one level"): np.full(60, "a")}
        asked = shortcuts(cohort["X"], cohort["stage"], columns, n_permutations=19, n_bootstrap=20)
        return audit.screen(asked, vectors_name=named("vectors"), footer=footer)
    if name == "retrieval":
        return retrieval.screen(evaluate(cohort["X"], classes, n_bootstrap=20), footer=footer)
    if name in ("compare", "set_similarity"):
        sets = [cohort["X"], cohort["X"] + np.random.default_rng(1).normal(size=cohort["X"].shape)]
        names = (named("one"), named("two"))
        both = compare_sets(
            sets, names, stage=cohort["stage"], label=classes, n_permutations=19, n_bootstrap=20, n_repeats=1, k=(5,)
        )
        if name == "compare":
            assert both.probe is not None
            return compare.screen(both.probe, footer=footer)
        assert both.similarity is not None
        return set_similarity.screen(both.similarity, names, 5, footer=footer)
    numbers = name == "map_of_numbers"
    column = (
        ColourColumn(named("size"), cohort["size"], "continuous", unit=named("ml"))
        if numbers
        else ColourColumn(named("stage"), classes.astype(object), "category")
    )
    hover = pd.DataFrame({named("site"): classes})
    axes = (named("one"), named("two"))
    return map.screen(cohort["coordinates"], ids, column, hover=hover, axis_names=axes, footer=footer)
