"""Rows of published tables, printed beside the measured ones."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

KEYS = (
    *("idf1", "idp", "idr", "recall", "precision", "far", "mt", "pt", "ml"),
    *("fp", "fn", "ids", "fm", "mota", "motp", "motal"),
)
"""Columns of the MOT16 table in its order, named as the fields of `tracker.metrics.Scores`."""

MOT16_TRAIN = tuple(f"MOT16-{number}" for number in ("02", "04", "05", "09", "10", "11", "13"))
DETECTIONS = "Faster R-CNN of Yu et al. 2016 (POI), private"

SOURCES = {
    "mot16": "Chen, Klushyn, Ferroni, Bayer, van der Smagt, Learning flat latent manifolds with VAEs, ICML 2020",
}

TABLES: dict[str, dict[str, tuple[str, tuple[float, ...]]]] = {
    "mot16": {
        "VHP-FMVAE-SORT η=300": (
            "unsupervised",
            (63.7, 77.0, 54.3, 65.0, 92.3, 1.12, 158, 269, 90, 5950, 38592, 616, 1143, 59.1, 81.8, 59.7),
        ),
        "VHP-FMVAE-SORT η=3000": (
            "unsupervised",
            (64.2, 77.6, 54.8, 65.1, 92.3, 1.13, 162, 265, 90, 6026, 38515, 598, 1163, 59.1, 81.8, 59.7),
        ),
        "VHP-VAE-SORT": (
            "unsupervised",
            (60.5, 72.3, 52.1, 65.8, 91.4, 1.28, 170, 266, 81, 6820, 37739, 693, 1264, 59.0, 81.6, 59.6),
        ),
        "SORT": (
            "",
            (57.0, 67.4, 49.4, 66.4, 90.6, 1.44, 158, 275, 84, 7643, 37071, 1486, 1515, 58.2, 81.9, 59.5),
        ),
        "DeepSORT": (
            "supervised",
            (64.7, 76.9, 55.8, 66.7, 91.9, 1.22, 180, 250, 87, 6506, 36747, 585, 1165, 60.3, 81.6, 60.8),
        ),
    },
}
"""Name of the table → name of the row → how its embedding was learned, and its numbers in the order of `KEYS`."""


@dataclass(frozen=True)
class PublishedRow:
    """A row of a published table.

    Attributes
    ----------
    name : str
        Of the system, as published.
    scores : dict of str to float
        Fields of `tracker.metrics.Scores`; unpublished ones are absent.
    split : str
        The sequences, "train" or "test".
    detections : str
    source : str
    learned : str
        "", "supervised" or "unsupervised": how its embedding was learned.
    """

    name: str
    scores: dict[str, float]
    split: str
    detections: str
    source: str
    learned: str = ""


def rows(table: str) -> list[PublishedRow]:
    """Rows of a published table, in its order.

    Parameters
    ----------
    table : str
        mot16: the MOT16 table of the paper on flat latent manifolds.

    Raises
    ------
    ValueError
        If there is no such table.
    """
    if table not in TABLES:
        raise ValueError(f"published: expected one of {', '.join(TABLES)}, got {table!r}")
    return [
        PublishedRow(name, dict(zip(KEYS, values, strict=True)), "train", DETECTIONS, SOURCES[table], learned)
        for name, (learned, values) in TABLES[table].items()
    ]


def warning(sequences: Iterable[str], detections: str) -> str:
    """One sentence on why the published rows cannot be compared with the measured ones; "" where they can.

    Parameters
    ----------
    sequences : iterable of str
        Names of the sequences that were measured.
    detections : str
        Name or path of their detections; a name with the word POI means the published ones.
    """
    measured = sorted(sequences)
    differences = []
    if measured != sorted(MOT16_TRAIN):
        differences.append(f"on {', '.join(measured) or 'no sequence'} instead of the seven of MOT16 train")
    # "checkpoint" and "points" contain the letters as well
    if not re.search(r"(?<![^\W_])poi(?![^\W_])", detections, re.IGNORECASE):
        differences.append(f"from detections {detections or 'without a name'} instead of {DETECTIONS}")
    if not differences:
        return ""
    return f"The published rows cannot be compared with the measured ones, which are {' and '.join(differences)}."
