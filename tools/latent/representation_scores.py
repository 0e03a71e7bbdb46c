"""Scores of latent spaces as representations, as far as the labels and factors of the data allow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from flatsort.embedding import checkpoint
from flatsort.embedding.data.builtin import DATA_SETS, INDEPENDENT_IMAGES
from flatsort.embedding.figures import latent_maps
from flatsort.embedding.figures.image_grids import save_figure
from flatsort.embedding.figures.statistics_plots import information_figure
from flatsort.embedding.geometry.measures import encode, reconstruction_error
from flatsort.embedding.model import Batch, LatentModel
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.embedding.representation.disentanglement import disentanglement, mutual_information
from flatsort.embedding.representation.downstream import label_efficiency
from flatsort.embedding.representation.factors import EncodedFactors, known_factors
from flatsort.embedding.representation.nearest_neighbours import clustering
from flatsort.tools.experiments.model_tables import MeasuredModel, SeededModel, measure_models
from flatsort.tools.latent.common import encode_samples
from flatsort.tracker.config import restore_part
from flatsort.tracker.types import Float, Int

if TYPE_CHECKING:
    from flatsort.embedding.data.sample_set import SampleSet

HELD_OUT_SEED = 1000
"""Added to the seed of rendered shapes, so that the samples are not those of a training."""
MAP_SAMPLES = 500
"""Samples on a map."""
BATCH = 256
TITLES = {
    "dim": "dimensions",
    "error": "error",
    "nll": "reconstruction, nats",
    "kl": "KL, nats",
    "beta_vae": "BetaVAE score",
    "factor_vae": "FactorVAE score",
    "mig": "MIG",
    "active": "active dimensions",
    "downstream.few": "accuracy, 100 labels",
    "downstream.many": "accuracy, all labels (at most 10,000)",
    "downstream.ratio": "statistical efficiency",
    "knn": "5-NN accuracy",
    "nearest": "1-NN accuracy",
    "silhouette": "silhouette",
}
"""Measures of the table with their titles; the JSON has all, those of single factors too."""


@dataclass(frozen=True)
class RepresentationScores:
    """Scores by name, and sentences about what was left out."""

    scores: dict[str, float]
    notes: list[str]

    def flat(self) -> dict[str, float]:
        """All scores by name."""
        return self.scores


def render_held_out(sources: Sequence[str], shape: Sequence[int], points: int, seed: int) -> SampleSet | None:
    """Newly rendered samples if the only source is a kind of rendered shape, and no file of this name: held out."""
    square = len(shape) == 3 and shape[1] == shape[2]
    names = DATA_SETS.names(INDEPENDENT_IMAGES)
    if len(sources) != 1 or sources[0] not in names or Path(sources[0]).exists() or not square or shape[0] != 1:
        return None
    settings = {"name": sources[0], "samples": points, "seed": HELD_OUT_SEED + seed, "size": shape[1]}
    return DATA_SETS.build(restore_part(DATA_SETS, settings))


def score_models(
    models: Sequence[SeededModel[LatentModel]], data: SampleSet, seed: int, votes: int
) -> list[MeasuredModel[RepresentationScores]]:
    """Score all models on the same samples; see `score`."""

    def measured(file: str, model: LatentModel) -> RepresentationScores:
        return score(model, data, seed, votes, checkpoint.read_header(file)[1].training.get("steps", 0))

    return measure_models(models, measured)


def score(model: LatentModel, data: SampleSet, seed: int, votes: int, step: int) -> RepresentationScores:
    """Score a model in evaluation mode.

    Factors are predicted from `LatentModel.encode`, identities from `LatentModel.embed`, by which images are compared.

    Parameters
    ----------
    model : LatentModel
    data : SampleSet
    seed : int
    votes : int
        Points that the classifiers of the disentanglement scores are fitted to; half as many test them.
    step : int
        Last training step, at which the terms of the loss are computed.

    Raises
    ------
    ValueError
        If latents are not finite.
    """
    latents = _apply(model.encode, data)
    scores: dict[str, float] = {"dim": float(model.dim), **_losses(model, data, seed, step)}
    notes: list[str] = []
    factors, identity = known_factors(data.factors), data.columns["identity"]
    if factors:
        measured = disentanglement(EncodedFactors(latents, factors), seed, votes, max(1, votes // 2))
        scores |= {"disentanglement.chance" if k == "chance" else k: v for k, v in measured.flat().items()}
    known = identity >= 0
    if len(np.unique(identity[known])) > 1:
        compared = _apply(model.embed, data)
        scores |= _attempt(lambda: clustering(compared, identity, seed).flat(), notes)
        tasks = {"identity": (compared[known], identity[known])}
    else:
        notes.append("no identities are known: neither neighbours nor silhouette")
        tasks = {}
    tasks |= {name: (latents, codes) for name, codes in factors.items()}
    scores |= _downstream(tasks, seed, notes)
    if not factors:
        notes.append("no factors are known: no scores of disentanglement")
    return RepresentationScores(scores, notes)


def notes_of(rows: Sequence[MeasuredModel[RepresentationScores]]) -> list[str]:
    """What was left out, each sentence once."""
    return list(dict.fromkeys(note for row in rows for seed in row.seeds for note in seed.notes))


def draw(models: Sequence[SeededModel[LatentModel]], data: SampleSet, out: Path, seed: int) -> list[Path]:
    """Write maps and mutual information of each model's first seed into a folder; gives the paths of the figures."""
    figures = {}
    some = data.take(np.sort(RandomGenerator(seed, "map").permutation(len(data))[:MAP_SAMPLES].numpy()))
    encoded, colours = encode_samples(models, some), latent_maps.colours_of(some)
    for method in latent_maps.METHODS:
        figures[f"map_{method}"] = latent_maps.map_figure(encoded, method, colours, seed)
    factors = known_factors(data.factors)
    if factors:
        codes = np.stack(list(factors.values()), axis=1)
        entropy = mutual_information(codes.astype(np.float64), codes, None).diagonal()
        tables = {one.name: mutual_information(_apply(one.models[0].encode, data), codes) / entropy for one in models}
        figures["information"] = information_figure(tables, list(factors))
    for name, figure in figures.items():
        save_figure(figure, out / f"{name}.png")
    return [out / f"{name}.png" for name in figures]


def _apply(function: Callable[[torch.Tensor], torch.Tensor], data: SampleSet) -> Float:
    """A function of samples [n *shape] applied to all of them, a batch at a time, float64 [n d]."""
    with torch.inference_mode():
        parts = [function(data.tensor(slice(i, i + BATCH))).double().numpy() for i in range(0, len(data), BATCH)]
    latents: Float = np.concatenate(parts)
    if not np.isfinite(latents).all():
        raise ValueError("expected finite latents, the model gives others")
    return latents


def _losses(model: LatentModel, data: SampleSet, seed: int, step: int) -> dict[str, float]:
    """Reconstruction error, and terms of the loss in nats where the model has them; means over the samples."""
    sums: dict[str, float] = {}
    generator = RandomGenerator(seed, "measure")
    for start in range(0, len(data), BATCH):
        samples = data.tensor(slice(start, start + BATCH))
        with torch.no_grad():
            terms = model.loss(Batch(samples, samples), generator, step).terms
        for name in ("nll", "kl"):
            if name in terms:
                sums[name] = sums.get(name, 0.0) + float(terms[name]) * len(samples) / len(data)
    some = data.tensor(slice(0, 16 * BATCH))
    return {"error": reconstruction_error(model, some, encode(model, some)), **sums}


def _downstream(tasks: dict[str, tuple[Float, Int]], seed: int, notes: list[str]) -> dict[str, float]:
    """Accuracies of every task, and their means over the tasks."""
    by_task = {}
    for name, (latents, labels) in tasks.items():
        scores = _attempt(lambda z=latents, y=labels: label_efficiency(z, y, seed).flat(), notes, f"{name}: ")  # type: ignore[misc]
        if scores:
            by_task[name] = scores
    flat = {f"{name}.{key}": value for name, scores in by_task.items() for key, value in scores.items()}
    for key in ("few", "many", "ratio") if by_task else ():
        flat[f"downstream.{key}"] = float(np.mean([scores[key] for scores in by_task.values()]))
    return flat


def _attempt(measured: Callable[[], dict[str, float]], notes: list[str], prefix: str = "") -> dict[str, float]:
    """Scores, or none and a note why they cannot be computed."""
    try:
        return measured()
    except ValueError as error:
        notes.append(prefix + str(error))
        return {}
