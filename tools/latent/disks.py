"""``flatsort latent disks``: how autoencoders code the size and the position of a shape."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flatsort.tools.cli import debug_option, progress, run
from flatsort.tools.latent.common import open_model, out_option, seed_option, write_json

if TYPE_CHECKING:
    from flatsort.embedding.model import LatentModel


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@out_option
@click.option("--size", type=click.IntRange(16), default=64, show_default=True, help="Pixels of a side, even.")
@click.option("--steps", type=click.IntRange(1), help="Of each of the four trainings.  [default: those of the recipes]")
@click.option(
    "--shape",
    type=click.Choice(["disk", "square", "ellipse", "heart"]),
    default="disk",
    show_default=True,
    help="Shape of the model without biases; the others have disks.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="PART=M",
    help="A trained disk_ae to use instead of training: biases, no_biases, moving or moving_coord.",
)
@seed_option
@debug_option
def main(out: Path, size: int, steps: int | None, shape: str, models: tuple[str, ...], seed: int) -> None:
    """Train disk autoencoders and compare their codes and decoders with theory.

    With biases one number is enough for a disk of any size, and it grows with the area. Without biases the decoder
    scales one image, D(λz) = λD(z), and its profile is the solution of Airy's equation f'' = −k·f·ρ. The position of a
    disk is learned in two numbers, without and with coordinates as channels (CoordConv). Four trainings on 3000
    images by the recipes disks_disk_ae, disks_disk_ae_bias_free, moving_disks_disk_ae and moving_disks_disk_ae_coord.

    Leaves in --out: disks.json, size.png (input, output), code.png (against radius and area), profiles.png (input and
    output without biases), comparison.png (learned profile, Airy's, numerical maximum), place.png (input, output),
    map.png (codes of positions) and a run folder of each training.

    \b
    flatsort latent disks --out runs/disks
    flatsort latent disks --out runs/squares --shape square
    flatsort latent disks --out runs/disks --model biases=runs/a --model no_biases=runs/b --steps 2000
    """
    from flatsort.embedding.figures.image_grids import save_figure
    from flatsort.tools.latent.disk_experiment import figures, study

    if size % 2:
        raise click.UsageError(f"--size: expected an even number, got {size}")
    trained = _trained_models(models, size)
    tested = {}
    for name in progress(study.RECIPES, len(study.RECIPES), "train", "model"):
        kind = shape if name == "no_biases" else "disk"
        model = trained.get(name) or study.train_model(name, kind, size, steps, seed, out / name)
        tested[name] = study.apply_model(name, kind, model, seed)
    profile, radii, profiles = study.measure_profile(tested["no_biases"], shape)
    measures = {
        "biases": study.measure_size(tested["biases"]),
        "no_biases": profile,
        **{name: study.measure_position(tested[name], seed) for name in ("moving", "moving_coord")},
    }
    write_json(out / "disks.json", {"size": size, "seed": seed, "shape": shape, **measures})
    figures.draw_figures(tested, measures["biases"], out)
    title = f"Without biases, {shape}: L2 distance to Airy's {profile['l2_airy']:.3f} (unit norms)"
    save_figure(figures.profile_comparison(radii, profiles, title), out / "comparison.png")
    for name, values in measures.items():
        click.echo(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in values.items()))


def _trained_models(models: tuple[str, ...], size: int) -> dict[str, LatentModel]:
    """The models that the user has trained already, by their name in the experiment."""
    from flatsort.tools.latent.disk_experiment.study import RECIPES

    opened: dict[str, LatentModel] = {}
    for text in models:
        name, _, file = text.partition("=")
        if name not in RECIPES or not file or name in opened:
            raise ValueError(f"model {text!r}: expected PART=M, each part once, of {', '.join(RECIPES)}")
        model = open_model(file, ["disk_ae"])
        shape, dim = [1, size, size], 2 if name.startswith("moving") else 1
        if (model.config.shape, model.dim) != (shape, dim):
            raise ValueError(
                f"model {text}: expected samples of {shape} (--size {size}) and dim {dim}, "
                f"got {model.config.shape} and {model.dim}"
            )
        opened[name] = model
    return opened


if __name__ == "__main__":
    run(main)
