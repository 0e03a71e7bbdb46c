"""A live source: the newest frame, honest times, reconnection, nothing left behind."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest

from flatsort.tracker.io.live import FIRST_WAIT, LONGEST_WAIT, LiveSource, open_live
from flatsort.tracker.io.video import open_source
from flatsort.tracker.protocols import FrameSource
from flatsort.tracker.types import Frame, Image


class Device:
    """A device that gives numbered images when the test lets it, one connection after the other.

    Each connection is the number of images until it is lost; 0 cannot be opened.
    """

    def __init__(self, *connections: int, gate: threading.Semaphore | None = None) -> None:
        self.connections = list(connections)
        self.gate = gate
        self.opened = 0
        self.released = 0
        self.given = 0
        self.now = 100.0

    def open(self) -> Device.Connection:
        self.opened += 1
        return Device.Connection(self, self.connections.pop(0) if self.connections else 0)

    class Connection:
        def __init__(self, device: Device, left: int) -> None:
            self.device, self.left = device, left

        def read(self) -> tuple[bool, Image | None]:
            if self.device.gate is not None:
                self.device.gate.acquire()
            if self.left == 0:
                return False, None
            self.left -= 1
            self.device.given += 1
            self.device.now += 0.1
            return True, np.full((8, 6, 3), self.device.given % 256, np.uint8)

        def get(self, propId: int) -> float:  # noqa: N803
            return 12.5 if propId == cv2.CAP_PROP_FPS else 0.0

        def release(self) -> None:
            self.device.released += 1


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Every test must leave no reading thread behind."""
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("live")]


def live(device: Device, waits: list[float] | None = None, **options: Any) -> LiveSource:
    """A source whose waits are written down and pass at once."""
    kept: list[float] = [] if waits is None else waits

    def sleep(seconds: float) -> None:
        kept.append(seconds)
        device.now += seconds

    return LiveSource(device.open, "cam", sleep=sleep, clock=lambda: device.now, **options)


def wait_for(condition: Callable[[], bool]) -> None:
    tick = threading.Event()
    for _ in range(2000):
        if condition():
            return
        tick.wait(0.005)
    raise AssertionError("waited for 10 s")


def test_size_and_rate_of_the_device_are_known_before_the_first_frame() -> None:
    device = Device(5)
    source = live(device)
    assert isinstance(source, FrameSource)
    assert (source.name, source.fps, source.size, source.length) == ("cam", 12.5, (6, 8), None)
    assert live(Device(5), fps=50.0).fps == 50.0
    source.close()
    source.close()
    assert device.opened == device.released == 1


def test_a_device_without_an_image_is_refused_and_released() -> None:
    device = Device(0)
    with pytest.raises(ConnectionError, match=r"cam: .*gives no image"):
        live(device)
    assert device.released == 1


def test_only_the_newest_frame_waits_and_the_others_are_counted() -> None:
    gate = threading.Semaphore(1)
    device = Device(100, gate=gate)
    source = live(device, max_retries=0)
    frames = iter(source)
    gate.release()
    first = next(frames)
    assert (first.index, first.time) == (1, 0.0)
    gate.release(30)
    wait_for(lambda: device.given == 32 and source.dropped == 29)  # all but the first of 31 were replaced
    newest = next(frames)
    assert (newest.index, source.dropped) == (31, 29)
    assert newest.image is not None
    assert newest.image[0, 0, 0] == 32  # one more was read when the source was opened
    assert newest.time == pytest.approx(3.0)
    gate.release(100)
    source.close()


def frames_until_lost(source: LiveSource) -> list[Frame]:
    frames = []
    with suppress(ConnectionError):
        for frame in source:
            frames.append(frame)  # noqa: PERF402  # kept when the error comes
    return frames


def test_times_and_indices_rise_strictly() -> None:
    frames = frames_until_lost(live(Device(100, 0, 100), max_retries=2))
    assert frames[-1].index == 199
    assert all(a.index < b.index and a.time < b.time for a, b in pairwise(frames))


def test_a_lost_connection_is_opened_again_after_doubling_waits(caplog: pytest.LogCaptureFixture) -> None:
    device = Device(3, *[0] * 8, 2)
    waits: list[float] = []
    frames = frames_until_lost(live(device, waits, max_retries=9))
    assert waits[:9] == [FIRST_WAIT * 2**n for n in range(6)] + [LONGEST_WAIT] * 3
    assert waits[9] == FIRST_WAIT  # a new loss begins with the short wait again
    assert frames[-1].index == 4  # two of the first connection, one was read at opening, and two of the second
    assert device.opened == device.released
    messages = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert messages[0] == "cam: connection lost after frame 2, trying again"
    assert messages[1].startswith("cam: connected again after ")
    assert messages[2:] == ["cam: connection lost after frame 4, trying again"]


def test_time_goes_on_while_the_connection_is_lost() -> None:
    gate = threading.Semaphore(2)
    source = live(Device(2, 0, 5, gate=gate))
    frames = iter(source)
    before = next(frames)
    gate.release(3)  # the loss, a failed attempt, the first image of the new connection
    after = next(frames)
    assert (before.index, after.index) == (1, 2)
    assert after.time == pytest.approx(FIRST_WAIT + 2 * FIRST_WAIT + 0.1)
    gate.release(100)
    source.close()


def test_a_connection_that_stays_lost_is_an_error_after_the_last_frame() -> None:
    frames = iter(live(Device(2), max_retries=3))
    assert next(frames).index == 1
    with pytest.raises(ConnectionError, match="cam: connection lost after frame 1, 3 attempts"):
        next(frames)


def test_an_error_of_the_device_reaches_the_iteration() -> None:
    device = Device(2)
    source = live(device)
    device.open = lambda: (_ for _ in ()).throw(OSError("unplugged"))  # type: ignore[method-assign]
    source._open = device.open
    frames = iter(source)
    next(frames)
    with pytest.raises(OSError, match="unplugged"):
        next(frames)


def test_closing_ends_a_running_iteration_and_a_wait_for_reconnection() -> None:
    source = LiveSource(Device(2).open, "cam")  # really sleeps, half a second and more
    frames = iter(source)
    assert next(frames).index == 1
    threading.Timer(0.05, source.close).start()
    assert list(frames) == []


def test_leaving_the_loop_stops_the_thread_and_the_next_one_connects_anew() -> None:
    device = Device(10**9, 10**9)  # not at an end, however late the loop is left
    source = live(device)
    for _ in range(2):
        for frame in source:
            assert frame.index >= 1
            break
        wait_for(lambda: device.opened == device.released)
    assert device.opened == 2


def test_two_iterations_at_once_are_refused() -> None:
    gate = threading.Semaphore(3)
    source = live(Device(1000, gate=gate))
    frames = iter(source)
    next(frames)
    with pytest.raises(RuntimeError, match="once at a time"):
        next(iter(source))
    gate.release(100)
    source.close()


def test_a_stream_that_nobody_serves_is_refused() -> None:
    with pytest.raises(ConnectionError, match=r"^127\.0\.0\.1_9_x: expected a camera or stream"):
        open_source("http://user:secret@127.0.0.1:9/x")


class Mjpeg(BaseHTTPRequestHandler):
    """Serves images without an end, until the server's event is set."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=b")
        self.end_headers()
        data = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
        head = f"--b\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n".encode()
        stop: threading.Event = self.server.stop  # type: ignore[attr-defined]
        try:
            while not stop.wait(0.02):
                self.wfile.write(head + data + b"\r\n")
        except OSError:  # the reader has left
            pass

    def log_message(self, *_: object) -> None:
        pass


class StreamServer:
    """A server on 127.0.0.1 for the time of a block; port 0 takes a free one."""

    def __init__(self, port: int = 0) -> None:
        self.http = ThreadingHTTPServer(("127.0.0.1", port), Mjpeg)
        self.http.stop = threading.Event()  # type: ignore[attr-defined]
        self.port = self.http.server_address[1]

    def __enter__(self) -> StreamServer:
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.stop.set()  # type: ignore[attr-defined]
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


def test_a_real_stream_is_read_and_reconnected_after_its_server_came_back(caplog: pytest.LogCaptureFixture) -> None:
    with StreamServer() as server:
        source = open_live(f"http://127.0.0.1:{server.port}/video.mjpg", fps=25)
        frames = iter(source)
        received = [next(frames) for _ in range(5)]
    with StreamServer(server.port):
        wait_for(lambda: any("connected again" in r.getMessage() for r in caplog.records))
        received += [next(frames) for _ in range(5)]
        source.close()
    assert all(
        f.image is not None and f.image.shape == (48, 64, 3) and f.image[0, 0, 0] in range(85, 95) for f in received
    )
    assert all(a.index < b.index and a.time < b.time for a, b in pairwise(received))
    assert "connection lost" in caplog.records[0].getMessage()
