"""What could not be embedded, on the Cohort page."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from streamlit.testing.v1 import AppTest

from dashboard.session.settings import Settings
from embeddings.records import Failure, SetIdentity
from embeddings.store.store import Store

APP = Path(__file__).resolve().parents[3] / "dashboard" / "app.py"


def test_a_mask_that_cost_a_case_several_sets_is_told_once(settings: Settings, store_path: Path) -> None:
    settings.workspace.mkdir(parents=True, exist_ok=True)
    path = Path(shutil.copy(store_path, settings.workspace / "failed.duckdb"))
    store = Store(path, read_only=False)
    before = len(store.failures())
    ids = []
    for scale in ("1.5", "2"):
        identity = SetIdentity("tiny", "00", "lesion", f"lesion_mask@{scale}", "pooled", 4, "1", "none", False)
        ids.append(store.open_set(identity))
        store.commit(ids[-1], failures=[Failure("case00", "read", "is a mask without voxels")])
    assert len(store.failures()) == before + 2
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.session_state["settings"] = dataclasses.replace(settings, cohort=path)
    app.run()
    assert not app.exception, app.exception
    table = next(one.value for one in app.dataframe if "reason" in one.value)
    told = table[table["reason"] == "is a mask without voxels"]
    assert told["case_id"].tolist() == ["case00"]
    assert told["set_id"].tolist() == [", ".join(sorted(ids))]
