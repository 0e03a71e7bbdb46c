"""COCO's names of classes."""

from flatsort.tracker.detectors import classes


def test_coco_has_eighty_names() -> None:
    assert len(set(classes.COCO)) == 80
    assert [classes.COCO[i] for i in (0, 9, 79)] == ["person", "traffic light", "toothbrush"]


def test_the_ids_of_coco_have_gaps() -> None:
    assert [classes.COCO_IDS[i] for i in (1, 11, 13, 90)] == ["person", "fire hydrant", "stop sign", "toothbrush"]
    assert 12 not in classes.COCO_IDS
