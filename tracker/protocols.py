"""The protocols of all replaceable parts: frame source, detector, embedder, motion model, sink."""

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
    """Frames in order; a second iteration starts again at the first frame where the source allows it."""

    @property
    def name(self) -> str:
        """Name of the source, used for result files."""
        ...

    @property
    def fps(self) -> float:
        """Nominal frames per second."""
        ...

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels; None where no image is read."""
        ...

    @property
    def length(self) -> int | None:
        """Number of frames; None for a live stream."""
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
        """Whether ``detect`` reads ``frame.image``."""
        ...

    def detect(self, frame: Frame) -> Detections:
        """Detect the objects of the frame."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Maps image boxes to latents, whose Euclidean distance measures the difference in appearance."""

    dim: int

    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> list[Float32]:
        """Latents [n dim] for each image, computed in one call for all images."""
        ...


@runtime_checkable
class MotionModel(Protocol):
    """A Kalman filter for all tracks at once. It is stateless: each method takes a state and returns a new one."""

    def measure(self, boxes: Float) -> Float:
        """The four coordinates [4 n] of ``boxes`` [n 4] that the filter measures."""
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
        """State in the pixels of a camera that moved by ``affine`` [2 3] (previous to current pixel coordinates)."""
        ...


@runtime_checkable
class Sink(Protocol):
    """Writes or shows results, one frame at a time. Leaving the context without an error completes the output."""

    def write(self, result: FrameResult) -> None:
        """Write the next frame."""
        ...

    def __enter__(self: SinkT) -> SinkT: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
