"""``flatsort track`` by appearance: the default tracker, its embedders, and what it does without images."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml

from flatsort import embedding
from flatsort.embedding import checkpoint
from flatsort.embedding.checkpoint import Card
from flatsort.scene import Scene, write_images, write_sequence
from flatsort.tools.runs.open_run import WITHOUT_LATENTS
from flatsort.tracker.detectors import DETECTORS
from flatsort.tracker.images import read_image
from flatsort.tracker.io.mot import read_detections
from flatsort.tracker.types import Float, Float32, Image
from tests.e2e.conftest import Flatsort, read_rows
from tests.e2e.test_readme import tiny_osnet
from tests.embedding import tiny_models
from tests.tracker.io.test_live import Device, live

pytestmark = pytest.mark.slow

EMPTY_FRAMES = (30, 31)
"""Frames without detections; a missed track is reported in the first of them."""


@pytest.fixture(scope="module")
def street(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene as a MOTChallenge sequence with images; the detector misses two frames entirely."""
    folder = tmp_path_factory.mktemp("appearance") / "street"
    write_sequence(scene, folder)
    write_images(scene, folder)
    det = folder / "det" / "det.txt"
    det.write_text(
        "".join(f"{line}\n" for line in det.read_text().splitlines() if int(line.split(",")[0]) not in EMPTY_FRAMES)
    )
    return folder


@pytest.fixture(scope="module")
def embedders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An untrained checkpoint, a training's folder, and a network in ONNX."""
    folder = tmp_path_factory.mktemp("embedders")
    card = Card(calibration=tiny_models.calibration(0.5))
    checkpoint.save(folder / "one.safetensors", tiny_models.model(), card)
    checkpoint.save(folder / "run" / "model.safetensors", tiny_models.model(seed=1), card)
    tiny_osnet(folder / "osnet.onnx")
    return {"checkpoint": folder / "one.safetensors", "folder": folder / "run", "onnx": folder / "osnet.onnx"}


def explained(out: Path) -> list[dict[str, str]]:
    with (out / "demo.explain.csv").open() as file:
        return list(csv.DictReader(file))


def same(first: Path, second: Path, name: str = "demo.txt") -> bool:
    return (first / name).read_text() == (second / name).read_text()


def test_the_default_tracker_uses_appearance_and_smooths_without_a_message(
    flatsort: Flatsort, street: Path, tmp_path: Path
) -> None:
    for name, options in (("smooth", ()), ("raw", ("--no-smooth",)), ("detected", ("--boxes", "detector"))):
        done = flatsort("track", street, "--explain", "40", *options, "--out", tmp_path / name)
        assert (done.code, done.err) == (0, "")
    config = yaml.safe_load((tmp_path / "smooth" / "demo.config.yaml").read_text())
    assert (config["embedder"], config["offline"]) == ("flat_vhp_vae", True)
    assert config["appearance"]["prior"] > 0  # the threshold in the header of the checkpoint
    smooth, raw, detected = (read_rows(tmp_path / name / "demo.txt") for name in ("smooth", "raw", "detected"))
    assert {r[1] for r in smooth} == {r[1] for r in raw} == {r[1] for r in detected}
    assert sum(r[0] == EMPTY_FRAMES[1] for r in smooth) > 0 == sum(r[0] == EMPTY_FRAMES[1] for r in raw)
    assert not {tuple(r[:6]) for r in smooth} & {tuple(r[:6]) for r in raw}
    given = {tuple(r[2:6]) for r in read_rows(street / "det" / "det.txt")}
    assert sum(tuple(r[2:6]) in given for r in detected) > 0.8 * len(detected)  # the others are missed ones, predicted
    assert not any(tuple(r[2:6]) in given for r in smooth)
    assert all(p["latent"] for p in explained(tmp_path / "smooth"))


def test_a_video_is_tracked_by_appearance(flatsort: Flatsort, street: Path, video: Path, tmp_path: Path) -> None:
    det = street / "det" / "det.txt"
    done = flatsort("track", video, "--detections", det, "--timing", "--explain", "id:1", "--video", "--out", tmp_path)
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "square.mp4").is_file()
    with (tmp_path / "square.explain.csv").open() as file:
        pairs = list(csv.DictReader(file))
    assert {p["track"] for p in pairs} == {"0", "1"}  # before it was confirmed, too
    assert len({p["serial"] for p in pairs}) == 1
    stages = yaml.safe_load((tmp_path / "square.config.yaml").read_text())["stages"]
    assert {"near", "iou"} <= {p["stage"] for p in pairs} <= {*stages, ""}
    near = [p for p in pairs if p["stage"] == "near"]
    weight = stages["near"]["weight"]
    for cost, overlap, latent in ([float(p[key]) for key in ("cost", "iou", "latent")] for p in near):
        assert cost == pytest.approx(weight * min(latent, 2) + (1 - weight) * (1 - overlap))
    assert "latent" in done.out
    timed = [line for line in done.out.splitlines() if line.count("%") == 1]
    parts = {line.split("  ")[0]: float(line.split()[-2].rstrip("%")) for line in timed}
    assert list(parts) == [
        *("decoding", "detection", "embedding", "association", "smoothing", "drawing and writing", "rest", "all")
    ]
    assert sum(parts.values()) == pytest.approx(200, abs=1)
    assert min(parts["decoding"], parts["embedding"], parts["association"], parts["drawing and writing"]) > 0


@pytest.mark.parametrize("kind", ["pixels", "checkpoint", "folder", "onnx"])
def test_any_embedder_can_be_swapped_in(
    flatsort: Flatsort, street: Path, embedders: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    embedder = embedders.get(kind, Path(kind))
    command = ("track", street, "--embedder", embedder, "--explain", "2", "--frames", "12")
    for tracker in ("deep_sort", "flatsort"):
        done = flatsort(*command, "--tracker", tracker, "--out", tmp_path / tracker)
        assert done.code == 0, done.err
        config = yaml.safe_load((tmp_path / tracker / "demo.config.yaml").read_text())
        assert config["embedder"] == str(embedder)
    detections = read_detections(street / "det" / "det.txt")
    images = [read_image(street / "img1" / f"{index:06d}.jpg") for index in (1, 2)]
    assert all(image is not None for image in images)
    before, now = embedding.load(embedder, "cpu").embed(images, [detections[1].boxes, detections[2].boxes])  # type: ignore[arg-type]
    threshold = yaml.safe_load((tmp_path / "deep_sort" / "demo.config.yaml").read_text())["appearance"]["threshold"]
    distance = np.linalg.norm(before[:, None] - now, axis=-1) / threshold
    pairs = explained(tmp_path / "deep_sort")
    first = min(int(p["serial"]) for p in pairs)
    assert len(pairs) == distance.size
    for pair in pairs:  # tracks start in the order of the first frame's detections
        expected = distance[int(pair["serial"]) - first, int(pair["detection"])]
        assert float(pair["latent"]) == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_reusing_latents_of_continued_boxes_changes_next_to_nothing(
    flatsort: Flatsort, street: Path, tmp_path: Path
) -> None:
    calls = []
    for every in ("1", "auto", "4"):
        done = flatsort("track", street, "--embedder", "pixels", "--embed-every", every, "--out", tmp_path / every)
        assert done.code == 0, done.err
        written = yaml.safe_load((tmp_path / every / "demo.config.yaml").read_text())
        calls.append(written["embed"]["every"])
    assert calls == [1, "auto", 4]
    boxes = {every: {(r[0], r[1]): r[2:6] for r in read_rows(tmp_path / every / "demo.txt")} for every in ("1", "auto")}
    both = boxes["1"].keys() & boxes["auto"].keys()
    alike = [key for key in both if np.allclose(boxes["1"][key], boxes["auto"][key], atol=1.0)]
    assert len(alike) > 0.95 * max(map(len, boxes.values()))


@pytest.mark.parametrize("every", ["x", "0", "-3", "1.5", "automatic"])
def test_how_often_to_embed_is_checked(flatsort: Flatsort, street: Path, every: str) -> None:
    sentence = flatsort("track", street, "--embed-every", every).sentence
    assert "embed.every: expected auto or a number of frames from 1 on, got" in sentence


def with_first_images(street: Path, folder: Path, count: int) -> Path:
    """The sequence with only its first images."""
    shutil.copytree(street, folder)
    for path in sorted((folder / "img1").iterdir())[count:]:
        path.unlink()
    return folder


def test_where_most_images_are_absent_motion_alone_decides(flatsort: Flatsort, street: Path, tmp_path: Path) -> None:
    few = with_first_images(street, tmp_path / "few", 2)
    done = flatsort("track", few, "--out", tmp_path / "default")
    assert done.code == 0
    assert done.err == f"{few}: 58 of 60 frames have no image, so tracked by motion alone (--tracker sort_long)\n"
    assert flatsort("track", few, "--tracker", "sort_long", "--out", tmp_path / "named").err == ""
    assert same(tmp_path / "default", tmp_path / "named")
    assert flatsort("track", few, "--crops", "--out", tmp_path / "crops").code == 0
    assert same(tmp_path / "crops", tmp_path / "named")
    for options in (("--tracker", "flatsort"), ("--embedder", "pixels")):
        embedder = "pixels" if "pixels" in options else "flat_vhp_vae"
        sentence = flatsort("track", few, *options, "--out", tmp_path / "none").sentence
        assert f"expected images for the embedder {embedder}, but 58 of 60 frames have no image" in sentence
    assert not (tmp_path / "none").exists()


def test_where_few_images_are_absent_the_others_are_embedded(flatsort: Flatsort, street: Path, tmp_path: Path) -> None:
    done = flatsort(
        "track", with_first_images(street, tmp_path / "most", 50), "--embedder", "pixels", "--out", tmp_path
    )
    assert (done.code, done.err) == (0, "")
    assert max(r[0] for r in read_rows(tmp_path / "demo.txt")) <= 51


def test_without_images_the_default_falls_back_and_a_named_tracker_does_not(
    flatsort: Flatsort, sequence: Path, tmp_path: Path
) -> None:
    done = flatsort("track", sequence, "lifecycle.max_age=9", "--embed-every", "auto", "--out", tmp_path / "default")
    assert done.code == 0
    assert "no images that can be read, so tracked by motion alone (--tracker sort_long)" in done.err
    flatsort("track", sequence, "--tracker", "sort_long", "lifecycle.max_age=9", "--out", tmp_path / "named")
    assert same(tmp_path / "default", tmp_path / "named")
    assert "expected images" in flatsort("track", sequence, "--tracker", "flatsort").sentence
    assert "expected images" in flatsort("track", sequence, "--embedder", "pixels").sentence
    sentence = flatsort("track", sequence, "stages.near.threshold=0.5").sentence
    assert "no images that can be read, so tracked by motion alone" in sentence
    assert "unknown key 'stages.near'" in sentence


def test_a_tracker_by_appearance_needs_an_embedder_before_it_starts(
    flatsort: Flatsort, street: Path, video: Path, tmp_path: Path
) -> None:
    det = street / "det" / "det.txt"
    for source in (street, det, video):
        sentence = flatsort("track", source, "--tracker", "deep_sort", "--out", tmp_path / "out").sentence
        assert f"{source}: expected an embedder or detections with features, got neither" in sentence
        assert "embedder=FILE.onnx" in sentence
    assert not (tmp_path / "out").exists()
    assert set(WITHOUT_LATENTS) < set(DETECTORS.names())


def test_an_embedder_that_the_tracker_does_not_use_is_left_out(
    flatsort: Flatsort, street: Path, tmp_path: Path
) -> None:
    done = flatsort("track", street, "--tracker", "sort", "--embedder", "pixels", "--out", tmp_path / "left_out")
    assert done.err == "the tracker does not use appearance: pixels is left out\n"
    flatsort("track", street, "--tracker", "sort", "--out", tmp_path / "plain")
    assert same(tmp_path / "left_out", tmp_path / "plain")


def test_an_unknown_embedder_names_the_known_ones(flatsort: Flatsort, street: Path) -> None:
    assert "did you mean 'pixels'?" in flatsort("track", street, "--embedder", "pixel").sentence
    assert "none.onnx: no such file" in flatsort("track", street, "--embedder", "none.onnx").sentence


def test_a_live_source_is_tracked_as_it_comes(
    flatsort: Flatsort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flatsort.tools.runs.open_input.open_source", lambda *_, **__: live(Device(10**9)))
    monkeypatch.setattr("flatsort.tracker.pipeline.smooth_results", None)
    command = ("track", "0", "--detector", "background", "--embedder", "pixels", "--frames", "3")
    done = flatsort(*command, "--out", tmp_path)
    assert (done.code, done.err) == (0, "")
    assert "3 frames, 0 tracks" in done.out
    assert yaml.safe_load((tmp_path / "cam.config.yaml").read_text())["offline"] is True
    assert "--smooth needs a source that ends, got a live one" in flatsort(*command, "--smooth").sentence


class Interrupted:
    """An embedder during whose third call somebody presses Ctrl-C."""

    dim = 2
    calls = 0

    def embed(self, _: Sequence[Image], boxes: Sequence[Float]) -> list[Float32]:
        self.calls += 1
        if self.calls == 3:
            raise KeyboardInterrupt
        return [np.zeros((len(each), 2), np.float32) for each in boxes]


def test_ctrl_c_before_smoothing_keeps_the_frames_so_far_smoothed(
    flatsort: Flatsort, street: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "load", lambda *_: Interrupted())
    done = flatsort("track", street, "--video", "--timing", "--out", tmp_path)
    assert done.code == 130
    assert f"the frames so far are in {tmp_path / 'demo.partial.txt'}" in done.err
    rows = read_rows(tmp_path / "demo.partial.txt")
    assert 10 < max(r[0] for r in rows) <= 16  # two calls of eight frames
    assert not (tmp_path / "demo.txt").exists()


def test_the_config_of_the_default_tracker(flatsort: Flatsort) -> None:
    config = yaml.safe_load(flatsort("track", "--print-config").out)
    assert (config["embedder"], config["embed"]["every"], config["offline"]) == ("flat_vhp_vae", 1, True)
    config = yaml.safe_load(flatsort("track", "--embedder", "a.onnx", "--embed-every", "5", "--print-config").out)
    assert (config["embedder"], config["embed"]["every"]) == ("a.onnx", 5)


def test_scores_that_start_no_track_give_a_note(flatsort: Flatsort, street: Path, tmp_path: Path) -> None:
    low = tmp_path / "low.txt"
    rows = [line.split(",") for line in (street / "det" / "det.txt").read_text().splitlines()]
    low.write_text("".join(",".join([*row[:6], "0.5", *row[7:]]) + "\n" for row in rows))
    done = flatsort("track", str(street), "--detections", str(low), "--embedder", "pixels", "--out", str(tmp_path))
    assert done.code == 0, done.err
    assert "0 tracks" in done.out
    assert (
        f"{len(rows)} detections and no track: no score reaches lifecycle.birth_score=0.6, the highest is 0.5"
        in done.out
    )


def test_a_fixed_threshold_with_another_embedder_gives_a_warning(
    flatsort: Flatsort, street: Path, tmp_path: Path
) -> None:
    arguments = ("track", str(street), "--tracker", "deep_sort", "--embedder", "pixels", "--out", str(tmp_path))
    assert (
        "appearance.threshold=0.6325 is fixed: for the distances of pixels try appearance.threshold=auto"
        in flatsort(*arguments).err
    )
    assert "is fixed" not in flatsort(*arguments, "appearance.threshold=auto").err
    assert flatsort(*arguments, "appearance.threshold=1").code == 0  # a whole number is a distance as well


def test_the_default_tracker_tracks_what_background_subtraction_detects(
    flatsort: Flatsort, video: Path, tmp_path: Path
) -> None:
    done = flatsort("track", str(video), "--detector", "background", "--embedder", "pixels", "--out", str(tmp_path))
    assert done.code == 0, done.err
    assert len({row[1] for row in read_rows(tmp_path / f"{video.stem}.txt")}) >= 3
