"""The loop of a process that runs functions for another one, such as the app.

It reads requests from standard input and answers each on standard output: with `Progress` as often as there is any,
then with a `Result`, a `Refusal` or, after an error of the program, a `Fault`. When standard input ends the process
ends too, even while a function runs: whichever way the other process ended, nobody is waiting for the answer.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import BinaryIO, get_type_hints

from threadpoolctl import threadpool_limits

from embeddings.analysis import progress
from embeddings.worker import result_codec
from embeddings.worker.messages import Fault, Progress, Refusal, Request, Result, read_message, write_message
from flexict.errors import FlexiCTError

Function = Callable[..., object]
IDLE_S = 3.0
LONGEST_TRACEBACK = 50_000


def serve(functions: Sequence[Function], when_idle: Callable[[], object] = lambda: None) -> None:
    """Run these functions as requested, by name, until standard input ends.

    `when_idle` is called once if the first request does not arrive soon.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What a library prints would stand between the messages.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests), daemon=True).start()
    try:
        first = requests.get(timeout=IDLE_S)
    except queue.Empty:
        when_idle()
        first = requests.get()
    named = {function.__name__: function for function in functions}
    for request in chain([first], iter(requests.get, None)):
        write_message(answers, _answer(named, request, answers))


def _listen(stream: BinaryIO, requests: queue.SimpleQueue[Request]) -> None:
    """Put requests into the queue; end the process with its input, whatever it is doing."""
    try:
        while (message := read_message(stream)) is not None:
            requests.put(message)
    finally:
        os._exit(0)


def _answer(functions: Mapping[str, Function], request: Request, answers: BinaryIO) -> Result | Refusal | Fault:
    def report(share: float, words: str) -> None:
        write_message(answers, Progress(share, words))

    try:
        function = functions[request.function]
        # The fits are many and small: with one thread per core they spend their time waiting for each other.
        with threadpool_limits(limits=1, user_api="blas"), progress.listening(report):
            result = function(**result_codec.arguments_of(function, request.arguments))
        return Result(result_codec.encode(result, get_type_hints(function)["return"]))
    except FlexiCTError as error:
        return Refusal(" ".join(str(error).split()))
    except Exception as error:
        return Fault(f"{type(error).__name__}: {error}"[:500], traceback.format_exc()[-LONGEST_TRACEBACK:])
