"""``flatsort latent factors``: how latents go with the known factors of rendered samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import numpy as np

from flatsort.tools.cli import debug_option, run
from flatsort.tools.latent.common import data_option, gathered, models_option, out_option, seed_option, write_json

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
    """Correlate every number of a latent with every known factor: area, position, angle and so on.

    The magnitude of Pearson's coefficient, which sees lines only: `flatsort latent measure` scores disentanglement.
    Latents come in the model's order, or by their importance (see `flatsort latent traverse`), which makes the seeds of
    a model comparable whose numbers have no order.

    Leaves in --out: factors.json, factors.md. Needs data with factors: ellipses, disks, sprites, pendulum.

    \b
    flatsort latent factors --model pca=runs/pca_0,runs/pca_1 --model runs/ae --data ellipses --out runs/factors
    """
    from flatsort.tools.latent import latent_tables
    from flatsort.tracker.files import write_text

    found = latent_tables.contenders(models)
    whole = gathered(sources, found[0].models[0], out)
    if not whole.factors:
        raise ValueError(f"data {', '.join(sources)}: expected samples whose factors are known, such as ellipses")
    data = latent_tables.choose(whole, points, seed)
    tables = {one.name: np.stack([correlations(model, data, order) for model in one.models]) for one in found}
    names = list(data.factors)
    results = [
        {
            "model": one.name,
            "files": [str(path) for path in one.files],
            "mean": {name: tables[one.name].mean(0)[i].tolist() for i, name in enumerate(names)},
            "deviation": {name: _deviation(tables[one.name])[i].tolist() for i, name in enumerate(names)},
            "runs": [dict(zip(names, table.tolist(), strict=True)) for table in tables[one.name]],
        }
        for one in found
    ]
    write_text(out / "factors.md", _table(tables, names, "pipe") + "\n")
    write_json(out / "factors.json", {"data": data.note, "samples": len(data), "order": order, "results": results})
    click.echo(_table(tables, names))
    click.echo(f"{out}: factors.json, factors.md")


def correlations(model: LatentModel, data: SampleSet, order: str = "model") -> Float:
    """Magnitude of Pearson's correlation of factors and latents.

    Parameters
    ----------
    model : LatentModel
    data : SampleSet
        With factors.
    order : str
        Of the latents: ``model``, or ``importance``: the most important first.

    Returns
    -------
    float64 [factors d]
        0 where a latent or a factor never changes.
    """
    from flatsort.embedding.figures.traversals import dimensions
    from flatsort.embedding.geometry.measures import encode

    latents = encode(model, data.tensor(slice(None)))
    if order == "importance":
        latents = latents[:, dimensions(model, latents).ranking]
    factors = np.stack(list(data.factors.values()))
    return np.abs(_standard(factors) @ _standard(latents.double().numpy().T).T) / len(data)


def _standard(rows: Float) -> Float:
    apart = rows - rows.mean(1, keepdims=True)
    deviation = apart.std(1, keepdims=True)
    alike = deviation <= 1e-9 * np.abs(rows).max(1, keepdims=True)
    return np.where(alike, 0.0, apart / np.where(alike, 1.0, deviation))


def _deviation(tables: Float) -> Float:
    return tables.std(0, ddof=1) if len(tables) > 1 else np.zeros_like(tables[0])


def _table(tables: dict[str, Float], names: list[str], style: Literal["simple", "pipe"] = "simple") -> str:
    """One line a model and factor, one column a latent; mean ± deviation of several seeds."""
    from tabulate import tabulate

    body = []
    for model, table in tables.items():
        mean, spread = table.mean(0), _deviation(table)
        for name, means, spreads in zip(names, mean, spread, strict=True):
            pairs = zip(means, spreads, strict=True)
            cells = [f"{m:.3f} ± {s:.3f}" if len(table) > 1 else f"{m:.3f}" for m, s in pairs]
            body.append([model, name, *cells])
    most = max(table.shape[2] for table in tables.values())
    return tabulate(body, ["", "factor", *(f"z{i + 1}" for i in range(most))], tablefmt=style, disable_numparse=True)


if __name__ == "__main__":
    run(main)
