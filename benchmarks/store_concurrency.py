"""How often four readers and a writer of one cohort file get their turn, and how long the longest turn takes.

python -m benchmarks.store_concurrency --seconds 60
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

from embeddings.store.status import status, status_text
from embeddings.store.store import Store
from tests.embeddings.store.readers_and_writer import READERS, new_store, read_once, write_once


def work(role: str, db: Path, set_id: str, seconds: float) -> dict[str, float]:
    """What one process did in so many seconds: the number of its turns, and the longest in seconds."""
    store = Store(db, read_only=role == "read", patience_s=600.0)
    end, turns, longest = time.monotonic() + seconds, 0, 0.0
    while time.monotonic() < end:
        began = time.monotonic()
        if role == "write":
            write_once(store, set_id, turns)
        else:
            status_text(status(store))
            read_once(store, set_id)
        longest = max(longest, time.monotonic() - began)
        turns += 1
        time.sleep(0.05 if role == "write" else 0.2)
    return {"turns": turns, "longest_s": round(longest, 3)}


def main() -> None:
    """Print a line of JSON a process."""
    parser = argparse.ArgumentParser(description=textwrap.dedent(__doc__ or ""))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--as", dest="role", choices=("read", "write"), help=argparse.SUPPRESS)
    parser.add_argument("--store", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role:
        db, set_id = options.store
        print(json.dumps({options.role: work(options.role, Path(db), set_id, options.seconds)}))
        return
    with tempfile.TemporaryDirectory() as folder:
        db, set_id = new_store(Path(folder))
        words = [sys.executable, "-m", "benchmarks.store_concurrency", "--seconds", str(options.seconds)]
        words += ["--store", str(db), set_id]
        roles = ["write", *["read"] * READERS]
        for process in [subprocess.Popen([*words, "--as", role]) for role in roles]:
            process.wait()


if __name__ == "__main__":
    main()
