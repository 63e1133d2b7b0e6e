"""The order in which a machine is examined."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from embeddings.doctor.check import Check, guarded


def examine(
    db: Path | None = None,
    data_root: Path | None = None,
    weights: str | None = None,
    shown: Callable[[Check], None] = lambda check: None,
) -> list[Check]:
    """Examine this machine, and the store, data root and weights if given. No check raises.

    Args:
        db: the store to embed into.
        data_root: the folder that contains every image.
        weights: a file or folder of weights, as for `embed --weights`.
        shown: called with each finding.
    """
    found: list[Check] = []
    for name, make in _examinations(db, data_root, weights):
        for check in guarded(name, make):
            found.append(check)
            shown(check)
    return found


def _examinations(
    db: Path | None, data_root: Path | None, weights: str | None
) -> Iterable[tuple[str, Callable[[], Iterable[Check]]]]:
    # Each check imports its own module, so that an import that fails affects only that check.
    def libraries() -> Iterable[Check]:
        from embeddings.doctor.machine import check_libraries

        return check_libraries()

    def machine() -> Iterable[Check]:
        from embeddings.doctor.machine import check_cores, check_memory

        return [check_cores(), check_memory()]

    def devices() -> Iterable[Check]:
        from embeddings.doctor.devices import check_devices

        return check_devices()

    def disk() -> Iterable[Check]:
        from embeddings.doctor.disk import check_folders, check_locks

        folder = Path.cwd() if db is None else db.absolute().parent
        return [*check_folders(folder, data_root, Path(tempfile.gettempdir())), check_locks(folder)]

    def encoders() -> Iterable[Check]:
        from embeddings.doctor.encoder_weights import check_weights

        return check_weights(weights)

    def store(path: Path) -> Iterable[Check]:
        from embeddings.doctor.cohort_file import check_store

        return check_store(path, data_root)

    def self_test() -> Iterable[Check]:
        from embeddings.doctor.self_test import check_work

        return check_work()

    yield "libraries", libraries
    yield "machine", machine
    yield "devices", devices
    yield "disk", disk
    yield "weights", encoders
    if db is not None:
        yield "store", partial(store, db)
    yield "self-test", self_test
