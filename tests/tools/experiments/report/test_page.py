from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatsort.tools.experiments import tables
from flatsort.tools.experiments.report import data
from flatsort.tools.experiments.results import Benchmark
from flatsort.tracker.metrics.report import COLUMN_NAMES
from tests.tools.experiments.report.conftest import EVIL, SYSTEMS


@pytest.fixture(scope="module")
def document(benchmark: Benchmark) -> Mapping[str, Any]:
    return data.describe(benchmark)


def test_scores_are_those_of_the_table(benchmark: Benchmark, document: Mapping[str, Any]) -> None:
    assert [system["name"] for system in document["systems"]] == list(SYSTEMS)
    assert [sequence["name"] for sequence in document["sequences"]] == ["film", EVIL]
    for system in document["systems"]:
        assert system["overall"] == tables.scores(benchmark, system["name"])
        assert system["scores"][1] == tables.scores(benchmark, system["name"], EVIL)
    heads = [column["head"] for column in document["columns"]]
    assert heads[:16] == [
        head for key, head in COLUMN_NAMES.items() if key not in ("gt", "hota", "deta", "assa", "loca")
    ]
    assert heads[16:19] == ["HOTA", "DetA", "AssA"]
    assert document["published"][0]["scores"]["idf1"] == 57.0


def test_curves_are_pooled_and_of_each_sequence(benchmark: Benchmark, document: Mapping[str, Any]) -> None:
    first = benchmark.systems["sort"].first
    curves = document["systems"][0]["hota"]
    assert len(curves) == 3
    assert sum(curves[0][0]) / 19 == pytest.approx(first.overall.hota, abs=0.01)
    assert sum(curves[2][2]) / 19 == pytest.approx(first.sequences[EVIL].scores.assa, abs=0.01)


def test_lanes_tell_who_covers_whom(benchmark: Benchmark, document: Mapping[str, Any]) -> None:
    result = benchmark.systems["sort"].first.sequences["film"]
    drawn = document["systems"][0]["timelines"][0]
    found = {}
    for lane, first, last, tone, label in drawn["segments"]:
        assert (tone < 0) == (label == 0)
        found.update({(frame, drawn["truths"][lane]): label for frame in range(first, last + 1)})
    timeline = result.timeline
    labels = [int(result.pred_labels[pred]) if pred >= 0 else 0 for pred in timeline.pred.tolist()]
    truths = result.gt_labels[timeline.gt].tolist()
    assert found == dict(zip(zip(timeline.frames.tolist(), truths, strict=True), labels, strict=True))


def test_switches_have_crops_and_distances_where_they_are_known(document: Mapping[str, Any]) -> None:
    film, blind = document["systems"][0]["timelines"]
    assert film["switches"]
    for each in film["switches"]:
        assert film["truths"][each["lane"]] == each["truth"]
        assert document["images"][each["before"]["image"]] != document["images"][each["after"]["image"]]
        assert each["toBefore"]["distance"] > 0
        assert each["toBefore"]["share"] > 0
    assert blind["switches"]
    for each in blind["switches"]:
        assert each["after"]["image"] is None
        assert each["toBefore"]["distance"] is None
    assert [each["missing"] != "" for each in document["sequences"]] == [False, True]


def test_too_many_switches_lose_their_crops_only(benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "allowance", lambda _: 2)
    film, blind = data.describe(benchmark)["systems"][0]["timelines"]
    assert (film["pictured"], blind["pictured"]) == (2, 2)
    assert len(film["switches"]) > 3
    assert [each["after"]["image"] is not None for each in film["switches"]] == [True, True] + [False] * (
        len(film["switches"]) - 2
    )


def test_the_first_seed_is_drawn(benchmark: Benchmark) -> None:
    one, other = (benchmark.systems[name] for name in SYSTEMS)
    seeded = replace(
        one,
        evaluations={4: one.first, 2: other.first},
        runs=[replace(run, seed=seed) for seed, each in ((2, other), (4, one)) for run in each.runs],
    )
    (system,) = data.describe(replace(benchmark, systems={"sort": seeded}))["systems"]
    assert system["seeds"] == [4, 2]
    assert system["hota"][0][0] == data.describe(benchmark)["systems"][0]["hota"][0][0]
    assert len(system["timelines"][0]["switches"]) == one.first.sequences["film"].scores.ids
    assert system["overall"]["ids"] == (one.first.overall.ids + other.first.overall.ids) / 2


def test_everything_is_plain_json(document: Mapping[str, Any]) -> None:
    assert json.loads(json.dumps(document, allow_nan=False)) == document


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 8)), max_size=40))
def test_tones_change_where_the_id_does(rows: list[tuple[int, int]]) -> None:
    rows.sort(key=lambda row: row[0])
    lanes, tracks = [row[0] for row in rows], [row[1] for row in rows]
    tones = data._tones(lanes, tracks)
    assert set(tones) == set(tracks)
    assert all(0 <= tone < data.TONES for tone in tones.values())
    beside: dict[int, set[int]] = {track: set() for track in tracks}
    pairs = []
    for (lane, track), (next_lane, other) in pairwise(rows):
        if lane == next_lane and track != other:
            beside[track].add(other)
            beside[other].add(track)
            pairs.append((track, other))
    if all(len(others) < data.TONES for others in beside.values()):
        assert all(tones[track] != tones[other] for track, other in pairs)
