"""``flatsort latent VERB``: what latent spaces are good for, in numbers (JSON) and figures (PNG)."""

from __future__ import annotations

import click

from tools.cli import Verbs

VERBS = {
    "compress": "Images as streams of bits and back, beside JPEG (VQ-VAE).",
    "cas": "Classify real images after generated ones: classification accuracy score (VQ-VAE).",
    "geometry": "Measure and draw how flat latent spaces are.",
}


@click.group(cls=Verbs, verbs=VERBS, package="tools.latent", context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Work in the latent spaces of trained models: numbers as JSON, figures as PNG, both in --out.

    \b
    flatsort latent geometry --model runs/vhp --model runs/flat --data pendulum --out runs/geometry
    """
