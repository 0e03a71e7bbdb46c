"""Which frames are scored: a range, or every n-th one where only those have ground truth."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from flatsort.tracker.io.mot import MotTable
from flatsort.tracker.types import Bool, Int

FEWEST, FEWEST_WITH_GAPS = 3, 5
"""Annotated frames from which their distance is that of the annotation, not chance: without and with gaps between."""
SHORT = 8
"""Frames from the first annotated one to the last below which nothing is concluded."""


@dataclass(frozen=True)
class FrameSelection:
    """Frames to score.

    Attributes
    ----------
    first, last : int or None
        1-based, both included; None: from the first one, to the last one.
    stride : int or None
        Every n-th frame, those with ground truth among them; 1: all; None: as the ground truth is annotated.
    """

    first: int | None = None
    last: int | None = None
    stride: int | None = None

    def __post_init__(self) -> None:
        first = 1 if self.first is None else self.first
        if first < 1 or (self.last is not None and self.last < first):
            raise ValueError(f"frames: expected A-B with 1 ≤ A ≤ B, got {first}-{self.last}")
        if self.stride is not None and self.stride < 1:
            raise ValueError(f"stride: expected 1 or more, got {self.stride}")

    @classmethod
    def parse(cls, text: str | None, stride: int | None = None) -> FrameSelection:
        """Of ``A-B``, ``A-`` or ``-B``; all frames where there is no text.

        Raises
        ------
        ValueError
            If the text is no range.
        """
        if text is None:
            return cls(stride=stride)
        match = re.fullmatch(r"\s*(\d{1,9})?\s*[-–:]\s*(\d{1,9})?\s*", text, re.ASCII)
        if not match or not (match[1] or match[2]):
            raise ValueError(f"frames: expected A-B, A- or -B, like 301-600, got {text!r}")
        first, last = (int(number) if number else None for number in match.groups())
        return cls(first, last, stride)

    def apply(
        self, gt: MotTable, pred: MotTable, length: int | None
    ) -> tuple[MotTable, MotTable, int | None, list[str]]:
        """The rows in the scored frames, the number of these, and what of it users should know.

        Parameters
        ----------
        gt, pred : MotTable
        length : int or None
            Frames of the sequence, where it is known.

        Raises
        ------
        ValueError
            If the range begins behind the last frame.
        """
        notes = []
        end = length or int(max(gt.frames.max(initial=0), pred.frames.max(initial=0)))
        first, last = self.first or 1, min(self.last or end, end)
        if self.first is not None or self.last is not None:
            if first > end:
                raise ValueError(f"{gt.path}: expected a range in frames 1 to {end}, got {first}-{self.last or ''}")
            gt, pred = (t.take((t.frames >= first) & (t.frames <= last)) for t in (gt, pred))
            length = last - first + 1
            notes.append(f"frames {first} to {last} are scored")
        stride = annotated_stride(gt.frames, pred.frames) if self.stride is None else self.stride
        if stride > 1:
            start = first + (int(gt.frames.min()) - first) % stride if len(gt) else first
            gt, pred = (t.take(_on_grid(t.frames, start, stride)) for t in (gt, pred))
            length = (last - start) // stride + 1
            why = ", as only these have ground truth" if self.stride is None else ""
            notes.append(f"of every {stride} frames one is scored, from frame {start} on{why}")
        return gt, pred, length, notes


def annotated_stride(gt: Int, pred: Int) -> int:
    """The distance of annotated frames where it is constant and tracks lie between them as well; else 1."""
    frames = np.unique(gt)
    if len(frames) < FEWEST or frames[-1] - frames[0] < SHORT:
        return 1
    stride = int(np.gcd.reduce(np.diff(frames)))
    places = (frames[-1] - frames[0]) // stride + 1
    regular = len(frames) == places or (len(frames) >= FEWEST_WITH_GAPS and 2 * len(frames) > places)
    return stride if stride > 1 and regular and not _on_grid(pred, int(frames[0]), stride).all() else 1


def _on_grid(frames: Int, start: int, stride: int) -> Bool:
    mask: Bool = (frames - start) % stride == 0
    return mask
