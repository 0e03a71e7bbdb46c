"""What turns boxes of pictures into latents, one file each; ``EMBEDDERS`` knows them by name."""

from flatsort.tracker.protocols import Embedder
from flatsort.tracker.registry import Registry

EMBEDDERS: Registry[Embedder] = Registry("embedder", "flatsort.embedding.embedders")
