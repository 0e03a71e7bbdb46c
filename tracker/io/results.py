"""Result files: MOTChallenge text, CSV and JSON, written atomically."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, TypeVar

import numpy as np

from flatsort.tracker.boxes import xyxy_to_xywh
from flatsort.tracker.files import naming, replacing
from flatsort.tracker.io.mot import format_rows
from flatsort.tracker.types import FrameResult

Boxes = Literal["filter", "detector"]
SinkT = TypeVar("SinkT", bound="FileSink")

HEADER = "frame,id,left,top,width,height,score,class,source,time\n"

log = logging.getLogger(__name__)


def with_detector_boxes(result: FrameResult) -> FrameResult:
    """The result with the boxes of the matched detections in place of the filtered ones; predicted boxes stay."""
    tracks = result.tracks
    boxes = tracks.boxes.copy()
    matched = tracks.source >= 0
    boxes[matched] = result.detections.boxes[tracks.source[matched]]
    return replace(result, tracks=replace(tracks, boxes=boxes))


class FileSink:
    """Base of all sinks that write to disk: the result appears when the context is left.

    Entering the context opens a temporary file beside the final path. It is renamed to the final path on leaving
    without an error, and to ``NAME.partial.SUFFIX`` after an error or Ctrl-C, if it has a frame. Boxes that are not
    finite are left out and counted in a warning.

    Parameters
    ----------
    path : str or Path
        The final path; parent folders are created.
    boxes : "filter" or "detector"
        Boxes of the tracks, or of the detections that were matched to them.

    Attributes
    ----------
    path : Path
        Path of the result.
    partial : bool
        Whether it is kept as a partial one.
    failed : bool
        Whether it ends with an error.

    Raises
    ------
    OSError
        If the file cannot be written; the error names it.
    """

    by_lines = False
    """Whether a file that breaks off is of use up to its last whole line."""

    def __init__(self, path: str | Path, *, boxes: Boxes = "filter") -> None:
        if boxes not in ("filter", "detector"):
            raise ValueError(f'boxes: expected "filter" or "detector", got {boxes!r}')
        self.path = Path(path)
        self._boxes = boxes
        self._temporary = Path()
        self._stack = ExitStack()
        self._left_out = 0
        self._frames = 0
        self.partial = False
        self.failed = False

    def __enter__(self: SinkT) -> SinkT:
        with ExitStack() as stack:
            self._temporary = stack.enter_context(self._replacing(self.path))
            self._open(self._temporary)
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, result: FrameResult) -> None:
        """Add a frame."""
        if self._boxes == "detector":
            result = with_detector_boxes(result)
        tracks = result.tracks
        finite = np.isfinite(tracks.boxes).all(axis=1) & np.isfinite(tracks.scores)
        if not finite.all():
            self._left_out += int((~finite).sum())
            result = replace(result, tracks=tracks[finite])
        with naming(self.path):
            self._add(result)
        self._frames += 1

    def _finish(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        self.failed = error is not None
        try:
            with naming(self.path):
                self._close()
        except Exception:
            if self.by_lines:
                self._keep_partial()
            if error is None:
                raise
            return
        if self._left_out:
            log.warning("%s: %d boxes that are not finite were left out", self.path.name, self._left_out)
        if error is not None:
            self._keep_partial()

    def _keep_partial(self) -> None:
        """Give the temporary file the name of a partial result, if there is a frame in it."""
        if not self._has_content():
            return
        if self.by_lines:
            _cut_last_line(self._temporary)
        path = self.path.with_name(f"{self.path.stem}.partial{self.path.suffix}")
        with self._replacing(path) as other:
            self._temporary.replace(other)
        self.path, self.partial = path, True

    def _has_content(self) -> bool:
        return self._frames > 0

    def _replacing(self, path: Path) -> AbstractContextManager[Path]:
        return replacing(path)

    def _open(self, temporary: Path) -> None:
        raise NotImplementedError

    def _add(self, result: FrameResult) -> None:
        raise NotImplementedError

    def _close(self) -> None:
        """Complete and close the file."""


class TextSink(FileSink):
    """A UTF-8 text file that is written frame by frame; see `FileSink`."""

    _file: IO[str]

    def _open(self, temporary: Path) -> None:
        self._file = temporary.open("w", encoding="utf-8", newline="\n")

    def _close(self) -> None:
        self._file.close()


class MotSink(TextSink):
    """MOTChallenge rows, with classes where these are known; see `tracker.io.mot.format_rows`."""

    by_lines = True

    def __init__(self, path: str | Path, *, boxes: Boxes = "filter", classes: bool = False) -> None:
        super().__init__(path, boxes=boxes)
        self._classes = classes

    def _add(self, result: FrameResult) -> None:
        self._file.write(format_rows(result.frame.index, result.tracks, classes=self._classes))


class CsvSink(TextSink):
    """A table with a header; 0-based pixels, time in seconds, ``source`` is the detection's row in its frame or −1."""

    by_lines = True

    def _open(self, temporary: Path) -> None:
        super()._open(temporary)
        self._file.write(HEADER)

    def _add(self, result: FrameResult) -> None:
        frame, tracks = result.frame, result.tracks
        rows = zip(
            tracks.ids.tolist(),
            xyxy_to_xywh(tracks.boxes).tolist(),
            tracks.scores.tolist(),
            tracks.classes.tolist(),
            tracks.source.tolist(),
            strict=True,
        )
        for track, (x, y, w, h), score, class_, source in rows:
            box = f"{x:.3f},{y:.3f},{w:.3f},{h:.3f}"
            self._file.write(f"{frame.index},{track},{box},{score:.4f},{class_},{source},{frame.time:.6f}\n")


def _cut_last_line(path: Path) -> None:
    """Shorten a file to its last whole line."""
    with path.open("rb+") as file:
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)


class JsonSink(TextSink):
    """One JSON document: name and fps of the source, names of classes, all frames with their tracks (``box`` is xyxy).

    ``classes`` are the names by the number of the class; with fewer than two of them the document has none.
    """

    def __init__(
        self, path: str | Path, *, source: str, fps: float, boxes: Boxes = "filter", classes: Sequence[str] = ()
    ) -> None:
        super().__init__(path, boxes=boxes)
        head: dict[str, Any] = {"source": source, "fps": fps}
        if len(classes) > 1:
            head["classes"] = {str(number): name for number, name in enumerate(classes)}
        self._head = json.dumps(head, allow_nan=False)[:-1] + ', "frames": ['
        self._separator = "\n"

    def _open(self, temporary: Path) -> None:
        super()._open(temporary)
        self._file.write(self._head)

    def _add(self, result: FrameResult) -> None:
        frame, tracks = result.frame, result.tracks
        columns = (tracks.ids, tracks.boxes.round(3), tracks.scores.round(4), tracks.classes, tracks.source)
        keys = ("id", "box", "score", "class", "detection")
        rows = zip(*(column.tolist() for column in columns), strict=True)
        entry = {
            "frame": frame.index,
            "time": round(frame.time, 6),
            "tracks": [dict(zip(keys, row, strict=True)) for row in rows],
        }
        self._file.write(self._separator + json.dumps(entry, allow_nan=False))
        self._separator = ",\n"

    def _close(self) -> None:
        self._file.write("\n]}\n")
        super()._close()
