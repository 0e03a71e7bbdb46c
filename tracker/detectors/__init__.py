"""Detectors, one file each; ``DETECTORS`` knows them by name."""

from flatsort.tracker.protocols import Detector
from flatsort.tracker.registry import Registry

DETECTORS: Registry[Detector] = Registry("detector", "flatsort.tracker.detectors")
