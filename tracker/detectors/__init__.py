"""Detectors, one file each; ``DETECTORS`` knows them by name."""

from tracker.protocols import Detector
from tracker.registry import Registry

DETECTORS: Registry[Detector] = Registry("detector", "tracker.detectors")
