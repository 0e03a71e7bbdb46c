"""Videos, crops and the window."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from flatsort.tracker.io import visual_results
from flatsort.tracker.io.video import open_source
from flatsort.tracker.io.visual_results import CropSink, ShowSink, VideoSink
from flatsort.tracker.types import FrameResult, Image
from tests.tracker.io.small_results import nothing, result


def grey(level: int, width: int = 80, height: int = 100) -> Image:
    return np.full((height, width, 3), level, np.uint8)


def reddened(shown: FrameResult) -> Image:
    """Stands for a painter: the frame with a full red channel."""
    assert shown.frame.image is not None
    out = shown.frame.image.copy()
    out[..., 0] = 255
    return out


def plain(shown: FrameResult) -> Image:
    assert shown.frame.image is not None
    return shown.frame.image


def levels(path: Path) -> list[int]:
    return [round(float(f.image.mean()), -1) for f in open_source(str(path)) if f.image is not None]  # type: ignore[misc]


def test_a_video_has_the_painted_frames_at_their_times(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "run.mp4", reddened, size=(80, 100), fps=10) as sink:
        for index in range(1, 6):
            sink.write(result(index, grey(0)))
    source = open_source(str(tmp_path / "run.mp4"))
    assert (source.fps, source.size, source.length) == (10, (80, 100), 5)
    for frame in source:
        assert frame.image is not None
        np.testing.assert_allclose(frame.image.mean(axis=(0, 1)), [255, 0, 0], atol=12)


def test_frames_without_an_image_repeat_the_last_one(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "run.mp4", plain, size=(80, 100), fps=10) as sink:
        for each in (nothing(1), result(2, grey(100)), nothing(3), result(4, grey(200))):
            sink.write(each)
    assert levels(tmp_path / "run.mp4") == [0, 100, 100, 200]


def test_frames_that_a_live_source_dropped_keep_the_length_of_the_video(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "run.mp4", plain, size=(80, 100), fps=10) as sink:
        for each in (result(5, grey(50)), result(8, grey(150)), result(9, grey(200))):
            sink.write(each)
    assert levels(tmp_path / "run.mp4") == [50, 150, 200]
    times = [frame.time for frame in open_source(str(tmp_path / "run.mp4"))]
    assert times == pytest.approx([0, 0.3, 0.4])


def test_odd_and_changing_sizes_fit_into_the_video(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "run.mp4", plain, size=(81, 101), fps=10) as sink:
        sink.write(result(1, grey(100, 81, 101)))
        sink.write(result(2, grey(200, 40, 30)))
    assert open_source(str(tmp_path / "run.mp4")).size == (80, 100)
    assert levels(tmp_path / "run.mp4") == [100, 200]


def test_a_video_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match=r"run.mp4: expected pictures of at least 2x2 pixels for a video, got 1x1"),
        VideoSink(tmp_path / "run.mp4", plain, size=(1, 1), fps=10),
    ):
        pytest.fail("the run has begun")
    assert list(tmp_path.iterdir()) == []


def test_crops_lie_in_a_folder_for_each_id_and_only_where_it_was_seen(tmp_path: Path) -> None:
    image = grey(0)
    image[20:61, 10:30] = [200, 0, 0]  # the first box, in red
    with CropSink(tmp_path / "run.crops") as sink:
        for each in (result(1, image), nothing(2), result(3)):
            sink.write(each)
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.jpg"))
    assert files == [str(Path("run.crops", "0003", "000001.jpg"))]
    crop = cv2.imread(str(tmp_path / files[0]))
    assert crop is not None
    assert crop.shape == (41, 20, 3)
    np.testing.assert_allclose(crop.mean(axis=(0, 1)), [0, 0, 200], atol=4)  # BGR


def test_crops_of_the_detectors_boxes_by_choice(tmp_path: Path) -> None:
    with CropSink(tmp_path / "run.crops", boxes="detector") as sink:
        sink.write(result(1, grey(90)))
    crop = cv2.imread(str(tmp_path / "run.crops" / "0003" / "000001.jpg"))
    assert crop is not None
    assert crop.shape == (40, 20, 3)


def test_a_folder_with_other_things_is_never_replaced_by_crops(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("ten years of work")
    with pytest.raises(FileExistsError, match="got something else"), CropSink(home):
        pytest.fail("the run has begun")
    assert (home / "thesis.txt").read_text() == "ten years of work"


def test_old_crops_stay_when_the_new_ones_cannot_take_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        with CropSink(tmp_path / "run.crops") as sink:
            sink.write(result(1, grey(90)))
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError("disk broke")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="disk broke"), CropSink(tmp_path / "run.crops") as sink:
        sink.write(result(2, grey(90)))
    assert [path.name for path in tmp_path.rglob("*.jpg")] == ["000001.jpg"]
    assert [path.name for path in tmp_path.iterdir()] == ["run.crops"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the variables are Linux's")
@pytest.mark.parametrize("display", [None, ":987"], ids=["none", "unreachable"])
def test_without_a_display_the_window_is_refused_and_the_process_lives(
    monkeypatch: pytest.MonkeyPatch, display: str | None
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if display:
        monkeypatch.setenv("DISPLAY", display)
    with pytest.raises(ValueError, match="no display"), ShowSink("cam", plain):
        pytest.fail("the run has begun")
    assert os.environ.get("DISPLAY") == display


class Window:
    """Stands for OpenCV's windows, which no test machine has."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, key: int = -1, visible: float = 1.0) -> None:
        self.shown: list[Image] = []
        self.closed = 0
        monkeypatch.setattr(visual_results, "check_display", lambda: None)
        monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
        monkeypatch.setattr(cv2, "imshow", lambda _, image: self.shown.append(image))
        monkeypatch.setattr(cv2, "waitKey", lambda _: key)
        monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: visible)
        monkeypatch.setattr(cv2, "destroyAllWindows", self.close)

    def close(self) -> None:
        self.closed += 1


def test_the_window_shows_painted_frames_in_opencvs_order_and_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    window = Window(monkeypatch)
    with ShowSink("cam", reddened) as sink:
        sink.write(result(1, grey(0)))
        sink.write(nothing(2))
    assert len(window.shown) == 1
    assert window.shown[0][0, 0].tolist() == [0, 0, 255]
    assert window.closed == 1


@pytest.mark.parametrize(("key", "visible"), [(ord("q"), 1.0), (27, 1.0), (-1, 0.0)], ids=["q", "Esc", "closed"])
def test_the_user_can_end_the_run_in_the_window(monkeypatch: pytest.MonkeyPatch, key: int, visible: float) -> None:
    window = Window(monkeypatch, key, visible)
    with pytest.raises(KeyboardInterrupt), ShowSink("cam", plain) as sink:
        sink.write(result(1, grey(0)))
    assert window.closed == 1
