"""Which colour a sample has in a figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flatsort.embedding.data.sample_set import SampleSet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 20
"""Labels with a colour of their own; of more, nobody could tell the colours apart."""


@dataclass(frozen=True, eq=False)
class Colours:
    """Colours of samples by what is known of them.

    Attributes
    ----------
    of_rows : float64 [n 4]
        RGBA.
    labels : dict of str to str
        For the legend; empty where colours mean no labels.
    """

    of_rows: NDArray[np.float64]
    labels: dict[str, str]

    def legend(self, figure: Figure) -> None:
        """Name the labels below the figure."""
        from matplotlib.lines import Line2D

        if self.labels:
            marks = [Line2D([], [], marker="o", linestyle="", color=c, label=n) for n, c in self.labels.items()]
            figure.legend(handles=marks, loc="outside lower center", ncols=min(len(marks), 10), frameon=False)


def colours_of(data: SampleSet) -> Colours:
    """Colours by sequence, else by identity, else along the frames; grey where nothing is known."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    for name in ("sequence", "identity"):
        values, index = np.unique(data.columns[name], return_inverse=True)
        if 2 <= len(values) <= MOST and values[0] >= 0:
            palette = np.asarray(colormaps["tab10" if len(values) <= 10 else "tab20"](np.arange(len(values))))
            titles = [data.sequences[v] if name == "sequence" and v < len(data.sequences) else str(v) for v in values]
            return Colours(palette[index], {t: to_hex(c) for t, c in zip(titles, palette, strict=True)})
    frame = data.columns["frame"]
    if len(frame) and frame.min() >= 0 and frame.max() > frame.min():
        # a cyclic map: the last frame of a swing is the first one's neighbour
        return Colours(np.asarray(colormaps["hsv"](frame / (frame.max() + 1))), {})
    return Colours(np.tile([0.3, 0.3, 0.3, 1.0], (len(data), 1)), {})
