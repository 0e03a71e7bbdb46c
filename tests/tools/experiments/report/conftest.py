"""A benchmark of two trackers on two rendered streets, one with images and one without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from flatsort.scene import Scene, SceneConfig, write_sequence
from flatsort.tools.experiments.published import PublishedRow
from flatsort.tools.experiments.report import write
from flatsort.tools.experiments.results import Benchmark, BenchmarkSequence, SystemResult, SystemRun
from flatsort.tools.experiments.sequences import read_sequences
from flatsort.tracker.config import find, load
from flatsort.tracker.crops import crop
from flatsort.tracker.io.mot import MotTable, read_table
from flatsort.tracker.io.results import MotSink
from flatsort.tracker.metrics import evaluate_tables, pool
from flatsort.tracker.pipeline import track
from flatsort.tracker.sort import SortTracker
from flatsort.tracker.track_config import TrackConfig
from flatsort.tracker.types import Float32, Frame

EVIL = '</script><b>street & "co'
SYSTEMS = ("sort", "sort_long")


@pytest.fixture(scope="session")
def street() -> Scene:
    return Scene(SceneConfig(frames=60, people=10, width=256, height=144, miss=0.12, seed=3))


@pytest.fixture(scope="session")
def benchmark(street: Scene, tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    folder = tmp_path_factory.mktemp("streets")
    write_sequence(street, folder / "film")
    write_sequence(Scene(replace(street.config, seed=4)), folder / "imageless")
    (folder / "film" / "img1").mkdir()
    for frame in street:
        assert frame.image is not None
        bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        assert cv2.imwrite(str(folder / "film" / "img1" / f"{frame.index:06d}.jpg"), bgr)
    inputs = read_sequences([str(folder)], "det.txt")
    sequences = {"film": inputs["film"], EVIL: replace(inputs["imageless"], name=EVIL)}
    return Benchmark(
        systems={name: run(name, sequences, folder) for name in SYSTEMS},
        sequences=sequences,
        latents={("sort", "film"): colour_latents(street, sequences["film"])},
        detections="det.txt <i>",
        notes=[f"a note on {EVIL}"],
        published=[PublishedRow("SORT of others", {"idf1": 57.0, "ids": 1486}, "train", "their own", "a paper")],
    )


@pytest.fixture(scope="session")
def page(benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write(benchmark, path)
    return path


def run(name: str, sequences: dict[str, BenchmarkSequence], folder: Path) -> SystemResult:
    config = load(TrackConfig, find("track", name))
    tables: dict[str, MotTable] = {}
    for number, (title, sequence) in enumerate(sequences.items()):
        frames = (Frame(index, None, (index - 1) / sequence.fps) for index in range(1, len(sequence.detections) + 1))
        with MotSink(folder / f"{name}-{number}.txt") as sink:
            for result in track(zip(frames, sequence.detections, strict=True), SortTracker(config)):
                sink.write(result)
        tables[title] = read_table(sink.path)
    evaluation = pool(evaluate_tables(title, sequences[title].ground_truth, table) for title, table in tables.items())
    runs = [SystemRun(name, None, title, table, 150.0, 0.0) for title, table in tables.items()]
    return SystemResult(name, f"tracker {name}", "", {0: evaluation}, runs)


def colour_latents(street: Scene, sequence: BenchmarkSequence) -> list[Float32]:
    """Mean colours as latents; a frame whose image cannot be read has none."""
    latents = [
        crop(street.image(index), each.boxes, (2, 4)).reshape(len(each), 24).astype(np.float32)
        for index, each in enumerate(sequence.detections, 1)
    ]
    latents[0] = latents[0][:0]
    return latents
