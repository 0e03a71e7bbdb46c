"""Folders of images as samples: each image is one crop."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from flatsort.embedding.data.filename_labels import read_labels
from flatsort.embedding.data.writer import SetWriter
from flatsort.tracker.crops import crop
from flatsort.tracker.images import images_of, read_image
from flatsort.tracker.types import Image

LEAST_SIDE = 8
"""Images with a shorter side, in pixels, are skipped."""
CHUNK = 256
"""Samples in memory at a time."""


def resize_to_shape(image: Image, shape: Sequence[int]) -> Image:
    """An image [h w 1] or [h w 3] at a model's shape [channels height width], as uint8 [height width channels].

    It is resized as `tracker.crops.crop` resizes boxes, so that training and tracking get the same crops. Colour
    becomes grey (ITU-R BT.601) and grey becomes colour.
    """
    channels, height, width = shape
    colour = image if image.shape[2] == 3 else image.repeat(3, axis=2)
    resized = crop(colour, np.array([[0.0, 0, image.shape[1], image.shape[0]]]), (width, height))[0]
    if channels == 3 or image.shape[2] == 1:
        return np.asarray(resized[..., :channels], np.uint8)
    return np.asarray(cv2.cvtColor(resized, cv2.COLOR_RGB2GRAY), np.uint8)[..., None]


def file_stamp(path: Path) -> list[int]:
    """Size and modification time of a file: changes when the file does."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def short_name(path: Path) -> str:
    """The last two parts of a path: names a data set in messages."""
    return "/".join(path.resolve().parts[-2:]).lstrip("/")


class ImageFolder:
    """The images below a folder.

    Parameters
    ----------
    root : Path
        Searched recursively.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it has no images, or its images are the frames of a sequence.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise FileNotFoundError(f"{root}: no such folder, expected images")
        if (root / "img1").is_dir() or (root / "seqinfo.ini").is_file():
            raise ValueError(
                f"{root}: a sequence of frames, expected crops (`flatsort crop {root} --out DIR` cuts them)"
            )
        self.root = root
        self.images = images_of(root.rglob("*"))
        if not self.images:
            raise ValueError(f"{root}: expected images or a set of samples, got neither")

    @property
    def name(self) -> str:
        """Name in messages."""
        return short_name(self.root)

    @property
    def note(self) -> str:
        """Where the samples come from."""
        return f"{self.name}: {len(self.images)} images"

    @property
    def fingerprint(self) -> list[object]:
        """Changes when an image is added, removed or replaced."""
        digest = hashlib.blake2b(digest_size=16)
        for path in self.images:
            digest.update(f"{path.relative_to(self.root)}\0{file_stamp(path)}\n".encode())
        return [str(self.root.resolve()), len(self.images), digest.hexdigest()]

    @property
    def shape(self) -> list[int]:
        """Channels, height and width of the first image that can be used.

        Raises
        ------
        ValueError
            If there is none.
        """
        reason = ""
        for path in self.images:
            image = _load(path)
            if not isinstance(image, str):
                return [3, *image.shape[:2]]
            reason = reason or f"{path.name}: {image}"
        raise ValueError(f"{self.root}: expected images, none of {len(self.images)} can be used ({reason})")

    def append(self, writer: SetWriter, shape: Sequence[int], layout: str = "auto", least: float = 0) -> list[str]:
        """Add the images to a set.

        Parameters
        ----------
        writer : SetWriter
        shape : sequence of int
            Channels (1 or 3), height and width of the samples.
        layout : str
            What the files' names say; see `embedding.data.filename_labels.read_labels`.
        least : float
            Lower images are skipped, pixels.

        Returns
        -------
        list of str
            One sentence for each image that was skipped.

        Raises
        ------
        ValueError
            As `embedding.data.filename_labels.read_labels`.
        """
        labels = read_labels(self.images, self.root, layout)
        writer.begin_source()
        skipped: list[str] = []

        def load(path: Path) -> Image | str:
            image = _load(path, least)
            return image if isinstance(image, str) else resize_to_shape(image, shape)

        with ThreadPoolExecutor() as pool:
            for start in range(0, len(labels), CHUNK):
                paths, chunk = self.images[start : start + CHUNK], labels[start : start + CHUNK]
                loaded = list(zip(paths, pool.map(load, paths), chunk, strict=True))
                skipped += [f"{path}: {reason}" for path, reason, _ in loaded if isinstance(reason, str)]
                kept = [(image, label) for _, image, label in loaded if not isinstance(image, str)]
                if kept:
                    rows = [label for _, label in kept]
                    writer.add(
                        np.stack([image for image, _ in kept]),
                        [label.sequence or self.name for label in rows],
                        frame=[label.frame for label in rows],
                        camera=[label.camera for label in rows],
                        identity=[label.identity for label in rows],
                    )
        return skipped


def _load(path: Path, least: float = 0) -> Image | str:
    """The image, or why it cannot be used."""
    image = read_image(path)
    if image is None:
        return "cannot be decoded"
    height, width = image.shape[:2]
    if min(height, width) < LEAST_SIDE:
        return f"{width}×{height} pixels, expected at least {LEAST_SIDE} each"
    if height < least:
        return f"{height} pixels high, expected at least {least:g}"
    return image
