"""``flatsort latent sample``: what a model's prior looks like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flatsort.tools.cli import debug_option, run
from flatsort.tools.latent.common import gathered, model_option, open_model, out_option, seed_option, write_json

if TYPE_CHECKING:
    import torch

    from flatsort.embedding.data.sample_set import SampleSet
    from flatsort.embedding.model import LatentModel

ROW = 16
"""Samples next to each other."""
SHOWN = 8
"""Rows, at most."""
PAIRED = 3
"""Rows that are shown with their nearest training samples."""
COMPARED = 2000
"""Samples of --data that tell what is usual."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@model_option
@click.option(
    "--data", "sources", multiple=True, metavar="PATH", help="What the model was trained on. May be repeated."
)
@out_option
@click.option("--count", type=click.IntRange(1), default=64, show_default=True, help="Samples to draw.")
@seed_option
@debug_option
def main(model: str, sources: tuple[str, ...], out: Path, count: int, seed: int) -> None:
    """Draw samples of a model's prior and decode them.

    With --data each is compared with the nearest sample there: samples that were copies would be much nearer to one
    than different samples are to each other.

    Leaves in --out: samples.png, samples.json, samples.npy (decoded means, float32 [n …]), and with --data nearest.png,
    each sample above the one it is nearest to.

    \b
    flatsort latent sample --model runs/sprites --data sprites --out runs/samples --count 128
    """
    import numpy as np

    from flatsort.embedding.figures.sheets import save, sheet
    from flatsort.tracker.files import replacing

    loaded = open_model(model)
    drawn = _drawn(loaded, model, count, seed)
    data = gathered(sources, loaded, out) if sources else None
    content: dict[str, Any] = {"model": model, "kind": loaded.config.name, "count": count, "seed": seed}
    with replacing(out / "samples.npy") as temporary:
        np.save(temporary, drawn.numpy())
    rows = [("", drawn[i : i + ROW]) for i in range(0, min(count, ROW * SHOWN), ROW)]
    save(sheet(rows, f"Samples of the prior: {loaded.config.name}"), out / "samples.png")
    files = ["samples.json", "samples.npy", "samples.png"]
    if data is not None:
        content["copies"] = _compare(loaded, data, drawn, out, seed)
        files.append("nearest.png")
        c = content["copies"]
        click.echo(
            f"nearest training sample: {c['median']:.4f} away in the median, at least {c['least']:.4f}; "
            f"training samples among each other: {c['usual_median']:.4f}, at least {c['usual_least']:.4f}"
        )
    write_json(out / "samples.json", content)
    click.echo(f"{out}: {', '.join(files)}")


def _drawn(model: LatentModel, name: str, count: int, seed: int) -> torch.Tensor:
    import torch

    from flatsort.embedding.random_generator import RandomGenerator

    with torch.inference_mode():
        latents = model.sample(count, RandomGenerator(seed, "samples"))
        if latents is None:
            raise ValueError(
                f"model {name}: {model.config.name} has no prior to draw from (or is not trained far enough for it)"
            )
        found = torch.cat([model.decode(some) for some in torch.split(latents, 256)]).clone()
    if not bool(found.isfinite().all()):
        raise ValueError(f"model {name}: expected finite samples, it decodes others")
    return found


def _compare(model: LatentModel, data: SampleSet, drawn: torch.Tensor, out: Path, seed: int) -> dict[str, Any]:
    """Distances to the nearest training samples, and those among a share of the training samples themselves."""
    import numpy as np
    import torch

    from flatsort.embedding.figures.sheets import save, sheet
    from flatsort.embedding.random_generator import RandomGenerator
    from flatsort.embedding.representation.nearest_neighbours import nearest

    with torch.inference_mode():
        known = model.likelihood.standardise(data.tensor(slice(None))).clone()
    found = nearest(drawn.numpy(), known.numpy())
    some = RandomGenerator(seed, "usual").permutation(len(known))[:COMPARED]
    usual = nearest(known[some].numpy(), known.numpy(), some.numpy())
    rows = []
    for start in range(0, min(len(drawn), PAIRED * ROW), ROW):
        part = slice(start, start + ROW)
        rows += [("sample", drawn[part]), ("nearest", known[torch.from_numpy(found.row[part])])]
    save(sheet(rows, "Samples of the prior, and the nearest training sample of each"), out / "nearest.png")
    return {
        "data": data.note,
        "median": float(np.median(found.distance)),
        "least": float(found.distance.min()),
        "distances": found.distance.tolist(),
        "usual_median": float(np.median(usual.distance)),
        "usual_least": float(usual.distance.min()),
    }


if __name__ == "__main__":
    run(main)
