"""Figures: labels, positions, colours and pixels that can be checked."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from flatsort.embedding.data.builtin.pendulum import pendulum
from flatsort.embedding.data.builtin.walker import walker
from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.figures import decoded_images, latent_maps, metric_contours
from flatsort.embedding.figures.image_grids import EncodedSamples, draw_sample, drawing_for, image_grid, save_figure
from flatsort.embedding.figures.latent_maps import colours_of
from flatsort.embedding.geometry.measures import encode
from flatsort.embedding.model import LatentModel, build
from flatsort.embedding.models.ae import AEConfig
from flatsort.embedding.models.vhp_vae import VHPVAEConfig
from flatsort.embedding.nets import NetConfig
from tests.embedding.geometry.test_measures import linear


def show(model: LatentModel, data: SampleSet, name: str = "model") -> EncodedSamples:
    samples = data.tensor(slice(None))
    return EncodedSamples(name, model.eval(), samples, encode(model.eval(), samples))


def test_samples_are_drawn_as_images_or_bars() -> None:
    grey = draw_sample(torch.full((1, 4, 6), 0.5))
    assert grey.shape == (4, 6, 3)
    assert set(grey.ravel().tolist()) == {128}
    colour = torch.zeros(3, 2, 2)
    colour[0] = 2.0  # clipped
    assert draw_sample(colour)[0, 0].tolist() == [255, 0, 0]
    assert drawing_for(walker(5, 0).note)(torch.zeros(21)).shape == (96, 64, 3)
    assert drawing_for("poses.npz: 5 vectors")(torch.zeros(21)).shape != (96, 64, 3)
    bars = draw_sample(torch.tensor([3.0, -3.0, 0.0]))
    upper, lower = (bars[rows, :, 0] < 200 for rows in (slice(0, 24), slice(24, 48)))
    assert upper[:, :8].all()
    assert lower[:, 8:16].all()
    assert upper.sum() == lower.sum() == 24 * 8


def test_an_image_grid_has_a_label_for_every_row(tmp_path: Path) -> None:
    figure = image_grid([("one", torch.rand(3, 1, 8, 8)), ("two", torch.rand(2, 1, 8, 8))])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["one", "two"]
    save_figure(figure, tmp_path / "grid.png")
    drawn = cv2.imread(str(tmp_path / "grid.png"))
    assert drawn is not None
    assert drawn.std() > 10


def test_colours_by_labels() -> None:
    by_motion = colours_of(walker(50, 0))
    assert list(by_motion.labels) == ["walking", "balancing", "jogging", "punching", "kicking"]
    assert len(np.unique(by_motion.of_rows, axis=0)) == 5
    digits = SampleSet(np.zeros((4, 2), np.float32), {"identity": np.array([3, 1, 3, 7])})
    assert list(colours_of(digits).labels) == ["1", "3", "7"]
    swing = colours_of(pendulum(30, 0))
    assert not swing.labels
    assert len(np.unique(swing.of_rows, axis=0)) > 20
    unknown = colours_of(SampleSet(np.zeros((4, 2), np.float32)))
    assert len(np.unique(unknown.of_rows, axis=0)) == 1


def test_the_plane_of_a_flat_model() -> None:
    """Covers all latents; magnification is even, and equal distances lie on circles."""
    shown = show(linear(2, 21), walker(60, 0))
    plane = metric_contours.latent_plane(shown)
    x, y = plane.axes
    assert x[0] < shown.latents[:, 0].min()
    assert y[-1] > shown.latents[:, 1].max()
    assert x[1] - x[0] == pytest.approx(y[1] - y[0], rel=0.1)
    assert plane.magnification.shape == (len(y), len(x))
    assert np.abs(plane.magnification).max() < 1e-4
    assert plane.scale == pytest.approx(1, rel=1e-4)
    middle = len(y) // 2 * len(x) + len(x) // 2
    distances = plane.graph.distances(np.array([middle]))[0]
    assert distances == pytest.approx(np.linalg.norm(plane.graph.nodes - plane.graph.nodes[middle], axis=1), rel=0.02)


def test_the_plane_of_latents_on_a_line_and_at_a_point() -> None:
    for factor in (0.0, 1e-3):
        shown = show(linear(2, 21), walker(60, 0))
        shown.latents[:, 1] *= factor
        plane = metric_contours.latent_plane(shown)
        assert min(len(axis) for axis in plane.axes) >= metric_contours.LEAST_CELLS
    shown.latents[:] = 1.0
    assert np.isfinite(metric_contours.latent_plane(shown).magnification).all()


def test_contours_need_two_dimensions() -> None:
    with pytest.raises(ValueError, match=r"expected 2 latent dimensions, got 3 \(model\)"):
        metric_contours.latent_plane(show(linear(3, 21), walker(20, 0)))


def test_metric_figure_has_a_panel_for_every_model() -> None:
    data = walker(60, 0)
    models = [show(linear(2, 21), data, "even"), show(linear(2, 21, 3.0), data, "stretched")]
    figure = metric_contours.metric_figure(models, colours_of(data))
    assert [axes.get_title() for axes in figure.axes[:2]] == ["even", "stretched"]
    assert len(figure.legends) == 1


@pytest.mark.parametrize("method", latent_maps.METHODS)
@pytest.mark.parametrize("dim", [1, 2, 6])
def test_maps_of_any_dimension(method: str, dim: int) -> None:
    latents = np.random.default_rng(0).normal(size=(30, dim))
    places = latent_maps.project(latents, method)
    assert places.shape == (30, 2)
    assert np.isfinite(places).all()
    assert np.array_equal(places, latent_maps.project(latents, method))


def test_pca_keeps_the_distances_of_a_plane() -> None:
    latents = (
        np.random.default_rng(0).normal(size=(20, 2)) @ np.linalg.qr(np.random.default_rng(1).normal(size=(5, 2)))[0].T
    )
    places = latent_maps.project(latents, "pca")
    gaps = [np.linalg.norm(p[:, None] - p, axis=2) for p in (latents, places)]
    assert gaps[1] == pytest.approx(gaps[0])


def test_thumbnails_lie_at_their_places() -> None:
    """Left and right, bottom and top; of equal places one image is kept."""
    data = SampleSet(np.array([10, 100, 200, 200], np.uint8).reshape(4, 1, 1, 1).repeat(8, 1).repeat(8, 2))
    shown = EncodedSamples("m", linear(2, 64), data.tensor(slice(None)), torch.zeros(4, 2))
    canvas = latent_maps.thumbnails(np.array([[0.0, 0], [1, 1], [1, 0], [1, 0]]), shown)
    half = latent_maps.SIDE // 2
    inks = [set(np.unique(part)) - {255} for part in (canvas[half:, :half], canvas[:half, half:], canvas[half:, half:])]
    assert inks == [{10}, {100}, {200}]
    assert not set(np.unique(canvas[:half, :half])) - {255}


def test_interpolations_start_and_end_at_the_samples() -> None:
    data = walker(60, 0)
    shown = show(linear(2, 21), data)
    ends = shown.latents[[3, 50]]
    graph = decoded_images._graph(shown, ends, 0)
    around = decoded_images._evenly(shown, graph.path(0, 1))
    assert around.shape == (decoded_images.STEPS, 2)
    torch.testing.assert_close(around[[0, -1]], ends)
    steps = shown.model.decode_weighted(around).detach().diff(dim=0).norm(dim=1)
    assert float(steps.max() / steps.min()) < 1.3
    figure = decoded_images.interpolations([shown], [(3, 50), (1, 2)])
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["model\nstraight (0.0)", "model\ngraph"] * 2


def test_samples_of_models_with_a_prior_only() -> None:
    data = pendulum(20, 0, size=8)
    net = NetConfig(width=8, stem=2, halvings=1)
    plain = show(build(AEConfig(shape=[1, 8, 8], dim=2, net=net)), data, "plain")
    prior = show(build(VHPVAEConfig(shape=[1, 8, 8], dim=2, net=net)), data, "prior")
    assert decoded_images.prior_samples([plain]) is None
    figure = decoded_images.prior_samples([plain, prior])
    assert figure is not None
    assert {label.get_text() for label in figure.axes[0].get_yticklabels()} == {"prior"}
    rows = decoded_images.reconstructions([plain, prior]).axes[0].get_yticklabels()
    assert [label.get_text() for label in rows] == ["samples", "plain", "prior"]


def test_pairs_to_interpolate_between_differ() -> None:
    samples = torch.zeros(200, 3)
    samples[100:] = 1
    pairs = decoded_images.choose_pairs(samples, 5)
    assert pairs == decoded_images.choose_pairs(samples, 5)
    assert pairs != decoded_images.choose_pairs(samples, 5, seed=1)
    assert len(set(pairs)) == 5
    assert all((start < 100) != (end < 100) for start, end in pairs)
