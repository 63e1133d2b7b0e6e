"""Names that hold HTML, links, formulas and Markdown are shown as they are, on every page, and exported harmless."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.figures.style.export import csv_bytes
from dashboard.session.settings import Settings
from embeddings.cohort.read import read_cohort
from embeddings.records import CaseOutcome, EmbeddedItem, Failure, LesionRecord, SetIdentity
from embeddings.store.saved_work import KeptWork
from embeddings.store.store import Store
from tests.dashboard.app_session import APP, open_app

HTML, LINK, BOLD, COLOUR, FORMULA, MATHS = (
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "**b**",
    ":red[r]",
    "=cmd|calc",
    "$y$",
)
HOSTILE = (HTML, LINK, BOLD, COLOUR, FORMULA, MATHS)
PAGES = (
    "cohort",
    "map",
    "gradient",
    "audit",
    "trajectory",
    "probes",
    "survival",
    "neighbours",
    "search",
    "lookup",
    "report",
)
# What Streamlit reads as Markdown: the text of these elements, and the label and tooltip of these widgets.
ELEMENTS = ("markdown", "caption", "info", "warning", "error", "success", "title", "header", "subheader", "metric")
WIDGETS = (
    *("button", "toggle", "checkbox", "expander", "tab", "selectbox", "multiselect", "number_input", "slider"),
    *("text_input", "text_area", "radio", "select_slider", "button_group", "download_button"),
)


@pytest.fixture(scope="module")
def hostile_store(cohort_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test cohort under names that nobody wishes for."""
    with cohort_csv.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for number, row in enumerate(rows):
        row["case_id"] = f"{FORMULA} {HTML} {LINK} {BOLD} {number:02d}"
        row["patient_id"] = f"{COLOUR} {row['patient_id']}"
        row["histology"] = {"adenocarcinoma": HTML, "squamous": LINK, "other": f"{BOLD} {MATHS}"}[row["histology"]]
        row["site"] = {"north": COLOUR, "south": MATHS}[row["site"]]
    renamed = {"t_stage": f"stage {HTML} {BOLD}", "age": f"{LINK} {COLOUR} age", "site": f"site {MATHS} {LINK}"}
    folder = tmp_path_factory.mktemp("hostile") / f"{FORMULA} {HTML} {LINK} {BOLD} {COLOUR}"
    folder.mkdir()
    path = folder / "cohort.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([renamed.get(name, name) for name in rows[0]])
        writer.writerows(row.values() for row in rows)
    report = read_cohort(path, cohort_csv.parent, {"stage": renamed["t_stage"]}, check_images=False)
    store = Store(folder.parent / "hostile.duckdb", read_only=False)
    store.register_cohort(report, name=folder.name)
    generator = np.random.default_rng(3)
    set_id = store.open_set(
        SetIdentity(f"{HTML} {BOLD}", "0" * 64, "lesion", "lesion_mask", "pooled", 8, "1", "x", False)
    )
    items, lesions = [], []
    for number, case in enumerate(report.cases[:-1]):
        vector = generator.normal(0, 0.5, 8).astype(np.float32) + number % 3
        items.append(EmbeddedItem(f"{case.case_id}/lesion", case.case_id, vector, None, None, None))
        size = 10.0 + number % 3 + generator.uniform(0, 2)
        lesions.append(LesionRecord(case.case_id, "mask", (0.0, 0.0, 0.0), 1.0, size, size, 1))
    store.commit(
        set_id,
        items,
        failures=[Failure(report.cases[-1].case_id, "read", f"{HTML} {LINK} {BOLD}")],
        outcomes=[CaseOutcome(case.case_id, True) for case in report.cases[:-1]],
        lesions=lesions,
    )
    KeptWork(store.path).save_scores(
        set_id, f"{HTML} {BOLD} (zero-shot)", {}, [item.item_id for item in items], generator.random(len(items))
    )
    return store.path


def texts_of(app: AppTest) -> list[str]:
    found = [(element, name) for kind in ELEMENTS for element in app.get(kind) for name in ("value", "label", "help")]
    found += [(element, name) for kind in WIDGETS for element in app.get(kind) for name in ("label", "help")]
    texts = (getattr(element, name, None) for element, name in found)
    return [text for text in texts if isinstance(text, str)]


@pytest.mark.parametrize("page", PAGES)
def test_names_reach_no_page_as_markup(settings: Settings, hostile_store: Path, page: str) -> None:
    app = open_app(settings, hostile_store, page)
    texts = texts_of(app)
    for text in texts:
        for hostile in (HTML, LINK, BOLD, COLOUR, MATHS):
            assert hostile not in text, (page, text)
    # The test sees the names at all: the cohort's is on every page.
    assert any("onerror" in text for text in texts)


def test_every_download_of_a_table_goes_through_the_one_that_defuses_formulas() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in APP.parent.rglob("*.py")}
    writers = {str(path.relative_to(APP.parent)) for path, text in sources.items() if ".to_csv(" in text}
    assert writers == {"figures/style/export.py"}
    buttons = {str(path.relative_to(APP.parent)) for path, text in sources.items() if "st.download_button(" in text}
    # The report's button hands out a zip, whose tables come from figures/export.py too.
    assert buttons == {"components/downloads.py", "screens/report.py"}


def test_formulas_are_defused_in_cells_and_headers() -> None:
    rows = list(csv.reader(io.StringIO(csv_bytes(pd.DataFrame({FORMULA: [FORMULA, "+1", "T1"]})).decode())))
    assert rows == [[f"'{FORMULA}"], [f"'{FORMULA}"], ["'+1"], ["T1"]]
