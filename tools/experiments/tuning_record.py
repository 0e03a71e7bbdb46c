"""Configs that were chosen by looking at scores, and refusals to take those scores for results."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from flatsort.tracker.files import write_text

if TYPE_CHECKING:
    from flatsort.tracker.track_config import TrackConfig

TUNED, TUNED_ON = "tuned.yaml", "tuned_on.json"
REPORT = "table.json"
"""What ``flatsort benchmark`` leaves in its folder."""
HEAD = "# Tuned on: "
"""Begin of the line of a tuned config that lists the sequences, as JSON."""
SHARED = re.compile(r"MOT1[67]-(\d+)(-\w+)?", re.IGNORECASE)
"""Sequences of MOT16 and MOT17; those of one number are the same footage."""


def write_tuned(
    folder: Path, config: TrackConfig, sequences: Iterable[str], summary: str, note: Mapping[str, Any]
) -> None:
    """Write ``tuned.yaml``, a config for ``--tracker``, and beside it ``tuned_on.json`` with what it was tuned on.

    Parameters
    ----------
    folder : Path
    config : TrackConfig
    sequences : iterable of str
        Those tuned on.
    summary : str
        Lines for the head of the config.
    note : mapping
        What else ``tuned_on.json`` is to say.
    """
    names = list(sequences)
    lines = [HEAD + json.dumps(names), *(f"# {line}" for line in summary.splitlines())]
    body = yaml.safe_dump(differences(config), sort_keys=False, allow_unicode=True)
    document = {"tracker": TUNED, "sequences": names, **note}
    # the note first: a config without it would pass for an untuned one
    write_text(folder / TUNED_ON, json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n")
    write_text(folder / TUNED, "\n".join([*lines, body]))


def tuned_on(tracker: str) -> list[str]:
    """Sequences that a tracker's file was tuned on: those its head names, and those of the note beside it.

    Raises
    ------
    ValueError
        If the note beside it cannot be read.
    """
    path = Path(tracker)
    if not path.is_file():
        return []
    found: set[str] = set()
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith(HEAD):
            found.update(_names(path, line.removeprefix(HEAD)))
    note = path.parent / TUNED_ON
    if note.is_file():
        text = note.read_text(encoding="utf-8", errors="replace")
        found.update(_names(note, text, path.name))
    return sorted(found)


def check_not_tuned_on(tracker: str, sequences: Iterable[str], flag: str = "--allow-tuned") -> None:
    """Refuse to report a tracker on sequences that its settings were chosen by.

    Parameters
    ----------
    tracker : str
        Name or file of a tracker; names are never tuned.
    sequences : iterable of str
        Names of those to report.
    flag : str
        What allows it, for the sentence.

    Raises
    ------
    ValueError
        If it was tuned on one of them.
    """
    seen = {footage(name) for name in tuned_on(tracker)}
    both = [name for name in sequences if footage(name) in seen]
    if both:
        raise ValueError(
            f"{tracker} was tuned on {', '.join(both)}: its scores there are no result ({flag} reports them)"
        )


def check_not_reported(sequences: Iterable[str], report: Iterable[str], folder: Path) -> None:
    """Refuse to tune on sequences that are to be reported, or that ``folder`` holds a report on.

    Raises
    ------
    ValueError
        If one is.
    """
    wanted = {footage(name): "--report names it too" for name in report}
    known = {footage(name): f"{folder / REPORT} reports it" for name in _reported(folder / REPORT)}
    reasons = {name: reason for name in sequences if (reason := {**known, **wanted}.get(footage(name)))}
    if reasons:
        raise ValueError(
            f"--data: tuning on {', '.join(reasons)} would spoil its scores, {next(iter(reasons.values()))} "
            "(--allow-reported tunes nevertheless)"
        )


def differences(config: TrackConfig) -> dict[str, Any]:
    """The config as files under ``configs/track`` have it: what differs from the defaults; of stages all or none."""
    from flatsort.tracker.association.stages import StageConfig
    from flatsort.tracker.config import to_mapping
    from flatsort.tracker.track_config import TrackConfig

    found = _differences(to_mapping(config), to_mapping(TrackConfig()))
    for key, values in found.items():
        part = getattr(config, key)
        if isinstance(values, dict) and "name" in values:  # another part, with defaults of its own
            found[key] = {"name": part.name, **_differences(to_mapping(part), to_mapping(type(part)(name=part.name)))}
    if "stages" in found:
        default = to_mapping(StageConfig())
        found["stages"] = {name: _differences(to_mapping(stage), default) for name, stage in config.stages.items()}
    return found


def footage(name: str) -> str:
    """What a sequence shows: the same for the sequences of MOT16 and MOT17 that differ in their detections only."""
    found = SHARED.fullmatch(name)
    return f"MOT16-{found[1]}" if found else name


def _differences(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(defaults.get(key), dict):
            if inner := _differences(value, defaults[key]):
                found[key] = inner
        elif key not in defaults or value != defaults[key]:
            found[key] = value
    return found


def _names(path: Path, text: str, tracker: str = "") -> list[str]:
    """Sequences of a list or a note; of a note about another file than ``tracker`` none."""
    try:
        found = json.loads(text)
        if isinstance(found, dict):
            found = found["sequences"] if found["tracker"] == tracker else []
        return [str(name) for name in found]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: expected a list of the sequences tuned on, got {text[:60]!r}") from error


def _reported(table: Path) -> set[str]:
    """Sequences of a benchmark's table."""
    if not table.is_file():
        return set()
    try:
        systems = json.loads(table.read_text(encoding="utf-8"))["systems"]
        return {name for system in systems.values() for name in system["sequences"]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{table}: expected the table of a benchmark, cannot read it") from error
