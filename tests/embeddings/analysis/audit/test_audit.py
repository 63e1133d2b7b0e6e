from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from embeddings.analysis import Adjusted, Gram, stage_gradient
from embeddings.analysis.audit.audit import shortcuts
from embeddings.analysis.audit.covariate import OTHER, read_covariate
from embeddings.analysis.audit.shortcut import verdict
from flexict.errors import FlexiCTError

QUICK: dict[str, Any] = {"n_permutations": 199, "n_bootstrap": 50}


def cohort(*, follows: str, n: int = 120, seed: int = 0) -> tuple[Any, Any, Any]:
    """Vectors, stage 0..2 and site a, b or c; the vectors follow "site", "stage", both or "nothing".

    The site goes with the stage: seven in ten of a stage come from one site.
    """
    rng = np.random.default_rng(seed)
    stage = rng.integers(0, 3, n)
    site = np.where(rng.random(n) < 0.7, stage, rng.integers(0, 3, n))
    X = rng.normal(size=(n, 60))
    if "site" in follows:
        X[:, :9] += 1.5 * np.eye(3)[site].repeat(3, axis=1)
    if "stage" in follows:
        X[:, 20:26] += 0.8 * stage[:, None]
    return X, stage, np.array(["a", "b", "c"])[site]


def test_a_gradient_that_is_the_site_is_told() -> None:
    X, stage, site = cohort(follows="site", seed=1)
    found = shortcuts(X, stage, {"site": site}, **QUICK)
    column = found.columns[0]
    assert found.stage_auc.low > 0.5
    assert column.association == "Cramer's V"
    assert column.association_p_adjusted < 0.05
    assert column.column_from_vectors.low > 0.8
    assert column.after_removal_p > 0.05
    assert found.verdicts[0].startswith("site alone explains the stage axis here: it is associated with stage")
    # Without any case of a site to learn from, the site's own signal no longer helps.
    assert np.mean([one.auc for one in column.left_out]) < 0.62


def test_a_gradient_beside_the_site_stands() -> None:
    X, stage, site = cohort(follows="site and stage")
    found = shortcuts(X, stage, {"site": site}, **QUICK)
    column = found.columns[0]
    assert column.after_removal.low > 0.2
    assert (
        "but it alone does not explain the stage axis: with it removed from the vectors, the axis still"
        in column.verdict
    )
    assert {one.level for one in column.left_out} == {"a", "b", "c"}
    assert sum(one.n for one in column.left_out) == 120
    assert min(one.auc for one in column.left_out) > 0.6
    for one in column.left_out:
        assert one.drop == pytest.approx(one.within - one.auc)


def test_a_verdict_can_be_read_in_one_way_only() -> None:
    X, stage, site = cohort(follows="site", seed=1)
    column = shortcuts(X, stage, {"site": site}, **QUICK).columns[0]
    assert column.explains_axis
    assert verdict(column) == (
        "site alone explains the stage axis here: it is associated with stage (Cramer's V "
        f"{column.association_value:.2f}), the vectors predict "
        f"it (AUC {column.column_from_vectors.value:.2f}), and with it removed from the vectors no stage axis is shown "
        f"(rho {column.after_removal.value:.2f}; rho {column.before_removal.value:.2f} before removal)."
    )
    beyond = replace(column, after_removal_p_adjusted=0.01)
    assert not beyond.explains_axis
    assert "it alone does not explain the stage axis" in verdict(beyond)
    unpredicted = replace(column, column_from_vectors_p_adjusted=0.3)
    assert not unpredicted.explains_axis
    assert "but the vectors are not shown to predict it" in verdict(unpredicted)
    unrelated = replace(column, association_p_adjusted=0.3)
    assert not unrelated.explains_axis
    assert verdict(unrelated).startswith("site is not shown to be associated with stage")


def test_where_there_is_no_stage_axis_nothing_explains_it() -> None:
    X, stage, site = cohort(follows="site", seed=1)
    column = replace(shortcuts(X, stage, {"site": site}, **QUICK).columns[0], before_removal_p_adjusted=0.3)
    assert not column.explains_axis
    assert "there is no stage axis to explain" in verdict(column)


def test_what_the_gradient_does_not_call_an_axis_is_not_explained_here() -> None:
    X, stage, site = cohort(follows="site", seed=1)
    some = np.where(np.arange(120) < 80, site, None)
    own = shortcuts(X, stage, {"site": site, "some": some}, **QUICK)
    assert [one.before_removal_p_adjusted for one in own.columns] == [one.before_removal_p for one in own.columns]
    assert [one.explains_axis for one in own.columns] == [True, True]
    gradient = stage_gradient(X, stage, **QUICK)
    found = own.with_axis(replace(gradient, p_permutation=0.016, p_adjusted=0.08, n_tests=5))
    assert (found.axis.p_permutation, found.axis.adjusted) == (0.016, Adjusted(0.08, 5))
    everyone, incomplete = found.columns
    assert everyone.before_removal_p == 0.016, "the same test has the same p"
    assert incomplete.before_removal_p == own.columns[1].before_removal_p, "other cases, another test"
    for one in found.columns:
        assert one.before_removal_p_adjusted == 0.08
        assert not one.explains_axis
        assert "there is no stage axis to explain" in one.verdict
    assert [one.explains_axis for one in own.with_axis(gradient).columns] == [True, True]


def test_an_axis_of_all_cases_need_not_be_one_of_the_cases_with_a_value() -> None:
    X, stage, site = cohort(follows="site", seed=1)
    found = shortcuts(X, stage, {"site": np.where(np.arange(120) < 80, site, None)}, **QUICK)
    column = replace(found.columns[0], before_removal_p=0.2)
    found = replace(found, columns=(column,)).with_axis(found.axis)
    assert found.axis.p_adjusted < 0.05
    assert found.columns[0].before_removal_p_adjusted == 0.2
    assert not found.columns[0].explains_axis


def test_the_axis_before_removal_is_the_one_of_the_cases_with_a_value() -> None:
    X, stage, site = cohort(follows="stage")
    found = shortcuts(X, stage, {"site": site, "some": [*site[:80], *[None] * 40]}, **QUICK)
    everyone, some = found.columns
    alone = shortcuts(X[:80], stage[:80], {"site": site[:80]}, **QUICK).columns[0]
    assert everyone.before_removal.value > 0.4
    assert everyone.before_removal_p == 1 / 200
    assert some.before_removal.value != everyone.before_removal.value
    assert alone.before_removal.value == pytest.approx(some.before_removal.value, abs=0.05)


def test_what_the_vectors_do_not_hold_is_no_shortcut() -> None:
    X, stage, site = cohort(follows="stage")
    rng = np.random.default_rng(1)
    random_site = rng.permutation(site)
    found = shortcuts(X, stage, {"site": random_site, "age": rng.normal(60, 8, 120)}, **QUICK)
    for column in found.columns:
        assert column.association_p_adjusted > 0.05
        assert "is not shown to be associated with stage" in column.verdict
        assert column.stage_from_column.low < 0.55


def test_size_is_read_as_a_number_whatever_its_scale() -> None:
    rng = np.random.default_rng(0)
    stage = rng.integers(0, 3, 100)
    size = np.exp(0.8 * stage + 0.5 * rng.normal(size=100))
    X = rng.normal(size=(100, 40))
    X[:, :5] += np.log(size)[:, None]
    found = shortcuts(X, stage, {"diameter": size, "volume": size**3}, **QUICK)
    diameter, volume = found.columns
    assert diameter.association == "correlation ratio eta"
    assert diameter.kind == "numeric"
    assert diameter.stage_from_column == volume.stage_from_column
    assert diameter.stage_from_column.low > 0.7
    assert diameter.column_from_vectors.value > 0.7
    assert "diameter alone explains the stage axis here" in diameter.verdict


def test_the_tests_of_an_audit_are_calibrated() -> None:
    p = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        X, stage, _ = cohort(follows="nothing", n=45, seed=seed)
        columns = {"site": rng.permutation(np.repeat(["a", "b", "c"], 15)), "age": rng.normal(size=45)}
        for one in shortcuts(X, stage, columns, n_permutations=39, n_bootstrap=2, seed=seed).columns:
            p.append([one.association_p, one.column_from_vectors_p, one.after_removal_p, one.stage_from_column_p])
    assert np.abs(np.mean(p, axis=0) - 0.5).max() < 0.12
    assert np.mean(np.array(p) <= 0.1, axis=0).max() < 0.2


def test_scans_of_a_patient_stay_together() -> None:
    rng = np.random.default_rng(3)
    X = np.repeat(rng.normal(size=(30, 100)), 3, axis=0) + 0.01 * rng.normal(size=(90, 100))
    patient = np.repeat(np.arange(30), 3)
    site = rng.permutation(np.repeat(["a", "b"], 15))[patient]
    stage = rng.integers(0, 2, 30)[patient]
    found = shortcuts(X, stage, {"site": site}, patient=patient, **QUICK).columns[0]
    assert found.column_from_vectors.value < 0.7
    assert found.column_from_vectors_p > 0.05
    leaked = shortcuts(X, stage, {"site": site}, **QUICK).columns[0]
    assert leaked.column_from_vectors.value > 0.9


def test_columns_that_cannot_be_audited_say_why_and_the_rest_goes_on() -> None:
    X, stage, site = cohort(follows="site")
    given = {
        "one site": ["a"] * 120,
        "empty": [None] * 120,
        "id": [f"case {i}" for i in range(120)],
        "few": [1.0, 2.0, 3.0, *[np.nan] * 117],
        "site": site,
    }
    found = shortcuts(X, stage, given, **QUICK)
    notes = {column.name: column.note for column in found.columns}
    assert "has the same value, a, in every case" in notes["one site"]
    assert "has no value" in notes["empty"]
    assert "fewer than two levels of 3 patients" in notes["id"]
    assert "has a value in 3 cases of 3 patients" in notes["few"]
    assert notes["site"] == ""
    assert np.isfinite(found.columns[-1].association_p_adjusted)
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_p_values_are_adjusted_over_the_columns() -> None:
    X, stage, site = cohort(follows="site")
    rng = np.random.default_rng(0)
    alone = shortcuts(X, stage, {"site": site}, **QUICK).columns[0]
    among = shortcuts(X, stage, {"site": site, **{f"x{i}": rng.normal(size=120) for i in range(4)}}, **QUICK).columns[0]
    assert alone.association_p_adjusted == alone.association_p == among.association_p
    assert among.association_p_adjusted == pytest.approx(5 * among.association_p)


def test_rare_levels_are_one_and_flags_are_categories() -> None:
    patient = np.arange(20)
    column = read_covariate("site", ["a"] * 9 + ["b"] * 8 + ["c", "d", None], patient)
    assert column.levels == ("a", "b", OTHER)
    assert np.bincount(column.values.astype(int)).tolist() == [9, 8, 2]
    assert read_covariate("event", [True, False] * 10, patient).levels == ("False", "True")
    assert read_covariate("sex", [0, 1] * 10, patient).levels == ("0", "1")
    assert read_covariate("age", np.arange(20.0), patient).levels == ()
    infinite = read_covariate("age", [np.inf, *range(19)], patient)
    assert infinite.present.sum() == 19
    with pytest.raises(FlexiCTError, match="one value of age"):
        read_covariate("age", [1, 2], patient)


def test_a_gram_matrix_serves_as_well() -> None:
    X, stage, site = cohort(follows="site")
    assert (
        shortcuts(Gram.of(X, "test"), stage, {"site": site}, **QUICK).to_dict()
        == shortcuts(X, stage, {"site": site}, **QUICK).to_dict()
    )


def test_chance_for_a_column_of_two_levels_is_what_useless_columns_reach() -> None:
    reached, chance = [], []
    for seed in range(30):
        X, stage, _ = cohort(follows="nothing", n=60, seed=seed)
        column = np.random.default_rng(seed + 100).permutation(np.repeat(["f", "m"], 30))
        found = shortcuts(X, stage, {"sex": column}, n_permutations=99, n_bootstrap=1, seed=seed).columns[0]
        reached.append(found.stage_from_column.value)
        chance.append(found.stage_from_column_chance)
    assert np.mean(reached) < 0.48
    assert np.mean(reached) == pytest.approx(np.mean(chance), abs=0.03)


def test_missing_values_of_pandas_and_decimal_numbers_are_read() -> None:
    patient = np.arange(30)
    ages = pd.array([None, *range(40, 69)], dtype="Int64")
    assert read_covariate("age", ages, patient).present.sum() == 29
    sites = pd.array(["a", "b", None] * 10, dtype="string")
    assert read_covariate("site", sites, patient).levels == ("a", "b")
    assert read_covariate("dose", [Decimal(i) for i in range(30)], patient).levels == ()


def test_a_column_that_is_the_stage_is_told_and_the_others_are_audited() -> None:
    X, stage, site = cohort(follows="stage")
    found = shortcuts(X, stage, {"group": np.array(["x", "y", "z"])[stage], "site": site}, **QUICK)
    assert np.isnan(found.columns[0].after_removal_p)
    assert found.verdicts[0].startswith("group alone explains the stage axis here")
    assert np.isfinite(found.columns[1].after_removal_p_adjusted)
    with pytest.raises(FlexiCTError, match="at least 1 permutation,"):
        shortcuts(X, stage, {"site": site}, n_permutations=0)
