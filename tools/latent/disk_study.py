"""The disk experiment: its models, and what is measured of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from flatsort.embedding import checkpoint
from flatsort.embedding.data import shapes
from flatsort.embedding.representation import airy_profile
from flatsort.embedding.training.config import TrainConfig
from flatsort.embedding.training.loop import train
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
"""Part of the experiment → recipe under configs/train."""
TRAINING, TEST = 3000, 500
"""Pictures."""
EVEN = 512
"""Pictures of evenly spread sizes, which the gauge of a shape is taken from."""
FACTORS = (0.1, 0.7, 3.0, 11.0)
"""What codes are multiplied by to see whether the decoder is homogeneous."""
NEIGHBOURS = 5


@dataclass(frozen=True, eq=False)
class Part:
    """A model of the experiment on pictures that it was not trained on.

    Attributes
    ----------
    model : LatentModel
    test : SampleSet
    pictures, outputs : float64 [n m]
        Flattened.
    codes : float64 [n dim]
    """

    model: LatentModel
    test: SampleSet
    pictures: Float
    outputs: Float
    codes: Float

    @property
    def error(self) -> float:
        """Mean squared error of a pixel."""
        return float(((self.outputs - self.pictures) ** 2).mean())


def made(name: str, shape: str, n: int, seed: int, size: int) -> SampleSet:
    """Pictures for a part of the experiment; ``shape`` is ``disk`` or one of the kinds of sprites."""
    moving = name.startswith("moving")
    return shapes.disks(n, seed, size, moving) if moving or shape == "disk" else shapes.scaled(shape, n, seed, size)


def trained(name: str, shape: str, size: int, steps: int | None, seed: int, out: Path) -> LatentModel:
    """A model of the experiment, trained by its recipe in ``out``; a run of the same settings there is gone on with."""
    overrides = [f"model.shape=[1,{size},{size}]", f"seed={seed}", "pictures=false"]
    overrides += [] if steps is None else [f"steps={steps}"]
    config = load(TrainConfig, find("train", RECIPES[name]), overrides)
    path = train(config, made(name, shape, TRAINING, seed, size), out, resume=True, device="cpu")
    return checkpoint.load(path)[0]


def part(name: str, shape: str, model: LatentModel, seed: int) -> Part:
    """A model on pictures of another seed than those it was trained on."""
    test = made(name, shape, TEST, seed + 1_000_000, model.config.shape[1])
    samples = test.tensor(slice(None))
    with torch.no_grad():
        codes = model.encode(samples)
        outputs = model.decode(codes)
    pictures, decoded = (t.flatten(1).double().numpy() for t in (samples, outputs))
    return Part(model, test, pictures, decoded, codes.double().numpy())


def explained(code: Float, values: Float) -> float:
    """Share of the variance of one column that a line through the other explains; 0 where either is constant."""
    if np.ptp(code) == 0 or np.ptp(values) == 0:
        return 0.0
    return float(np.corrcoef(code, values)[0, 1] ** 2)


def measure_size(found: Part) -> dict[str, Any]:
    """Is one number enough, and is it the area? Besides, that biases break the homogeneity."""
    from scipy.stats import spearmanr

    code, factors = found.codes[:, 0], found.test.factors
    order = spearmanr(code, factors["radius"]).statistic if np.ptp(code) else 0.0
    return {
        "mean_squared_error": found.error,
        "of_the_mean_picture": float(found.pictures.var(0).mean()),
        "of_one_scaled_picture": airy_profile.remainder(found.pictures, airy_profile.leading_picture(found.pictures)),
        "r2_area": explained(code, factors["radius"] ** 2),
        "r2_radius": explained(code, factors["radius"]),
        "rank_correlation": abs(float(order)),
        "homogeneity_error": homogeneity_error(found),
    }


def homogeneity_error(found: Part) -> float:
    """Greatest ‖D(λz) − λD(z)‖ / ‖λD(z)‖ over λ of `FACTORS`, all test pictures together."""
    z = torch.from_numpy(found.codes).float()
    with torch.no_grad():
        plain = found.model.decode(z)
        errors = [float((found.model.decode(k * z) - k * plain).norm() / (k * plain).norm()) for k in FACTORS]
    return max(errors)


def measure_profile(found: Part, shape: str) -> tuple[dict[str, Any], Float, dict[str, Float]]:
    """The picture that a decoder without biases scales, beside what theory says it is.

    Returns
    -------
    numbers : dict
        Distances of `embedding.representation.airy_profile`, errors and their lower bound.
    places, curves : float64 [k], dict of float64 [k]
        Profiles by name, of rings of one pixel.
    """
    size = found.model.config.shape[1]
    radius = size / 2
    even = (np.arange(EVEN) + 0.5) * radius / EVEN
    middle = np.full(EVEN, radius)
    disk = shape == "disk"
    drawn = shapes.draw_disks(even, middle, middle, size) if disk else shapes.draw_scaled(shape, even, size)
    pictures = drawn.reshape(EVEN, -1) / 255
    sizes, best = airy_profile.gauge(pictures, radius), airy_profile.leading_picture(pictures)
    side = 1.0 if (found.codes > 0).mean() >= 0.5 else -1.0
    with torch.no_grad():
        learned = found.model.decode(torch.full((1, 1), side)).double().numpy().ravel()
    if not learned.any():
        raise ValueError("no_biases: its decoder gives black for every code, so that there is no profile: train longer")
    places, profile = airy_profile.profile_of(learned, sizes, radius)
    fine, numerical = airy_profile.numerical_profile(radius)
    curves = {
        "Airy's equation": airy_profile.airy_profile(places, radius),
        "numerical maximum": np.interp(places, fine, numerical),
        "autoencoder": profile,
        "best on the pictures": airy_profile.profile_of(best, sizes, radius)[1],
    }
    airy, maximum, own, leading = curves.values()
    numbers = {
        "mean_squared_error": found.error,
        "lower_bound": airy_profile.remainder(found.pictures, airy_profile.leading_picture(found.pictures)),
        "codes_of_one_sign": float((side * found.codes >= 0).mean()),
        "homogeneity_error": homogeneity_error(found),
        "l2_airy": airy_profile.distance(own, airy, places),
        "l2_numerical": airy_profile.distance(own, maximum, places),
        "l2_best_on_pictures": airy_profile.distance(own, leading, places),
        "rms_airy_one_at_middle": airy_profile.distance_at_middle(own, airy, places),
        "l2_numerical_airy": airy_profile.distance(maximum, airy, places),
    }
    return numbers, places, curves


def measure_place(found: Part, seed: int) -> dict[str, Any]:
    """Can the place of a disk be told from its code? Regressions are fitted on new pictures and scored on others."""
    from sklearn.linear_model import LinearRegression
    from sklearn.neighbors import KNeighborsRegressor

    fitting = part("moving", "disk", found.model, seed + 1)
    before, after = (np.stack([p.test.factors["x"], p.test.factors["y"]], axis=1) for p in (fitting, found))
    near = KNeighborsRegressor(NEIGHBOURS).fit(fitting.codes, before)
    straight = LinearRegression().fit(fitting.codes, before)
    return {
        "mean_squared_error": found.error,
        "of_the_mean_picture": float(found.pictures.var(0).mean()),
        "r2_neighbours": float(near.score(found.codes, after)),
        "r2_linear": float(straight.score(found.codes, after)),
        "pixels_off_neighbours": float(np.linalg.norm(near.predict(found.codes) - after, axis=1).mean()),
    }
