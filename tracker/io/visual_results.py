"""Visual results: a video, a folder of crops, a window."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from flatsort.tracker.crops import cut
from flatsort.tracker.io.results import Boxes, FileSink, with_detector_boxes
from flatsort.tracker.io.video_file import VideoWriter
from flatsort.tracker.temporary_files import temporary_folder
from flatsort.tracker.types import FrameResult, Image

Paint = Callable[[FrameResult], Image]
"""Draws a result on a copy of its frame's image; see `tracker.draw.Painter`."""


class VideoSink(FileSink):
    """An MP4 video of the painted frames at their own times; a frame without an image repeats the last one.

    Parameters
    ----------
    path, boxes
        See `FileSink`.
    paint : callable
        Draws a result that has an image.
    size : tuple of int
        Width and height in pixels; odd numbers are reduced by 1, images of another size are resized.
    fps : float
    """

    def __init__(
        self, path: str | Path, paint: Paint, *, size: tuple[int, int], fps: float, boxes: Boxes = "filter"
    ) -> None:
        super().__init__(path, boxes=boxes)
        self._paint = paint
        self._fps = fps
        self._given = size
        self._size = (size[0] // 2 * 2, size[1] // 2 * 2)
        self._image = np.zeros((self._size[1], self._size[0], 3), np.uint8)
        self._painted = False
        self._waiting: list[float] = []

    def _open(self, temporary: Path) -> None:
        if not all(self._size):
            width, height = self._given
            raise ValueError(f"{self.path}: expected pictures of at least 2x2 pixels for a video, got {width}x{height}")
        self._writer = VideoWriter(temporary, self._size, self._fps)

    def _add(self, result: FrameResult) -> None:
        if result.frame.image is None and not self._painted:
            self._waiting.append(result.frame.time)  # for the first picture: of an interrupted run there is maybe none
            return
        if result.frame.image is not None:
            self._begin()
            painted = self._paint(result)
            if (painted.shape[1] // 2 * 2, painted.shape[0] // 2 * 2) != self._size:
                painted = np.asarray(cv2.resize(painted, self._size), np.uint8)
            self._image = painted[: self._size[1], : self._size[0]]
        self._writer.write(self._image, result.frame.time)

    def _begin(self) -> None:
        """Write black pictures for the frames before the first that has one."""
        self._painted = True
        for time in self._waiting:
            self._writer.write(self._image, time)
        self._waiting.clear()

    def _close(self) -> None:
        if not self.failed:
            self._begin()
        self._writer.close()

    def _has_content(self) -> bool:
        return self._painted


class CropSink(FileSink):
    """A folder of the matched detections' crops, ``ID/FRAME.jpg``.

    Parameters
    ----------
    path : str or Path
        The folder, for example ``NAME.crops``; an earlier folder of crops is replaced.
    boxes
        See `FileSink`.

    Raises
    ------
    FileExistsError
        On entering, if ``path`` contains anything but folders of ids; it is not replaced then.
    """

    def _replacing(self, path: Path) -> AbstractContextManager[Path]:
        return _replacing_folder(path)

    def _open(self, temporary: Path) -> None:
        temporary.mkdir()

    def _add(self, result: FrameResult) -> None:
        image, tracks = result.frame.image, result.tracks
        if image is None:
            return
        matched = tracks[tracks.source >= 0]
        for track, box in zip(matched.ids.tolist(), matched.boxes, strict=True):
            folder = self._temporary / f"{track:04d}"
            folder.mkdir(exist_ok=True)
            data = cv2.imencode(".jpg", _bgr(cut(image, box)), [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
            (folder / f"{result.frame.index:06d}.jpg").write_bytes(data.tobytes())


class ShowSink:
    """A window that shows the painted frames; q, Esc or closing it interrupts the run like Ctrl-C.

    Parameters
    ----------
    name : str
        Title of the window.
    paint : callable
        Draws a result that has an image.
    boxes
        See `tracker.io.results.FileSink`.

    Raises
    ------
    ValueError
        On entering, if no window can be opened.
    """

    def __init__(self, name: str, paint: Paint, *, boxes: Boxes = "filter") -> None:
        self._name = name
        self._paint = paint
        self._boxes = boxes

    def __enter__(self) -> ShowSink:
        check_display()
        cv2.namedWindow(self._name, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cv2.destroyAllWindows()

    def write(self, result: FrameResult) -> None:
        """Show a frame; without an image the last one stays."""
        if self._boxes == "detector":
            result = with_detector_boxes(result)
        if result.frame.image is not None:
            cv2.imshow(self._name, _bgr(self._paint(result)))
        key = cv2.waitKey(1) & 0xFF
        if key in (27, ord("q")) or cv2.getWindowProperty(self._name, cv2.WND_PROP_VISIBLE) < 1:
            raise KeyboardInterrupt


def check_display() -> None:
    """Make sure that a window can be opened, tested in another process, which OpenCV's Qt aborts where it cannot.

    Raises
    ------
    ValueError
        If it cannot.
    """
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ValueError("no display: expected DISPLAY or WAYLAND_DISPLAY to be set to open a window, got neither")
    attempt = "import cv2; cv2.namedWindow('probe'); cv2.destroyAllWindows()"
    if subprocess.run([sys.executable, "-c", attempt], capture_output=True, check=False).returncode:
        raise ValueError(
            "no display: OpenCV cannot open a window here; expected a build with windows and a reachable display"
        )


@contextmanager
def _replacing_folder(target: Path) -> Iterator[Path]:
    """Context manager of a new path; the folder made there is renamed to ``target`` at the end."""
    if target.exists() and not _is_crops(target):
        raise FileExistsError(f"{target}: expected a folder of crops to replace or nothing, got something else")
    target.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(target) as beside:
        old, new = beside / "old", beside / "new"
        try:
            yield new
            if target.exists():
                target.rename(old)
            new.rename(target)
        except BaseException:
            if old.exists() and not target.exists():
                old.rename(target)
            raise


def _is_crops(path: Path) -> bool:
    return path.is_dir() and all(each.name.isdecimal() and each.is_dir() for each in path.iterdir())


def _bgr(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), np.uint8)
