"""RF-DETR (Roboflow): ``dets`` [1 n 4], centre and size as shares, and ``labels`` [1 n c+1], logits.

Source: ``RFDETRNano().export()`` of rfdetr 1.11.2. Its weights of COCO have 91 columns, the ids of COCO's annotations;
in networks of other classes the first class is column 0, and the last column is not used.
"""

from __future__ import annotations

from collections.abc import Sequence

from flatsort.tracker.detectors.classes import COCO_IDS
from flatsort.tracker.detectors.layouts import LAYOUTS, Candidates, Layout, Output, Probe, flat, in_pixels, sigmoid
from flatsort.tracker.detectors.pictures import IMAGENET, PictureForm


@LAYOUTS.register("rfdetr")
def rfdetr(probe: Probe) -> Layout | None:
    """RGB with ImageNet's mean and deviation, stretched."""
    found = dict(zip(probe.names, probe.outputs, strict=True))
    if not {"dets", "labels"} <= found.keys() or found["labels"].dtype.kind != "f":
        return None
    boxes, logits = found["dets"], found["labels"]
    if boxes.shape[-1:] != (4,) or logits.ndim < 2 or logits.shape[:-1] != boxes.shape[:-1]:
        return None
    columns, size = logits.shape[-1], probe.size
    if columns < 2:
        return None
    b, k = probe.names.index("dets"), probe.names.index("labels")
    coco = columns == 91 and probe.classes is None
    count = columns if coco or (probe.classes is not None and len(probe.classes) == columns) else columns - 1

    def read(outputs: Sequence[Output]) -> Candidates:
        return Candidates(in_pixels(flat(outputs[b]), size), sigmoid(flat(outputs[k])[:, :count]))

    form = PictureForm("stretch", mean=IMAGENET[0], deviation=IMAGENET[1])
    return Layout(read, form, count=count, names=COCO_IDS if coco else None, finished=True)
