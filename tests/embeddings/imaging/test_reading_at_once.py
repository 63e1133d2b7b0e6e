"""Threads that read damaged files of any format at the same time do not end the process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.conftest import ROOT

READERS = """
    import sys, threading, time
    from pathlib import Path
    from embeddings.imaging.images import read_image
    from tests.embeddings.damaged_inputs import CORPUS

    root, kind, paths = Path(sys.argv[1]), sys.argv[2], []
    for number, name in enumerate(name for name in CORPUS if name.startswith(kind)):
        folder = root / str(number)
        folder.mkdir()
        paths.append(folder / CORPUS[name](folder)[0])
    end = time.monotonic() + 3

    def read():
        while time.monotonic() < end:
            for path in paths:
                try:
                    read_image(path)
                except (ValueError, OSError, RuntimeError):
                    pass

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("alive")
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["nrrd", "mha", "nifti", "dicom"])
def test_damaged_files_read_by_many_threads_do_not_end_the_process(kind: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(READERS), str(tmp_path), kind]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["alive"]
