"""``flatsort latent traverse``: how the decoded image changes along each latent dimension."""

from __future__ import annotations

from pathlib import Path

import click

from flatsort.tools.cli import debug_option, run
from flatsort.tools.latent.common import (
    data_option,
    draw_subset,
    gather_samples,
    model_option,
    open_model,
    out_option,
    seed_option,
    write_json,
)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@model_option
@data_option
@out_option
@click.option("--top", type=click.IntRange(1), default=10, show_default=True, help="Dimensions to draw.")
@click.option("--order", type=click.Choice(["importance", "model"]), default="importance", show_default=True)
@click.option(
    "--reach", type=click.FloatRange(0, min_open=True), default=2.0, show_default=True, help="In standard deviations."
)
@click.option("--images", type=click.IntRange(2), default=9, show_default=True, help="Images in a row.")
@click.option("--sample", type=click.IntRange(0), help="Row of --data to start from; else the mean of all latents.")
@click.option("--points", type=click.IntRange(10), default=300, show_default=True, help="Samples to measure on.")
@seed_option
@debug_option
def main(
    model: str,
    sources: tuple[str, ...],
    out: Path,
    top: int,
    order: str,
    reach: float,
    images: int,
    sample: int | None,
    points: int,
    seed: int,
) -> None:
    """Draw how the decoded image changes along each latent dimension, the most important first.

    A dimension's importance is the root mean square change of the decoded sample, as the model's likelihood weighs it,
    where the dimension is set to its mean; for a linear model with uncorrelated codes this is the root of a principal
    component's eigenvalue. --order model keeps the model's own order (pca_ae: that of its stages).

    Leaves in --out: traverse.png and traverse.json (mean, standard deviation, importance and share of each dimension).

    \b
    flatsort latent traverse --model runs/pca --data ellipses --out runs/traverse
    flatsort latent traverse --model flat_vhp_vae --data crops/ --sample 7 --top 5 --out runs/traverse
    """
    from flatsort.embedding.figures.decoded_images import traversals
    from flatsort.embedding.figures.image_grids import drawing_for, save_figure
    from flatsort.embedding.geometry.measures import encode, latent_dimensions

    opened = open_model(model)
    data = gather_samples(sources, opened, out)
    if sample is not None and sample >= len(data):
        raise click.UsageError(f"--sample: expected a row below {len(data)}, got {sample}")
    latents = encode(opened, draw_subset(data, points, seed).tensor(slice(None)))
    dimensions = latent_dimensions(opened, latents)
    ranking = dimensions.ranking if order == "importance" else list(range(opened.dim))
    start = dimensions.mean if sample is None else encode(opened, data.tensor(slice(sample, sample + 1)))[0]
    figure = traversals(opened, dimensions, ranking[:top], start, reach, images, drawing_for(data.note))
    save_figure(figure, out / "traverse.png")
    rows = [
        {
            "dimension": i + 1,
            "importance": float(dimensions.importance[i]),
            "share": float(dimensions.shares[i]),
            "mean": float(dimensions.mean[i]),
            "deviation": float(dimensions.std[i]),
        }
        for i in ranking
    ]
    note = {"model": model, "kind": opened.config.name, "data": data.note, "samples": len(latents), "order": order}
    write_json(out / "traverse.json", {**note, "dimensions": rows})
    for row in rows[:top]:
        click.echo(f"z{row['dimension']}: {100 * row['share']:.1f} % of the change, importance {row['importance']:.3g}")
    click.echo(f"{out}: traverse.json, traverse.png")


if __name__ == "__main__":
    run(main)
