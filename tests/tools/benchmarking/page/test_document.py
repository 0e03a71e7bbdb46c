"""The page as text: what it is made of, and what it must never hold."""

from __future__ import annotations

from pathlib import Path


def test_the_page_is_small(page: Path) -> None:
    assert page.stat().st_size < 500_000
