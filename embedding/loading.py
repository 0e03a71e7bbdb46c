"""Loading of embedders by name or file."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatsort.embedding import registry
from flatsort.embedding.embedders import EMBEDDERS
from flatsort.tracker import config as configs
from flatsort.tracker.protocols import Embedder
from flatsort.tracker.registry import suggest

if TYPE_CHECKING:
    from flatsort.embedding.model import LatentModel

CHECKPOINT = "model.safetensors"
"""File name of the checkpoint in the folder of a training run."""

EMBEDDERS_BY_SUFFIX = {".safetensors": "torch", ".onnx": "onnx"}
"""Suffix of a file of weights → registered name of its embedder."""


def load(name_or_path: str | Path, device: str = "auto", **settings: Any) -> Embedder:
    """Load an embedder by name or file; every call builds a new one.

    Parameters
    ----------
    name_or_path : str or Path
        A name of `embedding.registry.names`, a ``FILE.safetensors``, a ``FILE.onnx``, or the folder of a training run.
    device : str
        auto (a GPU where there is one), cpu, cuda, …; ignored by embedders that run on the CPU only.
    **settings
        Settings of the embedder: `TorchConfig` of a checkpoint, `OnnxConfig` of an ONNX file, `PixelsConfig`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the name or a setting is unknown, or the file's content does not fit its suffix.
    ImportError
        If a package that the embedder needs is not installed.

    Examples
    --------
    >>> embedder = embedding.load("flat_vhp_vae")
    >>> latents = embedder.embed([image], [boxes])
    """
    kind, weights = resolve_embedder(name_or_path)
    values: dict[str, Any] = {"name": kind}
    if weights is not None:
        values["weights"] = str(weights)
    if any(f.name == "device" for f in fields(EMBEDDERS.config(kind))):
        values["device"] = device
    try:
        config = configs.restore_part(EMBEDDERS, {**values, **settings})
    except ValueError as error:
        raise ValueError(f"{name_or_path}: {error}") from error
    return EMBEDDERS.build(config)


def resolve_embedder(name_or_path: str | Path) -> tuple[str, Path | None]:
    """Registered name of an embedder, and the file of its weights where it has one; raises as `load` does."""
    name, path = str(name_or_path), Path(name_or_path)
    shipped = registry.shipped_checkpoints()
    if name in shipped:
        return "torch", shipped[name]
    kind = EMBEDDERS_BY_SUFFIX.get(path.suffix.lower())
    if kind is not None and path.is_file():
        return kind, path
    if name in registry.names_without_weights():
        return name, None
    if path.is_dir():
        if not (path / CHECKPOINT).is_file():
            raise FileNotFoundError(f"{path}: expected the folder of a training run, got one without {CHECKPOINT}")
        return "torch", path / CHECKPOINT
    if kind is not None:
        raise FileNotFoundError(f"{path}: no such file")
    if path.exists():
        raise ValueError(f"{path}: expected a FILE.safetensors or FILE.onnx")
    if len(path.parts) > 1:
        raise FileNotFoundError(f"{path}: no such file or folder")
    raise ValueError(_unknown_name(name))


def load_checkpoint_model(name_or_path: str | Path) -> LatentModel:
    """The latent model, on the CPU, of a shipped name, a ``FILE.safetensors`` or the folder of a training run.

    Raises
    ------
    ValueError
        If it is an embedder of another kind; and as `load`.
    """
    from flatsort.embedding import checkpoint

    kind, weights = resolve_embedder(name_or_path)
    if kind != "torch" or weights is None:
        raise ValueError(f"{name_or_path}: expected a checkpoint of a model, got an embedder of kind {kind}")
    return checkpoint.load(weights)[0]


def _unknown_name(name: str) -> str:
    """Message about a name that cannot be loaded."""
    from flatsort.embedding.model import MODELS

    if name in MODELS.names():
        return f"{name}: a model without shipped weights; train it (flatsort train --config {name}) and name its folder"
    if name in EMBEDDERS.names():
        return f"{name}: an embedder without shipped weights, expected the file that holds them instead of its name"
    return f"unknown embedder {name!r}{suggest(name, registry.names())}, or a FILE.safetensors, FILE.onnx or folder"
