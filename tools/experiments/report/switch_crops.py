"""Crops of boxes as small JPEG files in text."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
from flatsort.tools.experiments.report.switches import TrackBox

from flatsort.tools.experiments.results import BenchmarkSequence
from flatsort.tools.experiments.sequences import image_files_of
from flatsort.tracker.crops import cut
from flatsort.tracker.images import numbered, read_image
from flatsort.tracker.io.video import open_source
from flatsort.tracker.types import Float, Image

HEIGHT = 96
"""Largest height of a crop in pixels."""
WIDTH = 192
"""Largest width of a crop in pixels."""
QUALITY = 80
"""Of the JPEG files."""
MOST = 200
"""Switches of a system on a sequence that get crops."""
MOST_ALL = 2000
"""Switches of the whole page that get crops: with three crops of some 2.5 kB each, about 15 MB."""

Place = tuple[float, ...]
"""Frame and box (xyxy, tenths of pixels)."""


@dataclass(frozen=True)
class SwitchCrops:
    """Crops of a sequence.

    Attributes
    ----------
    crops : mapping of Place to str
        JPEG in base64; those of frames that cannot be read are absent.
    missing : str
        Why there are none at all, "" where there are some or none was wanted.
    """

    crops: Mapping[Place, str]
    missing: str = ""


def place(sight: TrackBox) -> Place:
    """What a crop is known by."""
    return (sight.frame, *sight.box.round(1).tolist())


def cut_stills(sequence: BenchmarkSequence, sights: Iterable[TrackBox]) -> SwitchCrops:
    """Cut boxes out of the pictures of a sequence, which are read once, and only as far as they are needed."""
    wanted: dict[int, dict[Place, Float]] = {}
    for sight in sights:
        wanted.setdefault(sight.frame, {})[place(sight)] = sight.box
    if not wanted:
        return SwitchCrops({})
    crops: dict[Place, str] = {}
    with suppress(ValueError, OSError):  # a table of scores does not fail because its pictures were moved away
        for frame, image in _pictures(sequence, sorted(wanted)):
            crops.update({key: _encoded(cut(image, box)) for key, box in wanted[frame].items()})
    return SwitchCrops(crops, "" if crops else "its pictures are absent or cannot be read")


def allowance(counts: Sequence[int], most: int = MOST, most_all: int = MOST_ALL) -> int:
    """How many switches of each system and sequence may get crops so that all together stay within ``most_all``."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if sum(min(count, middle) for count in counts) <= most_all:
            low = middle
        else:
            high = middle - 1
    return low


def _pictures(sequence: BenchmarkSequence, frames: Sequence[int]) -> Iterator[tuple[int, Image]]:
    """The pictures of these frames: image files one by one, a video up to the last of them."""
    found = image_files_of(sequence.source) if Path(sequence.source).is_dir() else None
    if found is not None and found.files and not found.video:
        files = dict(enumerate(numbered(found.files, len(sequence.detections)), 1))
        for frame in frames:
            path = files.get(frame)
            image = None if path is None else read_image(path)
            if image is not None:
                yield frame, image
        return
    wanted = set(frames)
    source = open_source(sequence.source, images=True, length=max(len(sequence.detections), 1))
    with closing(iter(source)) as stream:  # type: ignore[type-var]  # a generator: frames are fetched ahead
        for each in stream:
            if each.index in wanted and each.image is not None:
                yield each.index, each.image
            if each.index >= frames[-1]:
                return


def _encoded(crop: Image) -> str:
    height, width = crop.shape[:2]
    scale = min(1.0, HEIGHT / height, WIDTH / width)
    size = max(1, round(scale * width)), max(1, round(scale * height))
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return base64.b64encode(data.tobytes()).decode("ascii")
