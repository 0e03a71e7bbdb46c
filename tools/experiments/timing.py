"""How long embedding and association take, of one thread and without what runs beside them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
from threadpoolctl import threadpool_limits

from flatsort.tracker.protocols import Embedder
from flatsort.tracker.sort import SortTracker
from flatsort.tracker.types import Float, Float32, Image, Tracks


class TimedTracker(SortTracker):
    """A tracker that knows how long its steps took.

    Attributes
    ----------
    seconds : float
        Of the thread that called, in all steps so far.
    """

    seconds = 0.0

    def step(self, *arguments: Any, **named: Any) -> Tracks:
        """See `SortTracker.step`."""
        start = time.thread_time()
        tracks = super().step(*arguments, **named)
        self.seconds += time.thread_time() - start
        return tracks


class TimedEmbedder:
    """An embedder that knows how long its calls took.

    Attributes
    ----------
    dim : int
    seconds : float
        In all calls so far: of the thread that called, where the embedder runs on the CPU, so that pictures decoded
        beside it do not count; of the clock on the wall, where a GPU is waited for.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.dim = embedder.dim
        self.seconds = 0.0
        self._embedder = embedder
        device = getattr(embedder, "device", None)
        self._clock = time.thread_time if getattr(device, "type", "cpu") == "cpu" else time.perf_counter

    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> list[Float32]:
        """Latents [n dim] of the boxes of each image."""
        start = self._clock()
        latents = self._embedder.embed(images, boxes)
        self.seconds += self._clock() - start
        return latents


@contextmanager
def one_thread(*, torch: bool = False) -> Iterator[None]:
    """Compute with one thread for the time of the block; ``torch``: there too."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    restore = _torch_threads(1) if torch else None
    try:
        with threadpool_limits(1):
            yield
    finally:
        cv2.setNumThreads(before)
        if restore is not None:
            _torch_threads(restore)


def _torch_threads(count: int) -> int:
    """Set the number of threads of torch and give the one before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    return before
