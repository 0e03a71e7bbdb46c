"""``flatsort latent disks``: how an autoencoder codes the size and the place of a shape."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flatsort.tools.cli import debug_option, progress, run
from flatsort.tools.latent.common import open_model, out_option, seed_option, write_json

if TYPE_CHECKING:
    from torch import Tensor

    from flatsort.embedding.model import LatentModel
    from flatsort.tools.latent.disk_study import Part
    from flatsort.tracker.types import Float, Int

SHOWN = 10
"""Pictures of a row."""
RADII = (0.2, 0.4, 0.6, 0.8)
"""Sizes whose profiles are drawn, as shares of the largest."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@out_option
@click.option("--size", type=click.IntRange(16), default=64, show_default=True, help="Pixels of a side, even.")
@click.option("--steps", type=click.IntRange(1), help="Of each of the four trainings.  [default: those of the recipes]")
@click.option(
    "--shape",
    type=click.Choice(["disk", "square", "ellipse", "heart"]),
    default="disk",
    show_default=True,
    help="What is scaled without biases; all else is about disks.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="PART=M",
    help="A trained disk_ae instead of a training: biases, no_biases, moving or moving_coord.",
)
@seed_option
@debug_option
def main(out: Path, size: int, steps: int | None, shape: str, models: tuple[str, ...], seed: int) -> None:
    """Train disk autoencoders, and see what their codes and their decoders are.

    With biases one number is enough for a disk of any size, and it grows with the area. Without biases the decoder
    scales one picture, D(λz) = λD(z), and its profile is the solution of Airy's equation f'' = −k·f·ρ. The place of a
    disk is learned in two numbers, without and with coordinates as channels (CoordConv). Four trainings of 3000
    pictures by the recipes disks_disk_ae, disks_disk_ae_bias_free, moving_disks_disk_ae and moving_disks_disk_ae_coord.

    Leaves in --out: disks.json, size.png (input, output), code.png (against radius and area), profiles.png (input and
    output without biases), comparison.png (learned profile, Airy's, numerical maximum), place.png (input, output),
    map.png (codes of places) and the runs of training in a folder each.

    \b
    flatsort latent disks --out runs/disks
    flatsort latent disks --out runs/squares --shape square
    flatsort latent disks --out runs/disks --model biases=runs/a --model no_biases=runs/b --steps 2000
    """
    from flatsort.embedding.figures import disks as figures
    from flatsort.embedding.figures.sheets import save
    from flatsort.tools.latent import disk_study as study

    if size % 2:
        raise click.UsageError(f"--size: expected an even number, got {size}")
    given = _given(models, size)
    parts = {}
    for name in progress(study.RECIPES, len(study.RECIPES), "train", "model"):
        model = given.get(name) or study.trained(name, _shape(name, shape), size, steps, seed, out / name)
        parts[name] = study.part(name, _shape(name, shape), model, seed)
    profile, places, curves = study.measure_profile(parts["no_biases"], shape)
    numbers = {
        "biases": study.measure_size(parts["biases"]),
        "no_biases": profile,
        **{name: study.measure_place(parts[name], seed) for name in ("moving", "moving_coord")},
    }
    write_json(out / "disks.json", {"size": size, "seed": seed, "shape": shape, **numbers})
    _draw(parts, numbers["biases"], out)
    title = f"Without biases, {shape}: L2 distance to Airy's {profile['l2_airy']:.3f} (unit norms)"
    save(figures.comparison(places, curves, title), out / "comparison.png")
    for name, values in numbers.items():
        click.echo(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in values.items()))


def _shape(name: str, shape: str) -> str:
    """The shape that a part of the experiment is about."""
    return shape if name == "no_biases" else "disk"


def _given(models: tuple[str, ...], size: int) -> dict[str, LatentModel]:
    """Trained models by the part that they stand for."""
    from flatsort.tools.latent.disk_study import RECIPES

    found: dict[str, LatentModel] = {}
    for text in models:
        name, _, file = text.partition("=")
        if name not in RECIPES or not file or name in found:
            raise ValueError(f"model {text!r}: expected PART=M, each part once, of {', '.join(RECIPES)}")
        model = open_model(file, ["disk_ae"])
        asked = [1, size, size], 2 if name.startswith("moving") else 1
        if (model.config.shape, model.dim) != asked:
            raise ValueError(
                f"model {text}: expected samples of {asked[0]} (--size {size}) and dim {asked[1]}, "
                f"got {model.config.shape} and {model.dim}"
            )
        found[name] = model
    return found


def _draw(parts: dict[str, Part], fit: dict[str, float], out: Path) -> None:
    """Write the figures of pictures and codes."""
    import numpy as np
    import torch

    from flatsort.embedding.figures import disks as figures
    from flatsort.embedding.figures.sheets import save, sheet

    def strip(pictures: Float, rows: Int) -> Tensor:
        side = round(pictures.shape[1] ** 0.5)
        return torch.from_numpy(pictures[rows]).reshape(-1, 1, side, side)

    sized, scaled, moving = (parts[name] for name in ("biases", "no_biases", "moving"))
    radius, area = (sized.test.factors[name] for name in ("radius", "area"))
    fits = {"radius": fit["r2_radius"], "area": fit["r2_area"]}
    save(figures.codes(sized.codes[:, 0], {"radius": radius, "area": area}, fits), out / "code.png")
    order = np.argsort(radius)
    rows = order[np.linspace(0, len(order) - 1, SHOWN).astype(int)]
    shown = [("input", strip(sized.pictures, rows)), ("output", strip(sized.outputs, rows))]
    save(sheet(shown, "Disks of any size in one number"), out / "size.png")

    sizes = scaled.test.factors["radius"]
    middle = scaled.model.config.shape[1] // 2
    rows = np.array([int(np.abs(sizes - middle * share).argmin()) for share in RADII])
    before, after = (strip(p, rows)[:, 0, middle].numpy() for p in (scaled.pictures, scaled.outputs))
    save(figures.profiles(before, after, [f"r = {r:.0f}" for r in sizes[rows]]), out / "profiles.png")

    rows = np.arange(SHOWN)
    shown = [("input", strip(moving.pictures, rows))]
    named = {"plain": moving, "CoordConv": parts["moving_coord"]}
    shown += [(name, strip(found.outputs, rows)) for name, found in named.items()]
    save(sheet(shown, "Disks anywhere in two numbers"), out / "place.png")
    x, y = (moving.test.factors[name] for name in ("x", "y"))
    save(figures.maps({name: found.codes for name, found in named.items()}, x, y), out / "map.png")


if __name__ == "__main__":
    run(main)
