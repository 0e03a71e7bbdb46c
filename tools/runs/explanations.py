"""Why pairs of a track and a detection were matched or not: gathered while tracking, written and printed afterwards."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, fields, replace
from pathlib import Path

from tabulate import tabulate

from flatsort.tracker.association.explain import ExplainedPair
from flatsort.tracker.files import write_text
from flatsort.tracker.sort import SortTracker
from flatsort.tracker.types import FrameResult

NEAREST = 3
"""Detections a track that are printed; the file has all."""


class Explanations:
    """The pairs of a track and a detection in one frame, or of one track in all frames, with the reasons.

    Parameters
    ----------
    what : str or None
        "57" or "frame:57": all pairs of that frame. "id:3": the pairs of track 3 from its birth on.

    Raises
    ------
    ValueError
        If it is none of these.
    """

    def __init__(self, what: str | None) -> None:
        self.requested = what is not None
        kind, _, number = (what or "").rpartition(":")
        if self.requested and (kind not in ("", "frame", "id") or not number.isdecimal()):
            raise ValueError(f"--explain: expected a frame (57) or a track (id:3), got {what!r}")
        self._number = int(number) if self.requested else 0
        self._by_id = kind == "id"
        self._pairs: list[ExplainedPair] = []
        self._unconfirmed: dict[int, list[ExplainedPair]] = {}  # serial → pairs so far
        self._last_frame = self._last_id = 0

    def add(self, result: FrameResult, tracker: SortTracker) -> None:
        """Take what was asked for of the frame that the tracker is at."""
        if not self.requested:
            return
        self._last_frame = result.frame.index
        self._last_id = max(self._last_id, int(result.tracks.ids.max(initial=0)))
        if not self._by_id and result.frame.index != self._number:
            return
        # the tracker counts the frames that it was given
        pairs = [replace(pair, frame=result.frame.index) for pair in tracker.explain().pairs]
        if not self._by_id:
            self._pairs += pairs
            return
        waiting: dict[int, list[ExplainedPair]] = {}
        for pair in pairs:
            if pair.track == 0:  # it may become the track
                waiting.setdefault(pair.serial, self._unconfirmed.pop(pair.serial, [])).append(pair)
            elif pair.track == self._number:
                self._pairs += self._unconfirmed.pop(pair.serial, [])
                self._pairs.append(pair)
        self._unconfirmed = waiting

    def write(self, path: Path) -> None:
        """Write all pairs as CSV: the fields of `ExplainedPair`; ``latent`` is empty where there are no latents."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [f.name for f in fields(ExplainedPair)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(pair) for pair in self._pairs)
        write_text(path, text.getvalue())

    def text(self) -> str:
        """A table of each track's nearest detections."""
        what = f"track {self._number}" if self._by_id else f"frame {self._number}"
        if not self._pairs:
            last = f"last id is {self._last_id}" if self._by_id else f"last frame is {self._last_frame}"
            return f"{what}: no pair of a track and a detection to explain; the {last}"
        # frame, serial → detection → pairs, stage by stage
        by_track: dict[tuple[int, int], dict[int, list[ExplainedPair]]] = {}
        for pair in self._pairs:
            by_track.setdefault((pair.frame, pair.serial), {}).setdefault(pair.detection, []).append(pair)
        shown: list[ExplainedPair] = []
        for detections in by_track.values():
            for pairs in sorted(detections.values(), key=lambda each: min(map(_distance, each)))[:NEAREST]:
                shown += pairs
        appearance = any(p.latent is not None for p in self._pairs)
        head = ("frame", "track", "detection", "stage", "iou", *["latent"] * appearance, "cost", "threshold", "why")
        rows = [
            (p.frame, p.track or f"unconfirmed #{p.serial}", p.detection, p.stage, p.iou, *[p.latent] * appearance)
            + ((p.cost, p.threshold, p.reason) if p.stage else ("", "", p.reason))
            for p in shown
        ]
        rest = len(self._pairs) - len(shown)
        more = f"\n… and {rest} pairs further apart (in the .explain.csv)" if rest else ""
        unit = (
            "\nlatent: distance in units of the appearance threshold, estimated without labels; so is the threshold of"
            " a stage that compares it"
            if appearance
            else ""
        )
        return tabulate(rows, head, floatfmt=".3f") + unit + more


def _distance(pair: ExplainedPair) -> tuple[bool, bool, float]:
    """How far a pair is from being matched, to sort by."""
    return not pair.matched, pair.stage == "", pair.cost - pair.threshold
