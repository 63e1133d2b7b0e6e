"""The run record says the exit code that the process ends with, whatever ends it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

MakeCohort = Callable[..., Path]

# What happens when the encoder is given its third batch, or while it is made.
JOB = """
    import os, shutil, signal, sys, time
    from pathlib import Path
    import numpy as np
    from embeddings.__main__ import main
    from embeddings.store.connections import StoreBusy
    from embeddings.job import collector
    from embeddings.job.engines import choice
    from embeddings.store.store import Store, StoreError

    # A process for each folder that was made, forked so that libraries are imported once.
    for folder in map(Path, sys.argv[1:]):
        child = os.fork()
        if not child:
            os.dup2(os.open(folder / "stderr", os.O_CREAT | os.O_WRONLY), 2)
            break
        (folder / "code").write_text(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
    else:
        sys.exit()
    what, csv = folder.name, folder / "cohort" / "cohort.csv"

    class Tiny:
        name, width, weights_sha256, weights_source = "tiny", 12, "00" * 32, "none: closed form"
        pooling, is_published, needs_mask, device = "pooled", False, False, "cpu"
        views = {"volume": "default"}
        n_batches = 0

        def __init__(self):
            if what == "bug in making the encoder":
                raise RuntimeError("a fault of the program")

        def encode(self, batch):
            Tiny.n_batches += 1
            if Tiny.n_batches == 3:
                happen()
            parts = np.array_split(batch.reshape(len(batch), -1), 12, axis=1)
            return np.stack([part.mean(axis=1) for part in parts], axis=1)

    def ask(number, times=1):
        for _ in range(times):
            os.kill(os.getpid(), number)
            time.sleep(0.5)  # the main thread hears of one before the next comes

    def fail(error):
        def commit(*_, **__):
            raise error
        Store.commit = commit

    def happen():
        if what == "Ctrl-C":
            ask(signal.SIGINT)
        elif what == "Ctrl-C twice":
            ask(signal.SIGINT, 2)
        elif what == "SIGTERM":
            ask(signal.SIGTERM)
        elif what == "bug":
            fail(RuntimeError("a fault of the program"))
        elif what == "bug that is a ValueError":
            fail(ValueError("a fault of the program"))
        elif what == "damaged store":
            fail(StoreError("the store is damaged"))
        elif what == "busy store":
            fail(StoreBusy("the store is in use"))
        elif what == "store that is busy at the end":
            def finish_run(*_):
                raise StoreBusy("the store is in use")
            Store.finish_run = finish_run
        elif what == "vanished folder":
            csv.parent.rename(csv.parent.with_name("elsewhere"))

    choice.open_encoder = lambda name, weights, device, **options: Tiny()
    options = ["--view", "volume", "--workers", "1", "--no-thumbnails", "--device", "cpu"]
    sys.exit(main(["embed", str(csv), "--db", str(folder / "out.duckdb"), *options]))
"""


# What happens, the exit code, the state of the run (None: no run was started), and whether it is a bug.
CASES = {
    "nothing": (0, "finished", False),
    "Ctrl-C": (130, "interrupted", False),
    "Ctrl-C twice": (130, "interrupted", False),
    "SIGTERM": (130, "interrupted", False),
    "bug": (1, "failed", True),
    "bug that is a ValueError": (1, "failed", True),
    "bug in making the encoder": (1, None, True),
    "damaged store": (2, "failed", False),
    "busy store": (75, "failed", False),
    "store that is busy at the end": (75, "failed", False),
    "vanished folder": (75, "interrupted", False),
}


def test_the_record_says_the_code_that_the_process_ends_with(make_cohort: MakeCohort, tmp_path: Path) -> None:
    cohort = make_cohort(6, masks=False).parent
    for what in CASES:
        shutil.copytree(cohort, tmp_path / what / "cohort")
    root = str(Path(__file__).resolve().parents[3])
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(JOB), *(str(tmp_path / what) for what in CASES)],
        env=os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"},
        check=True,
    )
    found = {}
    for what in CASES:
        folder = tmp_path / what
        said = (folder / "stderr").read_text(encoding="utf-8")
        records = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "out.runs").glob("*.json")]
        code = int((folder / "code").read_text(encoding="utf-8"))
        assert [record["exit_code"] for record in records] in ([], [code]), (what, said)
        found[what] = (code, records[0]["state"] if records else None, "Traceback" in said)
        is_bug = CASES[what][2]
        assert ("RuntimeError: a fault" in said or "ValueError: a fault" in said) == is_bug, (what, said)
        assert all(("a fault of the program" in str(record["error"])) == is_bug for record in records), what
    assert found == CASES
