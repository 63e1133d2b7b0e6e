"""What a store of many slices takes on disk and how soon it opens, beside the same vectors in float32.

python benchmarks/store.py                       1,000 scans of 200 slices, 288 numbers each (flexict-nano)
python benchmarks/store.py --width 1728          as FlexiCT-2D
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from embeddings.records import CohortInfo, EmbeddedItem, RunProgress, SetIdentity
from embeddings.store.store import Store

ITEMS_A_COMMIT = 20_000


def build(path: Path, n_scans: int, n_slices: int, width: int, number_type: str) -> tuple[Store, str, float]:
    """A store of slices; vectors as wide and as spread as an encoder's. Returns the seconds of the last commit too."""
    store = Store(path, read_only=False)
    info = CohortInfo("benchmark", True, 0, 0, 3, pd.Timestamp("2026-01-01").to_pydatetime(), path.parent, "", "", ())
    cases = pd.DataFrame({"case_id": [f"case{n:05}" for n in range(n_scans)]})
    cases["patient_id"], cases["row"], cases["stage"] = cases["case_id"], range(n_scans), "T1"
    for name in ("image_path", "mask_path", "seed_x", "seed_y", "seed_z"):
        cases[name] = None
    store.register_exported(path, info, cases, {})
    identity = SetIdentity("benchmark", "0" * 64, "slices", "slice", "pooled", width, "1", "none", False)
    set_id = store.open_set(identity, number_type)
    chance, items = np.random.default_rng(0), []
    for case_id in cases["case_id"]:
        vectors = chance.normal(0, 0.7, (n_slices, width)).astype(np.float32)
        items += [
            EmbeddedItem(f"{case_id}/slice/{z:04d}", case_id, vector, z, 2.5 * z) for z, vector in enumerate(vectors)
        ]
        if len(items) >= ITEMS_A_COMMIT:
            store.commit(set_id, items)
            items = []
    store.commit(set_id, items)
    run_id = store.start_run(set_id, {}, n_scans)
    more = [
        EmbeddedItem(f"case00000/slice/{5000 + n}", "case00000", vector, n, 0.0) for n, vector in enumerate(vectors)
    ]
    began = time.perf_counter()
    store.commit(set_id, more, run_id=run_id, progress=RunProgress(n_scans, n_scans, 0, n_scans * n_slices))
    return store, set_id, time.perf_counter() - began


def timed(work: Callable[[], Any], rounds: int = 3) -> float:
    """Seconds, the median of a few rounds after one that is not counted."""
    work()
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return sorted(seconds)[len(seconds) // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, default=1000)
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--width", type=int, default=288)
    arguments = parser.parse_args()
    n_numbers = arguments.scans * arguments.slices * arguments.width
    print(f"{arguments.scans} scans x {arguments.slices} slices x {arguments.width} numbers")
    heads = (
        "numbers",
        "file, MB",
        "bytes a number",
        "open (info, sets, table), s",
        "vectors, s",
        "plan, s",
        "commit, s",
    )
    print("| " + " | ".join(heads) + " |")
    print("|---|---|---|---|---|---|---|")
    for number_type in ("float16", "float32"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "slices.duckdb"
            _, set_id, commit_s = build(path, arguments.scans, arguments.slices, arguments.width, number_type)
            reading = Store(path)

            def open_as_the_app(store: Store = reading, set_id: str = set_id) -> None:
                store.info()
                store.sets()
                store.table(set_id)

            def plan(store: Store = reading, set_id: str = set_id) -> None:
                for read in (store.completed, store.failures, store.items, store.sources):
                    read(set_id)

            opened, planned = timed(open_as_the_app), timed(plan)
            vectors = timed(lambda store=reading, set_id=set_id: store.vectors(set_id))
            size = path.stat().st_size
            print(
                f"| {number_type} | {size / 1e6:.0f} | {size / n_numbers:.2f} | {opened:.2f} | {vectors:.2f} | "
                f"{planned:.2f} | {commit_s:.2f} |"
            )


if __name__ == "__main__":
    main()
