"""Torchvision's detectors: Faster R-CNN, RetinaNet, FCOS, SSD and others."""

from __future__ import annotations

import contextlib
import pickle
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flatsort.tracker import class_names
from flatsort.tracker.detectors import DETECTORS
from flatsort.tracker.detectors.duplicates import drop_copies
from flatsort.tracker.registry import PartConfig, require, suggest
from flatsort.tracker.types import Detections, Frame

if TYPE_CHECKING:
    from torch import Tensor, nn

DOWNLOAD = "download"
DEVICES = ("auto", "cpu", "cuda")

_NO_EPSILON = {f"{kind}_resnet50_fpn" for kind in ("fasterrcnn", "maskrcnn", "keypointrcnn", "retinanet")}
"""Models whose published weights were trained with epsilon 0 in their frozen normalisation layers."""


@dataclass(frozen=True)
class TorchvisionConfig(PartConfig):
    """A model of torchvision, and which of its detections are used."""

    name: str = "torchvision"
    model: str = "fasterrcnn_mobilenet_v3_large_320_fpn"
    """Name of a detection model in torchvision."""
    weights: str = ""
    """FILE.pth with the model's state dict, or "download" for torchvision's own weights."""
    classes: Any = None
    """Names or numbers of the classes to keep (car, "car, 2", [car, 2]), all or [] for all; null: person, or all where
    there is no person. A tuple of texts, or None, once it is read."""
    names: str = ""
    """Text file with one class name a line, without the background; by default the names of COCO."""
    min_score: float = 0.5
    """Minimum class probability, 0..1."""
    device: str = "auto"
    """auto (a GPU where there is one), cpu or cuda."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", class_names.parse_classes(self.classes))
        require(
            self,
            "detector",
            ("min_score", 0 < self.min_score < 1, "between 0 and 1"),
            ("device", self.device in DEVICES, f"one of {', '.join(DEVICES)}"),
        )


@DETECTORS.register("torchvision", TorchvisionConfig)
class TorchvisionDetector:
    """Boxes of a torchvision detector.

    Parameters
    ----------
    config : TorchvisionConfig

    Raises
    ------
    OSError
        If the weights or the names cannot be read or downloaded.
    ValueError
        If the weights are not those of the model, their checksum is wrong, or a model, class or device is unknown.
    """

    needs_image = True

    def __init__(self, config: TorchvisionConfig) -> None:
        import torch
        from torchvision import models

        known = models.list_models(module=models.detection)
        if config.model not in known:
            raise ValueError(f"detector.model: unknown model {config.model!r}{suggest(config.model, known)}")
        if config.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("detector.device cuda: torch sees no such device here; take device cpu")
        published = models.get_model_weights(config.model).DEFAULT
        labels = (
            ["background", *class_names.read_class_names(config.names)]
            if config.names
            else published.meta["categories"]
        )
        self.class_names: Sequence[str] = labels
        self.chosen_classes = class_names.choose_detected(dict(enumerate(labels)), config.classes)
        self._min_score = config.min_score
        self._device = torch.device("cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu")
        model = models.get_model(config.model, weights=None, weights_backbone=None, num_classes=len(labels))
        state = _download_state(published) if config.weights == DOWNLOAD else _read_state(config.weights)
        _load_state(model, state, config)
        self._model = model.eval().to(self._device)

    def detect(self, frame: Frame) -> Detections:
        """Detect the objects of one frame, best first; none where the image is missing."""
        if frame.image is None:
            return Detections.empty()
        import torch

        pixels = torch.from_numpy(np.ascontiguousarray(frame.image)).to(self._device)
        with torch.inference_mode():
            output = self._model([pixels.permute(2, 0, 1).float() / 255])[0]
        boxes, scores, labels = (output[key].cpu().numpy() for key in ("boxes", "scores", "labels"))
        rows = np.flatnonzero((scores >= self._min_score) & np.isin(labels, self.chosen_classes))
        return drop_copies(Detections.of(boxes, scores, labels)[rows])


def _download_state(published: Any) -> Mapping[str, Tensor]:
    from urllib.error import URLError

    try:
        with contextlib.redirect_stdout(sys.stderr):  # torch prints the download to stdout
            state: Mapping[str, Tensor] = published.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except URLError as error:
        raise OSError(
            f"{published.url}: cannot be downloaded ({error.reason}); give detector.weights a FILE.pth instead"
        ) from error
    except RuntimeError as error:
        raise ValueError(f"{published.url}: expected the published weights, got another file ({error})") from error
    return state


def _read_state(weights: str) -> Mapping[str, Tensor]:
    import torch

    path = Path(weights)
    if not weights:
        raise ValueError(f"detector.weights: expected FILE.pth, or {DOWNLOAD!r} for torchvision's own, got nothing")
    if not path.is_file():
        raise FileNotFoundError(f"detector.weights {path}: no such file (or say {DOWNLOAD!r} for torchvision's own)")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ValueError(f"{path}: expected a state dict of tensors as torch saves it, got something else") from error
    if not isinstance(state, Mapping) or not all(isinstance(t, torch.Tensor) for t in state.values()):
        raise ValueError(
            f"{path}: expected a state dict (name to tensor), got {type(state).__name__} of something else"
        )
    return state


def _load_state(model: nn.Module, state: Mapping[str, Tensor], config: TorchvisionConfig) -> None:
    from torch.nn import BatchNorm2d

    own = model.state_dict()
    for key in sorted(own.keys() | state.keys()):
        # published weights are of frozen normalisation layers, which count no batches
        if key.endswith("num_batches_tracked"):
            continue
        if key not in state:
            raise ValueError(f"{config.weights}: expected the weights of {config.model}, got a file without {key}")
        if key not in own:
            raise ValueError(f"{config.weights}: expected the weights of {config.model}, which has no {key}")
        if state[key].shape != own[key].shape:
            raise ValueError(
                f"{config.weights}: expected {key} of shape {list(own[key].shape)} for {config.model}, "
                f"got {list(state[key].shape)}"
            )
    model.load_state_dict(state, strict=False)
    if config.model in _NO_EPSILON:
        for module in model.modules():
            if isinstance(module, BatchNorm2d):
                module.eps = 0.0
