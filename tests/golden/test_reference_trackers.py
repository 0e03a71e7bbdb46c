"""DeepSORT and ByteTrack give the tracks of their official implementations.

``deep_sort.csv`` and ``bytetrack.csv`` hold what the official code made of the detections of `street`, computed once,
on 2026-11-27, with numpy 2.4.6 and scipy 1.17.1. Columns: seed, frame, id, and the box's left, top, right and bottom.

* DeepSORT: folder ``deep_sort`` of https://github.com/nwojke/deep_sort (``nn_matching`` and ``iou_matching`` of commit
  56f7c971, ``tracker`` and ``track`` of 31b6b594 without class names), called as its ``deep_sort_app.py`` does, with a
  cosine distance of 0.2 and a budget of 100 features. scipy's ``linear_sum_assignment`` stands for the Hungarian
  algorithm that scikit-learn no longer has.
* ByteTrack: folder ``yolox/tracker`` of https://github.com/ifzhang/ByteTrack (commit 0cb85cb0), with the arguments of
  its evaluation on MOT17 (``track_thresh=0.6``, ``track_buffer=30``, ``match_thresh=0.9``), lap 0.5.13 and
  cython_bbox 0.1.5.

The file ``kalman_filter.py`` of each was taken from a fork, as were the commits above from one store of public code.

The seeds are such that nothing depends on what differs: DeepSORT keeps a track for the 31st frame after its last match
without matching it there, and adds up cosine distances where the assignment here adds up Euclidean ones; ByteTrack
removes duplicate tracks, and can match a track once more in the frame after its removal. ByteTrack also freezes the
height of lost tracks and does not predict unconfirmed ones, which changes boxes by less than a pixel, but no id.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from flatsort.tracker.boxes import iou
from flatsort.tracker.sort import SortTracker
from flatsort.tracker.track_config import load_track_config
from flatsort.tracker.types import Detections, Float

FOLDER = Path(__file__).parent
SIZE = 960, 540
SEEDS = 23, 28
FEATURES = 8
"""Length of a feature vector."""


@dataclass(frozen=True)
class Walker:
    """A person who walks straight on, is absent for some frames and has a feature vector."""

    start: Float
    step: Float
    height: float
    feature: Float
    absent: range

    def box(self, frame: int) -> Float:
        """xyxy in a frame."""
        x, y = self.start + frame * self.step
        half = self.height * 0.2
        return np.array([x - half, y - self.height / 2, x + half, y + self.height / 2])


def street(seed: int, people: int = 14, frames: int = 120) -> list[Detections]:
    """Noisy detections of people who cross: low scores behind others, misses, long absences and false detections.

    Only four kinds of clothes are worn, so that some people look alike.
    """
    generator = np.random.default_rng(seed)
    clothes = generator.normal(size=(4, FEATURES))
    crowd = [_walker(generator, clothes[number % 4]) for number in range(people)]
    return [_detections(crowd, frame, generator) for frame in range(frames)]


def _walker(generator: np.random.Generator, clothes: Float) -> Walker:
    feature = clothes + generator.normal(0, 0.5, FEATURES)
    first = int(generator.integers(20, 60))
    return Walker(
        start=generator.uniform((150, 180), (SIZE[0] - 150, SIZE[1] - 180)),
        step=generator.uniform((-5, -0.5), (5, 0.5)),
        height=float(generator.uniform(90, 170)),
        feature=feature / np.linalg.norm(feature),
        absent=range(first, first + int(generator.integers(0, 45))),
    )


def _detections(crowd: list[Walker], frame: int, generator: np.random.Generator) -> Detections:
    boxes, scores, features = [], [], []
    true_boxes = np.array([walker.box(frame) for walker in crowd])
    overlap = iou(true_boxes, true_boxes)
    for number, walker in enumerate(crowd):
        box = true_boxes[number] + generator.normal(0, 0.012 * walker.height, 4)
        hidden = overlap[number, :number].max(initial=0.0) > 0.3  # behind one of the earlier people
        score = generator.uniform(0.15, 0.75) if hidden else generator.uniform(0.62, 0.98)
        feature = walker.feature + generator.normal(0, 0.22 if hidden else 0.12, FEATURES)
        missed = generator.random() < 0.08
        if missed or frame in walker.absent:
            continue
        boxes.append(box)
        scores.append(score)
        features.append(feature)
    if generator.random() < 0.15:  # a false detection
        corner = generator.uniform((0, 0), (SIZE[0] - 60, SIZE[1] - 140))
        boxes.append(np.concatenate([corner, corner + generator.uniform((30, 80), (60, 140))]))
        scores.append(generator.uniform(0.15, 0.85))
        features.append(generator.normal(size=FEATURES))
    unit = np.array(features).reshape(-1, FEATURES)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return Detections.of(boxes, scores, latents=unit.astype(np.float32))


def tracks_of(name: str, seed: int) -> Float:
    """Rows of frame, id and box of one of our trackers, fed with the features themselves."""
    tracker = SortTracker(load_track_config(name))
    rows = []
    for frame, detections in enumerate(street(seed), 1):
        tracks = tracker.step(detections)
        rows += [[frame, number, *box] for number, box in zip(tracks.ids.tolist(), tracks.boxes.tolist(), strict=True)]
    return np.array(rows)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("name", "tolerance"), [("deep_sort", 0.01), ("bytetrack", 1.0)])
def test_tracks_are_those_of_the_official_code(name: str, tolerance: float, seed: int) -> None:
    official = np.loadtxt(FOLDER / f"{name}.csv", delimiter=",")
    official = official[official[:, 0] == seed, 1:]
    ours = tracks_of(name, seed)
    assert len(ours) == len(official) > 1000
    pairs = set()
    for frame in range(1, 121):
        theirs_now, ours_now = official[official[:, 0] == frame], ours[ours[:, 0] == frame]
        assert len(theirs_now) == len(ours_now), frame
        if not len(ours_now):
            continue
        distance = np.abs(theirs_now[:, None, 2:] - ours_now[:, 2:]).max(axis=2)
        assert distance.min(axis=1).max() < tolerance, frame
        nearest = distance.argmin(axis=1)
        assert len(set(nearest.tolist())) == len(nearest), frame
        pairs |= set(zip(theirs_now[:, 1].tolist(), ours_now[nearest, 1].tolist(), strict=True))
    theirs_ids, our_ids = zip(*pairs, strict=True)
    assert len(pairs) == len(set(theirs_ids)) == len(set(our_ids)) > 19  # one to one; some of 14 people are lost
