"""``flatsort export``: a model's embedding as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import click

from flatsort.tools.cli import debug_option, run


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("model", metavar="NAME|FILE")
@click.option(
    "--onnx",
    "out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The FILE.onnx to write.",
)
@debug_option
def main(model: str, out: Path) -> None:
    """Write the embedding of MODEL (a shipped name, FILE.safetensors, or a training's folder) as an ONNX file.

    The network takes RGB images in 0..1, any number of them, and gives their latents, averaged with the mirror image
    where the model does that. It appears once onnxruntime gave the same latents as torch, and every --model takes it.
    It has no calibration of its distances: a tracker's threshold then starts with the pairs of the first frame.

    \b
    flatsort export flat_vhp_vae --onnx flat.onnx
    """
    from flatsort.embedding.export import export
    from flatsort.embedding.loading import load_checkpoint_model
    from flatsort.tracker.files import refuse_overwriting

    refuse_overwriting([out], [model])
    network = load_checkpoint_model(model)
    off = export(network, out)
    _, height, width = network.config.shape
    click.echo(
        f"{out}: images of {width}x{height} pixels to {network.dim} numbers, {out.stat().st_size / 1e6:.1f} MB, "
        f"within {off:.0e} of torch"
    )


if __name__ == "__main__":
    run(main)
