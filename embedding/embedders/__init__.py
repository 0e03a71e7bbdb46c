"""What turns boxes of pictures into latents, one file each; ``EMBEDDERS`` knows them by name."""

from tracker.protocols import Embedder
from tracker.registry import Registry

EMBEDDERS: Registry[Embedder] = Registry("embedder", "embedding.embedders")
