"""Live sources: the newest frame of a camera or network stream, with reconnection."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import cv2

from flatsort.tracker.images import rgb
from flatsort.tracker.io.addresses import stream_name
from flatsort.tracker.types import Frame, Image

FPS = 30.0
"""Nominal frames per second of devices that do not report theirs."""
FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
"""Seconds before the first attempt to reconnect; doubled after each attempt up to `LONGEST_WAIT`."""
CAMERA_RETRIES = 8
"""Attempts to reconnect to a camera, about a minute and a half; those to a stream are not limited."""
OPEN_TIMEOUT = 10_000
READ_TIMEOUT = 5_000
"""Milliseconds without data after which a stream counts as lost; closing can take as long."""

log = logging.getLogger(__name__)


class Capture(Protocol):
    """The part of ``cv2.VideoCapture`` that is used."""

    def read(self) -> tuple[bool, Any]:
        """Whether there is a next image, and the image, BGR uint8 [h w 3]."""
        ...

    def get(self, propId: int) -> float:  # noqa: N803  # OpenCV's name
        """Value of a property; 0 if it is unknown."""
        ...

    def release(self) -> None:
        """Release the device."""
        ...


class LiveSource:
    """The newest frame of a device, which is read in a thread; older frames that were not used are dropped.

    ``Frame.index`` counts the images of the device, so that dropped frames are gaps in it. ``Frame.time`` is measured
    when the image arrives, so that it is right after drops and losses. A lost connection is opened again after growing
    waits. Only one iteration can run at a time; the next one opens the device again.

    Parameters
    ----------
    open_capture : callable
        Opens the device. If that fails, the first ``read`` of the capture gives no image.
    name : str
        Name of the source, for results and messages.
    fps : float, optional
        Nominal frames per second, in place of the device's own.
    max_retries : int or None
        Maximum number of attempts to reconnect after a loss; None: no limit.
    sleep : callable, optional
        Waits for a number of seconds; by default it returns earlier if the source is closed.
    clock : callable
        Monotonic seconds.

    Attributes
    ----------
    name, fps, size, length
        See `tracker.protocols.FrameSource`; ``length`` is None.
    dropped : int
        Number of frames that were replaced by a newer one before they were used.

    Raises
    ------
    ConnectionError
        If the device gives no first image; while iterating, if the connection is lost and cannot be opened again.
    """

    def __init__(
        self,
        open_capture: Callable[[], Capture],
        name: str,
        *,
        fps: float | None = None,
        max_retries: int | None = None,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.length: int | None = None
        self.dropped = 0
        self._open = open_capture
        self._max_retries = max_retries
        self._clock = clock
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._thread: threading.Thread | None = None
        self._slot: Frame | None = None
        self._over = False
        self._error: Exception | None = None
        capture, image = self._connect()
        if capture is None or image is None:
            raise ConnectionError(f"{name}: expected a camera or stream, but it gives no image")
        self._capture: Capture | None = capture
        reported = capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps or (reported if 0 < reported < 1000 else FPS)
        self.size: tuple[int, int] | None = (image.shape[1], image.shape[0])

    def __iter__(self) -> Iterator[Frame]:
        if self._thread is not None:
            raise RuntimeError(f"{self.name}: a live source can be iterated only once at a time")
        self._stopped.clear()
        self._slot, self._over, self._error = None, False, None
        self._thread = threading.Thread(target=self._run, name=f"live {self.name}", daemon=True)
        self._thread.start()
        try:
            while (frame := self._take()) is not None:
                yield frame
        finally:
            self.close()

    def close(self) -> None:
        """Stop reading and release the device; a running iteration ends. May be called twice."""
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()
        thread = self._thread
        if thread is not None:
            thread.join()
            self._thread = None
        self._release()

    def _take(self) -> Frame | None:
        """Wait for a new frame; None when there will be none."""
        with self._changed:
            while self._slot is None and not self._over and not self._stopped.is_set():
                self._changed.wait(1.0)  # with a timeout, since on some systems Ctrl-C cannot end an endless wait
            frame, self._slot = self._slot, None
            if self._stopped.is_set():
                return None
            if frame is None and self._error is not None:
                raise self._error
            return frame

    def _run(self) -> None:
        """Read until the source is closed or finally lost; no other thread uses the device meanwhile."""
        index, start = 0, None
        try:
            while not self._stopped.is_set():
                image = _read(self._capture) if self._capture else None
                if image is None and not self._stopped.is_set():
                    image = self._reconnect(index)
                if image is None:
                    break
                index += 1
                now = self._clock()
                start = now if start is None else start
                self._put(Frame(index, image, now - start))
        except Exception as error:  # it is raised in the iterating thread
            self._error = error
        finally:
            self._release()
            with self._changed:
                self._over = True
                self._changed.notify_all()

    def _put(self, frame: Frame) -> None:
        with self._changed:
            if self._slot is not None:
                self.dropped += 1
            self._slot = frame
            self._changed.notify_all()

    def _reconnect(self, index: int) -> Image | None:
        """First image of a new connection; None if the source was closed or the attempts are used up."""
        if self._capture is not None:
            log.warning("%s: connection lost after frame %d, trying again", self.name, index)
        self._release()
        wait, attempt, lost = FIRST_WAIT, 0, self._clock()
        while self._max_retries is None or attempt < self._max_retries:
            self._sleep(wait)
            if self._stopped.is_set():
                return None
            attempt += 1
            self._capture, image = self._connect()
            if image is not None:
                log.warning("%s: connected again after %.1f s", self.name, self._clock() - lost)
                return image
            log.debug("%s: attempt %d to connect again failed", self.name, attempt)
            wait = min(2 * wait, LONGEST_WAIT)
        self._error = ConnectionError(
            f"{self.name}: connection lost after frame {index}, {attempt} attempts to reconnect failed"
        )
        return None

    def _connect(self) -> tuple[Capture | None, Image | None]:
        """Open the device: the capture and its first image, or None for both."""
        capture = self._open()
        image = _read(capture)
        if image is None:
            capture.release()
            return None, None
        return capture, image

    def _release(self) -> None:
        if self._capture is not None:
            self._capture.release()
        self._capture = None


def open_live(source: str, *, fps: float | None = None) -> LiveSource:
    """Open a camera by its index ("0") or a stream by its URL.

    Raises
    ------
    ConnectionError
        If it gives no image.
    """
    if source.isdecimal():
        return LiveSource(
            lambda: cv2.VideoCapture(int(source)), f"camera{int(source)}", fps=fps, max_retries=CAMERA_RETRIES
        )
    return LiveSource(lambda: _open_url(source), stream_name(source), fps=fps)


def _open_url(url: str) -> cv2.VideoCapture:
    if cv2.CAP_FFMPEG in cv2.videoio_registry.getStreamBackends():
        timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT]
        return cv2.VideoCapture(url, cv2.CAP_FFMPEG, timeouts)
    return cv2.VideoCapture(url)


def _read(capture: Capture) -> Image | None:
    """Next image as RGB uint8 [h w 3]; None when the connection is lost."""
    try:
        ok, image = capture.read()
    except cv2.error:
        return None
    return rgb(image) if ok else None
