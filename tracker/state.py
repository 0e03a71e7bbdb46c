"""The state of a tracker as plain arrays and numbers, to go on later or elsewhere; nothing is pickled.

A state is a mapping of names to NumPy arrays of numbers, so that ``np.savez`` keeps it; it fits the config that it was
made with and no other.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from flatsort.tracker.files import replacing
from flatsort.tracker.stored_data import read_arrays

FORMAT = 1
TrackerState = dict[str, NDArray[Any]]
"""Name → array of numbers."""


class Stateful(Protocol):
    """A part of a tracker that names what it has to remember."""

    REMEMBERED: ClassVar[tuple[str, ...]]
    """Attributes: arrays of numbers, numbers, None, deques of numbers, tuples of whole numbers."""


def collect(part: Stateful, prefix: str) -> TrackerState:
    """What a part remembers; what is None is left out."""
    values = {f"{prefix}.{name.strip('_')}": getattr(part, name) for name in part.REMEMBERED}
    return {name: np.array(value) for name, value in values.items() if value is not None}


def restore(part: Stateful, prefix: str, state: Mapping[str, Any]) -> None:
    """Give a new part what another of its kind remembered.

    Raises
    ------
    ValueError
        If a value is missing or of another kind or number of dimensions.
    """
    for name in part.REMEMBERED:
        key, default = f"{prefix}.{name.strip('_')}", getattr(part, name)
        if key not in state:
            if default is not None:
                raise ValueError(f"state: expected {key}, got none")
            setattr(part, name, None)
            continue
        setattr(part, name, _as(default, np.asarray(state[key]), key))


def fingerprint(config: Any) -> NDArray[np.uint8]:
    """Sixteen bytes that two configs share only if they are equal."""
    return np.frombuffer(hashlib.blake2b(repr(asdict(config)).encode(), digest_size=16).digest(), np.uint8).copy()


def save_state(path: str | Path, state: Mapping[str, Any]) -> None:
    """Write a state as an ``.npz`` file, whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in state.items()}
        np.savez_compressed(file, **arrays)


def read_state(path: str | Path) -> TrackerState:
    """Read what `save_state` wrote.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is no such file.
    """
    try:
        return read_arrays(path)
    except ValueError as error:
        raise ValueError(f"{path}: expected the state of a tracker, cannot be read ({error})") from error


def _as(default: Any, value: NDArray[Any], key: str) -> Any:
    """A stored array as the kind of value that it was made from."""
    if value.dtype.kind not in "biuf" or (value.dtype.kind == "f" and np.isnan(value).any()):
        got = "NaN" if value.dtype.kind == "f" else value.dtype
        raise ValueError(f"state: {key}: expected numbers, got {got}")
    if isinstance(default, np.ndarray):
        if value.ndim != default.ndim or value.dtype.kind != default.dtype.kind:
            expected, got = f"{default.ndim} dimensions of {default.dtype}", f"{value.ndim} of {value.dtype}"
            raise ValueError(f"state: {key}: expected {expected}, got {got}")
        return value.astype(default.dtype)
    if isinstance(default, deque):
        return deque(value.ravel().tolist())
    if isinstance(default, tuple):
        if not np.isfinite(value).all():
            raise ValueError(f"state: {key}: expected whole numbers, got {value.tolist()}")
        return tuple(int(number) for number in value.ravel())
    if default is None and value.ndim:
        return value
    if value.ndim:
        raise ValueError(f"state: {key}: expected a number, got {value.ndim} dimensions")
    if not isinstance(default, float) and value.dtype.kind == "f":
        raise ValueError(f"state: {key}: expected a whole number, got {value}")
    return int(value) if default is None else type(default)(value)
