"""Labels of person images from the names of their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatsort.embedding.data.filename_labels import Label, read_labels

ROOT = Path("data")


def labels(*names: str, layout: str = "auto") -> list[Label]:
    return read_labels([ROOT / name for name in names], ROOT, layout)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("0007_04.jpg", Label(7, camera=0)),
        ("0007_05.jpg", Label(7, camera=1)),
        ("0012002.png", Label(12, camera=0)),
        ("0012003.png", Label(12, camera=1)),
        ("0002_c3s2_000151_01.jpg", Label(2, 2, 151, "c3s2")),
        ("0002_c3s2_000151_01.jpg.jpg", Label(2, 2, 151, "c3s2")),
        ("0000_c1s1_000001_00.jpg", Label(0, 0, 1, "c1s1")),
        ("-1_c1s1_000401_03.jpg", Label(-1, 0, 401, "c1s1")),
        ("0012005.jpg", Label()),
        ("crop001001a.jpg", Label()),
        ("IMG_0007_04.jpg", Label()),
    ],
)
def test_names(name: str, label: Label) -> None:
    assert labels(name) == [label]
    assert labels(name, layout="none") == [Label()]


def test_one_other_name_makes_a_folder_unknown_but_not_its_neighbour() -> None:
    labelled = labels("a/0001_00.jpg", "a/holiday.jpg", "b/0001_00.jpg")
    assert [label.identity for label in labelled] == [-1, -1, 1]
    labelled = labels("a/0001_00.jpg", "a/holiday.jpg", "b/0001_00.jpg", layout="cuhk03")
    assert labelled[1] == Label()
    assert -1 not in (labelled[0].identity, labelled[2].identity)


def test_the_same_number_in_another_folder_is_another_person_but_not_in_market() -> None:
    train, train_again, val, other = labels(
        "train/0001_00.jpg", "train/0001_07.jpg", "val/0001_00.jpg", "c/0001001.jpg"
    )
    assert train.identity == train_again.identity
    assert len({train.identity, val.identity, other.identity}) == 3
    query, gallery = labels("query/0001_c1s1_000151_00.jpg", "gallery/0001_c2s1_000151_00.jpg")
    assert query.identity == gallery.identity


def test_folders_are_identities_where_asked_or_numbered() -> None:
    named = ("anna/x.jpg", "anna/deep/y.jpg", "bert/x.jpg")
    assert [x.identity for x in labels(*named)] == [-1, -1, -1]
    assert [x.identity for x in labels(*named, layout="folders")] == [0, 0, 1]
    assert [x.identity for x in labels("id_1/x.jpg", "id_1/y.jpg", "id_2/x.jpg")] == [0, 0, 1]
    assert [x.identity for x in labels("train1/x.jpg", "loose.jpg")] == [-1, -1]


@pytest.mark.parametrize(
    ("layout", "names", "sentence"),
    [
        ("cuhk3", ["a.jpg"], "unknown layout 'cuhk3'; did you mean 'cuhk03'"),
        ("cuhk03", ["a.jpg"], r"expected names like IIII_KK.*got a\.jpg"),
        ("folders", ["a.jpg", "1/b.jpg"], "expected one folder an identity"),
    ],
)
def test_what_does_not_fit_is_refused(layout: str, names: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        labels(*names, layout=layout)


def test_no_file_has_no_label() -> None:
    assert labels() == labels(layout="cuhk03") == []
