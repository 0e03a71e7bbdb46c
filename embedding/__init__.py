"""Appearance embeddings that are learned without labels.

>>> embedder = embedding.load("flat_vhp_vae")
>>> latents = embedder.embed([image, …], [boxes, …])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flatsort.embedding import registry
    from flatsort.embedding.loading import load

__all__ = ["load", "registry"]


def __getattr__(name: str) -> Any:
    """Import ``load`` and ``registry`` when they are asked for: torch takes its time."""
    if name == "load":
        return importlib.import_module("flatsort.embedding.loading").load
    if name == "registry":
        return importlib.import_module("flatsort.embedding.registry")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
