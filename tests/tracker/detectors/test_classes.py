"""COCO's names of classes."""

from flatsort.tracker.detectors import classes


def test_coco_has_eighty_names() -> None:
    assert len(set(classes.COCO)) == 80
    assert [classes.COCO[i] for i in (0, 9, 79)] == ["person", "traffic light", "toothbrush"]
