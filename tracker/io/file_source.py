"""Frames from files: one object for videos, images and frames without images, decoded ahead in a thread."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TypeVar

from flatsort.tracker.types import Frame, Image

T = TypeVar("T")
TimedImage = tuple[Image | None, float]
"""An image, None where it could not be read, and its time in seconds."""

FPS = 30.0
"""Frames per second of sources that do not specify theirs."""
READ_AHEAD = 4
"""Number of frames that are decoded in advance, in a thread."""

log = logging.getLogger(__name__)


@dataclass(eq=False)
class FileSource:
    """Frames from files; every iteration starts again at the first frame.

    Attributes
    ----------
    name, fps, size, length
        See `tracker.protocols.FrameSource`.
    read_images : callable or None
        Starts to read the images; None: ``length`` frames without an image.
    absent : int
        Number of frames for which the sequence has no image file.
    pictures : sequence of str or None
        Name of each frame's image file without suffix, None where there is none; empty for other sources.
    """

    name: str
    fps: float
    size: tuple[int, int] | None
    length: int | None
    read_images: Callable[[], Generator[TimedImage]] | None = None
    absent: int = 0
    pictures: Sequence[str | None] = ()

    def __iter__(self) -> Iterator[Frame]:
        if self.read_images is None:
            return (Frame(index, None, (index - 1) / self.fps) for index in range(1, (self.length or 0) + 1))
        return prefetch(self._frames(self.read_images()), READ_AHEAD)

    def without_images(self) -> FileSource:
        """The same frames without images."""
        return replace(self, read_images=None, absent=0)

    def _frames(self, images: Generator[TimedImage]) -> Generator[Frame]:
        """Number the images; at the end, log how many could not be read."""
        index, unread, first = 0, 0, 0
        with closing(images):
            for index, (image, time) in enumerate(images, 1):
                if image is None:
                    unread += 1
                    first = first or index
                yield Frame(index, image, time)
        if unread:
            log.warning("%s: %d of %d frames could not be read, the first is %d", self.name, unread, index, first)
        # headers of intact videos are often wrong by a few frames
        if self.length is not None and self.length - index > max(2, self.length // 100):
            log.warning("%s: ended after %d frames, %d were announced", self.name, index, self.length)


def prefetch(items: Iterable[T], size: int) -> Generator[T]:
    """Yield the items in order while a thread fetches up to ``size`` of them in advance.

    An error of ``items`` is raised in place of the item. The thread ends, and ``items`` is closed, after the last item,
    after an error, or when the generator is closed.
    """
    iterator = iter(items)
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as pool:
        try:
            waiting: deque[Future[T | object]] = deque(pool.submit(next, iterator, end) for _ in range(size))
            while (item := waiting.popleft().result()) is not end:
                waiting.append(pool.submit(next, iterator, end))
                yield item  # type: ignore[misc]  # `end` is the only other object
        finally:
            pool.shutdown(cancel_futures=True)
            if isinstance(iterator, Generator):
                iterator.close()
