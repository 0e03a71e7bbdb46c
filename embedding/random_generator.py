"""Random numbers of one training step, the same however many processes share the step."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


class RandomGenerator:
    """Draws that depend on seed and step only.

    A run that was interrupted needs no saved generator to go on as if it had not been, and ``world`` processes that
    share a batch draw together what one process would have drawn alone.

    Parameters
    ----------
    seed : int
    step : int or str
        Names the stream: a step of training, or what else the numbers are for.
    device : torch.device or str
        Where the numbers are drawn; CPU and GPU draw different ones.
    rank, world : int
        This process has the rows ``rank``, ``rank + world``, … of the batch.
    block : int
        Rows that stay together in one process: it has the blocks ``rank``, ``rank + world``, … of as many rows, where
        what is drawn has a multiple of them.
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
        """Standard normal numbers [n shape], n rows of this process."""
        return self._mine(torch.randn(n * self._world, *shape, generator=self._generator, device=self.device))

    def uniform(self, n: int, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Numbers in [low, high), [n shape]."""
        drawn = torch.rand(n * self._world, *shape, generator=self._generator, device=self.device)
        return self._mine(drawn) * (high - low) + low

    def signs(self, n: int, *shape: int) -> Tensor:
        """Rademacher numbers, −1 or 1, [n shape]."""
        return torch.where(self.uniform(n, *shape) < 0.5, -1.0, 1.0)

    def permutation(self, n: int) -> Tensor:
        """A permutation of n, the same in every process."""
        return torch.randperm(n, generator=self._generator, device=self.device)

    def picks(self, n: int, count: int) -> Tensor:
        """Which rows of the batch ``count`` draws took, with return: bool [count n] of this process's n rows."""
        total = n * self._world
        drawn = torch.randint(total, (count,), generator=self._generator, device=self.device)
        return drawn[:, None] == self._mine(torch.arange(total, device=self.device))

    def _mine(self, drawn: Tensor) -> Tensor:
        if self._block == 1 or len(drawn) % (self._block * self._world):
            return drawn[self._rank :: self._world]
        blocks = drawn.view(-1, self._block, *drawn.shape[1:])
        return blocks[self._rank :: self._world].flatten(0, 1)
