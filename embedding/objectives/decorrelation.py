"""Codes without correlation: what makes the next code tell something new, and how much each of them tells.

References
----------
Pham, Ladjal, Newson: PCA-AE: principal component analysis autoencoder for organising the latent space of generative
networks, JMIV 2022 (first: Ladjal, Newson, Pham, A PCA-like autoencoder, 2019), equation of the covariance loss.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def covariance_loss(new: Tensor, earlier: Tensor) -> Tensor:
    """Mean square of the covariances that new codes have with earlier ones and with each other.

    Parameters
    ----------
    new : float32 [n m]
        Codes that are learned now, of unit variance.
    earlier : float32 [n k]
        Codes that are kept; k may be 0.

    Returns
    -------
    scalar
        Of one new code: 1/k · Σᵢ E[zᵢ z]². Of several: the mean over all m·k + m(m − 1)/2 pairs; 0 without a pair.
    """
    m = new.shape[1]
    every = torch.cat([earlier, new], dim=1).float()
    apart = every - every.mean(0)
    # autocast would halve the precision of matmul
    products = (apart[:, -m:, None] * apart[:, None, :]).mean(0)  # [m, k + m]
    pairs = m * earlier.shape[1] + m * (m - 1) // 2
    return products.tril(earlier.shape[1] - 1).square().sum() / max(pairs, 1)


@torch.no_grad()
def importances(observe: Callable[[Tensor], Tensor], codes: Tensor, chunk: int = 256) -> Tensor:
    """How much the picture depends on each code: its root mean square change where the code is put to its mean.

    Of a linear decoder and uncorrelated codes: a code's deviation times the length of its direction, that is in a
    principal component analysis the root of its eigenvalue.

    Parameters
    ----------
    observe : callable
        Codes [n d] → pictures [n m], in the space where their Euclidean distance is what counts.
    codes : float32 [n d]
        Of samples.

    Returns
    -------
    float32 [d]
        Root of the mean over the samples of the mean square over the m numbers of a picture.
    """
    mean = codes.mean(0)
    total = torch.zeros(codes.shape[1], dtype=torch.float64, device=codes.device)
    for some in torch.split(codes, chunk):
        pictures = observe(some)
        for i in range(codes.shape[1]):
            without = some.clone()
            without[:, i] = mean[i]
            total[i] += (observe(without) - pictures).double().square().mean(1).sum()
    return (total / len(codes)).sqrt().float()
