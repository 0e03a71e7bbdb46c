"""The DETR family as Hugging Face's optimum exports it: ``logits`` [1 n c] and ``pred_boxes`` [1 n 4], shares.

``config.json`` beside the network, or a folder above it, says which classes it has and which member of the family it
is, ``preprocessor_config.json`` how pictures are normalised. Without them, the number of classes tells: DETR has COCO's
91 ids and "nothing", of which the probabilities add up to 1; the others give each class a probability of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flatsort.tracker.detectors.classes import COCO_IDS
from flatsort.tracker.detectors.layouts import LAYOUTS, Candidates, Layout, Output, Probe, flat, in_pixels, sigmoid
from flatsort.tracker.detectors.pictures import IMAGENET, PictureForm
from flatsort.tracker.stored_data import read_json
from flatsort.tracker.types import Float32

WITH_NOTHING = ("detr", "table-transformer", "yolos")
"""Values of ``model_type`` whose last class is "nothing"."""


@LAYOUTS.register("detr")
def detr(probe: Probe) -> Layout | None:
    """DETR, Table Transformer, YOLOS: softmax with "nothing" as the last class."""
    return _layout(probe, with_nothing=True)


@LAYOUTS.register("detr_sigmoid")
def detr_sigmoid(probe: Probe) -> Layout | None:
    """Deformable and conditional DETR, RT-DETR, D-FINE: a probability of its own for each class."""
    return _layout(probe, with_nothing=False)


def _layout(probe: Probe, *, with_nothing: bool) -> Layout | None:
    if not {"logits", "pred_boxes"} <= set(probe.names):
        return None
    k, b, size = probe.names.index("logits"), probe.names.index("pred_boxes"), probe.size
    if probe.outputs[b].shape[-1:] != (4,) or probe.outputs[k].shape[:-1] != probe.outputs[b].shape[:-1]:
        return None
    columns, config = probe.outputs[k].shape[-1], _settings(probe, "config.json")
    if columns <= with_nothing:
        return None
    kind = config.get("model_type")
    known = kind in WITH_NOTHING if kind else {92: True, 91: False, 80: False}.get(columns)
    if known is not None and known != with_nothing and not probe.forced:
        return None
    probabilities = _softmax if with_nothing else sigmoid

    def read(outputs: Sequence[Output]) -> Candidates:
        return Candidates(in_pixels(flat(outputs[b]), size), probabilities(flat(outputs[k])))

    count = columns - with_nothing
    names = _names(config) or (COCO_IDS if count == 91 and probe.classes is None else None)
    return Layout(read, _form(probe, columns), count=count, names=names, finished=True)


def _softmax(logits: Output) -> Float32:
    raised = np.exp(logits.astype(np.float32) - logits.max(axis=1, keepdims=True))
    shares: Float32 = raised / raised.sum(axis=1, keepdims=True)
    return shares[:, :-1]


def _form(probe: Probe, columns: int) -> PictureForm:
    settings = _settings(probe, "preprocessor_config.json")
    normalised = settings.get("do_normalize", columns != 80)  # RT-DETR, with COCO's 80 classes, takes plain values
    mean, deviation = settings.get("image_mean", IMAGENET[0]), settings.get("image_std", IMAGENET[1])
    if not normalised:
        return PictureForm("stretch")
    return PictureForm("stretch", mean=tuple(map(float, mean)), deviation=tuple(map(float, deviation)))  # type: ignore[arg-type]


def _names(config: Mapping[str, Any]) -> dict[int, str] | None:
    names = config.get("id2label")
    numbered = names.items() if isinstance(names, Mapping) else ()
    return {int(number): str(name) for number, name in numbered if number.isdecimal()} or None


def _settings(probe: Probe, name: str) -> Mapping[str, Any]:
    folder = Path(probe.weights).resolve().parent
    file = next((place / name for place in (folder, folder.parent) if (place / name).is_file()), None)
    settings = {} if file is None else read_json(file)
    if not isinstance(settings, Mapping):
        raise ValueError(f"{file}: expected an object of settings, got {type(settings).__name__}")
    return settings
