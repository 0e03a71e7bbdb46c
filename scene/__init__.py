"""The demonstration scene: a rendered video of people on a square, with its ground truth and simulated detections."""

from flatsort.scene.rendered_scene import Scene, write_images, write_sequence
from flatsort.scene.simulated_detector import SceneConfig, SceneGroundTruth

__all__ = ["Scene", "SceneConfig", "SceneGroundTruth", "write_images", "write_sequence"]
