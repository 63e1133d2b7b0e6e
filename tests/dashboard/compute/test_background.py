"""Analyses in processes of their own: shared, replaced, cancelled, crashed, kept, and never left behind."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from dashboard.compute.background import Registry
from dashboard.compute.task import Answer, Cancelled, Done, Failed, Running, Task
from dashboard.compute.workers import Worker, Workers
from embeddings.analysis import Retrieval, evaluate, stage_gradient
from embeddings.process import is_alive
from embeddings.store.saved_work import KeptWork
from embeddings.worker import result_codec
from tests.dashboard import failing_analyses

ROOT = Path(__file__).resolve().parents[3]
NEVER_S = 1e6


def vectors(n: int = 40, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return (generator.normal(size=(n, 8)) + np.arange(n)[:, None] % 2).astype(np.float32)


def retrieval(path: Path | None = None, *, seed: int = 0, X: np.ndarray | None = None, set_id: str = "set") -> Task:
    """What takes a moment."""
    X = vectors() if X is None else X
    arguments = {"X": [X], "label": np.arange(len(X)) % 2, "patient": np.arange(len(X)).astype(str), "seed": seed}
    return Task(evaluate, arguments, "Working", data=set_id, saved_in=path)


def long_gradient(seed: int = 0) -> Task:
    """What takes minutes."""
    arguments = {"X": vectors(600), "stage": np.arange(600) % 4, "n_permutations": 50_000, "seed": seed}
    return Task(stage_gradient, arguments, "Working", data="set")


def endless(data: str = "endless") -> Task:
    """What never ends, and takes no processor's time."""
    return Task(failing_analyses.never_end, {}, "Working", data=data, module=failing_analyses.MODULE)


@pytest.fixture
def make_registry() -> Iterator[Callable[..., Registry]]:
    """Registries, whose processes end with the test."""
    made: list[Registry] = []

    def make(**settings: object) -> Registry:
        made.append(Registry(**settings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def registry(make_registry: Callable[..., Registry]) -> Registry:
    return make_registry()


def until(what: Callable[[], object]) -> None:
    """Wait for something that happens in another thread or process; the time limit of the tests ends it otherwise."""
    while not what():
        time.sleep(0.02)


def ended(registry: Registry, wanted: Task, session: str = "tab", slot: str = "place") -> Answer:
    answer = registry.ask(wanted, session, slot)
    if isinstance(answer, Running):
        registry.wait(wanted.key, session, slot, NEVER_S)
        answer = registry.look(wanted.key, session, slot)
    return answer


def computing(registry: Registry, wanted: Task, session: str = "tab", slot: str = "place") -> int:
    """Ask for what takes long; the number of its process once it has told something."""

    def tells() -> bool:
        answer = registry.ask(wanted, session, slot)
        return isinstance(answer, Running) and answer.share > 0

    until(tells)
    return registry.processes()[wanted.key]


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return not is_alive(pid)


def test_the_result_is_that_of_the_analysis(registry: Registry) -> None:
    answer = ended(registry, retrieval())
    assert isinstance(answer, Done)
    assert answer.note == ""
    X = vectors()
    assert answer.result == evaluate([X], np.arange(40) % 2, patient=np.arange(40).astype(str))


def test_a_running_analysis_tells_how_far_it_is(registry: Registry) -> None:
    wanted = long_gradient()
    computing(registry, wanted)
    answer = registry.look(wanted.key, "tab", "place")
    assert isinstance(answer, Running)
    assert 0 < answer.share < 1
    assert "permutation" in answer.words
    assert answer.elapsed_s > 0


def test_what_an_analysis_says_of_its_data_is_its_answer(registry: Registry) -> None:
    answer = ended(registry, retrieval(X=vectors(3)))
    assert isinstance(answer, Failed)
    assert answer.refused
    assert "needs at least 5 cases, but there are 3" in answer.sentence


def test_an_error_of_the_program_is_a_sentence_and_not_a_refusal(registry: Registry) -> None:
    wanted = Task(evaluate, {"X": vectors(), "label": np.arange(40) % 2, "no_such": 1}, "Working")
    answer = ended(registry, wanted)
    assert isinstance(answer, Failed)
    assert not answer.refused
    assert "error of the program" in answer.sentence
    assert isinstance(ended(registry, retrieval()), Done)


def test_the_traceback_of_an_error_of_the_program_is_in_the_log_and_a_refusal_is_not(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    refusal, fault = (
        ended(registry, Task(function, {}, "Working", module=failing_analyses.MODULE))
        for function in (failing_analyses.refuse, failing_analyses.break_down)
    )
    assert refusal == Failed("there are 3 cases, and 5 are needed", refused=True)
    assert isinstance(fault, Failed)
    assert not fault.refused
    assert "error of the program" in fault.sentence
    [record] = caplog.records
    assert "in break_down" in record.getMessage()
    assert "ValueError: zip() argument 2 is shorter than argument 1" in record.getMessage()


def test_a_queued_analysis_that_is_cancelled_takes_no_turn_and_no_process(
    make_registry: Callable[..., Registry], monkeypatch: pytest.MonkeyPatch
) -> None:
    free_at_start: list[int] = []
    take = Workers.take

    def noted(workers: Workers, *module: str) -> Worker:
        free_at_start.append(registry._free)
        return take(workers, *module)

    monkeypatch.setattr(Workers, "take", noted)
    registry = make_registry(at_once=1)
    first = endless()
    computing(registry, first, slot="first")
    queued = [endless(key) for key in ("second", "third")]
    for number, wanted in enumerate(queued):
        until(lambda wanted=wanted, number=number: waits(registry, wanted, f"queued {number}"))  # type: ignore[misc]
    waiting = [one for one in registry._threads if one.is_alive()]
    for number in range(len(queued)):
        registry.cancel("tab", f"queued {number}")
    until(lambda: sum(one.is_alive() for one in waiting) == len(waiting) - len(queued))
    assert registry._free == 0
    assert list(registry.processes()) == [first.key]
    registry.cancel("tab", "first")
    assert isinstance(ended(registry, retrieval(), slot="first"), Done)
    assert free_at_start == [0, 0]


def waits(registry: Registry, wanted: Task, slot: str) -> bool:
    return "another analysis" in getattr(registry.ask(wanted, "tab", slot), "words", "")


def test_two_sessions_share_one_process(registry: Registry) -> None:
    wanted = endless()
    pid = computing(registry, wanted, "first tab")
    assert computing(registry, wanted, "second tab") == pid
    assert list(registry.processes().values()) == [pid]
    registry.cancel("first tab", "place")
    assert isinstance(registry.look(wanted.key, "first tab", "place"), Cancelled)
    assert isinstance(registry.look(wanted.key, "second tab", "place"), Running)
    assert not gone(pid)


def test_a_newer_request_for_a_place_ends_the_older_process(registry: Registry) -> None:
    old = computing(registry, endless())
    answer = ended(registry, retrieval())
    until(lambda: gone(old))
    assert isinstance(answer, Done)
    assert registry.processes() == {}


def test_a_newer_request_leaves_what_another_place_waits_for(registry: Registry) -> None:
    wanted = endless()
    pid = computing(registry, wanted)
    computing(registry, wanted, slot="another place")
    ended(registry, retrieval())
    assert not gone(pid)
    assert isinstance(registry.look(wanted.key, "tab", "another place"), Running)


def test_a_cancelled_analysis_stays_so_until_it_is_run_again(registry: Registry) -> None:
    wanted = endless()
    pid = computing(registry, wanted)
    registry.cancel("tab", "place")
    until(lambda: gone(pid))
    assert isinstance(registry.ask(wanted, "tab", "place"), Cancelled)
    assert registry.processes() == {}
    registry.run_again(wanted.key, "tab", "place")
    assert computing(registry, wanted) != pid


def test_a_crash_of_the_process_is_a_sentence_and_can_be_run_again(registry: Registry) -> None:
    wanted = endless()
    os.kill(computing(registry, wanted), signal.SIGKILL)
    registry.wait(wanted.key, "tab", "place", NEVER_S)
    answer = registry.ask(wanted, "tab", "place")
    assert isinstance(answer, Failed)
    assert not answer.refused
    assert "ended before its result was there (signal 9)" in answer.sentence
    registry.run_again(wanted.key, "tab", "place")
    assert isinstance(registry.ask(wanted, "tab", "place"), Running)


def test_a_request_that_nobody_looks_at_is_cancelled(make_registry: Callable[..., Registry]) -> None:
    tabs = {"tab"}
    registry = make_registry(abandoned_after_s=0.5, session_is_open=tabs.__contains__)
    pid = computing(registry, endless())
    tabs.clear()
    until(lambda: gone(pid))
    assert registry.processes() == {}


def test_a_request_that_a_page_waits_for_is_not_given_up(make_registry: Callable[..., Registry]) -> None:
    registry = make_registry(abandoned_after_s=1.0)
    assert isinstance(ended(registry, retrieval()), Done)


def test_a_request_of_an_open_tab_goes_on_while_the_tab_shows_another_page(
    make_registry: Callable[..., Registry],
) -> None:
    tabs = {"tab"}
    registry = make_registry(abandoned_after_s=0.2, session_is_open=tabs.__contains__)
    wanted = endless()
    pid = computing(registry, wanted)
    time.sleep(1.0)
    assert registry.processes() == {wanted.key: pid}
    tabs.clear()
    until(lambda: gone(pid))


def test_a_private_result_is_forgotten_when_the_last_session_that_needs_it_is_gone(
    make_registry: Callable[..., Registry],
) -> None:
    tabs = {"tab", "another tab"}
    registry = make_registry(abandoned_after_s=0.2, session_is_open=tabs.__contains__)
    wanted = dataclasses.replace(retrieval(), private=True)
    assert isinstance(ended(registry, wanted), Done)
    assert isinstance(ended(registry, wanted, session="another tab"), Done)
    registry.release("tab", "place")
    assert isinstance(registry.look(wanted.key, "another tab", "place"), Done)
    tabs.clear()
    until(lambda: isinstance(registry.look(wanted.key, "no tab", "place"), Cancelled))


def test_more_than_a_few_analyses_wait_for_their_turn(make_registry: Callable[..., Registry]) -> None:
    registry = make_registry(at_once=1)
    computing(registry, endless(), slot="first")
    later = retrieval()
    until(lambda: "another analysis" in getattr(registry.ask(later, "tab", "second"), "words", ""))
    assert len(registry.processes()) == 1
    registry.cancel("tab", "first")
    assert isinstance(ended(registry, later, slot="second"), Done)


def test_a_process_waits_for_the_next_analysis_and_is_used_for_it(registry: Registry) -> None:
    registry.warm()
    [waiting] = registry.idle()
    wanted = long_gradient()
    assert computing(registry, wanted) == waiting
    assert len(registry.idle()) == 1
    assert waiting not in registry.idle()


def test_a_kept_result_is_found_in_the_file_by_another_server(
    make_registry: Callable[..., Registry], store_path: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copy(store_path, tmp_path / "cohort.duckdb"))
    wanted = retrieval(path)
    first = ended(make_registry(), wanted)
    assert isinstance(first, Done)
    later = make_registry()
    again = ended(later, wanted)
    assert isinstance(again, Done)
    assert again.result == first.result
    assert later.idle() == []  # nothing was computed


def test_other_vectors_labels_settings_or_sets_have_another_key() -> None:
    other = vectors()
    other[3, 2] += 1e-6
    keys = {
        retrieval().key,
        retrieval(X=other).key,
        retrieval(seed=1).key,
        retrieval(set_id="another").key,
        retrieval(X=vectors()[::-1]).key,
        long_gradient().key,
    }
    assert len(keys) == 6
    assert retrieval().key == retrieval().key


def test_a_damaged_or_foreign_kept_result_is_computed_anew_and_said(
    make_registry: Callable[..., Registry], store_path: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copy(store_path, tmp_path / "cohort.duckdb"))
    wanted = retrieval(path)
    for content, said in (
        (b"\x80\x04.", "another program"),
        (result_codec.encode(1.5), "Expected `object`, got `float`"),
    ):
        KeptWork(path).save_result(wanted.key, wanted.kind, 0.0, content)
        answer = ended(make_registry(), wanted)
        assert isinstance(answer, Done)
        assert isinstance(answer.result, Retrieval)
        assert said in answer.note
    assert ended(make_registry(), wanted).note == ""  # type: ignore[union-attr]


def test_a_file_that_cannot_be_written_gives_the_result_and_a_note(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "gone" / "cohort.duckdb"
    answer = ended(registry, retrieval(path))
    assert isinstance(answer, Done)
    assert "could not be saved in the cohort file" in answer.note


HOLDS_A_REGISTRY = """
import sys, time
sys.path.insert(0, {tests!r})
from test_background import computing, long_gradient
from dashboard.compute.background import Registry
registry = Registry()
print(computing(registry, long_gradient()), *registry.idle(), flush=True)
time.sleep(600)
"""


def test_processes_end_with_a_server_that_is_killed() -> None:
    script = HOLDS_A_REGISTRY.format(tests=str(Path(__file__).parent))
    server = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8")
    assert server.stdout is not None
    pids = [int(one) for one in server.stdout.readline().split()]
    assert len(pids) == 2
    assert not any(gone(pid) for pid in pids)
    server.kill()
    server.wait()
    server.stdout.close()
    for pid in pids:
        until(lambda pid=pid: gone(pid))  # type: ignore[misc]
