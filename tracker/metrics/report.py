"""Evaluation results as text: tables, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import Literal

from flatsort.tracker.metrics.evaluation import Evaluation, Scores

COLUMN_NAMES = {
    "idf1": "IDF1",
    "idp": "IDP",
    "idr": "IDR",
    "recall": "Rcll",
    "precision": "Prcn",
    "far": "FAR",
    "gt": "GT",
    "mt": "MT",
    "pt": "PT",
    "ml": "ML",
    "fp": "FP",
    "fn": "FN",
    "ids": "IDs",
    "fm": "FM",
    "mota": "MOTA",
    "motp": "MOTP",
    "motal": "MOTAL",
    "hota": "HOTA",
    "deta": "DetA",
    "assa": "AssA",
    "loca": "LocA",
}
"""Field of `Scores` → name of its column, in the order of the MOT16 table."""

STYLES = {"text": "simple", "markdown": "github", "latex": "latex_booktabs"}


def table(evaluation: Evaluation, style: Literal["text", "markdown", "latex"] = "text") -> str:
    """Table of the scores of each sequence and ``OVERALL``; percentages with one decimal, FAR with two."""
    from tabulate import tabulate

    rows = [[name, *_cells(scores)] for name, scores in evaluation.rows().items()]
    align = ["left", *["right"] * len(COLUMN_NAMES)]
    return tabulate(rows, ["sequence", *COLUMN_NAMES.values()], STYLES[style], colalign=align, disable_numparse=True)


def to_csv(evaluation: Evaluation) -> str:
    """CSV with a header and one line for each sequence and ``OVERALL``, not rounded."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["sequence", *COLUMN_NAMES.values()])
    writer.writerows(
        [name, *(getattr(scores, key) for key in COLUMN_NAMES)] for name, scores in evaluation.rows().items()
    )
    return text.getvalue()


def to_json(evaluation: Evaluation) -> str:
    """JSON ``{"sequences": {name: scores}, "overall": scores}`` with the fields of `Scores` as keys, not rounded."""
    sequences = {name: asdict(result.scores) for name, result in evaluation.sequences.items()}
    document = {"sequences": sequences, "overall": asdict(evaluation.overall)}
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _cells(scores: Scores) -> list[str]:
    values = asdict(scores)
    return [
        str(values[key]) if isinstance(values[key], int) else f"{values[key]:.{2 if key == 'far' else 1}f}"
        for key in COLUMN_NAMES
    ]
