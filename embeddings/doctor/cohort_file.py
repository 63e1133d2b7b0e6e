"""The given store: whether it opens, what it contains, and which process has it open."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from embeddings.doctor.check import Check
from embeddings.doctor.disk import check_data_root
from embeddings.formatting import counted
from embeddings.store.schema import SCHEMA_VERSION
from embeddings.store.status import runs
from embeddings.store.store import Store, StoreBusy, StoreError

PATIENCE_S = 2.0
_NAME = "store"
# DuckDB names the process that has the file open, if the system knows it.
_HOLDER = re.compile(r"held in (.+?) \(PID (\d+)\)")


def check_store(path: Path, data_root: Path | None) -> Iterator[Check]:
    """The state of the store; its own data root is checked if none was given."""
    if not path.exists():
        yield Check(_NAME, "ok", f"{path} does not exist yet; embed creates it")
        return
    store = Store(path, patience_s=PATIENCE_S)
    try:
        info, of_runs = store.info(), runs(store)
    except StoreBusy as error:
        holder = _HOLDER.search(str(error.__cause__))
        by = f"process {holder[2]} ({holder[1]})" if holder else "another program"
        advice = "wait for it, or close it if it is not an embedding job"
        values = {"busy": True, "pid": int(holder[2]) if holder else None}
        yield Check(_NAME, "warning", f"{path} is in use by {by}", advice, values)
        return
    except StoreError as error:
        yield Check(_NAME, "problem", str(error), "give another file, or follow the message")
        return
    values = {"schema_version": info.schema_version, "n_cases": info.n_cases, "size": path.stat().st_size}
    finding = f"{path}: {counted(info.n_cases, 'case')}, schema {info.schema_version} of {SCHEMA_VERSION}"
    older = "; the next job updates it" if info.schema_version < SCHEMA_VERSION else ""
    dead = [row for row in of_runs if row["process"] == "gone"]
    if not os.access(path, os.W_OK):
        yield Check(
            _NAME, "warning", f"{finding}; it is not writable", "change its permissions to embed into it", values
        )
    elif dead:
        advice = "nothing is lost: run the same command again"
        yield Check(_NAME, "warning", f"{finding}; its last run died (process {dead[0]['pid']})", advice, values)
    else:
        yield Check(_NAME, "ok", f"{finding}{older}", values=values)
    if data_root is None:
        found = check_data_root(info.data_root)
        # A store can be used without its images.
        yield replace(found, state="warning") if found.state == "problem" else found
