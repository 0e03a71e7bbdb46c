"""Properties of models with vector-quantised latents: levels, phases, bits, pooling."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from flatsort.embedding.quantised_model import QuantisedModel
from flatsort.embedding.random_generator import RandomGenerator
from tests.embedding.models.small_models import IMAGE, VECTOR, batch, model, train

pytestmark = pytest.mark.parametrize("name", ["vq_vae", "vq_vae2"])


def quantised_model(name: str, shape: list[int] = IMAGE, **settings: Any) -> QuantisedModel:
    quantised = model(name, shape, **settings)
    assert isinstance(quantised, QuantisedModel)
    return quantised


def codebooks(quantised: QuantisedModel) -> list[torch.Tensor]:
    return [quantised._quantiser(i).codebook for i in range(len(quantised.levels))]


def test_levels_dimensions_and_bits(name: str) -> None:
    image, vector = quantised_model(name), quantised_model(name, VECTOR)
    assert [(level.height, level.width) for level in image.levels] == {"vq_vae": [(4, 2)], "vq_vae2": [(2, 1), (4, 2)]}[
        name
    ]
    assert [(level.height, level.width) for level in vector.levels][-1] == (4, 1)
    for quantised in (image, vector):
        places = sum(level.places for level in quantised.levels)
        assert quantised.dim == 4 * places
        assert quantised.code_bits == 4 * places  # 16 codes


@pytest.mark.parametrize("shape", [IMAGE, VECTOR], ids=["image", "vector"])
def test_latents_are_codes(name: str, shape: list[int]) -> None:
    quantised, samples = quantised_model(name, shape).eval(), batch(shape).inputs
    maps = quantised.symbols(samples)
    latents = quantised.encode(samples)
    assert torch.equal(latents, quantised.latents(maps))
    start = 0
    for level, codebook, symbols in zip(quantised.levels, codebooks(quantised), maps, strict=True):
        part = latents[:, start : start + 4 * level.places].reshape(len(samples), 4, level.places)
        assert torch.equal(part.transpose(1, 2), codebook[symbols.flatten(1)])
        start += 4 * level.places


def test_in_the_second_phase_only_the_prior_changes(name: str) -> None:
    quantised, samples = quantised_model(name, prior_after=4), batch(IMAGE)
    train(quantised, samples, 4)
    assert quantised.in_final_phase
    before = {key: value.clone() for key, value in quantised.state_dict().items()}
    optimizer = torch.optim.Adam(quantised.parameters(), 1e-2)
    scores = []
    for step in range(4, 12):
        optimizer.zero_grad()
        loss = quantised.loss(samples, RandomGenerator(0, step), step)
        loss.total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        quantised.after_step(step, lambda mean: mean)
        scores.append(loss)
    changed = {
        key.split(".")[0] for key, value in quantised.state_dict().items() if not torch.equal(value, before[key])
    }
    assert changed == {"prior"}
    assert scores[-1].total < scores[0].total
    nll = float(scores[-1].terms["bits"]) * math.log(2)
    assert float(scores[-1].score.detach()) == pytest.approx(float(scores[-1].terms["nll"]) + nll, rel=1e-5)
    assert float(scores[-1].total.detach()) == pytest.approx(nll, rel=1e-5)


def test_there_are_no_samples_before_the_prior_is_trained(name: str) -> None:
    quantised, samples = quantised_model(name, prior_after=2), batch(IMAGE)
    loss = quantised.loss(samples, RandomGenerator(0), 0)
    assert quantised.sample(3, RandomGenerator(0)) is None
    assert not quantised.in_final_phase
    assert float(loss.score.detach()) == pytest.approx(
        float(loss.terms["nll"]) + quantised.code_bits * math.log(2), rel=1e-5
    )
    first = set(loss.terms)
    train(quantised, samples, 3)
    assert set(quantised.loss(samples, RandomGenerator(0), 3).terms) == first, (
        "lines of metrics are alike in both phases"
    )
    latents = quantised.sample(3, RandomGenerator(0))
    assert latents is not None
    distances = [
        torch.cdist(part.reshape(3, 4, -1).transpose(1, 2), codebook).min(2).values.max()
        for part, codebook in zip(
            torch.split(latents, [4 * level.places for level in quantised.levels], 1), codebooks(quantised), strict=True
        )
    ]
    assert max(distances) < 1e-5


def test_without_a_prior_there_is_no_module_of_it(name: str) -> None:
    quantised = quantised_model(name, prior_after=0)
    assert quantised.in_final_phase
    assert quantised.sample(2, RandomGenerator(0)) is None
    assert not [key for key in quantised.state_dict() if key.startswith("prior")]


def test_embeddings_are_codes_averaged_over_a_grid(name: str) -> None:
    samples = batch(IMAGE).inputs
    quantised = quantised_model(name, pool=[2, 1], mirror=False).eval()
    start, expected = 0, []
    for level in quantised.levels:
        part = quantised.encode(samples)[:, start : start + 4 * level.places].reshape(-1, 4, level.height, level.width)
        expected.append(part.reshape(8, 4, 2, level.height // 2, level.width).mean((3, 4)).flatten(1))
        start += 4 * level.places
    torch.testing.assert_close(quantised.embed(samples), torch.cat(expected, 1))
    mirrored = quantised_model(name, pool=[2, 1]).eval()
    both = (quantised.embed(samples) + quantised.embed(samples.flip(3))) / 2
    torch.testing.assert_close(mirrored.embed(samples), both)
    torch.testing.assert_close(mirrored.embed(samples.flip(3)), both)
    whole = quantised_model(name, pool=[99, 99])
    assert whole.embed_dim == whole.dim


def test_codes_start_from_the_encoder(name: str) -> None:
    quantised, samples = quantised_model(name, pool=[99, 99]), batch(IMAGE, n=64).inputs
    quantised.init_from_data(samples)
    again = quantised_model(name)
    again.init_from_data(samples)
    used = [len(set(symbols.flatten().tolist())) for symbols in quantised.symbols(samples)]
    assert min(used) > 4
    for mine, same in zip(codebooks(quantised), codebooks(again), strict=True):
        assert torch.equal(mine, same)


def test_the_bottom_is_conditioned_on_the_top(name: str) -> None:
    quantised, samples = quantised_model(name).eval(), batch(IMAGE).inputs
    if len(quantised.levels) == 1:
        pytest.skip("one level")
    features = []

    def note(level: int, x: torch.Tensor) -> object:
        features.append(x.detach().clone())
        return quantised._quantiser(level)(x)

    quantised.quantise(samples, note)  # type: ignore[arg-type]
    quantised._quantiser(0).weight.mul_(3)
    quantised.quantise(samples, note)  # type: ignore[arg-type]
    assert torch.equal(features[0], features[2])
    assert not torch.allclose(features[1], features[3])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ema", "gradient"])
def test_both_codebooks_learn(name: str, kind: str) -> None:
    from flatsort.embedding.objectives.vector_quantisation import CodebookConfig

    quantised, samples = (
        quantised_model(name, prior_after=0, codebook=CodebookConfig(codes=16, kind=kind)),
        batch(IMAGE, n=32),
    )
    quantised.init_from_data(samples.inputs)
    before = float(quantised.loss(samples, RandomGenerator(0), 0).terms["error"])
    after = train(quantised, samples, 30)
    assert after["error"] < 0.6 * before
    assert 1 < after["perplexity"] <= 16
    weights = F.normalize(codebooks(quantised)[0].detach(), dim=1)
    assert weights.isfinite().all()
