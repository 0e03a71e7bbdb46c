"""Batches of every training step, read one step ahead."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.data.sequences import SequenceWindows, TrackletViews
from flatsort.embedding.model import Batch
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.embedding.training.config import TrainConfig
from flatsort.embedding.training.distributed import Group
from flatsort.tracker.types import Int

MAX_HELD_OUT = 4096
"""Samples that are held out, at most."""


def split(n: int, share: float, seed: int) -> tuple[Int, Int]:
    """Rows to train on and rows held out, each sorted.

    Raises
    ------
    ValueError
        If there are not two samples at least.
    """
    if n < 2:
        raise ValueError(f"data: expected at least 2 samples (one is held out), got {n}")
    held = min(max(round(share * n), 1), n - 1, MAX_HELD_OUT)
    order = RandomGenerator(seed, "held out").permutation(n).numpy()
    return np.sort(order[held:]), np.sort(order[:held])


class BatchLoader:
    """Targets and the inputs that they are reconstructed from, by step.

    The rows of a step follow from seed and step alone: permutations of the training rows, or of their windows, one
    after the other, cut into batches. Of every batch this process has each ``world``-th row or window.

    Parameters
    ----------
    data : SampleSet
    rows : int64 [n]
        Those to train on.
    config : TrainConfig
    group : Group
    """

    def __init__(self, data: SampleSet, rows: Int, config: TrainConfig, group: Group) -> None:
        self._data, self._rows, self._config, self._group = data, rows, config, group
        self._order = lru_cache(maxsize=2)(self._permutation)
        self._views: TrackletViews | None = None
        self._windows: SequenceWindows | None = None
        if config.views == "windows":
            self._windows = SequenceWindows(data, rows, config.window, config.stride, config.position)
        self._units = len(rows if self._windows is None else self._windows)
        if config.views == "tracklets":
            track = np.full(len(data), -1, np.int64)
            track[rows] = data.columns["track"][rows]
            if (track < 0).all():
                raise ValueError("views: expected data with tracklets (flatsort crop --views tracklets), got none")
            self._views = TrackletViews(replace(data, columns={**data.columns, "track": track}))

    def batches(self, start: int, stop: int) -> Iterator[Batch]:
        """Batches of the steps, on the group's device; inputs and targets are one tensor where there are no views."""
        with ThreadPoolExecutor(1) as reader:
            ahead = reader.submit(self._read, start)
            for step in range(start, stop):
                batch = ahead.result()
                if step + 1 < stop:
                    ahead = reader.submit(self._read, step + 1)
                yield self._to_device(batch)

    def rows(self, step: int) -> Int:
        """Rows of the data in a step, of all processes."""
        n, batch = self._units, self._config.batch // self._config.block
        places = np.arange(step * batch, (step + 1) * batch)
        epochs = places // n
        parts = [self._order(int(epoch))[places[epochs == epoch] % n] for epoch in np.unique(epochs)]
        chosen: Int = np.concatenate(parts)
        return self._rows[chosen] if self._windows is None else self._windows.rows(chosen)

    def _permutation(self, epoch: int) -> Int:
        order: Int = RandomGenerator(self._config.seed, f"epoch {epoch}").permutation(self._units).numpy()
        return order

    def _read(self, step: int) -> Batch:
        rank, world = self._group.rank, self._group.world
        rows = self.rows(step).reshape(-1, self._config.block)[rank::world].ravel()
        targets = self._pinned(self._data.tensor(rows))
        if self._windows is not None:
            positions = torch.from_numpy(self._windows.positions(rows))
            return Batch(targets, targets, positions, torch.arange(len(rows)) // self._config.window)
        if self._views is None:
            return Batch(targets, targets)
        partners = self._views.partner(
            rows, RandomGenerator(self._config.seed, f"views {step}", rank=rank, world=world)
        )
        return Batch(self._pinned(self._data.tensor(partners)), targets)

    def _to_device(self, batch: Batch) -> Batch:
        """The batch on the group's device."""
        device = self._group.device
        targets = batch.targets.to(device, non_blocking=True)
        inputs = targets if batch.inputs is batch.targets else batch.inputs.to(device, non_blocking=True)
        place = [None if part is None else part.to(device) for part in (batch.positions, batch.groups)]
        return Batch(inputs, targets, *place)

    def _pinned(self, samples: Tensor) -> Tensor:
        return samples.pin_memory() if self._group.device.type == "cuda" else samples
