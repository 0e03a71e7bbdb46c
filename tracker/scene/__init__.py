"""An embedded demonstration scene: drawn people on a square, whose truth is known."""

from tracker.scene.film import Scene
from tracker.scene.observer import SceneConfig, SceneTruth

__all__ = ["Scene", "SceneConfig", "SceneTruth"]
