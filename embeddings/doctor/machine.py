"""Libraries, and the cores and memory that a container leaves this process."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from embeddings.doctor.check import Check
from embeddings.formatting import size
from embeddings.versions import REQUIRED, versions

LEAST_PYTHON = (3, 11)
LEAST_MEMORY = 4e9
_AGAIN = "install it with: pip install -r requirements.txt"
# Version 1 of control groups writes a little less than this for no limit.
_NO_LIMIT = 2**60


def check_libraries() -> Iterator[Check]:
    """The versions of all libraries, and whether the required ones can be imported."""
    found = versions()
    shown = ", ".join(f"{name} {version}" for name, version in found.items() if version is not None)
    if sys.version_info < LEAST_PYTHON:
        wanted = ".".join(map(str, LEAST_PYTHON))
        yield Check("versions", "problem", shown, f"use Python {wanted} or newer", {"versions": found})
    else:
        yield Check("versions", "ok", shown, values={"versions": found})
    for name in REQUIRED:
        if found[name] is None:
            yield Check(name, "problem", "is not installed", _AGAIN)
            continue
        try:
            importlib.import_module(name)
        except Exception as error:
            why = " ".join(str(error).split())
            yield Check(name, "problem", f"is installed but broken ({type(error).__name__}: {why})", _AGAIN)


@dataclass(frozen=True)
class Share:
    """The limits of a control group (a container, a batch job): cores and bytes; None without a limit."""

    cores: float | None
    memory: int | None
    memory_used: int | None


def check_cores() -> Check:
    """The cores that this process may use, and the limit of the container."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = share_of_this_process().cores
    values = {"cores": allowed, "cores_of_machine": os.cpu_count(), "container_cores": share}
    if share is not None and share < allowed - 0.5:
        return Check(
            "cores",
            "warning",
            f"{allowed} cores are visible, but the container may use {share:g} of them",
            f"give embed --workers {max(1, round(share))}",
            values,
        )
    return Check("cores", "ok", f"{allowed} of {os.cpu_count()} on this machine", values=values)


def check_memory(root: Path = Path("/")) -> Check:
    """The free memory of the machine, or of the container's limit."""
    lines = (root / "proc/meminfo").read_text(encoding="utf-8").splitlines() if (root / "proc/meminfo").exists() else []
    known = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines) if rest}
    total, free = known.get("MemTotal"), known.get("MemAvailable")
    if total is None or free is None:
        return Check("memory", "ok", "unknown on this system")
    share = share_of_this_process(root)
    values = {"total": total, "free": free, "container_limit": share.memory}
    where = f"{size(free)} free of {size(total)}"
    if share.memory is not None and share.memory < total:
        free = min(free, share.memory - (share.memory_used or 0))
        values["free"] = free
        where = f"{size(free)} free of the container's {size(share.memory)} ({size(total)} on the machine)"
    if free < LEAST_MEMORY:
        advice = f"reading a large scan takes about 2 GB: free {size(LEAST_MEMORY)}, or embed with --workers 1"
        return Check("memory", "warning", where, advice, values)
    return Check("memory", "ok", where, values=values)


def share_of_this_process(root: Path = Path("/")) -> Share:
    """The lowest limits of this process's control group and those above it, of version 1 or 2.

    Source: cgroup-v2 documentation of the Linux kernel (`cpu.max`, `memory.max`); version 1's `cpu.cfs_quota_us`
    and `memory.limit_in_bytes`. A container usually sees its own group at the top.
    """
    try:
        groups = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return Share(None, None, None)
    cores, limits = [], []
    top = root / "sys/fs/cgroup"
    for line in groups:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            for folder in _upwards(top, path):
                quota = _words(folder / "cpu.max")
                if len(quota) == 2 and quota[0] != "max":
                    cores.append(int(quota[0]) / int(quota[1]))
                limits.append((_number(folder / "memory.max"), _number(folder / "memory.current")))
        if "cpu" in controllers.split(","):
            for folder in _upwards(top / "cpu", path):
                limit, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
                if limit is not None and limit > 0 and period:
                    cores.append(limit / period)
        if "memory" in controllers.split(","):
            for folder in _upwards(top / "memory", path):
                limits.append((_number(folder / "memory.limit_in_bytes"), _number(folder / "memory.usage_in_bytes")))
    held = [(limit, used) for limit, used in limits if limit is not None and limit < _NO_LIMIT]
    memory, used = min(held, key=lambda pair: pair[0], default=(None, None))
    return Share(min(cores, default=None), memory, used)


def _upwards(top: Path, path: str) -> Iterator[Path]:
    """The folder of a control group and all visible folders above it."""
    folder = top / path.strip("/")
    while True:
        if folder.is_dir():
            yield folder
        if folder == top:
            return
        folder = folder.parent


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except OSError:
        return []


def _number(path: Path) -> int | None:
    words = _words(path)
    return int(words[0]) if words and words[0].lstrip("-").isdigit() else None
