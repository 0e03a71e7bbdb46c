"""The config of the MOT16 table names what there is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flatsort.tools.experiments import published
from flatsort.tools.experiments.sequences import read_sequences
from flatsort.tools.experiments.systems import BenchmarkConfig, tracker_config
from flatsort.tracker.config import CONFIGS, find, load


@pytest.fixture(scope="module")
def config() -> BenchmarkConfig:
    return load(BenchmarkConfig, find("benchmark", "mot16"))


def test_every_tracker_exists(config: BenchmarkConfig) -> None:
    assert list(config.systems) == [
        "sort",
        "deep_sort",
        "vhp_vae_sort",
        "flat_vhp_vae_sort",
        "flat_vhp_vae_sort_strong",
        "flatsort",
    ]
    for name, system in config.systems.items():
        tracker_config(name, system)


def test_the_published_rows_stand_beside(config: BenchmarkConfig) -> None:
    assert published.rows(config.published)
    assert published.warning(published.MOT16_TRAIN, config.detections) == ""


def test_the_two_strengths_differ_in_their_embedder_only(config: BenchmarkConfig) -> None:
    weak, strong = (config.systems[name] for name in ("flat_vhp_vae_sort", "flat_vhp_vae_sort_strong"))
    assert strong.tracker == "flat_vhp_vae_sort"
    assert (strong.set, weak.weights) == (weak.set, "")
    assert (CONFIGS / "train" / f"{Path(strong.weights).name}.yaml").is_file()


def test_the_layout_that_it_expects(config: BenchmarkConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / config.data[0] / "MOT16-02"
    (folder / "gt").mkdir(parents=True)
    (folder / "gt" / "gt.txt").write_text("1,1,10,20,30,40,1,1,1\n")
    (folder / "seqinfo.ini").write_text(
        "[Sequence]\nname=MOT16-02\nframeRate=30\nseqLength=2\nimWidth=1920\nimHeight=1080\n"
    )
    (tmp_path / config.detections).mkdir()
    rows = [[1, -1, 10, 20, 30, 40, score, -1, -1, -1, 0.6, 0.8] for score in (0.9, 0.2)]
    np.save(tmp_path / config.detections / "MOT16-02.npy", np.array(rows))
    monkeypatch.chdir(tmp_path)
    (sequence,) = read_sequences(config.data, config.detections, config.min_score).values()
    assert [len(detections) for detections in sequence.detections] == [1, 0]
    assert sequence.detections[0].latents is not None
