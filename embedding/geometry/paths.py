"""Curves in a latent space: Riemannian length, curvature, shortest paths over graphs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import dijkstra, minimum_spanning_tree
from scipy.spatial.distance import cdist
from torch import Tensor

from flatsort.embedding.geometry.metric import metric_tensor
from flatsort.embedding.objectives.flatness import Decode
from flatsort.tracker.types import Float, Int

TINY = 1e-12
"""Length of an edge between equal nodes: in a sparse matrix 0 means no edge."""
CURVES = 64
"""Curves decoded at a time: decoded samples are far larger than latents."""
REACH = 3
"""Columns and rows that an edge of a grid spans at most; its distances are too long by 1.3 % at most."""


def straight(start: Tensor, end: Tensor, segments: int) -> Tensor:
    """Straight curves between latents [b d], in equal steps: [b segments+1 d]."""
    share = torch.linspace(0, 1, segments + 1, dtype=start.dtype, device=start.device)
    return torch.lerp(start[:, None], end[:, None], share[:, None])


def decoded(decode: Decode, curves: Tensor, chunk: int = 512) -> Tensor:
    """Decoded curves [b t d], float64 [b t m], on the CPU; ``chunk`` points at a time."""
    with torch.no_grad():
        points = [decode(rows).double().cpu() for rows in torch.split(curves.flatten(0, 1), chunk)]
    return torch.cat(points).reshape(*curves.shape[:2], -1)


def lengths(decode: Decode, curves: Tensor) -> Float:
    """Length of curves [b t d] under the decoder's metric, [b], as the sum of decoded segments.

    References
    ----------
    Chen et al., Metrics for deep generative models, AISTATS 2018, eq. 5.
    """
    return np.concatenate(
        [decoded(decode, c).diff(dim=1).norm(dim=2).sum(1).numpy() for c in torch.split(curves, CURVES)]
    )


def curvature(decode: Decode, curves: Tensor) -> Float:
    """How unevenly decoded samples change along curves [b t d] of equal steps, [b].

    Root mean square of the second differences over that of the first ones, times the number of segments: an estimate
    of ‖x''‖/‖x'‖ for a curve over 0..1, independent of the step. 0: the samples change
    along a straight line at constant speed.
    """
    curvatures = []
    for some in torch.split(curves, CURVES):
        first = decoded(decode, some).diff(dim=1)
        second = first.diff(dim=1)
        speed = first.square().sum(2).mean(1).sqrt().clamp_min(TINY)
        curvatures.append((second.square().sum(2).mean(1).sqrt() / speed * first.shape[1]).numpy())
    return np.concatenate(curvatures)


@dataclass(frozen=True, eq=False)
class LatentGraph:
    """Nodes in a latent space and the lengths of edges between neighbours.

    Attributes
    ----------
    nodes : float64 [n d]
    weights : sparse float64 [n n]
        Symmetric; connected.
    """

    nodes: Float
    weights: csr_array[np.float64, tuple[int, int]]

    def distances(self, sources: Int) -> Float:
        """Length of the shortest paths from nodes [s] to all nodes, [s n]."""
        return np.atleast_2d(dijkstra(self.weights, directed=False, indices=sources))

    def path(self, start: int, end: int) -> Float:
        """Nodes [t d] of the shortest path between two nodes, both included."""
        _, before = dijkstra(self.weights, directed=False, indices=[start], return_predecessors=True)
        rows = [end]
        while rows[-1] != start:
            rows.append(int(before[0, rows[-1]]))
        return self.nodes[rows[::-1]]


def neighbour_graph(nodes: Float, neighbours: int = 8, decode: Decode | None = None, segments: int = 4) -> LatentGraph:
    """Graph over latents, each connected to its nearest ones.

    It contains the Euclidean minimum spanning tree, so that there is a path between any two nodes.

    Parameters
    ----------
    nodes : float64 [n d]
        Samples of the prior, or encoded data.
    neighbours : int
        Nearest nodes that a node is connected to.
    decode : callable, optional
        Decoder for the Riemannian length of edges (of the straight segment); None: Euclidean length.
    segments : int
        Segments that an edge is decoded in.

    Raises
    ------
    ValueError
        If there are fewer than two nodes or less than one neighbour.

    References
    ----------
    Klushyn et al., Learning hierarchical priors in VAEs, NeurIPS 2019, section 3.3 (graph-based interpolation); Chen
    et al., Fast approximate geodesics for deep generative models, ICANN 2019.
    """
    from sklearn.neighbors import NearestNeighbors

    nodes = np.asarray(nodes, np.float64)
    if len(nodes) < 2 or neighbours < 1:
        raise ValueError(f"graph: expected 2 nodes and 1 neighbour at least, got {len(nodes)} and {neighbours}")
    near = NearestNeighbors(n_neighbors=min(neighbours, len(nodes) - 1)).fit(nodes)
    joined = coo_array(near.kneighbors_graph())
    tree = coo_array(minimum_spanning_tree(np.maximum(cdist(nodes, nodes), TINY)))
    edges = np.concatenate([np.stack(joined.coords), np.stack(tree.coords)], axis=1)
    rows, cols = np.unique(np.sort(edges, axis=0), axis=1)
    if decode is None:
        weights = np.linalg.norm(nodes[rows] - nodes[cols], axis=1)
    else:
        ends = torch.from_numpy(nodes.astype(np.float32))
        weights = lengths(decode, straight(ends[rows], ends[cols], segments))
    return LatentGraph(nodes, _symmetric(rows, cols, weights, len(nodes)))


def grid_graph(decode: Decode, axes: tuple[Float, Float], tensors: NDArray[np.float64] | None = None) -> LatentGraph:
    """Graph over a grid in a 2-D latent space whose edges have their Riemannian length.

    A node is connected to all nodes up to `REACH` columns and rows away that are visible from it, so that distances
    over the graph approximate those in the plane: `LatentGraph.distances` is then like fast marching.

    Parameters
    ----------
    decode : callable
    axes : two of float64 [w] and [h]
        Coordinates of the columns and of the rows, increasing; node of row y and column x is y·w + x.
    tensors : float64 [h·w 2 2], optional
        Metric tensors at the nodes, if they are known already.
    """
    x, y = axes
    width, height = len(x), len(y)
    nodes = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    if tensors is None:
        tensors = metric_tensor(decode, torch.from_numpy(nodes.astype(np.float32))).numpy()
    index = np.arange(len(nodes)).reshape(height, width)
    starts, ends = [], []
    for dx, dy in _steps():
        left, right = slice(max(-dx, 0), width - max(dx, 0)), slice(max(dx, 0), width + min(dx, 0))
        starts.append(index[: height - dy, left].ravel())
        ends.append(index[dy:, right].ravel())
    rows, cols = np.concatenate(starts), np.concatenate(ends)
    step = nodes[cols] - nodes[rows]
    # the metric along an edge: mean over its ends
    square = np.einsum("ei,eij,ej->e", step, (tensors[rows] + tensors[cols]) / 2, step)
    return LatentGraph(nodes, _symmetric(rows, cols, np.sqrt(np.maximum(square, 0)), len(nodes)))


def resample(curve: Float, points: int, along: Float | None = None) -> Float:
    """A curve [t d] resampled at ``points`` points with equal lengths between them, [points d].

    Parameters
    ----------
    curve : float64 [t d]
    points : int
    along : float64 [t], optional
        Length from the start to each point of the curve; without it the Euclidean one.
    """
    if along is None:
        along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    lengths_at_points = np.linspace(0, along[-1], points)
    return np.stack([np.interp(lengths_at_points, along, column) for column in curve.T], axis=1)


def _steps() -> Iterator[tuple[int, int]]:
    """Steps (columns, rows) to half of a node's neighbours; the other half are their opposites."""
    for dy in range(REACH + 1):
        for dx in range(-REACH, REACH + 1):
            if np.gcd(dx, dy) == 1 and (dy > 0 or dx > 0):
                yield dx, dy


def _symmetric(rows: Int, cols: Int, weights: Float, n: int) -> csr_array[np.float64, tuple[int, int]]:
    return csr_array(coo_array((np.maximum(weights, TINY), (rows, cols)), shape=(n, n)))
