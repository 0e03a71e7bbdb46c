"""Class names of detectors, and the selection of some of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flatsort.tracker.registry import suggest
from flatsort.tracker.types import Int

_COCO = """
person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,
parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,
handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,
surfboard,tennis racket,bottle,wine glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,
broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,potted plant,bed,dining table,toilet,tv,
laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,vase,
scissors,teddy bear,hair drier,toothbrush
"""

COCO = [name.strip() for name in _COCO.split(",")]
"""The 80 classes of COCO in the order of its detection task."""


def read_class_names(path: str) -> list[str]:
    """Read class names from a text file with one name a line; empty lines are skipped.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is no text file or has no name.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"names {path}: expected UTF-8 text with one class name a line ({error.reason})") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise ValueError(f"names {path}: expected one class name a line, got none")
    return names


def class_indices(names: Sequence[str], selected: Sequence[str]) -> Int:
    """Indices of the selected class names among all names, ascending; all indices if ``selected`` is empty.

    Raises
    ------
    ValueError
        If a name is unknown; the message gives the nearest known one.
    """
    for name in selected:
        if name not in names:
            raise ValueError(f"classes: unknown class {name!r}{suggest(name, set(names))}; [] takes all")
    return np.array([i for i, name in enumerate(names) if not selected or name in selected], dtype=np.int64)
