"""Directions of attributes in closed form, and the classifier of attributes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from flatsort.embedding.representation import editing
from flatsort.tracker.types import Bool

FIRST, SECOND = torch.tensor([0.0, 0.0]), torch.tensor([10.0, 0.0])
UP, DOWN = torch.tensor([0.0, 1.0]), torch.tensor([0.0, -3.0])
EXAMPLES = torch.stack([FIRST, FIRST + UP, SECOND, SECOND + DOWN])
HAS = np.array([False, True, False, True])
"""An attribute whose direction is up at one position and down at another."""


def test_one_direction_for_all_is_the_difference_of_means() -> None:
    directions = editing.attribute_directions(torch.zeros(3, 2), EXAMPLES, HAS, 0)
    assert directions.tolist() == [[0.0, -1.0]] * 3


@pytest.mark.parametrize("neighbours", [1, 2, 50])
def test_neighbours_give_each_latent_its_own_direction(neighbours: int) -> None:
    latents = torch.stack([FIRST + 0.1, SECOND - 0.1])
    directions = editing.attribute_directions(latents, EXAMPLES, HAS, neighbours)
    of_all = editing.attribute_directions(latents, EXAMPLES, HAS, 0)
    torch.testing.assert_close(directions, torch.stack([UP, DOWN]) if neighbours == 1 else of_all)


@pytest.mark.parametrize("neighbours", [0, 1])
@pytest.mark.parametrize("has", [HAS | True, HAS & False])
def test_examples_of_one_kind_are_refused(has: Bool, neighbours: int) -> None:
    with pytest.raises(ValueError, match=r"^attribute: expected examples with and without it, got \d of 4 with$"):
        editing.attribute_directions(EXAMPLES, EXAMPLES, has, neighbours)


def test_only_bits_beyond_the_threshold_are_set() -> None:
    codes = torch.tensor([[1.0, 1.0, -1.0], [-1.0, -1.0, -1.0]])
    directions = torch.tensor([[-0.5, 0.1, 0.19], [0.5, 0.1, -0.19]])
    assert editing.set_bits(codes, directions, 0.1).tolist() == [[-1.0, 1.0, -1.0], [1.0, -1.0, -1.0]]


def test_values_become_classes_or_quarters() -> None:
    assert editing.classes_of(np.array([5.0, -1.0, 5.0, 2.5])).tolist() == [2, 0, 2, 1]
    assert np.bincount(editing.classes_of(np.random.default_rng(0).normal(size=80))).tolist() == [20] * 4


def test_a_classifier_of_position_and_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editing, "STEPS", 80)
    random = np.random.default_rng(0)
    left, wide = random.integers(0, 2, 400), random.integers(0, 2, 400)
    images = np.zeros((400, 1, 8, 8), np.float32)
    for image, is_left, is_wide in zip(images, left, wide, strict=True):
        row, column = random.integers(0, 6), random.integers(0, 2) + (0 if is_left else 4)
        image[0, row : row + 1 + 2 * (1 - is_wide), column : column + 1 + 2 * is_wide] = 1
    labels = {"left": left.astype(np.int64), "wide": wide.astype(np.int64)}
    samples = torch.from_numpy(images)
    classify = editing.AttributeClassifier(samples[:300], {name: each[:300] for name, each in labels.items()}, 0)
    accuracies = editing.agreement(
        classify(samples[300:]), {name: each[300:] for name, each in labels.items()}, list(labels)
    )
    assert min(accuracies.values()) > 0.95
