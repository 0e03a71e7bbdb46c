"""Pairs of ground truth and prediction files by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatsort.tracker.metrics.sequence_files import find_pairs


def touch(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    touch(*(tmp_path / "gt" / name / "gt" / "gt.txt" for name in "ab"))
    touch(*(tmp_path / "pred" / f"{name}.txt" for name in "abc"))
    touch(tmp_path / "gt" / "notes.txt", tmp_path / "pred" / "config.yaml", tmp_path / "alone" / "x.txt")
    return tmp_path


def names(gt: Path, pred: Path, *, allow_missing: bool = False) -> list[tuple[str, str, str]]:
    pairs, _ = find_pairs(gt, pred, allow_missing=allow_missing)
    return [(pair.name, pair.gt.name, pair.pred.name) for pair in pairs]


def test_folders_by_name(folder: Path) -> None:
    pairs, unpaired = find_pairs(folder / "gt", folder / "pred")
    assert [(pair.name, pair.gt, pair.pred) for pair in pairs] == [
        (name, folder / "gt" / name / "gt" / "gt.txt", folder / "pred" / f"{name}.txt") for name in "ab"
    ]
    assert unpaired == ["c"]


def test_a_sequence_folder_finds_its_file(folder: Path) -> None:
    assert names(folder / "gt" / "b", folder / "pred") == [("b", "gt.txt", "b.txt")]
    assert names(folder / "gt" / "b" / "gt" / "gt.txt", folder / "pred") == [("b", "gt.txt", "b.txt")]


def test_a_file_needs_no_matching_name(folder: Path) -> None:
    other = folder / "alone" / "x.txt"
    assert names(folder / "gt" / "b", other) == [("b", "gt.txt", "x.txt")]
    assert names(other, folder / "pred" / "c.txt") == [("x", "x.txt", "c.txt")]
    assert names(other, folder / "gt" / "a" / "gt" / "gt.txt") == [("x", "x.txt", "gt.txt")]


def test_flat_folder_of_ground_truth(folder: Path) -> None:
    touch(folder / "other" / "b.txt")
    assert names(folder / "pred", folder / "other", allow_missing=True) == [("b", "b.txt", "b.txt")]


def test_ground_truth_below_the_predictions_is_no_prediction(folder: Path) -> None:
    runs = folder / "runs"
    touch(runs / "scene" / "gt" / "gt.txt", runs / "scene.txt", runs / "scene.csv", runs / "scene.config.yaml")
    touch(runs / "scene.explain.csv", runs / "scene.partial.txt", runs / ".scene-x1.txt")
    for gt in (runs / "scene", runs / "scene" / "gt" / "gt.txt", runs):
        pairs, unpaired = find_pairs(gt, runs)
        assert [(pair.name, pair.gt, pair.pred) for pair in pairs] == [
            ("scene", runs / "scene" / "gt" / "gt.txt", runs / "scene.txt")
        ]
        assert unpaired == []
    (runs / "scene.txt").unlink()
    assert [pair.pred for pair in find_pairs(runs / "scene", runs)[0]] == [runs / "scene.csv"]
    (runs / "scene.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"runs: no tracks, expected files NAME.txt"):
        find_pairs(runs / "scene", runs)


def test_a_prediction_that_is_its_ground_truth_is_refused(folder: Path) -> None:
    gt = folder / "gt" / "a" / "gt" / "gt.txt"
    (folder / "links").mkdir()
    (folder / "links" / "a.txt").symlink_to(gt)
    for pred in (gt, gt.parent, folder / "links"):
        with pytest.raises(ValueError, match=r"txt: expected tracks, got the ground truth of a itself"):
            find_pairs(folder / "gt" / "a" / "gt" / "gt.txt", pred)
    with pytest.raises(ValueError, match=r"a\.txt: expected tracks, got the ground truth of a itself"):
        find_pairs(folder / "pred", folder / "pred")


def test_the_current_folder_has_a_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "gt" / "a")
    assert names(Path(), folder / "pred") == [("a", "gt.txt", "a.txt")]


def test_a_missing_prediction_is_named(folder: Path) -> None:
    (folder / "pred" / "b.txt").unlink()
    with pytest.raises(ValueError, match=r"pred: no prediction for b; expected files such as b\.txt"):
        find_pairs(folder / "gt", folder / "pred")
    pairs, unpaired = find_pairs(folder / "gt", folder / "pred", allow_missing=True)
    assert ([pair.name for pair in pairs], unpaired) == (["a"], ["b", "c"])


def test_nothing_in_common(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"alone: expected predictions of a, b, got those of x"):
        find_pairs(folder / "gt", folder / "alone", allow_missing=True)


def test_paths_that_do_not_exist_or_hold_nothing(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere: no such file or folder"):
        find_pairs(folder / "nowhere", folder / "pred")
    (folder / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"empty: no tracks, expected files NAME.txt"):
        find_pairs(folder / "gt", folder / "empty")
    with pytest.raises(FileNotFoundError, match=r"empty: no sequences, expected files NAME.txt or folders"):
        find_pairs(folder / "empty", folder / "pred")


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    touch(*(tmp_path / "gt" / f"s{i:02}" / "gt" / "gt.txt" for i in range(12)), tmp_path / "pred" / "s00.txt")
    with pytest.raises(ValueError, match=r"s08 and 3 more; expected"):
        find_pairs(tmp_path / "gt", tmp_path / "pred")


def sequences(folder: Path, **named: str) -> Path:
    """Folders, each with the name that its seqinfo.ini gives."""
    for name, inside in named.items():
        touch(folder / name / "gt" / "gt.txt")
        ini = f"[Sequence]\nname={inside}\nframeRate=10\nseqLength=4\nimWidth=640\nimHeight=480\n"
        (folder / name / "seqinfo.ini").write_text(ini)
    return folder


def test_the_name_in_seqinfo_finds_the_prediction_and_the_folder_names_the_row(tmp_path: Path) -> None:
    gt = sequences(tmp_path / "gt", renamed="TUD-Campus", slash="a/b", own="own")
    touch(*(tmp_path / "pred" / f"{name}.txt" for name in ("TUD-Campus", "a_b", "own", "extra")))
    pairs, unpaired = find_pairs(gt, tmp_path / "pred")
    assert [(pair.name, pair.pred.name) for pair in pairs] == [
        ("own", "own.txt"),
        ("renamed", "TUD-Campus.txt"),
        ("slash", "a_b.txt"),
    ]
    assert unpaired == ["extra"]
    assert names(gt / "renamed", tmp_path / "pred") == [("renamed", "gt.txt", "TUD-Campus.txt")]


def test_the_name_of_the_folder_still_counts(tmp_path: Path) -> None:
    gt = sequences(tmp_path / "gt", renamed="TUD-Campus")
    touch(tmp_path / "pred" / "renamed.txt", tmp_path / "pred" / "other.txt")
    assert names(gt, tmp_path / "pred") == [("renamed", "gt.txt", "renamed.txt")]


def test_a_copy_leaves_the_original_its_prediction(tmp_path: Path) -> None:
    gt = sequences(tmp_path / "gt", a="b", b="b")
    touch(tmp_path / "pred" / "b.txt")
    assert names(gt, tmp_path / "pred", allow_missing=True) == [("b", "gt.txt", "b.txt")]
    with pytest.raises(ValueError, match=r"no prediction for a; expected files such as a\.txt"):
        find_pairs(gt, tmp_path / "pred")
    touch(tmp_path / "pred" / "a.txt")
    assert names(gt, tmp_path / "pred") == [("a", "gt.txt", "a.txt"), ("b", "gt.txt", "b.txt")]


@pytest.mark.parametrize(
    ("named", "predicted", "sentence"),
    [
        ({"a": "x"}, "ax", r"a\.txt and x\.txt could both be of a, which seqinfo\.ini names x"),
        ({"a": "b", "b": "a"}, "ab", r"a\.txt and b\.txt could both be of a"),
        ({"a": "x", "b": "x"}, "x", r"pred: x\.txt could be of a or of b, by their names in seqinfo\.ini"),
    ],
)
def test_ambiguous_names_are_refused(tmp_path: Path, named: dict[str, str], predicted: str, sentence: str) -> None:
    gt = sequences(tmp_path / "gt", **named)
    touch(*(tmp_path / "pred" / f"{name}.txt" for name in predicted))
    with pytest.raises(ValueError, match=sentence):
        find_pairs(gt, tmp_path / "pred", allow_missing=True)


def test_tables_of_other_suffixes_where_there_is_no_text(folder: Path) -> None:
    runs = folder / "runs"
    touch(runs / "a.txt", runs / "a.csv", runs / "b.json", runs / "scores.json", runs / "scores.csv")
    assert names(folder / "gt", runs) == [("a", "gt.txt", "a.txt"), ("b", "gt.txt", "b.json")]
    assert find_pairs(folder / "gt", runs)[1] == [], "files of no sequence beside text files are no tracks"
    touch(folder / "tables" / "a.csv", folder / "tables" / "b.csv", folder / "tables" / "b.json")
    assert names(folder / "gt", folder / "tables") == [("a", "gt.txt", "a.csv"), ("b", "gt.txt", "b.csv")]
