"""Opening a source: what each kind yields, what broken ones say."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from flatsort.tracker.io.file_source import FileSource, prefetch
from flatsort.tracker.io.video import open_source
from flatsort.tracker.protocols import FrameSource
from tests.tracker.io.numbered_frames import SIZE, greys, write_images, write_seqinfo, write_video


def no_threads_left() -> bool:
    return not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a.mp4", "mp4v")])
def test_a_video_gives_its_frames_with_time_size_and_rate_twice(tmp_path: Path, name: str, codec: str) -> None:
    source = open_source(str(write_video(tmp_path / name, codec=codec)))
    assert isinstance(source, FrameSource)
    assert (source.name, source.fps, source.size, source.length) == ("a", 10.0, SIZE, 12)
    for _ in range(2):
        frames = list(source)
        assert [f.index for f in frames] == list(range(1, 13))
        assert [f.time for f in frames] == pytest.approx([n / 10 for n in range(12)])
    assert greys(source) == list(range(1, 13))
    assert no_threads_left()


def test_images_are_rgb(tmp_path: Path) -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 2] = 200  # OpenCV writes BGR
    cv2.imwrite(str(tmp_path / "a.png"), red)
    (frame,) = open_source(str(tmp_path / "a.png"))
    assert frame.image is not None
    assert frame.image[5, 5].tolist() == [200, 0, 0]


def test_fps_by_hand_stretches_the_times_of_a_video(tmp_path: Path) -> None:
    source = open_source(str(write_video(tmp_path / "a.avi")), fps=5.0)
    assert source.fps == 5.0
    assert [f.time for f in source][:3] == pytest.approx([0.0, 0.2, 0.4])


def test_leaving_early_ends_the_thread_and_warns_of_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frames = iter(open_source(str(write_video(tmp_path / "a.avi"))))
    next(frames)
    del frames
    assert not caplog.records
    assert no_threads_left()


def test_a_video_that_ends_clearly_early_says_so_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_seqinfo(tmp_path / "Street", length=40)
    write_video(folder / "street.avi")
    source = open_source(str(folder))
    assert (source.name, source.fps, source.length) == ("Street", 25.0, 40)
    assert [f.time for f in source][:2] == pytest.approx([0.0, 0.04])
    assert [r.getMessage() for r in caplog.records] == ["Street: ended after 12 frames, 40 were announced"]


@pytest.mark.parametrize("length", [12, 14, 11])
def test_a_count_that_is_off_by_two_gives_no_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, length: int
) -> None:
    folder = write_seqinfo(tmp_path / "Street", length=length)
    write_video(folder / "street.avi")
    assert len(list(open_source(str(folder)))) == 12
    assert not caplog.records


def test_a_source_that_cannot_be_opened_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "garbage.mp4").write_bytes(np.random.default_rng(1).bytes(5000))
    whole = write_video(tmp_path / "whole.mp4", codec="mp4v").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.avi").touch()
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / "det.txt").write_text("1,-1,1,1,5,5,1\n")
    (tmp_path / "nothing").mkdir()
    write_seqinfo(tmp_path / "no_images")
    for name, sentence in {
        "garbage.mp4": "expected a video or an image",
        "cut.mp4": "expected a video or an image",
        "empty.avi": "expected a video or an image",
        "broken.jpg": "expected a complete image",
        "det.txt": "a detection file has no images",
        "nothing": "expected images, here or in img1, or one video, got none",
        "no_images": "expected images",
    }.items():
        with pytest.raises(ValueError, match=sentence) as caught:
            open_source(str(tmp_path / name))
        assert name in str(caught.value)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        open_source(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("arguments", [{"fps": 0.0}, {"fps": float("nan")}, {"fps": float("inf")}, {"length": 0}])
def test_rates_and_lengths_are_checked(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        open_source("whatever", **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cannot be opened without images"):
        open_source("rtsp://nowhere.invalid/1", images=False)


@pytest.fixture
def unreadable_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every way to read an image fail."""

    def fail(*_: object) -> None:
        raise AssertionError("an image was opened")

    for name in ("imread", "imdecode"):
        monkeypatch.setattr(cv2, name, fail)


@pytest.mark.usefixtures("unreadable_images")
def test_without_images_none_is_opened(tmp_path: Path) -> None:
    folder = write_seqinfo(tmp_path / "x", length=6)
    write_images(tmp_path / "plain", {"1.png": 1, "2.png": 2})
    (folder / "det").mkdir()
    (folder / "det" / "det.txt").write_text("4,-1,1,1,5,5,1\n2,-1,1,1,5,5,1\n")
    (tmp_path / "mine.txt").write_text("7 -1 1 1 5 5 1\n2 -1 1 1 5 5 1\n")
    write_images(tmp_path / "y" / "img1", {"000001.png": 1})
    expected = {
        "x": ("Street", 25.0, 6),
        "x/det/det.txt": ("Street", 25.0, 6),
        "mine.txt": ("mine", 30.0, 7),
        "plain": ("plain", 30.0, 2),
        "y": ("y", 30.0, 9),
    }
    for name, (title, fps, length) in expected.items():
        source = open_source(str(tmp_path / name), images=False, length=9 if name == "y" else None)
        assert (source.name, source.fps, source.length) == (title, fps, length)
        for _ in range(2):
            frames = list(source)
            assert [f.index for f in frames] == list(range(1, length + 1))
            assert all(f.image is None for f in frames)
            assert frames[-1].time == pytest.approx((length - 1) / fps)


def test_without_images_a_video_gives_its_length_from_the_header(tmp_path: Path) -> None:
    source = open_source(str(write_video(tmp_path / "a.avi")), images=False)
    assert (source.fps, source.length) == (10.0, 12)
    assert greys(source) == [None] * 12


def test_an_empty_detection_file_needs_a_length(tmp_path: Path) -> None:
    (tmp_path / "det.txt").write_text("\n")
    with pytest.raises(ValueError, match="expected at least one row"):
        open_source(str(tmp_path / "det.txt"), images=False)
    assert open_source(str(tmp_path / "det.txt"), images=False, length=3).length == 3


def test_prefetch_keeps_order_and_reads_only_a_few_ahead() -> None:
    read: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(50):
            read.append(number)
            yield number

    items = prefetch(numbers(), 3)
    assert read == []
    assert [next(items) for _ in range(10)] == list(range(10))
    assert len(read) <= 10 + 3
    assert list(items) == list(range(10, 50))
    assert no_threads_left()


def test_prefetch_hands_errors_on_after_the_items_before() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("gone")

    items = prefetch(numbers(), 4)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(OSError, match="gone"):
        next(items)
    assert no_threads_left()


def test_prefetch_closes_its_source_when_the_consumer_stops() -> None:
    closed = threading.Event()
    read = []

    def numbers() -> Iterator[int]:
        try:
            for number in range(1000):
                read.append(number)
                yield number
        finally:
            closed.set()

    items = prefetch(numbers(), 2)
    assert next(items) == 0
    with pytest.raises(KeyboardInterrupt):
        items.throw(KeyboardInterrupt)
    assert closed.is_set()
    assert len(read) <= 1 + 2 + 1
    assert no_threads_left()


@pytest.mark.data
def test_real_sequences(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    pets = open_source(str(data / "sequences" / "PETS09-S2L1"))
    assert (pets.name, pets.fps, pets.size, pets.length) == ("PETS09-S2L1", 7.0, (768, 576), 795)
    last = list(pets)[-1]
    assert last.index == 795
    assert last.time == pytest.approx(794 / 7)
    assert caplog.record_tuples == []
    few = open_source(str(data / "sequences" / "MOT17" / "MOT17-02-FRCNN"))
    assert isinstance(few, FileSource)
    assert few.absent == 598
    assert [f.index for f in few if f.image is not None] == [1, 2]
    assert caplog.record_tuples == [
        (
            "flatsort.tracker.io.file_source",
            logging.WARNING,
            "MOT17-02-FRCNN: 598 of 600 frames could not be read, the first is 3",
        )
    ]
