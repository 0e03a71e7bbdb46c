"""What runs write for later runs: metrics, studies, tables, manifests, archives that are downloaded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from flatsort.embedding.training.callbacks import read_metrics
from flatsort.tools.experiments.archives import unpack
from flatsort.tools.experiments.search_space import Choice, Range, Space
from flatsort.tools.experiments.study import Study
from flatsort.tools.experiments.tuning_record import BENCHMARK_TABLE, check_not_reported
from flatsort.tools.latent.compress import MANIFEST, _checksums
from tests.fuzz.mutations import Form
from tests.fuzz.readers import Prepare, Target
from tests.fuzz.readers.boxes import GROUND_TRUTH, _archive

SPACE: Space = {"lifecycle.max_age": Range(1, 60, whole=True), "stages.iou.cost": Choice(("iou", "score_iou"))}
IDENTITY = {"tracker": "sort", "sequences": ["a"]}
METRICS = (b'{"step": 1, "loss": 2.5}\n{"step": 2, "loss": 2.25, "lr": 0.001}\n{"step": 2, "heldout/score": 1e-3}\n',)
TABLE = (
    b'{"systems": {"sort": {"learned": "", "sequences": {"s1": {"hota": 0.5, "idsw": 3}, "s2": {"hota": 0.25}}, '
    b'"seeds": {"0": {"OVERALL": {"hota": 0.4}}}}}, "notes": ["n"]}',
)
STREAMS = (b'{"model": "digest", "streams": [123456, 99, 4294967295]}',)
ARCHIVES = (
    _archive({f"MOT/train/{name}/gt/gt.txt": GROUND_TRUTH[1] for name in ("a", "b")}),
    _archive({"train/a/gt/gt.txt": b"1", "train/b/gt/gt.txt": b"2", "test/c/det/det.txt": b"3", "train/": b""}),
)


def _file(
    name: str, seeds: tuple[bytes, ...], form: Form, use: Callable[[Path], object], *, of_folder: bool = False
) -> Prepare:
    """A reader of one file; a refusal may name its folder only."""

    def prepare(folder: Path) -> Target:
        path = folder / name
        return Target(path, seeds, form, lambda: use(path), named=folder.name if of_folder else None)

    return prepare


def _study(folder: Path) -> Target:
    def open_study() -> Study:
        return Study(folder / "study.journal", SPACE, IDENTITY)

    def trials(study: Study, count: int) -> Iterator[object]:
        return study.run(lambda values: float(len(values)), count, {"lifecycle.max_age": 30, "stages.iou.cost": "iou"})

    def read() -> None:
        study = open_study()
        json.dumps([[*map(str, trial.values.values()), trial.score] for trial in study.trials], allow_nan=False)
        _ = study.best
        for _ in trials(study, len(study.trials) + 1):
            pass

    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for _ in trials(open_study(), 3):
        pass
    path = folder / "study.journal"
    return Target(path, (path.read_bytes(),), "text", read)


def _unpacked(folder: Path) -> Target:
    archive, out = folder / "a.zip", folder / "out"

    def read() -> None:
        try:
            unpack(archive, out / "mot", 2)
        finally:
            left = sorted(path for path in out.iterdir() if path.name != "mot")
            for path in sorted(out.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
        assert not left
        assert sorted(path.name for path in folder.iterdir()) == ["a.zip", "out"]

    out.mkdir()
    return Target(archive, ARCHIVES, "zip", read)


READERS: dict[str, Prepare] = {
    "metrics": _file("metrics.jsonl", METRICS, "text", read_metrics),
    "table-json": _file(BENCHMARK_TABLE, TABLE, "tree", lambda path: check_not_reported(["x"], [], path.parent)),
    "streams-json": _file(MANIFEST, STREAMS, "tree", lambda path: _checksums(path.parent, "digest"), of_folder=True),
    "study": _study,
    "archive": _unpacked,
}
