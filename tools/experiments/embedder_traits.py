"""Measures of embedders without a tracker: reconstruction, flatness, re-identification, speed and memory."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flatsort.tools.experiments import reid_data, result_cache
from flatsort.tools.experiments.result_cache import Cache
from flatsort.tools.runs.timing import one_thread
from flatsort.tracker.gallery import Gallery, GalleryConfig
from flatsort.tracker.images import images_of
from flatsort.tracker.types import Float32

if TYPE_CHECKING:
    from torch import Tensor

    from flatsort.embedding.model import LatentModel
    from flatsort.tools.experiments.reid_data import LabelledImages
    from flatsort.tools.experiments.results import Progress
    from flatsort.tracker.protocols import Embedder

KIND = "embedders"
"""Folder of the cache."""
FLAT_POINTS, PROBES = 256, 8
"""Number of crops at which flatness is estimated, and of random directions at each."""
TIMED, ROUNDS = 256, 3
"""Number of crops that are embedded to measure the speed, and of repetitions, of which the quickest counts."""
WARM_UP = 8
"""Images that are embedded before the clock starts."""

TRAITS = {
    "dim": "numbers",
    "bits": "bits a code",
    "unexplained": "unexplained",
    "flatness": "flatness",
    "rank1_within": "rank-1, one camera",
    "auc_within": "AUC, one camera",
    "rank1_a_to_b": "rank-1, A → B",
    "auc_a_to_b": "AUC, A → B",
    "rank1_across": "rank-1, across cameras",
    "auc_across": "AUC, across cameras",
    "rank1_frames": "rank-1, other frames",
    "auc_frames": "AUC, other frames",
    "rank1_queries": "rank-1, query to gallery",
    "auc_queries": "AUC, query to gallery",
    "rank1_all": "rank-1",
    "auc_all": "AUC",
    "crops_per_second": "crops/s",
    "bytes_per_track": "bytes a track",
}
"""Measure → table heading; an embedder lacks measures that do not apply to it or to the crops."""


@dataclass(frozen=True)
class EmbedderComparison:
    """Embedders to be compared, and the data for it.

    Attributes
    ----------
    embedders : mapping of str to list of str
        Name → the embedder of each training seed.
    crops : str
        Labelled images: a folder, as in ``flatsort retrieval --data``.
    galleries : mapping of str to GalleryConfig
        Gallery of the tracker, by name of the embedder.
    """

    embedders: Mapping[str, Sequence[str]]
    crops: str
    galleries: Mapping[str, GalleryConfig]


def measure_all(comparison: EmbedderComparison, cache: Cache, progress: Progress) -> dict[str, list[dict[str, float]]]:
    """Measures by embedder, one entry per seed; from the cache where they are there.

    Raises
    ------
    ValueError, FileNotFoundError
        If an embedder or the crops cannot be used.
    """
    data = reid_data.open_labelled_images(comparison.crops)
    crops = result_cache.key_of_files(sorted(_files(comparison.crops)))
    files = [(name, file) for name, seeds in comparison.embedders.items() for file in seeds]
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in comparison.embedders}
    for name, file in progress(files, len(files), "measure"):
        key = result_cache.digest(
            _embedder_key(file), crops, result_cache.key_of_code((__name__,)), str(comparison.galleries[name])
        )
        stored = cache.load(KIND, key)
        traits = measure(file, data, comparison.galleries[name]) if stored is None else _floats(stored)
        if stored is None:
            cache.store(KIND, key, {k: np.array(v) for k, v in traits.items()})
        measured[name].append(traits)
    return measured


def measure(file: str, data: LabelledImages, gallery: GalleryConfig) -> dict[str, float]:
    """Measures of one embedder on labelled crops, computed with one thread.

    ``unexplained`` is the fraction of unexplained variance of the reconstructions, with the weights of the model's
    likelihood; ``flatness`` the scale-free measure of the decoder's metric tensor at the crops (0 is flat), absent for
    discrete codes; ``bits`` the size of a whole latent; ``bytes_per_track`` the size of a full gallery.
    """
    from flatsort import embedding

    with one_thread(torch=True):
        embedder = embedding.load(file)
        embedded = reid_data.embed_images(data, [embedder])
        traits: dict[str, float] = {"dim": embedder.dim}
        rankings = reid_data.rank_images(embedded, 0)[0]
        if "a_to_b" in {ranking.protocol for ranking in rankings}:  # report one direction between cameras, not both
            rankings = [ranking for ranking in rankings if ranking.protocol != "across"]
        for ranking in rankings:
            values = {"rank1": ranking.rank(1), "auc": ranking.separation.auc}
            traits |= {f"{key}_{ranking.protocol}": v for key, v in values.items() if v is not None}
        traits["crops_per_second"] = _crops_per_second(embedder, data)
        traits["bytes_per_track"] = _gallery_bytes(gallery, embedded.latents[0], getattr(embedder, "binary", False))
        model = getattr(embedder, "model", None)
        if model is not None:
            traits |= _decoder_traits(model, _samples(data, model))
    return traits


def _decoder_traits(model: LatentModel, samples: Tensor) -> dict[str, float]:
    """Measures that need a decoder."""
    import torch

    from flatsort.embedding.geometry.measures import encode

    latents, likelihood = encode(model, samples), model.likelihood
    with torch.inference_mode():
        targets = likelihood.adjust_contrast(samples)
        chunks = zip(torch.split(latents, 256), torch.split(samples, 256), strict=True)
        errors = [model.decode(z) - likelihood.adjust_contrast(x) for z, x in chunks]
        error = torch.cat([likelihood.weigh(each).flatten(1) for each in errors])
        deviation = likelihood.weigh(targets - targets.mean(0))
    traits = {"bits": model.code_bits, "unexplained": float(error.square().mean() / deviation.square().mean())}
    if model.code_bits == 32 * model.dim:  # flatness is not defined between discrete codes
        traits["flatness"] = _flatness(model, latents[:FLAT_POINTS])
    return traits


def _flatness(model: LatentModel, latents: Tensor) -> float:
    """The scale-free flatness penalty of the decoder's metric tensor at latents [n d]."""
    import torch

    from flatsort.embedding.objectives import flatness
    from flatsort.embedding.random_generator import RandomGenerator

    generator = RandomGenerator(0, "flatness").signs(PROBES * len(latents), latents.shape[1])
    probes = [flatness.estimate(model.decode_weighted, latents.clone(), part) for part in generator.chunk(PROBES)]
    return float(torch.stack([probe.penalty.detach() for probe in probes]).mean())


def _samples(data: LabelledImages, model: LatentModel) -> Tensor:
    """The crops as the model takes them, float32 [n *shape]."""
    import torch

    from flatsort.embedding.data.image_folder import resize_to_shape
    from flatsort.embedding.embedders.batches import crop_images

    shape = model.config.shape
    crops_by_batch = (crop_images(batch.images, batch.boxes, (shape[2], shape[1])) for batch in data.batches())
    crops = [resize_to_shape(crop, shape) for batch in crops_by_batch for crop in batch]
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255


def _crops_per_second(embedder: Embedder, data: LabelledImages) -> float:
    """Crops per second with one thread."""
    images, boxes, count = [], [], 0
    for batch in data.batches():
        images += batch.images
        boxes += batch.boxes
        count = sum(map(len, boxes))
        if count >= TIMED:
            break
    embedder.embed(images[:WARM_UP], boxes[:WARM_UP])
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        embedder.embed(images, boxes)
        seconds.append(time.perf_counter() - start)
    return count / max(min(seconds), 1e-9)


def _gallery_bytes(config: GalleryConfig, latents: Float32, binary: bool) -> float:
    """Bytes of a full gallery of one track; binary codes are packed into bits where the tracker does so."""
    gallery = Gallery(config, bits=binary and config.supports_bits)
    one, score, clear = np.zeros(1, np.int64), np.ones(1), np.ones(1, np.bool_)
    gallery.start(latents[:1], score, clear)
    for k in range(config.size):
        row = k % len(latents)
        gallery.add(one, latents[row : row + 1], score, clear)
    return float(gallery.nbytes)


def _files(crops: str) -> list[Path]:
    folder = Path(crops if Path(crops).exists() else crops.rpartition("@")[0])
    return [*images_of(folder.rglob("*")), *folder.rglob("*.np[yz]"), *folder.glob("gt/*.txt")]


def _embedder_key(file: str) -> str:
    from flatsort.embedding.loading import resolve_embedder

    kind, weights = resolve_embedder(file)
    return result_cache.key_of_content(weights) if weights else kind


def _floats(stored: Mapping[str, Any]) -> dict[str, float]:
    return {key: float(value) for key, value in stored.items()}
