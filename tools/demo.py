"""``flatsort demo``: a rendered scene, tracked and scored."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flatsort.tools.cli import debug_option, progress, run

if TYPE_CHECKING:
    from flatsort.scene import Scene
    from flatsort.tracker.types import Frame

STILL = 150
"""Frame of the still picture."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/demo"), show_default=True)
@click.option("--tracker", default="flatsort", show_default=True, help="Name under configs/track, or FILE.yaml.")
@click.option("--frames", type=click.IntRange(1), default=300, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the scene and of the detector's errors.")
@debug_option
def main(out: Path, tracker: str, frames: int, seed: int) -> None:
    """Track a scene that needs no data: people who walk, cross and hide each other, drawn by the project.

    The detector is imperfect on purpose: noisy boxes, misses, false alarms. What is true is known, so the tracks are
    scored as well. The tracker looks at appearance with the shipped weights. It takes some 20 seconds.

    \b
    flatsort demo
    flatsort demo --tracker bytetrack --seed 3
    """
    from flatsort.scene import Scene, SceneConfig
    from flatsort.tools.runs.track_run import TrackConfig, Wanted, prepare, track_source
    from flatsort.tracker.config import find, load
    from flatsort.tracker.files import write_text
    from flatsort.tracker.metrics import evaluate
    from flatsort.tracker.metrics.report import table, to_json

    start = time.perf_counter()
    config = load(TrackConfig, find("track", tracker))
    scene = Scene(SceneConfig(frames=frames, seed=seed))
    folder = out / "scene"
    write_sequence(scene, folder)
    write_pictures(progress(scene, frames, "drawing"), folder)
    report = track_source(prepare(str(folder), config, images=True), "demo", Wanted(out=out, video=True))
    _write_still(out, min(STILL, frames))
    result = evaluate(folder, report.path)
    write_text(out / "metrics.json", to_json(result))
    click.echo(f"{report.sentence}\n\n{table(result)}\n")
    click.echo(f"video    {out / 'demo.mp4'}  (a still: {out / 'still.png'})")
    click.echo(f"tracks   {report.path}")
    click.echo(f"metrics  {out / 'metrics.json'}")
    click.echo(f"scene    {folder}  (a MOTChallenge sequence: try `flatsort track {folder} --tracker sort`)")
    click.echo(f"took     {time.perf_counter() - start:.0f} s")


def write_pictures(frames: Iterable[Frame], folder: Path) -> None:
    """Write the pictures of a MOTChallenge sequence in place of those that are there."""
    import cv2

    from flatsort.tracker.files import replacing

    last = 0
    for frame in frames:
        assert frame.image is not None
        data = cv2.imencode(".jpg", cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))[1].tobytes()
        with replacing(folder / "img1" / f"{frame.index:06d}.jpg") as temporary:
            temporary.write_bytes(data)
        last = frame.index
    for path in (folder / "img1").glob("[0-9]*.jpg"):
        if path.stem.isdecimal() and int(path.stem) > last:  # of an earlier, longer scene
            path.unlink()


def write_sequence(scene: Scene, folder: Path) -> None:
    """Write truth and detections of the scene as a MOTChallenge sequence, without pictures."""
    import numpy as np

    from flatsort.tracker.boxes import xyxy_to_xywh
    from flatsort.tracker.files import write_text
    from flatsort.tracker.io.mot import format_rows
    from flatsort.tracker.types import Tracks

    truth = scene.truth()
    rows = zip(
        truth.frames.tolist(), truth.ids.tolist(), xyxy_to_xywh(truth.boxes).tolist(), truth.visibility, strict=True
    )
    gt = "".join(f"{f},{i},{x:.3f},{y:.3f},{w:.3f},{h:.3f},1,1,{v:.3f}\n" for f, i, (x, y, w, h), v in rows)
    det = ""
    for frame, seen in scene.detections(scene.config.seed).items():
        none = np.full(len(seen), -1)
        det += format_rows(frame, Tracks(none, seen.boxes, seen.scores, none, none))
    width, height = scene.size
    info = {
        "name": "demo",
        "imDir": "img1",
        "frameRate": f"{scene.fps:g}",
        "seqLength": scene.length,
        "imWidth": width,
        "imHeight": height,
        "imExt": ".jpg",
    }
    write_text(folder / "gt" / "gt.txt", gt)
    write_text(folder / "det" / "det.txt", det)
    write_text(folder / "seqinfo.ini", "[Sequence]\n" + "".join(f"{k}={v}\n" for k, v in info.items()))


def _write_still(out: Path, index: int) -> None:
    """Save one frame of the annotated video as a picture."""
    import cv2

    from flatsort.tracker.files import replacing

    capture = cv2.VideoCapture(str(out / "demo.mp4"))
    for _ in range(index):
        ok, picture = capture.read()
    capture.release()
    if ok:
        with replacing(out / "still.png") as temporary:
            temporary.write_bytes(cv2.imencode(".png", picture)[1].tobytes())


if __name__ == "__main__":
    run(main)
