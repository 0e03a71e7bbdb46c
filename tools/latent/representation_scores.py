"""What `flatsort latent measure` measures of a model, as far as the data tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from flatsort.embedding import checkpoint
from flatsort.embedding.data.shapes import SHAPES
from flatsort.embedding.figures import maps
from flatsort.embedding.figures.colours import colours_of
from flatsort.embedding.figures.information import information_figure
from flatsort.embedding.figures.sheets import Shown, save
from flatsort.embedding.geometry.measures import encode, reconstruction_error
from flatsort.embedding.model import Batch, LatentModel
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.embedding.representation.clustering import clustering
from flatsort.embedding.representation.disentanglement import disentanglement, mutual_information
from flatsort.embedding.representation.downstream import label_efficiency
from flatsort.embedding.representation.factors import Pool, known_factors
from flatsort.tools.latent.latent_tables import Contender, Row, each
from flatsort.tracker.types import Float, Int

if TYPE_CHECKING:
    from flatsort.embedding.data.sample_set import SampleSet

FRESH = 1000
"""Added to the seed of rendered shapes, so that none of a training's set is measured again."""
MAPPED = 500
"""Samples on a map."""
BATCH = 256
COLUMNS = {
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
class Findings:
    """Numbers by name, and sentences about what was left out."""

    numbers: dict[str, float]
    notes: list[str]

    def flat(self) -> dict[str, float]:
        """All numbers by name."""
        return self.numbers


def fresh(sources: Sequence[str], shape: Sequence[int], points: int, seed: int) -> SampleSet | None:
    """Newly rendered samples where the source is one kind of rendered shape (no file of this name): held out."""
    square = len(shape) == 3 and shape[1] == shape[2]
    if len(sources) != 1 or sources[0] not in SHAPES or Path(sources[0]).exists() or not square or shape[0] != 1:
        return None
    return SHAPES[sources[0]](points, FRESH + seed, shape[1])


def survey(
    models: Sequence[Contender], data: SampleSet, seed: int, votes: int, shown: Callable[..., Iterable[Findings]]
) -> list[Row[Findings]]:
    """Measure all models on the same samples; see `measure` and `tools.latent.latent_tables.each`."""

    def measured(path: Path, model: LatentModel) -> Findings:
        return measure(model, data, seed, votes, checkpoint.read_header(path)[1].training.get("steps", 0))

    return each(models, measured, shown)


def measure(model: LatentModel, data: SampleSet, seed: int, votes: int, step: int) -> Findings:
    """Measure a model in evaluation mode.

    Factors are looked for in `LatentModel.encode`, identities in `LatentModel.embed`, by which images are compared.

    Parameters
    ----------
    model : LatentModel
    data : SampleSet
    seed : int
    votes : int
        Points that the classifiers of the disentanglement scores are fitted to; half as many test them.
    step : int
        That training ended with: what the terms of the loss are computed at.

    Raises
    ------
    ValueError
        If latents are not finite.
    """
    latents = _through(model.encode, data)
    numbers: dict[str, float] = {"dim": float(model.dim), **_losses(model, data, seed, step)}
    notes: list[str] = []
    factors, identity = known_factors(data.factors), data.columns["identity"]
    if factors:
        scores = disentanglement(Pool(latents, factors), seed, votes, max(1, votes // 2))
        numbers |= {"disentanglement.chance" if k == "chance" else k: v for k, v in scores.flat().items()}
    known = identity >= 0
    if len(np.unique(identity[known])) > 1:
        compared = _through(model.embed, data)
        numbers |= _attempt(lambda: clustering(compared, identity, seed).flat(), notes)
        tasks = {"identity": (compared[known], identity[known])}
    else:
        notes.append("no identities are known: neither neighbours nor silhouette")
        tasks = {}
    tasks |= {name: (latents, codes) for name, codes in factors.items()}
    numbers |= _downstream(tasks, seed, notes)
    if not factors:
        notes.append("no factors are known: no scores of disentanglement")
    return Findings(numbers, notes)


def notes(rows: Sequence[Row[Findings]]) -> list[str]:
    """What was left out, each sentence once."""
    return list(dict.fromkeys(sentence for row in rows for run in row.runs for sentence in run.notes))


def draw(models: Sequence[Contender], data: SampleSet, out: Path, seed: int) -> list[Path]:
    """Write maps and the table of information of each model's first seed into a folder; gives their paths."""
    figures = {}
    some = data.take(np.sort(RandomGenerator(seed, "map").permutation(len(data))[:MAPPED].numpy()))
    samples, colours = some.tensor(slice(None)), colours_of(some)
    shown = [Shown(one.name, one.models[0], samples, encode(one.models[0], samples)) for one in models]
    for method in maps.METHODS:
        figures[f"map_{method}"] = maps.map_figure(shown, method, colours, seed)
    factors = known_factors(data.factors)
    if factors:
        codes = np.stack(list(factors.values()), axis=1)
        entropy = mutual_information(codes.astype(np.float64), codes, None).diagonal()
        tables = {one.name: mutual_information(_through(one.models[0].encode, data), codes) / entropy for one in models}
        figures["information"] = information_figure(tables, list(factors))
    for name, figure in figures.items():
        save(figure, out / f"{name}.png")
    return [out / f"{name}.png" for name in figures]


def _through(function: Callable[[torch.Tensor], torch.Tensor], data: SampleSet) -> Float:
    """What a function of samples [n *shape] gives for all of them, a part at a time, float64 [n d]."""
    with torch.inference_mode():
        parts = [function(data.tensor(slice(i, i + BATCH))).double().numpy() for i in range(0, len(data), BATCH)]
    found: Float = np.concatenate(parts)
    if not np.isfinite(found).all():
        raise ValueError("expected finite latents, the model gives others")
    return found


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
    found = {}
    for name, (latents, labels) in tasks.items():
        numbers = _attempt(lambda z=latents, y=labels: label_efficiency(z, y, seed).flat(), notes, f"{name}: ")  # type: ignore[misc]
        if numbers:
            found[name] = numbers
    flat = {f"{name}.{key}": value for name, numbers in found.items() for key, value in numbers.items()}
    for key in ("few", "many", "ratio") if found else ():
        flat[f"downstream.{key}"] = float(np.mean([numbers[key] for numbers in found.values()]))
    return flat


def _attempt(measured: Callable[[], dict[str, float]], notes: list[str], prefix: str = "") -> dict[str, float]:
    """Numbers, or none and a note of why they cannot be had."""
    try:
        return measured()
    except ValueError as error:
        notes.append(prefix + str(error))
        return {}
