"""Frames from files: one object for videos, images and frames without images, decoded ahead in a thread."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, islice
from typing import TypeVar

from flatsort.tracker.files import file_name
from flatsort.tracker.images import ValueRange
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
        How many of the frames have no image file.
    pictures : sequence of str or None
        Name of each frame's image file without suffix, from frame 1 on, None where there is none; empty for other
        sources.
    times : sequence of float or None
        Seconds of the frames that are not read; None: they are 1/``fps`` apart.
    values : ValueRange or None
        What is black and white in pictures with more than 256 levels.
    numbers : range
        Frame numbers of the source, whatever the stride; empty: 1, 2, 3, …, as many as a video has.
    phase, stride : int
        Which of them are given: every how many, from which one on.
    by_name : bool
        Whether numbers are those in the names of images.
    pace : int
        Nominal frames from one of the ``numbers`` to the next.
    """

    name: str
    fps: float
    size: tuple[int, int] | None
    length: int | None
    read_images: Callable[[], Generator[TimedImage]] | None = None
    absent: int = 0
    pictures: Sequence[str | None] = ()
    times: Sequence[float] | None = None
    values: ValueRange | None = None
    numbers: range = range(0)
    phase: int = 0
    stride: int = 1
    by_name: bool = False
    pace: int = 1

    def __post_init__(self) -> None:
        self.name = file_name(self.name)

    def __iter__(self) -> Iterator[Frame]:
        if self.read_images is None:
            return (Frame(index, None, self._time(index)) for index in islice(self._indices(), self.length))
        return prefetch(self._frames(self.read_images()), READ_AHEAD)

    def every(self, phase: int, stride: int) -> FileSource:
        """Every n-th of the frames, from the one at place ``phase`` on; frames keep their numbers and times."""
        if stride == 1:
            return self
        read = None if self.read_images is None else partial(_every, self.read_images, phase, stride)
        length = None if self.length is None else len(range(phase, self.length, stride))
        absent = (length or 0) if self.absent else 0
        return replace(self, read_images=read, length=length, absent=absent, phase=phase, stride=stride)

    @property
    def step(self) -> int:
        """Difference of the numbers of successive frames."""
        return self.numbers.step * self.stride

    @property
    def lag(self) -> int:
        """Nominal frames, each of 1/``fps`` seconds, from one frame to the next."""
        return self.pace * self.stride

    @property
    def first(self) -> int:
        """Number of the first frame."""
        return next(self._indices())

    def _indices(self) -> Iterator[int]:
        """Numbers of the frames that are given; without end, since headers announce too few frames."""
        start = self.numbers.start if self.numbers else 1
        return count(start + self.numbers.step * self.phase, self.step)

    def _time(self, index: int) -> float:
        """Seconds of a frame that is not read; after the last known one they go on at the nominal rate."""
        if not self.times:
            return (index - self.first) // self.step * self.lag / self.fps
        known = min(index, len(self.times))
        return self.times[known - 1] + (index - known) / self.fps

    def _frames(self, images: Generator[TimedImage]) -> Generator[Frame]:
        """Number the images; at the end, log how many could not be read."""
        given, unread, first = 0, 0, 0
        with closing(images):
            for index, (image, time) in zip(self._indices(), images, strict=False):
                given += 1
                if image is None:
                    unread += 1
                    first = first or index
                yield Frame(index, image, time)
        if unread:
            log.warning("%s: %d of %d frames could not be read, the first is %d", self.name, unread, given, first)
        # headers of intact videos are often wrong by a few frames
        if self.length is not None and self.length - given > max(2, self.length // 100):
            log.warning("%s: ended after %d frames, %d were announced", self.name, given, self.length)


def _every(read: Callable[[], Generator[TimedImage]], phase: int, stride: int) -> Generator[TimedImage]:
    with closing(read()) as images:
        yield from islice(images, phase, None, stride)


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
