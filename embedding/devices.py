"""Devices of torch by name."""

from __future__ import annotations

import torch


def find_device(name: str, index: int | None = None) -> torch.device:
    """The device of a name (auto, cpu, cuda, cuda:NUMBER); ``index`` is the GPU where the name has no number.

    Raises
    ------
    ValueError
        If the name is none of these, or this machine has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device: expected auto, cpu, cuda or cuda:NUMBER, got {name!r}") from None
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise ValueError("device: expected cpu or auto (this machine has no CUDA device), got cuda")
        if device.index is None and index is not None:
            device = torch.device("cuda", index)
        count = torch.cuda.device_count()
        if device.index is not None and device.index >= count:
            raise ValueError(f"device: expected cuda:0 to cuda:{count - 1} (as many as this machine has), got {device}")
    elif device.type != "cpu":
        raise ValueError(f"device: expected auto, cpu, cuda or cuda:NUMBER, got {name!r}")
    return device
