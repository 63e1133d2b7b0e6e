"""The record of a run: a JSON file beside the database that can be read without opening the database.

`lungs.duckdb` has a folder `lungs.runs` with one `RUN_ID.json` per run. The file is replaced as a whole at the start,
about every 15 s, and at the end, so it can be read at any time. It names no case: failures are counted by reason, and
file names, numbers and quotations are removed from reasons. docs/operations.md lists the fields.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embeddings.atomic_file import write_atomically
from embeddings.job.summary import RunSummary, total_progress
from embeddings.records import Failure
from embeddings.store.connections import utc_now
from embeddings.versions import versions

if TYPE_CHECKING:
    from embeddings.cohort.read import Case
    from embeddings.job.engines.engine import Pace

FORMAT = 1
EVERY_S = 15.0
MOST_REASONS = 200
_MORE = "other reasons"
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_FILE = re.compile(r"\S*[/\\]\S+|\S+\.(?:nii|gz|nrrd|mha|mhd|raw|dcm|ima)\b", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(?:[.,:/]?\d+)*")


class RunRecord:
    """The record of one run. If it cannot be written, standard error says so once, and the run goes on.

    Args:
        db: the store; the record is written beside it.
        summaries: of the sets, which grow while the run works; the id of the first run names the file.
        cases: of the run; their file names are removed from reasons.
        cohort_csv: the record keeps only its name.
        cohort_sha256: of the CSV as it was registered.
        settings: as in the store; of paths only the last part is kept.
        devices: of the encoders, such as `cuda:0`.
        command: the words of the command line (`sys.argv`); paths are shortened likewise.
    """

    def __init__(
        self,
        db: Path,
        summaries: Sequence[RunSummary],
        cases: Iterable[Case] = (),
        *,
        cohort_csv: Path,
        cohort_sha256: str,
        settings: Mapping[str, object],
        devices: Sequence[str] = (),
        command: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._summaries, self._clock = summaries, clock
        self.path = folder_of(db) / f"{summaries[0].run_id}.json"
        self._names = {case.case_id: _names_of(case) for case in cases}
        self._failures: Counter[tuple[str, str]] = Counter()
        self._began = self._written_at = clock()
        self._started = utc_now()
        self._warned = False
        self._fixed = {
            "format": FORMAT,
            "run_id": self.path.stem,
            "sets": {one.set_id: one.run_id for one in summaries},
            "cohort": {"csv": cohort_csv.name, "sha256": cohort_sha256},
            "settings": {name: _without_folder(value) for name, value in settings.items()},
            "devices": list(devices),
            "versions": versions(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "command": [_without_folder(word) for word in command],
        }

    def start(self) -> None:
        """Write the record for the first time."""
        self._write("running")

    def note(self, failure: Failure) -> None:
        """Count a failure; the next update writes it."""
        reason = anonymous(failure.reason, self._names.get(failure.case_id, ()))
        key = (failure.stage_of_work, reason)
        if key not in self._failures and len(self._failures) >= MOST_REASONS:
            key = (failure.stage_of_work, _MORE)
        self._failures[key] += 1

    def update(self) -> None:
        """Write the progress of the run if the last write is long enough ago."""
        if self._clock() - self._written_at >= EVERY_S:
            self._write("running")

    def finish(self, state: str, *, exit_code: int, pace: Pace | None = None, error: str | None = None) -> None:
        """Write the end of the run.

        Args:
            state: `finished`, `interrupted` or `failed`, as in the store.
            pace: how busy readers and encoders were, if the engine knows.
            error: what ended a run that failed.
        """
        ended = {"ended": _utc(utc_now()), "exit_code": exit_code}
        self._write(state, ended | {"error": None if error is None else anonymous(error)}, pace)

    def _write(self, state: str, end: Mapping[str, object] | None = None, pace: Pace | None = None) -> None:
        self._written_at = self._clock()
        record = self._fixed | {
            "state": state,
            "started": _utc(self._started),
            "updated": _utc(utc_now()),
            "ended": None,
            "exit_code": None,
            "error": None,
            **(end or {}),
            "counts": self._counts(),
            "failures": [
                {"stage_of_work": stage, "reason": reason, "count": count}
                for (stage, reason), count in self._failures.most_common()
            ],
            "throughput": self._throughput(pace),
        }
        try:
            self.path.parent.mkdir(exist_ok=True)
            write_atomically(self.path, (json.dumps(record, indent=1, default=str) + "\n").encode())
        except OSError as error:
            if not self._warned:
                why = error.strerror or type(error).__name__
                print(
                    f"warning: the run record {self.path} cannot be written ({why}); the run goes on", file=sys.stderr
                )
            self._warned = True
        else:
            self._warned = False

    def _counts(self) -> dict[str, int]:
        summaries, progress = self._summaries, total_progress(self._summaries)
        return {
            "planned": progress.n_planned,
            "done": progress.n_done,
            "failed": progress.n_failed,
            "items": progress.n_items,
            "done_before": sum(one.n_done_before for one in summaries),
            "failed_before": sum(one.n_failed_before for one in summaries),
            "refused_rows": summaries[0].n_refused,  # rows and the limit are the same for all sets
            "left_out": summaries[0].n_left_out,
        }

    def _throughput(self, pace: Pace | None) -> dict[str, Any]:
        """The speed of the whole run so far; a scan that is read once for several sets is one volume."""
        seconds = self._clock() - self._began
        progress = total_progress(self._summaries)
        ended = (progress.n_done + progress.n_failed) / len(self._summaries)
        return {
            "seconds": round(seconds, 1),
            "volumes_per_min": round(60.0 * ended / seconds, 2) if seconds > 0 else None,
            "items_per_min": round(60.0 * progress.n_items / seconds, 2) if seconds > 0 else None,
            "reader_busy": None if pace is None else round(pace.reader_share, 3),
            "encoder_busy": None if pace is None else round(pace.encoder_share, 3),
            "limit": None if pace is None else pace.limit,
        }


def folder_of(db: Path) -> Path:
    """The folder of the run records of a store: `lungs.runs` beside `lungs.duckdb`."""
    return db.with_name(f"{db.stem}.runs")


def anonymous(reason: str, names: Iterable[str] = ()) -> str:
    """A reason that many cases can share: names, file names, quotations and numbers are removed.

    DICOM identifiers and dates are numbers too.
    """
    for name in sorted(names, key=len, reverse=True):
        reason = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "FILE", reason)
    reason = _QUOTED.sub("'...'", reason)
    reason = _FILE.sub("FILE", reason)
    reason = _NUMBER.sub("#", reason)
    return " ".join(reason.split())


def _names_of(case: Case) -> tuple[str, ...]:
    """How a reason may name the files of a case: by path, by folder and name, or by name."""
    paths = [path for path in (case.image_path, case.mask_path) if path is not None]
    return tuple(name for path in paths for name in (str(path), f"{path.parent.name}/{path.name}", path.name))


def _without_folder(value: object) -> object:
    """The last part of a path, also after `--option=`; folders may be named after patients."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        return value
    option, sign, word = value.partition("=") if value.startswith("--") else ("", "", value)
    is_path = os.sep in word and (os.path.isabs(word) or word.startswith(("~", ".")) or os.path.exists(word))
    return f"{option}{sign}{Path(word).name}" if is_path else value


def _utc(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds") + "Z"
