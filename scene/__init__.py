"""An embedded demonstration scene: drawn people on a square, whose truth is known."""

from flatsort.scene.film import Scene, write_images, write_sequence
from flatsort.scene.observer import SceneConfig, SceneTruth

__all__ = ["Scene", "SceneConfig", "SceneTruth", "write_images", "write_sequence"]
