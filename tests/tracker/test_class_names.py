"""Names of classes, the file beside ground truth that gives them, and the choice of some."""

from pathlib import Path

import pytest

from flatsort.tracker import class_names

NAMES = {1: "car", 2: "person", 3: "Traffic Light", 7: "car"}


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        (None, None),
        ("", ()),
        (" all ", ()),
        ("ALL", ()),
        ("[]", ()),
        ("a, b", ("a", "b")),
        ("[a,'b c']", ("a", "b c")),
        (" 0", ("0",)),
        (["a ", 2], ("a", "2")),
        (2, ("2",)),
    ],
)
def test_what_users_write(text: str | int | None, chosen: tuple[str, ...] | None) -> None:
    assert class_names.parse_classes(text) == chosen


def test_a_choice_by_name_by_number_and_of_all() -> None:
    assert class_names.choose_classes(NAMES, ["traffic light", "2"]).tolist() == [2, 3]
    assert class_names.choose_classes(NAMES, ["car"]).tolist() == [1, 7], "two classes may have one name"
    assert class_names.choose_classes(NAMES, []).tolist() == [1, 2, 3, 7]
    assert class_names.choose_classes({0: "5", 5: "0"}, ["5"]).tolist() == [0], "a name goes before a number"


@pytest.mark.parametrize("choice", ["preson", "4", "-1", "²"])
def test_an_unknown_class_is_refused_with_what_is_known(choice: str) -> None:
    with pytest.raises(ValueError, match=f"unknown class '{choice}'.*person.*all takes all"):
        class_names.choose_classes(NAMES, [choice])


def test_labels_beside_a_file_begin_at_one(tmp_path: Path) -> None:
    assert class_names.labels_beside(tmp_path / "gt.txt") == {}
    (tmp_path / "labels.txt").write_text("car\n\nperson\n")
    assert class_names.labels_beside(tmp_path / "gt.txt") == {1: "car", 2: "person"}


def test_names_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("head\n\n helmet \n")
    assert class_names.read_class_names(str(file)) == ["head", "helmet"]


@pytest.mark.parametrize("content", [b"\n\n", b"\xff\xfe\xfa"])
def test_a_file_without_names(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "names.txt"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"names\.txt: expected"):
        class_names.read_class_names(str(file))


def test_people_unless_something_is_asked_for() -> None:
    assert class_names.choose_detected(NAMES, None).tolist() == [2]
    assert class_names.choose_detected({0: "ball", 3: "Personal"}, None).tolist() == [0, 3], "nobody: all"
    assert class_names.choose_detected(NAMES, ()).tolist() == [1, 2, 3, 7]
    assert class_names.choose_detected(NAMES, ("car",)).tolist() == [1, 7]
