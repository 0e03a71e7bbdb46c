"""Motion models, one file each; ``MOTION`` knows them by name."""

from flatsort.tracker.protocols import MotionModel
from flatsort.tracker.registry import Registry

MOTION: Registry[MotionModel] = Registry("motion model", "flatsort.tracker.motion")
