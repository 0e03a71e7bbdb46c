"""The latent Bernoulli autoencoder."""

from __future__ import annotations

from pathlib import Path

import torch

from flatsort.embedding import checkpoint
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
        made.conclude(torch.split(samples.inputs, 10))
        codes = made.encode(samples.inputs)
    drawn = made.sample(20_000, RandomGenerator(0))
    assert drawn is not None
    torch.testing.assert_close(drawn.mean(0), codes.mean(0), atol=0.03, rtol=0)
    before = {key: value.clone() for key, value in made.state_dict().items()}
    made.conclude(torch.split(samples.inputs, 10))
    assert all(torch.equal(value, before[key]) for key, value in made.state_dict().items())
    checkpoint.save(tmp_path / "m.safetensors", made, checkpoint.Card())
    again = checkpoint.load(tmp_path / "m.safetensors")[0].sample(50, RandomGenerator(0))
    assert again is not None
    assert torch.equal(again, made.sample(50, RandomGenerator(0)))  # type: ignore[arg-type]
