"""Separation of same from different objects by distance: AUC, histograms, between frames, and figures."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from flatsort.embedding.retrieval import Separation, between_frames, distance_histograms, roc_curves
from flatsort.embedding.retrieval.separation import Histogram


@given(st.integers(0, 10_000), st.integers(1, 200), st.integers(1, 200), st.sampled_from([1e-6, 1.0, 1e6]))
def test_auc_equals_scikit_learn(seed: int, p: int, n: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    # whole numbers: many ties, and none that only the bins make
    same, different = rng.integers(0, 9, p) * scale, rng.integers(2, 12, n) * scale
    expected = roc_auc_score([1] * p + [0] * n, -np.concatenate([same, different]))
    assert Separation.of(same, different).auc == pytest.approx(expected, abs=1e-12)


def test_bins_cost_little() -> None:
    rng = np.random.default_rng(0)
    same, different = rng.gamma(4, 1, 3000), rng.gamma(6, 1, 5000)
    expected = roc_auc_score([1] * 3000 + [0] * 5000, -np.concatenate([same, different]))
    assert Separation.of(same, different).auc == pytest.approx(expected, abs=1e-5)


def test_moments_and_quantiles() -> None:
    distances = np.random.default_rng(1).gamma(3, 2, (100, 50))
    histogram = Histogram()
    for row in distances:
        histogram.add(row)
    assert len(histogram) == 5000
    assert histogram.mean == pytest.approx(distances.mean())
    assert histogram.deviation == pytest.approx(distances.std())
    shares = [0.01, 0.5, 0.99]
    np.testing.assert_allclose(
        histogram.quantile(shares), np.quantile(distances, shares, method="inverted_cdf"), rtol=5e-4
    )


def test_d_prime_of_two_gaussians() -> None:
    rng = np.random.default_rng(0)
    separation = Separation.of(rng.normal(10, 1, 20_000), rng.normal(12, 1, 20_000))
    assert separation.d_prime == pytest.approx(2, abs=0.03)
    # of two bells with one deviation, AUC = Φ(d′/√2)
    assert separation.auc == pytest.approx(0.5 * (1 + math.erf(1.0)), abs=0.003)


def test_roc_goes_from_corner_to_corner() -> None:
    false, true, distance = Separation.of([1, 2, 2], [2, 4]).roc()
    assert false.tolist() == [0, 0, 0.5, 1]
    assert true.tolist() == pytest.approx([0, 1 / 3, 1, 1])
    np.testing.assert_allclose(distance, [0, 1, 2, 4], rtol=5e-4)


def test_without_pairs_of_a_kind() -> None:
    separation = Separation.of([], [1.0])
    assert (separation.auc, separation.d_prime, separation.complete) == (None, None, False)
    json.dumps(separation.summary(), allow_nan=False)
    with pytest.raises(ValueError, match="expected pairs of both kinds, got 0 same, 1 not"):
        separation.roc()
    with pytest.raises(ValueError, match="expected at least one distance"):
        separation.same.quantile(0.5)
    assert Separation.of([0.0], [0.0]).d_prime is None


def test_pairs_between_frames() -> None:
    #                   sequence, frame, identity, latent
    rows = np.array([
        (0, 1, 7, 0), (0, 1, 8, 10), (0, 1, -1, 50),
        (0, 2, 7, 1), (0, 2, 8, 12),
        (0, 4, 7, 5),
        (1, 5, 7, 6), (1, 6, 8, 7),
    ])  # fmt: skip
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    separation = between_frames(rows[:, 3:].astype(float), rows[:, 2], rows[:, 1], rows[:, 0])
    # 7 and 8 from frame 1 to 2; frame 4 follows none, nor does sequence 1 follow sequence 0
    assert (len(separation.same), separation.same.mean) == (2, (1 + 2) / 2)
    assert (len(separation.different), separation.different.mean) == (2, (10 + 11) / 2)


def test_no_frames() -> None:
    empty = np.empty(0, np.int64)
    assert not between_frames(np.empty((0, 3)), empty, empty).complete


@pytest.fixture(scope="module")
def separations() -> dict[str, Separation]:
    rng = np.random.default_rng(0)
    by_name = {f"m{d}": Separation.of(rng.normal(9, 1, 500), rng.normal(9 + d, 1, 900)) for d in range(2)}
    return by_name | {"no pairs": Separation(), "one kind": Separation.of([], [1.0, 2.0])}


def test_figures(separations: dict[str, Separation], tmp_path: Path) -> None:
    for name, draw in (("roc", roc_curves), ("distances", distance_histograms)):
        draw(separations, "a title").savefig(tmp_path / f"{name}.png")
        image = cv2.imread(str(tmp_path / f"{name}.png"))
        assert image is not None
        assert image.std() > 1


def test_curves_are_those_of_the_models(separations: dict[str, Separation]) -> None:
    (axes,) = roc_curves(separations).axes
    assert [str(line.get_label()) for line in axes.lines] == [
        f"m{d} (AUC {separations[f'm{d}'].auc:.3f})" for d in range(2)
    ]
    x, y = np.asarray(axes.lines[1].get_data())
    assert (x[-1], y[-1]) == (1, 1)
    assert (np.diff(y) >= 0).all()


def test_nothing_to_draw() -> None:
    assert [len(draw({}).axes) for draw in (roc_curves, distance_histograms)] == [1, 1]


def test_densities_hold_all_pairs(separations: dict[str, Separation]) -> None:
    panels = distance_histograms(separations).axes
    assert [axes.get_title() for axes in panels[: len(separations)]] == list(separations)
    for patch in panels[0].patches:
        density, edges, _ = patch.get_data()  # type: ignore[attr-defined]  # a StepPatch
        assert (density * np.diff(edges)).sum() == pytest.approx(1)
