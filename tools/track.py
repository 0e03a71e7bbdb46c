"""``flatsort track``: sources → detections → tracks → files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tools.cli import run

if TYPE_CHECKING:
    from tools.tracking import TrackConfig, Wanted

OVERRIDE = re.compile(r"[A-Za-z_][\w.\[\]]*=")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("arguments", nargs=-1, metavar="SOURCE... [KEY=VALUE]...")
@click.option("--tracker", default="sort_long", show_default=True, help="Name under configs/track, or FILE.yaml.")
@click.option("--detections", metavar="FILE", help="Detections in the MOTChallenge layout, in any order of frames.")
@click.option("--detector", metavar="NAME", help="mot, background, onnx or torchvision; see below for the default.")
@click.option("--weights", metavar="FILE", help="Weights of the detector.")
@click.option("--classes", metavar="NAMES", help="Classes to keep, by name: person,bicycle.")
@click.option("--min-score", type=float, help="Ignore detections below this score.")
@click.option("--camera", metavar="METHOD", help="Global camera motion: none, ecc or sparse_flow.")
@click.option("--fps", type=float, help="Frames per second, instead of what the source says.")
@click.option("--frames", type=click.IntRange(1), help="Stop after this many frames.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/track"), show_default=True)
@click.option("--csv", is_flag=True, help="Write NAME.csv as well.")
@click.option("--json", is_flag=True, help="Write NAME.json as well.")
@click.option("--video", is_flag=True, help="Write NAME.mp4: boxes, ids, trails.")
@click.option("--crops", is_flag=True, help="Write NAME.crops/ID/FRAME.jpg.")
@click.option("--show", is_flag=True, help="Show a live window (q or Esc ends).")
@click.option("--boxes", type=click.Choice(["filter", "detector"]), default="filter", show_default=True)
@click.option("--smooth", is_flag=True, help="Smooth finished tracks and fill gaps of up to smooth.max_gap frames.")
@click.option("--explain", metavar="FRAME|id:ID", help="Tell why pairs were matched or not, in a frame or for a track.")
@click.option("--print-config", is_flag=True, help="Print the resolved config and stop.")
def main(arguments: tuple[str, ...], tracker: str, print_config: bool, **options: Any) -> None:
    """Track the objects of SOURCEs.

    A SOURCE is a video, a folder or glob of images, a MOTChallenge sequence folder, a detection file, a camera's index,
    or an rtsp:// or http:// address. Without --detector or --detections a sequence's own det/det.txt is used, and
    background subtraction (for fixed cameras) where there is none. Where nothing asks for pictures, none is read.

    KEY=VALUE changes any key of the config (see --print-config); lives are in frames or seconds.

    \b
    flatsort track video.mp4 --video
    flatsort track MOT17/train/* --tracker bytetrack --min-score 0.3
    flatsort track video.mp4 --detector onnx --weights yolox_nano.onnx detector.min_score=0.4 --video
    flatsort track 0 --detector torchvision --weights download --show
    flatsort track det.txt lifecycle.max_age=2s --csv
    flatsort track MOT17/train/MOT17-02 --explain 57
    """
    from tools.tracking import TrackConfig, Wanted
    from tracker.config import dump, find, load

    sources, overrides = split_arguments(arguments)
    fps = options.pop("fps")
    shortcuts = _shortcuts(**{k: options.pop(k) for k in SHORTCUTS})
    config = load(TrackConfig, find("track", tracker), [*shortcuts, *overrides])
    if print_config:
        click.echo(dump(config), nl=False)
        return
    if not sources:
        raise click.UsageError("expected at least one SOURCE, got none")
    _run_all(sources, config, fps, Wanted(**options))


SHORTCUTS = ("detections", "detector", "weights", "classes", "min_score", "camera")


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Sources and ``key=value`` overrides; a file that exists is a source whatever its name."""
    overrides = [a for a in arguments if OVERRIDE.match(a) and not Path(a).exists()]
    return [a for a in arguments if a not in overrides], overrides


def _shortcuts(
    detections: str | None,
    detector: str | None,
    weights: str | None,
    classes: str | None,
    min_score: float | None,
    camera: str | None,
) -> list[str]:
    """Overrides that the options stand for."""
    if detections and detector not in (None, "mot"):
        raise click.UsageError(f"expected --detections or --detector {detector}, got both")
    values = {
        "detector": "mot" if detections else detector,
        "detector.path": detections,
        "detector.weights": weights,
        "detector.classes": f"[{classes}]" if classes else None,
        "min_score": min_score,
        "camera.method": camera,
    }
    return [f"{key}={value}" for key, value in values.items() if value is not None]


def _run_all(sources: Sequence[str], config: TrackConfig, fps: float | None, wanted: Wanted) -> None:
    from tools.tracking import prepare, track_source

    done: list[Path] = []
    used: set[str] = set()
    for text in sources:
        job = prepare(text, config, fps=fps, images=wanted.images)
        if job.note:
            click.echo(job.note, err=True)
        name = unique(job.source.name, used)
        try:
            report = track_source(job, name, wanted)
        except KeyboardInterrupt:
            kept = f"finished: {', '.join(map(str, done))}" if done else "no source was finished"
            partial = wanted.out / f"{name}.partial.txt"
            click.echo(f"interrupted in {text}: its frames so far are in {partial}; {kept}", err=True)
            raise
        done.append(report.path)
        click.echo(report.sentence)
        if report.explanation:
            click.echo(report.explanation)


def unique(name: str, used: set[str]) -> str:
    """``name``, or name-2, name-3, … when it is taken; remembered in ``used``."""
    number, free = 1, name
    while free in used:
        number += 1
        free = f"{name}-{number}"
    used.add(free)
    return free


if __name__ == "__main__":
    run(main)
