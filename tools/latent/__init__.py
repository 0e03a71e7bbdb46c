"""``flatsort latent VERB``: experiments in latent spaces, with numbers (JSON) and figures (PNG)."""

from __future__ import annotations

import click

from flatsort.tools.cli import Verbs

VERBS = {
    "regress": "Impute missing frames of sequences by Gaussian-process regression (VAER).",
    "interpolate": "Interpolate between samples: along straight lines, and by hyperplanes (LBAE).",
    "edit": "Give samples an attribute by labelled examples, and measure what else changed.",
    "codes": "Compare moments of binary codes with those of sampled codes (LBAE).",
    "compress": "Compress images to streams of bits and back, compared with JPEG (VQ-VAE).",
    "cas": "Classify real images after training on generated ones: classification accuracy score (VQ-VAE).",
    "measure": "Measure representations: disentanglement, label efficiency, clustering.",
    "sample": "Draw samples of a model's prior, and compare them with training samples.",
    "posterior": "Compare a VAE's posterior with the exact one, by MCMC and on a grid.",
    "traverse": "Draw how the image changes along each latent dimension, the most important first.",
    "factors": "Correlate latents with the known factors of rendered samples.",
    "disks": "Study how autoencoders code the size and the position of a shape (disk autoencoder).",
    "geometry": "Measure and draw how flat latent spaces are.",
}


@click.group(
    cls=Verbs, verbs=VERBS, package="flatsort.tools.latent", context_settings={"help_option_names": ["-h", "--help"]}
)
def main() -> None:
    """Experiments in the latent spaces of trained models: numbers as JSON, figures as PNG, both in --out.

    \b
    flatsort latent geometry --model runs/vhp --model runs/flat --data pendulum --out runs/geometry
    """
