"""Evaluation results as text: tables, CSV and JSON."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Literal

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
    """Table of the scores of each sequence and ``OVERALL``; percentages with one decimal, FAR with two.

    Where there are classes, a table of them comes before, with their average; and one for each, of several sequences.
    """
    several = len(evaluation.sequences) > 1
    tables = [_table(label, each.rows(), style) for label, each in evaluation.classes.items() if several]
    average = evaluation.class_average
    if average is not None:
        rows = {label: each.overall for label, each in evaluation.classes.items()}
        tables.append(_table("class", {**rows, "AVERAGE": average}, style))
    return "\n\n".join([*tables, _table("sequence", evaluation.rows(), style)])


def _table(head: str, rows: Mapping[str, Scores], style: str) -> str:
    from tabulate import tabulate

    escape = ESCAPES.get(style, str)
    cells = [[escape(name), *_cells(scores)] for name, scores in rows.items()]
    align = ["left", *["right"] * len(COLUMN_NAMES)]
    return tabulate(cells, [escape(head), *COLUMN_NAMES.values()], STYLES[style], colalign=align, disable_numparse=True)


def to_csv(evaluation: Evaluation) -> str:
    """CSV with a header and one line for each sequence and ``OVERALL``, not rounded."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    of_classes = bool(evaluation.classes)
    writer.writerow(["sequence", *["class"] * of_classes, *COLUMN_NAMES.values()])
    parts = {"ALL": evaluation.rows()}
    if evaluation.class_average is not None:
        parts |= {label: each.rows() for label, each in evaluation.classes.items()}
        parts["AVERAGE"] = {"OVERALL": evaluation.class_average}
    writer.writerows(
        [csv_text(name), *[csv_text(label)] * of_classes, *(getattr(scores, key) for key in COLUMN_NAMES)]
        for label, rows in parts.items()
        for name, scores in rows.items()
    )
    return text.getvalue()


def to_json(evaluation: Evaluation) -> str:
    """JSON ``{"sequences": {name: scores}, "overall": scores}`` with the fields of `Scores` as keys, not rounded.

    ``notes`` says by which rules; where there are classes, ``classes`` holds the same for each, and ``class_average``.
    """
    document = {**_document(evaluation), "notes": evaluation.notes}
    if evaluation.class_average is not None:
        document["classes"] = {label: _document(each) for label, each in evaluation.classes.items()}
        document["class_average"] = asdict(evaluation.class_average)
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def csv_text(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe comes before ``=``, ``+``, ``-``, ``@``."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def markdown_text(cell: str) -> str:
    """A cell of a Markdown table: one line, without HTML."""
    return html.escape(" ".join(cell.split()), quote=False).replace("|", "\\|")


def _document(evaluation: Evaluation) -> dict[str, Any]:
    sequences = {name: asdict(result.scores) for name, result in evaluation.sequences.items()}
    return {"sequences": sequences, "overall": asdict(evaluation.overall)}


def _cells(scores: Scores) -> list[str]:
    values = asdict(scores)
    return [
        str(values[key]) if isinstance(values[key], int) else f"{values[key]:.{2 if key == 'far' else 1}f}"
        for key in COLUMN_NAMES
    ]


ESCAPES: dict[str, Callable[[str], str]] = {"markdown": markdown_text, "text": lambda cell: " ".join(cell.split())}
"""What makes a name a cell of a table, by style; `tabulate` does it for LaTeX."""
