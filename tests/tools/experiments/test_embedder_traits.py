"""Measures of embedders without a tracker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flatsort import embedding
from flatsort.embedding import checkpoint, retrieval
from flatsort.embedding.checkpoint import Card
from flatsort.embedding.data import sample_set
from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.retrieval.ranking import PROTOCOLS
from flatsort.tools.experiments import embedder_traits
from flatsort.tools.experiments.embedder_traits import TRAITS, EmbedderComparison, measure, measure_all
from flatsort.tools.experiments.reid_data import open_labelled_images
from flatsort.tools.experiments.result_cache import Cache
from flatsort.tracker.gallery import GalleryConfig
from tests.embedding import tiny_models

PEOPLE, CROPS = 5, 8


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five people of one colour each, eight noisy crops of each."""
    folder = tmp_path_factory.mktemp("crops")
    random = np.random.default_rng(0)
    colour = random.integers(40, 216, (PEOPLE, 1, 1, 1, 3))
    noise = random.integers(-20, 21, (PEOPLE, CROPS, 16, 8, 3))
    samples = (colour + noise).astype(np.uint8).reshape(-1, 16, 8, 3)
    sample_set.save(SampleSet(samples, {"identity": np.arange(PEOPLE).repeat(CROPS)}), folder)
    return folder


@pytest.fixture(scope="module")
def ae(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "ae.safetensors"
    checkpoint.save(path, tiny_models.model(), Card())
    return str(path)


def progress(items: Iterable[Any], total: int, label: str) -> Iterator[Any]:
    return iter(items)


def test_every_protocol_has_columns() -> None:
    assert {f"{kind}_{name}" for kind in ("rank1", "auc") for name in PROTOCOLS} <= set(TRAITS)


def test_traits_of_a_model_and_of_pixels(crops: Path, ae: str) -> None:
    data, gallery = open_labelled_images(str(crops)), GalleryConfig(size=10)
    model, pixels = measure(ae, data, gallery), measure("pixels", data, gallery)
    assert set(model) - set(pixels) == {"bits", "unexplained", "flatness"}
    assert (model["dim"], model["bits"]) == (4, 128)
    assert model["unexplained"] > 0.5  # it is not trained
    assert 0 <= model["flatness"] < 1
    images, whole = list(sample_set.open_set(crops).samples), np.array([[0.0, 0, 8, 16]])
    latents = np.concatenate(embedding.load("pixels").embed(images, [whole] * len(images)))
    expected = retrieval.rank(latents, retrieval.Labels.of(40, identity=np.arange(PEOPLE).repeat(CROPS)), "all")
    assert pixels["rank1_all"] == expected.rank(1)
    assert pixels["auc_all"] == expected.separation.auc
    assert min(model["crops_per_second"], pixels["crops_per_second"]) > 0
    for each in (model, pixels):  # ten latents in float64, and a few numbers beside each
        assert 2 <= each["bytes_per_track"] / 80 - each["dim"] <= 4


def test_a_decoder_that_explains_everything_leaves_nothing(
    crops: Path, ae: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = checkpoint.load(ae)[0]
    samples = sample_set.open_set(crops).tensor(slice(None))
    given = iter([samples])
    monkeypatch.setattr(model, "decode", lambda _: next(given))
    monkeypatch.setattr(model, "decode_weighted", lambda z: z)
    traits = embedder_traits._decoder_traits(model, samples)
    assert traits["unexplained"] == 0
    assert traits["flatness"] == pytest.approx(0, abs=1e-6)


def test_cached_measures_are_not_measured_again(
    crops: Path, ae: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder_comparison = EmbedderComparison(
        {"ae": [ae], "pixels": ["pixels"]}, str(crops), dict.fromkeys(("ae", "pixels"), GalleryConfig())
    )
    first = measure_all(embedder_comparison, Cache(tmp_path), progress)
    assert [len(runs) for runs in first.values()] == [1, 1]
    monkeypatch.setattr(embedder_traits, "measure", None)
    assert measure_all(embedder_comparison, Cache(tmp_path), progress) == first
    larger = EmbedderComparison(
        embedder_comparison.embedders, embedder_comparison.crops, dict.fromkeys(("ae", "pixels"), GalleryConfig(size=5))
    )
    with pytest.raises(TypeError):
        measure_all(larger, Cache(tmp_path), progress)


def test_crops_without_identities_are_refused(tmp_path: Path) -> None:
    sample_set.save(SampleSet(np.zeros((3, 16, 8, 3), np.uint8)), tmp_path)
    with pytest.raises(ValueError, match="expected images with identities"):
        measure("pixels", open_labelled_images(str(tmp_path)), GalleryConfig())
