"""Tuned configs, which name the sequences that they were tuned on, and refusals to report scores on those."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from flatsort.tracker.files import write_text
from flatsort.tracker.stored_data import read_json

if TYPE_CHECKING:
    from flatsort.tracker.track_config import TrackConfig

TUNED_CONFIG, TUNING_REPORT = "tuned.yaml", "tuning.json"
"""Files of ``flatsort tune``: the config for ``--tracker``, and its scores."""
BENCHMARK_TABLE = "table.json"
"""File of ``flatsort benchmark``."""
MOT_NAME = re.compile(r"MOT1[67]-(\d+)(-\w+)?", re.IGNORECASE)
"""Sequences of MOT16 and MOT17; those with the same number show the same video."""


def write_tuned(
    folder: Path, config: TrackConfig, sequences: Iterable[str], summary: str, report: Mapping[str, Any]
) -> None:
    """Write ``tuned.yaml``, a config for ``--tracker`` with its ``tuned_on``, and ``tuning.json`` with its scores.

    Parameters
    ----------
    folder : Path
    config : TrackConfig
    sequences : iterable of str
        Those tuned on; they become ``tuned_on`` of the config.
    summary : str
        Comment lines at the top of the config.
    report : mapping
        Further contents of ``tuning.json``.
    """
    names = list(sequences)
    values = {"tuned_on": names, **differences(replace(config, tuned_on=[]))}
    body = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    document = {"tracker": TUNED_CONFIG, "sequences": names, **report}
    write_text(folder / TUNED_CONFIG, "\n".join([*(f"# {line}" for line in summary.splitlines()), body]))
    write_text(folder / TUNING_REPORT, json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def tuned_on(tracker: str) -> list[str]:
    """Sequences that the config of a tracker was tuned on; none for a name that no config has.

    Raises
    ------
    ValueError
        If the config cannot be read.
    """
    from flatsort.tracker.config import find
    from flatsort.tracker.track_config import load_track_config

    try:
        find("track", tracker)
    except ValueError:
        return []
    return sorted(load_track_config(tracker).tuned_on)


def check_not_tuned_on(tracker: str, sequences: Iterable[str], flag: str = "--allow-tuned") -> None:
    """Refuse to report scores of a tracker on sequences that its parameters were tuned on.

    Parameters
    ----------
    tracker : str
        Name or file of a track config.
    sequences : iterable of str
        Names of the sequences to report.
    flag : str
        Option that allows it, for the error message.

    Raises
    ------
    ValueError
        If it was tuned on one of them.
    """
    videos = {video_name(name) for name in tuned_on(tracker)}
    both = [name for name in sequences if video_name(name) in videos]
    if both:
        raise ValueError(
            f"{tracker} was tuned on {', '.join(both)}: its scores there are no result ({flag} reports them)"
        )


def check_not_reported(sequences: Iterable[str], report: Iterable[str], folder: Path) -> None:
    """Refuse to tune on sequences that are to be reported, or whose scores a benchmark has written to ``folder``.

    Raises
    ------
    ValueError
        If one is.
    """
    named = {video_name(name): "--report names it too" for name in report}
    known = {video_name(name): f"{folder / BENCHMARK_TABLE} reports it" for name in _reported(folder / BENCHMARK_TABLE)}
    reasons = {name: reason for name in sequences if (reason := {**known, **named}.get(video_name(name)))}
    if reasons:
        raise ValueError(
            f"--data: tuning on {', '.join(reasons)} would spoil its scores, {next(iter(reasons.values()))} "
            "(--allow-reported tunes nevertheless)"
        )


def differences(config: TrackConfig) -> dict[str, Any]:
    """Keys and values that differ from the defaults, as in ``configs/track``; of the stages all or none."""
    from flatsort.tracker.association.stages import StageConfig
    from flatsort.tracker.config import to_mapping
    from flatsort.tracker.track_config import TrackConfig

    changed = _differences(to_mapping(config), to_mapping(TrackConfig()))
    for key, values in changed.items():
        part = getattr(config, key)
        if isinstance(values, dict) and "name" in values:  # another part, with defaults of its own
            changed[key] = {"name": part.name, **_differences(to_mapping(part), to_mapping(type(part)(name=part.name)))}
    if "stages" in changed:
        default = to_mapping(StageConfig())
        changed["stages"] = {name: _differences(to_mapping(stage), default) for name, stage in config.stages.items()}
    return changed


def video_name(name: str) -> str:
    """Name of a sequence's video: the same for sequences of MOT16 and MOT17 that differ in their detections only."""
    match = MOT_NAME.fullmatch(name)
    return f"MOT16-{match[1]}" if match else name


def _differences(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(defaults.get(key), dict):
            if inner := _differences(value, defaults[key]):
                changed[key] = inner
        elif key not in defaults or value != defaults[key]:
            changed[key] = value
    return changed


def _reported(table: Path) -> set[str]:
    """Sequences in the table of a benchmark; none without a table."""
    if not table.is_file():
        return set()
    try:
        systems = read_json(table)["systems"]
        return {name for system in systems.values() for name in system["sequences"]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{table}: expected the table of a benchmark, cannot read it") from error
