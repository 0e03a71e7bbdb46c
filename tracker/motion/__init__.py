"""Motion models, one file each; ``MOTION`` knows them by name."""

from tracker.protocols import MotionModel
from tracker.registry import Registry

MOTION: Registry[MotionModel] = Registry("motion model", "tracker.motion")
