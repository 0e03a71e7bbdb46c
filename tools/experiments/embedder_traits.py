"""Embedders side by side, apart from any tracker: what they keep of crops, whom they find, what they cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    from flatsort.tracker.protocols import Embedder

Shown = Callable[[Iterable[Any], int, str], Iterable[Any]]

KIND = "embedders"
"""Of the entries in the cache."""
CODE = (*result_cache.EMBEDDING, "embedding/retrieval", "tracker/gallery.py", "tools/experiments/embedder_traits.py")
FLAT_POINTS, PROBES = 256, 8
"""Crops at which flatness is estimated, and probes at each."""
TIMED, ROUNDS = 256, 3
"""Crops that are embedded for the clock, and how often: the quickest counts."""
WARM = 8

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
    "rank1_all": "rank-1",
    "auc_all": "AUC",
    "crops_per_second": "crops/s",
    "bytes_per_track": "bytes a track",
}
"""Key → head of what is measured; a key is absent where an embedder or the crops have no such thing."""


@dataclass(frozen=True)
class Contest:
    """Who is compared, and on what.

    Attributes
    ----------
    embedders : mapping of str to list of str
        Name → the embedder of each training seed.
    crops : str
        Labelled pictures: a folder, as ``flatsort retrieval --data`` takes it.
    galleries : mapping of str to GalleryConfig
        What a track keeps, by name of the embedder.
    """

    embedders: Mapping[str, Sequence[str]]
    crops: str
    galleries: Mapping[str, GalleryConfig]


def measure_all(contest: Contest, cache: Cache, shown: Shown) -> dict[str, list[dict[str, float]]]:
    """Traits by embedder, one entry a seed; from the cache where they are known.

    Raises
    ------
    ValueError, FileNotFoundError
        If an embedder or the crops cannot be used.
    """
    data = reid_data.open_labelled_images(contest.crops)
    crops = result_cache.of_files(sorted(_files(contest.crops)))
    jobs = [(name, file) for name, files in contest.embedders.items() for file in files]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in contest.embedders}
    for name, file in shown(jobs, len(jobs), "measure"):
        key = result_cache.digest(_of_embedder(file), crops, result_cache.of_code(CODE), str(contest.galleries[name]))
        stored = cache.load(KIND, key)
        traits = measure(file, data, contest.galleries[name]) if stored is None else _unpacked(stored)
        if stored is None:
            cache.store(KIND, key, {k: np.array(v) for k, v in traits.items()})
        found[name].append(traits)
    return found


def measure(file: str, data: LabelledImages, gallery: GalleryConfig) -> dict[str, float]:
    """Traits of one embedder on labelled crops, computed with one thread.

    ``unexplained`` is the share of the variance of the crops, as the model's likelihood weighs it, that reconstructions
    leave; ``flatness`` the scale-free measure of the decoder's metric tensor at the crops (0 is flat), absent where
    codes are discrete; ``bits`` what a latent takes up when it is kept whole; ``bytes_per_track`` what a full gallery
    of the tracker takes up.
    """
    from flatsort import embedding

    with one_thread(torch=True):
        embedder = embedding.load(file)
        seen = reid_data.embed_images(data, [embedder])
        traits: dict[str, float] = {"dim": embedder.dim}
        rankings = reid_data.rank_images(seen, 0)[0]
        if "a_to_b" in {ranking.protocol for ranking in rankings}:  # one way across cameras is told, not both
            rankings = [ranking for ranking in rankings if ranking.protocol != "across"]
        for ranking in rankings:
            values = {"rank1": ranking.rank(1), "auc": ranking.separation.auc}
            traits |= {f"{key}_{ranking.protocol}": v for key, v in values.items() if v is not None}
        traits["crops_per_second"] = _rate(embedder, data)
        traits["bytes_per_track"] = _remembered(gallery, seen.latents[0], getattr(embedder, "binary", False))
        model = getattr(embedder, "model", None)
        if model is not None:
            traits |= _of_model(model, _samples(data, model))
    return traits


def _of_model(model: LatentModel, samples: Tensor) -> dict[str, float]:
    """What only a model with a decoder has."""
    import torch

    from flatsort.embedding.geometry.measures import encode

    latents, likelihood = encode(model, samples), model.likelihood
    with torch.inference_mode():
        chunks = zip(torch.split(latents, 256), torch.split(samples, 256), strict=True)
        standard = likelihood.standardise(samples)
        error = torch.cat([likelihood.weigh(model.decode(z) - likelihood.standardise(x)).flatten(1) for z, x in chunks])
        spread = likelihood.weigh(standard - standard.mean(0))
    found = {"bits": model.code_bits, "unexplained": float(error.square().mean() / spread.square().mean())}
    if model.code_bits == 32 * model.dim:  # between discrete codes there is nothing that could be flat
        found["flatness"] = _flatness(model, latents[:FLAT_POINTS])
    return found


def _flatness(model: LatentModel, latents: Tensor) -> float:
    """The scale-free penalty of the decoder's metric tensor at latents [n d]."""
    import torch

    from flatsort.embedding.objectives import flatness
    from flatsort.embedding.random_generator import RandomGenerator

    generator = RandomGenerator(0, "flatness").signs(PROBES * len(latents), latents.shape[1])
    probes = [flatness.estimate(model.observe, latents.clone(), part) for part in generator.chunk(PROBES)]
    return float(torch.stack([probe.penalty.detach() for probe in probes]).mean())


def _samples(data: LabelledImages, model: LatentModel) -> Tensor:
    """The crops as the model takes them, float32 [n *shape]."""
    import torch

    from flatsort.embedding.data.image_folder import resize_to_shape
    from flatsort.embedding.embedders.batches import crops_of

    shape = model.config.shape
    cut = (crops_of(batch.images, batch.boxes, (shape[2], shape[1])) for batch in data.batches())
    crops = [resize_to_shape(crop, shape) for batch in cut for crop in batch]
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255


def _rate(embedder: Embedder, data: LabelledImages) -> float:
    """Crops a second of one thread."""
    images, boxes, count = [], [], 0
    for batch in data.batches():
        images += batch.images
        boxes += batch.boxes
        count = sum(map(len, boxes))
        if count >= TIMED:
            break
    embedder.embed(images[:WARM], boxes[:WARM])
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        embedder.embed(images, boxes)
        seconds.append(time.perf_counter() - start)
    return count / max(min(seconds), 1e-9)


def _remembered(config: GalleryConfig, latents: Float32, binary: bool) -> float:
    """Bytes of a track whose gallery is full; binary codes are kept as bits where the tracker keeps them so."""
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


def _of_embedder(file: str) -> str:
    from flatsort.embedding.loading import find

    kind, weights = find(file)
    return result_cache.of_content(weights) if weights else kind


def _unpacked(stored: Mapping[str, Any]) -> dict[str, float]:
    return {key: float(value) for key, value in stored.items()}
