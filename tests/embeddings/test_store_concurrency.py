"""One process writes while four read what the app and `status` read, for a minute: nobody meets an error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from embeddings.store import Store

SECONDS = float(os.environ.get("STORE_CONCURRENCY_SECONDS", "60"))
READERS = 4
WRITER = """
    import json, sys, time
    import numpy as np
    from embeddings.records import CaseOutcome, EmbeddedItem, RunProgress
    from embeddings.store import Store
    from PIL import Image
    db, set_id, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    store = Store(db, read_only=False, patience_s=600.0)
    chance = np.random.default_rng(0)
    run_id = store.start_run(set_id, {}, 100_000)
    end, commits, longest, n = time.monotonic() + seconds, 0, 0.0, 0
    while time.monotonic() < end:
        case_id = f"c{n % 4}"
        items = [EmbeddedItem(f"{case_id}/slice/{n + i:06d}", case_id, chance.normal(size=6).astype("f4"), n + i, 0.0)
                 for i in range(50)]
        n += 50
        began = time.monotonic()
        store.commit(set_id, items, outcomes=[CaseOutcome(f"c{n % 4}", True)], run_id=run_id,
                     progress=RunProgress(100_000, n, 0, n))
        longest = max(longest, time.monotonic() - began)
        commits += 1
        time.sleep(0.05)  # an encoder at work
    store.finish_run(run_id, "finished")
    print(json.dumps({"commits": commits, "longest_s": longest, "items": n}))
"""
READER = """
    import json, sys, time
    from embeddings.status import status, status_text
    from embeddings.store import Store
    db, set_id, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    end, reads, longest, seen = time.monotonic() + seconds, 0, 0.0, []
    while time.monotonic() < end:
        began = time.monotonic()
        store = Store(db)
        store.revision()
        status_text(status(store))
        table, vectors = store.table(set_id)
        assert len(table) == len(vectors)
        assert table["item_id"].is_monotonic_increasing
        store.thumbnails(table["item_id"][:20].tolist())
        longest = max(longest, time.monotonic() - began)
        seen.append(len(table))
        reads += 1
        time.sleep(0.2)  # somebody looks at the page
    assert seen == sorted(seen)
    print(json.dumps({"reads": reads, "longest_s": longest, "sizes": len(set(seen))}))
"""


def start(script: str, db: Path, set_id: str) -> subprocess.Popen[str]:
    root = str(Path(__file__).resolve().parents[2])
    words = [sys.executable, "-c", textwrap.dedent(script), str(db), set_id, str(SECONDS)]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, env=os.environ | {"PYTHONPATH": root})


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_four_read_while_one_writes_and_nobody_meets_an_error(store: Store, identity: Any) -> None:
    set_id = store.open_set(identity(view="slices"))
    writer = start(WRITER, store.path, set_id)
    readers = [start(READER, store.path, set_id) for _ in range(READERS)]
    results = []
    for process in (writer, *readers):
        out, errors = process.communicate(timeout=SECONDS + 120)
        assert process.returncode == 0, errors
        assert errors == ""
        results.append(json.loads(out))
    wrote, *read = results
    print(f"{SECONDS:.0f} s: wrote {wrote}, read {read}")
    assert len(store.vectors(set_id)[0]) == wrote["items"]
    assert wrote["commits"] > SECONDS / 2
    # Every reader got its turn again and again, and saw the set grow.
    assert all(one["reads"] > SECONDS / 3 and one["sizes"] > SECONDS / 6 for one in read)
    assert max(one["longest_s"] for one in results) < 15
