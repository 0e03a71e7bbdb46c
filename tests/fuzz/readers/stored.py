"""Arrays and models: sample sets, data, cached results, checkpoints, states of trainings and of trackers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch

from flatsort.embedding import checkpoint
from flatsort.embedding.compression import SymbolCoder
from flatsort.embedding.data import sample_set
from flatsort.embedding.data.sources import INDEX, gather
from flatsort.embedding.loading import load
from flatsort.embedding.priors.pixel_cnn import Level
from flatsort.embedding.training import run_folder, training_state
from flatsort.embedding.training.distributed import Group
from flatsort.embedding.training.trainer import Trainer
from flatsort.tools.experiments.result_cache import Cache
from flatsort.tools.runs.latent_file import EmbedBatch, write_latents
from flatsort.tracker.config import to_mapping
from flatsort.tracker.sort import SortTracker
from flatsort.tracker.state import read_state, save_state
from flatsort.tracker.track_config import load_track_config
from flatsort.tracker.types import Detections
from tests.embedding import tiny_models
from tests.embedding.training import small_runs
from tests.fuzz.readers import Prepare, Target


def _npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _samples() -> sample_set.SampleSet:
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 3, 3)).astype(np.uint8)
    columns = {"sequence": np.array([0, 0, 1, 1, -1, -1]), "frame": np.arange(6)}
    return sample_set.SampleSet(images, columns, ("a", "b"), "drawn", {"angle": np.linspace(0, 1, 6)})


def _of_set(name: str, form: Any) -> Prepare:
    """One file of a set, while the others are sound."""

    def prepare(folder: Path) -> Target:
        sample_set.save(_samples(), folder / "set")
        path = folder / "set" / name

        def read() -> None:
            data = sample_set.open_set(folder / "set")
            assert len(data.take(np.arange(len(data))).tensor(slice(None))) == len(data)

        return Target(path, (path.read_bytes(),), form, read, named="set")

    return prepare


def _index(folder: Path) -> Target:
    vectors = folder / "v.npz"
    vectors.write_bytes(_npz(poses=np.eye(3)))
    gather([vectors], [3], folder / "data")
    path = folder / "data" / INDEX
    return Target(path, (path.read_bytes(),), "tree", lambda: gather([vectors], [3], folder / "data"))


def _data(folder: Path) -> Target:
    path = folder / "v.npz"
    seeds = (_npz(poses=np.eye(3)), _npz(a=np.ones((2, 3), np.int32)), _npz(poses=np.eye(3), other=np.array("x")))
    return Target(path, seeds, "zip", lambda: gather([path], [3], folder / "data"), named="v")


def _cached(folder: Path) -> Target:
    cache, arrays = Cache(folder), {"latents": np.eye(3, dtype=np.float32), "counts": np.array([1, 2])}
    cache.store("latents", "k", arrays)
    path = folder / "latents" / "k.npz"

    def read() -> None:
        loaded = cache.load("latents", "k")
        assert loaded is None or all(np.array_equal(loaded[name], arrays[name]) for name in arrays)

    return Target(path, (path.read_bytes(),), "zip", read)


def _checkpoint(folder: Path) -> Target:
    path = folder / "m.safetensors"
    seeds = []
    for name in ("ae", "vae"):
        card = checkpoint.Card("drawn", {"seed": 0}, tiny_models.calibration(3.0) if name == "ae" else None)
        checkpoint.save(path, tiny_models.model(name), card)
        seeds.append(path.read_bytes())

    def read() -> None:
        images, boxes = tiny_models.images_and_boxes()
        write_latents(folder / "latents.npz", load(path, "cpu"), [EmbedBatch(images, boxes, {})], path.name)
        with np.load(folder / "latents.npz") as latents:
            assert np.isfinite(latents["latents"]).all()

    return Target(path, seeds, "safetensors", read)


def _training_state(folder: Path) -> Target:
    data = small_runs.vectors()
    config = small_runs.config("ae", "model.net.hidden=[4]", data=data)
    identity = {"config": to_mapping(config), "data": run_folder.fingerprint(data)}
    trainer = Trainer(config, Group(torch.device("cpu")))
    trainer.init_from_data(data.tensor(slice(None)))
    for step in range(2):
        trainer.step(step, _batch(data))
    progress = training_state.Progress(2, 1.5, 0.25, 1)
    path = training_state.write(folder, progress, trainer.tensors(), identity)

    def read() -> None:
        state = training_state.newest(folder)
        if state is not None:
            run_folder.check_same(state[2], identity, state[0].step, folder)
            trainer.restore(state[1])

    return Target(path, (path.read_bytes(),), "safetensors", read, named="")


def _batch(data: sample_set.SampleSet) -> Any:
    from flatsort.embedding.model import Batch

    samples = data.tensor(slice(0, 8))
    return Batch(samples, samples)


def _tracker_state(folder: Path) -> Target:
    config = load_track_config("sort")
    tracker = SortTracker(config)
    for frame in range(4):
        tracker.step(Detections.of([[10 + frame, 20, 40, 80], [100, 20, 130, 80]], [0.9, 0.8]))
    path = folder / "state.npz"
    save_state(path, tracker.state())

    def read() -> None:
        other = SortTracker(config)
        other.load_state(read_state(path))
        assert np.isfinite(other.step(Detections.empty()).boxes).all()

    return Target(path, (path.read_bytes(), _npz(**tracker.state())), "zip", read, named="")


def _stream(folder: Path) -> Target:
    coder = SymbolCoder([Level(8, 2, 2), Level(8, 4, 4)])
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randint(0, 8, (side, side), generator=generator) for side in (2, 4)]
    path = folder / "s.bin"
    return Target(path, (coder.encode(maps).data,), "bytes", lambda: coder.decode(path.read_bytes()), named="")


READERS: dict[str, Prepare] = {
    "set-json": _of_set(sample_set.NAMES, "tree"),
    "set-rows": _of_set(sample_set.ROWS, "zip"),
    "set-samples": _of_set(sample_set.SAMPLES, "npy"),
    "sources-json": _index,
    "data-npz": _data,
    "cache": _cached,
    "checkpoint": _checkpoint,
    "training-state": _training_state,
    "tracker-state": _tracker_state,
    "stream": _stream,
}
