"""ONNX networks of images, run by onnxruntime: shared by the ONNX detector and the ONNX embedder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flatsort.tracker.types import Float32

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
"""Device → onnxruntime's name for what computes there."""
DEVICES = ("auto", *PROVIDERS)
PACKAGES = {
    "cuda": "flatsort[onnx-gpu]",
    "tensorrt": "flatsort[onnx-gpu]",
    "openvino": "onnxruntime-openvino",
    "directml": "onnxruntime-directml",
}
"""Device → what brings it; onnxruntime itself brings the others where the system has them."""

LARGEST = 1 << 26
"""Pixels that a network may take in one call: a picture of 8192x8192, 0.8 GB of numbers."""
AT_ONCE = 16
"""Images in a call of a network that takes any number."""

_FLOATS: dict[str, type[np.floating[Any]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True)
class OnnxSession:
    """An ONNX network that takes images.

    Attributes
    ----------
    session : onnxruntime.InferenceSession
    weights : str
        Path of the file.
    input : str
        Name of the input for images.
    dtype : type
        Type of the input, float32 or float16.
    batch : int or None
        Images in a call; None where the network takes any number.
    size : tuple of int or None
        Width and height in pixels; None where the network takes any size.
    metadata : dict of str
        Metadata texts of the file.
    output_names : tuple of str
    rank : int
        Axes of the input: 4, or 3 where it takes one image [3 h w].
    sizes : str
        Name of a second input, int64 [n 2], for width and height of the images; empty where there is none.
    mask : str
        Name of a second input, int64 [n h w], that is 1 where there is an image; empty where there is none.
    """

    session: Any
    weights: str
    input: str
    dtype: type[np.floating[Any]]
    batch: int | None
    size: tuple[int | None, int | None]
    metadata: dict[str, str]
    output_names: tuple[str, ...]
    rank: int = 4
    sizes: str = ""
    mask: str = ""

    def run(self, images: Float32) -> Float32:
        """First output for images [n 3 h w], n ≥ 1, computed in batches of the size that the network takes.

        Raises
        ------
        ValueError
            If the network fails on images of this size, or memory does not suffice.
        """
        step = self.batch or len(images)
        parts = [self._call(images[i : i + step])[0][: len(images) - i] for i in range(0, len(images), step)]
        return np.concatenate(parts).astype(np.float32, copy=False)

    def run_each(self, images: Float32) -> list[list[NDArray[Any]]]:
        """All outputs for each of the images [n 3 h w]; raises as `run`.

        An axis of images in an output has length 1 then. Floating-point numbers are float32.
        """
        pixels = images.shape[2] * images.shape[3]
        step = self.batch or (max(1, min(AT_ONCE, LARGEST // pixels)) if self._has_batches() else 1)
        results = []
        for start in range(0, len(images), step):
            rows = images[start : start + step]
            outputs = self._call(rows)
            count = self.batch or len(rows)
            split = [count > 1 and o.shape[:1] == (count,) for o in outputs]
            for i in range(len(rows)):
                results += [[o[i : i + 1] if each else o for o, each in zip(outputs, split, strict=True)]]
        return results

    def _has_batches(self) -> bool:
        """Whether each output has the axis of any length that the input has for images."""
        first = self.session.get_inputs()[0].shape[0] if self.rank == 4 else None
        return isinstance(first, str) and all(o.shape and o.shape[0] == first for o in self.session.get_outputs())

    def _call(self, images: Float32) -> list[NDArray[Any]]:
        """All outputs for a batch of images, filled up to the size that the network takes."""
        height, width = images.shape[2:]
        count = self.batch or len(images)
        try:
            filled = np.concatenate([images, np.repeat(images[-1:], count - len(images), axis=0)])
            given = {self.input: filled.astype(self.dtype, copy=False)[slice(None) if self.rank == 4 else 0]}
            if self.sizes:
                given[self.sizes] = np.tile(np.array([width, height], np.int64), (count, 1))
            if self.mask:
                own = self.session.get_inputs()[1].shape
                sides = (own[i] if isinstance(own[i], int) else side for i, side in ((1, height), (2, width)))
                given[self.mask] = np.ones((count, *sides), np.int64)
            outputs = self.session.run(None, given)
        except Exception as error:  # onnxruntime's errors have no base class of their own
            raise ValueError(
                f"{self.weights}: cannot run on pictures of {width}x{height} pixels ({_reason(error)})"
            ) from error
        return [o.astype(np.float32, copy=False) if o.dtype.kind == "f" else o for o in map(np.asarray, outputs)]


def open_session(
    weights: str, what: str, *, part: str, device: str = "auto", threads: int = 0, plain: bool = True
) -> OnnxSession:
    """Open an ONNX file.

    Parameters
    ----------
    weights : str
        Path of the file.
    what : str
        Kind of network, for error messages: "detection network".
    part : str
        Config key that holds the settings, for error messages: "detector".
    device : str
        One of `DEVICES`; auto: CUDA where onnxruntime can use it, else the CPU.
    threads : int
        Threads for one operation on the CPU; 0 leaves it to onnxruntime.
    plain : bool
        Whether the only input must be images [n 3 h w]; else it may lack the axis of images, and there may be another
        one for their sizes or a mask.

    Raises
    ------
    ImportError
        If onnxruntime is not installed.
    FileNotFoundError
        If there is no such file.
    ValueError
        If onnxruntime cannot run it, its input is no image, or the device is missing.
    """
    if not weights:
        raise ValueError(f"{part}.weights: expected the FILE.onnx of a {what}, got nothing")
    if not Path(weights).is_file():
        raise FileNotFoundError(f"{part}.weights {weights}: no such file")
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(f"{part} onnx needs onnxruntime: pip install flatsort[onnx]") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    chosen = providers(device, onnxruntime.get_available_providers(), part)
    try:
        session = onnxruntime.InferenceSession(weights, options, providers=chosen)
    except Exception as error:  # onnxruntime's errors have no base class of their own
        raise ValueError(f"{weights}: expected an ONNX network that onnxruntime can run ({_reason(error)})") from error
    if device != "auto" and session.get_providers()[0] != chosen[0]:
        raise ValueError(f"{part}.device {device}: onnxruntime could not start it here; take device cpu")
    try:
        return _describe(session, weights, plain)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{weights}: expected names and metadata in UTF-8, got other bytes ({error.reason})"
        ) from error


def providers(device: str, available: Sequence[str], part: str = "detector") -> list[str]:
    """Onnxruntime's providers for a device, the first one preferred.

    Raises
    ------
    ValueError
        If a device is asked for that this onnxruntime does not have.
    """
    cpu, cuda = PROVIDERS["cpu"], PROVIDERS["cuda"]
    if device == "auto":
        return [cuda, cpu] if cuda in available else [cpu]
    chosen = PROVIDERS[device]
    if chosen not in available and chosen != cpu:
        package = f"pip install {PACKAGES[device]}, or " if device in PACKAGES else ""
        raise ValueError(
            f"{part}.device {device}: this onnxruntime runs on {', '.join(available)} only; {package}take device cpu"
        )
    between = [cuda] if device == "tensorrt" and cuda in available else []
    return list(dict.fromkeys([chosen, *between, cpu]))


def require_size(weights: str, count: int, width: int, height: int) -> None:
    """Refuse pictures for which memory would not suffice, before it is taken.

    Raises
    ------
    ValueError
        If they have more than `LARGEST` pixels together.
    """
    if count * width * height > LARGEST:
        number = f"{count} pictures" if count > 1 else "pictures"
        limit = f"{LARGEST / 1e6:.0f} million pixels"
        raise ValueError(f"{weights}: expected {number} of at most {limit} in a call, got {width}x{height}")


def _describe(session: Any, weights: str, plain: bool) -> OnnxSession:
    first, *more = session.get_inputs()
    dtype, rank = _FLOATS.get(first.type), len(first.shape)
    kinds = [_kind(each) for each in more]
    extras = len(set(kinds)) == len(kinds) and "" not in kinds
    # an axis of any size is a name or None here
    colours = first.shape[-3] if rank in ((4,) if plain else (3, 4)) else 0
    if dtype is None or (isinstance(colours, int) and colours != 3) or (more and plain) or not extras:
        raise ValueError(
            f"{weights}: expected one floating-point input of shape [1 3 height width], got "
            + ", ".join(f"{i.name} {i.type} {i.shape}" for i in (first, *more))
        )
    sides = (first.shape[0], *first.shape[-2:])
    batch, height, width = (side if isinstance(side, int) and side > 0 else None for side in sides)
    found = {kind: each.name for kind, each in zip(kinds, more, strict=True)}
    metadata = session.get_modelmeta().custom_metadata_map
    outputs = tuple(output.name for output in session.get_outputs())
    batch = batch if rank == 4 else 1
    return OnnxSession(session, weights, first.name, dtype, batch, (width, height), metadata, outputs, rank, **found)


def _kind(given: Any) -> str:
    """What an input beside the images is for; empty if unknown."""
    if given.type != "tensor(int64)":
        return ""
    return "mask" if len(given.shape) == 3 else "sizes" if len(given.shape) == 2 and given.shape[1] == 2 else ""


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
