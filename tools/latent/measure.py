"""``flatsort latent measure``: how good latent spaces are as representations."""

from __future__ import annotations

from pathlib import Path

import click

from flatsort.tools.cli import debug_option, run
from flatsort.tools.latent.common import (
    data_option,
    draw_subset,
    gather_with_notes,
    models_option,
    out_option,
    seed_option,
)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@models_option
@data_option
@out_option
@click.option("--points", type=click.IntRange(200), default=15_000, show_default=True, help="Samples, at most.")
@click.option(
    "--votes", type=click.IntRange(50), default=10_000, show_default=True, help="Points of the disentanglement scores."
)
@click.option(
    "--figures/--no-figures",
    default=True,
    show_default=True,
    help="Maps and mutual information.",
)
@seed_option
@debug_option
def main(
    models: tuple[str, ...], sources: tuple[str, ...], out: Path, points: int, votes: int, figures: bool, seed: int
) -> None:
    """Measure how good latent spaces are as representations, as far as labels and factors of the data allow.

    Known factors (sprites, ellipses, …): BetaVAE score, FactorVAE score, MIG. Factors and identities: accuracy of a
    linear classifier with 100 and with 10,000 labels on held-out samples. Identities (digits, images of people):
    nearest neighbours and silhouette. Always: reconstruction. Rendered shapes are rendered anew, so that no training
    had the same images.

    Leaves in --out: measure.json, measure.md, map_pca.png, map_tsne.png, information.png (mutual information of
    latents and factors). Figures show the first seed of each model.

    \b
    flatsort latent measure --model b1=a,b,c --model b4=d,e,f --data sprites --out runs/measure
    flatsort latent measure --model runs/vae --data cuhk03/val --no-figures --out runs/people
    """
    from flatsort.tools.experiments import model_tables
    from flatsort.tools.latent import representation_scores
    from flatsort.tracker.files import write_text

    compared = model_tables.load_latent_models(models)
    shape = compared[0].models[0].config.shape
    skipped: list[str] = []
    data = representation_scores.render_held_out(sources, shape, points, seed)
    if data is None:
        gathered, skipped = gather_with_notes(sources, compared[0].models[0], out)
        data = draw_subset(gathered, points, seed)
    rows = representation_scores.score_models(compared, data, seed, votes)
    notes = [*representation_scores.notes_of(rows), *skipped]
    files = representation_scores.draw(compared, data, out, seed) if figures else []
    titles = representation_scores.TITLES
    write_text(out / "measure.md", model_tables.table_of_measures(rows, titles, "pipe") + "\n")
    write_text(out / "measure.json", model_tables.measures_to_json(rows, data, notes))
    click.echo(model_tables.table_of_measures(rows, titles))
    for note in notes:
        click.echo(f"note: {note}")
    click.echo(f"{out}: {', '.join(['measure.json', 'measure.md', *(path.name for path in files)])}")


if __name__ == "__main__":
    run(main)
