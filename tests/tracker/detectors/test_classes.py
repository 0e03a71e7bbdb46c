"""Names of classes: COCO's, and those of a file."""

from pathlib import Path

import pytest

from flatsort.tracker.detectors import classes


def test_coco_has_eighty_names() -> None:
    assert len(set(classes.COCO)) == 80
    assert [classes.COCO[i] for i in (0, 9, 79)] == ["person", "traffic light", "toothbrush"]


def test_choice_is_ascending_and_empty_means_all() -> None:
    assert classes.class_indices(["a", "b", "c"], ["c", "a"]).tolist() == [0, 2]
    assert classes.class_indices(["a", "b", "c"], []).tolist() == [0, 1, 2]


def test_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(ValueError, match="unknown class 'preson'; did you mean 'person'"):
        classes.class_indices(classes.COCO, ["preson"])


def test_names_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("head\n\n helmet \n")
    assert classes.read_class_names(str(file)) == ["head", "helmet"]


@pytest.mark.parametrize("content", [b"\n\n", b"\xff\xfe\xfa"])
def test_a_file_without_names(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "names.txt"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"names\.txt: expected"):
        classes.read_class_names(str(file))
