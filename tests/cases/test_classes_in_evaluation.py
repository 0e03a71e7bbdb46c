"""Classes of ground truth are real: each is scored, nothing is left out without a word."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from flatsort import evaluate
from tests.e2e.conftest import Flatsort

FRAMES = range(1, 11)


def export(folder: Path, classes: Sequence[int], labels: str) -> Path:
    """A sequence of objects side by side that move to the right, one of each of ``classes``, as CVAT exports it."""
    (folder / "gt").mkdir(parents=True)
    rows = [f"{f},{i},{40 * i + f},20,20,50,1,{label},1.0" for f in FRAMES for i, label in enumerate(classes, 1)]
    (folder / "gt" / "gt.txt").write_text("\n".join(rows))
    if labels:
        (folder / "gt" / "labels.txt").write_text(labels)
    return folder


def tracks(path: Path, objects: Sequence[int], classes: Sequence[int] = ()) -> Path:
    """Perfect tracks of these objects (counted from 1), with a class each where there are some."""
    label = dict(zip(objects, classes, strict=False))
    rows = [f"{f},{9 + i},{40 * i + f},20,20,50,0.9,{label.get(i, -1)},-1,-1" for f in FRAMES for i in objects]
    path.write_text("\n".join(rows))
    return path


def scores(flatsort: Flatsort, folder: Path, pred: Path, *options: str) -> dict[str, dict[str, float]]:
    """Name of a class, ``all`` and ``average`` → scores."""
    out = folder.parent / "scores.json"
    done = flatsort("evaluate", "--gt", folder, "--pred", pred, "--json", out, *options)
    assert done.code == 0, done.err
    document = json.loads(out.read_text())
    classes = {name: each["overall"] for name, each in document.get("classes", {}).items()}
    return {**classes, "all": document["overall"], "average": document.get("class_average")}


def test_each_class_of_labels_is_scored(flatsort: Flatsort, tmp_path: Path) -> None:
    folder = export(tmp_path / "seq", [1, 2, 2, 3], "car\nperson\ndog\n")
    each = scores(flatsort, folder, tracks(tmp_path / "pred.txt", [1, 2, 3, 4]))
    assert list(each) == ["car", "person", "dog", "all", "average"]
    assert {row["mota"] for row in each.values()} == {100}
    assert (each["person"]["gt"], each["all"]["gt"]) == (2, 4)


def test_a_missed_object_is_missed(flatsort: Flatsort, tmp_path: Path) -> None:
    folder = export(tmp_path / "seq", [1, 2], "car\nperson\n")
    each = scores(flatsort, folder, tracks(tmp_path / "pred.txt", [1]))
    assert (each["car"]["mota"], each["person"]["mota"], each["all"]["mota"]) == (100, 0, 50)
    assert each["average"]["mota"] == 50


def test_tracks_of_another_class_do_not_match(flatsort: Flatsort, tmp_path: Path) -> None:
    folder = export(tmp_path / "seq", [1, 2], "car\nperson\n")
    each = scores(flatsort, folder, tracks(tmp_path / "pred.txt", [1, 2], [1, 1]))
    assert (each["car"]["fp"], each["car"]["fn"], each["person"]["fn"]) == (10, 0, 10)
    assert (each["all"]["fp"], each["all"]["fn"]) == (10, 10)


def test_chosen_classes_and_tracks_on_others(flatsort: Flatsort, tmp_path: Path) -> None:
    folder, pred = export(tmp_path / "seq", [1, 2], "car\nperson\n"), tracks(tmp_path / "pred.txt", [1, 2])
    for choice in ("person", " Person", "2"):
        each = scores(flatsort, folder, pred, "--classes", choice)
        assert (each["all"]["gt"], each["all"]["fp"], each["all"]["mota"]) == (1, 0, 100), choice
    refused = flatsort("evaluate", "--gt", folder, "--pred", pred, "--classes", "cat")
    assert "unknown class 'cat'" in refused.sentence
    assert "car, person" in refused.sentence


def test_classes_of_another_numbering_are_matched_by_name_or_not_at_all(flatsort: Flatsort, tmp_path: Path) -> None:
    folder = export(tmp_path / "seq", [1, 2], "car\nperson\n")
    coco = tracks(tmp_path / "pred.txt", [1, 2], [2, 0])
    assert scores(flatsort, folder, coco)["all"]["mota"] == 100
    assert "tracks have other classes" in flatsort("evaluate", "--gt", folder, "--pred", coco).err
    box = {"score": 0.9, "detection": 0}
    frames = [
        {
            "frame": f,
            "time": f / 10,
            "tracks": [
                {"id": i, "box": [40 * i + f, 20, 40 * i + f + 20, 70], "class": label, **box}
                for i, label in ((1, 2), (2, 0))
            ],
        }
        for f in FRAMES
    ]
    named = tmp_path / "named.json"
    named.write_text(json.dumps({"source": "x", "fps": 10, "classes": {"0": "person", "2": "car"}, "frames": frames}))
    assert scores(flatsort, folder, named)["car"]["mota"] == 100
    assert "matched within their class" in flatsort("evaluate", "--gt", folder, "--pred", named).err


@pytest.mark.parametrize("labels", ["", "pedestrian\nperson on vehicle\ncar\n"])
def test_ground_truth_of_a_benchmark_keeps_its_rules_and_says_so(
    flatsort: Flatsort, tmp_path: Path, labels: str
) -> None:
    folder = export(tmp_path / "seq", [1, 3], labels)
    pred = tracks(tmp_path / "pred.txt", [1])
    assert scores(flatsort, folder, pred)["all"]["mota"] == 100
    said = flatsort("evaluate", "--gt", folder, "--pred", pred).err
    assert "scored: pedestrians only" in said
    assert "10 ground truth boxes are not scored" in said
    every = scores(flatsort, folder, pred, "--classes", "all")
    assert (every["pedestrian"]["mota"], every["car"]["mota"]) == (100, 0)


@pytest.mark.parametrize("classes", [[0, 1], [14, 20]])
def test_classes_that_no_benchmark_has_are_the_files_own(
    flatsort: Flatsort, tmp_path: Path, classes: list[int]
) -> None:
    folder = export(tmp_path / "seq", classes, "")
    each = scores(flatsort, folder, tracks(tmp_path / "pred.txt", [1, 2]))
    assert [each[str(number)]["mota"] for number in classes] == [100, 100]


def test_a_class_needs_not_be_in_every_sequence(flatsort: Flatsort, tmp_path: Path) -> None:
    export(tmp_path / "data" / "both", [1, 2], "car\nperson\n")
    export(tmp_path / "data" / "persons", [3, 3], "")
    (tmp_path / "data" / "persons" / "gt" / "labels.txt").write_text("bus\ntram\nperson\n")
    (tmp_path / "pred").mkdir()
    for name in ("both", "persons"):
        tracks(tmp_path / "pred" / f"{name}.txt", [1, 2])
    run = ("evaluate", "--gt", tmp_path / "data", "--pred", tmp_path / "pred", "--json", tmp_path / "s.json")
    assert flatsort(*run, "--classes", "car,person").code == 0
    document = json.loads((tmp_path / "s.json").read_text())
    assert {name: each["overall"]["gt"] for name, each in document["classes"].items()} == {"car": 1, "person": 3}
    assert flatsort(*run, "--classes", "car").code == 0
    assert (document["overall"]["gt"], json.loads((tmp_path / "s.json").read_text())["overall"]["gt"]) == (4, 1)
    refused = flatsort(*run, "--classes", "cat").sentence
    assert "unknown class 'cat'" in refused
    assert "tram" in refused


def test_tracks_of_a_class_without_objects_are_false_positives(flatsort: Flatsort, tmp_path: Path) -> None:
    folder = export(tmp_path / "seq", [1, 1], "car\nperson\ndog\n")
    pred = tracks(tmp_path / "pred.txt", [1, 2], [1, 3])
    each = scores(flatsort, folder, pred)
    assert (each["car"]["mota"], each["dog"]["gt"], each["dog"]["fp"], each["all"]["mota"]) == (50, 0, 10, 0)
    assert "those of dog do not count" not in flatsort("evaluate", "--gt", folder, "--pred", pred).err
    chosen = flatsort("evaluate", "--gt", folder, "--pred", pred, "--classes", "car").err
    assert "matched within their class; those of 3 do not count" in chosen


def test_classes_and_a_benchmark_contradict_each_other(flatsort: Flatsort, tmp_path: Path) -> None:
    folder, pred = export(tmp_path / "seq", [1, 2], "car\nperson\n"), tracks(tmp_path / "pred.txt", [1])
    refused = flatsort("evaluate", "--gt", folder, "--pred", pred, "--classes", "car", "--format", "mot17")
    assert "expected classes or the rules of mot17" in refused.sentence


def test_tracks_in_ignored_regions_do_not_count(flatsort: Flatsort, tmp_path: Path) -> None:
    """VisDrone: category 0 is an ignored region, 11 is "others"; a box that is half inside of both counts as inside."""
    objects = {1: (300, 20, 20, 50, 1, 4), 2: (340, 20, 20, 50, 1, 1), 3: (100, 100, 30, 30, 0, 11)}
    region = (0, 0, 110, 90, 0, 0)
    rows = [
        f"{f},{i},{x},{y},{w},{h},{flag},{category},0,0"
        for f in FRAMES
        for i, (x, y, w, h, flag, category) in {0: region, **objects}.items()
    ]
    gt = tmp_path / "gt.txt"
    gt.write_text("\n".join(rows))
    inside = {5: (10, 10, 20, 50), 6: (95, 80, 20, 35), 7: (104, 10, 20, 50)}  # the last one for 30 % only
    found = {1: (300, 20, 20, 50), 2: (340, 20, 20, 50), **inside}
    pred = tmp_path / "pred.txt"
    pred.write_text("\n".join(f"{f},{i},{','.join(map(str, b))},0.9" for f in FRAMES for i, b in found.items()))
    each = scores(flatsort, gt, pred)
    assert (each["all"]["gt"], each["all"]["fn"], each["all"]["fp"]) == (2, 0, 10), "only the box outside counts"
    assert (each["car"]["recall"], each["pedestrian"]["recall"]) == (100, 100)
    assert "ignored regions" in flatsort("evaluate", "--gt", gt, "--pred", pred).err


@pytest.mark.parametrize("name", ["M0203_gt_whole.txt", "M0203_gt.txt", ""])
def test_uavdt_has_regions_in_a_file_of_their_own(flatsort: Flatsort, tmp_path: Path, name: str) -> None:
    folder, pred = tmp_path / "GT", tmp_path / "pred"
    folder.mkdir()
    pred.mkdir()
    for file, rest in {"gt_whole": "2,1,3", "gt": "1,-1,-1"}.items():
        (folder / f"M0203_{file}.txt").write_text("\n".join(f"{f},1,{300 + f},20,20,50,{rest}" for f in FRAMES))
    (folder / "M0203_gt_ignore.txt").write_text("\n".join(f"{f},1,0,0,110,90,-1,-1,-1" for f in FRAMES))
    rows = [f"{f},{i},{x},20,20,50,0.9" for f in FRAMES for i, x in ((1, 300 + f), (2, 95), (3, 105))]
    (pred / "M0203.txt").write_text("\n".join(rows))
    each = scores(flatsort, folder / name, pred / "M0203.txt" if name else pred)
    assert (each["all"]["gt"], each["all"]["fn"], each["all"]["fp"]) == (1, 0, 10)
    assert "as in UAVDT" in flatsort("evaluate", "--gt", folder / name, "--pred", pred / "M0203.txt").err


@pytest.mark.parametrize(
    ("frames", "mota", "far"), [("6-10", 100, 0), ("6-", 100, 0), ("-5", -20, 1 / 5), ("1-10", 40, 1 / 10)]
)
def test_a_range_of_frames(flatsort: Flatsort, tmp_path: Path, frames: str, mota: float, far: float) -> None:
    folder = export(tmp_path / "seq", [1], "car\n")
    pred = tracks(tmp_path / "pred.txt", [1])
    late = [line for line in pred.read_text().splitlines() if int(line.split(",")[0]) > 5]
    pred.write_text("\n".join([*late, "3,77,500,500,10,10,1,-1,-1,-1"]))
    each = scores(flatsort, folder, pred, "--frames", frames)
    assert each["all"]["mota"] == pytest.approx(mota)
    assert each["all"]["far"] == pytest.approx(far)


@pytest.mark.parametrize("frames", ["5", "9-3", "0-5", "a-b", "11-20", "-"])
def test_a_range_that_is_none(flatsort: Flatsort, tmp_path: Path, frames: str) -> None:
    folder, pred = export(tmp_path / "seq", [1], "car\n"), tracks(tmp_path / "pred.txt", [1])
    refused = flatsort("evaluate", "--gt", folder, "--pred", pred, f"--frames={frames}")
    assert "expected" in refused.sentence
    assert "frames" in refused.sentence


def test_ground_truth_of_every_third_frame(flatsort: Flatsort, tmp_path: Path) -> None:
    folder = tmp_path / "seq"
    (folder / "gt").mkdir(parents=True)
    (folder / "gt" / "gt.txt").write_text("\n".join(f"{f},1,{f},20,20,50,1,-1,-1,-1" for f in range(2, 30, 3)))
    pred = tmp_path / "pred.txt"
    pred.write_text("\n".join(f"{f},1,{f},20,20,50,1" for f in range(1, 30)))
    assert scores(flatsort, folder, pred)["all"]["mota"] == 100
    assert "of every 3 frames one is scored" in flatsort("evaluate", "--gt", folder, "--pred", pred).err
    assert scores(flatsort, folder, pred, "--stride", "1")["all"]["fp"] == 19
    pred.write_text("\n".join(f"{f},1,{f},20,20,50,1" for f in range(2, 30, 3)))
    assert "of every" not in flatsort("evaluate", "--gt", folder, "--pred", pred).err, "both have the same frames"


@pytest.mark.parametrize(
    ("annotated", "said"),
    [
        ((1, 11, 21, 31), "of every 10 frames one is scored, from frame 1 on"),
        ((6, 16, 26, 46, 56), "of every 10 frames one is scored, from frame 6 on"),
        ((13, 18, 23), "of every 5 frames one is scored, from frame 3 on"),
        ((1, 11), ""),
        ((2, 4, 6), ""),
        ((1, 11, 21, 32), ""),
    ],
)
def test_few_annotated_frames(flatsort: Flatsort, tmp_path: Path, annotated: Sequence[int], said: str) -> None:
    gt, pred = tmp_path / "gt.txt", tmp_path / "pred.txt"
    gt.write_text("\n".join(f"{f},1,{f},20,20,50,1,-1,-1,-1" for f in annotated))
    pred.write_text("\n".join(f"{f},1,{f},20,20,50,1" for f in range(1, max(annotated) + 1)))
    err = flatsort("evaluate", "--gt", gt, "--pred", pred).err
    assert said in err if said else "of every" not in err


def test_a_range_of_frames_in_python(tmp_path: Path) -> None:
    folder = export(tmp_path / "seq", [1], "car\n")
    pred = tracks(tmp_path / "pred.txt", [1])
    pairs: list[str | tuple[int | None, int | None]] = [(3, 7), "3-7", (None, 5), (6, None)]
    for frames in pairs:
        assert evaluate(folder, pred, frames=frames, classes="car").overall.recall == 100
        assert evaluate(folder, pred, frames=frames).sequences["seq"].counts.frames == 5


def test_an_empty_ground_truth_is_said(flatsort: Flatsort, tmp_path: Path) -> None:
    folder = export(tmp_path / "seq", [1], "")
    (folder / "gt" / "gt.txt").write_text("")
    pred = tracks(tmp_path / "pred.txt", [1])
    assert "seq: the ground truth has no box to score" in flatsort("evaluate", "--gt", folder, "--pred", pred).err


def test_names_in_tables_are_no_formulas_and_no_markup(flatsort: Flatsort, tmp_path: Path) -> None:
    for name in ("=SUM(1)", "a|b", "<i>x"):
        export(tmp_path / "data" / name, [1], "")
        (tmp_path / "pred").mkdir(exist_ok=True)
        tracks(tmp_path / "pred" / f"{name}.txt", [1])
    options = ("--csv", tmp_path / "s.csv", "--markdown", tmp_path / "s.md")
    assert flatsort("evaluate", "--gt", tmp_path / "data", "--pred", tmp_path / "pred", *options).code == 0
    assert "\n'=SUM(1)," in (tmp_path / "s.csv").read_text()
    markdown = (tmp_path / "s.md").read_text()
    assert "a\\|b" in markdown
    assert "&lt;i&gt;x" in markdown
