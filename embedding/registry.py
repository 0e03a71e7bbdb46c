"""Names of embedders: shipped checkpoints, and embedders that need no weights."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from flatsort.embedding.embedders import EMBEDDERS

WEIGHTS = Path(__file__).parent / "weights"
"""Folder of the shipped checkpoints."""


def shipped_checkpoints() -> dict[str, Path]:
    """Name → file of each checkpoint that is shipped with the package."""
    return {path.stem: path for path in sorted(WEIGHTS.glob("*.safetensors"))}


def names_without_weights() -> list[str]:
    """Names of the registered embedders that need no weights."""
    return [n for n in EMBEDDERS.names() if all(f.name != "weights" for f in fields(EMBEDDERS.config(n)))]


def names() -> list[str]:
    """All names that `embedding.load` accepts, sorted."""
    return sorted({*shipped_checkpoints(), *names_without_weights()})
