"""`status --watch`: the progress of the runs on a store, repeated until they have ended."""

from __future__ import annotations

import shutil
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from embeddings.exit_codes import DONE, NOTHING_DONE
from embeddings.formatting import counted, duration
from embeddings.store.connections import utc_now
from embeddings.store.status import printable, runs, warning_of
from embeddings.store.store import Store, StoreBusy

# The rate of the last minutes predicts the rest better than that of a slow beginning.
RATE_OVER_S = 300.0
LEAST_WINDOW_S = 20.0
PATIENCE_S = 2.0
BAR = 24
MOST_REASONS = 3


@dataclass
class _Watched:
    """A watched run: pairs of a time, in seconds by the watcher's clock, and the number of cases that had ended."""

    ended: deque[tuple[float, int]] = field(default_factory=deque)

    def rate(self, row: dict[str, Any], now: float) -> float | None:
        """Cases per minute over the last minutes, or since the start of the run if it was not watched for long."""
        n_ended = row["n_done"] + row["n_failed"]
        self.ended.append((now, n_ended))
        while now - self.ended[0][0] > RATE_OVER_S:
            self.ended.popleft()
        since, before = self.ended[0]
        if now - since >= LEAST_WINDOW_S and n_ended > before:
            return 60.0 * (n_ended - before) / (now - since)
        seconds = (datetime.fromisoformat(row["heartbeat"]) - datetime.fromisoformat(row["started"])).total_seconds()
        return 60.0 * n_ended / seconds if seconds > 0 and n_ended else None


class Watch:
    """Looks at the runs of a store and describes them in lines of text."""

    def __init__(self, db: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = Store(db, patience_s=PATIENCE_S)
        self._clock = clock
        self._watched: dict[str, _Watched] = {}
        self._seen: list[str] = []
        self._seen_at: datetime | None = None
        self.over = False
        self.died = False

    def look(self) -> list[str]:
        """The current state; while another program has the file locked, the last known state, marked as such.

        Raises:
            StoreError: the file is not a store, or there is none.
        """
        try:
            found = runs(self._store)
            failures = self._store.failures()
        except StoreBusy:
            since = "" if self._seen_at is None else f"; the above is from {self._seen_at:%H:%M:%S} UTC"
            return [*self._seen, f"the file is in use by another program{since}"]
        now = utc_now()
        for row in found:
            if row["state"] == "running":
                self._watched.setdefault(row["run_id"], _Watched())
        shown = [row for row in found if row["run_id"] in self._watched] or found[:1]
        self.over = not any(row["state"] == "running" and row["process"] != "gone" for row in shown)
        self.died = any(row["process"] == "gone" for row in shown)
        lines = [] if shown else ["no run yet"]
        for row in shown:
            lines += self._lines(row, now)
        started = min((row["started"] for row in shown), default="")
        recent = failures[
            failures["set_id"].isin({row["set_id"] for row in shown})
            & (failures["stage_of_work"] != "validate")
            & (failures["last_at"] >= datetime.fromisoformat(started) if started else False)
        ]
        lines += _reasons(list(recent["reason"]))
        self._seen, self._seen_at = [printable(line) for line in lines], now
        return self._seen

    def _lines(self, row: dict[str, Any], now: datetime) -> list[str]:
        n_ended, n_planned = row["n_done"] + row["n_failed"], row["n_planned"]
        share = n_ended / n_planned if n_planned else 1.0
        bar = "#" * int(BAR * share)
        running = row["state"] == "running" and row["process"] != "gone"
        state = row["state"] if row["process"] != "gone" else "dead"
        counts = (
            f"{n_ended} of {counted(n_planned, 'case')}, {row['n_failed']} failed, {counted(row['n_items'], 'vector')}"
        )
        lines = [f"{row['set_id']}  {state}", f"  [{bar:.<{BAR}}] {share:4.0%}  {counts}"]
        rate = self._watched[row["run_id"]].rate(row, self._clock()) if running else None
        if rate:
            lines.append(f"  {rate:.3g} cases/min, about {duration(60.0 * (n_planned - n_ended) / rate)} left")
        warning = warning_of(row, now)
        return lines if warning is None else [*lines, f"  {warning}"]


def watch(
    db: Path,
    every_s: float,
    out: TextIO,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Show the runs of a store every `every_s` seconds until none is running; on a terminal in place.

    Returns:
        0 once they have ended in any way, 1 if the process of one died.

    Raises:
        StoreError: the file is not a store, or there is none.
    """
    looking = Watch(db, clock)
    in_place, n_before = out.isatty(), 0
    while True:
        lines = looking.look()
        if in_place:
            width = shutil.get_terminal_size().columns
            # A line that wraps would take two lines on the screen.
            lines = [line[: max(1, width - 1)] for line in lines]
            back = f"\x1b[{n_before}F" if n_before else ""
            out.write(f"{back}\x1b[J")
            n_before = len(lines)
        else:
            lines = [f"{utc_now():%Y-%m-%d %H:%M:%S} UTC", *lines, ""]
        out.write("".join(f"{line}\n" for line in lines))
        out.flush()
        if looking.over:
            return NOTHING_DONE if looking.died else DONE
        sleep(every_s)


def _reasons(found: list[str]) -> list[str]:
    """The most frequent reasons for failures, with counts."""
    if not found:
        return []
    counted = Counter(found)
    lines = [f"  {count} x {reason}" for reason, count in counted.most_common(MOST_REASONS)]
    more = len(counted) - MOST_REASONS
    return ["why scans failed", *lines, *([f"  and {more} other reasons"] if more > 0 else [])]
