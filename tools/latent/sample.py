"""``flatsort latent sample``: decoded samples of a model's prior."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flatsort.tools.cli import debug_option, run
from flatsort.tools.latent.common import (
    gather_samples,
    model_option,
    open_model,
    out_option,
    seed_option,
    training_note,
    write_json,
)

if TYPE_CHECKING:
    import torch

    from flatsort.embedding.data.sample_set import SampleSet
    from flatsort.embedding.figures.image_grids import DrawSample
    from flatsort.embedding.model import LatentModel

COLUMNS, ROWS = 16, 8
"""Of the figure of samples, at most."""
COMPARED_ROWS = 3
"""Rows of samples that are drawn with their nearest training samples."""
REFERENCE_SAMPLES = 2000
"""Training samples whose distances to each other are measured for comparison."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@model_option
@click.option("--data", "sources", multiple=True, metavar="PATH", help="Training data of the model. May be repeated.")
@out_option
@click.option("--count", type=click.IntRange(1), default=64, show_default=True, help="Samples to draw.")
@seed_option
@debug_option
def main(model: str, sources: tuple[str, ...], out: Path, count: int, seed: int) -> None:
    """Draw samples of a model's prior and decode them.

    With --data each is compared with its nearest training sample: copies of training samples would be much nearer to
    one than training samples are to each other.

    Leaves in --out: samples.png, samples.json, samples.npy (decoded means, float32 [n …]), and with --data nearest.png,
    each sample above its nearest training sample.

    \b
    flatsort latent sample --model runs/sprites --data sprites --out runs/samples --count 128
    """
    import numpy as np

    from flatsort.embedding.data.sample_set import is_set
    from flatsort.embedding.figures.image_grids import drawing_for, image_grid, save_figure
    from flatsort.tracker.files import refuse_overwriting, replacing

    refuse_overwriting([out / "samples.npy"], [model, *sources, out if is_set(out) else None])
    opened = open_model(model)
    drawn = _draw_samples(opened, model, count, seed)
    draw = drawing_for(training_note(model))
    data = gather_samples(sources, opened, out) if sources else None
    content: dict[str, Any] = {"model": model, "kind": opened.config.name, "count": count, "seed": seed}
    with replacing(out / "samples.npy") as temporary:
        np.save(temporary, drawn.numpy())
    rows = [("", drawn[i : i + COLUMNS]) for i in range(0, min(count, COLUMNS * ROWS), COLUMNS)]
    save_figure(image_grid(rows, f"Samples of the prior: {opened.config.name}", draw), out / "samples.png")
    files = ["samples.json", "samples.npy", "samples.png"]
    if data is not None:
        content["copies"] = _compare(opened, data, drawn, draw, out, seed)
        files.append("nearest.png")
        c = content["copies"]
        click.echo(
            f"nearest training sample: {c['median']:.4f} away in the median, at least {c['least']:.4f}; "
            f"training samples among each other: {c['usual_median']:.4f}, at least {c['usual_least']:.4f}"
        )
    write_json(out / "samples.json", content)
    click.echo(f"{out}: {', '.join(files)}")


def _draw_samples(model: LatentModel, name: str, count: int, seed: int) -> torch.Tensor:
    import torch

    from flatsort.embedding.random_generator import RandomGenerator

    with torch.inference_mode():
        latents = model.sample(count, RandomGenerator(seed, "samples"))
        if latents is None:
            raise ValueError(
                f"model {name}: {model.config.name} has no prior to draw from (or is not trained far enough for it)"
            )
        samples = torch.cat([model.decode(some) for some in torch.split(latents, 256)]).clone()
    if not bool(samples.isfinite().all()):
        raise ValueError(f"model {name}: expected finite samples, it decodes others")
    return samples


def _compare(
    model: LatentModel, data: SampleSet, drawn: torch.Tensor, draw: DrawSample, out: Path, seed: int
) -> dict[str, Any]:
    """Distances to the nearest training samples, and those between some training samples and all others."""
    import numpy as np
    import torch

    from flatsort.embedding.figures.image_grids import image_grid, save_figure
    from flatsort.embedding.random_generator import RandomGenerator
    from flatsort.embedding.representation.nearest_neighbours import nearest_samples

    with torch.inference_mode():
        known = model.likelihood.adjust_contrast(data.tensor(slice(None))).clone()
    nearest = nearest_samples(drawn.numpy(), known.numpy())
    some = RandomGenerator(seed, "usual").permutation(len(known))[:REFERENCE_SAMPLES]
    usual = nearest_samples(known[some].numpy(), known.numpy(), some.numpy())
    rows = []
    for start in range(0, min(len(drawn), COMPARED_ROWS * COLUMNS), COLUMNS):
        part = slice(start, start + COLUMNS)
        rows += [("sample", drawn[part]), ("nearest", known[torch.from_numpy(nearest.row[part])])]
    title = "Samples of the prior, and the nearest training sample of each"
    save_figure(image_grid(rows, title, draw), out / "nearest.png")
    return {
        "data": data.note,
        "median": float(np.median(nearest.distance)),
        "least": float(nearest.distance.min()),
        "distances": nearest.distance.tolist(),
        "usual_median": float(np.median(usual.distance)),
        "usual_least": float(usual.distance.min()),
    }


if __name__ == "__main__":
    run(main)
