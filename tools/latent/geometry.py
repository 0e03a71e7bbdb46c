"""``flatsort latent geometry``: how flat latent spaces are, in numbers and figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatsort.embedding.data.sample_set import SampleSet
    from flatsort.embedding.geometry.measures import LatentGeometry
    from flatsort.embedding.model import LatentModel
    from flatsort.tools.experiments.model_tables import MeasuredModel, SeededModel

PAIRS = 2
"""Interpolations that are drawn of each model."""
TITLES = {
    "dim": "dimensions",
    "error": "error",
    "data.condition_median": "condition",
    "data.magnification_std": "magnification std",
    "data.flatness": "flatness",
    "between.condition_median": "condition, between",
    "between.magnification_std": "std, between",
    "between.flatness": "flatness, between",
    "geodesic_ratio": "geodesic / c·Euclid",
    "geodesic_variation": "its variation",
    "curvature": "curvature",
}
"""Measures of the table with their titles; the JSON has all."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@models_option
@data_option
@out_option
@click.option("--points", type=click.IntRange(10), default=500, show_default=True, help="Samples to measure at.")
@seed_option
@debug_option
def main(models: tuple[str, ...], sources: tuple[str, ...], out: Path, points: int, seed: int) -> None:
    """Measure how flat latent spaces are, and draw them.

    Condition number and standard deviation of the log magnification of the decoder's metric tensor, scale-free
    flatness, shortest paths relative to Euclidean distance and evenness of straight interpolations, at samples and
    between them. A flat space has condition 1 and standard deviations 0.

    Leaves in --out: latent.json, latent.md, reconstructions.png, samples.png, interpolation.png (straight and over a
    graph), map_pca.png, map_tsne.png and, of models with two latent dimensions, metric.png: contours of equal distance
    over log magnification, round where the space is flat. Figures show the first seed of each model.

    \b
    flatsort latent geometry --model runs/vhp --model runs/flat --data pendulum --out runs/latent
    flatsort latent geometry --model flat=a.safetensors,b.safetensors,c.safetensors --data crops/ --out runs/latent
    """
    from flatsort.embedding.geometry.measures import measure_geometry
    from flatsort.tools.experiments import model_tables
    from flatsort.tracker.files import write_text

    compared = model_tables.load_latent_models(models)
    gathered, skipped = gather_with_notes(sources, compared[0].models[0], out)
    data = draw_subset(gathered, points, seed)
    samples = data.tensor(slice(None))
    rows = model_tables.measure_models(compared, lambda _, model: measure_geometry(model, samples, seed))
    notes = [*_notes(rows, compared), *skipped]
    files = _draw(compared, data, out, seed)
    write_text(out / "latent.md", model_tables.table_of_measures(rows, TITLES, "pipe") + "\n")
    write_text(out / "latent.json", model_tables.measures_to_json(rows, data, notes))
    click.echo(model_tables.table_of_measures(rows, TITLES))
    for note in notes:
        click.echo(f"note: {note}")
    click.echo(f"{out}: latent.json, latent.md, {', '.join(path.name for path in files)}")


def _notes(rows: Sequence[MeasuredModel[LatentGeometry]], models: Sequence[SeededModel[LatentModel]]) -> list[str]:
    """Sentences about what the table or the figures leave out."""
    notes = []
    for row in rows:
        singular, points = (sum(getattr(seed.data, name) for seed in row.seeds) for name in ("singular", "points"))
        if singular:
            notes.append(
                f"{row.name}: the metric is singular at {singular} of {points} samples; condition is cut there"
            )
    notes += [
        f"{one.name}: no contours in metric.png, which shows 2 latent dimensions, not {one.models[0].dim}"
        for one in models
        if one.models[0].dim != 2
    ]
    return notes


def _draw(models: Sequence[SeededModel[LatentModel]], data: SampleSet, out: Path, seed: int) -> list[Path]:
    """Write the figures of each model's first seed into a folder; gives their paths."""
    from flatsort.embedding.figures import decoded_images, latent_maps, metric_contours
    from flatsort.embedding.figures.image_grids import save_figure
    from flatsort.tools.latent.common import encode_samples

    encoded = encode_samples(models, data)
    samples, colours = encoded[0].samples, latent_maps.colours_of(data)
    pairs = decoded_images.choose_pairs(samples, PAIRS, seed)
    figures = {
        "interpolation": decoded_images.interpolations(encoded, pairs, seed),
        "reconstructions": decoded_images.reconstructions(encoded),
        "samples": decoded_images.prior_samples(encoded, seed),
        **{f"map_{method}": latent_maps.map_figure(encoded, method, colours, seed) for method in latent_maps.METHODS},
    }
    planar = [one for one in encoded if one.model.dim == 2]
    if planar:
        figures["metric"] = metric_contours.metric_figure(planar, colours, seed)
    written = []
    for name, figure in figures.items():
        if figure is not None:
            written.append(out / f"{name}.png")
            save_figure(figure, written[-1])
    return written


if __name__ == "__main__":
    run(main)
