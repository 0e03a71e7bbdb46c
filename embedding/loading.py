"""Embedders by name or file."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from flatsort.embedding import registry
from flatsort.embedding.embedders import EMBEDDERS
from flatsort.tracker import config as configs
from flatsort.tracker.protocols import Embedder
from flatsort.tracker.registry import suggest

CHECKPOINT = "model.safetensors"
"""Name of the checkpoint in a training's folder."""

KINDS = {".safetensors": "torch", ".onnx": "onnx"}


def load(name_or_path: str | Path, device: str = "auto", **settings: Any) -> Embedder:
    """The embedder that a name or a file means; every call builds a new one.

    Parameters
    ----------
    name_or_path : str or Path
        A name of `embedding.registry.names`, a ``FILE.safetensors``, a ``FILE.onnx``, or the folder of a training.
    device : str
        auto (a GPU where there is one), cpu, cuda, …; what runs on the CPU only does not look at it.
    **settings
        Of the embedder's config: `TorchConfig` of a checkpoint, `OnnxConfig` of an ONNX file, `PixelsConfig`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the name or a setting is unknown, or the file does not hold what its suffix says.
    ImportError
        If a package is missing that the embedder needs.

    Examples
    --------
    >>> embedder = embedding.load("flat_vhp_vae")
    >>> latents = embedder.embed([image], [boxes])
    """
    kind, weights = find(name_or_path)
    values: dict[str, Any] = {"name": kind}
    if weights is not None:
        values["weights"] = str(weights)
    if any(f.name == "device" for f in fields(EMBEDDERS.config(kind))):
        values["device"] = device
    # the config's language would take a dollar sign for a reference
    given = {k: v.replace("${", r"\${") if isinstance(v, str) else v for k, v in {**values, **settings}.items()}
    try:
        config = configs.restore_part(EMBEDDERS, given)
    except ValueError as error:
        raise ValueError(f"{name_or_path}: {error}") from error
    return EMBEDDERS.build(config)


def find(name_or_path: str | Path) -> tuple[str, Path | None]:
    """Registered name of the embedder, and the file of its weights where it has one; raises as `load` does."""
    name, path = str(name_or_path), Path(name_or_path)
    shipped = registry.shipped()
    if name in shipped:
        return "torch", shipped[name]
    kind = KINDS.get(path.suffix.lower())
    if kind is not None and path.is_file():
        return kind, path
    if name in registry.weightless():
        return name, None
    if path.is_dir():
        if not (path / CHECKPOINT).is_file():
            raise FileNotFoundError(f"{path}: expected the folder of a training, found no {CHECKPOINT} in it")
        return "torch", path / CHECKPOINT
    if kind is not None:
        raise FileNotFoundError(f"{path}: no such file")
    if path.exists():
        raise ValueError(f"{path}: expected a FILE.safetensors or FILE.onnx")
    if len(path.parts) > 1:
        raise FileNotFoundError(f"{path}: no such file or folder")
    raise ValueError(_unknown(name))


def _unknown(name: str) -> str:
    from flatsort.embedding.model import MODELS

    if name in MODELS.names():
        return f"{name}: a model without shipped weights; train it (flatsort train --config {name}) and name its folder"
    if name in EMBEDDERS.names():
        return f"{name}: an embedder without shipped weights, expected the file that holds them instead of its name"
    return f"unknown embedder {name!r}{suggest(name, registry.names())}, or a FILE.safetensors, FILE.onnx or folder"
