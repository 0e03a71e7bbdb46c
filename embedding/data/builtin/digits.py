"""Handwritten digits of 8×8 pixels, from scikit-learn."""

from __future__ import annotations

import numpy as np

from flatsort.embedding.data.builtin import DATA_SETS, DataSetConfig
from flatsort.embedding.data.sample_set import SampleSet


@DATA_SETS.register("digits", DataSetConfig)
def digits(config: DataSetConfig) -> SampleSet:  # noqa: ARG001  # there is one set only
    """All 1797 digits, uint8 [1797 8 8 1]; the digit is the ``identity``.

    References
    ----------
    Alpaydin, Kaynak: Optical recognition of handwritten digits, UCI Machine Learning Repository, 1998.
    """
    from sklearn.datasets import load_digits

    loaded = load_digits()
    images = np.rint(loaded.images * (255 / 16)).astype(np.uint8)[..., None]
    note = "digits: optical recognition of handwritten digits, UCI, through scikit-learn"
    return SampleSet(images, {"identity": loaded.target.astype(np.int64)}, note=note)
