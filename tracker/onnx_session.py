"""ONNX networks of images, run by onnxruntime: shared by the ONNX detector and the ONNX embedder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flatsort.tracker.types import Float32

DEVICES = ("auto", "cpu", "cuda")

_FLOATS: dict[str, type[np.floating[Any]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True)
class OnnxSession:
    """An ONNX network that takes images.

    Attributes
    ----------
    session : onnxruntime.InferenceSession
    input : str
        Name of its only input.
    dtype : type
        Type of the input, float32 or float16.
    batch : int or None
        Images in a call; None where the network takes any number.
    size : tuple of int or None
        Width and height in pixels; None where the network takes any size.
    metadata : dict of str
        Metadata texts of the file.
    """

    session: Any
    input: str
    dtype: type[np.floating[Any]]
    batch: int | None
    size: tuple[int | None, int | None]
    metadata: dict[str, str]

    def run(self, images: Float32) -> Float32:
        """First output for images [n 3 h w], n ≥ 1, computed in batches of the size that the network takes."""
        images = images.astype(self.dtype, copy=False)
        step = self.batch or len(images)
        parts = []
        for start in range(0, len(images), step):
            rows = images[start : start + step]
            filled = np.concatenate([rows, np.repeat(rows[-1:], step - len(rows), axis=0)])
            parts.append(self.session.run(None, {self.input: filled})[0][: len(rows)])
        return np.concatenate(parts).astype(np.float32, copy=False)


def open_session(weights: str, what: str, *, part: str, device: str = "auto", threads: int = 0) -> OnnxSession:
    """Open an ONNX file.

    Parameters
    ----------
    weights : str
        Path of the file.
    what : str
        Kind of network, for error messages: "YOLOX network".
    part : str
        Config key that holds the settings, for error messages: "detector".
    device : str
        auto (a GPU where onnxruntime can use one), cpu or cuda.
    threads : int
        Threads for one operation on the CPU; 0 leaves it to onnxruntime.

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
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{weights}: expected an ONNX network that onnxruntime can run ({reason})") from error
    if device == "cuda" and session.get_providers()[0] != chosen[0]:
        raise ValueError(f"{part}.device cuda: onnxruntime could not start on a GPU here; take device cpu")
    return _describe(session, weights)


def providers(device: str, available: Sequence[str], part: str = "detector") -> list[str]:
    """Onnxruntime's providers for a device, the first one preferred.

    Raises
    ------
    ValueError
        If cuda is asked for and this onnxruntime has no such provider.
    """
    cuda = "CUDAExecutionProvider"
    if device == "cuda" and cuda not in available:
        raise ValueError(
            f"{part}.device cuda: this onnxruntime runs on {', '.join(available)} only; "
            "pip install flatsort[onnx-gpu], or take device cpu"
        )
    return [cuda, "CPUExecutionProvider"] if device != "cpu" and cuda in available else ["CPUExecutionProvider"]


def _describe(session: Any, weights: str) -> OnnxSession:
    first, *more = session.get_inputs()
    dtype = _FLOATS.get(first.type)
    if more or dtype is None or len(first.shape) != 4 or first.shape[1] != 3:
        raise ValueError(
            f"{weights}: expected one floating-point input of shape [1 3 height width], got "
            + ", ".join(f"{i.name} {i.type} {i.shape}" for i in (first, *more))
        )
    # An axis of any size is a name or None here.
    batch, _, height, width = (side if isinstance(side, int) else None for side in first.shape)
    metadata = session.get_modelmeta().custom_metadata_map
    return OnnxSession(session, first.name, dtype, batch, (width, height), metadata)
