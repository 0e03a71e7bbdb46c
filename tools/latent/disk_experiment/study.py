"""The models of the disk experiment, their training, and what is measured of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from flatsort.embedding import checkpoint
from flatsort.embedding.data.builtin import shapes
from flatsort.embedding.training.config import TrainConfig
from flatsort.embedding.training.loop import train
from flatsort.tools.latent.disk_experiment import airy_profile as airy
from flatsort.tracker.config import find, load
from flatsort.tracker.types import Float

if TYPE_CHECKING:
    from flatsort.embedding.data.sample_set import SampleSet
    from flatsort.embedding.model import LatentModel

RECIPES = {
    "biases": "disks_disk_ae",
    "no_biases": "disks_disk_ae_bias_free",
    "moving": "moving_disks_disk_ae",
    "moving_coord": "moving_disks_disk_ae_coord",
}
"""Model of the experiment → recipe under configs/train."""
TRAINING_IMAGES, TEST_IMAGES = 3000, 500
GAUGE_IMAGES = 512
"""Images of evenly spaced sizes, from which the gauge of a shape is computed."""
FACTORS = (0.1, 0.7, 3.0, 11.0)
"""Factors λ by which codes are multiplied to test whether the decoder is homogeneous."""
NEIGHBOURS = 5


@dataclass(frozen=True, eq=False)
class TestedModel:
    """A model of the experiment with its codes and outputs for images that it was not trained on.

    Attributes
    ----------
    model : LatentModel
    test : SampleSet
    images, outputs : float64 [n m]
        Flattened.
    codes : float64 [n dim]
    """

    model: LatentModel
    test: SampleSet
    images: Float
    outputs: Float
    codes: Float

    @property
    def error(self) -> float:
        """Mean squared error of a pixel."""
        return float(((self.outputs - self.images) ** 2).mean())


def render(name: str, shape: str, n: int, seed: int, size: int) -> SampleSet:
    """Images for a model of the experiment; ``shape`` is ``disk`` or one of the kinds of sprites."""
    moving = name.startswith("moving")
    return shapes.disks(n, seed, size, moving) if moving or shape == "disk" else shapes.scaled(shape, n, seed, size)


def train_model(name: str, shape: str, size: int, steps: int | None, seed: int, out: Path) -> LatentModel:
    """Train a model by its recipe in the run folder ``out``; an interrupted run of the same settings is resumed."""
    overrides = [f"model.shape=[1,{size},{size}]", f"seed={seed}", "figures=false"]
    overrides += [] if steps is None else [f"steps={steps}"]
    config = load(TrainConfig, find("train", RECIPES[name]), overrides)
    path = train(config, render(name, shape, TRAINING_IMAGES, seed, size), out, resume=True, device="cpu")
    return checkpoint.load(path)[0]


def apply_model(name: str, shape: str, model: LatentModel, seed: int) -> TestedModel:
    """Encode and decode images of another seed than those that the model was trained on."""
    test = render(name, shape, TEST_IMAGES, seed + 1_000_000, model.config.shape[1])
    samples = test.tensor(slice(None))
    with torch.no_grad():
        codes = model.encode(samples)
        outputs = model.decode(codes)
    images, decoded = (t.flatten(1).double().numpy() for t in (samples, outputs))
    return TestedModel(model, test, images, decoded, codes.double().numpy())


def explained_variance(code: Float, values: Float) -> float:
    """R² of a linear regression of one column on the other; 0 where either is constant."""
    if np.ptp(code) == 0 or np.ptp(values) == 0:
        return 0.0
    return float(np.corrcoef(code, values)[0, 1] ** 2)


def measure_size(tested: TestedModel) -> dict[str, Any]:
    """How a code of one number depends on the size of a disk, and how far biases break the homogeneity."""
    from scipy.stats import spearmanr

    code, factors = tested.codes[:, 0], tested.test.factors
    order = spearmanr(code, factors["radius"]).statistic if np.ptp(code) else 0.0
    return {
        "mean_squared_error": tested.error,
        "of_the_mean_image": float(tested.images.var(0).mean()),
        "of_one_scaled_image": airy.scaled_image_error(tested.images, airy.leading_image(tested.images)),
        "r2_area": explained_variance(code, factors["radius"] ** 2),
        "r2_radius": explained_variance(code, factors["radius"]),
        "rank_correlation": abs(float(order)),
        "homogeneity_error": homogeneity_error(tested),
    }


def homogeneity_error(tested: TestedModel) -> float:
    """Greatest ‖D(λz) − λD(z)‖ / ‖λD(z)‖ over λ of `FACTORS`, over all test images."""
    z = torch.from_numpy(tested.codes).float()
    with torch.no_grad():
        decoded = tested.model.decode(z)
        errors = [float((tested.model.decode(k * z) - k * decoded).norm() / (k * decoded).norm()) for k in FACTORS]
    return max(errors)


def measure_profile(tested: TestedModel, shape: str) -> tuple[dict[str, Any], Float, dict[str, Float]]:
    """The image that a decoder without biases scales, compared with theory.

    Returns
    -------
    measures : dict
        Distances of profiles (`airy_profile`), errors and their lower bound.
    radii, profiles : float64 [k], dict of float64 [k]
        Profiles by name, over rings of one pixel.

    Raises
    ------
    ValueError
        If the decoder gives black images only.
    """
    size = tested.model.config.shape[1]
    radius = size / 2
    even = (np.arange(GAUGE_IMAGES) + 0.5) * radius / GAUGE_IMAGES
    centre = np.full(GAUGE_IMAGES, radius)
    disk = shape == "disk"
    drawn = shapes.draw_disks(even, centre, centre, size) if disk else shapes.draw_scaled(shape, even, size)
    images = drawn.reshape(GAUGE_IMAGES, -1) / 255
    sizes, best = airy.gauge(images, radius), airy.leading_image(images)
    sign = 1.0 if (tested.codes > 0).mean() >= 0.5 else -1.0
    with torch.no_grad():
        learned = tested.model.decode(torch.full((1, 1), sign)).double().numpy().ravel()
    if not learned.any():
        raise ValueError("no_biases: its decoder gives black for every code, so that there is no profile: train longer")
    radii, profile = airy.radial_profile(learned, sizes, radius)
    fine, numerical = airy.numerical_profile(radius)
    profiles = {
        "Airy's equation": airy.airy_profile(radii, radius),
        "numerical maximum": np.interp(radii, fine, numerical),
        "autoencoder": profile,
        "best on the images": airy.radial_profile(best, sizes, radius)[1],
    }
    closed_form, maximum, own, leading = profiles.values()
    measures = {
        "mean_squared_error": tested.error,
        "lower_bound": airy.scaled_image_error(tested.images, airy.leading_image(tested.images)),
        "codes_of_one_sign": float((sign * tested.codes >= 0).mean()),
        "homogeneity_error": homogeneity_error(tested),
        "l2_airy": airy.profile_distance(own, closed_form, radii),
        "l2_numerical": airy.profile_distance(own, maximum, radii),
        "l2_best_on_images": airy.profile_distance(own, leading, radii),
        "rms_airy_one_at_centre": airy.normalised_difference(own, closed_form, radii),
        "l2_numerical_airy": airy.profile_distance(maximum, closed_form, radii),
    }
    return measures, radii, profiles


def measure_position(tested: TestedModel, seed: int) -> dict[str, Any]:
    """How well the position of a disk can be regressed from its code; regressions are fitted on other images."""
    from sklearn.linear_model import LinearRegression
    from sklearn.neighbors import KNeighborsRegressor

    fitting = apply_model("moving", "disk", tested.model, seed + 1)
    known, positions = (np.stack([t.test.factors["x"], t.test.factors["y"]], axis=1) for t in (fitting, tested))
    nearest = KNeighborsRegressor(NEIGHBOURS).fit(fitting.codes, known)
    linear = LinearRegression().fit(fitting.codes, known)
    return {
        "mean_squared_error": tested.error,
        "of_the_mean_image": float(tested.images.var(0).mean()),
        "r2_neighbours": float(nearest.score(tested.codes, positions)),
        "r2_linear": float(linear.score(tested.codes, positions)),
        "pixels_off_neighbours": float(np.linalg.norm(nearest.predict(tested.codes) - positions, axis=1).mean()),
    }
