"""GPUs: those that torch sees, those that the driver sees, and whether they compute correctly."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import torch

from embeddings.doctor.check import Check
from embeddings.formatting import size

SIDE = 256
LEAST_FREE = 4e9


def check_devices() -> Iterator[Check]:
    """Each CUDA device, tested by a small computation; a single finding if there is none."""
    listed = _listed_by_driver()
    if not torch.cuda.is_available():
        if listed:
            why = "this torch is built for CPUs only" if torch.version.cuda is None else "torch cannot use it"
            yield Check(
                "devices",
                "warning",
                f"the driver lists {', '.join(name for name, _ in listed)}, but {why}; the job runs on the CPU",
                "install a torch for CUDA that matches the driver (pytorch.org), then run this again",
                {"driver_lists": [name for name, _ in listed]},
            )
        else:
            finding = "no GPU; the job runs on the CPU"
            advice = "flexict-2d and flexict-3d take seconds to half a minute per item on a CPU" if not listed else None
            yield Check("devices", "ok", finding, advice, {"cpu_capability": torch.backends.cpu.get_cpu_capability()})
        return
    driver = listed[0][1] if listed else None
    for number in range(torch.cuda.device_count()):
        yield _check_cuda(number, driver)


def _check_cuda(number: int, driver: str | None) -> Check:
    name = f"device cuda:{number}"
    try:
        found = torch.cuda.get_device_properties(number)
        free, total = torch.cuda.mem_get_info(number)
        with torch.cuda.device(number):
            has_bfloat16 = torch.cuda.is_bf16_supported()
        device = torch.device("cuda", number)
        a = torch.linspace(-1, 1, SIDE * SIDE).reshape(SIDE, SIDE)
        # TF32 keeps ten bits of each factor.
        agrees = torch.allclose((a.to(device) @ a.to(device)).cpu(), a @ a, atol=0.1)
    except RuntimeError as error:
        why = str(error).splitlines()[0]
        return Check(
            name,
            "problem",
            f"does not compute ({why})",
            "look at nvidia-smi; restart the machine, or exclude it with --device",
        )
    values = {
        "model": found.name,
        "memory": total,
        "memory_free": free,
        "capability": f"{found.major}.{found.minor}",
        "bfloat16": has_bfloat16,
        "driver": driver,
        "cuda_of_torch": torch.version.cuda,
    }
    finding = (
        f"{found.name}, {size(free)} free of {size(total)}, capability {found.major}.{found.minor}, "
        f"{'bfloat16' if has_bfloat16 else 'no bfloat16'}, driver {driver or 'unknown'}, CUDA {torch.version.cuda}"
    )
    if not agrees:
        return Check(name, "problem", f"{finding}; it computes wrongly", "exclude it with --device", values)
    if free < LEAST_FREE:
        return Check(
            name, "warning", finding, "another program uses its memory: wait, or embed on another device", values
        )
    return Check(name, "ok", finding, values=values)


def _listed_by_driver() -> list[tuple[str, str]]:
    """Name and driver version of every GPU that nvidia-smi lists; empty without that tool."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    words = [tool, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [line.rsplit(",", 1) for line in done.stdout.splitlines()] if done.returncode == 0 else []
    return [(row[0].strip(), row[1].strip()) for row in rows if len(row) == 2]
