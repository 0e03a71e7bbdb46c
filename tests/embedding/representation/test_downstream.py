"""A linear classifier with few and many labels: against scikit-learn by hand, and where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from flatsort.embedding.representation.downstream import accuracy, label_efficiency
from flatsort.tracker.types import Float, Int


def blobs(n: int = 1500, classes: int = 4, noise: float = 0.1, seed: int = 0) -> tuple[Float, Int]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, n)
    return np.eye(classes)[labels] + random.normal(0, noise, (n, classes)), labels


def test_what_is_separable_needs_few_labels() -> None:
    efficiency = label_efficiency(*blobs())
    assert efficiency.few == efficiency.many == efficiency.ratio == 1
    assert (efficiency.labels, efficiency.classes) == (1000, 4)
    assert efficiency.chance == pytest.approx(0.25, abs=0.05)


def test_noise_is_chance_and_hard_tasks_need_labels() -> None:
    latents, labels = blobs(noise=0.5)
    random = np.random.default_rng(1)
    wide = np.concatenate([latents, random.normal(size=(len(latents), 60))], axis=1)
    efficiency = label_efficiency(wide, labels)
    assert efficiency.few < efficiency.many - 0.05
    assert efficiency.ratio == pytest.approx(efficiency.few / efficiency.many)
    assert efficiency.deviation > 0
    guessed = label_efficiency(random.normal(size=(1500, 3)), labels)
    assert guessed.many == pytest.approx(0.25, abs=0.08)


def test_units_do_not_matter() -> None:
    latents, labels = blobs(noise=0.6)
    assert label_efficiency(latents, labels) == label_efficiency(latents * [1e-3, 1, 8, 64] + 5, labels)


def test_held_out_rows_are_not_fitted() -> None:
    """Labels without any pattern: a classifier fitted to the test rows would do better than chance."""
    random = np.random.default_rng(0)
    latents, labels = random.normal(size=(450, 200)), random.integers(0, 2, 450)
    assert label_efficiency(latents, labels).many == pytest.approx(0.5, abs=0.12)
    assert accuracy(latents, labels, np.arange(300), np.arange(300)) > 0.9


def test_accuracy_is_that_of_scikit_learn() -> None:
    latents, labels = blobs(400, noise=0.6)
    train, test = np.arange(250), np.arange(250, 400)
    mean, std = latents[train].mean(0), latents[train].std(0)
    reference = LogisticRegression(max_iter=1000).fit((latents[train] - mean) / std, labels[train])
    expected = reference.score((latents[test] - mean) / std, labels[test])
    assert accuracy(latents, labels, train, test) == pytest.approx(expected)
    only = np.flatnonzero(labels == 2)
    assert accuracy(latents, labels, only, np.arange(400)) == pytest.approx((labels == 2).mean())


def test_seeds() -> None:
    first, same, other = (label_efficiency(*blobs(noise=0.6), seed=seed) for seed in (0, 0, 1))
    assert first == same
    assert first != other


def test_bad_input_is_refused() -> None:
    latents, labels = blobs(200)
    for z, y, sentence in (
        (latents, np.zeros(200, np.int64), "expected 2 to 50 classes, got 1"),
        (latents, np.arange(200), "expected 2 to 50 classes, got 200"),
        (latents[:120], labels[:120], "expected 150 samples or more, got 120"),
        (latents[:-1], labels, "one per label, got 199 for 200"),
        (np.where(latents > 1, np.inf, latents), labels, "expected finite latents"),
    ):
        with pytest.raises(ValueError, match=sentence):
            label_efficiency(z, y)
