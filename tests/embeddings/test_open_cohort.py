"""What notebooks get by `import embeddings as emb`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embeddings as emb
from embeddings.records import EmbeddedItem
from embeddings.store.store import Store, StoreError


@pytest.fixture
def path(store: Store, identity: Any) -> Path:
    """A cohort file with one set of vectors, of two of its cases."""
    set_id = store.open_set(identity(width=4))
    run_id = store.start_run(set_id, {}, 2)
    cases = sorted(store.cases()["case_id"])[:2]
    items = [EmbeddedItem(f"{case}/lesion", case, np.full(4, n, np.float32)) for n, case in enumerate(cases, 1)]
    store.commit(set_id, items, run_id=run_id)
    return store.path


def test_an_opened_cohort_gives_cases_items_and_vectors_in_one_order(path: Path) -> None:
    cohort = emb.open(path)
    assert len(cohort.cases) == cohort.info.n_cases
    assert cohort.items()["case_id"].tolist() == sorted(cohort.cases["case_id"])[:2]
    assert cohort.vectors().tolist() == [[1.0] * 4, [2.0] * 4]
    assert cohort.sets["n_items"].tolist() == [2]
    assert f"{cohort.info.n_cases} cases of" in cohort._repr_html_()


def test_a_set_that_is_not_there_or_not_named_is_refused_with_those_that_are(path: Path, identity: Any) -> None:
    cohort = emb.open(path)
    with pytest.raises(StoreError, match=r"there is no embedding set 'other'; it holds"):
        cohort.vectors("other")
    Store(path, read_only=False).open_set(identity(view="slices"))
    with pytest.raises(StoreError, match="say which embedding set"):
        cohort.items()


def test_what_is_no_cohort_file_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        emb.open(tmp_path / "nothing.duckdb")


def test_a_set_as_anndata_has_the_vectors_and_the_cases(path: Path) -> None:
    pytest.importorskip("anndata", reason="the optional library anndata is not installed")
    data = emb.open(path).to_anndata()
    assert data.X.tolist() == [[1.0] * 4, [2.0] * 4]
    assert data.obs["case_id"].tolist() == emb.open(path).items()["case_id"].tolist()


def test_the_import_alone_waits_for_neither_torch_nor_statistics() -> None:
    words = "import sys, embeddings; print(sorted({'torch', 'scipy', 'pandas', 'streamlit'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", words], capture_output=True, encoding="utf-8", check=True)
    assert found.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    assert all(hasattr(emb, name) for name in emb.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = emb.nonsense


def test_a_result_shows_its_verdict_numbers_and_warnings_and_escapes_them() -> None:
    stage = np.repeat([0, 1, 2], 10)
    X = np.random.default_rng(0).normal(size=(30, 4)) + stage[:, None]
    found = emb.analysis.stage_gradient(X, stage, n_permutations=99, n_bootstrap=50)
    shown = found._repr_html_()
    assert emb.analysis.verdict(found) in shown.replace("&lt;", "<")
    assert f"{found.rho:.3f} [{found.rho_low:.3f}, {found.rho_high:.3f}]" in shown
    assert '<td style="text-align:left">cases</td><td style="text-align:left">30</td>' in shown
    audit = emb.analysis.shortcuts(
        X, stage, {"<b>site</b>": np.tile(["A", "B"], 15)}, n_permutations=99, n_bootstrap=50
    )
    assert "<b>" not in audit._repr_html_()
