"""``flatsort check-embedder``: whether an embedder keeps the contract of all embedders."""

from __future__ import annotations

import click

from flatsort.tools.cli import debug_option, open_embedder, run

BROKEN = 1


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("model", metavar="NAME|FILE")
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:NUMBER.")
@debug_option
def main(model: str, settings: tuple[str, ...], device: str) -> int:
    """Check an embedder against the contract of flatsort.tracker.protocols.Embedder.

    Prints a sentence for everything that breaks it and ends with 1, or says that it conforms and ends with 0.

    \b
    flatsort check-embedder pixels
    flatsort check-embedder osnet.onnx size=[128,256]
    """
    from flatsort.embedding.conformance import check_embedder

    embedder = open_embedder(model, device, settings)
    broken = check_embedder(embedder)
    for sentence in broken:
        click.echo(sentence)
    if broken:
        return BROKEN
    click.echo(f"{model}: conforms, {embedder.dim} numbers a latent")
    return 0


if __name__ == "__main__":
    run(main)
