"""Search space of tuning: ranges and choices of a tracker's parameters, from texts or fitted to its config."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from flatsort.tracker.association.stages import StageConfig
from flatsort.tracker.config import settings
from flatsort.tracker.track_config import TrackConfig

Value: TypeAlias = "float | int | str | bool | None"

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
RANGE = re.compile(rf"(log:)?({NUMBER})(s?)\.\.({NUMBER})(s?)", re.IGNORECASE)
EXAMPLE = "expected KEY=low..high, KEY=log:low..high or KEY=a|b|c"

MOTION_NOISE = {"xysr": ("measurement", "process_velocity"), "xyah": ("position", "velocity")}
"""Motion model → the noise parameters that matter most."""


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included.

    Attributes
    ----------
    low, high : float
    log : bool
        Uniform in the logarithm.
    whole : bool
        Integers only.
    seconds : bool
        The value is a text such as "2.5s".
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False
    seconds: bool = False

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf or (self.log and self.low <= 0):
            least = "0 < low < high" if self.log else "low < high"
            raise ValueError(f"expected {least}, got {self.low:g}..{self.high:g}")

    @property
    def ends(self) -> tuple[Value, ...]:
        """Values to check against a config: the lowest and the highest."""
        return self.value(self.low), self.value(self.high)

    def value(self, sampled: float) -> Value:
        """The config's value for a sampled number, with four significant digits."""
        if self.whole:
            return int(sampled)
        number = min(max(float(f"{sampled:.4g}"), self.low), self.high)
        return f"{number:g}s" if self.seconds else number

    def number_of(self, value: Value) -> float | None:
        """The number whose `value` is a config's value; None if it is outside of the range."""
        if isinstance(value, str) is not self.seconds or isinstance(value, bool) or value is None:
            return None
        number = float(str(value).strip().removesuffix("s"))
        return number if self.low <= number <= self.high else None


@dataclass(frozen=True)
class Choice:
    """One of a list of values."""

    options: tuple[Value, ...]

    def __post_init__(self) -> None:
        if len(set(self.options)) < max(len(self.options), 2):
            raise ValueError(f"expected at least two different values, got {', '.join(map(str, self.options))}")

    @property
    def ends(self) -> tuple[Value, ...]:
        """Values to check against a config: all."""
        return self.options


Space: TypeAlias = dict[str, "Range | Choice"]


def parse_search(texts: Sequence[str]) -> Space:
    """The search space from texts: ``KEY=low..high``, ``KEY=log:low..high`` or ``KEY=a|b|c``.

    Values are integers where both ends are, and times in seconds where both ends are (``0.5s..4s``).

    Raises
    ------
    ValueError
        If a text has none of these forms, or a key comes twice.
    """
    space: Space = {}
    for text in texts:
        key, equals, rest = text.partition("=")
        if not equals or not key or not rest:
            raise ValueError(f"--search {text!r}: {EXAMPLE}")
        if key in space:
            raise ValueError(f"--search {text!r}: {key} comes twice")
        try:
            space[key] = _parse_dimension(key, rest)
        except ValueError as error:
            raise ValueError(f"--search {text!r}: {error}") from error
    return space


def default_space(config: TrackConfig) -> Space:
    """The default space of a tracker: stage thresholds, track lifecycle, motion noise, appearance."""
    space: Space = {}
    for name, stage in config.stages.items():
        space |= {f"stages.{name}.{key}": values for key, values in _stage_space(stage).items()}
    life = config.lifecycle
    space["lifecycle.min_hits"] = _around(life.min_hits, 1, 5, whole=True)
    if isinstance(life.max_age, int):
        space["lifecycle.max_age"] = _around(max(life.max_age, 1), 1, 90, log=True, whole=True)
    else:
        own_seconds = float(life.max_age.strip().removesuffix("s"))
        space["lifecycle.max_age"] = Range(0.2, max(5.0, 2 * own_seconds), log=True, seconds=True)
    for key in MOTION_NOISE.get(config.motion.name, ()):
        if (own := getattr(config.motion, key)) > 0:
            space[f"motion.{key}"] = Range(own / 5, own * 5, log=True)
    if config.uses_appearance and config.appearance.threshold == "auto":
        space["appearance.false_match_rate"] = _around(config.appearance.false_match_rate, 1e-3, 0.1, log=True)
    return space


def _stage_space(stage: StageConfig) -> Space:
    space: Space = {}
    if stage.cost in ("iou", "score_iou"):
        most = 0.95 if stage.assignment_threshold is None else min(0.95, stage.assignment_threshold)
        space["threshold"] = _around(stage.threshold, 0.2, most)
    else:
        most = 2.0 if stage.assignment_threshold is None else stage.assignment_threshold
        space["threshold"] = _around(stage.threshold, min(0.3, most / 2), most)
    if stage.cost == "blend":
        space["weight"] = _around(stage.weight, 0.1, 0.9)
    return space


def _around(own: float, low: float, high: float, *, log: bool = False, whole: bool = False) -> Range:
    """A range that is wide enough for the tracker's own value."""
    return Range(min(low, own), max(high, own), log=log, whole=whole)


def _parse_dimension(key: str, text: str) -> Range | Choice:
    match = RANGE.fullmatch(text)
    if match is None:
        if "|" not in text:
            raise ValueError(EXAMPLE)
        return Choice(tuple(_scalar_at(settings([f"{key}={part}"]), key) for part in text.split("|")))
    log, low, unit, high, other = match.groups()
    if unit != other:
        raise ValueError(f"expected seconds on both sides or on none, got {text}")
    whole = not unit and all(re.fullmatch(r"[-+]?\d+", number) for number in (low, high))
    return Range(float(low), float(high), log=bool(log), whole=whole, seconds=bool(unit))


def _scalar_at(values: object, key: str) -> Value:
    for part in key.split("."):
        values = values[part]  # type: ignore[index]  # nested as the key is
    if not (values is None or isinstance(values, (bool, int, float, str))):
        raise ValueError(f"expected numbers or words between |, got {values}")
    return values
