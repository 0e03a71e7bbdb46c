"""Every extension point on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Protocol, TypeVar, runtime_checkable

from flatsort.tracker.types import Detections, Float, Float32, Frame, FrameResult, Image

State = Float
"""Filter state of t tracks, [5 4 t]: value, velocity, and the variance, covariance and velocity variance."""

SinkT = TypeVar("SinkT", bound="Sink")


@runtime_checkable
class FrameSource(Protocol):
    """Frames in order; iterating a second time starts again where the source allows it."""

    @property
    def name(self) -> str:
        """Names the results of this source."""
        ...

    @property
    def fps(self) -> float:
        """Nominal frames per second."""
        ...

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels, None where no image is read."""
        ...

    @property
    def length(self) -> int | None:
        """Number of frames, None for a live stream."""
        ...

    def __iter__(self) -> Iterator[Frame]: ...


@runtime_checkable
class Detector(Protocol):
    """Finds boxes in one frame. Frames come in order; a detector may remember earlier ones."""

    @property
    def class_names(self) -> Sequence[str]:
        """Name of each class index that ``detect`` can return."""
        ...

    @property
    def needs_image(self) -> bool:
        """Whether ``detect`` looks at ``frame.image``."""
        ...

    def detect(self, frame: Frame) -> Detections:
        """What is seen in the frame."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Appearance of boxes; Euclidean distance between two latents is the meaningful one."""

    dim: int

    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> list[Float32]:
        """Latents [n dim] for each image, computed in one call for all images."""
        ...


@runtime_checkable
class MotionModel(Protocol):
    """Motion of all tracks at once: the state goes in and comes out, nothing is kept."""

    def measure(self, boxes: Float) -> Float:
        """What the filter measures of ``boxes`` [n 4]: its four coordinates, [4 n]."""
        ...

    def start(self, measured: Float) -> State:
        """State of new tracks at ``measured`` [4 t]."""
        ...

    def predict(self, state: State, dt: float) -> State:
        """State ``dt`` nominal frames later."""
        ...

    def correct(self, state: State, measured: Float) -> State:
        """State after measuring ``measured`` [4 t], one column a track."""
        ...

    def boxes(self, state: State) -> Float:
        """xyxy [t 4] of a state."""
        ...

    def squared_mahalanobis(self, state: State, measured: Float) -> Float:
        """Squared distance [t n] of each predicted track to each of ``measured`` [4 n], in innovation variances."""
        ...

    def warp(self, state: State, affine: Float) -> State:
        """State seen by a camera that moved by ``affine`` [2 3] (previous to current pixel coordinates)."""
        ...


@runtime_checkable
class Sink(Protocol):
    """Takes results one frame at a time. Leaving the context without an error completes what it wrote."""

    def write(self, result: FrameResult) -> None:
        """Take the next frame."""
        ...

    def __enter__(self: SinkT) -> SinkT: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
