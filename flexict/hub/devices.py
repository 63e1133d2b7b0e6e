"""The devices on which encoders compute."""

from __future__ import annotations

import torch

from flexict.errors import FlexiCTError


def pick_device(device: str = "auto") -> str:
    """`auto` becomes `cuda` where there is a GPU, else `cpu`.

    Raises:
        FlexiCTError: if the device does not exist here.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise FlexiCTError(f"the device {device} needs a GPU, and torch finds none here: use --device cpu or auto")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise FlexiCTError(f"there is no device {device!r} here: use auto, cpu or cuda") from error
    return device


def devices_of(device: str = "auto") -> list[str]:
    """The devices that a job uses: `auto` and `cuda` mean all visible GPUs; commas separate several.

    Raises:
        FlexiCTError: if a device does not exist here.

    >>> devices_of("cpu, cpu")
    ['cpu', 'cpu']
    """
    if device in ("auto", "cuda") and torch.cuda.is_available():
        return [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return [pick_device(one.strip()) for one in device.split(",")]
