"""Sequences of a benchmark: folders, globs, detections and images."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from flatsort.tools.experiments.sequences import find_sequences, image_files_of, read_sequences, require_images
from flatsort.tracker.io.mot import read_detections
from tests.tools.experiments import street_sequences


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return street_sequences.write(tmp_path_factory.mktemp("sequences") / "street")


@pytest.fixture
def train(street: Path, tmp_path: Path) -> Path:
    """A folder of three sequences and something else."""
    for name in ("two", "one", "three"):
        shutil.copytree(street, tmp_path / "train" / name)
    (tmp_path / "train" / "notes").mkdir()
    (tmp_path / "train" / "readme.txt").write_text("no sequence")
    return tmp_path / "train"


def test_folders_of_sequences_are_sorted(train: Path) -> None:
    assert list(find_sequences([str(train)])) == ["one", "three", "two"]


def test_paths_keep_their_order_and_count_once(train: Path) -> None:
    assert list(find_sequences([str(train / "two"), str(train)])) == ["two", "one", "three"]


@pytest.mark.parametrize(("pattern", "names"), [("t*", ["three", "two"]), ("*/", ["one", "three", "two"])])
def test_globs(train: Path, pattern: str, names: list[str]) -> None:
    assert list(find_sequences([f"{train}/{pattern}"])) == names


def test_globs_of_folders_of_sequences(train: Path) -> None:
    assert list(find_sequences([f"{train.parent}/tr*"])) == ["one", "three", "two"]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("nowhere", "no such folder"), ("notes", "no sequences, expected folders NAME/gt/gt.txt"), ("x*", "no sequences")],
)
def test_what_is_no_sequence(train: Path, path: str, sentence: str) -> None:
    with pytest.raises(FileNotFoundError, match=sentence):
        find_sequences([str(train / path)])


def test_two_sequences_of_one_name(train: Path, tmp_path: Path) -> None:
    shutil.copytree(train / "one", tmp_path / "other" / "one")
    with pytest.raises(ValueError, match="expected different names"):
        find_sequences([str(train), str(tmp_path / "other")])


def test_a_sequence_is_read(street: Path) -> None:
    (sequence,) = read_sequences([str(street)], "det.txt").values()
    scene, expected = street_sequences.scene(), read_detections(street / "det" / "det.txt")
    assert (sequence.name, sequence.fps, sequence.image_size, sequence.length) == (
        "street",
        scene.fps,
        scene.size,
        scene.length,
    )
    assert len(sequence.detections) == scene.length
    for index, detections in enumerate(sequence.detections, 1):
        np.testing.assert_array_equal(
            detections.boxes, expected[index].boxes if index in expected else np.empty((0, 4))
        )
    assert len(sequence.ground_truth) == len(scene.ground_truth())


def test_low_scores_are_left_out(street: Path) -> None:
    (unfiltered,) = read_sequences([str(street)], "det.txt").values()
    (filtered,) = read_sequences([str(street)], "det.txt", 0.6).values()
    scores = np.concatenate([detections.scores for detections in filtered.detections])
    assert 0 < len(scores) == sum(int((detections.scores >= 0.6).sum()) for detections in unfiltered.detections)
    assert len(scores) < sum(map(len, unfiltered.detections))


def test_a_folder_of_detections(train: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dets"
    folder.mkdir()
    for name in ("one", "two"):
        (folder / f"{name}.txt").write_text("2,-1,10,20,30,40,0.5\n")
    np.save(folder / "three.npy", np.array([[1, -1, 10, 20, 30, 40, 0.9, -1, -1, -1, 3, 4]], np.float64))
    sequences = read_sequences([str(train)], str(folder))
    assert [len(sequences["one"].detections[index]) for index in (0, 1)] == [0, 1]
    latents = sequences["three"].detections[0].latents
    assert latents is not None
    np.testing.assert_array_equal(latents, [[3, 4]])
    (folder / "three.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected three.txt or three.npy .*, got neither"):
        read_sequences([str(train)], str(folder))


def test_one_file_is_of_one_sequence(train: Path) -> None:
    file = str(train / "one" / "det" / "det.txt")
    assert list(read_sequences([str(train / "two")], file)) == ["two"]
    with pytest.raises(ValueError, match="the detections of one sequence, got 3"):
        read_sequences([str(train)], file)


def test_absent_detections(train: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"one/det/poi.txt: no such file, expected the detections of one"):
        read_sequences([str(train)], "poi.txt")


def test_image_files_and_videos(tmp_path: Path) -> None:
    few, video = (
        street_sequences.write(tmp_path / "few", images=2),
        street_sequences.write(tmp_path / "film", images=None),
    )
    none = street_sequences.write(tmp_path / "none")
    assert [(len(images.files), images.video) for images in map(image_files_of, (few, video, none))] == [
        (2, False),
        (1, True),
        (0, False),
    ]
    sequences = read_sequences([str(tmp_path)], "det.txt")
    require_images(sequences["film"], "deep")
    with pytest.raises(ValueError, match="few: expected images for system deep, got those of 2 of 30 frames"):
        require_images(sequences["few"], "deep")
    with pytest.raises(ValueError, match="none: expected images for system deep, got none"):
        require_images(sequences["none"], "deep")


def test_classes_of_detections_are_known_and_chosen(street: Path, tmp_path: Path) -> None:
    shutil.copytree(street, tmp_path / "one")
    data, file = [str(tmp_path / "one")], tmp_path / "one" / "det" / "det.txt"
    assert read_sequences(data, "det.txt")["one"].class_names == {}
    file.write_text("1,-1,9,9,5,5,0.5,2\n1,-1,9,9,5,5,0.5,0\n2,-1,9,9,5,5,0.5,0\n")
    assert read_sequences(data, "det.txt")["one"].class_names == {0: "0", 2: "2"}
    sequence = read_sequences(data, "det.txt", classes=("2",))["one"]
    assert [len(each) for each in sequence.detections[:2]] == [1, 0]
