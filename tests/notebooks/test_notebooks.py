"""Every notebook runs from its first cell to its last, finds what was simulated, and is kept without outputs."""

from __future__ import annotations

import ast
import json
import os
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
FROM_CSV, QUESTIONS = "01_from_csv_to_figure", "02_a_reviewers_questions"


@dataclass(frozen=True)
class Run:
    """A notebook that was run: its names, what its cells end with, what it printed, and where it wrote."""

    names: dict[str, Any]
    shown: list[object]
    printed: str
    folder: Path

    def files(self, ending: str) -> list[Path]:
        return sorted(self.folder.rglob(f"*.{ending}"))


def cells(notebook: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def run(notebook: str, folder: Path, **instead: str) -> Run:
    """Run every code cell in `folder`; `instead` replaces the values of assignments such as `COHORT = None`."""
    replaced: set[str] = set()
    names: dict[str, Any] = {"__name__": "__main__"}
    shown: list[object] = []
    printed = StringIO()
    with chdir(folder), redirect_stdout(printed):
        for number, cell in enumerate(cells(FOLDER / f"{notebook}.ipynb", "code"), start=1):
            tree = ast.parse("".join(cell["source"]))
            for statement in tree.body:
                if isinstance(statement, ast.Assign):
                    replaced |= replace_values(statement, instead)
            title = f"{notebook}, code cell {number}"
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, title, "exec"), names)
            if isinstance(last, ast.Expr):
                shown.append(eval(compile(ast.Expression(last.value), title, "eval"), names))
    assert replaced == set(instead)
    return Run(names, shown, printed.getvalue(), folder)


def replace_values(statement: ast.Assign, instead: dict[str, str]) -> set[str]:
    """Replace the values of these names, also in `A, B = 1, 2`; the names that were found."""
    target, found = statement.targets[0], set()
    if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
        for place, name in enumerate(map(ast.unparse, target.elts)):
            if name in instead:
                statement.value.elts[place] = ast.parse(instead[name], mode="eval").body
                found.add(name)
    elif ast.unparse(target) in instead:
        statement.value = ast.parse(instead[ast.unparse(target)], mode="eval").body
        found.add(ast.unparse(target))
    return found


def test_the_notebooks_are_there() -> None:
    assert [notebook.stem for notebook in NOTEBOOKS] == [FROM_CSV, QUESTIONS]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_says_first_that_its_data_are_simulated_and_keeps_no_outputs(notebook: Path) -> None:
    first = json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]
    assert first["cell_type"] == "markdown"
    assert "simulated" in "".join(first["source"]).casefold()
    for cell in cells(notebook, "code"):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_needs_at_most_three_imports(notebook: Path) -> None:
    source = "\n".join("".join(cell["source"]) for cell in cells(notebook, "code"))
    assert sum(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(ast.parse(source))) <= 3
    assert "sys.path" not in source


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_prose_holds_no_results(notebook: Path) -> None:
    for cell in cells(notebook, "markdown"):
        text = "".join(cell["source"])
        assert "rho =" not in text
        assert "p =" not in text


# One test a notebook, as running it takes its time: the functions below say what must hold of the run.


@pytest.mark.slow
def test_from_csv_to_figure(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    found = run(FROM_CSV, tmp_path / "first")
    every_figure_is_shown_and_written_and_says_that_it_is_simulated(found)
    the_gradient_is_the_one_simulated(found)
    the_questions_can_be_put_to_a_cohort_file_of_ones_own(found, tmp_path / "second")


@pytest.mark.slow
def test_a_reviewers_questions(tmp_path: Path) -> None:
    found = run(QUESTIONS, tmp_path, PERMUTATIONS="99", BOOTSTRAP="50")
    every_figure_is_shown_and_written_and_says_that_it_is_simulated(found)
    a_gradient_of_size_is_told_from_one_beyond_size(found)
    a_planted_site_is_found_out_and_the_balanced_scanner_is_not_accused(found)
    copies_of_a_scan_inflate_the_auc_only_where_patients_are_not_given(found)
    shuffled_stages_fool_only_the_axis_in_sample(found)
    another_seed_keeps_the_axis_and_the_trajectory_is_called_what_it_is(found)
    every_p_value_is_adjusted_and_written(found)


def every_figure_is_shown_and_written_and_says_that_it_is_simulated(found: Run) -> None:
    # A notebook shows a bare matplotlib figure that pyplot did not make as a line of text.
    assert not [one for one in found.shown if isinstance(one, Figure)]
    pictures = [one._repr_png_() for one in found.shown if hasattr(one, "_repr_png_")]
    assert len(pictures) >= len(found.files("svg")) > 0
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    for file in found.files("svg"):
        assert "simulated" in file.read_text(encoding="utf-8").casefold(), file.name
    for kind in ("pdf", "png"):
        assert [file.stem for file in found.files(kind)] == [file.stem for file in found.files("svg")]
    assert found.files("csv")


def the_gradient_is_the_one_simulated(found: Run) -> None:
    names = found.names
    result = names["result"]
    assert result.rho > 0.5
    assert result.p_permutation < 0.05
    assert result.rho_in_sample > result.rho
    assert np.corrcoef(result.score, names["frame"]["true_severity"])[0, 1] > 0.5
    assert len(names["table"]) == len(names["frame"]) == result.n


def a_gradient_of_size_is_told_from_one_beyond_size(found: Run) -> None:
    names = found.names
    result = names["result"]
    assert result.rho > 0.6
    assert result.p_permutation < 0.05
    assert result.size_rho > 0.7
    # Severity drives both size and stage, so that little of the gradient is left at similar size.
    assert result.residual.rho < result.rho - 0.3
    assert result.size_matched.rho < result.rho - 0.3
    assert result.residual.rho_in_sample > result.residual.rho
    assert names["probe"].baseline.auc.value > 0.8
    assert names["verdicts"]["A stage axis on new patients"] == "is shown"


def a_planted_site_is_found_out_and_the_balanced_scanner_is_not_accused(found: Run) -> None:
    names = found.names
    assert names["planted"].p_permutation < 0.05
    site = names["planted_audit"].columns[0]
    assert site.verdict.startswith("site alone explains the stage axis here")
    assert site.column_from_vectors.value > 0.95
    assert {part.level for part in site.left_out} == {"A", "B"}
    assert max(part.within for part in site.left_out) < 0.65
    scanner = names["audit"].columns[0]
    assert scanner.name == "scanner"
    assert scanner.verdict.startswith("scanner is not shown to be associated with stage")
    assert "scanner" not in names["suspects"]
    assert set(names["left_out"]["column"]) >= {"scanner", "kernel"}


def copies_of_a_scan_inflate_the_auc_only_where_patients_are_not_given(found: Run) -> None:
    without, given = (np.array(found.names["leakage"][f"patients {way}"]) for way in ("not given", "given"))
    assert len(without) == len(given) == 5
    assert (without > given + 0.1).all()
    assert without.mean() > 0.7
    assert 0.3 < given.mean() < 0.6


def shuffled_stages_fool_only_the_axis_in_sample(found: Run) -> None:
    names = found.names
    result, shuffled = names["result"], names["shuffled"]
    assert len(result.null) == names["PERMUTATIONS"]
    assert result.p_permutation == (1 + (result.null >= result.rho).sum()) / (1 + len(result.null))
    assert abs(np.median(result.null)) < 0.15
    assert sorted(shuffled.stage) == sorted(result.stage)
    assert shuffled.rho_in_sample > 0.4
    assert shuffled.p_permutation > 0.05
    assert abs(shuffled.rho) < 0.35


def another_seed_keeps_the_axis_and_the_trajectory_is_called_what_it_is(found: Run) -> None:
    names = found.names
    assert not np.array_equal(names["result"].score, names["again"].score)
    assert names["agreement"] > 0.95
    course = names["course"]
    assert names["codes"][course.root] == names["codes"].min()
    assert course.stability.subsamples > 0.8
    assert course.stability.n_reruns > 20
    # A cloud along size is no course, and the notebook prints that it is none.
    assert course.warnings
    assert all(warning in found.printed for warning in course.warnings)


def every_p_value_is_adjusted_and_written(found: Run) -> None:
    table = found.names["table"]
    assert len(table) == len(found.names["answers"]) == 9
    assert (table["p_adjusted"] >= table["p"]).all()
    assert (table["p_adjusted"] > table["p"]).any()
    written = (found.folder / "reviewers-questions" / "answers.csv").read_text(encoding="utf-8")
    assert len(written.splitlines()) == 1 + len(table)


def the_questions_can_be_put_to_a_cohort_file_of_ones_own(first: Run, folder: Path) -> None:
    own = Path(os.path.relpath(first.folder / "simulated-cohort" / "cohort.duckdb", folder))
    found = run(
        QUESTIONS,
        folder,
        COHORT=repr(str(own)),
        COVARIATES="['scanner', 'no_such_column']",
        PERMUTATIONS="99",
        BOOTSTRAP="20",
    )
    assert not list(folder.rglob("*.duckdb"))
    assert found.names["result"].n == first.names["result"].n
    assert [one.name for one in found.names["audit"].columns] == ["scanner"]
    assert "not in this cohort: no_such_column" in found.printed
