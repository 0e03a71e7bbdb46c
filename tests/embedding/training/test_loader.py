"""Batches: which samples a step has, alone and shared by processes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flatsort.embedding.training.distributed import Group
from flatsort.embedding.training.loader import MAX_HELD_OUT, BatchLoader, split
from tests.embedding.training.small_runs import WINDOWS, config, sequences, vectors

ALONE = Group(torch.device("cpu"))


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
