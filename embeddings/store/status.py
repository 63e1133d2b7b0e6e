"""The content of a store and the progress of its last run, as text or plain values."""

from __future__ import annotations

import json
import socket
from datetime import datetime
from typing import Any

import pandas as pd

from embeddings.formatting import counted, of_patients
from embeddings.process import is_alive
from embeddings.store.connections import utc_now
from embeddings.store.store import Store

MOST_LISTED = 10
# A live run writes a heartbeat every 15 s, but one volume may take a minute on a slow machine.
SILENT_S = 120.0


def status(store: Store) -> dict[str, Any]:
    """The store as plain values for JSON; times are UTC."""
    info = store.info()
    return {
        "file": str(store.path),
        "name": info.name,
        "simulated": info.simulated,
        "n_cases": info.n_cases,
        "n_patients": info.n_patients,
        "schema_version": info.schema_version,
        "created": info.created.isoformat(),
        "data_root": str(info.data_root),
        "stage_order": list(info.stage_order),
        "sets": _records(store.sets()),
        "failures": _records(store.failures()),
        "doubts": _records(store.doubts()),
        "runs": runs(store),
    }


def runs(store: Store) -> list[dict[str, Any]]:
    """Every run as plain values, newest first; `process` of one that has not ended is `alive`, `gone` or `unknown`."""
    found = _records(store.runs())
    for row in found:
        row["process"] = process_of(row)
    return found


def process_of(row: dict[str, Any]) -> str | None:
    """Whether the process of a run that has not ended is `alive` or `gone`; `unknown` from another machine.

    A process that died by `kill -9` leaves its run marked as running until the next run starts.
    """
    if row["state"] != "running":
        return None
    if row["host"] != socket.gethostname():
        return "unknown"
    return "alive" if is_alive(int(row["pid"])) else "gone"


def warning_of(row: dict[str, Any], now: datetime) -> str | None:
    """The problem of a run that has not ended: its process is gone, or it is silent; None if there is none."""
    if row["state"] != "running":
        return None
    if row["process"] == "gone":
        return f"its process ({row['pid']}) is gone: run the same command again to go on"
    silent = (now - datetime.fromisoformat(row["heartbeat"])).total_seconds()
    if silent > SILENT_S:
        where = f"process {row['pid']}" + ("" if row["process"] == "alive" else f" on {row['host']}")
        return f"no sign of life of {where} for {silent / 60:.0f} min: if it is dead, run the same command again"
    return None


def status_text(found: dict[str, Any], now: datetime | None = None) -> str:
    """The values of `status` for a terminal. `now` (UTC) tells whether a run has gone silent."""
    lines = [
        f"{found['name']}: {of_patients(found['n_cases'], found['n_patients'])} ({found['file']})",
    ]
    if found["simulated"]:
        lines.append("SIMULATED: these are not scans of patients")
    lines += ["", "embedding sets" if found["sets"] else "no embedding sets yet"]
    for row in found["sets"]:
        weights = "" if row["is_published"] else ", not the published weights"
        lines.append(
            f"  {row['set_id']}: {counted(row['n_items'], 'item')} of {counted(row['n_cases'], 'case')}, "
            f"{row['width']} numbers each, preset {row['preset']}{weights}"
        )
    if found["runs"]:
        lines += ["", _run_line(found["runs"][0], now or utc_now())]
    # One reason may stand for several sets.
    failures = [f"  {row['case_id']} ({row['stage_of_work']}): {row['reason']}" for row in found["failures"]]
    lines += _listed("what could not be embedded", list(dict.fromkeys(failures)))
    doubts = [f"  {row['case_id']}: {row['doubt']}" for row in found["doubts"]]
    lines += _listed("embedded, but the values may not be HU", doubts)
    return "\n".join(printable(line) for line in lines)


def printable(line: str) -> str:
    """The line without characters that would move a terminal's cursor; names come from a CSV."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def _listed(title: str, found: list[str]) -> list[str]:
    if not found:
        return []
    more = len(found) - MOST_LISTED
    rest = [f"  ... and {more} more; --json lists all"] if more > 0 else []
    return ["", f"{title} ({len(found)})", *found[:MOST_LISTED], *rest]


def _run_line(row: dict[str, Any], now: datetime) -> str:
    ended = row["n_done"] + row["n_failed"]
    counts = f"{ended} of {counted(row['n_planned'], 'case')}, {row['n_failed']} failed"
    line = f"last run: {row['state']}, {counts}, started {row['started'][:16].replace('T', ' ')} UTC"
    warning = warning_of(row, now)
    return line if warning is None else f"{line}; {warning}"


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows with times as ISO text and nothing that JSON lacks."""
    found: list[dict[str, Any]] = json.loads(frame.to_json(orient="records", date_format="iso", date_unit="us"))
    return found
