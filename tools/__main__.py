"""``flatsort VERB``."""

from __future__ import annotations

import importlib.metadata

import click

from flatsort.tools.cli import Verbs, run

VERBS = {
    "demo": "Track and score a rendered scene; needs nothing.",
    "download": "Download sequences of the MOTChallenge.",
    "track": "Track the objects of videos, cameras, folders or detection files.",
    "evaluate": "Score tracks against ground truth with the MOT16 measures and HOTA.",
    "benchmark": "Run systems on the same detections and print the MOT16 table of all.",
    "tune": "Search the settings with which a tracker scores best.",
    "crop": "Cut crops out of videos, sequences or folders into a set to train on.",
    "train": "Train a latent model on samples without labels.",
    "embed": "Turn boxes of videos, or whole images, into latents.",
    "export": "Write a model's embedding as an ONNX file.",
    "check-embedder": "Tell what an embedder promises and does not keep.",
    "retrieval": "Search people by appearance alone: rank-k, mAP, ROC of models side by side.",
    "latent": "Sample, interpolate, edit, compress, regress and measure in latent spaces.",
}


@click.group(cls=Verbs, verbs=VERBS, package="flatsort.tools", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(importlib.metadata.version("flatsort"), prog_name="flatsort")
def group() -> None:
    """Multi-object tracking by position and by appearance that is learned without labels.

    \b
    flatsort demo                         a rendered scene, tracked and scored
    flatsort track video.mp4              tracks of a video into runs/
    flatsort evaluate --gt G --pred P     the MOT16 table

    Add --debug to any verb for the full trace of an error. Shell completion:
    eval "$(_FLATSORT_COMPLETE=bash_source flatsort)" (or zsh_source, fish_source).
    """


def main() -> None:
    """Entry point of the console script."""
    run(group)


if __name__ == "__main__":
    main()
