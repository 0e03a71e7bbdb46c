"""``flatsort demo``: a rendered scene, tracked and scored."""

from __future__ import annotations

import time
from pathlib import Path

import click

from flatsort.tools.cli import debug_option, progress, run

STILL = 150
"""Frame of the still image."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/demo"), show_default=True)
@click.option("--tracker", default="flatsort", show_default=True, help="Name under configs/track, or FILE.yaml.")
@click.option("--frames", type=click.IntRange(1), default=300, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the scene and of the detector's errors.")
@debug_option
def main(out: Path, tracker: str, frames: int, seed: int) -> None:
    """Track a scene that needs no data: people who walk, cross and hide each other, drawn by the project.

    The detector is imperfect on purpose: noisy boxes, misses, false alarms. The ground truth is known, so the tracks
    are scored as well. The tracker compares appearance with the shipped weights. It takes some 20 seconds.

    \b
    flatsort demo
    flatsort demo --tracker bytetrack --seed 3
    """
    from flatsort.scene import Scene, SceneConfig, write_images, write_sequence
    from flatsort.tools.runs.open_run import open_run
    from flatsort.tools.runs.track_run import TrackOutput, write_run
    from flatsort.tracker.files import write_text
    from flatsort.tracker.metrics import evaluate
    from flatsort.tracker.metrics.report import table, to_json
    from flatsort.tracker.track_config import load_track_config

    start = time.perf_counter()
    config = load_track_config(tracker)
    scene = Scene(SceneConfig(frames=frames, seed=seed))
    folder = out / "scene"
    write_sequence(scene, folder)
    write_images(progress(scene, frames, "drawing"), folder)
    report = write_run(open_run(str(folder), config, images=True), "demo", TrackOutput(out, video=True), [tracker])
    _write_still(out, min(STILL, frames))
    result = evaluate(folder, report.path)
    write_text(out / "metrics.json", to_json(result))
    click.echo(f"{report.sentence}\n\n{table(result)}\n")
    click.echo(f"video    {out / 'demo.mp4'}  (a still: {out / 'still.png'})")
    click.echo(f"tracks   {report.path}")
    click.echo(f"metrics  {out / 'metrics.json'}")
    click.echo(f"scene    {folder}  (a MOTChallenge sequence: try `flatsort track {folder} --tracker sort`)")
    click.echo(f"took     {time.perf_counter() - start:.0f} s")


def _write_still(out: Path, index: int) -> None:
    """Save one frame of the video as an image."""
    import cv2

    from flatsort.tracker.files import replacing

    capture = cv2.VideoCapture(str(out / "demo.mp4"))
    for _ in range(index):
        ok, image = capture.read()
    capture.release()
    if ok:
        with replacing(out / "still.png") as temporary:
            temporary.write_bytes(cv2.imencode(".png", image)[1].tobytes())


if __name__ == "__main__":
    run(main)
