"""Which embedders there are by name: shipped checkpoints, and those that need no weights."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from flatsort.embedding.embedders import EMBEDDERS

WEIGHTS = Path(__file__).parent / "weights"
"""Folder of the shipped checkpoints."""


def shipped() -> dict[str, Path]:
    """Name → file of each checkpoint that comes with the project."""
    return {path.stem: path for path in sorted(WEIGHTS.glob("*.safetensors"))}


def weightless() -> list[str]:
    """Names of the registered embedders that need no weights."""
    return [n for n in EMBEDDERS.names() if all(f.name != "weights" for f in fields(EMBEDDERS.config(n)))]


def names() -> list[str]:
    """Every name that `embedding.load` knows, sorted."""
    return sorted({*shipped(), *weightless()})
