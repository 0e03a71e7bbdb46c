"""``flatsort crop``: sources → a set of crops to train on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flatsort.tools.cli import debug_option, run, split_arguments, unique_name
from flatsort.tracker.io.addresses import shown

if TYPE_CHECKING:
    from flatsort.embedding.data.writer import SetWriter
    from flatsort.tools.runs.crop_set import CropCounts

SKIPPED = "skipped.txt"
TRACKER = "tracklets"
"""Name of the tracker, under configs/track, that links boxes."""
CONFIG_OPTIONS = ("detections", "file_format", "detector", "weights", "classes", "min_score")
"""Options that change the config."""


def _size(context: click.Context, option: click.Parameter, text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,4})[x×](\d{1,4})", text)
    if not match or min(int(match[1]), int(match[2])) < 1:
        raise click.BadParameter(f"expected width x height in pixels, like 64x128, got {text!r}", context, option)
    return int(match[1]), int(match[2])


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("arguments", nargs=-1, type=click.Path(), metavar="SOURCE... [KEY=VALUE]...")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the set.")
@click.option(
    "--size", callback=_size, default="64x128", show_default=True, help="Of the crops: width x height in pixels."
)
@click.option("--whole", is_flag=True, help="SOURCEs are folders of crops: each image is one sample.")
@click.option(
    "--layout", default="auto", show_default=True, help="What the names of --whole images say: cuhk03, none, ...."
)
@click.option(
    "--boxes",
    type=click.Choice(["detections", "gt"]),
    default="detections",
    show_default=True,
    help="gt: the ground truth of MOTChallenge sequences, with identities (for evaluation).",
)
@click.option("--detections", type=click.Path(), metavar="FILE", help="Detections, as in flatsort track.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["auto", "mot", "csv", "json", "npy"]),
    help="Format of the detections, instead of what their name and content say.",
)
@click.option("--detector", metavar="NAME", help="As in flatsort track: mot, background, onnx, torchvision, FILE.py.")
@click.option("--weights", type=click.Path(), metavar="FILE", help="Weights of the detector.")
@click.option("--classes", metavar="NAMES", help="Classes to keep, by name or number: person,bicycle; all: all.")
@click.option("--min-score", type=float, help="Leave out detections below this score.")
@click.option("--min-height", type=click.FloatRange(0), default=0, show_default=True, help="Of boxes, pixels.")
@click.option(
    "--min-visibility",
    type=click.FloatRange(0, 1),
    help="Of boxes of ground truth that says it.  [default: 0.25]",
)
@click.option(
    "--range",
    "values",
    metavar="LOW-HIGH",
    help="What is black and white in pictures of many levels (thermal).  [default: of the first one]",
)
@click.option("--stride", type=click.IntRange(1), default=1, show_default=True, help="Take every n-th frame.")
@click.option("--no-check", is_flag=True, help="Do not compare the boxes of a file with the source.")
@click.option("--frames", type=click.IntRange(1), help="Stop after this many frames of each source.")
@click.option(
    "--max-overlap",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Leave out boxes of which another box covers more than this share.",
)
@click.option(
    "--duplicates",
    type=click.FloatRange(0, 255),
    default=0.0,
    show_default=True,
    help="Leave out crops that differ less from the last one of their object: mean difference in levels of 255.",
)
@click.option(
    "--views",
    type=click.Choice(["none", "tracklets"]),
    default="none",
    show_default=True,
    help="tracklets: note which crops show one object, from motion alone; surer with --max-overlap 0.3.",
)
@debug_option
def main(arguments: tuple[str, ...], out: Path, whole: bool, layout: str, **options: Any) -> None:
    """Cut crops out of SOURCEs and store them as a set, to train on; no labels are needed.

    A SOURCE is what `flatsort track` takes: a video, images, a MOTChallenge sequence; boxes come from its detections,
    --detections or a --detector in the same way. A set appears in --out when all is done, not before, and replaces an
    older one. It holds the crops and, where known, sequence, frame, camera, tracklet and identity of each.

    \b
    flatsort crop video.mp4 --detector onnx --weights yolox_nano.onnx --stride 5 --min-height 64 --out crops
    flatsort crop MOT17/train/* --min-score 0.5 --max-overlap 0.3 --views tracklets --out crops
    flatsort crop MOT17/train/MOT17-09-FRCNN --boxes gt --out labelled
    flatsort crop cuhk03/train cuhk01 --whole --size 32x64 --out crops
    """
    from flatsort.embedding.data.writer import SetWriter
    from flatsort.tools.runs.crop_set import CropCounts
    from flatsort.tracker.files import refuse_overwriting, write_text

    sources, overrides = split_arguments(arguments)
    _check(sources, overrides, whole, options)
    refuse_overwriting([out / SKIPPED], [*sources, options["detections"], options["weights"]])
    size, counts = options["size"], CropCounts()
    with SetWriter(out) as writer:
        if whole:
            _take_whole(sources, layout, options, writer, counts)
        else:
            _cut(sources, overrides, options, writer, counts)
        if not len(writer):
            left_out = f" ({counts.sentence})" if counts.sentence else ""
            raise ValueError(f"{', '.join(map(shown, sources))}: expected crops for the set, got none{left_out}")
    (out / SKIPPED).unlink(missing_ok=True)
    if counts.skipped:
        write_text(out / SKIPPED, "".join(f"{sentence}\n" for sentence in counts.skipped))
    many = f"{len(sources)} source" + "s" * (len(sources) > 1)
    listed = f" (listed in {out / SKIPPED})" if counts.skipped else ""
    left_out = f"; {counts.sentence}{listed}" if counts.sentence else ""
    click.echo(f"{out}: {len(writer)} crops of {size[0]}×{size[1]} pixels from {many}{left_out}")


def _check(sources: Sequence[str], overrides: Sequence[str], whole: bool, options: dict[str, Any]) -> None:
    """Refuse options that contradict each other."""
    context = click.get_current_context()
    given = {n for n in context.params if context.get_parameter_source(n) == click.core.ParameterSource.COMMANDLINE}
    if not sources:
        raise click.UsageError("expected at least one SOURCE, got none")
    if whole:
        of_boxes = sorted(given & set(options) - {"size", "min_height"})
        wrong = [f"--{name.replace('_', '-')}" for name in of_boxes] + list(overrides)
        if wrong:
            raise click.UsageError(f"{wrong[0]}: --whole takes images as they are, without boxes")
    elif "layout" in given:
        raise click.UsageError("--layout: expected --whole with it")
    if options["boxes"] == "gt" and given & {"detections", "detector"}:
        raise click.UsageError("expected --boxes gt, or --detections or --detector, got both")
    if options["boxes"] != "gt" and "min_visibility" in given:
        raise click.UsageError("--min-visibility: expected --boxes gt with it")
    if options["detections"] and len(sources) > 1:
        raise click.UsageError(f"--detections: expected one SOURCE for it, got {len(sources)}")


def _take_whole(
    sources: Sequence[str], layout: str, options: dict[str, Any], writer: SetWriter, counts: CropCounts
) -> None:
    from flatsort.embedding.data.image_folder import ImageFolder

    width, height = options["size"]
    folders = [ImageFolder(Path(source)) for source in sources]
    writer.note = "; ".join(folder.note for folder in folders)
    for folder in folders:
        counts.skipped += folder.append(writer, (3, height, width), layout, options["min_height"])


def _cut(
    sources: Sequence[str], overrides: Sequence[str], options: dict[str, Any], writer: SetWriter, counts: CropCounts
) -> None:
    from flatsort.tools.runs.crop_set import CropSelection, crop_source
    from flatsort.tools.runs.ground_truth import LabelledBoxes, open_ground_truth
    from flatsort.tools.runs.open_run import open_run, track_config
    from flatsort.tracker.class_names import parse_classes
    from flatsort.tracker.images import ValueRange

    ground_truth, text = options.pop("boxes") == "gt", options.pop("values")
    values, check = None if text is None else ValueRange.parse(text), not options.pop("no_check")
    labelled = LabelledBoxes(parse_classes(options["classes"]), options.pop("min_visibility"))
    if ground_truth:
        options["classes"] = None
    config = track_config(TRACKER, overrides, **{key: options.pop(key) for key in CONFIG_OPTIONS})
    selection = CropSelection(tracklets=options.pop("views") == "tracklets", **options)
    used: set[str] = set()
    notes = []
    for source in sources:
        if ground_truth:
            opened = open_ground_truth(source, config, labelled, values, check=check)
        else:
            opened = open_run(source, config, images=True, values=values, check=check)
        for note in opened.notes:
            click.echo(note, err=True)
        name = unique_name(opened.source.name, used)
        crop_source(opened, name, selection, writer, counts)
        notes.append(f"{name}: boxes of {'the ground truth' if ground_truth else opened.config.detector.name}")
    writer.note = "; ".join(notes)


if __name__ == "__main__":
    run(main)
