"""Imputation of missing frames: which are hidden, and how well they are regressed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from flatsort.embedding.model import Batch, LatentModel, LossTerms, ModelConfig
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.embedding.representation.imputation import OWN, REGRESSED, hidden_frames, imputation_errors, impute


class IdentityModel(LatentModel):
    """Latents are samples."""

    def __init__(self, d: int) -> None:
        super().__init__(ModelConfig(shape=[d]), encoder=torch.nn.Identity(), decoder=torch.nn.Identity(), dim=d)

    def encode(self, images: Tensor) -> Tensor:
        return images

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:
        raise NotImplementedError


@given(st.integers(8, 60), st.integers(1, 9), st.integers(0, 99))
def test_hidden_frames_have_visible_ones_on_both_sides(n: int, gap: int, seed: int) -> None:
    share = hidden_frames(n, seed, missing=0.3)
    assert np.count_nonzero(share) == round(0.3 * n)
    masks = [share]
    if n > 2 * gap:
        together = hidden_frames(n, seed, gap=gap)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], together, [False]]).astype(int)))
        assert set(np.diff(edges)[::2]) == {gap}
        masks.append(together)
    for hidden in masks:
        assert not hidden[0]
        assert not hidden[-1]


def test_a_curve_is_regressed_better_than_interpolated_and_its_band_has_the_right_width() -> None:
    frames = np.arange(80.0)
    clean = np.stack([np.sin(frames / 6), np.cos(frames / 8)], axis=1)
    noisy = clean + 0.03 * np.random.default_rng(0).standard_normal(clean.shape)
    hidden = hidden_frames(80, 0, gap=6)
    imputed = impute(IdentityModel(2).eval(), torch.from_numpy(noisy).float(), frames, frames[:, None], hidden)
    errors = imputation_errors(imputed)
    straight = np.stack([np.interp(frames, frames[~hidden], noisy[~hidden, d]) for d in range(2)], axis=1)
    np.testing.assert_allclose(imputed.interpolated, straight, atol=1e-6)
    np.testing.assert_allclose(imputed.images["pixels interpolated"], straight[hidden], atol=1e-6)
    assert errors[f"{REGRESSED}.rmse"] < 0.6 * errors["pixels interpolated.rmse"]
    assert errors[f"{REGRESSED}.rmse"] == pytest.approx(np.sqrt(np.mean((imputed.mean - noisy)[hidden] ** 2)), rel=1e-4)
    assert errors[f"{OWN}.rmse"] == 0
    assert 0.88 < errors["coverage"] <= 1
    assert not any(name.endswith("psnr") for name in errors)


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(
        ValueError, match="expected frames to hide and three or more visible ones, got gaps of 5 of 9 frames"
    ):
        hidden_frames(9, 0, gap=5)
    with pytest.raises(ValueError, match=r"got a share of 0\.01 of 9 frames"):
        hidden_frames(9, 0, missing=0.01)
