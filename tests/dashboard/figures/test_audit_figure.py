"""The audit's forest: what it draws is what the result holds, and it reads without colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from dashboard.figures import audit, figure_bytes
from embeddings.analysis import ShortcutAudit, p_bracketed, shortcuts

FOOTER = "Simulated demonstration cohort"
NAMES = ["<b>site</b>", "tumour size (mm)", "sex", "one level"]


@pytest.fixture(scope="module")
def result() -> ShortcutAudit:
    rng = np.random.default_rng(0)
    stage = np.arange(80) % 3
    site = np.where((stage > 0) ^ (rng.random(80) < 0.15), "south", "north")
    X = rng.normal(size=(80, 10))
    X[:, 0] += 2.0 * (site == "south")
    columns = {
        NAMES[0]: site,
        NAMES[1]: 10.0 + 5 * stage + rng.normal(size=80),
        NAMES[2]: np.array(["f", "m"])[rng.integers(0, 2, 80)],
        NAMES[3]: np.full(80, "a"),
    }
    return shortcuts(X, stage, columns, n_permutations=99, n_bootstrap=50)


def with_many(result: ShortcutAudit, count: int) -> ShortcutAudit:
    columns = tuple(
        replace(result.columns[k % 4], name=f"a rather long name of a column, number {k}") for k in range(count)
    )
    return replace(result, columns=columns)


def test_the_screen_places_each_column_at_its_own_concordance(result: ShortcutAudit) -> None:
    figure = audit.screen(result, vectors_name="vectors (nano)", footer=FOOTER)
    own, alone, chance = figure.data
    assert own.x == (result.stage_auc.value,)
    tested = result.columns[:3]
    assert alone.x == tuple(one.stage_from_column.value for one in tested)
    assert np.array(alone.x) + alone.error_x.array == pytest.approx([one.stage_from_column.high for one in tested])
    assert np.array(alone.x) - alone.error_x.arrayminus == pytest.approx([one.stage_from_column.low for one in tested])
    assert chance.x == tuple(one.stage_from_column_chance for one in tested)
    assert chance.y == alone.y
    assert set(chance.marker.symbol.split()) == {"line-ns-open"}
    assert figure.layout.yaxis.ticktext[:2] == ("vectors (nano)", "&lt;b&gt;site&lt;/b&gt;")
    assert "<b>site" not in figure.to_json().replace("\\u003c", "<")
    texts = [note.text for note in figure.layout.annotations]
    assert texts.count("not tested") == 1
    assert any(FOOTER in text for text in texts)
    assert figure.layout.paper_bgcolor == "rgba(0,0,0,0)"


def test_shape_and_filling_say_what_colour_says(result: ShortcutAudit) -> None:
    own, alone, _ = audit.screen(result).data
    assert own.marker.symbol == ("square",)
    goes = [one.association_p_adjusted < 0.05 for one in result.columns[:3]]
    assert set(goes) == {True, False}
    assert [symbol == "circle" for symbol in alone.marker.symbol] == goes
    assert set(alone.marker.symbol) == {"circle", "circle-open"}

    axes = Figure().subplots()
    audit.draw(axes, result)
    marks = [line for line in axes.get_lines() if line.get_marker() == "o"]
    assert [to_hex(line.get_markerfacecolor()) != "#ffffff" for line in marks] == goes


def test_every_tested_column_has_its_own_chance_as_a_tick_in_print_and_in_the_range(result: ShortcutAudit) -> None:
    low = replace(result.columns[0], stage_from_column_chance=0.05)
    shown = replace(result, columns=(low, *result.columns[1:]))
    axes = Figure().subplots()
    audit.draw(axes, shown)
    ticks = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.get_lines() if line.get_marker() == "|"]
    assert ticks == [(one.stage_from_column_chance, at) for at, one in enumerate(shown.columns[:3], start=1)]
    assert axes.get_xlim()[0] < 0.05
    assert audit.screen(shown).layout.xaxis.range[0] < 0.05
    assert "tick: chance" in axes.get_xlabel()


def test_a_mark_is_filled_by_the_adjusted_p_only(result: ShortcutAudit) -> None:
    first, *others = result.columns
    one = replace(first, association_p=0.01, association_p_adjusted=0.2)
    alone = audit.screen(replace(result, columns=(one, *others))).data[1]
    assert alone.marker.symbol[0] == "circle-open"


def test_numbers_beside_the_forest_carry_a_filled_dot_where_beyond_chance(result: ShortcutAudit) -> None:
    texts = [note.text for note in audit.screen(result).layout.annotations]
    for one in result.columns[:3]:
        measure = "AUC" if one.kind == "categorical" else "rho"
        for name, found, p in (
            (measure, one.column_from_vectors, one.column_from_vectors_p_adjusted),
            ("rho", one.after_removal, one.after_removal_p_adjusted),
        ):
            assert f"{'●' if p < 0.05 else '○'} {name} {found.value:z.2f}" in texts
    site = result.columns[0]
    assert site.column_from_vectors_p_adjusted < 0.05


@pytest.mark.parametrize("count", [1, 4, 60])
def test_prints_keep_all_text_on_the_page_and_apart(result: ShortcutAudit, count: int) -> None:
    figure = audit.print_figure(with_many(result, count), vectors_name="vectors (flexict-nano)", footer=FOOTER)
    assert figure.get_size_inches()[0] * 25.4 == pytest.approx(120)
    assert figure.get_size_inches()[1] * 25.4 < 247
    figure_bytes(figure, "png")
    inside = figure.get_tightbbox().get_points() * figure.dpi
    assert inside.min() >= -2
    assert (inside[1] <= np.array(figure.bbox.size) + 2).all()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert not any(one.overlaps(other) for k, one in enumerate(boxes) for other in boxes[:k])
    svg = figure_bytes(figure, "svg").decode()
    assert FOOTER in svg
    assert ("24 more columns in the table" in svg) == (count == 60)


def test_the_forest_is_drawn_into_given_axes_with_only_as_many_columns_as_asked(result: ShortcutAudit) -> None:
    figure = Figure(figsize=(3.5, 2.5), layout="constrained")
    axes = figure.subplots()
    audit.draw(axes, result, vectors_name="nano", most=2)
    figure_bytes(figure, "png")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["nano", *NAMES[:2]]
    assert any(line.get_xdata()[0] == 0.5 and line.get_linestyle() == "--" for line in axes.get_lines())
    assert axes.bbox.width > 0.2 * figure.bbox.width


def test_names_with_dollar_signs_are_not_read_as_mathematics(result: ShortcutAudit) -> None:
    figure = audit.print_figure(replace(result, columns=(replace(result.columns[0], name=r"$\cost$"),)))
    assert b"cost" in figure_bytes(figure, "svg")


def test_tables_hold_the_numbers_of_the_result(result: ShortcutAudit) -> None:
    table = audit.data(result, vectors_name="nano").set_index("column")
    assert list(table.index) == ["nano", *NAMES]
    assert table.loc["nano", "stage_auc"] == result.stage_auc.value
    for one in result.columns[:3]:
        row = table.loc[one.name]
        assert row["association_p_adjusted"] == one.association_p_adjusted
        assert row["from_vectors_p_adjusted"] == one.column_from_vectors_p_adjusted
        assert row["stage_rho_without"] == one.after_removal.value
        assert row["stage_auc_chance"] == one.stage_from_column_chance
        assert row["stage_auc_p"] == one.stage_from_column_p
        assert row["stage_auc_p_adjusted"] == one.stage_from_column_p_adjusted
        assert row["verdict"] == one.verdict
    assert "nothing can be compared" in table.loc["one level", "note"]

    summary = audit.summary(result).set_index("column")
    site = result.columns[0]
    assert summary.loc[NAMES[0], "associated with stage"].startswith(f"V {site.association_value:.2f}, p")
    assert summary.loc[NAMES[1], "associated with stage"].startswith("eta ")
    both = p_bracketed(site.stage_from_column_p, site.stage_from_column_p_adjusted)
    assert f"], {both}" in summary.loc[NAMES[0], "predicts stage, AUC"]
    assert summary.loc["one level"].tolist()[1:] == ["", "", "", ""]

    left = audit.left_out_data(result)
    expected = [(one.name, part.level, part.auc) for one in result.columns for part in one.left_out]
    assert expected
    assert list(left[["column", "level", "auc_left_out"]].itertuples(index=False, name=None)) == expected
    assert left["drop"].to_numpy() == pytest.approx(left["auc_within"] - left["auc_left_out"])


def test_the_key_counts_only_the_columns_that_were_tested(result: ShortcutAudit) -> None:
    figure = audit.screen(result)
    assert figure.layout.title.text.endswith("80 cases of 80 patients")
    key = figure.layout.xaxis.title.text.replace("<br>", " ")
    assert key.endswith("filled: p &lt; 0.05, one-sided, adjusted: Benjamini-Hochberg over 3 columns")
