"""Schedules, order, states, configs."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flatsort.embedding.devices import find_device
from flatsort.embedding.training import training_state
from flatsort.embedding.training.config import TrainConfig
from flatsort.embedding.training.distributed import Group, join
from flatsort.embedding.training.loader import MAX_HELD_OUT, BatchLoader, split
from flatsort.embedding.training.trainer import ema_decay, learning_rate
from flatsort.tracker.config import CONFIGS, load
from tests.embedding.training.small_runs import WINDOWS, config, sequences, vectors

ALONE = Group(torch.device("cpu"))


def test_rate() -> None:
    plan = TrainConfig(steps=100, warmup=10, lr=2.0)
    rates = [learning_rate(step, plan) for step in range(100)]
    assert rates[:10] == pytest.approx([0.2 * (i + 1) for i in range(10)])
    assert max(rates) == 2.0
    assert rates[55] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.0, abs=1e-2)
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))
    assert learning_rate(70, replace(plan, decay="constant")) == 2.0
    slow = replace(plan, decay="sqrt")
    assert learning_rate(39, slow) == pytest.approx(learning_rate(9, slow) / 2)
    assert learning_rate(39, replace(slow, steps=1000)) == learning_rate(39, slow)
    assert learning_rate(0, replace(plan, warmup=0)) == 2.0


def test_average_begins_young() -> None:
    assert ema_decay(0, 0.999) == 0.1
    assert ema_decay(10**6, 0.999) == 0.999
    assert ema_decay(5, 0.0) == 0.0


@given(st.integers(2, 3000), st.floats(0.001, 0.999), st.integers(0, 3))
def test_split_is_a_partition(n: int, share: float, seed: int) -> None:
    rows, held_out = split(n, share, seed)
    assert np.array_equal(np.sort(np.concatenate([rows, held_out])), np.arange(n))
    assert 1 <= len(held_out) <= n - 1
    assert abs(len(held_out) - share * n) <= 1


def test_split_holds_out_a_limited_number() -> None:
    assert len(split(10**6, 0.5, 0)[1]) == MAX_HELD_OUT


@given(st.integers(1, 30), st.integers(2, 50))
def test_every_epoch_shows_every_sample_once(batch: int, n: int) -> None:
    rows = np.arange(n) + 3
    loader = BatchLoader(vectors(n + 3), rows, config("ae", f"batch={batch}"), ALONE)
    epochs = 3
    shown = np.concatenate([loader.rows(step) for step in range(-(-epochs * n // batch))])[: epochs * n].reshape(
        epochs, n
    )
    assert (np.sort(shown, axis=1) == rows).all()
    if n > 10:
        assert not np.array_equal(shown[0], shown[1])


def test_processes_share_a_batch() -> None:
    data = vectors()
    settings = config("ae", "views=tracklets")
    whole = list(BatchLoader(data, np.arange(50), settings, ALONE).batches(2, 5))
    for rank in range(2):
        part = BatchLoader(data, np.arange(50), settings, Group(torch.device("cpu"), rank, 2)).batches(2, 5)
        for every, mine in zip(whole, part, strict=True):
            assert torch.equal(every.targets[rank::2], mine.targets)
            assert torch.equal(every.inputs[rank::2], mine.inputs)


def test_views_are_of_the_same_tracklet_and_never_held_out() -> None:
    data = vectors()
    rows = np.delete(np.arange(50), 7)  # the only other view of sample 6
    places = {data.tensor(np.array([row]))[0].numpy().tobytes(): row for row in range(50)}
    swapped = 0
    for batch in BatchLoader(data, rows, config("ae", "views=tracklets", "batch=49"), ALONE).batches(0, 1):
        for target, view in zip(batch.targets, batch.inputs, strict=True):
            a, b = places[target.numpy().tobytes()], places[view.numpy().tobytes()]
            assert a // 2 == b // 2
            assert b != 7
            assert (a == b) == (a == 6)
            swapped += a != b
    assert swapped == 48


def test_windows_stay_together_and_processes_share_them() -> None:
    data = sequences()
    settings = config("vaer", *WINDOWS, data=data)
    whole = list(BatchLoader(data, np.arange(50), settings, ALONE).batches(3, 6))
    assert [batch.groups.tolist() for batch in whole if batch.groups is not None] == [[0] * 4 + [1] * 4] * 3
    angles = {data.tensor(np.array([row]))[0].numpy().tobytes(): data.factors["angle"][row] for row in range(50)}
    for batch in whole:
        drawn_angles = np.array([angles[sample.numpy().tobytes()] for sample in batch.targets]).reshape(2, 4)
        np.testing.assert_allclose(np.diff(drawn_angles, axis=1), 0.4)
    for rank in range(2):
        part = BatchLoader(data, np.arange(50), settings, Group(torch.device("cpu"), rank, 2)).batches(3, 6)
        for every, mine in zip(whole, part, strict=True):
            own = slice(4 * rank, 4 * rank + 4)
            assert torch.equal(every.targets[own], mine.targets)
            assert every.positions is not None
            assert mine.positions is not None
            assert torch.equal(every.positions[own], mine.positions)
    with pytest.raises(ValueError, match="position: expected time or angle, got 'phase'"):
        BatchLoader(data, np.arange(50), replace(settings, position=["phase"]), ALONE)
    with pytest.raises(ValueError, match="expected samples with a sequence and a frame"):
        BatchLoader(vectors(), np.arange(50), settings, ALONE)


def test_views_need_tracklets() -> None:
    data = replace(vectors(), columns={})
    with pytest.raises(ValueError, match="views: expected data with tracklets"):
        BatchLoader(data, np.arange(50), config("ae", "views=tracklets"), ALONE)


def test_differences_are_named() -> None:
    old = {"a": 1, "b": {"c": 2, "d": [1]}, "e": None}
    assert training_state.differences(old, old) == []
    new = {"a": 1, "b": {"c": 3, "d": [2]}, "f": 1}
    assert training_state.differences(old, new) == [
        "b.c was 2 and is 3",
        "b.d was [1] and is [2]",
        "f was None and is 1",
    ]


@pytest.mark.parametrize("recipe", sorted(path.stem for path in (CONFIGS / "train").glob("*.yaml")))
def test_recipes(recipe: str) -> None:
    loaded = load(TrainConfig, CONFIGS / "train" / f"{recipe}.yaml")
    assert loaded.model.name in recipe or recipe not in ("ae", "vae", "beta_vae", "vhp_vae", "flat_vhp_vae")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("steps=0", "steps: expected 1 or more, got 0"),
        ("batch=0", "batch: expected 1 or more"),
        ("holdout=0", "holdout: expected between 0 and 1"),
        ("ema=1", "ema: expected 0 or more and less than 1"),
        ("decay=linear", "decay: expected constant, cosine or sqrt, got 'linear'"),
        ("views=both", "views: expected none, tracklets or windows"),
        ("views=windows window=3", "batch: expected a multiple of window 3, got 8"),
        ("window=1", "window: expected 2 or more"),
        ("stride=0", "stride: expected 1 or more"),
        ("position=[]", "position: expected time or names of factors"),
        ("precision=fp16", "precision: expected auto, fp32 or bf16"),
        ("clip=-1", "clip: expected 0 or more"),
        ("lr=.nan", "lr: expected more than 0"),
        ("lr=.inf", "lr: expected more than 0"),
        ("augment.mirror=2", "augment.mirror"),
        ("model.eta=1", "unknown key 'model.eta'"),
    ],
)
def test_settings_are_checked(change: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        config("ae", *change.split())


def test_devices() -> None:
    assert find_device("cpu").type == "cpu"
    assert find_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for word in ("gpu", "meta"):
        with pytest.raises(ValueError, match=f"device: expected auto, cpu, cuda or cuda:NUMBER, got '{word}'"):
            find_device(word)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no CUDA device"):
            find_device("cuda")


def test_a_gpu_beyond_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for word, index in (("cuda:2", None), ("cuda", 2), ("auto", 2)):
        with pytest.raises(ValueError, match=r"device: expected cuda:0 to cuda:1 .*, got cuda:2"):
            find_device(word, index)


def test_one_process_is_a_group() -> None:
    with join("cpu") as group, group.first():
        assert group.main
        assert group.mean(torch.tensor(3.0)) == 3
