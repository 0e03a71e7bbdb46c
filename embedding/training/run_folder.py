"""Folder of a training run: its files, and whether a run may be started or resumed in it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.training import training_state
from flatsort.embedding.training.callbacks import METRICS
from flatsort.embedding.training.config import TrainConfig
from flatsort.tracker.config import dump
from flatsort.tracker.files import write_text

CHECKPOINT, CONFIG = "model.safetensors", "config.yaml"


def check_free(out: Path, *, resume: bool, overwrite: bool) -> bool:
    """Whether a folder holds a run.

    Raises
    ------
    ValueError
        If it does and the run is neither to be resumed nor overwritten.
    """
    held = any((out / name).exists() for name in (CONFIG, CHECKPOINT)) or bool(training_state.files(out))
    if held and not (resume or overwrite):
        raise ValueError(f"{out}: already holds a run; --resume goes on with it, --overwrite deletes it")
    return held


def prepare(out: Path, config: TrainConfig, *, resume: bool, overwrite: bool) -> None:
    """Make the folder ready and write the resolved config; raises as `check_free` does."""
    if check_free(out, resume=resume, overwrite=overwrite) and overwrite:
        for name in (training_state.FOLDER, "tensorboard"):
            shutil.rmtree(out / name, ignore_errors=True)
        for name in (CHECKPOINT, METRICS):
            (out / name).unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    training_state.clean(out)
    with training_state.writing(out / CONFIG):
        write_text(out / CONFIG, dump(config))


def fingerprint(data: SampleSet) -> dict[str, Any]:
    """Fingerprint of a sample set: size, shape and a hash of some samples."""
    some = np.unique(np.linspace(0, len(data) - 1, 64).astype(int))
    digest = hashlib.blake2b(np.ascontiguousarray(data.samples[some]).tobytes(), digest_size=8)
    return {"samples": len(data), "shape": data.shape, "hash": digest.hexdigest()}


def check_same(old: Mapping[str, Any], new: Mapping[str, Any], done: int, out: Path) -> None:
    """Refuse to go on with another config or other data; ``steps`` may change to any number not yet passed.

    Raises
    ------
    ValueError
        At the first difference.
    """
    steps = new["config"]["steps"]
    if steps < done:
        raise ValueError(f"{out}: steps is {steps}, but {done} are done")
    for part in ("config", "data"):
        a, b = dict(old[part]), dict(new[part])
        changed = training_state.differences(a | {"steps": 0}, b | {"steps": 0})
        if changed:
            what = "its config" if part == "config" else "its data"
            raise ValueError(f"{out}: a run is resumed with {what} only, but {changed[0]}")
