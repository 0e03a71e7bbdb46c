"""Properties of every registered model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from flatsort.embedding import checkpoint
from flatsort.embedding.model import MODELS
from flatsort.embedding.random_generator import RandomGenerator
from tests.embedding.models.small_models import IMAGE, VECTOR, batch, first_phase, model, train

pytestmark = pytest.mark.parametrize("name", MODELS.names())
shapes = pytest.mark.parametrize("shape", [IMAGE, VECTOR], ids=["image", "vector"])
STEPS = 6
"""Steps in which the small models of these tests pass all their phases."""

kinds = pytest.mark.parametrize("kind", ["gaussian", "bernoulli"])


@shapes
@kinds
def test_the_loss_is_finite_and_reaches_every_parameter(name: str, shape: list[int], kind: str) -> None:
    made = model(name, shape, kind)
    reached: set[str] = set()
    strength = dict.fromkeys(("encoder", "decoder"), 0.0)
    for step in range(STEPS):  # models that learn in phases reach their parts one after the other
        made.zero_grad()
        loss = made.loss(batch(shape), RandomGenerator(0, step), step)
        loss.total.backward()  # type: ignore[no-untyped-call]
        assert loss.total.isfinite()
        assert loss.score.isfinite()
        assert all(term.isfinite() and term.ndim == 0 for term in loss.terms.values())
        gradients = {key: p.grad for key, p in made.named_parameters() if p.grad is not None}
        assert all(grad.isfinite().all() for grad in gradients.values())
        reached |= set(gradients)
        for part in strength:
            strength[part] += sum(float(g.abs().sum()) for key, g in gradients.items() if key.startswith(part))
        made.after_step(step, lambda mean: mean)
    assert sorted({key for key, p in made.named_parameters() if p.requires_grad} - reached) == []
    assert min(strength.values()) > 0


@shapes
@kinds
def test_shapes_of_latents_reconstructions_and_samples(name: str, shape: list[int], kind: str) -> None:
    made, samples = model(name, shape, kind).eval(), batch(shape)
    latents = made.encode(samples.inputs)
    assert latents.shape == (8, made.dim)
    assert made.embed(samples.inputs).shape == (8, made.embed_dim)
    assert made.decode(latents).shape == samples.targets.shape
    assert made.decode_weighted(latents).shape == (8, samples.targets[0].numel())
    drawn = made.sample(5, RandomGenerator(1))
    again = made.sample(5, RandomGenerator(1))
    if drawn is not None and again is not None:
        assert drawn.shape == (5, made.dim)
        assert drawn.isfinite().all()
        assert torch.equal(drawn, again)


@shapes
def test_encoding_is_deterministic_and_independent_of_the_batch(name: str, shape: list[int]) -> None:
    made, samples = model(name, shape).eval(), batch(shape).inputs
    with torch.inference_mode():
        whole = made.encode(samples)
        assert torch.equal(whole, made.encode(samples))
        torch.testing.assert_close(made.encode(samples[2:3]), whole[2:3], rtol=1e-4, atol=1e-6)


def test_seeds_repeat(name: str) -> None:
    samples = batch()
    first, second, other = (model(name, seed=seed) for seed in (1, 1, 2))
    for mine, same, another in zip(first.parameters(), second.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, same)
        assert mine.ndim < 2 or not torch.equal(mine, another)
    train(first, samples, 3)
    train(second, samples, 3)
    assert all(torch.equal(t, second.state_dict()[key]) for key, t in first.state_dict().items())


def test_a_checkpoint_gives_the_same_latents_and_goes_on_alike(name: str, tmp_path: Path) -> None:
    made, samples = model(name), batch()
    train(made, samples, 3)
    checkpoint.save(tmp_path / "m.safetensors", made, checkpoint.Card())
    loaded, _ = checkpoint.load(tmp_path / "m.safetensors")
    assert torch.equal(loaded.encode(samples.inputs), made.eval().encode(samples.inputs))
    assert train(loaded.train(), samples, 3) == train(made.train(), samples, 3)


def test_it_learns(name: str) -> None:
    made, samples = model(name, **first_phase(name)), batch(n=32)
    before = float(made.loss(samples, RandomGenerator(7), 0).terms["error"].detach())
    assert train(made, samples, 40)["error"] < 0.5 * before


def test_evaluation_changes_no_state(name: str) -> None:
    made, samples = model(name), batch()
    made.loss(samples, RandomGenerator(0), 0)
    made.after_step(0, lambda mean: mean)
    before = {key: t.clone() for key, t in made.state_dict().items()}
    made.eval()
    with torch.inference_mode():
        score = made.loss(samples, RandomGenerator(0), 1).score
    made.after_step(1, lambda mean: mean)
    assert score.isfinite()
    assert isinstance(made.in_final_phase, bool)
    assert all(torch.equal(t, before[key]) for key, t in made.state_dict().items())
