"""``flatsort latent factors``: correlations of latents with the known factors of rendered samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import numpy as np

from flatsort.tools.cli import debug_option, run
from flatsort.tools.latent.common import (
    data_option,
    draw_subset,
    gather_samples,
    models_option,
    out_option,
    seed_option,
    write_json,
)

if TYPE_CHECKING:
    from flatsort.embedding.data.sample_set import SampleSet
    from flatsort.embedding.model import LatentModel
    from flatsort.tracker.types import Float


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@models_option
@data_option
@out_option
@click.option("--points", type=click.IntRange(10), default=2000, show_default=True, help="Samples to measure on.")
@click.option("--order", type=click.Choice(["importance", "model"]), default="model", show_default=True)
@seed_option
@debug_option
def main(models: tuple[str, ...], sources: tuple[str, ...], out: Path, points: int, order: str, seed: int) -> None:
    """Correlate every latent dimension with every known factor: area, position, angle and so on.

    The magnitude of Pearson's coefficient, which measures linear dependence only: `flatsort latent measure` scores
    disentanglement. Dimensions are in the model's order, or ordered by importance (see `flatsort latent traverse`),
    which makes the seeds of a model comparable whose dimensions have no order.

    Leaves in --out: factors.json, factors.md. Needs data with factors: ellipses, disks, sprites, pendulum.

    \b
    flatsort latent factors --model pca=runs/pca_0,runs/pca_1 --model runs/ae --data ellipses --out runs/factors
    """
    from flatsort.tools.experiments import model_tables
    from flatsort.tools.experiments.seed_statistics import array_mean_and_std
    from flatsort.tracker.files import write_text

    compared = model_tables.load_latent_models(models)
    gathered = gather_samples(sources, compared[0].models[0], out)
    if not gathered.factors:
        raise ValueError(f"data {', '.join(sources)}: expected samples whose factors are known, such as ellipses")
    data = draw_subset(gathered, points, seed)
    names = list(data.factors)
    tables = {one.name: np.stack([correlations(model, data, order) for model in one.models]) for one in compared}
    results = []
    for one in compared:
        mean, std = array_mean_and_std(tables[one.name])
        results.append(
            {
                "model": one.name,
                "files": one.files,
                "mean": dict(zip(names, mean.tolist(), strict=True)),
                "deviation": dict(zip(names, std.tolist(), strict=True)),
                "runs": [dict(zip(names, table.tolist(), strict=True)) for table in tables[one.name]],
            }
        )
    write_text(out / "factors.md", _table(tables, names, "pipe") + "\n")
    write_json(out / "factors.json", {"data": data.note, "samples": len(data), "order": order, "results": results})
    click.echo(_table(tables, names))
    click.echo(f"{out}: factors.json, factors.md")


def correlations(model: LatentModel, data: SampleSet, order: str = "model") -> Float:
    """Magnitude of Pearson's correlation of factors and latent dimensions.

    Parameters
    ----------
    model : LatentModel
    data : SampleSet
        With factors.
    order : str
        Of the dimensions: ``model``, or ``importance``: the most important first.

    Returns
    -------
    float64 [factors d]
        0 where a dimension or a factor is constant.
    """
    from flatsort.embedding.geometry.measures import encode, latent_dimensions

    latents = encode(model, data.tensor(slice(None)))
    if order == "importance":
        latents = latents[:, latent_dimensions(model, latents).ranking]
    factors = np.stack(list(data.factors.values()))
    return np.abs(_standardised(factors) @ _standardised(latents.double().numpy().T).T) / len(data)


def _standardised(rows: Float) -> Float:
    """Rows [k n] with mean 0 and standard deviation 1; 0 where a row is constant."""
    centred = rows - rows.mean(1, keepdims=True)
    std = centred.std(1, keepdims=True)
    constant = std <= 1e-9 * np.abs(rows).max(1, keepdims=True)
    return np.where(constant, 0.0, centred / np.where(constant, 1.0, std))


def _table(tables: dict[str, Float], names: list[str], style: Literal["simple", "pipe"] = "simple") -> str:
    """One line per model and factor, one column per latent dimension; mean ± standard deviation of several seeds."""
    from tabulate import tabulate

    from flatsort.tools.experiments.seed_statistics import array_mean_and_std, format_mean_std

    body = []
    for model, table in tables.items():
        for name, means, stds in zip(names, *array_mean_and_std(table), strict=True):
            body.append([model, name, *(format_mean_std(m, s, len(table)) for m, s in zip(means, stds, strict=True))])
    most = max(table.shape[2] for table in tables.values())
    return tabulate(body, ["", "factor", *(f"z{i + 1}" for i in range(most))], tablefmt=style, disable_numparse=True)


if __name__ == "__main__":
    run(main)
