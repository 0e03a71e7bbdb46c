"""Lengths and shortest paths against closed forms and against another shortest-path program."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from flatsort.embedding.geometry.paths import (
    curvature,
    decoded,
    grid_graph,
    lengths,
    neighbour_graph,
    resample,
    straight,
)
from tests.embedding.geometry.test_metric import polar


def _scale(z: Tensor) -> Tensor:
    return 3 * z


def test_straight_and_decoded() -> None:
    curves = straight(torch.zeros(2, 3), torch.tensor([[1.0, 2, 3], [4, 4, 4]]), 4)
    assert curves.shape == (2, 5, 3)
    torch.testing.assert_close(curves[0, 1], torch.tensor([0.25, 0.5, 0.75]))
    torch.testing.assert_close(decoded(_scale, curves, chunk=3), 3 * curves.double())


def test_length_of_an_arc() -> None:
    """At radius 2 a half turn is 2π long; radially from 1 to 3 it is 2."""
    start, end = torch.tensor([[2.0, 0.0], [1.0, 0.5]]), torch.tensor([[2.0, math.pi], [3.0, 0.5]])
    assert lengths(polar, straight(start, end, 200)) == pytest.approx([2 * math.pi, 2.0], rel=1e-4)


def test_many_curves_are_measured_alike() -> None:
    ends = torch.randn(150, 2, generator=torch.Generator().manual_seed(0))
    measured = lengths(_scale, straight(torch.zeros(150, 2), ends, 3))
    assert measured == pytest.approx((3 * ends.norm(dim=1)).numpy(), rel=1e-5)


def test_curvature() -> None:
    """Zero for a line at constant speed; on a circle of angle a it is a; the step does not matter."""
    start, end = torch.tensor([[2.0, 0.0]]), torch.tensor([[2.0, 1.5]])
    assert curvature(_scale, straight(start, end, 20)) == pytest.approx([0], abs=1e-4)
    for segments in (50, 100):
        assert curvature(polar, straight(start.double(), end.double(), segments)) == pytest.approx([1.5], rel=0.02)
    assert curvature(_scale, straight(start, start, 4)) == pytest.approx([0])


def test_graph_distances_on_a_line() -> None:
    nodes = np.array([[0.0], [1.0], [3.0], [7.0]])
    graph = neighbour_graph(nodes, 1)
    assert graph.distances(np.array([0, 3])) == pytest.approx(np.abs(nodes.T - nodes[[0, 3]]))
    assert graph.path(3, 0).ravel().tolist() == [7, 3, 1, 0]
    assert graph.path(2, 2).ravel().tolist() == [3]
    measured = neighbour_graph(nodes, 1, _scale)
    assert measured.distances(np.array([0]))[0] == pytest.approx(3 * nodes.ravel())


def test_graph_is_connected_and_survives_equal_nodes() -> None:
    random = np.random.default_rng(0)
    islands = np.concatenate([random.normal(size=(30, 2)), random.normal(size=(30, 2)) + 100, np.zeros((3, 2))])
    distances = neighbour_graph(islands, 3).distances(np.arange(63))
    assert np.isfinite(distances).all()
    assert distances == pytest.approx(distances.T)
    euclid = np.linalg.norm(islands[:, None] - islands, axis=2)
    assert (distances > euclid - 1e-9).all()


def test_riemannian_path_goes_around_what_is_far() -> None:
    """A ridge in the decoded space: the Euclidean path crosses it, the Riemannian one goes through its gap."""

    def ridge(z: Tensor) -> Tensor:
        height = 20 * torch.exp(-((z[:, 0] / 0.15) ** 2)) * torch.sigmoid(8 * (1 - z[:, 1]))
        return torch.cat([z, height[:, None]], 1)

    nodes = np.random.default_rng(0).uniform(-2, 2, (400, 2))
    nodes[:2] = [[-1, 0], [1, 0]]
    plain = neighbour_graph(nodes).path(0, 1)
    around = neighbour_graph(nodes, decode=ridge, segments=8).path(0, 1)
    assert plain[:, 1].max() < 0.8
    assert around[:, 1].max() > 1.0
    ends = torch.from_numpy(around.astype(np.float32))
    assert lengths(ridge, ends[None])[0] < 0.5 * lengths(ridge, straight(ends[:1], ends[-1:], 100))[0]


def test_grid_distances_are_round_in_a_flat_space() -> None:
    axis = np.linspace(-1, 1, 41)
    graph = grid_graph(_scale, (axis, axis))
    centre = 20 * 41 + 20
    distances = graph.distances(np.array([centre]))[0]
    expected = 3 * np.linalg.norm(graph.nodes, axis=1)
    away = expected > 0
    assert (distances[away] / expected[away]).max() < 1.015
    assert (distances[away] / expected[away]).min() > 0.999


def test_grid_is_row_major_and_may_be_oblong() -> None:
    graph = grid_graph(_scale, (np.linspace(0, 4, 5), np.linspace(0, 2, 3)))
    assert graph.nodes[5 * 2 + 3].tolist() == [3, 2]
    assert graph.distances(np.array([0]))[0, 4] == pytest.approx(12)


def test_grid_distances_in_polar_coordinates() -> None:
    """Two points on the unit circle: the shortest way is the chord."""
    graph = grid_graph(polar, (np.linspace(0.05, 1.2, 60), np.linspace(-0.2, 2.2, 80)))
    start = int(np.argmin(np.linalg.norm(graph.nodes - [1, 0], axis=1)))
    end = int(np.argmin(np.linalg.norm(graph.nodes - [1, 2], axis=1)))
    (ra, a), (rb, b) = graph.nodes[start], graph.nodes[end]
    chord = math.hypot(ra * math.cos(a) - rb * math.cos(b), ra * math.sin(a) - rb * math.sin(b))
    assert graph.distances(np.array([start]))[0, end] == pytest.approx(chord, rel=0.02)


def test_resample() -> None:
    bent = np.array([[0.0, 0], [3, 0], [3, 1]])
    assert resample(bent, 5).tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [3, 1]]
    assert resample(bent, 3, np.array([0.0, 1, 2])).tolist() == [[0, 0], [3, 0], [3, 1]]
    assert resample(bent[:1], 2).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(("n", "neighbours"), [(1, 3), (5, 0)])
def test_graph_refuses(n: int, neighbours: int) -> None:
    with pytest.raises(ValueError, match="expected 2 nodes and 1 neighbour"):
        neighbour_graph(np.zeros((n, 2)), neighbours)
