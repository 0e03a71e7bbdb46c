"""The scene as a MOTChallenge sequence on disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from flatsort.scene.film import Scene
from flatsort.tracker.boxes import xyxy_to_xywh
from flatsort.tracker.files import replacing, write_text
from flatsort.tracker.io.mot import format_rows
from flatsort.tracker.types import Frame, Tracks


def write_images(frames: Iterable[Frame], folder: Path) -> None:
    """Write the images of a MOTChallenge sequence in place of those that are there."""
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
    """Write ground truth and detections of the scene as a MOTChallenge sequence, without images."""
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
