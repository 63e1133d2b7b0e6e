"""`status --watch`: what a person sees of a run under way, and when it ends."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embeddings.__main__ import main
from embeddings.cli import watch as watching
from embeddings.cli.watch import Watch, watch
from embeddings.formatting import duration, size
from embeddings.records import Failure, RunProgress, SetIdentity
from embeddings.store.status import status, status_text
from embeddings.store.store import Store

ROOT = Path(__file__).resolve().parents[3]


class Terminal(io.StringIO):
    """A screen that is written to in place."""

    def isatty(self) -> bool:
        return True


class Run:
    """A run on a store, driven from a test: time passes and cases end only when it says so."""

    def __init__(self, store: Store, set_id: str, n_planned: int) -> None:
        self.store, self.set_id, self.n_planned, self.now = store, set_id, n_planned, 0.0
        self.run_id = store.start_run(set_id, {}, n_planned)

    def clock(self) -> float:
        return self.now

    def reach(self, n_done: int, failures: tuple[Failure, ...] = ()) -> None:
        progress = RunProgress(self.n_planned, n_done, len(failures), 2 * n_done)
        self.store.commit(self.set_id, failures=failures, run_id=self.run_id, progress=progress)

    def sleeping(self, steps: Iterator[Callable[[], None]]) -> Callable[[float], None]:
        """A `sleep` that takes the next step of the run each time."""

        def sleep(seconds: float) -> None:
            self.now += seconds
            next(steps)()

        return sleep


@pytest.fixture
def run(store: Store, identity: Callable[..., SetIdentity]) -> Run:
    return Run(store, store.open_set(identity()), 100)


def test_a_run_is_shown_until_it_ends(run: Run) -> None:
    unreadable = Failure("c1", "read", "x/c1.nii.gz is cut off")
    steps = iter(
        [
            lambda: run.reach(10),
            lambda: run.reach(20, (unreadable,)),
            lambda: run.store.finish_run(run.run_id, "finished"),
        ]
    )
    out = io.StringIO()
    assert watch(run.store.path, 60.0, out, sleep=run.sleeping(steps), clock=run.clock) == 0
    blocks = out.getvalue().strip().split("\n\n")
    assert len(blocks) == 4
    assert all(re.match(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\n", block) for block in blocks)
    assert "0 of 100 cases, 0 failed, 0 vectors" in blocks[0]
    # 21 cases in the 120 s that were watched.
    assert "21 of 100 cases, 1 failed, 40 vectors" in blocks[2]
    assert "10.5 cases/min, about 8 min left" in blocks[2]
    assert "1 x x/c1.nii.gz is cut off" in blocks[2]
    assert f"{run.set_id}  finished" in blocks[3]
    assert "left" not in blocks[3]
    assert "\x1b" not in out.getvalue()


def test_the_pace_is_that_of_the_last_minutes(run: Run) -> None:
    looking = Watch(run.store.path, run.clock)
    looking.look()
    for minute in range(1, 21):
        run.now = 60.0 * minute
        # Ten a minute for ten minutes, then two a minute.
        run.reach(10 * minute if minute <= 10 else 100 - 2 * (20 - minute))
        lines = looking.look()
    assert any("2 cases/min, about" in line for line in lines), lines


def test_on_a_terminal_the_picture_is_renewed_in_place(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    steps = iter([lambda: run.reach(50), lambda: run.store.finish_run(run.run_id, "interrupted")])
    out = Terminal()
    assert watch(run.store.path, 1.0, out, sleep=run.sleeping(steps), clock=run.clock) == 0
    screen: list[str] = []
    for back, text in re.findall(r"(?:\x1b\[(\d+)F)?\x1b\[J([^\x1b]*)", out.getvalue()):
        screen = screen[: len(screen) - int(back or 0)] + text.splitlines()
    assert sum(run.set_id[:20] in line for line in screen) == 1
    assert "50%" in screen[1]
    assert max(len(line) for line in screen) < 40


def test_names_cannot_move_the_cursor(run: Run) -> None:
    run.reach(1, (Failure("c1", "read", "bad \x1b[2J name"),))
    assert not any("\x1b" in line for line in Watch(run.store.path).look())


def test_a_file_in_use_leaves_the_last_picture(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PATIENCE_S", 0.2)
    code = "import duckdb, sys, time; con = duckdb.connect(sys.argv[1]); print('open', flush=True); time.sleep(60)"
    run.reach(7)
    looking = Watch(run.store.path)
    before = looking.look()
    with subprocess.Popen([sys.executable, "-c", code, str(run.store.path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        try:
            meanwhile = looking.look()
            # Who comes at that moment waits too.
            first = Watch(run.store.path).look()
        finally:
            holder.kill()
    assert meanwhile[:-1] == before
    assert "in use by another program; the above is from" in meanwhile[-1]
    assert first == ["the file is in use by another program"]
    assert not looking.over
    assert looking.look()[0] == before[0]


def test_a_run_whose_process_is_gone_is_called_dead(
    store: Store, identity: Callable[..., SetIdentity], capsys: pytest.CaptureFixture[str]
) -> None:
    set_id = store.open_set(identity())
    code = (
        "import os, sys; from embeddings.store.store import Store;"
        "Store(sys.argv[1], read_only=False).start_run(sys.argv[2], {}, 5); os._exit(9)"
    )
    done = subprocess.Popen([sys.executable, "-c", code, str(store.path), set_id], cwd=ROOT)
    assert done.wait() == 9
    assert main(["status", str(store.path), "--watch", "1"]) == 1
    out = capsys.readouterr().out
    assert f"{set_id}  dead" in out
    assert f"its process ({done.pid}) is gone: run the same command again to go on" in out
    assert f"its process ({done.pid}) is gone" in status_text(status(store))
    assert status(store)["runs"][0]["process"] == "gone"


def test_a_store_without_a_run_under_way_is_said_at_once(
    store: Store, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.store.finish_run(run.run_id, "finished")
    assert main(["status", str(store.path), "--watch"]) == 0
    assert f"{run.set_id}  finished" in capsys.readouterr().out
    assert main(["status", str(store.path.parent / "absent.duckdb"), "--watch"]) == 2
    assert main(["status", str(store.path), "--watch", "0"]) == 2
    assert "--watch takes 0.2 seconds or more" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_ends_the_watch_and_not_the_run(run: Run) -> None:
    words = [sys.executable, "-m", "embeddings", "status", str(run.store.path), "--watch", "0.3"]
    with subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        cwd=ROOT,
        # Tests that a shell runs in the background are deaf to Ctrl-C, and so would this one be.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as shown:
        assert shown.stdout is not None
        shown.stdout.readline()
        time.sleep(0.2)
        shown.send_signal(signal.SIGINT)
        _, err = shown.communicate()
    assert shown.returncode == 130
    assert err == ""
    assert run.store.runs().loc[0, "state"] == "running"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.34, "0.34 s"), (42, "42 s"), (700, "12 min"), (5940, "99 min"), (12000, "3 h 20 min"), (187200, "2 days 4 h")],
)
def test_durations_are_said_as_people_do(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("n_bytes", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1234, "1.23 kB"), (5e9, "5 GB"), (2e15, "2000 TB")]
)
def test_sizes_are_said_in_three_digits(n_bytes: float, words: str) -> None:
    assert size(n_bytes) == words
