"""From the name of an embedder to a tracker that can use it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from flatsort.tools.runs.appearance import needs_latents, open_embedder, require_latents, with_prior
from flatsort.tools.runs.track_run import TrackConfig
from flatsort.tracker.association.appearance_threshold import AppearanceConfig
from flatsort.tracker.latent_reuse import EmbedConfig
from flatsort.tracker.config import find, load
from flatsort.tracker.protocols import Embedder

BY_LOOKS = ("deep_sort", "vhp_vae_sort", "flat_vhp_vae_sort", "flatsort")


@dataclass
class Card:
    calibration: dict[str, float] = field(default_factory=dict)


class Calibrated:
    """An embedder of which only the card of its checkpoint matters."""

    def __init__(self, **calibration: float) -> None:
        self.card = Card(calibration)

    dim = 1
    embed = None


def prior(config: AppearanceConfig, **calibration: float) -> float | None:
    embedder: Embedder = Calibrated(**calibration)  # type: ignore[assignment]
    before = TrackConfig(appearance=config)
    after = with_prior(before, embedder)
    assert replace(after, appearance=config) == before  # nothing else changes
    return after.appearance.prior


def test_the_limit_of_the_checkpoint_is_the_one_to_begin_with() -> None:
    thresholds = {"limit_fmr_0.01": 2.0, "limit_fmr_0.001": 1.0, "limit_equal_error": 3.0}
    assert prior(AppearanceConfig(), **thresholds) == 2.0
    assert prior(AppearanceConfig(false_match_rate=0.001), **thresholds) == 1.0
    assert prior(AppearanceConfig(false_match_rate=0.05), **thresholds) is None  # not measured


@pytest.mark.parametrize("thresholds", [{}, {"limit_equal_error": 3.0}, {"limit_fmr_0.01": 0.0}])
def test_a_checkpoint_without_a_limit_gives_none(thresholds: dict[str, float]) -> None:
    assert prior(AppearanceConfig(), **thresholds) is None


def test_what_the_config_names_comes_first() -> None:
    assert prior(AppearanceConfig(prior=7.0), **{"limit_fmr_0.01": 2.0}) == 7.0
    assert prior(AppearanceConfig(threshold=0.5), **{"limit_fmr_0.01": 2.0}) is None


def test_a_limit_of_whole_latents_is_none_of_cut_ones() -> None:
    embedder: Embedder = Calibrated(**{"limit_fmr_0.01": 2.0})  # type: ignore[assignment]
    embedder.dim = 4
    priors = [with_prior(TrackConfig(embed=EmbedConfig(components=n)), embedder).appearance.prior for n in (0, 1, 3, 4)]
    assert priors == [2.0, None, None, 2.0]
    with pytest.raises(ValueError, match="expected at most the embedder's 4, got 5"):
        with_prior(TrackConfig(embed=EmbedConfig(components=5)), embedder)


def test_embedders_without_a_card_and_no_embedder() -> None:
    config = TrackConfig()
    assert with_prior(config, None) is config
    assert open_embedder(config) is None
    pixels = open_embedder(replace(config, embedder="pixels"))
    assert pixels is not None
    assert with_prior(config, pixels) is config
    with pytest.raises((ValueError, FileNotFoundError), match="pixel"):
        open_embedder(replace(config, embedder="pixel"))


@pytest.mark.parametrize("name", ["flat_vhp_vae", "vhp_vae"])
def test_shipped_weights_bring_their_limit(name: str) -> None:
    config = with_prior(TrackConfig(embedder=name), open_embedder(TrackConfig(embedder=name)))
    assert config.appearance.prior is not None
    assert config.appearance.prior > 0


@pytest.mark.parametrize("name", BY_LOOKS)
def test_trackers_by_looks_need_latents(name: str) -> None:
    config = load(TrackConfig, find("track", name))
    assert needs_latents(config)
    require_latents(replace(config, embedder="pixels"), "street.avi")
    with pytest.raises(ValueError, match=r"street\.avi: expected an embedder or detections with features, got neither"):
        require_latents(replace(config, embedder=""), "street.avi")


@pytest.mark.parametrize("name", ["sort", "sort_long", "bytetrack"])
def test_trackers_by_motion_need_none(name: str) -> None:
    config = load(TrackConfig, find("track", name))
    assert not needs_latents(config)
    require_latents(config, "street.avi")


@pytest.mark.parametrize("name", ["vhp_vae_sort", "flat_vhp_vae_sort"])
def test_trackers_of_the_paper_differ_from_deep_sort_in_the_embedder_and_its_limit_only(name: str) -> None:
    deep, other = (load(TrackConfig, find("track", each)) for each in ("deep_sort", name))
    assert replace(other, embedder=deep.embedder, appearance=deep.appearance) == deep
