"""``flatsort VERB``: finds the verb's file only when it is asked for, so that help is quick."""

from __future__ import annotations

import importlib
import importlib.metadata

import click

from tools.cli import run

VERBS = {
    "demo": "Track and score a rendered scene; needs nothing.",
    "download": "Download sequences of the MOTChallenge.",
    "track": "Track the objects of videos, cameras, folders or detection files.",
    "evaluate": "Score tracks against ground truth with the MOT16 measures and HOTA.",
    "benchmark": "Run systems on the same detections and print the MOT16 table of all.",
    "tune": "Search the settings with which a tracker scores best.",
    "crop": "Cut crops out of videos, sequences or folders into a set to train on.",
    "train": "Train a latent model on samples without labels.",
    "embed": "Turn boxes of videos, or whole pictures, into latents.",
    "export": "Write a model's embedding as an ONNX file.",
    "check-embedder": "Tell what an embedder promises and does not keep.",
    "retrieval": "Search people by appearance alone: rank-k, mAP, ROC of models side by side.",
    "latent": "Measure and draw how flat latent spaces are.",
}


class Verbs(click.Group):
    """A group that knows its verbs by name and imports one when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the verbs in the order a newcomer needs them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the command of a verb, None if there is no such verb."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"tools.{cmd_name.replace('-', '_')}").main
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
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
