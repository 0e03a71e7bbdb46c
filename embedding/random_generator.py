"""Random numbers of a training step, which depend on seed and step only, not on the number of processes."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


class RandomGenerator:
    """Random numbers that depend on seed and step only.

    An interrupted run resumes without a saved generator as if it had not been interrupted, and ``world`` processes that
    share a batch draw together what one process would draw alone.

    Parameters
    ----------
    seed : int
    step : int or str
        Name of the stream: a training step, or any other purpose.
    device : torch.device or str
        Device that the numbers are drawn on; CPU and GPU draw different ones.
    rank, world : int
        Number of this process and number of processes; it has the rows ``rank``, ``rank + world``, … of the batch.
    block : int
        Rows that stay together in one process: it has the blocks ``rank``, ``rank + world``, … of so many rows, if the
        number of rows is a multiple of ``block · world``.
    """

    def __init__(
        self,
        seed: int,
        step: int | str = 0,
        device: torch.device | str = "cpu",
        rank: int = 0,
        world: int = 1,
        block: int = 1,
    ) -> None:
        digest = hashlib.blake2b(f"{seed}/{step}".encode(), digest_size=8).digest()
        self.device = torch.device(device)
        self._generator = torch.Generator(self.device).manual_seed(int.from_bytes(digest, "little") >> 1)
        self._rank, self._world, self._block = rank, world, block

    def normal(self, n: int, *shape: int) -> Tensor:
        """Standard normal numbers [n shape]; n is the number of rows of this process."""
        return self._own_rows(torch.randn(n * self._world, *shape, generator=self._generator, device=self.device))

    def uniform(self, n: int, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Numbers in [low, high), [n shape]."""
        drawn = torch.rand(n * self._world, *shape, generator=self._generator, device=self.device)
        return self._own_rows(drawn) * (high - low) + low

    def signs(self, n: int, *shape: int) -> Tensor:
        """Rademacher numbers, −1 or 1, [n shape]."""
        return torch.where(self.uniform(n, *shape) < 0.5, -1.0, 1.0)

    def permutation(self, n: int) -> Tensor:
        """A permutation of n, the same in every process."""
        return torch.randperm(n, generator=self._generator, device=self.device)

    def draw_rows(self, n: int, count: int) -> Tensor:
        """``count`` draws of rows of the batch, with replacement: bool [count n], one-hot over all processes' rows."""
        total = n * self._world
        drawn = torch.randint(total, (count,), generator=self._generator, device=self.device)
        return drawn[:, None] == self._own_rows(torch.arange(total, device=self.device))

    def _own_rows(self, drawn: Tensor) -> Tensor:
        if self._block == 1 or len(drawn) % (self._block * self._world):
            return drawn[self._rank :: self._world]
        blocks = drawn.view(-1, self._block, *drawn.shape[1:])
        return blocks[self._rank :: self._world].flatten(0, 1)
