"""``flatsort retrieval`` through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from flatsort.embedding import checkpoint
from flatsort.embedding.data import sample_set
from flatsort.embedding.distance_calibration import DistanceCalibration
from flatsort.embedding.model import build
from flatsort.embedding.models.ae import AEConfig
from flatsort.embedding.nets import NetConfig
from flatsort.scene import Scene, SceneConfig, write_sequence
from flatsort.tools.experiments.reid_data import open_labelled_images
from flatsort.tracker.crops import crop
from tests.e2e.conftest import Flatsort

pytestmark = pytest.mark.slow

NO_FIGURES = "--no-figures"


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered MOTChallenge sequence with its frames."""
    scene = Scene(SceneConfig(frames=24, people=6, width=384, height=216))
    folder = tmp_path_factory.mktemp("data") / "street"
    write_sequence(scene, folder)
    (folder / "img1").mkdir()
    for frame in scene:
        assert frame.image is not None
        path = folder / "img1" / f"{frame.index:06d}.png"
        cv2.imwrite(str(path), cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    return folder


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images named as in CUHK03: six people, two views of each in two cameras, the second one darker."""
    folder = tmp_path_factory.mktemp("data") / "views"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for person in range(6):
        coat = rng.integers(60, 256, (4, 2, 3)).repeat(8, axis=0).repeat(8, axis=1)
        for view in (0, 1, 5, 6):
            image = coat * (0.6 if view >= 5 else 1.0) + rng.normal(0, 4, coat.shape)
            cv2.imwrite(str(folder / f"{person:04d}_{view:02d}.png"), np.clip(image, 0, 255).astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two seeds of one model, and one of other settings."""
    folder = tmp_path_factory.mktemp("models")
    small = NetConfig(width=8, halvings=1)
    for name, dim, seed in (("a", 8, 0), ("b", 8, 1), ("c", 4, 0)):
        model = build(AEConfig(shape=[3, 32, 16], dim=dim, net=small), seed)
        checkpoint.save(folder / f"{name}.safetensors", model, checkpoint.Card(training={"seed": seed}))
    return [folder / f"{name}.safetensors" for name in "abc"]


def results(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((out / "retrieval.json").read_text())["results"]
    return rows


def test_sequence_and_images(flatsort: Flatsort, street: Path, crops: Path, models: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    data = ["--data", f"{street}@4", "--data", crops, "--min-height", 30]
    done = flatsort("retrieval", "--model", "pixels", "--model", models[0], *data, "--out", out)
    assert (done.code, done.err) == (0, "")
    head, _, *lines = done.out.strip().splitlines()
    assert head.split() == "data protocol model queries rank-1 rank-5 rank-10 mAP AUC next-frame AUC".split()  # noqa: SIM905
    expected = ["street other frames", *["views camera A to B", "views across cameras", "views within cameras"]]
    assert [" ".join(line.split()[: len(e.split())]) for line, e in zip(lines[::2], expected, strict=True)] == expected
    rows = results(out)
    assert [(r["data"], r["protocol"], r["model"]) for r in rows[:2]] == [
        ("street", "frames", "pixels"),
        ("street", "frames", str(models[0])),
    ]
    (run,) = rows[0]["runs"]
    assert run["queries"] > 10
    assert run["rank-1"] > 0.5
    assert run["next-frame AUC"] > 0.9
    views = {r["protocol"]: r["runs"][0] for r in rows if r["data"] == "views" and r["model"] == "pixels"}
    # normalised pixels do not depend on the brightness of a camera
    assert views["a_to_b"]["rank-1"] == 1
    assert (views["a_to_b"]["queries"], views["within"]["queries"]) == (12, 24)
    stems = ["street-frames", "street-next_frame", "views-a_to_b", "views-across", "views-within"]
    images = [f"{kind}-{stem}.png" for kind in ("distances", "roc") for stem in stems]
    assert sorted(p.name for p in out.iterdir()) == sorted([*images, "retrieval.json", "retrieval.md"])
    assert (out / "retrieval.md").read_text().startswith("| data ")


def test_the_stride_decides_the_queries(flatsort: Flatsort, street: Path, tmp_path: Path) -> None:
    def queries(*options: str | Path) -> int:
        done = flatsort(
            "retrieval", "--model", "pixels", "--min-height", 30, "--out", tmp_path / "out", NO_FIGURES, *options
        )
        assert done.code == 0, done.err
        (run,) = results(tmp_path / "out")[0]["runs"]
        return int(run["queries"]) + int(run["unmatched"])

    rows = np.loadtxt(street / "gt" / "gt.txt", delimiter=",")
    tall = rows[(rows[:, 5] >= 30) & (rows[:, 6] > 0)]
    assert queries("--data", street) == len(tall)
    sixth = len(tall[(tall[:, 0] - 1) % 6 == 0])
    assert queries("--data", f"{street}@6") == queries("--data", street, "--stride", "6") == sixth


@pytest.mark.parametrize("stride", [1, 2, 6])
def test_the_total_of_the_progress_bar(street: Path, stride: int) -> None:
    source = open_labelled_images(f"{street}@{stride}")
    assert source.total == len(list(source.batches()))


def test_a_set_gives_the_results_of_its_images(flatsort: Flatsort, crops: Path, tmp_path: Path) -> None:
    paths = sorted(crops.iterdir())
    images = [cv2.cvtColor(cv2.imread(str(p)), cv2.COLOR_BGR2RGB) for p in paths]  # type: ignore[arg-type]
    whole = np.array([[0.0, 0.0, 16.0, 32.0]])
    samples = np.concatenate([crop(np.asarray(p, np.uint8), whole, (16, 32)) for p in images])
    columns = {
        "identity": np.array([int(p.stem[:4]) for p in paths]),
        "camera": np.array([int(int(p.stem[5:]) >= 5) for p in paths]),
    }
    sample_set.save(sample_set.SampleSet(samples, columns), tmp_path / "views")
    tables = []
    for data in (crops, tmp_path / "views"):
        assert (
            flatsort("retrieval", "--model", "pixels", "--data", data, "--out", tmp_path / "out", NO_FIGURES).code == 0
        )
        tables.append(results(tmp_path / "out"))
    assert tables[0] == tables[1]


def test_seeds(flatsort: Flatsort, street: Path, models: list[Path], tmp_path: Path) -> None:
    a, b, c = models
    data = ["--data", f"{street}@6", "--min-height", 30]
    done = flatsort(
        "retrieval", "--model", f"mine={a},{b}", "--model", c, *data, "--out", tmp_path / "named", NO_FIGURES
    )
    assert done.code == 0, done.err
    named = results(tmp_path / "named")
    assert [row["model"] for row in named] == ["mine", str(c)]
    assert "mine" in done.out
    assert " ± " in done.out
    files = [arg for model in models for arg in ("--model", model)]
    assert flatsort("retrieval", *files, "--group", *data, "--out", tmp_path / "grouped", NO_FIGURES).code == 0
    grouped = results(tmp_path / "grouped")
    assert [row["model"] for row in grouped] == ["ae dim=8", "ae dim=4"]
    assert [row["runs"] for row in grouped] == [row["runs"] for row in named]
    first, second = (run["rank-1"] for run in named[0]["runs"])
    assert named[0]["mean"]["rank-1"] == pytest.approx((first + second) / 2)
    assert named[0]["deviation"]["rank-1"] == pytest.approx(abs(first - second) / 2**0.5)


def test_calibrations_are_written_into_the_checkpoint(
    flatsort: Flatsort, street: Path, models: list[Path], tmp_path: Path
) -> None:
    mine = tmp_path / "mine.safetensors"
    mine.write_bytes(models[0].read_bytes())
    options = [
        "--model",
        "pixels",
        "--model",
        mine,
        "--data",
        street,
        "--out",
        tmp_path / "out",
        "--calibrate",
        NO_FIGURES,
    ]
    done = flatsort("retrieval", *options, "--min-height", 30)
    assert done.code == 0, done.err
    assert "threshold_fmr_0.01" in done.out
    written = json.loads((tmp_path / "out" / "retrieval.json").read_text())["calibrations"]
    calibrations = {name: DistanceCalibration.from_mapping(values) for name, values in written.items()}
    assert checkpoint.read_header(mine)[1].calibration == calibrations[str(mine)]
    assert calibrations["pixels"].threshold(0.001) > 0
    assert checkpoint.read_header(models[0])[1].calibration is None


@pytest.mark.parametrize(
    ("model", "data", "sentence"),
    [
        ("pixels", "none", "none: no such folder, expected a sequence, a set of samples or a folder of images"),
        ("pixels", "empty", "empty: expected gt/gt.txt, a set of samples or images, got none of them"),
        ("pixels", "nameless", "nameless: expected images with identities, none of 1 has one, such as someone.png"),
        ("pixels", "street@0", "street@0: expected to take every frame or every n-th, got 0"),
        ("pixels", "imageless", "imageless: expected images, here or in img1, or one video, got none"),
        ("pixles", "street", "unknown embedder 'pixles'; did you mean 'pixels'?"),
        ("x=", "street", "model 'x=': expected NAME=FILE,FILE,… with a name of its own"),
    ],
)
def test_bad_input(
    flatsort: Flatsort,
    street: Path,
    tmp_path: Path,
    model: str,
    data: str,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "street").symlink_to(street)
    for name in ("empty", "nameless", "imageless/gt"):
        (tmp_path / name).mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "nameless" / "someone.png"), np.zeros((40, 20, 3), np.uint8))
    (tmp_path / "imageless" / "gt" / "gt.txt").write_bytes((street / "gt" / "gt.txt").read_bytes())
    (tmp_path / "imageless" / "seqinfo.ini").write_bytes((street / "seqinfo.ini").read_bytes())
    done = flatsort("retrieval", "--model", model, "--data", data, "--out", "out", "--min-height", 30)
    assert sentence in done.sentence
    assert not (tmp_path / "out").exists()


def test_too_few_pairs_for_a_calibration(flatsort: Flatsort, crops: Path, tmp_path: Path) -> None:
    done = flatsort("retrieval", "--model", "pixels", "--data", crops, "--out", tmp_path / "out", "--calibrate")
    assert "--calibrate: expected sequences with boxes that follow each other" in done.sentence
    assert not (tmp_path / "out").exists()


@pytest.mark.data
def test_known_figures(flatsort: Flatsort, data: Path, tmp_path: Path) -> None:
    """Rank-1 and AUC of normalised 8×16 pixels that are known of this protocol."""
    folder = data / "sequences" / "TUD-Campus"
    done = flatsort("retrieval", "--model", "pixels", "--data", f"{folder}@4", "--out", tmp_path / "out", NO_FIGURES)
    assert done.code == 0, done.err
    (run,) = results(tmp_path / "out")[0]["runs"]
    assert (run["rank-1"], run["AUC"]) == (pytest.approx(0.76, abs=0.02), pytest.approx(0.76, abs=0.03))
