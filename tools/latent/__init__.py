"""``flatsort latent VERB``: what latent spaces are good for, in numbers (JSON) and figures (PNG)."""

from __future__ import annotations

import click

from flatsort.tools.cli import Verbs

VERBS = {
    "regress": "Fill in missing frames of sequences by Gaussian-process regression (VAER).",
    "interpolate": "Walk between samples: straight, and by hyperplanes (LBAE).",
    "edit": "Switch an attribute that examples show, and judge what else changed.",
    "codes": "Moments of binary codes and of samples that share them (LBAE).",
    "compress": "Images as streams of bits and back, beside JPEG (VQ-VAE).",
    "cas": "Classify real images after generated ones: classification accuracy score (VQ-VAE).",
    "measure": "Disentanglement, labels needed, clusters: what latent spaces are worth.",
    "sample": "Draw a model's prior; are the samples copies?",
    "posterior": "A VAE's posterior beside the exact one, by MCMC and on a grid.",
    "traverse": "Draw what each number of a latent does, the most important first.",
    "factors": "Correlate latents with the known factors of rendered samples.",
    "disks": "How autoencoders code the size and the position of a shape (disk autoencoder).",
    "geometry": "Measure and draw how flat latent spaces are.",
}


@click.group(
    cls=Verbs, verbs=VERBS, package="flatsort.tools.latent", context_settings={"help_option_names": ["-h", "--help"]}
)
def main() -> None:
    """Work in the latent spaces of trained models: numbers as JSON, figures as PNG, both in --out.

    \b
    flatsort latent geometry --model runs/vhp --model runs/flat --data pendulum --out runs/geometry
    """
