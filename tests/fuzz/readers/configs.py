"""Configs of trackers, benchmarks and trainings, and ``KEY=VALUE`` of the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flatsort.embedding.training.config import TrainConfig
from flatsort.tools.cli import split_arguments
from flatsort.tools.experiments.systems import BenchmarkConfig, resolve_systems
from flatsort.tools.experiments.tuning_record import tuned_on
from flatsort.tracker.config import load
from flatsort.tracker.sort import SortTracker
from flatsort.tracker.track_config import load_track_config
from tests.fuzz.readers import Prepare, Target

TRACKER = (
    b"""# a tracker
base: bytetrack
motion: {name: xysr}
lifecycle:
  max_age: 2s
  min_hits: 3
stages:
  high: {cost: iou, threshold: 0.8, tracks: confirmed}
  tentative: null
detector:
  name: mot
  min_score: 0.1
offline: true
smooth: {max_gap: 20}
""",
    b'{"base": "sort", "lifecycle": {"max_age": 30}, "stages": {"iou": {"cost": "iou", "threshold": 0.7}}}',
    b"tuned_on: [MOT16-02, MOT16-04]\nlifecycle:\n  max_age: &age 30\n  min_hits: 2\n",
)
BENCHMARK = (
    b"""data: [a/b, c]
detections: det.txt
min_score: 0.3
systems:
  sort: {note: one}
  bytetrack:
    tracker: bytetrack
    set: ["lifecycle.max_age=20"]
    learned: ""
seeds: [0, 1]
""",
    b'{"systems": {"a": {"tracker": "sort", "note": "x"}, "b": {"tracker": "bytetrack"}}, "rounds": 10}',
)
TRAIN = (
    b"""base: ae
model:
  name: vae
  shape: [3, 32, 16]
  dim: 8
  net: {width: 8, stem: 2, halvings: 1, hidden: [8]}
steps: 100
batch: 16
seed: 3
""",
    b'{"base": "flat_vhp_vae", "steps": 10, "model": {"dim": 4}, "views": "none"}',
)
KEY_VALUES = (
    *(b"lifecycle.max_age=2s", b"stages.iou.threshold=0.5", b"detector.name=mot", b"detector.classes=[person,car]"),
    *(b"motion.name=xysr", b"stages.iou={cost: iou}", b"smooth={max_gap: 3}", b"tuned_on=[a]", b"embedder=pixels"),
    *(b"detector.tiles=[2,2]", b"offline=true", b"per_class=yes", b"camera.method=sparse_flow"),
)


def _file(name: str, seeds: tuple[bytes, ...], use: Callable[[Path], object]) -> Prepare:
    def prepare(folder: Path) -> Target:
        path = folder / name
        return Target(path, seeds, "tree", lambda: use(path))

    return prepare


def _track(path: Path) -> None:
    SortTracker(load_track_config(path))


def _benchmark(path: Path) -> None:
    config = load(BenchmarkConfig, path)
    try:
        resolve_systems(config)
    except ValueError as error:
        # a config may be of several files and options: the system is named
        raise ValueError(str(error).replace("system", f"system of {path.name}")) from error


def _key_value(folder: Path) -> Target:
    path = folder / "argument"

    def read() -> None:
        text = path.read_bytes().decode("utf-8", "surrogateescape")  # as Python gives sys.argv
        sources, overrides = split_arguments((text,))
        load_track_config("sort", [*overrides, *sources])

    return Target(path, KEY_VALUES, "text", read, named="")


READERS: dict[str, Prepare] = {
    "tracker-yaml": _file("t.yaml", TRACKER, _track),
    "benchmark-yaml": _file("b.yaml", BENCHMARK, _benchmark),
    "train-yaml": _file("r.yaml", TRAIN, lambda path: load(TrainConfig, path)),
    "tuned-yaml": _file("tuned.yaml", (TRACKER[2],), lambda path: tuned_on(str(path))),
    "key-value": _key_value,
}
