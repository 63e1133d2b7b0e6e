"""Who listens hears how far an analysis is, and may end it; who does not gets the same result."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from embeddings.analysis import along_each, by_score, evaluate, linear_probe, progress, project, pseudotime, shortcuts
from embeddings.analysis import stage_gradient as gradient

Simulated = Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]
Analysis = Callable[[np.ndarray, np.ndarray, np.ndarray], object]
ANALYSES: dict[str, Analysis] = {
    "gradient": lambda X, stage, size: gradient(X, stage, size=size, n_permutations=50),
    "trajectory": lambda X, stage, size: pseudotime(X, stage, n_permutations=20),
    "courses": lambda X, stage, size: along_each(size, {"a": X[:, 0], "b": X[:, 1]}, n_permutations=50),
    "retrieval": lambda X, stage, size: evaluate(X, stage, protocol="halves", n_splits=3),
    "probe": lambda X, stage, size: linear_probe(
        X, stage, n_repeats=2, n_permutations=3, learning_shares=(0.5, 1.0), baseline=size
    ),
    "audit": lambda X, stage, size: shortcuts(
        X, stage, {"size": size, "site": np.arange(len(stage)) % 2 == 0}, n_permutations=20
    ),
    "survival": lambda X, stage, size: by_score(size, X[:, 0] ** 2 + 0.1, np.arange(len(stage)) % 2),
    "map": lambda X, stage, size: project(X, method="pca"),
}


class StoppedError(Exception):
    """Raised by a listener that has heard enough."""


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listeners hear of every report, however quickly it follows the one before."""
    monkeypatch.setattr(progress, "EVERY_S", 0.0)


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("name", ANALYSES)
def test_every_analysis_tells_how_far_it_is_and_never_goes_back(name: str, simulate: Simulated) -> None:
    X, stage, size = simulate(60, 10)
    heard: list[tuple[float, str]] = []
    with progress.listening(lambda share, words: heard.append((share, words))):
        ANALYSES[name](X, stage, size)
    shares = [share for share, _ in heard]
    assert len(set(shares)) > 1
    assert shares == sorted(shares)
    assert all(0.0 <= share <= 1.0 for share in shares)
    assert all(words for _, words in heard)


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("name", ANALYSES)
def test_a_listener_that_raises_ends_the_analysis(name: str, simulate: Simulated) -> None:
    X, stage, size = simulate(60, 10)

    def stop(share: float, words: str) -> None:
        raise StoppedError

    with pytest.raises(StoppedError), progress.listening(stop):
        ANALYSES[name](X, stage, size)
    # Nobody listens any more: the next analysis runs to its end.
    ANALYSES[name](X, stage, size)


def test_a_result_is_the_same_whether_somebody_listens_or_not(simulate: Simulated) -> None:
    X, stage, size = simulate(60, 10)
    alone = gradient(X, stage, size=size, n_permutations=50)
    with progress.listening(lambda share, words: None):
        heard = gradient(X, stage, size=size, n_permutations=50)
    assert alone.to_dict() == heard.to_dict()
    assert np.array_equal(alone.null, heard.null)


def test_reports_that_follow_closely_are_not_all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[float] = []
    now = [100.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with progress.listening(lambda share, words: heard.append(share)):
        for done in range(10_000):
            progress.report(done, 10_000, "counting")
            now[0] += progress.EVERY_S / 1000
    assert heard[0] == 0.0
    assert 10 <= len(heard) <= 12


def test_new_words_are_told_at_once() -> None:
    heard: list[str] = []
    with progress.listening(lambda share, words: heard.append(words)):
        progress.report(0, 2, "first")
        progress.report(1, 2, "second")
    assert heard == ["first", "second"]


@pytest.mark.usefixtures("everything")
def test_a_part_scales_what_is_reported_within_it() -> None:
    heard: list[tuple[float, str]] = []
    with progress.listening(lambda share, words: heard.append((round(share, 6), words))):
        with progress.part(0.5, 1.0, "the second half"):
            progress.report(1, 2, "inner words")
            with progress.part(0.5, 1.0):
                progress.report(1, 2)
        with progress.part(0.0, 0.5, "an earlier part"):
            progress.report(1, 2)
    assert heard == [
        (0.5, "the second half"),
        (0.75, "the second half"),
        (0.75, "the second half"),
        (0.875, "the second half"),
        (0.875, "an earlier part"),
        (0.875, "an earlier part"),
    ]


def test_shares_follow_each_other_by_the_amount_of_work() -> None:
    assert progress.shares({"a": 1, "b": 0, "c": 3}) == {"a": (0.0, 0.25), "b": (0.25, 0.25), "c": (0.25, 1.0)}
