"""Decorrelation: a covariance loss of codes, and the importance of each code for the decoded image.

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
        Codes that are frozen; k may be 0.

    Returns
    -------
    scalar
        Of one new code: 1/k · Σᵢ E[zᵢ z]². Of several: the mean over all m·k + m(m − 1)/2 pairs; 0 without a pair.
    """
    m = new.shape[1]
    codes = torch.cat([earlier, new], dim=1).float()
    centred = codes - codes.mean(0)
    # autocast would halve the precision of matmul
    products = (centred[:, -m:, None] * centred[:, None, :]).mean(0)  # [m, k + m]
    pairs = m * earlier.shape[1] + m * (m - 1) // 2
    return products.tril(earlier.shape[1] - 1).square().sum() / max(pairs, 1)


@torch.no_grad()
def importances(decode: Callable[[Tensor], Tensor], codes: Tensor, chunk: int = 256) -> Tensor:
    """How much the decoded image depends on each code: its root mean square change when the code is set to its mean.

    For a linear decoder and uncorrelated codes this is a code's standard deviation times the length of its direction;
    in a principal component analysis, the root of its eigenvalue.

    Parameters
    ----------
    decode : callable
        Codes [n d] → decoded images [n m], in the space where differences are measured by Euclidean distance.
    codes : float32 [n d]
        Of samples.

    Returns
    -------
    float32 [d]
        Root of the mean over the samples of the mean square over the m values of an image.
    """
    mean = codes.mean(0)
    total = torch.zeros(codes.shape[1], dtype=torch.float64, device=codes.device)
    for rows in torch.split(codes, chunk):
        decoded = decode(rows)
        for i in range(codes.shape[1]):
            without = rows.clone()
            without[:, i] = mean[i]
            total[i] += (decode(without) - decoded).double().square().mean(1).sum()
    return (total / len(codes)).sqrt().float()
