"""The published numbers agree with one another, and are not compared with others in silence."""

from __future__ import annotations

from dataclasses import fields
from math import log10

import pytest

from flatsort.tools.experiments.published import MOT16_TRAIN, PublishedRow, rows, warning
from flatsort.tracker.metrics import Scores

BOXES, FRAMES, TRACKS = 110_407, 5_316, 517
"""Counts of the pedestrians of MOT16's train split."""

POI = "MOT16_POI_train, score ≥ 0.3"
each = pytest.mark.parametrize("row", rows("mot16"), ids=lambda row: row.name)


def test_the_rows_in_their_order() -> None:
    assert [(row.name, row.learned) for row in rows("mot16")] == [
        ("VHP-FMVAE-SORT η=300", "unsupervised"),
        ("VHP-FMVAE-SORT η=3000", "unsupervised"),
        ("VHP-VAE-SORT", "unsupervised"),
        ("SORT", ""),
        ("DeepSORT", "supervised"),
    ]
    assert {row.split for row in rows("mot16")} == {"train"}
    assert {row.detections for row in rows("mot16")} == {"Faster R-CNN of Yu et al. 2016 (POI), private"}


@each
def test_the_sixteen_columns_in_the_order_of_the_scores(row: PublishedRow) -> None:
    not_published = {"gt", "hota", "deta", "assa", "loca"}
    assert list(row.scores) == [field.name for field in fields(Scores) if field.name not in not_published]


@each
def test_the_numbers_of_a_row_agree(row: PublishedRow) -> None:
    s = row.scores
    assert s["idf1"] == pytest.approx(2 * s["idp"] * s["idr"] / (s["idp"] + s["idr"]), abs=0.1)
    assert s["fn"] / BOXES == pytest.approx(1 - s["recall"] / 100, abs=0.0006)
    assert s["fp"] / FRAMES == pytest.approx(s["far"], abs=0.0051)
    assert s["mt"] + s["pt"] + s["ml"] == TRACKS
    true_positives = BOXES - s["fn"]
    assert 100 * true_positives / (true_positives + s["fp"]) == pytest.approx(s["precision"], abs=0.06)
    assert 100 * (1 - (s["fp"] + s["fn"] + s["ids"]) / BOXES) == pytest.approx(s["mota"], abs=0.06)
    assert 100 * (1 - (s["fp"] + s["fn"] + log10(s["ids"] + 1)) / BOXES) == pytest.approx(s["motal"], abs=0.06)


def test_differences_that_the_paper_is_about() -> None:
    weak, strong, plain, sort, deep = (row.scores for row in rows("mot16"))
    assert [round(flat["idf1"] - plain["idf1"], 1) for flat in (weak, strong)] == [3.2, 3.7]
    assert [round(flat["idf1"] - deep["idf1"], 1) for flat in (weak, strong)] == [-1.0, -0.5]
    assert [flat["ids"] - sort["ids"] for flat in (weak, strong)] == [-870, -888]


def test_an_unknown_table() -> None:
    with pytest.raises(ValueError, match=r"published: expected one of mot16, got 'mot17'"):
        rows("mot17")


@pytest.mark.parametrize("detections", [POI, "data/POI", "poi.npy", "MOT16-02_poi.txt"])
def test_no_warning_for_the_same_sequences_and_detections(detections: str) -> None:
    assert warning(reversed(MOT16_TRAIN), detections) == ""


@pytest.mark.parametrize(
    ("sequences", "detections", "expected", "unexpected"),
    [
        (MOT16_TRAIN[1:], POI, "MOT16-13 instead of the seven of MOT16 train", "detections"),
        ((), POI, "no sequence instead of", "detections"),
        (tuple(name.replace("16", "17") + "-FRCNN" for name in MOT16_TRAIN), POI, "MOT17-02-FRCNN", "detections"),
        (MOT16_TRAIN, "det.txt", "detections det.txt instead of Faster R-CNN of Yu et al.", "MOT16 train"),
        (MOT16_TRAIN, "checkpoints/points.npy", "detections checkpoints/points.npy instead", "MOT16 train"),
        (("TUD-Campus",), "", "TUD-Campus instead of the seven of MOT16 train and from detections without a name", "!"),
    ],
    ids=["six", "none", "other sequences", "other detections", "a word with these letters", "both"],
)
def test_a_warning_names_what_differs(
    sequences: tuple[str, ...], detections: str, expected: str, unexpected: str
) -> None:
    sentence = warning(sequences, detections)
    assert expected in sentence
    assert unexpected not in sentence
    assert sentence.count(". ") == sentence.count("et al. ")  # one sentence
