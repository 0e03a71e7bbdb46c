"""What ``import flatsort`` offers: the names, and that they give what the command line gives."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import flatsort
from flatsort.scene import Scene, SceneConfig, write_images, write_sequence
from flatsort.tracker.io.results import MotSink
from flatsort.tracker.types import Detections, Float, Float32, Frame, Image


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short sequence with images."""
    scene = Scene(SceneConfig(frames=40, people=5, width=256, height=144))
    folder = tmp_path_factory.mktemp("api") / "street"
    write_sequence(scene, folder)
    write_images(scene, folder)
    return folder


class MeanColour:
    """Embeds a box as the mean colour of the image."""

    dim = 3

    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> list[Float32]:
        return [np.tile(i.mean((0, 1)).astype(np.float32), (len(b), 1)) for i, b in zip(images, boxes, strict=True)]


class Corner:
    """Finds one box in every frame."""

    class_names = ("thing",)
    needs_image = True

    def detect(self, frame: Frame) -> Detections:  # noqa: ARG002
        return Detections.of([[10, 10, 30, 60]], scores=[0.9])


def test_every_public_name_is_there_and_documented() -> None:
    for name in flatsort.__all__:
        assert inspect.getdoc(getattr(flatsort, name)), name
    assert set(flatsort.__all__) <= set(dir(flatsort))
    assert re.fullmatch(r"\d+\.\d+.*", flatsort.__version__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        flatsort.nothing  # noqa: B018


def test_type_checkers_see_the_same_names() -> None:
    source = Path(flatsort.__file__).read_text(encoding="utf-8")
    block = source.partition("if TYPE_CHECKING:\n")[2].partition("\n\n")[0]
    names = re.findall(r"\w+", " ".join(re.findall(r"import (.*)", block)))
    assert sorted(names) == sorted(flatsort.__all__)


@pytest.mark.parametrize("tracker", ["flatsort", "sort"])
def test_a_tracker_gives_the_ids_of_a_whole_run(street: Path, tracker: str) -> None:
    source = flatsort.frames(street)
    online = flatsort.load_tracker(tracker, frame_rate=source.fps)
    images = {frame.index: frame.image for frame in source}
    seen = 0
    for result in flatsort.track(street, tracker, smooth=False, images=False):
        ids = online.update(result.detections.boxes, result.detections.scores, image=images[result.frame.index])
        expected = np.full(len(result.detections), -1)
        shown = result.tracks.source >= 0
        expected[result.tracks.source[shown]] = result.tracks.ids[shown]
        assert ids.tolist() == expected.tolist()
        seen += int(shown.sum())
    assert seen > 50


@pytest.mark.slow
def test_tracking_gives_what_the_command_line_writes(street: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "flatsort", "track", str(street), "--out", str(tmp_path)], check=True)
    with MotSink(tmp_path / "mine.txt") as sink:
        for result in flatsort.track(street):
            assert result.frame.image is not None
            assert result.detections.latents is not None
            sink.write(result)
    assert (tmp_path / "mine.txt").read_text() == (tmp_path / "demo.txt").read_text()
    scores = flatsort.evaluate(gt=street, pred=tmp_path / "mine.txt").overall
    assert isinstance(scores, flatsort.Scores)
    assert scores.idf1 > 60


def test_parts_may_be_objects(street: Path) -> None:
    results = list(flatsort.track(street, "deep_sort", detector=Corner(), embedder=MeanColour(), frames=6))
    assert [len(r.tracks) for r in results] == [0, 0, 1, 1, 1, 1]
    assert {z.shape for r in results if (z := r.detections.latents) is not None} == {(1, 3)}
    tracker = flatsort.load_tracker("deep_sort", ["lifecycle.min_hits=0"], embedder=MeanColour())
    assert tracker.update([[10, 10, 30, 60]], image=np.zeros((72, 64, 3), np.uint8)).tolist() == [1]


def test_an_embedder_that_no_stage_compares_is_left_out(street: Path, caplog: pytest.LogCaptureFixture) -> None:
    results = list(flatsort.track(street, "sort", embedder=MeanColour(), frames=3))
    assert all(result.detections.latents is None for result in results)
    assert "the tracker does not use appearance: MeanColour is left out" in caplog.text


def test_the_first_components_of_an_embedder() -> None:
    image = np.zeros((72, 64, 3), np.uint8)
    tracker = flatsort.load_tracker("deep_sort", ["embed.components=2", "lifecycle.min_hits=0"], embedder="pixels")
    assert tracker.update([[10, 10, 30, 60]], image=image).tolist() == [1]
    with pytest.raises(ValueError, match="latents"):
        tracker.update([[10, 10, 30, 60]], latents=[[1.0, 2.0, 3.0]])


def test_sentences() -> None:
    tracker = flatsort.load_tracker("flatsort")
    with pytest.raises(ValueError, match=r"image: expected uint8 \[h w 3\] \(RGB\), got float64 \[4, 4, 3\]"):
        tracker.update([[0, 0, 2, 2]], image=np.zeros((4, 4, 3)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="or an image for the embedder"):
        tracker.update([[0, 0, 2, 2]])
    with pytest.raises(ValueError, match="unknown track config 'flatsrt'; did you mean 'flatsort'"):
        flatsort.load_tracker("flatsrt")
    with pytest.raises(ValueError, match="overrides: expected none beside a config"):
        flatsort.load_tracker(flatsort.TrackConfig(), ["min_score=0.5"])
    with pytest.raises(FileNotFoundError, match=r"nothing\.mp4: no such file"):
        flatsort.frames("nothing.mp4")
    with pytest.raises(FileNotFoundError, match=r"nothing\.mp4: no such file"):
        flatsort.track("nothing.mp4")


def test_what_the_user_should_know_is_logged(street: Path, caplog: pytest.LogCaptureFixture) -> None:
    list(flatsort.track(street / "det" / "det.txt", frames=2))
    assert "tracked by motion alone (--tracker sort_long)" in caplog.text


@pytest.mark.slow
def test_train_load_and_export(tmp_path: Path) -> None:
    small = ["steps=2", "batch=4", "model.net.width=8", "model.net.decoder_width=8", "model.dim=4", "tensorboard=false"]
    path = flatsort.train("digits_vae", "digits", tmp_path / "run", [*small, "eval_every=2"])
    assert path == tmp_path / "run" / "model.safetensors"
    embedder = flatsort.load_embedder(path, device="cpu")
    image = np.zeros((32, 32, 3), np.uint8)
    (latents,) = embedder.embed([image], [np.array([[0.0, 0, 8, 8]])])
    assert latents.shape == (1, 4)
    assert flatsort.export_embedder(tmp_path / "run", tmp_path / "mine.onnx") < 1e-4
    assert flatsort.load_embedder(tmp_path / "mine.onnx").dim == 4
    with pytest.raises(ValueError, match="expected a checkpoint of a model, got an embedder of kind pixels"):
        flatsort.export_embedder("pixels", tmp_path / "pixels.onnx")
