"""``flatsort track``: sources → detections → tracks → files."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flatsort.tools.cli import config_names, debug_option, run, split_arguments, unique_name
from flatsort.tracker.io.addresses import shown

if TYPE_CHECKING:
    from flatsort.tools.runs.track_run import TrackOutput
    from flatsort.tracker.pipeline import Run
    from flatsort.tracker.sort import SortTracker

SMOOTHERS = ("rts", "gp")


class _Track(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take ``--smooth gp`` for ``--smooth smooth.method=gp``: ``--smooth`` alone has no value."""
        spelled: list[str] = []
        for word in args:
            option, _, value = word.partition("=")
            if option == "--smooth" and value in SMOOTHERS:
                spelled += [option, f"smooth.method={value}"]
            elif spelled[-1:] == ["--smooth"] and word in SMOOTHERS:
                spelled.append(f"smooth.method={word}")
            else:
                spelled.append(word)
        return super().parse_args(ctx, spelled)


@click.command(cls=_Track, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("arguments", nargs=-1, type=click.Path(), metavar="SOURCE... [KEY=VALUE]...")
@click.option(
    "--tracker",
    shell_complete=lambda *_: config_names("track"),
    help="Name under configs/track, or FILE.yaml.  [default: flatsort; sort_long where there are no images]",
)
@click.option(
    "--detections",
    type=click.Path(),
    metavar="FILE",
    help="Detections: MOTChallenge rows, a CSV with a header, DeepSORT's .npy, or a folder of YOLO's labels.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["auto", "mot", "csv", "json", "npy"]),
    help="Format of the detections, instead of what their name and content say.",
)
@click.option(
    "--detector",
    metavar="NAME",
    shell_complete=lambda *_: ["mot", "background", "onnx", "torchvision"],
    help="mot, background, onnx, torchvision, or a FILE.py with one of yours; see above for the default.",
)
@click.option(
    "--weights",
    type=click.Path(),
    metavar="FILE",
    help="Weights of the detector: FILE.onnx of YOLO, DETR and others, FILE.pth.",
)
@click.option(
    "--classes",
    metavar="NAMES",
    help="Classes to keep, by name or number: person,bicycle; all.  [default for networks: person, or all without one]",
)
@click.option("--min-score", type=float, help="Ignore detections below this score, in detector and tracker.")
@click.option("--embedder", metavar="NAME|FILE", help="Appearance: flat_vhp_vae, pixels, FILE.safetensors, FILE.onnx.")
@click.option(
    "--embed-every",
    metavar="auto|N",
    help="Reuse the latent of a box that follows another without doubt, for up to N frames.",
)
@click.option("--camera", type=click.Choice(["none", "ecc", "sparse_flow"]), help="Global motion of the camera.")
@click.option(
    "--range",
    "values",
    metavar="LOW-HIGH",
    help="What is black and white in pictures of many levels (thermal).  [default: of the first one]",
)
@click.option("--fps", type=float, help="Frames per second, instead of what the source says.")
@click.option(
    "--stride", type=click.IntRange(1), help="Work on every n-th frame.  [default: as a file's detections come, else 1]"
)
@click.option("--frames", type=click.IntRange(1), help="Stop after this many frames.")
@click.option(
    "--continue",
    "goes_on",
    is_flag=True,
    help="SOURCEs are one recording: tracks and ids go on from one to the next, as if its first frame came right after "
    "the last one before. Each has results, frame numbers and smoothing of its own.",
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/track"), show_default=True)
@click.option("--csv", is_flag=True, help="Write NAME.csv as well.")
@click.option("--json", is_flag=True, help="Write NAME.json as well.")
@click.option("--video", is_flag=True, help="Write NAME.mp4: boxes, ids, trails.")
@click.option("--crops", is_flag=True, help="Write NAME.crops/ID/FRAME.jpg.")
@click.option("--show", is_flag=True, help="Show a live window (q or Esc ends).")
@click.option("--boxes", type=click.Choice(["filter", "detector"]), default="filter", show_default=True)
@click.option(
    "--smooth/--no-smooth",
    default=None,
    help="Smooth finished tracks, fill gaps of up to smooth.max_gap; --smooth gp: with a Gaussian process a track.",
)
@click.option("--explain", metavar="FRAME|id:ID", help="Tell why pairs were matched or not, in a frame or for a track.")
@click.option("--no-check", is_flag=True, help="Do not compare the detections of a file with the source.")
@click.option("--timing", is_flag=True, help="Tell where the time went.")
@click.option("--print-config", is_flag=True, help="Print the resolved config and stop.")
@debug_option
def main(arguments: tuple[str, ...], tracker: str | None, print_config: bool, goes_on: bool, **options: Any) -> None:
    """Track the objects of SOURCEs.

    A SOURCE is a video, a folder or glob of images, a MOTChallenge sequence folder, a detection file, a camera's index,
    or an rtsp:// or http:// address. Without --detector or --detections a sequence's own det/det.txt is used, and
    background subtraction (for fixed cameras) where there is none. Where nothing asks for images, none is read.
    The default tracker compares appearance and smooths the tracks of a file once all are known (see --no-smooth).

    KEY=VALUE changes any key of the config (see --print-config); lives are in frames or seconds. With --stride n,
    frames keep their numbers and times, lives count the frames worked on, and lifecycle.min_hits is divided by n.

    \b
    flatsort track video.mp4 --video
    flatsort track MOT17/train/* --tracker bytetrack --min-score 0.3
    flatsort track video.mp4 --detector onnx --weights yolox_nano.onnx detector.min_score=0.4 --video
    flatsort track part1.mp4 part2.mp4 --continue
    flatsort track 0 --detector torchvision --weights download --show
    flatsort track det.txt lifecycle.max_age=2s --csv
    flatsort track MOT17/train/MOT17-02 --explain 57
    flatsort track video.mp4 --embedder osnet.onnx --embed-every auto --timing
    """
    from flatsort.tools.runs.open_run import MOTION_TRACKER, open_run, track_config
    from flatsort.tools.runs.track_run import TrackOutput
    from flatsort.tracker.config import dump
    from flatsort.tracker.images import ValueRange

    sources, overrides = split_arguments(arguments)
    fps, smooth, text = options.pop("fps"), options.pop("smooth"), options.pop("values")
    stride, check = options.pop("stride"), not options.pop("no_check")
    values = None if text is None else ValueRange.parse(text)
    if options["detections"] and len(sources) > 1:
        raise click.UsageError(f"--detections: expected one SOURCE for it, got {len(sources)}")
    if options["boxes"] == "detector":
        if smooth:
            raise click.UsageError("expected --smooth or --boxes detector, got both")
        smooth = False
    given = {key: options.pop(key) for key in CONFIG_OPTIONS}
    config = track_config(tracker or "flatsort", overrides, **given)
    if print_config:
        click.echo(dump(config), nl=False)
        return
    if not sources:
        raise click.UsageError("expected at least one SOURCE, got none")
    for source in sources:
        if not (Path(source).exists() or source.isdecimal() or re.search(r"://|[*?\[]", source)):
            raise FileNotFoundError(
                f"{shown(source)}: no such file, expected a video, images, a sequence, a camera or an address"
            )
    motion = {**given, "embedder": None, "embed_every": None}
    fallback = None if tracker or given["embedder"] else partial(track_config, MOTION_TRACKER, overrides, **motion)
    output = TrackOutput(**options)
    opened = partial(
        open_run,
        config=config,
        fps=fps,
        images=output.images,
        smooth=smooth,
        fallback=fallback,
        values=values,
        stride=stride,
        check=check,
    )
    _track_all(sources, opened, output, goes_on, [tracker])


CONFIG_OPTIONS = (
    *("detections", "file_format", "detector", "weights", "classes", "min_score"),
    *("camera", "embedder", "embed_every"),
)
"""Options that change the config."""


def _track_all(
    sources: Sequence[str],
    opened: Callable[[str], Run],
    output: TrackOutput,
    goes_on: bool,
    inputs: Sequence[str | None] = (),
) -> None:
    from flatsort.tools.runs.track_run import write_run

    done: list[Path] = []
    used: set[str] = set()
    tracker: SortTracker | None = None
    for source in sources:
        run = opened(source)
        tracker = tracker if tracker and goes_on else run.tracker()
        for note in run.notes:
            click.echo(note, err=True)
        name = unique_name(run.source.name, used)
        try:
            report = write_run(run, name, output, [*sources, *inputs], tracker)
        except KeyboardInterrupt as error:
            finished = f"finished: {', '.join(map(str, done))}" if done else "no source was finished"
            so_far = "; ".join(getattr(error, "__notes__", [])) or "none of its frames are kept"
            click.echo(f"interrupted in {shown(source)}: {so_far}; {finished}", err=True)
            raise
        done.append(report.path)
        for text in filter(None, (report.sentence, report.timing, report.explanation)):
            click.echo(text)


if __name__ == "__main__":
    run(main)
