"""Crops of the boxes of identity switches, as small JPEG images in base64."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np

from flatsort.tools.experiments.report.identity_switches import TrackBox
from flatsort.tools.experiments.results import BenchmarkSequence
from flatsort.tools.experiments.sequences import image_files_of
from flatsort.tracker.crops import cut
from flatsort.tracker.images import read_image
from flatsort.tracker.io.frame_numbers import number_pictures
from flatsort.tracker.io.video import open_source
from flatsort.tracker.types import Float, Image

HEIGHT = 96
"""Largest height of a crop in pixels."""
WIDTH = 192
"""Largest width of a crop in pixels."""
JPEG_QUALITY = 80
MAX_SWITCHES = 200
"""Largest number of switches with crops, of a system on a sequence."""
MAX_SWITCHES_OF_PAGE = 2000
"""Largest number of switches with crops on the page: with three crops of some 2.5 kB each, about 15 MB."""

CropKey: TypeAlias = "tuple[float, ...]"
"""Frame and box (xyxy, tenths of pixels)."""


@dataclass(frozen=True)
class SwitchCrops:
    """Crops of a sequence.

    Attributes
    ----------
    crops : mapping of CropKey to str
        JPEG in base64; those of frames that cannot be read are absent.
    missing : str
        Why there are no crops; "" if there are some, or none were requested.
    """

    crops: Mapping[CropKey, str]
    missing: str = ""


def crop_key(box: TrackBox) -> CropKey:
    """Key of the crop of a box."""
    return (box.frame, *box.box.round(1).tolist())


def cut_crops(sequence: BenchmarkSequence, boxes: Iterable[TrackBox]) -> SwitchCrops:
    """Cut boxes out of the images of a sequence; each image is read once, and only those that are needed."""
    by_frame: dict[int, dict[CropKey, Float]] = {}
    for box in boxes:
        by_frame.setdefault(box.frame, {})[crop_key(box)] = box.box
    if not by_frame:
        return SwitchCrops({})
    crops: dict[CropKey, str] = {}
    with suppress(ValueError, OSError):  # a table of scores does not fail because its images were moved away
        for frame, image in _images(sequence, sorted(by_frame)):
            crops.update({key: _jpeg(cut(image, box)) for key, box in by_frame[frame].items()})
    return SwitchCrops(crops, "" if crops else "its images are absent or cannot be read")


def max_switches(counts: Sequence[int], max_each: int = MAX_SWITCHES, max_sum: int = MAX_SWITCHES_OF_PAGE) -> int:
    """The largest number of switches with crops per system and sequence that keeps their sum within ``max_sum``."""
    low, high = 0, max_each
    while low < high:
        middle = (low + high + 1) // 2
        if sum(min(count, middle) for count in counts) <= max_sum:
            low = middle
        else:
            high = middle - 1
    return low


def _images(sequence: BenchmarkSequence, frames: Sequence[int]) -> Iterator[tuple[int, Image]]:
    """The images of these frames: single files, or a video up to the last of them."""
    listed = image_files_of(sequence.source) if Path(sequence.source).is_dir() else None
    if listed is not None and listed.files and not listed.video:
        files = number_pictures(
            listed.files, last=max(sequence.of_source, default=0), frames=np.array(sequence.of_source), sequence=True
        ).pictures
        for frame in frames:
            path = files.get(frame)
            image = None if path is None else read_image(path)
            if image is not None:
                yield frame, image
        return
    needed = set(frames)
    source = open_source(sequence.source, images=True, length=max(sequence.frames, default=1))
    with closing(iter(source)) as stream:  # type: ignore[type-var]  # a generator: frames are fetched ahead
        for each in stream:
            if each.index in needed and each.image is not None:
                yield each.index, each.image
            if each.index >= frames[-1]:
                return


def _jpeg(crop: Image) -> str:
    height, width = crop.shape[:2]
    scale = min(1.0, HEIGHT / height, WIDTH / width)
    size = max(1, round(scale * width)), max(1, round(scale * height))
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return base64.b64encode(data.tobytes()).decode("ascii")
