"""Films of every kind: their times, damage, fields, codecs and levels; and the film that is written."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from flatsort.tracker.images import ValueRange
from flatsort.tracker.io.video import open_source
from flatsort.tracker.io.video_file import VideoWriter, packet_times

SIZE = (64, 48)
BASE = Fraction(1, 90_000)


def picture(number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A bright box on grey that moves to the right."""
    image = np.full((SIZE[1], SIZE[0], 3), 60, np.uint8)
    image[16:32, 2 * number % 50 : 2 * number % 50 + 12] = (240, 200, 40)
    return image


def film(
    path: Path,
    times: Sequence[float],
    codec: str = "libx264",
    *,
    options: dict[str, str] | None = None,
    pix_fmt: str = "yuv420p",
    frames: Sequence[np.ndarray[Any, Any]] = (),
) -> Path:
    """A film of pictures at these seconds."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=30, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *SIZE, pix_fmt
        base = Fraction(1, 30) if codec.startswith("mpeg") else BASE  # MPEG-4 knows no finer units than 1/65535
        stream.codec_context.time_base = base
        for number, time in enumerate(times):
            pixels = frames[number] if frames else picture(number)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24" if pixels.ndim == 3 else pix_fmt)
            frame.pts, frame.time_base = round(time / base), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def box_left(image: np.ndarray[Any, Any] | None) -> float:
    """Left side of the bright box."""
    assert image is not None
    return float(np.flatnonzero(image[20:28, :, 0].mean(axis=0) > 150)[0])


VARYING = [n / 30 for n in range(15)] + [0.5 + n / 5 for n in range(10)]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_times_of_a_varying_rate_are_the_same_with_and_without_pictures(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = str(film(tmp_path / f"phone{suffix}", VARYING))
    shown, silent = open_source(path), open_source(path, images=False)
    assert [f.time for f in shown] == pytest.approx(VARYING, abs=1.1e-3)
    assert [f.time for f in silent] == pytest.approx([f.time for f in shown], abs=1e-9)
    assert shown.length == silent.length == len(VARYING)
    assert not caplog.records, "nothing is missing"


def test_frames_beyond_the_film_go_on_at_its_rate(tmp_path: Path) -> None:
    source = open_source(str(film(tmp_path / "a.mp4", VARYING)), images=False)
    assert source.length == 25
    assert packet_times(str(tmp_path / "a.mp4")) == pytest.approx(VARYING, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("fields.mp4", "libx264", {"flags": "+ildct+ilme", "x264-params": "interlaced=1"}),
        ("fields.mpg", "mpeg2video", {"flags": "+ildct+ilme"}),
        ("av1.mp4", "libsvtav1", {}),
        ("vp9.webm", "libvpx-vp9", {}),
        ("mpeg4.avi", "mpeg4", {}),
    ],
)
def test_pictures_of_fields_and_of_every_codec_are_filled(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    """OpenCV (4.13 to 5.0) hands out unfilled pictures of interlaced films, and its wheels have no decoder of AV1."""
    try:
        path = film(tmp_path / name, [n / 30 for n in range(12)], codec, options=options)
    except (av.error.FFmpegError, ValueError) as error:
        pytest.skip(f"no encoder {codec}: {error}")
    found = [box_left(frame.image) for frame in open_source(str(path))]
    assert len(found) >= 11
    assert np.abs(np.diff(found) - 2).max() <= 2
    assert found[0] <= 2


def test_a_film_goes_on_behind_damage_and_lost_frames_keep_their_places(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    times = [n / 30 for n in range(25)]
    path = film(tmp_path / "card.mp4", times, options={"g": "5", "bf": "0", "x264-params": "keyint=5"})
    content = bytearray(path.read_bytes())
    half = len(content) // 3
    content[half : half + 60] = bytes(60)
    path.write_bytes(content)
    frames = list(open_source(str(path)))
    assert [f.time for f in frames] == pytest.approx(times[: len(frames)], abs=1e-3)
    assert len(frames) == 25
    assert box_left(frames[-1].image) == pytest.approx(48, abs=2)
    lost = sum(f.image is None for f in frames)
    assert lost == 0 or f"{lost} of 25 frames could not be read" in caplog.text


def test_a_film_that_breaks_off_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = film(tmp_path / "cut.mkv", [n / 30 for n in range(100)])
    whole = open_source(str(path))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    with caplog.at_level(logging.WARNING):
        count = sum(1 for _ in whole)
    assert 5 < count < 95
    assert "cut: ended after" in caplog.text


def test_a_codec_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    path = film(tmp_path / "a.avi", [0, 1 / 30], "mpeg4")
    path.write_bytes(path.read_bytes().replace(b"FMP4", b"XYZW").replace(b"\0\0\1", b"\0\0\7"))
    with pytest.raises(ValueError, match=r"a\.avi: expected a video, but no frame of it can be decoded \(codec"):
        open_source(str(path))


@pytest.mark.parametrize("name", ["readme.nfo", "art.asc", "page.vt", "list.m3u8", "film.ffconcat"])
def test_a_text_is_no_film(tmp_path: Path, name: str) -> None:
    """FFmpeg draws texts of some suffixes as pictures, and opens what lists name."""
    heads = {"list.m3u8": "#EXTM3U\n#EXTINF:1,\nother.ts\n", "film.ffconcat": "ffconcat version 1.0\nfile a.mp4\n"}
    (tmp_path / name).write_text(heads.get(name, "some words\n" * 50))
    with pytest.raises(ValueError, match=f"{name}: expected a video or an image, got a"):
        open_source(str(tmp_path / name))


def test_a_sound_is_no_film(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(ValueError, match="got a file without pictures"):
        open_source(str(tmp_path / "sound.wav"))


def test_films_of_many_levels_have_one_range(tmp_path: Path) -> None:
    """A thermal film: 100 of 65,536 levels are used, and brightness does not change from frame to frame."""
    levels = [np.full((SIZE[1], SIZE[0]), 3000, np.uint16) for _ in range(4)]
    for number, each in enumerate(levels):
        each[10:30, 10 + number : 30 + number] = 3100
    path = str(film(tmp_path / "heat.mkv", [n / 30 for n in range(4)], "ffv1", pix_fmt="gray16le", frames=levels))
    images = [f.image for f in open_source(path)]
    assert all(image is not None for image in images)
    known = [image for image in images if image is not None]
    assert {int(image[0, 0, 0]) for image in known} == {int(known[0][0, 0, 0])}
    assert int(known[0][15, 20, 0]) - int(known[0][0, 0, 0]) > 150
    by_hand = open_source(path, values=ValueRange(3000, 3200))
    image = next(iter(by_hand)).image
    assert image is not None
    assert (image[0, 0, 0], image[15, 20, 0]) == (0, 128)


def test_a_title_in_latin_1(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "M@nchen"
        stream: Any = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(0), format="rgb24")))
        container.mux(stream.encode())
    path.write_bytes(path.read_bytes().replace(b"M@nchen", "München".encode("latin-1")))
    assert len(list(open_source(str(path)))) == 1


class TestWriter:
    def test_a_written_film_lasts_as_long_as_its_source(self, tmp_path: Path) -> None:
        writer = VideoWriter(tmp_path / "out.mp4", SIZE, 30)
        for number, time in enumerate(VARYING):
            writer.write(picture(number), time)
        writer.close()
        source = open_source(str(tmp_path / "out.mp4"))
        assert [f.time for f in source] == pytest.approx(VARYING, abs=1e-3)
        assert [box_left(f.image) for f in source] == pytest.approx([2 * n for n in range(25)], abs=2)

    def test_it_is_of_a_kind_that_browsers_play(self, tmp_path: Path) -> None:
        writer = VideoWriter(tmp_path / "out.mp4", SIZE, 30)
        writer.write(picture(0), 0.0)
        writer.close()
        with av.open(str(tmp_path / "out.mp4")) as container:
            context = container.streams.video[0].codec_context
            assert (context.name, context.pix_fmt) == ("h264", "yuv420p")

    def test_times_that_do_not_rise_are_moved_on(self, tmp_path: Path) -> None:
        writer = VideoWriter(tmp_path / "out.mp4", SIZE, 30)
        for time in (0.0, 0.0, 0.1):
            writer.write(picture(0), time)
        writer.close()
        assert len(list(open_source(str(tmp_path / "out.mp4")))) == 3
