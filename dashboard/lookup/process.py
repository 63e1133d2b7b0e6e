"""A scan that is looked up, in a process of its own: the page stays alive, even if that one runs out of memory."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embeddings.exit_codes import TEMPORARY, WRONG_INPUT
from flexict.errors import FlexiCTError

LOG_TAIL = 600
_log = logging.getLogger(__name__)


class LookUpFailedError(Exception):
    """The look-up did not end as it should, for no fault of the scan; the log of the server has what it said."""


@dataclass(frozen=True)
class LookUpRequest:
    """What `python -m embeddings look-up` is to do; everything that decides the vector."""

    cohort: Path
    set_id: str
    image: Path
    mask: Path | None = None
    point_lps: tuple[float, float, float] | None = None
    mask_label: str | None = None

    def words(self, out: Path) -> list[str]:
        """The command line after `python`."""
        words = ["-m", "embeddings", "look-up", str(self.cohort), str(self.image), "--set", self.set_id]
        if self.mask is not None:
            words += ["--mask", str(self.mask)]
        if self.mask_label is not None:
            words.append(f"--mask-label={self.mask_label}")  # which may begin with a dash
        if self.point_lps is not None:
            words += ["--point", *(f"{value:.3f}" for value in self.point_lps)]
        return [*words, "--out", str(out)]


@dataclass(frozen=True)
class LookUp:
    """A look-up under way or at its end; its files lie beside the scan."""

    request: LookUpRequest
    process: subprocess.Popen[bytes]
    out: Path
    log: Path

    @property
    def running(self) -> bool:
        """Whether the process still lives."""
        return self.process.poll() is None

    def end(self) -> None:
        """End the process, where it still lives, and wait until it is gone."""
        if self.running:
            self.process.terminate()
            self.process.wait()

    def step(self) -> str:
        """What it does now, in its own words."""
        lines = _text(self.log).split("\n")
        said = [line for line in lines if line.strip()]
        return said[-1] if said else "starting"

    def vector(self) -> NDArray[np.float32]:
        """The scan's vector `[width]`.

        Raises:
            FlexiCTError: it ended without one, with the reason that it gave.
            LookUpFailedError: it gave none.
        """
        if self.process.returncode == 0 and self.out.is_file():
            return np.asarray(np.load(self.out, allow_pickle=False), dtype=np.float32)
        said = _text(self.log)
        reasons = [line.removeprefix("error: ") for line in said.split("\n") if line.startswith("error: ")]
        if self.process.returncode in (WRONG_INPUT, TEMPORARY) and reasons:
            raise FlexiCTError(reasons[-1])
        # The log is deleted with the scan.
        _log.error("a look-up ended with exit code %s:\n%s", self.process.returncode, said)
        last = next((line for line in reversed(said.split("\n")) if line.strip()), "nothing")
        raise LookUpFailedError(
            f"The look-up ended with exit code {self.process.returncode} and gave no vector: an error of the program "
            "or too little memory. Press the button to try again; the log of the server has more. It said last: "
            f"{last[-LOG_TAIL:]}"
        )


def start(request: LookUpRequest, folder: Path, project_root: Path) -> LookUp:
    """Start the look-up; vector and log are written into `folder`.

    Raises:
        OSError: if the log or the process cannot be made.
    """
    out, log = folder / "vector.npy", folder / "look-up.log"
    out.unlink(missing_ok=True)
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, *request.words(out)],
            stdout=subprocess.DEVNULL,
            stderr=stream,
            stdin=subprocess.DEVNULL,
            cwd=project_root,
        )
    return LookUp(request, process, out, log)


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
