"""What TrackEval makes of the class in our rows (version 1.3.0): −1, 0 and 1 are pedestrians, others are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import trackeval

from flatsort.tracker.io.mot import format_rows
from tests.tracker.io.small_results import result


@pytest.mark.parametrize("number", [None, 0, 1, 2])
def test_classes_of_rows_in_trackeval(tmp_path: Path, number: int | None) -> None:
    tracks = result(1).tracks
    if number is not None:
        tracks.classes[:] = number
    (tmp_path / "gt" / "seq" / "gt").mkdir(parents=True)
    (tmp_path / "gt" / "seq" / "gt" / "gt.txt").write_text("1,1,10,20,20,40,1,1,1\n")
    (tmp_path / "pred" / "mine" / "data").mkdir(parents=True)
    rows = format_rows(1, tracks, classes=number is not None)
    (tmp_path / "pred" / "mine" / "data" / "seq.txt").write_text(rows)
    dataset = trackeval.datasets.MotChallenge2DBox(
        {
            "GT_FOLDER": str(tmp_path / "gt"),
            "TRACKERS_FOLDER": str(tmp_path / "pred"),
            "BENCHMARK": "MOT17",
            "SKIP_SPLIT_FOL": True,
            "SEQ_INFO": {"seq": 1},
            "PRINT_CONFIG": False,
        }
    )
    raw = dataset.get_raw_seq_data("mine", "seq")
    if number == 2:
        with pytest.raises(trackeval.utils.TrackEvalException, match=r"Non pedestrian class \(2\)"):
            dataset.get_preprocessed_seq_data(raw, "pedestrian")
    else:
        assert dataset.get_preprocessed_seq_data(raw, "pedestrian")["num_tracker_dets"] == 2
