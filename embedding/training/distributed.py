"""Data-parallel processes that share every batch, started by ``torchrun``; without it one process has all of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from flatsort.embedding.devices import find_device


@dataclass(frozen=True)
class Group:
    """The current process among all that share the batches.

    Attributes
    ----------
    device : torch.device
    rank, world : int
        Its number and the number of processes.
    local : int
        Its number on this machine.
    """

    device: torch.device
    rank: int = 0
    world: int = 1
    local: int = 0

    @property
    def main(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def mean(self, value: Tensor) -> Tensor:
        """Mean of a tensor over the processes."""
        if self.world == 1:
            return value
        total = value.detach().clone()
        dist.all_reduce(total)
        return total / self.world

    def from_main(self, value: Tensor) -> Tensor:
        """The tensor that the main process has; changed in place."""
        if self.world > 1:
            dist.broadcast(value, 0)
        return value

    def previous(self, rows: Tensor, block: int = 1) -> Tensor:
        """The row before each of these rows in the whole batch, [n …]; the last row is before the first one.

        Parameters
        ----------
        rows : [n …]
            This process's rows of the batch: every ``world``-th block.
        block : int
            Rows that stay together in a process.
        """
        if self.world == 1:
            return rows.roll(1, 0)
        parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(self.world)]
        dist.all_gather(parts, rows.contiguous())
        row = rows.shape[1:]
        blocks = torch.stack([part.view(-1, block, *row) for part in parts], dim=1)
        before = blocks.flatten(0, 2).roll(1, 0).view(-1, self.world, block, *row)
        return before[:, self.rank].flatten(0, 1)

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.world > 1:
            dist.barrier()

    @contextmanager
    def first(self) -> Iterator[None]:
        """One process of each machine does the block before the others do, and leaves them its files."""
        if self.local:
            self.wait()
        yield
        if not self.local:
            self.wait()


@contextmanager
def join(device: str = "auto") -> Iterator[Group]:
    """Join the processes that ``torchrun`` has started; a block inside another one keeps the outer one's connections.

    Parameters
    ----------
    device : str
        ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``. With several processes each has a GPU of its
        own.

    Raises
    ------
    ValueError
        If the device is unknown or not there.
    """
    rank, world, local = (int(os.environ.get(name, default)) for name, default in ENVIRONMENT)
    chosen = find_device(device, local if world > 1 else None)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    ours = world > 1 and not dist.is_initialized()
    if ours:
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Group(chosen, rank, world, local)
    finally:
        if ours:
            dist.destroy_process_group()


ENVIRONMENT = (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))
