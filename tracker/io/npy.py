"""DeepSORT's detection files: a NumPy array of rows, MOTChallenge columns first and appearance features after them."""

from __future__ import annotations

from pathlib import Path
from tokenize import TokenError

import numpy as np

from flatsort.tracker.types import Float, Float32

SUFFIX = ".npy"
COLUMNS = 10
"""Columns before the features: frame, id, x, y, w, h, score and three that say nothing."""


def read_rows(path: Path) -> tuple[Float, Float32 | None]:
    """Rows of a detection file [n 10], and their features [n d] where the file has more columns.

    Neither is checked: numbers may be anything, also NaN.

    Raises
    ------
    ValueError
        If the file is no whole ``.npy`` file, or its array is no table of numbers with at least ten columns.

    References
    ----------
    Wojke et al., "Simple online and realtime tracking with a deep association metric", ICIP 2017: the layout of the
    detections that its authors publish.
    """
    try:
        # mapped, so that a header that promises too much is refused before memory is taken; never unpickled
        array = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError, SyntaxError, TokenError) as error:
        raise ValueError(f"{path}: expected a whole .npy file with an array of numbers ({error})") from error
    if array.ndim != 2 or array.shape[1] < COLUMNS or array.dtype.kind not in "fiu":
        got = f"shape {list(array.shape)} of {array.dtype}"
        raise ValueError(f"{path}: expected numbers of shape [n {COLUMNS}] or [n {COLUMNS}+d], got {got}")
    features = np.array(array[:, COLUMNS:], np.float32) if array.shape[1] > COLUMNS else None
    return np.array(array[:, :COLUMNS], np.float64), features
