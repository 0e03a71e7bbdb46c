"""The page in headless Chromium, without a network."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flatsort.tools.experiments.report import page as report_page
from flatsort.tools.experiments.report import write
from flatsort.tools.experiments.results import Benchmark
from tests.tools.experiments.report.conftest import EVIL, SYSTEMS

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

NAMES = ("chromium", "chromium-browser", "google-chrome")
Opened = Callable[..., "Tab"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        pytest.skip(f"no Chromium on this machine: none of {', '.join(NAMES)}")
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with driver.sync_playwright() as playwright:
        # in a container there is often no user but root, for whom Chromium has no sandbox
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


@pytest.fixture
def opened(browser: Browser, page: Path) -> Iterator[Opened]:
    """Open the page; at the end of the test nothing may have gone wrong in it or asked for another address."""
    tabs: list[Tab] = []
    problems: list[str] = []
    asked: list[str] = []

    def open_page(path: Path = page, **settings: Any) -> Tab:
        tab = browser.new_context(offline=True, **{"viewport": {"width": 1200, "height": 900}, **settings}).new_page()
        tab.on("console", lambda message: problems.append(message.text))
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.set_default_timeout(5000)
        tab.goto(path.as_uri())
        tabs.append(tab)
        return tab

    yield open_page
    for tab in tabs:
        tab.context.close()
    assert problems == []
    assert all(url.startswith(("file:", "data:image/jpeg;")) for url in asked)


def column(tab: Tab, head: str) -> list[str]:
    index = [each.removesuffix(" ▾") for each in tab.locator("#table thead th").all_inner_texts()].index(head)
    return [row.locator("th, td").nth(index).inner_text() for row in tab.locator("#table tbody tr").all()]


def lead(tab: Tab) -> list[str]:
    """Names of the rows, in their order."""
    return [text.split("\n")[0] for text in tab.locator("#table tbody th").all_inner_texts()]


def test_a_click_on_a_head_sorts(opened: Opened) -> None:
    tab = opened()
    values = [float(value) for value in column(tab, "IDF1")]
    head = tab.locator("#table thead button", has_text=re.compile("^IDF1$"))
    head.click()
    assert [float(value) for value in column(tab, "IDF1")] == sorted(values, reverse=True)
    assert tab.locator("#table [aria-sort]").get_attribute("aria-sort") == "descending"
    head.click()
    assert [float(value) for value in column(tab, "IDF1")] == sorted(values)
    tab.locator("#table thead button", has_text=re.compile("^IDs$")).click()
    assert column(tab, "IDs") == sorted(column(tab, "IDs"), key=int)
    # where others have published nothing, their row comes last in either order
    for _ in range(2):
        tab.locator("#table thead button", has_text=re.compile("^HOTA$")).click()
        assert lead(tab)[-1].startswith("SORT of others")
    tab.locator("#table thead button", has_text="system").click()
    assert lead(tab)[0].startswith("sort")


def test_best_values_are_marked(opened: Opened, benchmark: Benchmark) -> None:
    tab = opened()
    ids = [benchmark.systems[name].first.overall.ids for name in SYSTEMS]
    assert len(set(ids)) == 2
    marked = tab.locator("#table td.best").all()
    assert str(min(ids)) in [each.inner_text() for each in marked]
    assert "published" in tab.locator("#table tr.published").inner_text()
    assert tab.locator("#table tr.published td.best").count() == 0


def test_a_sequence_changes_the_rows(opened: Opened, benchmark: Benchmark) -> None:
    tab = opened()
    assert len(lead(tab)) == 3
    tab.select_option("#scores-sequence", label=EVIL)
    assert len(lead(tab)) == 2
    expected = [f"{benchmark.systems[name].first.sequences[EVIL].scores.idf1:.1f}" for name in SYSTEMS]
    assert column(tab, "IDF1") == expected
    assert tab.locator("b").count() == 0


def test_bars_of_a_metric(opened: Opened, benchmark: Benchmark) -> None:
    tab = opened()
    bars = tab.locator("#bars-charts > div")
    assert bars.locator("h3").all_inner_texts() == ["all, pooled", "film", EVIL]
    for metric, key in (("HOTA", "hota"), ("IDs", "ids")):
        tab.select_option("#bars-metric", label=metric)
        value = getattr(benchmark.systems["sort"].first.sequences["film"].scores, key)
        shown = bars.nth(1).locator(".bar").first.locator("span").last.inner_text()
        assert float(shown) == pytest.approx(value, abs=0.051)
    widths = [bar.bounding_box() for bar in bars.nth(0).locator("i").all()]
    assert all(box is not None for box in widths)
    assert [box["width"] > 50 for box in widths if box is not None] == [True, False]  # 18 switches and none


def test_curves_of_selected_systems_and_sequences(opened: Opened) -> None:
    tab = opened()
    lines = tab.locator("#hota-charts polyline")
    assert lines.count() == 6
    pooled = lines.first.get_attribute("points")
    tab.select_option("#hota-sequence", label="film")
    assert lines.first.get_attribute("points") != pooled
    tab.locator("#hota-systems input").first.uncheck()
    assert lines.count() == 3
    assert "sort_long" in lines.first.text_content()  # type: ignore[operator]


def test_a_click_on_a_mark_shows_the_switch(opened: Opened, benchmark: Benchmark) -> None:
    tab = opened()
    switches = report_page.describe(benchmark)["systems"][0]["timelines"][0]["switches"]
    marks, panel = tab.locator(".mark"), tab.locator("#switch")
    assert marks.count() == len(switches)
    assert not panel.is_visible()
    marks.nth(1).click()
    assert f"Switch 2 of {len(switches)}: frame {switches[1]['after']['frame']}" in panel.inner_text()
    assert f"id {switches[1]['before']['track']}" in panel.inner_text()
    assert str(switches[1]["toBefore"]["distance"]) in panel.inner_text()
    images = panel.locator("img")
    assert images.count() >= 2
    assert all(image.evaluate("image => image.complete && image.naturalWidth > 1") for image in images.all())
    assert marks.nth(1).get_attribute("aria-current") is not None
    tab.select_option("#identities-sequence", label=EVIL)
    assert not panel.is_visible()
    assert "No crops" in tab.locator("#identities-summary").inner_text()
    marks.first.click()
    assert "Switch 1" in panel.inner_text()
    assert "unknown" in panel.inner_text()
    assert images.count() == 0
    tab.select_option("#identities-system", label="sort_long")
    assert marks.count() == 0
    assert "0 switches" in tab.locator("#identities-summary").inner_text()


def test_arrows_walk_the_switches(opened: Opened) -> None:
    tab = opened()
    title = tab.locator("#switch h3")
    tab.keyboard.press("ArrowRight")
    assert title.inner_text().startswith("Switch 1 of")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowLeft")
    assert title.inner_text().startswith("Switch 2 of")
    tab.locator("#switch button", has_text="next").click()
    assert title.inner_text().startswith("Switch 3 of")
    for _ in range(40):
        tab.keyboard.press("ArrowRight")
    last = tab.locator(".mark").count()
    assert title.inner_text().startswith(f"Switch {last} of {last}")
    tab.locator(".mark").nth(0).focus()
    tab.keyboard.press("Enter")
    assert title.inner_text().startswith("Switch 1 of")
    tab.locator("#hota-sequence").focus()
    tab.keyboard.press("ArrowRight")  # belongs to the select
    assert title.inner_text().startswith("Switch 1 of")


def test_zoom_widens_the_lanes(opened: Opened) -> None:
    tab = opened()
    tab.locator(".mark").first.click()
    width = "Number(document.querySelector('#lanes svg').getAttribute('width'))"
    before = tab.evaluate(width)
    tab.locator("#identities-zoom").fill("4")
    assert tab.evaluate(width) == pytest.approx(4 * before)
    assert tab.locator(".mark[aria-current]").count() == 1


def test_dark_and_light(opened: Opened) -> None:
    luminance = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)"
    assert opened(color_scheme="light").evaluate(luminance) > 600
    assert opened(color_scheme="dark").evaluate(luminance) < 150


def test_the_page_fits_a_phone_and_a_sheet_of_paper(opened: Opened) -> None:
    for medium, width in (("screen", 400), ("print", 1000)):
        tab = opened(viewport={"width": width, "height": 800})
        tab.emulate_media(media=medium)  # type: ignore[arg-type]
        tab.keyboard.press("ArrowRight")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.locator("#scores-sequence").is_visible()
        assert tab.locator("#switch button").first.is_visible() == (medium == "screen")


def test_one_system_without_anything_to_compare(opened: Opened, benchmark: Benchmark, tmp_path: Path) -> None:
    alone = Benchmark({"sort": benchmark.systems["sort"]}, benchmark.sequences, {}, "det.txt")
    write(alone, tmp_path / "alone.html")
    tab = opened(tmp_path / "alone.html")
    assert len(lead(tab)) == 1
    assert tab.locator("#table td.best").count() == 0
    assert tab.locator("#about").inner_text().startswith("1 system on 2 sequences (120 frames)")
