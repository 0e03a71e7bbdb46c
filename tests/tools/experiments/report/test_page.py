"""The report of a benchmark: its data, and the page as text."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatsort.tools.experiments import tables
from flatsort.tools.experiments.report import page as report_page
from flatsort.tools.experiments.report import write
from flatsort.tools.experiments.report.page import describe
from flatsort.tools.experiments.results import Benchmark
from flatsort.tracker.metrics.report import COLUMN_NAMES
from tests.tools.experiments.report.conftest import EVIL, SYSTEMS


@pytest.fixture(scope="module")
def document(benchmark: Benchmark) -> Mapping[str, Any]:
    return report_page.describe(benchmark)


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


def test_lanes_have_the_matches_of_the_evaluation(benchmark: Benchmark, document: Mapping[str, Any]) -> None:
    result = benchmark.systems["sort"].first.sequences["film"]
    drawn = document["systems"][0]["timelines"][0]
    matches = {}
    for lane, first, last, colour, label in drawn["segments"]:
        assert (colour < 0) == (label == 0)
        matches.update({(frame, drawn["identities"][lane]): label for frame in range(first, last + 1)})
    timeline = result.timeline
    labels = [int(result.pred_labels[pred]) if pred >= 0 else 0 for pred in timeline.pred.tolist()]
    identities = result.gt_labels[timeline.gt].tolist()
    assert matches == dict(zip(zip(timeline.frames.tolist(), identities, strict=True), labels, strict=True))


def test_switches_have_crops_and_distances_where_they_are_known(document: Mapping[str, Any]) -> None:
    film, imageless = document["systems"][0]["timelines"]
    assert film["switches"]
    for each in film["switches"]:
        assert film["identities"][each["lane"]] == each["identity"]
        assert document["images"][each["before"]["image"]] != document["images"][each["after"]["image"]]
        assert each["toBefore"]["distance"] > 0
        assert each["toBefore"]["relative"] > 0
    assert imageless["switches"]
    for each in imageless["switches"]:
        assert each["after"]["image"] is None
        assert each["toBefore"]["distance"] is None
    assert [each["missing"] != "" for each in document["sequences"]] == [False, True]


def test_too_many_switches_lose_their_crops_only(benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_page, "max_switches", lambda _: 2)
    film, imageless = report_page.describe(benchmark)["systems"][0]["timelines"]
    assert (film["withCrops"], imageless["withCrops"]) == (2, 2)
    assert len(film["switches"]) > 3
    assert [each["after"]["image"] is not None for each in film["switches"]] == [True, True] + [False] * (
        len(film["switches"]) - 2
    )


def test_the_first_seed_is_drawn(benchmark: Benchmark) -> None:
    first, other = (benchmark.systems[name] for name in SYSTEMS)
    seeded = replace(
        first,
        evaluations={4: first.first, 2: other.first},
        runs=[replace(run, seed=seed) for seed, each in ((2, other), (4, first)) for run in each.runs],
    )
    (system,) = report_page.describe(replace(benchmark, systems={"sort": seeded}))["systems"]
    assert system["seeds"] == [4, 2]
    assert system["hota"][0][0] == report_page.describe(benchmark)["systems"][0]["hota"][0][0]
    assert len(system["timelines"][0]["switches"]) == first.first.sequences["film"].scores.ids
    assert system["overall"]["ids"] == (first.first.overall.ids + other.first.overall.ids) / 2


def test_everything_is_plain_json(document: Mapping[str, Any]) -> None:
    assert json.loads(json.dumps(document, allow_nan=False)) == document


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 8)), max_size=40))
def test_colours_change_where_the_id_does(rows: list[tuple[int, int]]) -> None:
    rows.sort(key=lambda row: row[0])
    lanes, tracks = [row[0] for row in rows], [row[1] for row in rows]
    colours = report_page._colours(lanes, tracks)
    assert set(colours) == set(tracks)
    assert all(0 <= colour < report_page.COLOURS for colour in colours.values())
    neighbours: dict[int, set[int]] = {track: set() for track in tracks}
    pairs = []
    for (lane, track), (next_lane, other) in pairwise(rows):
        if lane == next_lane and track != other:
            neighbours[track].add(other)
            neighbours[other].add(track)
            pairs.append((track, other))
    if all(len(others) < report_page.COLOURS for others in neighbours.values()):
        assert all(colours[track] != colours[other] for track, other in pairs)


class Page(HTMLParser):
    """Elements of a page and the texts in its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style", "title", "b"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)


def test_names_are_no_markup(page: Path) -> None:
    parsed = Page(page.read_text())
    content, script = parsed.texts["script"]
    assert json.loads(content)["sequences"][1]["name"] == EVIL
    assert json.loads(content)["detections"] == "det.txt <i>"
    assert "b" not in {tag for tag, _ in parsed.tags}
    assert [attributes.get("id") for tag, attributes in parsed.tags if tag == "script"] == ["data", None]
    assert "innerHTML" not in script


def test_nothing_is_loaded(page: Path) -> None:
    parsed = Page(page.read_text())
    for _, attributes in parsed.tags:
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    addresses = re.findall(r"https?://[^\s\"']+", page.read_text())
    assert set(addresses) == {"http://www.w3.org/2000/svg"}  # a name, not a place
    assert not re.search(r"@import|url\(", "".join(parsed.texts["style"]))


def test_the_content_security_policy_allows_our_script_only(page: Path) -> None:
    parsed = Page(page.read_text())
    (policy,) = [a["content"] for tag, a in parsed.tags if tag == "meta" and "http-equiv" in a]
    digest = base64.b64encode(hashlib.sha256(parsed.texts["script"][1].encode()).digest()).decode()
    assert policy is not None
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_scripts_are_short() -> None:
    folder = Path(report_page.__file__).parent
    assert {path.name for path in folder.glob("*.js")} == set(report_page.SCRIPTS)
    for path in [*folder.glob("*.js"), *folder.glob("*.css"), *folder.glob("*.html")]:
        assert len(path.read_text().splitlines()) < 300, path.name


def test_the_same_benchmark_gives_the_same_page(benchmark: Benchmark, page: Path, tmp_path: Path) -> None:
    write(benchmark, tmp_path / "deep" / "report.html")
    assert (tmp_path / "deep" / "report.html").read_bytes() == page.read_bytes()


def test_a_page_that_fails_leaves_the_old_one(
    benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr(report_page, "describe", lambda benchmark: {**describe(benchmark), "alphas": [math.nan]})
    with pytest.raises(ValueError, match="JSON"):
        write(benchmark, path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
