"""Frames of cameras and network streams: always the newest one, for as long as it runs."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import cv2

from flatsort.tracker.images import rgb
from flatsort.tracker.types import Frame, Image

URL = re.compile(r"(rtsps?|rtmps?|rtp|https?|udp|tcp|srt)://", re.IGNORECASE)
FPS = 30.0
"""Nominal, of devices that do not tell."""
FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
"""Seconds before the first attempt to reconnect; doubled after each up to the longest."""
CAMERA_RETRIES = 8
"""Attempts to find a camera again, about a minute and a half; streams are tried for ever."""
OPEN_TIMEOUT = 10_000
READ_TIMEOUT = 5_000
"""Milliseconds after which a silent stream counts as lost; also the longest that closing can take."""

log = logging.getLogger(__name__)


class Capture(Protocol):
    """The part of ``cv2.VideoCapture`` that is used."""

    def read(self) -> tuple[bool, Any]:
        """Whether there is a next picture, and the picture, BGR uint8 [h w 3]."""
        ...

    def get(self, propId: int) -> float:  # noqa: N803  # OpenCV's name
        """Value of a property, 0 where unknown."""
        ...

    def release(self) -> None:
        """Let the device go."""
        ...


class LiveSource:
    """Newest frame of a device that is read in a thread; older unused ones are dropped.

    ``Frame.index`` counts the pictures the device gave, so it rises strictly and dropped frames are gaps in it.
    ``Frame.time`` is taken when the picture arrives, so times are right whatever was dropped or lost. A lost connection
    is opened again with growing waits. Only one iteration can run at a time; the next one opens the device again.

    Parameters
    ----------
    open_capture : callable
        Opens the device; one that cannot be opened gives no picture at its first ``read``.
    name : str
        Names the results and the source in messages.
    fps : float, optional
        Nominal frames per second, instead of what the device says.
    max_retries : int or None
        Attempts to reconnect after a loss; None is for ever.
    sleep : callable, optional
        Waits some seconds; by default until these have passed or the source is closed.
    clock : callable
        Monotonic seconds.

    Attributes
    ----------
    name, fps, size, length
        See `tracker.protocols.FrameSource`; ``length`` is None.
    dropped : int
        Pictures that were replaced by a newer one before anybody took them.

    Raises
    ------
    ConnectionError
        If the device gives no first picture; while iterating, if it is lost and not found again.
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
            raise ConnectionError(f"{name}: expected a camera or stream, but it gives no picture")
        self._capture: Capture | None = capture
        told = capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps or (told if 0 < told < 1000 else FPS)
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
        """Stop reading and let the device go; a running iteration ends. Closing twice is fine."""
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()
        thread = self._thread
        if thread is not None:
            thread.join()
            self._thread = None
        self._release()

    def _take(self) -> Frame | None:
        """Wait for a frame that was not given yet; None when there will be none."""
        with self._changed:
            while self._slot is None and not self._over and not self._stopped.is_set():
                self._changed.wait(1.0)  # with a limit, since Ctrl-C cannot end an endless wait everywhere
            frame, self._slot = self._slot, None
            if self._stopped.is_set():
                return None
            if frame is None and self._error is not None:
                raise self._error
            return frame

    def _run(self) -> None:
        """Read until closed or lost for good; the only place that touches the device meanwhile."""
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
        except Exception as error:  # the one who iterates must hear of it
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
        """First picture of a new connection; None if closed meanwhile or lost for good."""
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
            f"{self.name}: connection lost after frame {index}, {attempt} attempts found no new"
        )
        return None

    def _connect(self) -> tuple[Capture | None, Image | None]:
        """Open the device: a capture with its first picture, or neither."""
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
    """Open a camera by its index ("0") or a stream by its address.

    Raises
    ------
    ConnectionError
        If it gives no picture.
    """
    if source.isdecimal():
        return LiveSource(
            lambda: cv2.VideoCapture(int(source)), f"camera{int(source)}", fps=fps, max_retries=CAMERA_RETRIES
        )
    return LiveSource(lambda: _open_url(source), stream_name(source), fps=fps)


def stream_name(url: str) -> str:
    """Address as a file name: without scheme, user, password and query, in letters, digits, ``-``, ``.`` and ``_``."""
    bare = re.sub(r"^[a-z]+://([^/@]*@)?", "", url, flags=re.IGNORECASE)
    return re.sub(r"[^\w.-]+", "_", re.split("[?#]", bare)[0]).strip("_") or "stream"


def _open_url(url: str) -> cv2.VideoCapture:
    if cv2.CAP_FFMPEG in cv2.videoio_registry.getStreamBackends():
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT]
        return cv2.VideoCapture(url, cv2.CAP_FFMPEG, limits)
    return cv2.VideoCapture(url)


def _read(capture: Capture) -> Image | None:
    """Next picture as RGB uint8 [h w 3]; None when the connection is lost."""
    try:
        ok, picture = capture.read()
    except cv2.error:
        return None
    return rgb(picture) if ok else None
