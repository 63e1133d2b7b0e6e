"""Folders: free space, kind of file system, and whether file locks work there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from embeddings.doctor.check import Check
from embeddings.formatting import size

LITTLE, TOO_LITTLE = 5e9, 2e8
_NETWORK = re.compile(r"^(nfs\d?|cifs|smb\d?|smbfs|lustre|gpfs|beegfs|ceph|glusterfs|afs|ncpfs|9p|orangefs|fuse\..*)$")
_MOST_S = 30.0
# Runs in another process, because a lock does not exclude the process that has it.
_TRY_LOCK = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("refused")
    else:
        print("granted")
"""


def check_folders(db_folder: Path, data_root: Path | None, temporary: Path) -> Iterator[Check]:
    """Free space for the store, temporary files and downloaded weights, and whether the data root exists."""
    yield _check_space("folder of the store", db_folder)
    if data_root is not None:
        yield check_data_root(data_root)
    yield _check_space("temporary files", temporary)
    yield _check_space("downloaded weights", hub_cache())


def check_data_root(folder: Path) -> Check:
    """Whether the folder of the images exists and can be listed."""
    name = "data root"
    try:
        with os.scandir(folder) as entries:
            empty = next(entries, None) is None
    except OSError as error:
        advice = "mount or name the folder that contains the images"
        return Check(name, "problem", f"{folder} cannot be listed ({error.strerror})", advice)
    kind = kind_of_file_system(folder)
    values = {"folder": str(folder), "file_system": kind}
    if empty:
        return Check(name, "warning", f"{folder} is empty", "is it mounted?", values)
    return Check(name, "ok", f"{folder}, {_described(kind)}", values=values)


def check_locks(folder: Path) -> Check:
    """Whether a file lock of one process in the folder excludes another process, as DuckDB needs."""
    name = "locks"
    folder = _existing(folder)
    kind = kind_of_file_system(folder)
    values = {"folder": str(folder), "file_system": kind, "network": is_network(kind)}
    where = f"{folder} ({_described(kind)})"
    try:
        import fcntl
    except ImportError:
        return Check(name, "warning", "cannot be tested on this system", "run one job at a time on a store", values)
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".lock-test-") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            done = subprocess.run(
                [sys.executable, "-I", "-S", "-c", _TRY_LOCK, file.name],
                capture_output=True,
                text=True,
                timeout=_MOST_S,
                check=True,
            )
    except (OSError, subprocess.SubprocessError) as error:
        why = error.strerror if isinstance(error, OSError) else type(error).__name__
        advice = "keep the store in a writable folder on a local disk"
        return Check(name, "problem", f"no file can be written and locked in {where}: {why}", advice, values)
    if done.stdout.strip() != "refused":
        advice = "keep the store on a local disk: two jobs here would not notice each other and could damage it"
        return Check(name, "problem", f"do not work between processes in {where}", advice, values)
    if is_network(kind):
        advice = "run the jobs of a store on one machine at a time, or keep it on a local disk"
        return Check(name, "warning", f"work on this machine in {where}; between machines they may not", advice, values)
    return Check(name, "ok", f"work between processes in {where}", values=values)


def hub_cache() -> Path:
    """Where the Hugging Face client keeps downloads: `HF_HUB_CACHE`, or `hub` in `HF_HOME`."""
    home = Path(os.environ.get("HF_HOME", Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface"))
    return Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()


def kind_of_file_system(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """Such as `ext4`, `overlay` or `nfs4`, of the mount point that contains the folder; None if unknown."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    place = folder.resolve()
    found: tuple[int, str] | None = None
    for line in lines:
        # proc_pid_mountinfo(5): the fifth field is the mount point, the type follows the separator " - ".
        left, _, right = line.partition(" - ")
        point = Path(re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), left.split()[4]))
        depth = len(point.parts)
        # Of two mounts on one point, the later one hides the earlier.
        if place.is_relative_to(point) and (found is None or depth >= found[0]):
            found = depth, right.split()[0]
    return None if found is None else found[1]


def is_network(kind: str | None) -> bool:
    """Whether a kind of file system is shared between machines."""
    return kind is not None and _NETWORK.match(kind) is not None


def _check_space(name: str, folder: Path) -> Check:
    place = _existing(folder)
    free = shutil.disk_usage(place).free
    values = {"folder": str(folder), "free": free}
    finding = f"{size(free)} free in {folder}" + ("" if place == folder else " (does not exist yet)")
    if not os.access(place, os.W_OK):
        return Check(
            name,
            "warning",
            f"{finding}; it is not writable",
            "choose another folder, or change its permissions",
            values,
        )
    if free < TOO_LITTLE:
        return Check(name, "problem", finding, "free some space, or choose a folder on another disk", values)
    if free < LITTLE:
        return Check(name, "warning", finding, "embed --dry-run estimates how much a cohort needs", values)
    return Check(name, "ok", finding, values=values)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _described(kind: str | None) -> str:
    if kind is None:
        return "unknown file system"
    return f"network file system {kind}" if is_network(kind) else f"file system {kind}"
