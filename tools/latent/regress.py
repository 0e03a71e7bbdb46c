"""``flatsort latent regress``: missing frames of sequences, regressed in a latent space."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from flatsort.tools.cli import debug_option, progress, run
from flatsort.tools.latent.common import (
    data_option,
    gathered,
    model_option,
    open_model,
    out_option,
    seed_option,
    write_json,
)

if TYPE_CHECKING:
    from flatsort.embedding.data.sample_set import SampleSet
    from flatsort.embedding.representation.imputation import Filled
    from flatsort.tracker.types import Int

LEAST = 5
"""Frames without which a sequence is left out."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@model_option
@data_option
@out_option
@click.option(
    "--missing", type=click.FloatRange(0, 1, True, True), default=0.3, show_default=True, help="Share to hide."
)
@click.option("--gap", type=click.IntRange(1), help="Hide this many frames together, after as many that are seen.")
@click.option(
    "--position",
    default="time",
    show_default=True,
    metavar="time|F,F,…",
    help="What the regression goes by: the frame, or known factors of rendered data.",
)
@click.option("--sequences", type=click.IntRange(1), default=10, show_default=True, help="Of so many, the first.")
@click.option(
    "--points", type=click.IntRange(5), default=100, show_default=True, help="Frames of each, evenly chosen, at most."
)
@seed_option
@debug_option
def main(
    model: str,
    sources: tuple[str, ...],
    out: Path,
    missing: float,
    gap: int | None,
    position: str,
    sequences: int,
    points: int,
    seed: int,
) -> None:
    """Hide frames of sequences, regress their latents and decode them.

    A Gaussian process is fitted by marginal likelihood to the latents of the frames that are seen, each number with a
    kernel of its own; any model will do. Beside it stand straight lines between latents, and between pixels, of the
    nearest frames that are seen, and each hidden frame decoded from its own latent.

    Leaves in --out: regress.json (RMSE; PSNR and SSIM of pictures; share of hidden latents within two deviations),
    bands.png and frames.png of the first sequence.

    \b
    flatsort latent regress --model runs/sequence_vaer --data orbits:1 --gap 6 --out runs/regress
    flatsort latent regress --model runs/pendulum_vaer --data pendulum:1 --position sin,cos --out runs/regress
    """
    from flatsort.embedding.data.windows import positions_of
    from flatsort.embedding.figures.bands import bands, frames_filled
    from flatsort.embedding.figures.sheets import save
    from flatsort.embedding.representation.imputation import fill, hide, judge

    opened = open_model(model)
    data = gathered(sources, opened, out)
    places = positions_of(data, position.split(","))
    chosen = _sequences(data, sequences, points, max(LEAST, 2 * (gap or 0) + 1))
    frame = data.columns["frame"].astype(np.float64)
    filled: list[Filled] = []
    for number, rows in enumerate(progress(chosen, len(chosen), "regress", "sequence")):
        hidden = hide(len(rows), seed + number, missing, gap)
        filled.append(fill(opened, data.tensor(rows), frame[rows], places[rows], hidden))
    numbers = [judge(each) for each in filled]
    mean = {name: float(np.mean([each[name] for each in numbers])) for name in numbers[0]}
    content = {
        "model": model,
        "data": data.note,
        "position": position.split(","),
        "hidden": {"gap": gap} if gap is not None else {"missing": missing},
        "frames": [len(rows) for rows in chosen],
        "mean": mean,
        "sequences": numbers,
        "kernel": {"length": filled[0].length.tolist(), "noise": filled[0].noise.tolist()},
    }
    save(bands(filled[0], frame[chosen[0]]), out / "bands.png")
    save(frames_filled(filled[0]), out / "frames.png")
    write_json(out / "regress.json", content)
    _show(mean, len(chosen))
    click.echo(f"{out}: regress.json, bands.png, frames.png")


def _sequences(data: SampleSet, most: int, points: int, least: int) -> list[Int]:
    """Rows of the first sequences that are long enough, in order of their frames, evenly chosen."""
    from flatsort.embedding.data.windows import ordered

    rows, starts = ordered(data, np.arange(len(data)))
    every = [each[:: -(-len(each) // points)] for each in np.split(rows, starts[1:])]
    long = [each for each in every if len(each) >= least]
    if not long:
        longest = max(map(len, every), default=0)
        raise ValueError(
            f"data: expected a sequence of {least} frames or more to hide some of, the longest has {longest}"
        )
    if len(long) < len(every):
        click.echo(f"note: {len(every) - len(long)} sequences of less than {least} frames are left out", err=True)
    return long[:most]


def _show(mean: dict[str, float], sequences: int) -> None:
    from tabulate import tabulate

    methods = list(dict.fromkeys(name.partition(".")[0] for name in mean if "." in name))
    measures = list(dict.fromkeys(name.partition(".")[2] for name in mean if "." in name))
    body = [[method, *(f"{mean[f'{method}.{name}']:.4g}" for name in measures)] for method in methods]
    click.echo(tabulate(body, [f"mean of {sequences} sequences", *measures], disable_numparse=True))
    click.echo(
        f"hidden latents within two deviations: {mean['coverage']:.1%} (of a Gaussian 95.4%); error of latents: "
        f"{mean['latent_error']:.3g} of their deviation, interpolated {mean['latent_error_interpolated']:.3g}"
    )


if __name__ == "__main__":
    run(main)
