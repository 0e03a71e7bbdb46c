"""Latent reuse: which boxes keep the latent of the frame before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatsort.tracker.latent_reuse import EmbedConfig, LatentReuse
from flatsort.tracker.types import Detections, Float32

LEFT, RIGHT = [0.0, 0, 40, 100], [200.0, 0, 240, 100]


def origins(reuse: LatentReuse, *boxes: list[float]) -> list[int]:
    return [int(row) for row in reuse.origins(Detections.of(boxes))]


def moved(box: list[float], dx: float) -> list[float]:
    return [box[0] + dx, box[1], box[2] + dx, box[3]]


def test_a_box_that_clearly_continues_another_keeps_its_latent_for_so_many_frames() -> None:
    reuse = LatentReuse(3)
    rows = [origins(reuse, moved(LEFT, 4.0 * frame)) for frame in range(8)]
    assert rows == [[-1], [0], [0], [-1], [0], [0], [-1], [0]]


def test_every_box_is_embedded_where_none_may_be_reused() -> None:
    reuse = LatentReuse(1)
    assert [origins(reuse, LEFT, RIGHT) for _ in range(3)] == [[-1, -1]] * 3


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([LEFT, RIGHT], [0, 1]),
        ([RIGHT, LEFT], [1, 0]),
        ([LEFT], [0]),
        ([moved(LEFT, 20)], [-1]),  # IoU 1/3
        ([LEFT, moved(LEFT, 35)], [-1, -1]),  # a box that touches it
        ([LEFT, LEFT], [-1, -1]),  # twice the same
        ([moved(LEFT, 100)], [-1]),
        ([], []),
    ],
)
def test_when_a_latent_is_reused(boxes: list[list[float]], expected: list[int]) -> None:
    reuse = LatentReuse(9)
    origins(reuse, LEFT, RIGHT)
    assert origins(reuse, *boxes) == expected


def test_a_touching_box_in_the_frame_before_prevents_reuse_too() -> None:
    reuse = LatentReuse(9)
    origins(reuse, LEFT, moved(LEFT, 35))
    assert origins(reuse, LEFT) == [-1]
    assert origins(reuse, LEFT) == [0]


@pytest.mark.parametrize("bad", [[np.nan, 0, 40, 100], [5.0, 5, 5, 50], [0.0, 0, 1e9, 1e9]])
def test_a_frame_with_an_invalid_box_reuses_nothing_and_is_not_reused(bad: list[float]) -> None:
    reuse = LatentReuse(9)
    origins(reuse, LEFT)
    assert origins(reuse, LEFT, bad) == [-1, -1]
    assert origins(reuse, LEFT) == [-1]
    assert origins(reuse, LEFT) == [0]


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_reused_latents_are_exactly_those_of_the_continued_box(seed: int, max_reuse: int) -> None:
    generator = np.random.default_rng(seed)
    reuse = LatentReuse(max_reuse)
    corner, speed = generator.uniform(0, 500, (6, 2)), generator.normal(0, 5, (6, 2))
    before: Float32 | None = None
    ages: dict[int, int] = {}  # number of a latent → frames that it has been used
    count = 0
    for frame in range(12):
        left = (corner + frame * speed)[generator.permutation(6)[: generator.integers(0, 7)]]
        origin = reuse.origins(Detections.of(np.concatenate([left, left + np.array([40, 100])], axis=1)))
        fresh = int((origin < 0).sum())
        own = np.arange(count, count + fresh, dtype=np.float32)[:, None]  # each latent is a number of its own
        count += fresh
        latents = reuse.fill(origin, own)
        assert latents[origin < 0].tolist() == own.tolist()
        if before is not None:
            assert latents[origin >= 0].tolist() == before[origin[origin >= 0]].tolist()
        numbers = latents[:, 0].astype(int).tolist()
        assert len(set(numbers)) == len(numbers)
        for number in numbers:
            ages[number] = ages.get(number, 0) + 1
        before = latents
    assert max(ages.values(), default=1) <= max_reuse


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_boxes_does_not_matter(seed: int) -> None:
    generator = np.random.default_rng(seed)
    plain, shuffled = LatentReuse(5), LatentReuse(5)
    corner = generator.uniform(0, 300, (5, 2))
    before = np.arange(5)
    for _ in range(4):
        corner = corner + generator.normal(0, 4, (5, 2))
        boxes = np.concatenate([corner, corner + np.array([40, 100])], axis=1)
        order = generator.permutation(5)
        origins, shuffled_origins = plain.origins(Detections.of(boxes)), shuffled.origins(Detections.of(boxes[order]))
        there = np.where(
            shuffled_origins >= 0, before[shuffled_origins], -1
        )  # rows of the frame before, as they were before the shuffle
        assert there.tolist() == origins[order].tolist()
        before = order


def test_half_a_second_is_long_enough() -> None:
    assert [EmbedConfig(every="auto").max_reuse(fps) for fps in (1, 7, 25, 30)] == [1, 4, 12, 15]
    assert EmbedConfig(every=7).max_reuse(30) == 7
    assert EmbedConfig().max_reuse(30) == 1


def test_more_components_than_the_embedder_has_are_refused() -> None:
    assert [EmbedConfig(components=n).dim(4) for n in (0, 1, 4)] == [4, 1, 4]
    with pytest.raises(ValueError, match="expected at most the embedder's 4, got 5"):
        EmbedConfig(components=5).dim(4)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"every": 0}, "embed.every: expected auto or a number of frames from 1 on, got 0"),
        ({"every": "always"}, "embed.every: expected auto or a number of frames from 1 on, got 'always'"),
        ({"batch": 0}, "embed.batch: expected 1 or more frames, got 0"),
        ({"components": -1}, r"embed.components: expected 0 \(all\) or more numbers, got -1"),
    ],
)
def test_impossible_settings(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        EmbedConfig(**settings)  # type: ignore[arg-type]
