"""The page as text: what it is made of, and what it must never hold."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from flatsort.tools.experiments.report import data, document, write
from flatsort.tools.experiments.results import Benchmark
from tests.tools.experiments.report.conftest import EVIL


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


def test_names_stay_data(page: Path) -> None:
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


def test_the_policy_knows_our_script_only(page: Path) -> None:
    parsed = Page(page.read_text())
    (policy,) = [a["content"] for tag, a in parsed.tags if tag == "meta" and "http-equiv" in a]
    digest = base64.b64encode(hashlib.sha256(parsed.texts["script"][1].encode()).digest()).decode()
    assert policy is not None
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_scripts_are_short() -> None:
    folder = Path(document.__file__).parent
    assert {path.name for path in folder.glob("*.js")} == set(document.SCRIPTS)
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
    monkeypatch.setattr(document, "describe", lambda benchmark: {**data.describe(benchmark), "alphas": [math.nan]})
    with pytest.raises(ValueError, match="JSON"):
        write(benchmark, path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
