"""A process that runs analyses for another one: `python -m embeddings.worker.process`.

It reads requests from standard input and answers on standard output, one at a time, in the form of `process_messages`:
first `{"share": 0.4, "words": "..."}` as often as there is progress, then `{"ended": "done"}` with the encoded result,
`{"ended": "refused", "why": "..."}` with a sentence for people, or `{"ended": "broken", "why": "...", "traceback":
"..."}` after an error of the program, which the other process logs. When standard input ends it ends too, also in the
middle of an analysis: nobody waits for the answer any more, whichever way the other process ended.
"""

from __future__ import annotations

import importlib
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, BinaryIO

from threadpoolctl import threadpool_limits

from embeddings.analysis import (
    LearningPoint,
    along_each,
    by_score,
    compare_sets,
    evaluate,
    linear_probe,
    progress,
    project,
    pseudotime,
    shortcuts,
    stage_gradient,
)
from embeddings.worker import result_codec
from embeddings.worker.messages import read_message, write_message
from embeddings.worker.request import arguments
from flexict.errors import FlexiCTError

Analysis = Callable[..., object]
IDLE_S = 3.0
LONGEST_TRACEBACK = 50_000


def probe_chance(**given: Any) -> float:
    """p of the linear probe against chance (NaN without permutations), and nothing else of it."""
    return linear_probe(**given, n_repeats=1, n_bootstrap=1).p_chance


def learning_curve(**given: Any) -> tuple[LearningPoint, ...]:
    """The learning curve of the linear probe, and nothing else of it."""
    return linear_probe(**given).learning_curve


# Apart from the probe itself: what takes long is kept when the repeats change or the other is asked for as well.
ANALYSES: Mapping[str, Analysis] = {
    "map": project,
    "gradient": stage_gradient,
    "trajectory": pseudotime,
    "courses": along_each,
    "retrieval": evaluate,
    "probe": linear_probe,
    "probe_chance": probe_chance,
    "learning_curve": learning_curve,
    "audit": shortcuts,
    "survival": by_score,
    "comparison": compare_sets,
}


def serve(analyses: Mapping[str, Analysis], when_idle: Callable[[], object] = lambda: None) -> None:
    """Answer requests for these analyses, by name, until standard input ends.

    `when_idle` is called once, where the first request lets itself be waited for.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What a library prints would stand between the messages.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    requests: queue.SimpleQueue[tuple[dict[str, Any], bytes]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests), daemon=True).start()
    try:
        first = requests.get(timeout=IDLE_S)
    except queue.Empty:
        when_idle()
        first = requests.get()
    for header, body in chain([first], iter(requests.get, None)):
        _answer(analyses, str(header.get("kind")), body, answers)


def _listen(stream: BinaryIO, requests: queue.SimpleQueue[tuple[dict[str, Any], bytes]]) -> None:
    """Requests into the queue; ends the process with its input, whatever it is doing."""
    try:
        while (message := read_message(stream)) is not None:
            requests.put(message)
    finally:
        os._exit(0)


def _answer(analyses: Mapping[str, Analysis], kind: str, body: bytes, answers: BinaryIO) -> None:
    def told(share: float, words: str) -> None:
        write_message(answers, {"share": share, "words": words})

    try:
        if kind not in analyses:
            raise FlexiCTError(f"there is no analysis called {kind[:80]!r}")
        # The fits are many and small: with a thread a core they spend their time waiting for each other.
        with threadpool_limits(limits=1, user_api="blas"), progress.listening(told):
            content = result_codec.encode(analyses[kind](**arguments(body)))
    except FlexiCTError as error:
        write_message(answers, {"ended": "refused", "why": " ".join(str(error).split())})
    except Exception as error:
        why = f"{type(error).__name__}: {error}"[:500]
        write_message(
            answers, {"ended": "broken", "why": why, "traceback": traceback.format_exc()[-LONGEST_TRACEBACK:]}
        )
    else:
        write_message(answers, {"ended": "done"}, content)


def main(words: Sequence[str] | None = None) -> int:
    """Serve; there are no arguments."""
    if sys.argv[1:] if words is None else words:
        print("python -m embeddings.worker.process takes no arguments", file=sys.stderr)
        return 2
    # UMAP takes seconds to import, which no other analysis shall wait for.
    serve(ANALYSES, when_idle=lambda: importlib.import_module("umap"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
