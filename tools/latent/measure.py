"""``flatsort latent measure``: how good latent spaces are as representations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flatsort.tools.cli import debug_option, progress, run
from flatsort.tools.latent.common import data_option, models_option, out_option, seed_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flatsort.tools.latent.representation_scores import Findings


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@models_option
@data_option
@out_option
@click.option("--points", type=click.IntRange(200), default=15_000, show_default=True, help="Samples, at most.")
@click.option(
    "--votes", type=click.IntRange(50), default=10_000, show_default=True, help="Points of the disentanglement scores."
)
@click.option("--figures/--no-figures", default=True, show_default=True, help="Maps, and which latent knows what.")
@seed_option
@debug_option
def main(
    models: tuple[str, ...], sources: tuple[str, ...], out: Path, points: int, votes: int, figures: bool, seed: int
) -> None:
    """Measure what latent spaces are worth as representations, as far as the data tell.

    Known factors (sprites, ellipses, …): BetaVAE score, FactorVAE score, MIG. Factors and identities: accuracy of a
    linear classifier with 100 and with 10,000 labels on held-out samples. Identities (digits, pictures of people):
    nearest neighbours and silhouette. Always: reconstruction. Of rendered shapes new pictures are drawn, which no
    training has seen.

    Leaves in --out: measure.json, measure.md, map_pca.png, map_tsne.png, information.png (which latent knows of which
    factor). Figures show the first seed of each model.

    \b
    flatsort latent measure --model b1=a,b,c --model b4=d,e,f --data sprites --out runs/measure
    flatsort latent measure --model runs/vae --data cuhk03/val --no-figures --out runs/people
    """
    from flatsort.embedding.data.sources import gather
    from flatsort.tools.latent import latent_tables, representation_scores
    from flatsort.tracker.files import write_text

    found = latent_tables.contenders(models)
    shape = found[0].models[0].config.shape
    data, skipped = representation_scores.fresh(sources, shape, points, seed), []
    if data is None:
        gathered = gather(sources, shape, out / "data")
        data, skipped = latent_tables.choose(gathered.data, points, seed), gathered.skipped
    rows = representation_scores.survey(found, data, seed, votes, _shown)
    sentences = representation_scores.notes(rows)
    if skipped:
        sentences.append(f"{len(skipped)} files were skipped, the first: {skipped[0]}")
    pictures = representation_scores.draw(found, data, out, seed) if figures else []
    write_text(out / "measure.md", latent_tables.table(rows, "pipe", representation_scores.COLUMNS) + "\n")
    write_text(out / "measure.json", latent_tables.to_json(rows, data, sentences))
    click.echo(latent_tables.table(rows, columns=representation_scores.COLUMNS))
    for sentence in sentences:
        click.echo(f"note: {sentence}")
    click.echo(f"{out}: {', '.join(['measure.json', 'measure.md', *(path.name for path in pictures)])}")


def _shown(measured: Iterable[Findings], total: int) -> Iterable[Findings]:
    return progress(measured, total, "measure", "model")


if __name__ == "__main__":
    run(main)
