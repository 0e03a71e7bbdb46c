"""Training state: what an interrupted run is resumed from without a difference, as one safetensors file."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from flatsort.tracker.files import replacing

LOG = logging.getLogger(__name__)
KEY = "flatsort-state"
FOLDER = "state"
KEPT_STATES = 2
"""Newest states that are kept: if the last is damaged, the one before is used."""


@dataclass
class Progress:
    """Progress of a training run.

    Attributes
    ----------
    step : int
        Steps done.
    seconds : float
        Spent on them.
    best : float or None
        Least held-out score so far, None while there is none that can be compared.
    waited : int
        Evaluations since then.
    """

    step: int = 0
    seconds: float = 0.0
    best: float | None = None
    waited: int = 0


def write(out: Path, progress: Progress, tensors: Mapping[str, Tensor], identity: Mapping[str, Any]) -> Path:
    """Write a state, whole or not at all, and delete those before the last two.

    Parameters
    ----------
    out : Path
        Folder of the run.
    progress : Progress
    tensors : mapping
        Of model, moving average and optimiser.
    identity : mapping
        What must be the same in a run that goes on from here: config and data. JSON values.
    """
    path = out / FOLDER / f"step-{progress.step:09d}.safetensors"
    metadata = {KEY: json.dumps({**asdict(progress), "identity": identity})}
    with writing(path), replacing(path) as temporary:
        save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, temporary, metadata)
    for old in files(out)[:-KEPT_STATES]:
        old.unlink()
    return path


def newest(out: Path) -> tuple[Progress, dict[str, Tensor], dict[str, Any]] | None:
    """The newest state that can be read, None where there is none; see `write`."""
    for path in reversed(files(out)):
        try:
            with safe_open(path, "pt") as file:
                header = json.loads(file.metadata()[KEY])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
            progress = Progress(**{f.name: header[f.name] for f in fields(Progress)})
            _check_progress(progress, header["identity"])
            return progress, tensors, header["identity"]
        except (SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            LOG.warning("%s is damaged (%s), going back to the state before", path, error)
    return None


def _check_progress(progress: Progress, identity: object) -> None:
    """Refuse values of another kind than `write` gives."""
    counts = {"step": progress.step, "waited": progress.waited}
    wrong = [name for name, value in counts.items() if not isinstance(value, int) or value < 0]
    wrong += ["best"] * (progress.best is not None and not isinstance(progress.best, (int, float)))
    wrong += ["seconds"] * (not isinstance(progress.seconds, (int, float)))
    parts = [identity.get(part) for part in ("config", "data")] if isinstance(identity, dict) else [None]
    wrong += ["identity"] * (not all(isinstance(part, dict) for part in parts))
    if wrong:
        raise ValueError(f"header: {wrong[0]} is of another kind")


def files(out: Path) -> list[Path]:
    """States of a run, oldest first."""
    return sorted((out / FOLDER).glob("step-*.safetensors"))


def clean(out: Path) -> None:
    """Delete what a killed process was writing (see `tracker.files.replacing`)."""
    for pattern in (f"{FOLDER}/.step-*", ".model-*", ".config-*", ".losses-*", ".reconstructions-*", ".samples-*"):
        for path in out.glob(pattern):
            path.unlink()


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Sentences about the values that differ between two nested mappings of JSON values."""
    sentences = []
    for key in sorted({*old, *new}):
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            sentences += differences(a, b, f"{prefix}{key}.")
        elif a != b:
            sentences.append(f"{prefix}{key} was {a!r} and is {b!r}")
    return sentences


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """A failure to write a file in the block becomes one sentence that names the file."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        said = reason if reason.startswith("could not be written") else f"could not be written ({reason})"
        raise OSError(f"{path}: {said}; what was there before is kept") from error


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Moments of an optimiser by ``optimiser/PARAMETER/NAME``."""
    return {
        f"optimiser/{number}/{name}": value
        for number, values in optimiser.state_dict()["state"].items()
        for name, value in values.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimiser back what `optimiser_tensors` took, in the memory layout of its parameters.

    Raises
    ------
    ValueError
        If the tensors are not those of the optimiser's parameters.
    """
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        kind, _, rest = key.partition("/")
        if kind == "optimiser":
            number, _, name = rest.partition("/")
            like = parameters[int(number)] if number.isdecimal() and int(number) < len(parameters) else None
            if like is None or value.shape not in (like.shape, torch.Size([])):
                raise ValueError(f"{key} of shape {list(value.shape)} is of no parameter")
            layout = torch.empty_like(like, device="cpu") if value.shape == like.shape else torch.empty_like(value)
            state.setdefault(int(number), {})[name] = layout.copy_(value)  # a tensor of a file is the file, mapped
    if len({frozenset(moments) for moments in state.values()}) > 1:
        raise ValueError("moments of some parameters are missing")
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
