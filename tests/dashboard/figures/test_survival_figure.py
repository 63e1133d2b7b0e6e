"""The survival figure: what it draws is what the result holds."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from dashboard.figures import figure_bytes, survival
from embeddings.analysis import SurvivalByScore, by_score

FOOTER = "Simulated demonstration cohort"


def analysed(
    *, hazard: float = 0.6, censored: float = 0.3, covariates: bool = True, n_groups: int = 3
) -> SurvivalByScore:
    rng = np.random.default_rng(0)
    score, age = rng.normal(size=(2, 90))
    return by_score(
        score,
        rng.exponential(1000 * np.exp(-hazard * score)),
        rng.random(90) > censored,
        covariates={"age": age, "site": np.array(["<b>north</b>", "south"])[np.arange(90) % 2]} if covariates else None,
        n_groups=n_groups,
        n_bootstrap=20,
    )


@pytest.fixture(scope="module")
def result() -> SurvivalByScore:
    return analysed()


def test_the_screen_draws_each_curve_as_steps_with_its_own_dash(result: SurvivalByScore) -> None:
    figure = survival.screen(result, score_name="Stage <axis>", time_label="Survival (days)", footer=FOOTER)
    curves = {trace.name: trace for trace in figure.data if trace.name}
    assert list(curves) == [f"{g.name}: n = {g.n}, {g.n_events} events" for g in result.groups]
    for group, curve in zip(result.groups, curves.values(), strict=True):
        assert np.array_equal(curve.y, group.survival)
        assert curve.line.shape == "hv"
    assert len({curve.line.dash for curve in curves.values()}) == 3
    assert len({curve.line.color for curve in curves.values()}) == 3
    assert figure.layout.title.text.startswith("Survival by Stage &lt;axis&gt;, 90 patients")
    assert any(FOOTER in note.text for note in figure.layout.annotations)
    assert figure.layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert "<b>north" not in figure.to_json().replace("\\u003c", "<")


def test_the_screen_shows_numbers_at_risk_and_ticks_where_patients_are_censored(result: SurvivalByScore) -> None:
    figure = survival.screen(result)
    counts = [[int(n) for n in trace.text] for trace in figure.data if trace.mode == "text"]
    assert counts == result.at_risk.n.tolist()
    ticks = [trace for trace in figure.data if trace.marker.symbol == "line-ns-open"]
    for group, trace in zip(result.groups, ticks, strict=True):
        assert np.array_equal(trace.x, group.time[group.n_censored > 0])


def test_hazard_ratios_are_placed_by_logarithm_and_written_as_ratios(result: SurvivalByScore) -> None:
    rows = survival.ratio_rows(result, "Stage axis")
    assert [row.label.split("\n")[0] for row in rows] == ["Stage axis", "Stage axis", "age", "site: south"]
    assert result.score_alone is not None
    assert np.exp(rows[0].value) == pytest.approx(result.score_alone.hazard_ratio)
    term = result.cox[0]
    assert rows[1].text.startswith(f"{term.hazard_ratio:.2f} [{term.low:.2f}, {term.high:.2f}], p ")


@pytest.mark.parametrize(("hazard", "censored"), [(0.6, 0.3), (0.1, 0.9), (2.5, 0.0), (0.0, 0.5)])
@pytest.mark.parametrize("n_groups", [2, 5])
def test_prints_keep_all_text_on_the_page(hazard: float, censored: float, n_groups: int) -> None:
    one = analysed(hazard=hazard, censored=censored, n_groups=n_groups)
    figure = survival.print_figure(one, score_name="Equivalent diameter (mm)", time_label="Days", footer=FOOTER)
    figure_bytes(figure, "png")
    inside = figure.get_tightbbox().get_points() * figure.dpi
    assert inside.min() >= -2
    assert (inside[1] <= np.array(figure.bbox.size) + 2).all()
    for axes in figure.axes:
        assert axes.bbox.height > 0.3 * figure.bbox.height


def test_the_print_says_n_events_and_numbers_at_risk(result: SurvivalByScore) -> None:
    figure = survival.print_figure(result, score_name="Stage axis", footer=FOOTER)
    assert figure.get_size_inches()[0] * 25.4 == pytest.approx(183)
    svg = figure_bytes(figure, "svg").decode()
    for text in (FOOTER, "Stage axis", "At risk", "90 patients", *(f"{g.n_events} events" for g in result.groups)):
        assert text in svg
    styles = {
        line.get_linestyle() for line in figure.axes[0].get_lines() if line.get_label().startswith(("low", "mid"))
    }
    assert len(styles) == 2


def test_without_a_cox_model_the_curves_stand_alone_in_one_column() -> None:
    few = analysed(censored=0.95)
    assert few.score_alone is None
    figure = survival.print_figure(few)
    assert len(figure.axes) == 1
    assert figure.get_size_inches()[0] * 25.4 == pytest.approx(89)
    assert "Hazard ratio" not in str(survival.screen(few).layout)
    assert survival.cox_data(few).empty


def test_a_panel_is_drawn_into_given_axes_without_a_legend_over_the_curves(result: SurvivalByScore) -> None:
    figure = Figure(figsize=(3.5, 3.0), layout="constrained")
    axes = figure.subplots()
    survival.draw(axes, result, time_label="Days")
    figure_bytes(figure, "png")
    legend = axes.get_legend().get_window_extent()
    for line in axes.get_lines():
        corners = axes.transData.transform(line.get_xydata())
        inside = (corners > legend.min).all(axis=1) & (corners < legend.max).all(axis=1)
        assert not inside.any()


def test_tables_hold_the_numbers_of_the_result(result: SurvivalByScore) -> None:
    curves = survival.data(result)
    assert len(curves) == sum(len(g.time) for g in result.groups)
    low = curves[curves["group"] == "low score"]
    assert np.array_equal(low["survival"], result.groups[0].survival)
    assert low["n_censored"].sum() == result.groups[0].n - result.groups[0].n_events
    groups = survival.group_data(result)
    assert groups["n"].sum() == result.n
    assert groups["at_risk_0"].tolist() == [g.n for g in result.groups]
    cox = survival.cox_data(result, score_name="Stage axis")
    assert cox["term"].tolist() == ["Stage axis", "Stage axis", "age", "site: south"]
    assert cox["ph_p"].iloc[1] == result.cox[0].ph_p
