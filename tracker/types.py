"""The data that flows through a run: frozen structs of arrays.

In memory every box is ``xyxy`` (left, top, right, bottom), float64, in pixels, 0-based; every image is
RGB uint8. Zero rows are an ordinary case everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]
Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One image of a source.

    Attributes
    ----------
    index : int
        1-based number of the frame in its source.
    image : uint8 [h w 3] or None
        RGB; None when the source was opened without images or this one could not be read.
    time : float
        Seconds since the start of the source.
    """

    index: int
    image: Image | None
    time: float


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The detections of one frame.

    Attributes
    ----------
    boxes : float64 [n 4]
        xyxy, pixels.
    scores : float64 [n]
        Confidence, usually 0..1.
    classes : int64 [n]
        Class index of the detector, or the number of the class in its file; 0 where there is one class only.
    latents : float32 [n d] or None
        Appearance embeddings, one row a box; None where there are none.
    """

    boxes: Float
    scores: Float
    classes: Int
    latents: Float32 | None = None

    @classmethod
    def of(
        cls,
        boxes: ArrayLike,
        scores: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        latents: ArrayLike | None = None,
    ) -> Detections:
        """Make detections of anything array-like; shapes are checked.

        Parameters
        ----------
        boxes : [n 4]
            xyxy in pixels; an empty list is zero boxes.
        scores, classes : [n], optional
            1 and 0 by default.
        latents : [n d], optional

        Raises
        ------
        ValueError
            If a shape does not fit; the message names the array.
        """
        xyxy = _numbers(boxes, "boxes", "[n 4] (xyxy)")
        if xyxy.size == 0:
            xyxy = xyxy.reshape(0, 4)
        if xyxy.ndim != 2 or xyxy.shape[1] != 4:
            hint = "; write tracker.update(b[:, :4], b[:, 4], b[:, 5])" if xyxy.shape[1:] == (6,) else ""
            raise ValueError(f"boxes: expected shape [n 4] (xyxy), got {list(xyxy.shape)}{hint}")
        n = len(xyxy)
        s = np.ones(n) if scores is None else _numbers(scores, "scores", f"[{n}]")
        c = np.zeros(n, np.int64) if classes is None else _whole(_numbers(classes, "classes", f"[{n}]"))
        z = None if latents is None else _numbers(latents, "latents", f"[{n} d]").astype(np.float32)
        if z is not None and not n and z.shape == (0,):
            z = z.reshape(0, 0)
        for name, array in (("scores", s), ("classes", c)):
            if array.shape != (n,):
                raise ValueError(f"{name}: expected shape [{n}] like boxes, got {list(array.shape)}")
        if z is not None and (z.ndim != 2 or len(z) != n):
            raise ValueError(f"latents: expected shape [{n} d] like boxes, got {list(z.shape)}")
        return cls(xyxy, s, c, z)

    @classmethod
    def empty(cls) -> Detections:
        """No detections."""
        return cls(np.empty((0, 4)), np.empty(0), np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, rows: Int | Bool | slice) -> Detections:
        """The detections of these rows (indices, mask or slice), as a new struct."""
        latents = None if self.latents is None else self.latents[rows]
        return Detections(self.boxes[rows], self.scores[rows], self.classes[rows], latents)


def _numbers(values: object, name: str, shape: str) -> Float:
    """Anything array-like as float64; a sentence that says what is taken for all else."""
    if type(values) is np.ndarray and values.dtype == np.float64:
        return values
    expected = f"{name}: expected numbers {shape}"
    if values is None:
        raise ValueError(f"{expected}, got None; a frame without objects is an empty list")
    if hasattr(values, "xyxy"):
        raise ValueError(
            f"{expected}, got a {type(values).__name__}; take its arrays: "
            "tracker.update(d.xyxy, d.confidence, d.class_id), or boxes.conf and boxes.cls of ultralytics"
        )
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(f"{expected}, got a masked array; take the rows that are valid")
    try:
        array = np.asarray(values)
        if array.dtype.kind not in ("biuf" if name == "classes" else "iuf") and array.size:
            raise TypeError(array.ravel()[:1].tolist()[0])
        return np.asarray(array, np.float64)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged rows; names; a tensor on a GPU or with a gradient
        hint = "; a tensor goes through .detach().cpu().numpy()" if hasattr(values, "detach") else ""
        got = f"{error.args[0]!r}" if isinstance(error, TypeError) and error.args else str(error)
        if name == "classes" and isinstance(error, TypeError) and not hint:
            hint = "; a class is the number of its name in a list of yours"
        raise ValueError(f"{expected}, got {got[:120]}{hint}") from error


def _whole(classes: Float) -> Int:
    bad = ~(np.isfinite(classes) & (classes == np.floor(classes)) & (np.abs(classes) < 2**53))
    if bad.any():
        raise ValueError(f"classes: expected whole numbers, got {classes[bad].ravel()[0]:g}")
    return classes.astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """The tracks that are reported for one frame.

    Attributes
    ----------
    ids : int64 [m]
        From 1, given at confirmation, never reused by the tracker that gave them.
    boxes : float64 [m 4]
        xyxy from the Kalman filter, pixels.
    scores : float64 [m]
        Score of the track's latest detection.
    classes : int64 [m]
        Class of the track (majority vote over its detections).
    source : int64 [m]
        Row of the matched detection in this frame; −1 where the box is only predicted.
    """

    ids: Int
    boxes: Float
    scores: Float
    classes: Int
    source: Int

    @classmethod
    def empty(cls) -> Tracks:
        """No tracks."""
        none = np.empty(0, np.int64)
        return cls(none, np.empty((0, 4)), np.empty(0), none, none)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: Int | Bool | slice) -> Tracks:
        """The tracks of these rows (indices, mask or slice), as a new struct."""
        columns: dict[str, Any] = {f.name: getattr(self, f.name)[rows] for f in fields(self)}
        return Tracks(**columns)


def concatenate(parts: Sequence[Tracks]) -> Tracks:
    """All rows of the parts, in order."""
    parts = parts or [Tracks.empty()]
    columns: dict[str, Any] = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Tracks)}
    return Tracks(**columns)


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The pairs of a one-to-one assignment, and the unmatched rows and columns.

    Attributes
    ----------
    rows, cols : int64 [k]
        Matched pairs, ``rows`` ascending.
    free_rows, free_cols : int64
        The unmatched rows and columns, ascending.
    """

    rows: Int
    cols: Int
    free_rows: Int
    free_cols: Int

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self.rows.tolist(), self.cols.tolist(), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """The result of one frame: the frame, its detections and its tracks."""

    frame: Frame
    detections: Detections
    tracks: Tracks
