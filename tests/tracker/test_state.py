"""A tracker goes on from its state as if it had never stopped, pickled or not."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flatsort.tracker.config import names
from flatsort.tracker.sort import SortTracker
from flatsort.tracker.state import read_state, save_state
from flatsort.tracker.track_config import TrackConfig, load_track_config
from flatsort.tracker.types import Detections, Float, Tracks

FRAMES, STOP = 40, 17


def config(name: str, *overrides: str) -> TrackConfig:
    return load_track_config(name, list(overrides))


def scene(latents: bool | str) -> list[Detections]:
    """Objects that cross, of two classes, with misses and noise."""
    generator = np.random.default_rng(3)
    signs = generator.choice([-1.0, 1.0], size=(9, 16))
    frames = []
    for f in range(FRAMES):
        left = np.array([20 + 6 * f, 300 - 5 * f, 100, 180 + f, 40, 260, 330, 20 + f, 150 - f]) + generator.normal(
            0, 1, 9
        )
        boxes = np.column_stack([left, np.arange(9) * 12.0, left + 30, np.arange(9) * 12.0 + 60])
        rows = np.flatnonzero(generator.random(9) > 0.2)
        codes = signs + (0 if latents == "bits" else generator.normal(0, 0.1, signs.shape))
        frames.append(
            Detections.of(
                boxes[rows],
                generator.uniform(0.3, 1.0, len(rows)),
                rows % 2,
                codes[rows] if latents else None,
            )
        )
    return frames


def images() -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    generator = np.random.default_rng(1)
    whole = generator.integers(0, 255, (200, 400, 3)).astype(np.uint8)
    return [np.ascontiguousarray(whole[:160, f : f + 320]) for f in range(FRAMES)]


def same(a: Tracks, b: Tracks) -> bool:
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ("ids", "boxes", "scores", "classes", "source"))


def runs(settings: TrackConfig, latents: bool | str, restore: Any) -> None:
    """The rest of the frames gives the same with a restored tracker as without a stop."""
    whole, first = SortTracker(settings), SortTracker(settings)
    frames = scene(latents)
    for each in frames[:STOP]:
        whole.step(each)
        first.step(each)
    second = restore(first)
    for each in frames[STOP:]:
        assert same(second.step(each), whole.step(each))
    assert second.dropped == whole.dropped


def through_file(tracker: SortTracker, path: Path) -> SortTracker:
    save_state(path, tracker.state())
    other = SortTracker(tracker.config)
    other.load_state(read_state(path))
    return other


@pytest.mark.parametrize("name", names("track"))
def test_every_tracker_goes_on(name: str, tmp_path: Path) -> None:
    settings = config(name)
    runs(settings, settings.uses_appearance, lambda t: through_file(t, tmp_path / "state.npz"))
    runs(settings, settings.uses_appearance, lambda t: pickle.loads(pickle.dumps(t)))


@pytest.mark.parametrize(
    "overrides",
    [
        ["per_class=true"],
        ["lifecycle.max_age=0.5s"],
        ["appearance.bits=true", "gallery.keep=newest"],
        ["gallery.keep=average"],
        ["gallery.keep=most_confident"],
        ["appearance.threshold=auto"],
    ],
    ids=str,
)
def test_every_setting_goes_on(overrides: list[str], tmp_path: Path) -> None:
    settings = config("flat_vhp_vae_sort", *overrides)
    latents: Any = "bits" if "appearance.bits=true" in overrides else True
    runs(settings, latents, lambda t: through_file(t, tmp_path / "state.npz"))


def test_the_camera_goes_on(tmp_path: Path) -> None:
    settings = config("sort", "camera.method=sparse_flow")
    whole, first = SortTracker(settings), SortTracker(settings)
    frames, pictures = scene(False), images()
    for f in range(STOP):
        for tracker in (whole, first):
            tracker.update(frames[f].boxes, frames[f].scores, image=pictures[f])
    second = through_file(first, tmp_path / "s.npz")
    for f in range(STOP, FRAMES):
        a, b = (t.update(frames[f].boxes, frames[f].scores, image=pictures[f]) for t in (whole, second))
        assert a.tolist() == b.tolist()
    assert np.array_equal(whole.state()["filter"], second.state()["filter"])


def damage(state: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    changed = dict(state)
    if value is None:
        del changed[name]
    else:
        changed[name] = value
    return changed


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    tracker = SortTracker(config("flat_vhp_vae_sort"))
    frames = scene(True)
    for each in frames[:STOP]:
        tracker.step(each)
    state = tracker.state()
    wrong: list[tuple[str, Any, str]] = [
        ("format", np.array(9), "format 1, got 9"),
        ("format", None, "format 1, got none"),
        ("config", np.zeros(16, np.uint8), "same config"),
        ("time", None, "expected time"),
        ("dropped", np.zeros(2), "dropped: expected a count"),
        ("time", np.array("now"), "time: expected seconds"),
        ("format", np.array([], int), "expected format 1"),
        ("life.frame", np.array(np.nan), "life.frame: expected numbers, got NaN"),
        ("life.frame", np.array(2.5), "life.frame: expected a whole number"),
        ("life.frame", np.array(-1), "below 0"),
        ("life.voted", state["life.voted"][::-1], "ascending classes"),
        ("filter", -state["filter"], "filter: expected finite"),
        ("gallery.count", np.empty(0, np.int64), "latents of"),
        ("gallery.latents", state["gallery.latents"][..., :1], "finite latents of 16 numbers"),
        ("gallery.length", np.array(5), "finite latents of 5 numbers"),
        ("threshold.pairs", state["threshold.pairs"][:9], "positive threshold"),
        ("threshold.value", np.array(0.0), "positive threshold"),
        ("filter", state["filter"][:, :, :1], "filter: expected finite"),
        ("filter", state["filter"] * np.nan, "filter: expected finite"),
        ("life.counters", state["life.counters"][:3], "counters"),
        ("life.counters", None, "expected life.counters"),
        ("life.counters", state["life.counters"].astype(str), "expected numbers"),
        ("life.scores", state["life.scores"][:, None], "dimensions"),
        ("life.ids_given", np.array(0), "every id once"),
        ("gallery.count", state["gallery.count"][:1], "latents of"),
        ("gallery.scores", state["gallery.scores"][:1], "latents of"),
        ("threshold.value", np.zeros(3), "expected a number"),
    ]
    for name, value, sentence in wrong:
        other = SortTracker(config("flat_vhp_vae_sort"))
        other.step(frames[0])
        before = other.state()
        with pytest.raises(ValueError, match=sentence):
            other.load_state(damage(state, name, value))
        after = other.state()
        assert all(np.array_equal(before[key], after[key]) for key in before), name


def test_images_of_a_camera_that_do_not_fit() -> None:
    settings = config("sort", "camera.method=sparse_flow")
    tracker = SortTracker(settings)
    tracker.update(scene(False)[0].boxes, image=images()[0])
    state = tracker.state()
    for name, value in (
        ("camera.previous", state["camera.previous"][:9]),
        ("camera.mask", state["camera.mask"].astype(np.int64)),
        ("camera.mask", None),
        ("camera.size", np.array([-160, 320])),
        ("camera.size", np.array([160])),
    ):
        with pytest.raises(ValueError, match="state: camera: expected a grey image and its mask"):
            SortTracker(settings).load_state(damage(state, name, value))


def test_what_is_no_state() -> None:
    for wrong in (None, "street.npz", [1]):
        with pytest.raises(ValueError, match=r"expected what state\(\) gives or read_state reads, got a"):
            SortTracker().load_state(wrong)  # type: ignore[arg-type]


def test_a_file_that_is_none(tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04", b"\x93NUMPY", b"text"):
        (tmp_path / "s.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r"s\.npz: expected the state of a tracker"):
            read_state(tmp_path / "s.npz")


def test_a_state_is_a_copy() -> None:
    tracker = SortTracker(config("sort"))
    tracker.step(scene(False)[0])
    state = tracker.state()
    kept: Float = state["filter"].copy()
    tracker.step(scene(False)[1])
    assert np.array_equal(state["filter"], kept)
