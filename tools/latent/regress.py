"""``flatsort latent regress``: missing frames of sequences, imputed by regression in a latent space."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from flatsort.tools.cli import debug_option, progress, run
from flatsort.tools.latent.common import (
    data_option,
    gather_samples,
    model_option,
    open_model,
    out_option,
    seed_option,
    write_json,
)

if TYPE_CHECKING:
    from flatsort.embedding.data.sample_set import SampleSet
    from flatsort.embedding.representation.imputation import ImputedSequence
    from flatsort.tracker.types import Int

LEAST_FRAMES = 5
"""Shorter sequences are left out."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@model_option
@data_option
@out_option
@click.option(
    "--missing", type=click.FloatRange(0, 1, True, True), default=0.3, show_default=True, help="Share to hide."
)
@click.option("--gap", type=click.IntRange(1), help="Hide this many frames together, after as many visible ones.")
@click.option(
    "--position",
    default="time",
    show_default=True,
    metavar="time|F,F,…",
    help="Input of the regression: the frame, or known factors of rendered data.",
)
@click.option(
    "--sequences",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="The first ones, at most.",
)
@click.option(
    "--points",
    type=click.IntRange(5),
    default=100,
    show_default=True,
    help="Frames of each, evenly chosen, at most.",
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

    A Gaussian process is fitted by marginal likelihood to the latents of the visible frames, with one kernel per
    dimension; every kind of model can be used. For comparison: linear interpolation of latents, and of pixels, between
    the nearest visible frames, and each hidden frame decoded from its own latent.

    Leaves in --out: regress.json (RMSE; PSNR and SSIM of images; share of hidden latents within two standard
    deviations), bands.png and frames.png of the first sequence.

    \b
    flatsort latent regress --model runs/sequence_vaer --data orbits:1 --gap 6 --out runs/regress
    flatsort latent regress --model runs/pendulum_vaer --data pendulum:1 --position sin,cos --out runs/regress
    """
    from flatsort.embedding.data.sequences import positions_of
    from flatsort.embedding.figures.decoded_images import imputed_frames
    from flatsort.embedding.figures.image_grids import drawing_for, save_figure
    from flatsort.embedding.figures.statistics_plots import regressed_latents
    from flatsort.embedding.representation.imputation import hidden_frames, imputation_errors, impute

    opened = open_model(model)
    data = gather_samples(sources, opened, out)
    positions = positions_of(data, position.split(","))
    chosen = _sequences(data, sequences, points, max(LEAST_FRAMES, 2 * (gap or 0) + 1))
    frame = data.columns["frame"].astype(np.float64)
    imputed: list[ImputedSequence] = []
    for number, rows in enumerate(progress(chosen, len(chosen), "regress", "sequence")):
        hidden = hidden_frames(len(rows), seed + number, missing, gap)
        imputed.append(impute(opened, data.tensor(rows), frame[rows], positions[rows], hidden))
    errors = [imputation_errors(each) for each in imputed]
    mean = {name: float(np.mean([each[name] for each in errors])) for name in errors[0]}
    content = {
        "model": model,
        "data": data.note,
        "position": position.split(","),
        "hidden": {"gap": gap} if gap is not None else {"missing": missing},
        "frames": [len(rows) for rows in chosen],
        "mean": mean,
        "sequences": errors,
        "kernel": {"length": imputed[0].length.tolist(), "noise": imputed[0].noise.tolist()},
    }
    save_figure(regressed_latents(imputed[0], frame[chosen[0]]), out / "bands.png")
    save_figure(imputed_frames(imputed[0], drawing_for(data.note)), out / "frames.png")
    write_json(out / "regress.json", content)
    _print_means(mean, len(chosen))
    click.echo(f"{out}: regress.json, bands.png, frames.png")


def _sequences(data: SampleSet, most: int, points: int, least: int) -> list[Int]:
    """Rows of the first sequences that are long enough, in order of their frames, evenly chosen."""
    from flatsort.embedding.data.sequences import rows_by_sequence

    rows, starts = rows_by_sequence(data, np.arange(len(data)))
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


def _print_means(mean: dict[str, float], sequences: int) -> None:
    from tabulate import tabulate

    methods = list(dict.fromkeys(name.partition(".")[0] for name in mean if "." in name))
    measures = list(dict.fromkeys(name.partition(".")[2] for name in mean if "." in name))
    body = [[method, *(f"{mean[f'{method}.{name}']:.4g}" for name in measures)] for method in methods]
    click.echo(tabulate(body, [f"mean of {sequences} sequences", *measures], disable_numparse=True))
    click.echo(
        f"hidden latents within two standard deviations: {mean['coverage']:.1%} (of a Gaussian 95.4%); error of "
        f"latents: {mean['latent_error']:.3g} of their standard deviation, "
        f"interpolated {mean['latent_error_interpolated']:.3g}"
    )


if __name__ == "__main__":
    run(main)
