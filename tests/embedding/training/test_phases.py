"""A run that is interrupted in either phase of a model with a prior ends as one that is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatsort.embedding.training.callbacks import read_metrics
from flatsort.embedding.training.loop import train
from tests.embedding.training.small_runs import config, images, same, weights
from tests.embedding.training.test_resume import interrupted


@pytest.mark.slow
def test_interrupted_on_both_sides_of_the_switch(tmp_path: Path) -> None:
    data = images()
    small = ("model.prior_after=11", "model.codebook={codes: 8, dead_below: 0.9, decay: 0.9}")
    prior = "model.pixel_cnn={width: 8, layers: 1}"
    settings = config("vq_vae2", *small, prior, "augment.mirror=0.5", "steps=16", data=data)
    train(settings, data, tmp_path / "unbroken")
    interrupted(settings, data, tmp_path / "broken", 8, 12)
    assert same(weights(tmp_path / "unbroken"), weights(tmp_path / "broken"))
    lines = read_metrics(tmp_path / "unbroken" / "metrics.jsonl")
    bits = {line["step"]: line["bits"] for line in lines if "bits" in line}
    assert bits[8] == pytest.approx(3 * (1 + 2 * 2))  # uniform
    assert bits[16] != bits[8]
