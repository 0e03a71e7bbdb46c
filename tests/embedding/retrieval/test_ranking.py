"""Ranking of a gallery: CMC and mAP against scikit-learn and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.metrics import average_precision_score, roc_auc_score

from flatsort.embedding.retrieval import PROTOCOLS, Labels, Ranking, protocols_for, rank
from flatsort.tracker.types import Float

NAMES = sorted(PROTOCOLS)


def latents_and_labels(seed: int, n: int = 60, people: int = 8, ties: bool = False) -> tuple[Float, Labels]:
    """Latents that know a little of who is who, with labels of every kind; some identities are unknown."""
    rng = np.random.default_rng(seed)
    identity = rng.integers(-1, people, n)
    latents = rng.normal(size=(people + 1, 5))[identity] + 1.5 * rng.normal(size=(n, 5))
    columns = {"camera": rng.integers(0, 3, n), "sequence": rng.integers(0, 2, n), "frame": rng.integers(1, 9, n)}
    columns["role"] = rng.integers(0, 2, n)
    return np.round(latents) if ties else latents, Labels.of(n, identity=identity, **columns)


def allowed(protocol: str, labels: Labels, q: int, g: int) -> tuple[bool, bool]:
    """Whether a sample is in a query's gallery, and whether it counts as another object for the ROC: by the book."""
    camera = labels.camera[q] == labels.camera[g]
    if protocol == "frames":
        sequence = bool(labels.sequence[q] == labels.sequence[g])
        return sequence and labels.frame[q] != labels.frame[g], sequence
    gallery = {
        "a_to_b": not camera,
        "across": not (camera and labels.identity[q] == labels.identity[g]),
        "within": camera and q != g,
        "all": q != g,
        "queries": labels.role[g] == 0 and not (camera and labels.identity[q] == labels.identity[g]),
    }[protocol]
    return bool(gallery), bool(gallery)


def by_hand(latents: Float, labels: Labels, protocol: str) -> tuple[list[int], list[float], int, float]:
    """Samples ahead, average precisions, unmatched queries and AUC, a pair at a time."""
    known = np.flatnonzero(labels.identity >= 0).tolist()
    first = labels.camera[known].min()
    distances = cdist(latents, latents)
    ahead, precision, unmatched = [], [], 0
    pairs: list[tuple[bool, float]] = []
    for q in known:
        if (protocol == "a_to_b" and labels.camera[q] != first) or (protocol == "queries" and labels.role[q] != 1):
            continue
        shown = [g for g in known if allowed(protocol, labels, q, g)[0]]
        match = np.array([labels.identity[g] == labels.identity[q] for g in shown], bool)
        d = distances[q, shown]
        pairs += [(True, x) for x in d[match]]
        pairs += [
            (False, distances[q, g])
            for g in known
            if allowed(protocol, labels, q, g)[1] and labels.identity[g] != labels.identity[q]
        ]
        if not match.any():
            unmatched += 1
            continue
        ahead.append(int((d[~match] <= d[match].min()).sum()))
        precision.append(float(average_precision_score(match, -d)))
    return ahead, precision, unmatched, float(roc_auc_score([same for same, _ in pairs], [-d for _, d in pairs]))


def counted(ranking: Ranking) -> list[list[int]]:
    """Distances and how often each occurs, of same and of different pairs."""
    two = (ranking.separation.same, ranking.separation.different)
    return [column.tolist() for histogram in two for column in (histogram.bins, histogram.counts)]


@pytest.mark.parametrize("protocol", NAMES)
@pytest.mark.parametrize("ties", [False, True])
def test_equals_scikit_learn_and_brute_force(protocol: str, ties: bool) -> None:
    latents, labels = latents_and_labels(3, ties=ties)
    result = rank(latents, labels, protocol)
    ahead, precision, unmatched, auc = by_hand(latents, labels, protocol)
    assert result.ahead.tolist() == ahead
    np.testing.assert_allclose(result.precision, precision, rtol=1e-12)
    assert result.unmatched == unmatched
    assert result.unknown == (labels.identity < 0).sum() > 0
    # distances within 0.01 % of each other count as equal
    assert result.separation.auc == pytest.approx(auc, abs=5e-5)
    assert result.rank(5) == pytest.approx(np.mean(np.array(ahead) < 5))
    assert result.mean_average_precision == pytest.approx(np.mean(precision))


@given(st.integers(0, 10_000), st.sampled_from(NAMES), st.booleans())
def test_order_of_the_rows_changes_nothing(seed: int, protocol: str, ties: bool) -> None:
    latents, labels = latents_and_labels(seed, n=25, ties=ties)
    order = np.random.default_rng(seed).permutation(25)
    a, b = rank(latents, labels, protocol), rank(latents[order], labels.take(order), protocol)
    assert sorted(a.ahead.tolist()) == sorted(b.ahead.tolist())
    np.testing.assert_array_equal(np.sort(a.precision), np.sort(b.precision))
    assert counted(a) == counted(b)


@pytest.mark.parametrize("protocol", NAMES)
def test_chunks_change_nothing(protocol: str) -> None:
    latents, labels = latents_and_labels(5)
    whole, pieces = rank(latents, labels, protocol), rank(latents, labels, protocol, chunk=130)
    assert whole.ahead.tolist() == pieces.ahead.tolist()
    assert whole.precision.tolist() == pieces.precision.tolist()
    assert counted(whole) == counted(pieces)


@pytest.mark.parametrize("protocol", NAMES)
def test_perfect_latents(protocol: str) -> None:
    _, labels = latents_and_labels(1)
    result = rank(np.eye(10)[labels.identity], labels, protocol)
    assert [result.rank(1), result.mean_average_precision, result.separation.auc] == [1, 1, 1]


def test_random_latents_are_chance() -> None:
    rng = np.random.default_rng(0)
    labels = Labels.of(1000, identity=np.arange(1000) % 10)
    result = rank(rng.normal(size=(1000, 8)), labels, "all")
    assert result.rank(1) == pytest.approx(0.1, abs=0.03)
    assert result.mean_average_precision == pytest.approx(0.1, abs=0.01)
    assert result.separation.auc == pytest.approx(0.5, abs=0.01)


def test_equal_latents_score_as_no_match() -> None:
    """Where all latents are the same, ties count as misses."""
    result = rank(np.ones((40, 3)), Labels.of(40, identity=np.arange(40) % 20), "all")
    assert (result.rank(10), result.separation.auc) == (0, 0.5)
    assert result.mean_average_precision == pytest.approx(1 / 39)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"identity": [0, 0, 1, 1], "camera": [0, 1, 0, 1]}, ["a_to_b", "across", "within"]),
        ({"identity": [0, 0, 1, 1], "camera": [0, 1, 2, 1]}, ["across", "within"]),
        # cameras that share nobody are sequences
        ({"identity": [0, 0, 1, 1], "camera": [0, 0, 1, 1], "frame": [1, 2, 1, 2]}, ["frames"]),
        ({"identity": [0, 0, 1, -1], "frame": [1, 2, 1, -1]}, ["frames"]),
        ({"identity": [0, 0, 1, 1], "frame": [1, 2, 1, -1]}, ["all"]),
        ({"identity": [0, 0, 1, 1]}, ["all"]),
        ({"identity": [-1, -1, -1, -1], "frame": [1, 2, 3, 4]}, []),
    ],
)
def test_protocols_that_fit(columns: dict[str, list[int]], expected: list[str]) -> None:
    labels = Labels.of(4, **{name: np.array(column) for name, column in columns.items()})
    assert protocols_for(labels) == expected


@pytest.mark.parametrize("protocol", NAMES)
@pytest.mark.parametrize("n", [0, 1])
def test_without_pairs_there_are_no_scores(protocol: str, n: int) -> None:
    result: Ranking = rank(
        np.zeros((n, 4)), Labels.of(n, identity=np.zeros(n, np.int64), role=np.ones(n, np.int64)), protocol
    )
    assert (result.rank(1), result.mean_average_precision, result.separation.auc) == (None, None, None)
    assert result.unmatched == n
    assert protocols_for(Labels.of(0)) == []


def test_bad_input() -> None:
    labels = Labels.of(3, identity=np.arange(3))
    with pytest.raises(ValueError, match=r"latents: expected \[3 d\] like the labels, got \[2, 4\]"):
        rank(np.zeros((2, 4)), labels)
    with pytest.raises(ValueError, match="expected finite numbers, row 1 has others"):
        rank(np.array([[0.0], [np.nan], [1.0]]), labels)
    with pytest.raises(ValueError, match="protocol 'cameras': expected one of frames, a_to_b"):
        rank(np.zeros((3, 1)), labels, "cameras")
    with pytest.raises(ValueError, match="camera: expected 3 rows like the latents, got"):
        Labels.of(3, camera=np.zeros(2, np.int64))
