"""Search spaces: from texts of ranges and choices, and the default of each tracker."""

from __future__ import annotations

import pytest

from flatsort.tools.experiments.search_space import Choice, Range, default_space, parse_search
from flatsort.tools.experiments.tuning import TuningTask, own_values
from flatsort.tracker.config import CONFIGS, find, load
from flatsort.tracker.track_config import TrackConfig


def test_texts_of_ranges_and_choices() -> None:
    assert parse_search(
        ["a.b=0.5..2", "c=1..30", "d=log:1e-3..0.1", "e=0.5s..4s", "f=-1..1.", "g=iou|latent", "h=null|2|true"]
    ) == {
        "a.b": Range(0.5, 2.0),
        "c": Range(1, 30, whole=True),
        "d": Range(1e-3, 0.1, log=True),
        "e": Range(0.5, 4.0, seconds=True),
        "f": Range(-1.0, 1.0),
        "g": Choice(("iou", "latent")),
        "h": Choice((None, 2, True)),
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("threshold", "expected KEY=low..high, KEY=log:low..high or KEY="),
        ("threshold=3", "expected KEY=low..high"),
        ("=1..2", "expected KEY=low..high"),
        ("threshold=2..1", "expected low < high, got 2..1"),
        ("threshold=log:0..1", "expected 0 < low < high, got 0..1"),
        ("threshold=1s..2", "expected seconds on both sides or on none"),
        ("threshold=1e999..2", "expected"),
        ("threshold=a|a", "expected at least two different values, got a, a"),
        ("threshold=[1]|2", r"expected numbers or words between \|, got \[1\]"),
    ],
)
def test_other_texts_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=rf"^--search {text!r}: ".replace("|", r"\|").replace("[", r"\[")) as error:
        parse_search([text])
    assert error.match(sentence)


def test_a_key_comes_once() -> None:
    with pytest.raises(ValueError, match="a comes twice"):
        parse_search(["a=1..2", "a=1..3"])


def test_values_are_what_a_config_takes() -> None:
    assert Range(0, 1).value(0.123456) == 0.1235
    assert Range(0, 0.99999).value(0.99999) == 0.99999
    assert Range(1, 9, whole=True).value(3.0) == 3
    seconds = Range(0.2, 5, seconds=True)
    assert (seconds.value(2.0), seconds.number_of("2 s"), seconds.number_of(2), seconds.number_of("9s")) == (
        "2s",
        2.0,
        None,
        None,
    )
    assert (
        Range(0, 1).number_of(None),
        Range(0, 1).number_of(True),
        Range(0, 1).number_of(2),
        Range(0, 1).number_of("1s"),
    ) == (None,) * 4


@pytest.mark.slow
@pytest.mark.parametrize("name", [path.stem for path in (CONFIGS / "track").glob("*.yaml")])
def test_the_default_space_fits_each_tracker_and_holds_its_own_values(name: str) -> None:
    config = load(TrackConfig, find("track", name))
    space = default_space(config)
    own = own_values(TuningTask(name, config, space, {}))
    assert {f"stages.{stage}.threshold" for stage in config.stages} | {
        "lifecycle.min_hits",
        "lifecycle.max_age",
    } <= set(space)
    for key, part in space.items():
        assert isinstance(part, Range)
        if key != "lifecycle.max_age":
            assert part.number_of(own[key]) is not None, key
    uses_latents = any(stage.cost in ("latent", "blend") for stage in config.stages.values())
    assert ("appearance.false_match_rate" in space) is (uses_latents and config.appearance.threshold == "auto")
