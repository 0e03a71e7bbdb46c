"""What models of symbols promise beyond every model: levels, phases, bits, pooling."""

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


def made(name: str, shape: list[int] = IMAGE, **settings: Any) -> QuantisedModel:
    found = model(name, shape, **settings)
    assert isinstance(found, QuantisedModel)
    return found


def books(found: QuantisedModel) -> list[torch.Tensor]:
    return [found._quantiser(i).codebook for i in range(len(found.levels))]


def test_levels_dimensions_and_bits(name: str) -> None:
    image, vector = made(name), made(name, VECTOR)
    assert [(level.height, level.width) for level in image.levels] == {"vq_vae": [(4, 2)], "vq_vae2": [(2, 1), (4, 2)]}[
        name
    ]
    assert [(level.height, level.width) for level in vector.levels][-1] == (4, 1)
    for found in (image, vector):
        places = sum(level.places for level in found.levels)
        assert found.dim == 4 * places
        assert found.code_bits == 4 * places  # 16 codes


@pytest.mark.parametrize("shape", [IMAGE, VECTOR], ids=["image", "vector"])
def test_latents_are_codes(name: str, shape: list[int]) -> None:
    found, samples = made(name, shape).eval(), batch(shape).inputs
    maps = found.symbols(samples)
    latents = found.encode(samples)
    assert torch.equal(latents, found.latents(maps))
    start = 0
    for level, book, symbols in zip(found.levels, books(found), maps, strict=True):
        part = latents[:, start : start + 4 * level.places].reshape(len(samples), 4, level.places)
        assert torch.equal(part.transpose(1, 2), book[symbols.flatten(1)])
        start += 4 * level.places


def test_the_prior_learns_after_all_else(name: str) -> None:
    found, samples = made(name, prior_after=4), batch(IMAGE)
    train(found, samples, 4)
    assert found.in_final_phase
    before = {key: value.clone() for key, value in found.state_dict().items()}
    optimizer = torch.optim.Adam(found.parameters(), 1e-2)
    scores = []
    for step in range(4, 12):
        optimizer.zero_grad()
        loss = found.loss(samples, RandomGenerator(0, step), step)
        loss.total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        found.after_step(step, lambda mean: mean)
        scores.append(loss)
    moved = {key.split(".")[0] for key, value in found.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == {"prior"}
    assert scores[-1].total < scores[0].total
    nll = float(scores[-1].terms["bits"]) * math.log(2)
    assert float(scores[-1].score.detach()) == pytest.approx(float(scores[-1].terms["nll"]) + nll, rel=1e-5)
    assert float(scores[-1].total.detach()) == pytest.approx(nll, rel=1e-5)


def test_before_that_there_is_nothing_to_sample_from(name: str) -> None:
    found, samples = made(name, prior_after=2), batch(IMAGE)
    loss = found.loss(samples, RandomGenerator(0), 0)
    assert found.sample(3, RandomGenerator(0)) is None
    assert not found.in_final_phase
    assert float(loss.score.detach()) == pytest.approx(
        float(loss.terms["nll"]) + found.code_bits * math.log(2), rel=1e-5
    )
    first = set(loss.terms)
    train(found, samples, 3)
    assert set(found.loss(samples, RandomGenerator(0), 3).terms) == first, "lines of metrics are alike in both phases"
    latents = found.sample(3, RandomGenerator(0))
    assert latents is not None
    distances = [
        torch.cdist(part.reshape(3, 4, -1).transpose(1, 2), book).min(2).values.max()
        for part, book in zip(
            torch.split(latents, [4 * level.places for level in found.levels], 1), books(found), strict=True
        )
    ]
    assert max(distances) < 1e-5


def test_without_a_prior_there_is_no_module_of_it(name: str) -> None:
    found = made(name, prior_after=0)
    assert found.in_final_phase
    assert found.sample(2, RandomGenerator(0)) is None
    assert not [key for key in found.state_dict() if key.startswith("prior")]


def test_embeddings_are_codes_averaged_over_a_grid(name: str) -> None:
    samples = batch(IMAGE).inputs
    found = made(name, pool=[2, 1], mirror=False).eval()
    start, expected = 0, []
    for level in found.levels:
        part = found.encode(samples)[:, start : start + 4 * level.places].reshape(-1, 4, level.height, level.width)
        expected.append(part.reshape(8, 4, 2, level.height // 2, level.width).mean((3, 4)).flatten(1))
        start += 4 * level.places
    torch.testing.assert_close(found.embed(samples), torch.cat(expected, 1))
    mirrored = made(name, pool=[2, 1]).eval()
    both = (found.embed(samples) + found.embed(samples.flip(3))) / 2
    torch.testing.assert_close(mirrored.embed(samples), both)
    torch.testing.assert_close(mirrored.embed(samples.flip(3)), both)
    whole = made(name, pool=[99, 99])
    assert whole.embed_dim == whole.dim


def test_codes_start_from_the_encoder(name: str) -> None:
    found, samples = made(name, pool=[99, 99]), batch(IMAGE, n=64).inputs
    found.init_from_data(samples)
    again = made(name)
    again.init_from_data(samples)
    used = [len(set(symbols.flatten().tolist())) for symbols in found.symbols(samples)]
    assert min(used) > 4
    for mine, same in zip(books(found), books(again), strict=True):
        assert torch.equal(mine, same)


def test_the_bottom_is_conditioned_on_the_top(name: str) -> None:
    found, samples = made(name).eval(), batch(IMAGE).inputs
    if len(found.levels) == 1:
        pytest.skip("one level")
    features = []

    def note(level: int, x: torch.Tensor) -> object:
        features.append(x.detach().clone())
        return found._quantiser(level)(x)

    found.quantise(samples, note)  # type: ignore[arg-type]
    found._quantiser(0).weight.mul_(3)
    found.quantise(samples, note)  # type: ignore[arg-type]
    assert torch.equal(features[0], features[2])
    assert not torch.allclose(features[1], features[3])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ema", "gradient"])
def test_both_codebooks_learn(name: str, kind: str) -> None:
    from flatsort.embedding.objectives.vector_quantisation import CodebookConfig

    found, samples = made(name, prior_after=0, codebook=CodebookConfig(codes=16, kind=kind)), batch(IMAGE, n=32)
    found.init_from_data(samples.inputs)
    before = float(found.loss(samples, RandomGenerator(0), 0).terms["error"])
    after = train(found, samples, 30)
    assert after["error"] < 0.6 * before
    assert 1 < after["perplexity"] <= 16
    weights = F.normalize(books(found)[0].detach(), dim=1)
    assert weights.isfinite().all()
