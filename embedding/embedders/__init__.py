"""Embedders, which turn boxes of images into latents; ``EMBEDDERS`` is their registry."""

from flatsort.tracker.protocols import Embedder
from flatsort.tracker.registry import Registry

EMBEDDERS: Registry[Embedder] = Registry("embedder", "flatsort.embedding.embedders")
