"""Whatever becomes of an address with a password, no message, log line or result holds a part of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Flatsort

ADDRESSES = [
    "rtsp://boss:topsy@127.0.0.1:9/s1",
    "http://boss:top@sy/turvy@127.0.0.1:9/clip.mp4",
    "http://127.0.0.1:9/video.cgi?user=boss&pwd=topsy&channel=1",
    "rstp://boss:topsy@127.0.0.1/s1",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "options",
    [
        ("track",),
        ("track", "--detector", "background", "--tracker", "sort"),
        ("track", "--detector", "mot"),
        ("track", "--embedder", "pixels", "--smooth"),
        ("crop",),
        ("crop", "--boxes", "gt"),
    ],
)
def test_no_message_tells(
    flatsort: Flatsort, tmp_path: Path, caplog: pytest.LogCaptureFixture, address: str, options: tuple[str, ...]
) -> None:
    done = flatsort(*options, address, "--out", tmp_path / "out")
    assert done.code == 2
    said = done.out + done.err
    assert not any(part in said for part in ("boss", "top", "sy", "turvy")), said
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
