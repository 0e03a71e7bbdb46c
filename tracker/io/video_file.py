"""Video files, read and written by PyAV, that is FFmpeg: frames at the times of the container, whatever damages them.

OpenCV, which uses FFmpeg as well, is no choice here: from 4.13 on its pictures of interlaced films are never filled, it
stops at the first damaged packet, its wheels cannot decode AV1, and its counts of frames in films of a varying rate are
duration times nominal rate. Of intact films PyAV gives the same pixels and times.
"""

from __future__ import annotations

import heapq
import logging
import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flatsort.tracker.images import ValueRange, to_rgb
from flatsort.tracker.io.addresses import shown
from flatsort.tracker.io.file_source import FPS, FileSource, TimedImage
from flatsort.tracker.types import Image

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

VIDEOS = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"}
NO_VIDEOS = {"tty", "concat", "hls", "dash", "sdp", "image2", "ffmetadata", "srt", "webvtt", "ass", "lrc"}
"""FFmpeg's names of formats that are texts: it would draw them as pictures, or open what they name."""
DEEP = ("gray16", "gray14", "gray12", "gray10", "grayf32")
"""Begins of pixel formats of grey pictures with more than 256 levels."""
ONE_PACKET_A_FRAME = ("h264", "hevc")
"""Codecs of which every packet is a frame, so that one without a frame is lost, even if the decoder says nothing."""
MOST_PACKETS = 300
"""Damaged ones at the begin of a film, after which it counts as one that cannot be decoded."""
TIMEOUT = 10.0
"""Seconds without data of an address."""
TIME_BASE = Fraction(1, 90_000)
"""Unit of the times of written films."""

log = logging.getLogger(__name__)


def open_video(
    path: str,
    name: str,
    images: bool,
    fps: float | None,
    known: int | None,
    length: int | None,
    values: ValueRange | None = None,
) -> FileSource:
    """Frames of a video at its own times, with images or without them.

    Parameters
    ----------
    path : str
        A file or an address.
    name : str
        Name of the source.
    images : bool
        Without them no frame is decoded.
    fps : float, optional
        Frames per second, in place of the video's own; its times are scaled to it.
    known, length : int, optional
        Number of frames, before and after that of the header.
    values : ValueRange, optional
        Of pictures with more than 256 levels, what is black and white; by default that of the first picture.

    Raises
    ------
    ValueError
        If it is no video, or none of its frames can be decoded; the sentence names the codec.
    """
    with _open(path) as (container, stream):
        rate = float(stream.guessed_rate or stream.average_rate or 0)
        own = rate if 0 < rate < 1000 else FPS
        total = known or stream.frames or None
        codec = stream.codec_context.name if stream.codec_context is not None else "of an unknown kind"
        first = next(_decoded(container, stream), None) if images else None
    nominal = fps or own
    pace = own / nominal
    if not images:
        times = [seconds * pace for seconds in packet_times(path)]
        if not times:
            raise ValueError(f"{shown(path)}: expected a video with frames, got none")
        return FileSource(name, nominal, None, known or len(times), times=times)
    if first is None:
        raise ValueError(f"{shown(path)}: expected a video, but no frame of it can be decoded (codec {codec})")
    if values is None and first.format.name.startswith(DEEP):
        values = ValueRange.of(first.to_ndarray())
    if total is None:
        total = length or len(packet_times(path))
    image = _image(first, values)
    size = (image.shape[1], image.shape[0])
    return FileSource(name, nominal, size, total, lambda: _read_video(path, nominal, pace, values), values=values)


def packet_times(path: str) -> list[float]:
    """Seconds at which the frames of a film are shown, from 0, read from its packets without decoding."""
    stamps: list[float] = []
    with _open(path) as (container, stream):
        base, missing = float(stream.time_base or 0), False
        for packet in _packets(container, stream):
            if packet.size and not packet.is_discard:
                missing |= packet.pts is None
                stamps.append((packet.pts or 0) * base)
        rate = float(stream.guessed_rate or stream.average_rate or FPS)
    stamps = [i / rate for i in range(len(stamps))] if missing else sorted(stamps)
    return [stamp - stamps[0] for stamp in stamps]


class VideoWriter:
    """An MP4 of H.264, which browsers play, whose frames have their own times.

    Parameters
    ----------
    path : Path
    size : tuple of int
        Width and height, even.
    fps : float
        Nominal frames per second: how long the last frame lasts.

    Raises
    ------
    OSError
        If the file cannot be written.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        import av

        self._path, self._fps = path, fps
        self._container = av.open(str(path), "w", format="mp4")
        rate = Fraction(fps).limit_denominator(1001)
        stream = self._container.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "20"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = TIME_BASE
        self._stream = stream
        self._last = -1

    def write(self, image: Image, time: float) -> None:
        """Add an image uint8 [h w 3] that is shown from ``time`` seconds on."""
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        self._last = max(round(time / TIME_BASE), self._last + 1)
        frame.pts, frame.time_base = self._last, TIME_BASE
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def close(self) -> None:
        """Complete the file."""
        try:
            for packet in self._stream.encode():
                self._container.mux(packet)
        finally:
            self._container.close()


@contextmanager
def _open(path: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A container with its first video."""
    import av

    try:
        # titles need not be UTF-8: those of old films and of some cameras are Latin-1
        container = av.open(path, timeout=TIMEOUT, metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise ValueError(f"{shown(path)}: expected a video or an image, got a file that FFmpeg cannot open") from error
    with container:
        if set(container.format.name.split(",")) & NO_VIDEOS:
            raise ValueError(f"{shown(path)}: expected a video or an image, got a text ({container.format.long_name})")
        if not container.streams.video:
            raise ValueError(f"{shown(path)}: expected a video or an image, got a file without pictures")
        stream = container.streams.video[0]
        if stream.codec_context is not None:
            stream.thread_type = "AUTO"
        yield container, stream


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[Any]]:
    """All packets up to the end, or to where the container cannot be read on."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.error.FFmpegError, OSError) as error:
            log.debug("container: %s", error)
            return
        if packet is None:
            return
        yield packet


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """The frames that can be decoded at the begin of a film."""
    for number, packet in enumerate(_packets(container, stream)):
        frames, _ = _decode(packet)
        yield from frames
        if number > MOST_PACKETS:
            return


def _decode(packet: Packet[Any]) -> tuple[list[VideoFrame], bool]:
    """The frames that come with a packet, and whether it is damaged."""
    import av

    try:
        return list(packet.decode()), False
    except (av.error.FFmpegError, OSError):
        return [], True


def _read_video(path: str, fps: float, pace: float, values: ValueRange | None) -> Generator[TimedImage]:
    """Images at the container's timestamps × ``pace``, or 1/``fps`` after the previous one where they do not rise.

    A frame that damage has destroyed has no image; it is known by the timestamp of its packet.
    """
    with _open(path) as (container, stream):
        base, waiting, damaged = float(stream.time_base or 0), list[int](), False
        context, clock = stream.codec_context, _Clock(fps, pace)
        every_packet = context is not None and context.name in ONE_PACKET_A_FRAME
        for packet in _packets(container, stream):
            if packet.size and packet.pts is not None and not packet.is_discard:
                heapq.heappush(waiting, packet.pts)
            frames, broken = _decode(packet)
            damaged |= broken
            for frame in frames:
                while waiting and frame.pts is not None and waiting[0] < frame.pts:
                    lost = heapq.heappop(waiting)
                    if clock.started and (damaged or every_packet):
                        yield None, clock.tick(lost * base)
                if waiting and waiting[0] == frame.pts:
                    heapq.heappop(waiting)
                damaged = False
                yield _image(frame, values), clock.tick(frame.time)
        for lost in sorted(waiting) if clock.started and (damaged or every_packet) else ():
            yield None, clock.tick(lost * base)


class _Clock:
    """Times from the first frame on, that always rise."""

    def __init__(self, fps: float, pace: float) -> None:
        self._step, self._pace = 1.0 / fps, pace
        self._start: float | None = None
        self._time = 0.0

    @property
    def started(self) -> bool:
        """Whether there was a frame."""
        return self._start is not None

    def tick(self, stamp: float | None) -> float:
        """Seconds of a frame with this timestamp."""
        known = stamp if stamp is not None and math.isfinite(stamp) else None
        if self._start is None:
            self._start = known or 0.0
            return 0.0
        seconds = -1.0 if known is None else (known - self._start) * self._pace
        self._time = seconds if self._time < seconds < math.inf else self._time + self._step
        return self._time


def _image(frame: VideoFrame, values: ValueRange | None) -> Image:
    """RGB uint8 [h w 3], upright."""
    if values is not None and frame.format.name.startswith(DEEP):
        image = to_rgb(frame.to_ndarray(), values)
    else:
        image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
