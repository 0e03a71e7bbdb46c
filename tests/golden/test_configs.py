"""The configs that come along resolve to the values that the documented results were made with.

``configs.json`` holds, for every tracker and recipe, the values that differ from the defaults of its dataclass, however
its file inherits them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flatsort.embedding.training.config import TrainConfig
from flatsort.tracker.config import find, load, names, to_mapping
from flatsort.tracker.track_config import TrackConfig

EXPECTED: dict[str, dict[str, dict[str, Any]]] = json.loads((Path(__file__).parent / "configs.json").read_text("utf-8"))
KINDS: dict[str, type[TrackConfig | TrainConfig]] = {"track": TrackConfig, "train": TrainConfig}


def flattened(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted key → value."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= flattened(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def differences(kind: str, name: str) -> dict[str, Any]:
    """The values of a config that differ from the defaults."""
    config = load(KINDS[kind], find(kind, name))
    values, defaults = flattened(to_mapping(config)), flattened(to_mapping(KINDS[kind]()))
    changed = {key: value for key, value in values.items() if key not in defaults or value != defaults[key]}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in changed.items()}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in names(kind)])
def test_a_config_resolves_to_the_values_of_the_results(kind: str, name: str) -> None:
    assert differences(kind, name) == EXPECTED[kind][name]


def test_every_expected_config_is_there() -> None:
    assert {kind: sorted(EXPECTED[kind]) for kind in KINDS} == {kind: names(kind) for kind in KINDS}
