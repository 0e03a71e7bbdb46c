"""The latent Bernoulli autoencoder and its straight-through gradients."""

from __future__ import annotations

from pathlib import Path

import torch

from flatsort.embedding import checkpoint
from flatsort.embedding.models.lbae import binarise, straight_through
from flatsort.embedding.random_generator import RandomGenerator
from tests.embedding.models.small_models import IMAGE, batch, model, train


def test_latents_are_bits_also_those_of_mirrored_images() -> None:
    made, samples = model("lbae", IMAGE).eval(), batch(IMAGE).inputs
    assert made.binary
    assert made.code_bits == made.dim
    for latents in (made.encode(samples), made.embed(samples)):
        assert set(latents.flatten().tolist()) <= {-1.0, 1.0}
    assert torch.equal(made.embed(samples), made.embed(samples.flip(3)))


def test_it_samples_once_training_is_over_and_from_its_checkpoint(tmp_path: Path) -> None:
    made, samples = model("lbae"), batch(n=64)
    train(made, samples, 30)
    made.eval()
    assert made.sample(3, RandomGenerator(0)) is None
    with torch.no_grad():
        made.finish_training(torch.split(samples.inputs, 10))
        codes = made.encode(samples.inputs)
    drawn = made.sample(20_000, RandomGenerator(0))
    assert drawn is not None
    torch.testing.assert_close(drawn.mean(0), codes.mean(0), atol=0.03, rtol=0)
    before = {key: value.clone() for key, value in made.state_dict().items()}
    made.finish_training(torch.split(samples.inputs, 10))
    assert all(torch.equal(value, before[key]) for key, value in made.state_dict().items())
    checkpoint.save(tmp_path / "m.safetensors", made, checkpoint.Card())
    again = checkpoint.load(tmp_path / "m.safetensors")[0].sample(50, RandomGenerator(0))
    assert again is not None
    assert torch.equal(again, made.sample(50, RandomGenerator(0)))  # type: ignore[arg-type]


def test_binarise_is_sign_forward_and_identity_backward() -> None:
    values = torch.tensor([-0.7, -1e-9, 0.0, 1e-9, 0.3], requires_grad=True)
    codes = binarise(values)
    assert codes.tolist() == [-1, -1, 1, 1, 1]
    (codes * torch.arange(5.0)).sum().backward()  # type: ignore[no-untyped-call]
    assert values.grad is not None
    assert values.grad.tolist() == [0, 1, 2, 3, 4]


def test_binarise_keeps_the_gradient_of_the_tanh() -> None:
    raw = torch.tensor([-2.0, 0.5], requires_grad=True)
    binarise(torch.tanh(raw)).sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(raw.grad, 1 - torch.tanh(raw.detach()).square())


def test_straight_through_values_are_exactly_the_hard_ones() -> None:
    soft = torch.randn(1000, generator=torch.Generator().manual_seed(0)) * 1e3
    hard = torch.full_like(soft, 0.1)
    assert torch.equal(straight_through(hard, soft), hard)
