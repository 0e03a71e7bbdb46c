"""Errors of Gaussian and Bernoulli likelihoods, their weights and statistics."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flatsort.embedding.likelihood import Likelihood, LikelihoodConfig
from flatsort.embedding.random_generator import RandomGenerator

SHAPE = [3, 16, 8]
WEIGHED: dict[str, Any] = {"border": 0.3, "chroma": 4.0, "blur": 0.2}


def images(n: int = 6, seed: int = 0) -> torch.Tensor:
    return RandomGenerator(seed).uniform(n, *SHAPE)


def likelihood_of(**settings: Any) -> Likelihood:
    return Likelihood(LikelihoodConfig(**settings), SHAPE)


def error(likelihood: Likelihood, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Error of a decoder that gives x where y was expected."""
    return likelihood.error(likelihood.normalise(x), y)


def test_plain_gaussian_is_the_closed_form() -> None:
    x, y = images(seed=1), images(seed=2)
    likelihood = likelihood_of(sigma=0.3)
    constant = math.log(0.3 * math.sqrt(2 * math.pi)) * x[0].numel()
    full = torch.nn.functional.gaussian_nll_loss(y, x, torch.full_like(x, 0.09), full=True, reduction="none")
    expected = full.flatten(1).sum(1) - constant
    torch.testing.assert_close(likelihood.nll(likelihood.normalise(y), x), expected, rtol=1e-5, atol=1e-3)


def test_bernoulli_is_the_divergence_from_target_to_reconstruction() -> None:
    targets, logits = images(seed=3), RandomGenerator(4).normal(6, *SHAPE)
    p, q = torch.distributions.Bernoulli(targets), torch.distributions.Bernoulli(logits=logits)
    expected = torch.distributions.kl_divergence(p, q).flatten(1).sum(1)
    torch.testing.assert_close(likelihood_of(kind="bernoulli").nll(logits, targets), expected, rtol=1e-4, atol=1e-4)


@given(st.integers(0, 10_000))
def test_the_error_is_the_squared_distance_in_the_weighted_space(seed: int) -> None:
    likelihood = likelihood_of(**WEIGHED)
    x, y = images(seed=seed), images(seed=seed + 1)
    apart = likelihood.weigh(x) - likelihood.weigh(y)
    torch.testing.assert_close(error(likelihood, x, y), apart.square().flatten(1).mean(1), rtol=1e-3, atol=1e-7)


def test_border_weights_are_larger_in_the_middle_and_keep_the_mean_square() -> None:
    likelihood = likelihood_of(border=0.25)
    white = likelihood.weigh(torch.ones(1, *SHAPE))
    assert white[0, 0, 8, 4] > 3 * white[0, 0, 8, 0]
    assert white.square().mean().item() == pytest.approx(1)


def test_chroma_weighs_colour_more_than_brightness() -> None:
    grey, red = torch.zeros(2, 1, *SHAPE)
    grey += 0.1
    red[:, 0], red[:, 1] = 0.1, -0.1 * 0.299 / 0.587  # of the same brightness as black
    black = torch.zeros(1, *SHAPE)

    def ratio(chroma: float) -> float:
        likelihood = likelihood_of(chroma=chroma)
        return float(error(likelihood, red, black) / error(likelihood, grey, black))

    assert ratio(8) == pytest.approx(16 * ratio(2), rel=1e-3)


def test_a_blur_reduces_errors_of_shifts_but_not_of_colours() -> None:
    stripe = torch.zeros(1, *SHAPE)
    stripe[..., 3:5] = 1
    shifted, faded = stripe.roll(1, 3), stripe * 0.5
    sharp, blurred = likelihood_of(), likelihood_of(blur=0.2, detail=0.0)
    forgiven, plain = (float(error(x, shifted, stripe) / error(x, faded, stripe)) for x in (blurred, sharp))
    assert forgiven < plain / 4
    assert likelihood_of(blur=0.2, detail=1.0).error(shifted, stripe).item() == pytest.approx(
        sharp.error(shifted, stripe).item()
    )


@pytest.mark.parametrize("contrast", [0.0, 0.4])
def test_contrast_is_brought_towards_the_typical_one(contrast: float) -> None:
    likelihood = likelihood_of(contrast=contrast, **WEIGHED)
    x = images(40)
    likelihood.init_from_data(x)
    low = likelihood.mean_image + 0.5 * (x - likelihood.mean_image)
    ratio = (likelihood.adjust_contrast(low) - likelihood.mean_image) / (
        likelihood.adjust_contrast(x) - likelihood.mean_image
    )
    torch.testing.assert_close(ratio, torch.full_like(ratio, 0.5**contrast), rtol=1e-2, atol=1e-2)
    assert likelihood.adjust_contrast(likelihood.mean_image[None]).isfinite().all()


def test_without_contrast_images_stay_as_they_are() -> None:
    x = images()
    likelihood = likelihood_of(**WEIGHED)
    likelihood.init_from_data(x)
    assert likelihood.adjust_contrast(x) is x


@pytest.mark.parametrize("settings", [WEIGHED, WEIGHED | {"contrast": 0.4}], ids=["weighed", "contrast"])
def test_normalised_samples_are_perfect_decoder_outputs(settings: dict[str, Any]) -> None:
    likelihood, x = likelihood_of(**settings), images(40)
    likelihood.init_from_data(x)
    normalised = likelihood.normalise(x)
    assert float(normalised.std()) == pytest.approx(1, rel=0.01)
    torch.testing.assert_close(likelihood.mean(normalised), likelihood.adjust_contrast(x), rtol=1e-4, atol=1e-5)
    assert float(likelihood.error(normalised, x).max()) < 1e-9


@pytest.mark.parametrize("kind", ["gaussian", "bernoulli"])
def test_the_baseline_is_the_error_of_the_best_constant(kind: str) -> None:
    likelihood, x = likelihood_of(kind=kind), images(40)
    likelihood.init_from_data(x)
    mean = x.mean(0).expand_as(x)
    raw = torch.logit(mean) if kind == "bernoulli" else likelihood.normalise(mean)
    torch.testing.assert_close(likelihood.baseline, likelihood.error(raw, x).mean(), rtol=1e-4, atol=1e-6)


def test_vectors_have_no_pixels_to_weigh() -> None:
    likelihood = Likelihood(LikelihoodConfig(contrast=0.5, **WEIGHED), [5])
    x = RandomGenerator(0).normal(3, 5)
    assert torch.equal(likelihood.weigh(x), x)
    assert torch.equal(likelihood.adjust_contrast(x), x)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"kind": "poisson"}, "kind"),
        ({"sigma": 0.0}, "sigma"),
        ({"blur": -1.0}, "blur"),
        ({"contrast": 2.0}, "contrast"),
        ({"kind": "bernoulli", "chroma": 2.0}, "squared errors"),
    ],
)
def test_invalid_settings_are_refused(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        LikelihoodConfig(**settings)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_gives_nearly_the_same(dtype: torch.dtype) -> None:
    likelihood, x = likelihood_of(contrast=0.4, **WEIGHED), images(20)
    likelihood.init_from_data(x)
    normalised, error = likelihood.normalise(x), likelihood.error(0.5 * likelihood.normalise(x), x)
    with torch.autocast("cpu", dtype):
        torch.testing.assert_close(likelihood.normalise(x), normalised, rtol=0.05, atol=0.02)
        torch.testing.assert_close(likelihood.error(0.5 * likelihood.normalise(x), x), error, rtol=0.05, atol=1e-5)


def test_unusable_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="expected samples that differ, got 6 that are all equal"):
        likelihood_of().init_from_data(torch.full((6, *SHAPE), 0.3))
    with pytest.raises(
        ValueError, match=r"expected samples in 0..1 for a Bernoulli likelihood, got .* to 2|got .* to 1\.9"
    ):
        likelihood_of(kind="bernoulli").init_from_data(2 * images())


def test_without_centre_the_mean_image_is_not_subtracted() -> None:
    x = images(32)
    for settings in ({}, WEIGHED):
        likelihood, centred = likelihood_of(centre=False, **settings), likelihood_of(**settings)
        likelihood.init_from_data(x)
        centred.init_from_data(x)
        assert (likelihood.mean_image == 0).all()
        torch.testing.assert_close(likelihood.normalise(3 * x), 3 * likelihood.normalise(x))
        torch.testing.assert_close(likelihood.mean(likelihood.normalise(x)), x, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(likelihood.baseline, centred.baseline)
