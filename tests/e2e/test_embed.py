"""Verbs embed, export and check-embedder, through the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from flatsort import embedding
from flatsort.embedding import checkpoint, conformance
from flatsort.embedding.checkpoint import Card
from flatsort.embedding.data import sample_set
from flatsort.embedding.data.sample_set import SampleSet
from flatsort.scene import Scene
from flatsort.tracker.io.mot import read_detections
from tests.e2e.conftest import Flatsort
from tests.embedding import tiny_models


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    checkpoint.save(path, tiny_models.model(), Card())
    return path


def read(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file}


def test_detections_of_a_video(flatsort: Flatsort, video: Path, sequence: Path, model: Path, tmp_path: Path) -> None:
    table = sequence / "det" / "det.txt"
    out = tmp_path / "new" / "latents.npz"
    done = flatsort("embed", video, "--detections", table, "--model", model, "--out", out, "--batch", 7, "chunk=5")
    assert done.code == 0, done.err
    arrays, expected = read(out), read_detections(table)
    assert list(arrays) == ["latents", "frame", "boxes", "score", "model"]
    assert f"{len(arrays['latents'])} latents of 4 numbers" in done.out
    assert arrays["latents"].dtype == np.float32
    assert len(arrays["latents"]) == sum(map(len, expected.values()))
    np.testing.assert_array_equal(np.unique(arrays["frame"]), sorted(k for k, v in expected.items() if len(v)))
    np.testing.assert_array_equal(arrays["boxes"][arrays["frame"] == 9], expected[9].boxes)
    np.testing.assert_array_equal(arrays["score"][arrays["frame"] == 9], expected[9].scores)


def test_latents_are_those_of_the_frames(
    flatsort: Flatsort, video: Path, sequence: Path, tmp_path: Path, scene: Scene
) -> None:
    table, out = sequence / "det" / "det.txt", tmp_path / "l.npz"
    flatsort(
        "embed", video, "--detections", table, "--model", "pixels", "--out", out, "--frames", 4, "--min-score", 0.5
    )
    arrays, expected = read(out), read_detections(table)
    assert arrays["frame"].max() == 4
    for index in (1, 4):
        confident = expected[index][expected[index].scores >= 0.5]
        (expected_latents,) = embedding.load("pixels").embed([scene.image(index)], [confident.boxes])
        got = arrays["latents"][arrays["frame"] == index]
        # the video is compressed
        assert (
            np.linalg.norm(got - expected_latents, axis=1).max() < 0.3 * np.linalg.norm(expected_latents, axis=1).min()
        )


def test_a_folder_of_crops(flatsort: Flatsort, scene: Scene, tmp_path: Path) -> None:
    folder, out = tmp_path / "crops", tmp_path / "l.npz"
    (folder / "b").mkdir(parents=True)
    for name in ("1.png", "b/2.png"):
        cv2.imwrite(str(folder / name), scene.image(1)[20:90, 30:60, ::-1])
    (folder / "b" / "broken.png").write_bytes(b"no image")
    done = flatsort("embed", folder, "--whole", "--model", "pixels", "--out", out)
    assert "2 latents of 384 numbers, 1 images not readable left out" in done.out
    arrays = read(out)
    assert arrays["names"].tolist() == ["1.png", "b/2.png"]
    whole = [np.array([[0.0, 0, 30, 70]])]
    expected = embedding.load("pixels").embed([scene.image(1)[20:90, 30:60]], whole)[0]
    np.testing.assert_array_equal(arrays["latents"], np.repeat(expected, 2, axis=0))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_set_of_samples(flatsort: Flatsort, tmp_path: Path, channels: int) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (5, 16, 8, channels)).astype(np.uint8)
    sample_set.save(SampleSet(samples, {"frame": np.arange(5)}), tmp_path / "set")
    assert flatsort("embed", tmp_path / "set", "--model", "pixels", "--out", tmp_path / "l.npz").code == 0
    arrays = read(tmp_path / "l.npz")
    assert arrays["latents"].shape == (5, 384)
    assert arrays["frame"].tolist() == [0, 1, 2, 3, 4]
    assert set(arrays) == {"latents", "model", *sample_set.COLUMNS}


def test_a_failing_run_leaves_the_old_file(flatsort: Flatsort, sequence: Path, tmp_path: Path) -> None:
    out = tmp_path / "l.npz"
    out.write_text("old")
    done = flatsort("embed", sequence, "--model", "pixels", "--out", out)
    assert "expected images" in done.sentence
    assert [p.name for p in tmp_path.iterdir()] == ["l.npz"]
    assert out.read_text() == "old"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("SOURCE", "--model", "pixel", "--out", "l.npz"), "unknown embedder 'pixel'; did you mean 'pixels'?"),
        (("SOURCE", "--model", "pixels", "--out", "l.npy"), "--out: expected the name of a FILE.npz, got l.npy"),
        (("SOURCE", "SOURCE", "--model", "pixels", "--out", "l.npz"), "expected one SOURCE, got 2"),
        (("SOURCE", "--model", "pixels", "--out", "l.npz", "sise=3"), "unknown key 'sise'; did you mean: 'size'?"),
        (("SOURCE", "--model", "pixels", "--out", "l.npz", "detector.x=3"), "detector"),
        (("SOURCE", "--model", "pixels", "--out", "l.npz", "device=cpu"), "expected the option --device"),
        (
            ("d", "--whole", "--model", "pixels", "--out", "l.npz", "--frames", "3"),
            "--frames: --whole takes images as",
        ),
        (("absent", "--whole", "--model", "pixels", "--out", "l.npz"), "absent: no such folder"),
        (
            ("SOURCE", "--model", "pixels", "--out", "l.npz", "--detector", "onnx", "--detections", "d.txt"),
            "expected detections or the detector onnx, got both",
        ),
    ],
)
def test_errors_are_one_sentence(
    flatsort: Flatsort, video: Path, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    places = {"SOURCE": video, "l.npz": tmp_path / "l.npz"}
    assert sentence in flatsort("embed", *(places.get(a, a) for a in arguments)).sentence
    assert not (tmp_path / "l.npz").exists()


def test_no_images_to_embed(flatsort: Flatsort, tmp_path: Path) -> None:
    (tmp_path / "crops").mkdir()
    done = flatsort("embed", tmp_path / "crops", "--whole", "--model", "pixels", "--out", tmp_path / "l.npz")
    assert "expected images, got 0 files that can be read as none" in done.sentence
    vectors = SampleSet(np.zeros((3, 7), np.float32))
    sample_set.save(vectors, tmp_path / "set")
    done = flatsort("embed", tmp_path / "set", "--model", "pixels", "--out", tmp_path / "l.npz")
    assert "expected a set of images, got one of vectors [7]" in done.sentence


def test_check_embedder_says_what_is_wrong(flatsort: Flatsort, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = flatsort("check-embedder", model)
    assert (done.code, done.out) == (0, f"{model}: conforms, 4 numbers a latent\n")
    assert flatsort("check-embedder", "pixels", "size=[4,4]").out == "pixels: conforms, 48 numbers a latent\n"
    assert "no such file" in flatsort("check-embedder", "absent.onnx").sentence
    monkeypatch.setattr(conformance, "check_embedder", lambda _: ["it moves", "it hums"])
    done = flatsort("check-embedder", "pixels")
    assert (done.code, done.out) == (1, "it moves\nit hums\n")


@pytest.mark.slow
def test_export(flatsort: Flatsort, model: Path, tmp_path: Path) -> None:
    done = flatsort("export", model, "--onnx", tmp_path / "m.onnx")
    assert done.code == 0, done.err
    assert "images of 8x16 pixels to 4 numbers" in done.out
    assert flatsort("check-embedder", tmp_path / "m.onnx").code == 0
    done = flatsort("export", "pixels", "--onnx", tmp_path / "p.onnx")
    assert "pixels: expected a checkpoint of a model, got an embedder of kind pixels" in done.sentence
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
