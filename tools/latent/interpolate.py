"""``flatsort latent interpolate``: pictures between two pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from flatsort.tools.cli import debug_option, run
from flatsort.tools.latent.common import data_option, model_option, out_option, seed_option

if TYPE_CHECKING:
    from torch import Tensor

    from flatsort.embedding.model import LatentModel

    Way = Callable[[Tensor, Tensor, int], Tensor]

SHOWN = 3
"""Pairs that are drawn."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@model_option
@data_option
@out_option
@click.option("--pair", "pairs", multiple=True, metavar="A:B", help="Rows of the data (from 0); may be repeated.")
@click.option("--count", type=click.IntRange(1), default=40, show_default=True, help="Pairs to draw without --pair.")
@click.option(
    "--steps", type=click.IntRange(3), default=12, show_default=True, help="Pictures of a walk, with its ends."
)
@seed_option
@debug_option
def main(
    model: str, sources: tuple[str, ...], out: Path, pairs: tuple[str, ...], count: int, steps: int, seed: int
) -> None:
    """Walk from one sample to another in a latent space, and measure how evenly the decoded pictures change.

    Straight lines in the latent space of any model. In that of binary codes (lbae): hyperplanes that turn from one
    code's to the other's, and, as rivals, the mean of the codes rounded and not rounded.

    Measures, means over the pairs: largest_step (the largest change from picture to picture as a multiple of the mean
    one: 1 is even), curvature (0 is an even change along a straight line), detour (length of the walk over the distance
    of its ends), nearest (root mean square distance of the pictures between to the nearest sample of the data).

    Leaves in --out: interpolate.json, interpolate.png (the first three pairs).

    \b
    flatsort latent interpolate --model runs/digits_lbae --data digits --out runs/walks
    flatsort latent interpolate --model runs/vae --data crops/ --pair 3:17 --out runs/walks
    """
    import torch

    from flatsort.embedding.figures.sheets import save, sheet
    from flatsort.embedding.figures.walks import choose_pairs
    from flatsort.tools.latent.common import gathered, open_model, write_json

    opened = open_model(model)
    data = gathered(sources, opened, out)
    every = data.tensor(slice(None))
    chosen = [_rows(pair, len(data)) for pair in pairs] or choose_pairs(every, count, seed)
    seen = opened.likelihood.standardise(every)  # with the contrast that decoded pictures have
    found: dict[str, list[dict[str, float]]] = {}
    drawn: list[tuple[str, Tensor]] = []
    with torch.no_grad():
        ends = opened.encode(every[[row for pair in chosen for row in pair]])
        for place, (start, end) in enumerate(ends.reshape(len(chosen), 2, -1)):
            for name, way in _ways(opened, model).items():
                pictures = opened.decode(way(start, end, steps))
                found.setdefault(name, []).append(measures(pictures, seen))
                if place < SHOWN:
                    drawn.append((name, pictures))
    means = {name: {key: float(np.mean([r[key] for r in runs])) for key in runs[0]} for name, runs in found.items()}
    content = {"model": opened.config.name, "data": data.note, "steps": steps, "means": means}
    write_json(out / "interpolate.json", {**content, "pairs": [list(pair) for pair in chosen], "each": found})
    save(sheet(drawn, f"Interpolations, {opened.config.name}"), out / "interpolate.png")
    for name, mean in means.items():
        click.echo(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in mean.items()))
    click.echo(f"{out}: interpolate.json, interpolate.png")


def measures(pictures: Tensor, data: Tensor) -> dict[str, float]:
    """How evenly pictures [t *shape] of a walk change, and how far they are from the samples of the data [n *shape]."""
    import torch

    from flatsort.embedding.geometry.paths import TINY, curvature

    flat = pictures.flatten(1).double()
    moves = flat.diff(dim=0).norm(dim=1)
    length, apart = float(moves.sum()), float((flat[-1] - flat[0]).norm())
    nearest = torch.cdist(flat[1:-1], data.flatten(1).double()).min(dim=1).values / flat.shape[1] ** 0.5
    return {
        "largest_step": float(moves.max()) / max(float(moves.mean()), TINY),
        "curvature": float(curvature(lambda points: points.flatten(1), pictures.flatten(1)[None])[0]),
        "detour": length / max(apart, TINY),
        "nearest": float(nearest.mean()),
    }


def _ways(opened: LatentModel, name: str) -> dict[str, Way]:
    """Names of the ways between latents that the model has: (start [d], end [d], steps) → [steps d]."""
    from flatsort.embedding.geometry.paths import straight
    from flatsort.embedding.priors.hyperplane import HyperplanePrior

    def line(start: Tensor, end: Tensor, steps: int) -> Tensor:
        return straight(start[None], end[None], steps - 1)[0]

    prior = getattr(opened, "prior", None)
    if not isinstance(prior, HyperplanePrior):
        return {"straight": line}
    from flatsort.tools.latent.codes import fitted

    def rounded(start: Tensor, end: Tensor, steps: int) -> Tensor:
        mixed = line(start, end, steps)
        return mixed.sign().where(mixed != 0, end)

    return {"hyperplanes": fitted(opened, name).interpolate, "mixed, rounded": rounded, "mixed": line}


def _rows(pair: str, n: int) -> tuple[int, int]:
    rows: Sequence[str] = pair.split(":")
    if len(set(rows)) != 2 or not all(row.isdecimal() and int(row) < n for row in rows):
        raise ValueError(f"--pair {pair}: expected A:B, two rows of the data from 0 to {n - 1}")
    return int(rows[0]), int(rows[1])


if __name__ == "__main__":
    run(main)
