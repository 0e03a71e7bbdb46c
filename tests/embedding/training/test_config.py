"""Training configs: the shipped recipes, and settings that are refused."""

from __future__ import annotations

import pytest

from flatsort.embedding.training.config import TrainConfig
from flatsort.tracker.config import CONFIGS, load, names
from tests.embedding.training.small_runs import config


@pytest.mark.parametrize("recipe", names("train"))
def test_recipes(recipe: str) -> None:
    loaded = load(TrainConfig, CONFIGS / "train" / f"{recipe}.yaml")
    assert loaded.model.name in recipe or recipe not in ("ae", "vae", "beta_vae", "vhp_vae", "flat_vhp_vae")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("steps=0", "steps: expected 1 or more, got 0"),
        ("batch=0", "batch: expected 1 or more"),
        ("holdout=0", "holdout: expected between 0 and 1"),
        ("ema=1", "ema: expected 0 or more and less than 1"),
        ("decay=linear", "decay: expected constant, cosine or sqrt, got 'linear'"),
        ("views=both", "views: expected none, tracklets or windows"),
        ("views=windows window=3", "batch: expected a multiple of window 3, got 8"),
        ("window=1", "window: expected 2 or more"),
        ("stride=0", "stride: expected 1 or more"),
        ("position=[]", "position: expected time or names of factors"),
        ("precision=fp16", "precision: expected auto, fp32 or bf16"),
        ("clip=-1", "clip: expected 0 or more"),
        ("lr=.nan", "lr: expected more than 0"),
        ("lr=.inf", "lr: expected more than 0"),
        ("augment.mirror=2", "augment.mirror"),
        ("model.eta=1", "unknown key 'model.eta'"),
    ],
)
def test_settings_are_checked(change: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        config("ae", *change.split())
