"""The chain: embedding between detection and tracking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatsort.tracker.association.appearance_threshold import AppearanceConfig
from flatsort.tracker.association.stages import StageConfig
from flatsort.tracker.gallery import GalleryConfig
from flatsort.tracker.lifecycle import LifecycleConfig
from flatsort.tracker.pipeline import detect, embed, track
from flatsort.tracker.sort import SortConfig, SortTracker
from flatsort.tracker.types import Detections, Float, Float32, Frame, Image

FrameList = list[tuple[Frame, Detections]]


class CentreColour:
    """Embeds a box as the colour at its centre; remembers its calls."""

    dim = 3

    def __init__(self) -> None:
        self.calls: list[list[int]] = []

    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> list[Float32]:
        self.calls.append([len(each) for each in boxes])
        return [self._one(image, each) for image, each in zip(images, boxes, strict=True)]

    def _one(self, image: Image, boxes: Float) -> Float32:
        centre = np.clip((boxes[:, :2] + boxes[:, 2:]) / 2, 0, [image.shape[1] - 1, image.shape[0] - 1]).astype(int)
        colours: Float32 = image[centre[:, 1], centre[:, 0]].astype(np.float32)
        return colours

    @property
    def boxes_asked(self) -> int:
        return sum(map(sum, self.calls))


def noise_frames(seed: int, frames: int = 9, unreadable: float = 0.2) -> FrameList:
    """Noise with boxes that move, none in some frames; some images cannot be read."""
    generator = np.random.default_rng(seed)
    corner, speed = generator.uniform(0, 100, (4, 2)), generator.normal(0, 2, (4, 2))
    stream = []
    for index in range(1, frames + 1):
        image = None if generator.random() < unreadable else generator.integers(0, 256, (120, 160, 3), np.uint8)
        left = (corner + index * speed)[generator.permutation(4)[: generator.integers(0, 5)]]
        boxes = np.concatenate([left, left + np.array([12, 30])], axis=1)
        stream.append((Frame(index, image, index / 25), Detections.of(boxes, generator.random(len(boxes)))))
    return stream


def latents_of(stream: FrameList) -> list[Float]:
    return [np.asarray(each.latents, np.float64) for _, each in stream]


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_a_batch_of_frames_gives_what_single_frames_give(seed: int, batch: int) -> None:
    stream = noise_frames(seed)
    embedder = CentreColour()
    embedded = list(embed(stream, embedder, batch=batch))
    assert [frame for frame, _ in embedded] == [frame for frame, _ in stream]
    for (frame, before), (_, after) in zip(stream, embedded, strict=True):
        expected = Detections.empty() if frame.image is None else before
        assert after.boxes.tolist() == expected.boxes.tolist()
        assert after.scores.tolist() == expected.scores.tolist()
        assert after.latents is not None
        assert after.latents.dtype == np.float32
        own = CentreColour().embed([frame.image], [before.boxes])[0] if frame.image is not None else np.empty((0, 3))
        assert after.latents.tolist() == own.tolist()
    assert len(embedder.calls) <= -(-len(stream) // batch)
    assert all(min(call) > 0 for call in embedder.calls)  # nothing is asked for a frame without boxes


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(2, 5))
def test_reuse_does_not_depend_on_the_batch(seed: int, batch: int, max_reuse: int) -> None:
    stream, first, second = noise_frames(seed), CentreColour(), CentreColour()
    single = latents_of(list(embed(stream, first, batch=1, max_reuse=max_reuse)))
    together = latents_of(list(embed(stream, second, batch=batch, max_reuse=max_reuse)))
    assert [z.tolist() for z in single] == [z.tolist() for z in together]
    assert (
        first.boxes_asked == second.boxes_asked <= sum(len(each) for frame, each in stream if frame.image is not None)
    )


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 3), st.integers(1, 3))
def test_the_first_numbers_of_latents(seed: int, batch: int, max_reuse: int, dim: int) -> None:
    stream = noise_frames(seed)
    whole = latents_of(list(embed(stream, CentreColour(), batch=batch, max_reuse=max_reuse)))
    cut = latents_of(list(embed(stream, CentreColour(), batch=batch, max_reuse=max_reuse, dim=dim)))
    assert [z.tolist() for z in cut] == [z[:, :dim].tolist() for z in whole]
    assert {z.shape[1] for z in cut} == {dim}  # of frames without boxes, too


def standing_person(frames: int = 12, unreadable: tuple[int, ...] = ()) -> FrameList:
    """One person who stands still, in images of one colour each: the colour is the number of the frame."""
    box = Detections.of([[40, 20, 60, 80]])
    return [
        (Frame(i, None if i in unreadable else np.full((100, 100, 3), i, np.uint8), i / 25), box)
        for i in range(1, frames + 1)
    ]


@pytest.mark.parametrize("batch", [1, 5, 12])
def test_a_person_who_stands_still_is_embedded_now_and_then(batch: int) -> None:
    embedder = CentreColour()
    embedded = latents_of(list(embed(standing_person(), embedder, batch=batch, max_reuse=4)))
    assert [int(z[0, 0]) for z in embedded] == [1] * 4 + [5] * 4 + [9] * 4
    assert embedder.boxes_asked == 3


def test_after_an_unreadable_image_every_box_is_embedded_again() -> None:
    embedded = list(embed(standing_person(6, unreadable=(3,)), CentreColour(), batch=2, max_reuse=6))
    assert [len(each) for _, each in embedded] == [1, 1, 0, 1, 1, 1]
    assert [int(z[0, 0]) for z in latents_of(embedded) if len(z)] == [1, 1, 4, 4, 4]


def test_no_frame_waits_for_more_than_its_batch() -> None:
    taken = 0

    def counting() -> Iterator[tuple[Frame, Detections]]:
        nonlocal taken
        for each in standing_person():
            taken += 1
            yield each

    for given_out, _ in enumerate(embed(counting(), CentreColour(), batch=3), 1):
        assert taken == -(-given_out // 3) * 3


class ListsOfBoxes:
    """Gives a plain list in place of `Detections`."""

    class_names = ("thing",)
    needs_image = False

    def detect(self, frame: Frame) -> Detections:  # noqa: ARG002
        return [[10, 10, 50, 90]]  # type: ignore[return-value]


def test_a_detector_that_gives_something_else_is_named() -> None:
    with pytest.raises(ValueError, match="detector ListsOfBoxes, frame 7: expected Detections, got list"):
        list(detect([Frame(7, None, 0.28)], ListsOfBoxes()))


def test_no_frames_and_no_boxes_give_no_latents() -> None:
    assert list(embed([], CentreColour(), batch=8)) == []
    embedder = CentreColour()
    empty = [(Frame(1, np.zeros((9, 9, 3), np.uint8), 0.0), Detections.empty())]
    assert [z.shape for z in latents_of(list(embed(empty, embedder)))] == [(0, 3)]
    assert embedder.calls == []


def test_latents_reach_the_tracker() -> None:
    config = SortConfig(
        stages={"appearance": StageConfig(cost="latent", threshold=1.0)},
        lifecycle=LifecycleConfig(min_hits=0, max_age=9),
    )
    left, right = [10, 10, 30, 60], [100, 10, 120, 60]
    image = np.zeros((100, 160, 3), np.uint8)
    image[:, :80, 0] = image[:, 80:, 1] = 200
    mirrored = np.ascontiguousarray(image[:, ::-1])
    stream = [(Frame(i + 1, p, i / 25), Detections.of([left, right])) for i, p in enumerate((image, image, mirrored))]
    results = list(track(embed(stream, CentreColour(), batch=2), SortTracker(config)))
    ids = [dict(zip(r.tracks.source.tolist(), r.tracks.ids.tolist(), strict=True)) for r in results]
    assert ids[0] == ids[1] == {0: 1, 1: 2}
    assert ids[2] == {0: 2, 1: 1}


@pytest.mark.parametrize("with_image", [True, False])
def test_the_size_of_the_image_reaches_the_gallery(with_image: bool) -> None:
    config = SortConfig(
        stages={"appearance": StageConfig(cost="latent", threshold=1.0)},
        appearance=AppearanceConfig(threshold=1.0),
        gallery=GalleryConfig(border=0.1, size=1),
        lifecycle=LifecycleConfig(min_hits=0, max_age=9),
    )
    inside, cut = [20, 20, 40, 70], [80, 20, 100, 70]
    image = np.zeros((100, 100, 3), np.uint8) if with_image else None
    steps = [(inside, 0.0), (cut, 0.9), (cut, 1.8)]  # who is cut by the border teaches nothing: 1.8 is too far from 0
    stream = [(Frame(i + 1, image, i / 25), Detections.of([box], latents=[[z]])) for i, (box, z) in enumerate(steps)]
    results = list(track(stream, SortTracker(config), (100, 100)))
    assert [r.tracks.ids.tolist() for r in results] == [[1], [1], [2]]
