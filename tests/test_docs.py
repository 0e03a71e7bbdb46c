"""The documentation holds together: links, anchors, images, navigation, paths in the code. Needs no network."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

import flatsort

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "embedding" / "weights" / "README.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"(?<!\\)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]*(?:\([^()\s]*\))?[^()\s]*)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")


def prose(page: Path) -> str:
    """Text of a page without its code blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Targets of the links and images of a page; those in code are none."""
    return LINK.findall(CODE.sub("`code`", prose(page)))


def slugs(heading: str) -> set[str]:
    """Anchors of a heading: GitHub's, and that of the site."""
    text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    on_github = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    on_site = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip())
    return {on_github, on_site}


@cache
def anchors(page: Path) -> set[str]:
    """The anchors of a page that GitHub and the site agree on, and the objects that the site documents."""
    headings = re.findall(r"^#{1,6} (.+)$", prose(page), re.MULTILINE)
    agreed = {slug for heading in headings if len(slugs(heading)) == 1 for slug in slugs(heading)}
    return agreed | set(re.findall(r"^::: (\S+)$", prose(page), re.MULTILINE))


def broken_links(page: Path) -> Iterator[str]:
    """Sentences about links of a page that lead nowhere."""
    for target in links(page):
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            if parts.scheme not in ("http", "https", "mailto") or not (parts.netloc.count(".") or parts.path):
                yield f"{target}: no well-formed address"
            continue
        other = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if not other.is_file():
            yield f"{target}: no such file"
        elif parts.fragment and other.suffix == ".md" and parts.fragment not in anchors(other):
            yield f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert list(broken_links(page)) == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# A heading: `code`\n\n```sh\n# no heading\n```\n\n## β\n\n::: package.name\n")
    page.write_text(
        "[a](other.md) [b](other.md#a-heading-code) [c](other.md#package.name) ![d [e]](gone.png) [f](other.md#gone)\n"
        "[g](other.md#no-heading) [h](#here) [i](https://) [j](https://example.org/a_(b)) [k](other.md#β)\n"
        "`[l](code.md)`\n\n```python\n[m](block.md)\n```\n\n## Here\n"
    )
    assert list(broken_links(page)) == [
        "gone.png: no such file",
        "other.md#gone: no such heading",
        "other.md#no-heading: no such heading",
        "https://: no well-formed address",
        "other.md#β: no such heading",  # the site gives it another anchor than GitHub
    ]


def test_pages_of_the_site_link_within_the_site() -> None:
    outside = {
        (page.relative_to(ROOT).as_posix(), target)
        for page in PAGES
        if page.is_relative_to(DOCS)
        for target in links(page)
        if not urlsplit(target).scheme and not (page.parent / urlsplit(target).path).resolve().is_relative_to(DOCS)
    }
    assert outside == set()


def test_every_page_is_in_the_navigation_once() -> None:
    def pages(entry: object) -> Iterator[str]:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict):
            yield from (page for each in entry.values() for page in pages(each))
        elif isinstance(entry, list):
            yield from (page for each in entry for page in pages(each))

    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(pages(config["nav"])) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


def test_every_image_is_shown() -> None:
    shown = {(page.parent / target).resolve() for page in PAGES for target in links(page) if target.endswith(".png")}
    assert [path.name for path in DOCS.rglob("*.png") if path not in shown] == []


def test_the_api_page_documents_every_public_name() -> None:
    documented = re.findall(r"^::: flatsort\.(\w+)$", (DOCS / "guide" / "api.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(documented) == sorted(flatsort.__all__)


def test_the_glossary_explains_each_term_once() -> None:
    terms = re.findall(r"\*\*([^*]+)\*\*", (DOCS / "guide" / "glossary.md").read_text("utf-8"))
    counts = Counter(each for term in terms for each in term.split(", "))
    assert [term for term, n in counts.items() if n > 1] == []
    assert len(counts) > 60


def test_pages_that_files_mention_exist() -> None:
    folders = ("configs", "embedding", "flatsort", "scene", "tests", "tools", "tracker")
    files = [ROOT / "Makefile", ROOT / "setup.cfg", *(p for f in folders for p in (ROOT / f).rglob("*.*"))]
    mentioned = {
        (path.relative_to(ROOT).as_posix(), page)
        for path in files
        if path.suffix in (".py", ".yaml", ".cfg", "")
        for page in re.findall(r"docs/[\w/-]+\.\w+", path.read_text(encoding="utf-8"))
    }
    assert len(mentioned) > 5
    assert [each for each in mentioned if not (ROOT / each[1]).is_file()] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 140
