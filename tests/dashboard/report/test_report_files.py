"""What the command writes: the files, the numbers in them, and what they say of the data."""

from __future__ import annotations

import csv
import json
import math
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dashboard.data import columns
from dashboard.data.caveats import T_STAGE_AND_SIZE
from dashboard.report.arguments import ReportSettings
from dashboard.report.cohort_selection import select_cases
from embeddings.analysis import evaluate, linear_probe, p_number, stage_gradient
from embeddings.analysis.gram import Gram

LETTERS = "abcdefghi"
PANELS = (
    *("a_retrieval", "b_linear_probe", "c_discriminants", "d_stage_axis", "e_size", "f_shortcuts", "g_after_size"),
    *("h_size_matched", "i_survival", "pseudotime"),
)
MM_AN_INCH = 25.4


@pytest.fixture(scope="module")
def record(full_report: Path) -> dict[str, Any]:
    def refuse(token: str) -> None:
        raise AssertionError(f"report.json holds {token}")

    return json.loads((full_report / "report.json").read_text("utf-8"), parse_constant=refuse)


@pytest.fixture(scope="module")
def html(full_report: Path) -> str:
    return (full_report / "report.html").read_text("utf-8")


def test_the_figure_every_panel_and_its_data_are_there(full_report: Path, record: dict[str, Any]) -> None:
    for name in PANELS:
        for kind in ("svg", "pdf", "png"):
            assert (full_report / "panels" / f"{name}.{kind}").stat().st_size > 1000
        assert (full_report / "data" / f"{name}.csv").stat().st_size > 50
    present = {path.relative_to(full_report).as_posix() for path in full_report.rglob("*") if path.is_file()}
    assert present == set(record["files"])
    assert not list(full_report.parent.glob(".*")), "nothing is left beside the folder"


def test_the_figure_is_two_columns_wide_at_300_dpi_with_letters(full_report: Path) -> None:
    image = Image.open(full_report / "figure.png")
    assert image.width / 300 * MM_AN_INCH == pytest.approx(183, abs=0.2)
    assert image.height / 300 * MM_AN_INCH < 250, "higher than a journal page"
    assert image.info["dpi"][0] == pytest.approx(300, abs=1)
    svg = (full_report / "figure.svg").read_text("utf-8")
    bold = re.findall(r"font-weight: 700; font-size: 8px[^>]*>([a-i])<", svg)
    assert sorted(bold) == list(LETTERS)
    sizes = [float(size) for size in re.findall(r"font-size: ([\d.]+)px", svg)]
    assert min(sizes) >= 6.0
    assert "Linear probe of stage" in svg, "text is text"


def test_the_fonts_are_embedded_as_truetype(full_report: Path) -> None:
    pdf = (full_report / "figure.pdf").read_bytes()
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf


def test_the_numbers_are_those_of_the_analyses_called_directly(
    record: dict[str, Any], cohort_path: Path, set_ids: dict[str, str]
) -> None:
    cohort = select_cases(
        ReportSettings(
            cohort_path, "t_category", size="diameter_mm", covariates=("age", "site"), set_id=set_ids["lesion"]
        )
    )
    site = (cohort.frame["site"] == "south").to_numpy(dtype=float)
    extra = np.column_stack([cohort.frame["age"].to_numpy(dtype=float), site])
    gradient = stage_gradient(
        Gram.of(cohort.vectors, "test"),
        cohort.stage,
        patient=cohort.patients,
        size=cohort.size,
        covariates=extra,
        n_permutations=19,
        n_bootstrap=25,
        seed=3,
    )
    found = record["results"]["gradient"]
    for part, mine in ((found, gradient), (found["residual"], gradient.residual), (found["lda"], gradient.lda)):
        assert mine is not None
        for name in ("rho", "rho_low", "rho_high", "p_permutation", "rho_in_sample"):
            assert part[name] == pytest.approx(getattr(mine, name), abs=1e-9)
    probe = linear_probe(
        cohort.vectors,
        cohort.stage,
        patient=cohort.patients,
        baseline=cohort.size,
        n_repeats=10,
        n_bootstrap=25,
        seed=3,
    )
    assert record["results"]["probe"]["embedding"]["auc"]["value"] == pytest.approx(probe.embedding.auc.value, abs=1e-6)
    assert record["results"]["probe"]["classes"] == ["T1a", "T2", "T3"]
    one = evaluate(cohort.vectors, cohort.stage, patient=cohort.patients, k=(1, 3), n_bootstrap=25, seed=3)
    shown = record["results"]["retrieval"][0]
    assert (shown["protocol"], shown["at_k"][0]["recall"]) == ("leave-patient-out", one.at_k[0].recall)


def test_every_lost_case_is_counted_with_its_reason(record: dict[str, Any], html: str) -> None:
    flow = {step["step"]: (step["n"], {one["why"]: one["n"] for one in step["lost"]}) for step in record["flow"]}
    assert flow["in the cohort file"] == (52, {})
    assert flow["embedded"] == (50, {"the file is cut off": 2})
    n_staged, lost = flow["staged"]
    assert n_staged == 46
    assert lost["unstaged"] == 3
    assert sum(n for why, n in lost.items() if "banana" in why) == 1
    assert flow["with diameter"] == (44, {"size missing": 2})
    assert flow["analysed"][0] == record["n"] == len(record["case_ids"]) == sum(record["stage"]["n"]) == 44
    assert record["n_patients"] == 40 + 2
    assert "banana" in html
    assert "the file is cut off" in html


def test_settings_versions_and_provenance_are_recorded(record: dict[str, Any], cohort_path: Path) -> None:
    assert {"python", "numpy", "scipy", "scikit-learn", "flexict-phenotype-explorer"} <= set(record["versions"])
    assert record["seed"] == 3
    assert record["settings"]["covariates"] == ["age", "site"]
    assert re.fullmatch("[0-9a-f]{64}", record["cohort"]["csv_sha256"])
    assert set(record["sha256"]) == set(record["files"]) - {"report.json"}
    assert record["embedding_set"]["encoder"] == "flexict-nano"
    assert record["embedding_set"]["weights_sha256"] == "0" * 64
    assert record["compared_sets"][0]["encoder"] == "flexict-3d"
    assert record["simulated"] is False
    assert str(cohort_path) in record["command"]
    assert "--seed 3" in record["command"]
    assert record["refused"] == {}


def test_a_p_is_adjusted_over_the_tests_of_its_own_analysis(full_report: Path, record: dict[str, Any]) -> None:
    tests = {row["test"]: row for row in record["main_tests"]}
    axis = [row for name, row in tests.items() if name.startswith(("Stage axis", "Discriminant"))]
    probe = [row for name, row in tests.items() if name.startswith("Probe")]
    assert (len(axis), len(probe)) == (5, 3)
    for family in (axis, probe):
        by_hand = holm_by_hand([row["p"] for row in family])
        assert [row["p adjusted"] for row in family] == pytest.approx(by_hand)
        assert {row["adjusted by"] for row in family} == {f"Holm over {len(family)} tests"}
    assert all(tests[name]["p adjusted"] is None for name in ("Pseudotime", "Survival by tertile, log-rank"))
    assert {row["sides"] for row in axis} == {"one-sided"}
    assert [row["sides"] for row in probe] == ["one-sided", "two-sided", "two-sided"]


def holm_by_hand(values: list[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    found, largest = [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, values[place] * (len(values) - rank)))
        found[place] = largest
    return found


def test_one_test_has_one_p_wherever_it_is_written(full_report: Path, record: dict[str, Any], html: str) -> None:
    main = {row["test"]: row for row in record["main_tests"]}
    with (full_report / "data" / "h_size_matched.csv").open(newline="", encoding="utf-8") as stream:
        panel = {row["axis"]: row for row in csv.DictReader(stream)}
    for name, axis in (
        ("Stage axis, out of fold", "out of fold"),
        ("Stage axis after size and covariates", "after size and covariates"),
        ("Stage axis at similar size", "at similar size"),
        ("Discriminant, out of fold", "LDA axis"),
    ):
        assert float(panel[axis]["p_permutation"]) == main[name]["p"]
        assert float(panel[axis]["p_adjusted"]) == main[name]["p adjusted"]
    row, text = main["Stage axis, out of fold"], visible(html)
    words = f"one-sided p = {p_number(row['p'])}, {p_number(row['p adjusted'])} after Holm over 5 tests"
    assert text.count(words) >= 2, "in the headline and in the methods"
    assert words in (full_report / "methods.md").read_text("utf-8")
    assert words in " ".join(figure_texts(full_report / "panels" / "d_stage_axis.svg"))
    with (full_report / "data" / "b_linear_probe.csv").open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["p"]]
    probe = [row for name, row in main.items() if name.startswith("Probe")]
    assert [float(row["p"]) for row in rows] == [row["p"] for row in probe]
    assert [float(row["p_adjusted"]) for row in rows] == pytest.approx([row["p adjusted"] for row in probe])


def test_the_probe_panel_says_which_way_a_comparison_goes(full_report: Path, record: dict[str, Any]) -> None:
    said = " ".join(figure_texts(full_report / "panels" / "b_linear_probe.svg"))
    probe = record["results"]["probe"]
    assert "against chance: AUC" in said
    outcomes = {
        True: ("better than diameter", "worse than diameter"),
        False: ("no difference from diameter shown",) * 2,
    }
    for one in probe["differences"]:
        better, worse = outcomes[one["p_adjusted"] < 0.05]
        assert (better if one["value"] > 0 else worse) in said
        assert f"minus diameter: {one['value']:+z.2f} [{one['low']:+z.2f}, {one['high']:+z.2f}], two-sided p" in said
    values = re.findall(r"0\.\d\d \[0\.\d\d, [01]\.\d\d\][^;]{0,6}p ", said)
    assert not values, "no p stands beside a value of the forest"


def figure_texts(path: Path) -> list[str]:
    """The texts of an SVG in the order in which they are drawn, no-break spaces as spaces."""
    found = re.findall(r"<(?:text|tspan)[^>]*>([^<]*)<", path.read_text("utf-8"))
    return [unescape(one).replace("\u00a0", " ") for one in found]


def visible(html: str) -> str:
    page = _Page()
    page.feed(html)
    return " ".join("".join(page.text).replace("\u00a0", " ").split())


def test_every_p_is_written_in_one_format(full_report: Path, html: str) -> None:
    for text in (visible(html), (full_report / "methods.md").read_text("utf-8")):
        assert not re.search(r"p(-value)? ?[=<] ?\d+(\.\d+)?e-", text)
        assert not re.search(r"\d(\.\d+)?e-\d\d", text)
        assert all(re.fullmatch(r"0\.\d{2,6}|1\.00", one) for one in re.findall(r"\bp = ([\d.]+\d)", text))
    assert not re.search(r"\bNone\b(?! of)", visible(html))
    for name in ("p_adjusted", "p_permutation", "ph_p", "rho_low", "n_patients", "stage_auc"):
        assert name not in html, "a column's name in the program is no heading"


def test_page_and_report_audit_the_same_columns_by_default(cohort_path: Path, set_ids: dict[str, str]) -> None:
    cohort = select_cases(ReportSettings(cohort_path, "t_category", set_id=set_ids["lesion"]))
    on_page = columns.suspects(cohort.frame, "t_category", cohort.stage)
    assert list(cohort.suspects) == [columns.label(one) for one in on_page]
    assert {"diameter (mm)", "site", "age (years)"} - {"age (years)"} <= set(cohort.suspects)
    asked = select_cases(ReportSettings(cohort_path, "t_category", size="diameter_mm", set_id=set_ids["lesion"]))
    assert set(asked.suspects) == set(cohort.suspects), "a size that is asked for is audited once"


class _Page(HTMLParser):
    """Tags, the addresses they load or lead to, and the visible text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_needs_nothing_and_escapes_hostile_names(html: str) -> None:
    page = _Page()
    page.feed(html)
    assert "script" not in page.tags
    assert page.handlers == []
    assert page.addresses
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert "@import" not in html
    assert "url(" not in html
    text = "".join(page.text)
    assert "<img src=x onerror=alert(1)> & co" in text, "the cohort's name, as text"
    assert "prefers-color-scheme: dark" in html


def test_the_page_and_figures_say_that_the_encoder_is_not_flexict(full_report: Path, html: str) -> None:
    for name in ("report.html", "methods.md", "figure.svg"):
        text = (full_report / name).read_text("utf-8")
        assert "not the published FlexiCT" in " ".join(text.split())
    assert "never for diagnosis" in html
    assert "diagnos" not in html.replace("never for diagnosis", "").replace("diagnostics based", "")


def test_csv_files_defuse_formulas_and_hold_what_is_drawn(full_report: Path, record: dict[str, Any]) -> None:
    for path in (full_report / "data").glob("*.csv"):
        with path.open(newline="", encoding="utf-8") as stream:
            cells = [cell for row in csv.reader(stream) for cell in row]
        # A number may begin with a minus; text may not begin as a formula.
        assert not [cell for cell in cells if cell.startswith(("=", "@", "+")) and not _is_number(cell)], path.name
    with (full_report / "data" / "d_stage_axis.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["case_id"] for row in rows] == record["case_ids"]
    score = record["results"]["gradient"]["score"]
    assert [float(row["score"]) for row in rows] == pytest.approx(score)


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def test_the_methods_hold_the_true_numbers(full_report: Path, record: dict[str, Any]) -> None:
    text = (full_report / "methods.md").read_text("utf-8")
    gradient = record["results"]["gradient"]
    assert f"rho = {gradient['rho']:z.3f}" in text
    assert f"{gradient['n_repeats']} times" in text
    assert "19 permutations" in text
    assert "n = 44 cases of 42 patients" in text
    assert "Seed 3" in text
    assert "Counted as an event: '1'. Counted as censored: '0'." in text
    assert record["results"]["survival"]["read_as_event"] == ["1"]
    assert T_STAGE_AND_SIZE in text, "the stage is a T stage, and a size is given"
    assert f"numpy {record['versions']['numpy']}" in text
    assert re.search(r"(?<!\\)<img", text) is None, "the cohort's name is no markup"
    cited = {int(one) for group in re.findall(r"\[([\d, ]+)\]", text) for one in group.split(",")}
    listed = [int(one) for one in re.findall(r"^(\d+)\. ", text, flags=re.MULTILINE)]
    assert listed == list(range(1, len(listed) + 1))
    assert set(listed) <= cited


def test_no_text_of_the_figure_leaves_the_page_or_its_panel(full_report: Path) -> None:
    image = np.asarray(Image.open(BytesIO((full_report / "figure.png").read_bytes())).convert("L"))
    border = np.concatenate([image[:3].ravel(), image[-3:].ravel(), image[:, :3].ravel(), image[:, -3:].ravel()])
    assert border.min() > 250, "ink touches the edge of the page"


def test_the_module_runs_as_a_command_without_streamlit() -> None:
    code = (
        "import sys, dashboard.__main__ as m, dashboard.report.write\n"
        "assert 'streamlit' not in sys.modules\n"
        "m.main(['report', '--help'])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=Path(__file__).resolve().parents[3],
    )
    assert found.returncode == 0
    assert "--group NAME=A,B" in found.stdout
