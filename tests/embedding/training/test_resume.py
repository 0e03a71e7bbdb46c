"""A run that was interrupted ends as one that was not."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from flatsort.embedding.model import MODELS
from flatsort.embedding.training import training_state
from flatsort.embedding.training.callbacks import Callback, read_metrics
from flatsort.embedding.training.loop import train
from tests.embedding.training.small_runs import WINDOWS, config, images, same, sequences, vectors, weights

pytestmark = pytest.mark.slow


class Interrupt(Callback):
    """Ends the run at a step, as an error from outside would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_log(self, step: int, metrics: Mapping[str, float]) -> None:  # noqa: ARG002
        if step >= self.step:
            raise KeyboardInterrupt


def interrupted(settings: object, data: object, out: Path, *steps: int) -> None:
    """A run that is interrupted at these steps and resumed each time."""
    for step in steps:
        with pytest.raises(KeyboardInterrupt):
            train(settings, data, out, resume=True, callbacks=[Interrupt(step)])  # type: ignore[arg-type]
    train(settings, data, out, resume=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("model", MODELS.names())
def test_interrupted_equals_unbroken(model: str, tmp_path: Path) -> None:
    data = vectors()
    settings = config(model, "views=tracklets", "augment.noise=0.1", data=data)
    train(settings, data, tmp_path / "unbroken")
    interrupted(settings, data, tmp_path / "broken", 4, 6, 12, 16, 20)
    assert same(weights(tmp_path / "unbroken"), weights(tmp_path / "broken"))
    a, b = (read_metrics(tmp_path / name / "metrics.jsonl") for name in ("unbroken", "broken"))
    assert [{**line, "seconds": 0} for line in a] == [{**line, "seconds": 0} for line in b]


def test_interrupted_equals_unbroken_for_windows(tmp_path: Path) -> None:
    data = sequences()
    settings = config("vaer", *WINDOWS, data=data)
    train(settings, data, tmp_path / "unbroken")
    interrupted(settings, data, tmp_path / "broken", 4, 12, 20)
    assert same(weights(tmp_path / "unbroken"), weights(tmp_path / "broken"))


@pytest.mark.parametrize("model", ["vae", "lbae", "pca_ae", "disk_ae"])
def test_interrupted_equals_unbroken_for_images(model: str, tmp_path: Path) -> None:
    data = images()
    settings = config(model, "augment={mirror: 0.5, shift: 0.1, gain: 0.3, occlusion: 0.5}", data=data)
    train(settings, data, tmp_path / "unbroken")
    interrupted(settings, data, tmp_path / "broken", 8, 20)
    assert same(weights(tmp_path / "unbroken"), weights(tmp_path / "broken"))


def test_early_stopping_is_the_same_after_an_interruption(tmp_path: Path) -> None:
    data = vectors()
    settings = config("vae", "patience=2", "eval_every=1", "lr=1", "steps=40", "ema=0", data=data)
    path = train(settings, data, tmp_path / "unbroken")
    done = training_state.newest(tmp_path / "unbroken")
    assert done is not None
    assert done[0].step < 40
    assert done[0].waited == 2
    interrupted(settings, data, tmp_path / "broken", 2)
    assert same(weights(tmp_path / "unbroken"), weights(tmp_path / "broken"))
    before = path.read_bytes()
    assert train(settings, data, tmp_path / "unbroken", resume=True).read_bytes() == before


KILLED = """
import sys
from pathlib import Path
from flatsort.embedding.training.loop import train
from tests.embedding.training.small_runs import config, vectors
train(config("flat_vhp_vae", "steps=60", "save_every=3"), vectors(), Path(sys.argv[1]), resume=True)
"""


def test_killed_at_a_random_moment_equals_unbroken(tmp_path: Path) -> None:
    settings = config("flat_vhp_vae", "steps=60", "save_every=3")
    out = tmp_path / "killed"
    with subprocess.Popen([sys.executable, "-c", KILLED, out], env={**os.environ, "PYTHONPATH": "."}) as process:
        train(settings, vectors(), tmp_path / "unbroken")
        while process.poll() is None and not training_state.files(out):
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.5))  # any moment is to do
        assert process.poll() in (None, 0), "the process ended by itself with an error"
        process.send_signal(signal.SIGKILL)
    train(settings, vectors(), out, resume=True)
    assert same(weights(tmp_path / "unbroken"), weights(out))
    assert not list(out.rglob(".*")), "what the killed process was writing is cleared away"


def test_longer_run(tmp_path: Path) -> None:
    """With a rate that does not know the end, a run that is made longer is the longer run."""
    data = vectors()
    train(config("vae", "decay=sqrt", "steps=10"), data, tmp_path / "a")
    train(config("vae", "decay=sqrt", "steps=20"), data, tmp_path / "a", resume=True)
    train(config("vae", "decay=sqrt", "steps=20"), data, tmp_path / "b")
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))


@pytest.mark.parametrize(
    ("change", "key"),
    [("lr=0.5", "lr was 0.01 and is 0.5"), ("model.dim=3", "model.dim was 2 and is 3"), ("steps=2", "steps is 2")],
)
def test_another_config_is_refused(change: str, key: str, tmp_path: Path) -> None:
    data = vectors()
    train(config("ae"), data, tmp_path)
    before = (tmp_path / "config.yaml").read_text()
    with pytest.raises(ValueError, match=key):
        train(config("ae", change), data, tmp_path, resume=True)
    assert (tmp_path / "config.yaml").read_text() == before


def test_other_data_is_refused(tmp_path: Path) -> None:
    data = vectors()
    train(config("ae"), data, tmp_path)
    with pytest.raises(ValueError, match="its data only, but hash was"):
        train(config("ae"), type(data)(data.samples + 1), tmp_path, resume=True)


def test_a_damaged_state_falls_back_to_the_one_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = vectors()
    train(config("vae"), data, tmp_path)
    expected = weights(tmp_path)
    *_, older, newest = training_state.files(tmp_path)
    newest.write_bytes(newest.read_bytes()[:1000])
    train(config("vae"), data, tmp_path, resume=True)
    assert "is damaged" in caplog.text
    assert older.name in {path.name for path in training_state.files(tmp_path)}
    assert same(expected, weights(tmp_path))


def test_two_states_stay(tmp_path: Path) -> None:
    train(config("ae"), vectors(), tmp_path)
    assert [path.name for path in training_state.files(tmp_path)] == [
        "step-000000020.safetensors",
        "step-000000024.safetensors",
    ]
    header = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert header["step"] == 24


def test_differences_of_configs_are_named() -> None:
    old = {"a": 1, "b": {"c": 2, "d": [1]}, "e": None}
    assert training_state.differences(old, old) == []
    new = {"a": 1, "b": {"c": 3, "d": [2]}, "f": 1}
    assert training_state.differences(old, new) == [
        "b.c was 2 and is 3",
        "b.d was [1] and is [2]",
        "f was None and is 1",
    ]
