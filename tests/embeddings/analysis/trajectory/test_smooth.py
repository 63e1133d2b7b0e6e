from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.stats import false_discovery_control, spearmanr

from embeddings.analysis.spline import restricted_cubic_spline
from embeddings.analysis.trajectory.smooth import along, along_each
from flexict.errors import FlexiCTError

FAST: dict[str, Any] = {"n_permutations": 19, "n_bootstrap": 200}


def wave(x: Any) -> Any:
    return np.sin(2 * x) + 0.5 * x**2


@pytest.mark.parametrize(("n", "scans"), [(40, 1), (100, 1), (100, 2)])
def test_the_band_covers_a_known_curve_as_often_as_it_says(n: Any, scans: Any) -> None:
    covered = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        x, patient = rng.uniform(size=n), np.arange(n) // scans
        of_patient = 0.3 * rng.normal(size=n)[patient] * (scans > 1)
        found = along(x, wave(x) + of_patient + 0.3 * rng.normal(size=n), patient=patient, seed=seed, **FAST)
        covered.append((found.low <= wave(found.grid)) & (wave(found.grid) <= found.high))
    assert 0.92 < np.mean(covered) < 0.975


def test_the_band_of_a_share_covers_it_and_stays_between_0_and_1() -> None:
    covered = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        x = rng.uniform(size=120)
        found = along(x, rng.uniform(size=120) < 0.05 + 0.8 * x**2, seed=seed, **FAST)
        assert found.kind == "binary"
        assert 0 <= found.low.min() <= found.high.max() <= 1
        truth = 0.05 + 0.8 * found.grid**2
        covered.append((found.low <= truth) & (truth <= found.high))
    assert 0.90 < np.mean(covered) < 0.98


def test_a_curve_without_noise_is_followed_closely() -> None:
    x = np.random.default_rng(0).uniform(size=300)
    found = along(x, wave(x), **FAST)
    assert found.fit == pytest.approx(wave(found.grid), abs=0.01)
    assert found.n_knots == 5
    assert found.grid[[0, -1]] == pytest.approx([x.min(), x.max()])


def test_the_spline_is_that_of_scipy_between_knots_and_straight_beyond() -> None:
    knots = np.array([0.1, 0.35, 0.65, 0.9])
    x = np.linspace(0, 1, 101)
    design = restricted_cubic_spline(x, knots)
    assert design.shape == (101, 4)
    natural = CubicSpline(knots, [0.3, -1.0, 0.5, 2.0], bc_type="natural")
    inside = (x >= 0.1) & (x <= 0.9)
    coefficients, *_ = np.linalg.lstsq(design[inside], natural(x[inside]), rcond=None)
    assert design[inside] @ coefficients == pytest.approx(natural(x[inside]), abs=1e-9)
    for side in (x < 0.1, x > 0.9):
        assert np.diff(design[side] @ coefficients, 2) == pytest.approx(0, abs=1e-9)


def test_correlation_agrees_with_scipy_and_p_tells_a_course_from_none() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(size=60)
    falling = along(x, -x + 0.3 * rng.normal(size=60), n_permutations=199, n_bootstrap=200)
    assert falling.rho == pytest.approx(spearmanr(falling.time, falling.value).statistic)
    assert falling.rho_low < falling.rho < falling.rho_high < 0
    assert falling.p == pytest.approx(1 / 200)
    p = [
        along(rng.uniform(size=40), rng.normal(size=40), n_permutations=39, n_bootstrap=5, seed=seed).p
        for seed in range(150)
    ]
    assert abs(np.mean(p) - 0.5) < 0.08
    assert np.mean(np.array(p) <= 0.1) < 0.18


def test_scans_of_a_patient_are_permuted_together() -> None:
    p = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        patient = np.arange(120) // 6
        x, y = rng.normal(size=20)[patient] + 0.1 * rng.normal(size=120), rng.normal(size=20)[patient]
        p.append([along(x, y, patient=one, n_permutations=39, n_bootstrap=5).p for one in (patient, None)])
    together, apart = np.mean(np.array(p) <= 0.1, axis=0)
    assert together < 0.18
    assert apart > 0.3


def test_p_is_adjusted_over_all_covariates_and_the_unusable_are_named() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(size=50)
    columns = {
        "age": 10 * x + 2 * rng.normal(size=50),
        "sex": np.where(rng.random(50) < 0.5, "M", "F"),
        "weight": rng.normal(size=50),
        "scanner": ["A", "B", "C", "A", "B"] * 10,
        "constant": np.ones(50),
        "height": [1.7, *[None] * 49],
    }
    found = along_each(x, columns, n_permutations=99, n_bootstrap=50)
    assert [one.name for one in found.smooths] == ["age", "sex", "weight"]
    raw = [one.p for one in found.smooths]
    assert [one.p_adjusted for one in found.smooths] == pytest.approx(false_discovery_control(raw))
    reasons = dict(found.left_out)
    assert "numbers or two groups, but it contains 3 texts" in reasons["scanner"]
    assert "share one" in reasons["constant"]
    assert "there are 1 of 1" in reasons["height"]
    json.dumps(found.to_dict(), allow_nan=False)
    assert along_each(x, {}).smooths == ()


def test_missing_values_are_counted_and_groups_named() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(size=50)
    sex = ["M" if one else "F" for one in rng.random(50) < x]
    found = along(x, [None, *sex[1:-1], np.nan], name="sex", **FAST)
    assert (found.n, found.n_missing, found.kind, found.level) == (48, 2, "binary", "M")
    assert np.array_equal(found.value, [one == "M" for one in sex[1:-1]])
    coded = along(x, [0 if one == "F" else 10 for one in sex], **FAST)
    assert (coded.level, coded.kind) == ("10", "binary")
    assert coded.rho == pytest.approx(along(x, np.array(sex) == "M", **FAST).rho)


def test_cases_heaped_at_few_pseudotimes_get_a_straight_line() -> None:
    rng = np.random.default_rng(0)
    x = np.repeat([0.0, 1.0], 20)
    found = along(x, 3 * x + 0.1 * rng.normal(size=40), **FAST)
    assert found.n_knots == 2
    assert found.fit[[0, -1]] == pytest.approx([0, 3], abs=0.1)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"values": np.ones(29)}, "one value a case: 29 values for 30 cases"),
        ({"pseudotime": np.full(30, np.nan)}, "needs a pseudotime for every case"),
        ({"pseudotime": np.ones(30)}, "pseudotime of all 30 cases is the same"),
        ({"values": [None] * 11 + [1.0, 2.0, 3.0] * 6 + [4.0]}, "at least 20 cases of 10 patients"),
        ({"patient": np.arange(30) % 5}, "there are 30 of 5"),
        ({"values": list("abc") * 10}, "it contains 3 texts"),
    ],
)
def test_what_is_missing_is_said(change: Any, sentence: Any) -> None:
    rng = np.random.default_rng(0)
    given = {"pseudotime": rng.uniform(size=30), "values": rng.normal(size=30)} | change
    with pytest.raises(FlexiCTError, match=sentence):
        along(given.pop("pseudotime"), given.pop("values"), **given, **FAST)
