"""``flatsort latent interpolate``: interpolations between samples in a latent space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from flatsort.tools.cli import debug_option, run
from flatsort.tools.latent.common import (
    data_option,
    gather_samples,
    hyperplane_prior,
    model_option,
    open_model,
    out_option,
    seed_option,
    write_json,
)

if TYPE_CHECKING:
    from torch import Tensor

    from flatsort.embedding.model import LatentModel

    Interpolation = Callable[[Tensor, Tensor, int], Tensor]
    """Latents (start [d], end [d], steps) → [steps d]."""

DRAWN_PAIRS = 3


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@model_option
@data_option
@out_option
@click.option("--pair", "pairs", multiple=True, metavar="A:B", help="Rows of the data (from 0); may be repeated.")
@click.option("--count", type=click.IntRange(1), default=40, show_default=True, help="Pairs to draw without --pair.")
@click.option(
    "--steps", type=click.IntRange(3), default=12, show_default=True, help="Images of an interpolation, with its ends."
)
@seed_option
@debug_option
def main(
    model: str, sources: tuple[str, ...], out: Path, pairs: tuple[str, ...], count: int, steps: int, seed: int
) -> None:
    """Interpolate between samples in a latent space, and measure how evenly the decoded samples change.

    Straight lines in the latent space of any model. For binary codes (lbae): hyperplanes that turn from those of one
    code to those of the other and, for comparison, the mean of the codes, rounded and not rounded.

    Measures, means over the pairs: largest_step (the largest change from step to step relative to the mean one: 1 is
    even), curvature (0 is an even change along a straight line), detour (length of the decoded path over the distance
    of its ends), nearest (root mean square distance of the decoded samples to the nearest sample of the data).

    Leaves in --out: interpolate.json, interpolate.png (the first three pairs).

    \b
    flatsort latent interpolate --model runs/digits_lbae --data digits --out runs/walks
    flatsort latent interpolate --model runs/vae --data crops/ --pair 3:17 --out runs/walks
    """
    import torch

    from flatsort.embedding.figures.decoded_images import choose_pairs
    from flatsort.embedding.figures.image_grids import drawing_for, image_grid, save_figure

    opened = open_model(model)
    data = gather_samples(sources, opened, out)
    samples = data.tensor(slice(None))
    chosen = [_rows(pair, len(data)) for pair in pairs] or choose_pairs(samples, count, seed)
    standard = opened.likelihood.adjust_contrast(samples)  # with the contrast that decoded samples have
    measured: dict[str, list[dict[str, float]]] = {}
    rows: list[tuple[str, Tensor]] = []
    with torch.no_grad():
        ends = opened.encode(samples[[row for pair in chosen for row in pair]])
        for index, (start, end) in enumerate(ends.reshape(len(chosen), 2, -1)):
            for name, interpolate in _interpolations(opened, model).items():
                decoded = opened.decode(interpolate(start, end, steps))
                measured.setdefault(name, []).append(path_measures(decoded, standard))
                if index < DRAWN_PAIRS:
                    rows.append((name, decoded))
    means = {name: {key: float(np.mean([r[key] for r in runs])) for key in runs[0]} for name, runs in measured.items()}
    content = {"model": opened.config.name, "data": data.note, "steps": steps, "means": means}
    write_json(out / "interpolate.json", {**content, "pairs": [list(pair) for pair in chosen], "each": measured})
    grid = image_grid(rows, f"Interpolations, {opened.config.name}", drawing_for(data.note))
    save_figure(grid, out / "interpolate.png")
    for name, mean in means.items():
        click.echo(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in mean.items()))
    click.echo(f"{out}: interpolate.json, interpolate.png")


def path_measures(decoded: Tensor, data: Tensor) -> dict[str, float]:
    """How evenly decoded samples [t *shape] change along a path, and how far they are from the data [n *shape]."""
    import torch

    from flatsort.embedding.geometry.paths import TINY, curvature

    flat = decoded.flatten(1).double()
    steps = flat.diff(dim=0).norm(dim=1)
    length, distance = float(steps.sum()), float((flat[-1] - flat[0]).norm())
    nearest = torch.cdist(flat[1:-1], data.flatten(1).double()).min(dim=1).values / flat.shape[1] ** 0.5
    return {
        "largest_step": float(steps.max()) / max(float(steps.mean()), TINY),
        "curvature": float(curvature(lambda points: points.flatten(1), decoded.flatten(1)[None])[0]),
        "detour": length / max(distance, TINY),
        "nearest": float(nearest.mean()),
    }


def _interpolations(opened: LatentModel, name: str) -> dict[str, Interpolation]:
    """The interpolations that the model allows, by name."""
    from flatsort.embedding.geometry.paths import straight
    from flatsort.embedding.priors.hyperplane import HyperplanePrior

    def line(start: Tensor, end: Tensor, steps: int) -> Tensor:
        return straight(start[None], end[None], steps - 1)[0]

    if not isinstance(getattr(opened, "prior", None), HyperplanePrior):
        return {"straight": line}

    def rounded(start: Tensor, end: Tensor, steps: int) -> Tensor:
        mean = line(start, end, steps)
        return mean.sign().where(mean != 0, end)

    return {"hyperplanes": hyperplane_prior(opened, name).interpolate, "mixed, rounded": rounded, "mixed": line}


def _rows(pair: str, n: int) -> tuple[int, int]:
    rows: Sequence[str] = pair.split(":")
    if len(set(rows)) != 2 or not all(row.isdecimal() and int(row) < n for row in rows):
        raise ValueError(f"--pair {pair}: expected A:B, two rows of the data from 0 to {n - 1}")
    return int(rows[0]), int(rows[1])


if __name__ == "__main__":
    run(main)
