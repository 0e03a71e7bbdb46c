"""Codes by stages: frozen, ordered, uncorrelated; principal components where everything is linear."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.model import Batch, build
from flatsort.embedding.models.pca_ae import PCAAE, PCAAEConfig
from flatsort.embedding.nets import NetConfig
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.embedding.training.callbacks import read_metrics
from flatsort.embedding.training.loop import train as train_run
from tests.embedding.models.small_models import IMAGE, batch, train
from tests.embedding.models.small_models import model as made_model
from tests.embedding.training.small_runs import config, same, vectors, weights
from tests.embedding.training.test_resume import interrupted

LINEAR = NetConfig(hidden=[])


def pca_ae(shape: list[int] | None = None, **settings: int) -> PCAAE:
    return cast("PCAAE", made_model("pca_ae", shape or [6], "gaussian", 0, **settings))


def ellipsoid(n: int = 400) -> Tensor:
    """Gaussian samples whose principal deviations are 3, 2, 1.2 and .3 three times, turned somehow."""
    turn = torch.linalg.qr(RandomGenerator(5).normal(6, 6)).Q
    drawn: Tensor = RandomGenerator(6).normal(n, 6) * torch.tensor([3.0, 2, 1.2, 0.3, 0.3, 0.3]) @ turn + 1
    return drawn


def trained(samples: Tensor, dim: int, weight: float, seed: int = 0) -> PCAAE:
    """A linear model, a stage a step, each to convergence: L-BFGS on all samples."""
    made = build(PCAAEConfig(shape=[6], dim=dim, stage_steps=1, net=LINEAR, decorrelation=weight), seed)
    assert isinstance(made, PCAAE)
    made.init_from_data(samples)
    some = Batch(samples, samples)
    for stage in range(dim):
        parts = (made.encoder.stages[stage], made.decoder.stages[stage])
        own = [parameter for part in parts for parameter in part.parameters()]
        optimiser = torch.optim.LBFGS(own, max_iter=150, line_search_fn="strong_wolfe")

        def closure(stage: int = stage, optimiser: torch.optim.LBFGS = optimiser) -> Tensor:
            optimiser.zero_grad()
            total = made.loss(some, RandomGenerator(0), stage).total
            total.backward()  # type: ignore[no-untyped-call]
            return total

        optimiser.step(closure)  # type: ignore[no-untyped-call]
        made.loss(some, RandomGenerator(0), stage)
        made.after_step(stage, lambda mean: mean)
    return made.eval()


@pytest.fixture(scope="module")
def linear() -> tuple[PCAAE, Tensor]:
    """A linear model of three codes and its samples; tests call its `finish_training`."""
    samples = ellipsoid()
    return trained(samples, 3, 1.0), samples


def test_a_linear_one_finds_the_principal_components_in_order(linear: tuple[PCAAE, Tensor]) -> None:
    made, samples = linear
    with torch.no_grad():
        made.finish_training(torch.split(samples, 90))
    pca = PCA(3).fit(samples.double().numpy())
    codes = made.encode(samples).detach().double().numpy()
    scores = pca.transform(samples.double().numpy()) / np.sqrt(pca.explained_variance_)
    cosines = np.abs(codes.T @ scores) / np.linalg.norm(codes, axis=0)[:, None] / np.linalg.norm(scores, axis=0)
    assert np.degrees(np.arccos(np.minimum(cosines.diagonal(), 1))).max() < 1  # each code is its component's score
    # and each walks along its component
    steps = made.decode(torch.eye(3)) - made.decode(torch.zeros(1, 3))
    along = np.abs((steps.detach().double().numpy() * pca.components_).sum(1)) / steps.detach().norm(dim=1).numpy()
    assert np.degrees(np.arccos(np.minimum(along, 1))).max() < 1
    roots = np.sqrt(pca.explained_variance_ / 6)
    np.testing.assert_allclose(made.importance.numpy(), roots, rtol=0.02)


def test_after_training_codes_are_exactly_standardised_and_decode_as_before(linear: tuple[PCAAE, Tensor]) -> None:
    made, samples = linear
    samples = samples[:250]  # moments of others than those of training
    with torch.no_grad():
        made.finish_training(torch.split(samples, 90))
        codes = made.encode(samples).double()
        assert codes.mean(0).abs().max() < 1e-5
        torch.testing.assert_close(codes.std(0, unbiased=False), torch.ones(3).double(), rtol=1e-4, atol=0)
        own = made.encoder_output(samples)
        torch.testing.assert_close(made.decode(made.encode(samples)), made.decoder.stages[-1](own))
        before = {key: t.clone() for key, t in made.state_dict().items()}
        made.finish_training(torch.split(samples, 90))
    assert all(torch.equal(t, before[key]) for key, t in made.state_dict().items())


def test_distances_are_those_of_the_scores_of_principal_components(linear: tuple[PCAAE, Tensor]) -> None:
    made, samples = linear
    with torch.no_grad():
        made.finish_training([samples])
    ours = torch.pdist(made.embed(samples[:50]).detach()).double().numpy()
    scores = PCA(3).fit(samples.numpy()).transform(samples[:50].double().numpy()) / np.sqrt(6)
    theirs = torch.pdist(torch.from_numpy(scores)).numpy()
    assert np.corrcoef(ours, theirs)[0, 1] > 0.999
    np.testing.assert_allclose(ours.mean(), theirs.mean(), rtol=0.02)


@pytest.mark.parametrize("per_stage", [1, 2])
def test_a_stage_changes_nothing_of_those_before(per_stage: int) -> None:
    made, samples = pca_ae(IMAGE, per_stage=per_stage, stage_steps=2), batch(IMAGE, 16)
    optimiser = torch.optim.AdamW(made.parameters(), 1e-2, weight_decay=0.1)
    for step in range(8):
        stage = min(step // 2, 4 // per_stage - 1)
        assert int(made.decoder.stage) == stage
        assert made.in_final_phase == (stage == 4 // per_stage - 1)
        before = {key: t.clone() for key, t in made.state_dict().items()}
        loss = made.loss(samples, RandomGenerator(0, step), step)
        optimiser.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        made.after_step(step, lambda mean: mean)
        changed = {key for key, t in made.state_dict().items() if not torch.equal(t, before[key])}
        owners = {part.split(".")[2] for part in changed if ".stages." in part}
        assert owners == {str(stage)}
        changed_moments = made.encoder.centre != before["encoder.centre"]
        assert changed_moments.nonzero().flatten().tolist() == list(range(stage * per_stage, (stage + 1) * per_stage))


def test_codes_of_one_stage_are_ordered_by_importance() -> None:
    made, samples = pca_ae(per_stage=2, stage_steps=2), batch(n=32).inputs
    train(made, Batch(samples, samples), 6)
    other = pca_ae(per_stage=2, stage_steps=2)
    state = made.eval().state_dict()
    swapped = [1, 0, 2, 3]  # the two codes of the first stage under each other's name
    for name in ("encoder.stages.0.2.weight", "encoder.stages.0.2.bias"):
        state[name] = state[name].flip(0)
    for name in ("encoder.centre", "encoder.deviation"):
        state[name] = state[name][swapped]
    state["decoder.stages.1.0.weight"] = state["decoder.stages.1.0.weight"][:, swapped]
    other.load_state_dict(state)
    with torch.no_grad():
        for each in (made, other.eval()):
            each.finish_training([samples])
            assert (each.importance.view(2, 2).diff(dim=1) < 0).all()
        latents = made.encode(samples)
        torch.testing.assert_close(other.encode(samples), latents)
        torch.testing.assert_close(other.decode(latents), made.decode(latents))


def test_codes_of_stages_to_come_are_zero() -> None:
    made, samples = pca_ae(stage_steps=2), batch(n=16)
    train(made, samples, 3)
    codes = made.eval().encode(samples.inputs)
    assert (codes[:, 2:] == 0).all()
    assert (codes[:, :2] != 0).any(dim=0).all()
    assert torch.equal(made.decode(codes), made.decode(codes + torch.tensor([0, 0, 1.0, 1])))


def test_running_moments_are_means_of_a_new_stage_at_first() -> None:
    made = pca_ae(stage_steps=2)
    raws = []
    for step in (0, 1):
        some = batch(n=8 + step)
        made.loss(some, RandomGenerator(0), step)
        made.after_step(step, lambda mean: mean)
        raws.append(made.encoder.stages[0](some.inputs).detach())
    mean, variance = (torch.stack([f(raw) for raw in raws]).mean(0) for f in (_mean, _variance))
    torch.testing.assert_close(made.encoder.centre[:1], mean)
    torch.testing.assert_close(made.encoder.deviation[:1], variance.sqrt())


def _mean(raw: Tensor) -> Tensor:
    return raw.mean(0)


def _variance(raw: Tensor) -> Tensor:
    return raw.var(0, unbiased=False)


def test_the_penalty_takes_correlations_away() -> None:
    samples = ellipsoid()
    correlations = []
    for weight in (0.0, 3.0):
        codes = trained(samples, 2, weight, seed=2).encode(samples).detach().numpy()
        correlations.append(abs(np.corrcoef(codes.T)[0, 1]))
    assert correlations[1] < 0.01 < 0.05 < correlations[0]


@pytest.mark.parametrize("steps", [(4, 7, 9, 16)])
def test_a_run_goes_on_in_any_stage_as_if_unbroken(steps: tuple[int, ...], tmp_path: Path) -> None:
    data: SampleSet = vectors()
    settings = config("pca_ae", "model.stage_steps=7", data=data)
    train_run(settings, data, tmp_path / "unbroken")
    interrupted(settings, data, tmp_path / "broken", *steps)
    assert same(weights(tmp_path / "unbroken"), weights(tmp_path / "broken"))
    stages = [line["stage"] for line in read_metrics(tmp_path / "unbroken" / "metrics.jsonl") if "stage" in line]
    assert stages[0] == 1
    assert stages[-1] == 2


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"per_stage": 3}, "a divisor of dim 4, got 3"),
        ({"per_stage": 0}, "a divisor of dim 4, got 0"),
        ({"stage_steps": 0}, "model.stage_steps: expected 1 or more, got 0"),
        ({"decorrelation": -1.0}, "model.decorrelation: expected 0 or more"),
    ],
)
def test_impossible_settings(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        PCAAEConfig(dim=4, **settings)  # type: ignore[arg-type]
