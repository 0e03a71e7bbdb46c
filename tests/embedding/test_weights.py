"""The shipped checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from flatsort import embedding
from flatsort.embedding import checkpoint
from flatsort.embedding.conformance import check_embedder
from flatsort.tracker.io.mot import read_table
from flatsort.tracker.io.video import open_source

FOLDER = Path(embedding.__file__).parent / "weights"
SHIPPED = sorted(FOLDER.glob("*.safetensors"))
NAMES = [path.stem for path in SHIPPED]
THRESHOLDS = {"flat_vhp_vae": 8.238782226446723, "vhp_vae": 8.343104515271664}
"""Distances at one per cent of false matches: the tables of the documentation rest on them."""


def test_both_models_are_there_with_a_card() -> None:
    assert NAMES == ["flat_vhp_vae", "vhp_vae"]
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(name in card for name in NAMES)
    assert set(NAMES) < set(embedding.registry.names())


@pytest.mark.parametrize("path", SHIPPED, ids=NAMES)
def test_small_and_honest(path: Path) -> None:
    assert path.stat().st_size <= 8e6
    config, card = checkpoint.read_header(path)
    assert config.name == path.stem
    assert "cuhk03" in card.data
    assert "/" not in card.data.replace("cuhk03_detected/train", "").replace("crops/", "")  # no folder of some machine
    assert {"steps", "settings", "torch"} <= set(card.training)
    assert card.calibration is not None
    assert card.calibration.threshold(0.01) == THRESHOLDS[path.stem]
    assert 0 < card.calibration.threshold(0.01) < card.calibration.equal_error_threshold * 2


@pytest.mark.parametrize("name", NAMES)
def test_conforms(name: str) -> None:
    assert check_embedder(embedding.load(name, device="cpu")) == []


@pytest.mark.parametrize("name", NAMES)
def test_people_are_told_apart_without_labels(name: str, data: Path) -> None:
    sequence = data / "sequences" / "TUD-Campus"
    table = read_table(sequence / "gt" / "gt.txt")
    images, boxes, identities, frames = [], [], [], []
    for frame in open_source(str(sequence)):
        rows = (table.frames == frame.index) & (table.boxes[:, 3] - table.boxes[:, 1] >= 50)
        if (frame.index - 1) % 4 == 0 and frame.image is not None:
            images.append(frame.image)
            boxes.append(table.boxes[rows])
            identities.append(table.ids[rows])
            frames.append(np.full(rows.sum(), frame.index))
    latents = np.concatenate(embedding.load(name, device="cpu").embed(images, boxes))
    identity, frame_of = np.concatenate(identities), np.concatenate(frames)
    apart = np.linalg.norm(latents[:, None] - latents[None], axis=2)
    together, same = frame_of[:, None] == frame_of[None], identity[:, None] == identity[None]
    nearest = np.where(together, np.inf, apart).argmin(1)
    assert (identity[nearest] == identity).mean() >= 0.88  # 16×8 pixels: 0.76
    pairs = np.triu(~same | ~together, 1)
    assert roc_auc_score(same[pairs], -apart[pairs]) >= 0.82
