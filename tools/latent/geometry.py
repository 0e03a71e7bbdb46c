"""``flatsort latent geometry``: how flat latent spaces are, in numbers and figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flatsort.tools.cli import debug_option, progress, run
from flatsort.tools.latent.common import data_option, models_option, out_option, seed_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flatsort.embedding.geometry.measures import Measures


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@models_option
@data_option
@out_option
@click.option("--points", type=click.IntRange(10), default=500, show_default=True, help="Samples to measure at.")
@seed_option
@debug_option
def main(models: tuple[str, ...], sources: tuple[str, ...], out: Path, points: int, seed: int) -> None:
    """Measure how flat latent spaces are, and draw them.

    Condition number and spread of the log magnification of the decoder's metric tensor, scale-free flatness, shortest
    paths against Euclidean distance and evenness of straight interpolations, at samples and between them. Flat is
    condition 1 and 0 for all spreads.

    Leaves in --out: latent.json, latent.md, reconstructions.png, samples.png, interpolation.png (straight and over a
    graph), map_pca.png, map_tsne.png and, of models with two latent dimensions, metric.png: contours of equal distance
    over log magnification, round where the space is flat. Figures show the first seed of each model.

    \b
    flatsort latent geometry --model runs/vhp --model runs/flat --data pendulum --out runs/latent
    flatsort latent geometry --model flat=a.safetensors,b.safetensors,c.safetensors --data crops/ --out runs/latent
    """
    from flatsort.embedding.data.sources import gather
    from flatsort.tools.latent import latent_tables
    from flatsort.tracker.files import write_text

    found = latent_tables.contenders(models)
    gathered = gather(sources, found[0].models[0].config.shape, out / "data")
    data = latent_tables.choose(gathered.data, points, seed)
    rows = latent_tables.survey(found, data, seed, _shown)
    sentences = latent_tables.notes(rows, found)
    if gathered.skipped:
        sentences.append(f"{len(gathered.skipped)} files were skipped, the first: {gathered.skipped[0]}")
    pictures = latent_tables.draw(found, data, out, seed)
    write_text(out / "latent.md", latent_tables.table(rows, "pipe") + "\n")
    write_text(out / "latent.json", latent_tables.to_json(rows, data, sentences))
    click.echo(latent_tables.table(rows))
    for sentence in sentences:
        click.echo(f"note: {sentence}")
    click.echo(f"{out}: latent.json, latent.md, {', '.join(path.name for path in pictures)}")


def _shown(measured: Iterable[Measures], total: int) -> Iterable[Measures]:
    return progress(measured, total, "measure", "model")


if __name__ == "__main__":
    run(main)
