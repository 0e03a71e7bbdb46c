"""Archives are downloaded completely, continued after an interruption, and unpacked completely or not at all."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatsort.tools.experiments.archives import DATA_SETS, count_sequences, fetch, sha256_of, unpack
from tests.tools.experiments.archive_server import Server, packed, sequences, serving

BODY = packed(sequences(7))
HALF = len(BODY) // 2


class Space(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "MOT16.zip"


def part_of(archive: Path) -> Path:
    return archive.with_name("MOT16.zip.part")


@pytest.mark.parametrize("length", [True, False])
def test_a_whole_archive(archive: Path, length: bool) -> None:
    with serving(Server(BODY, length=length)) as server:
        fetch(server.url, archive, len(BODY))
    assert archive.read_bytes() == BODY
    assert list(archive.parent.iterdir()) == [archive]
    assert server.asked == [""]


@pytest.mark.parametrize(("ranges", "length"), [(True, True), (True, False), (False, True)])
def test_a_part_is_continued_or_begun_anew(archive: Path, ranges: bool, length: bool) -> None:
    part_of(archive).write_bytes(BODY[:HALF] if ranges else b"something else")
    with serving(Server(BODY, ranges=ranges, length=length)) as server:
        fetch(server.url, archive, len(BODY))
    assert archive.read_bytes() == BODY
    assert server.asked == [f"bytes={HALF if ranges else 14}-"]
    assert not part_of(archive).exists()


def test_a_part_that_is_complete(archive: Path) -> None:
    part_of(archive).write_bytes(BODY)
    with serving(Server(BODY)) as server:
        fetch(server.url, archive, len(BODY))
    assert archive.read_bytes() == BODY
    assert len(server.asked) == 1


def test_a_part_longer_than_the_archive_is_of_another_one(archive: Path) -> None:
    part_of(archive).write_bytes(BODY + b"more")
    with serving(Server(BODY)) as server:
        fetch(server.url, archive, len(BODY))
    assert archive.read_bytes() == BODY
    assert server.asked == [f"bytes={len(BODY) + 4}-", ""]


def test_an_empty_archive_is_kept_for_the_check_of_its_content(archive: Path) -> None:
    with serving(Server(b"")) as server:
        fetch(server.url, archive, 1)
    assert archive.read_bytes() == b""
    assert list(archive.parent.iterdir()) == [archive]


def test_a_cut_answer_is_kept_and_continued(archive: Path) -> None:
    with serving(Server(BODY, cut=HALF)) as server:
        with pytest.raises(OSError, match=rf"MOT16\.zip: ended after {HALF} of {len(BODY)} bytes.*same command"):
            fetch(server.url, archive, len(BODY))
        assert part_of(archive).read_bytes() == BODY[:HALF]
        assert not archive.exists()
        server.cut = None
        fetch(server.url, archive, len(BODY))
    assert archive.read_bytes() == BODY


def test_a_chunk_that_breaks_off(archive: Path) -> None:
    with (
        serving(Server(BODY, length=False, chunked=True, cut=HALF)) as server,
        pytest.raises(OSError, match=r"MOT16\.zip: broke off \(IncompleteRead.*MOT16\.zip\.part: the same command"),
    ):
        fetch(server.url, archive, len(BODY))
    assert not archive.exists()


def test_bytes_from_elsewhere_are_not_appended(archive: Path) -> None:
    part_of(archive).write_bytes(BODY[:10])
    with serving(Server(BODY, shift=5)) as server, pytest.raises(OSError, match="from 10 on, got those from 15 on"):
        fetch(server.url, archive, len(BODY))
    assert part_of(archive).read_bytes() == BODY[:10]


@pytest.mark.parametrize("status", [404, 403, 500, 416])
def test_a_refusal(archive: Path, status: int) -> None:
    with (
        serving(Server(BODY, status=status)) as server,
        pytest.raises(OSError, match=rf"expected the archive, got {status} .*--url"),
    ):
        fetch(server.url, archive, len(BODY))
    assert list(archive.parent.iterdir()) == []


def test_no_server(archive: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/MOT16.zip"
        with pytest.raises(OSError, match=r"cannot be reached \(.*refused.*put the archive at .*MOT16\.zip"):
            fetch(url, archive, len(BODY))


def test_a_server_that_falls_silent(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flatsort.tools.experiments.archives.TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/MOT16.zip"
        with pytest.raises(OSError, match=r"cannot be reached \(timed out\)"):
            fetch(url, archive, len(BODY))


@pytest.mark.parametrize("url", ["file:///etc/hosts", "ftp://example.org/a.zip", "MOT16.zip", "http://"])
def test_another_address(archive: Path, url: str) -> None:
    with pytest.raises(ValueError, match="expected an address that starts with http"):
        fetch(url, archive, 1)


def test_too_little_space_is_refused_before_the_download(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = 2 * len(BODY) - HALF
    part_of(archive).write_bytes(BODY[:HALF])
    with serving(Server(BODY)) as server:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Space(0, 0, needed - 1))
        with pytest.raises(OSError, match=r"0\.00 GiB needed, 0\.00 GiB free"):
            fetch(server.url, archive, len(BODY))
        assert part_of(archive).read_bytes() == BODY[:HALF]
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Space(0, 0, needed))
        fetch(server.url, archive, len(BODY))
    assert archive.read_bytes() == BODY


def test_the_size_from_the_table_where_the_server_tells_none(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Space(0, 0, 2**30))
    with serving(Server(BODY, length=False)) as server, pytest.raises(OSError, match=r"2\.00 GiB needed, 1\.00"):
        fetch(server.url, archive, 2**30)


@pytest.mark.parametrize("prefix", ["train/", "MOT16/train/", "MOT16/images/train/"])
def test_unpacked_with_or_without_a_folder_of_its_own(archive: Path, prefix: str) -> None:
    archive.write_bytes(packed(sequences(7, prefix) | sequences(2, prefix.replace("train", "test"))))
    folder = archive.with_name("MOT16")
    unpack(archive, folder, 7)
    assert count_sequences(folder) == 7
    assert (folder / "train" / "S-06" / "img1" / "000001.jpg").read_bytes() == bytes(range(256)) * 40
    assert (folder / "test" / "S-01" / "gt").is_dir()
    assert sorted(path.name for path in archive.parent.iterdir()) == ["MOT16", "MOT16.zip"]
    assert folder.stat().st_mode & 0o777 == (archive.parent / "MOT16" / "train").stat().st_mode & 0o777


@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "train/../../evil", "C:/evil", "C:evil", "..\\evil", "\\\\h\\s\\x", "."]
)
def test_nothing_is_written_outside(archive: Path, name: str) -> None:
    archive.write_bytes(packed(sequences(7) | {name: "evil"}))
    with pytest.raises(ValueError, match="expected files inside of its own folder, got"):
        unpack(archive, archive.with_name("MOT16"), 7)
    assert list(archive.parent.iterdir()) == [archive]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (packed(sequences(6)), "expected 7 sequences with gt/gt.txt in train, got 6"),
        (packed({"notes.txt": "nothing"}), "expected 7 sequences with gt/gt.txt in train, got 0"),
        (
            packed(sequences(7) | {"~~~": ""}).replace(b"~~~", b"\0~~"),
            "expected files inside of its own folder, got ''",
        ),
        (packed({}), "expected 7 sequences with gt/gt.txt in train, got 0"),
        (b"<!DOCTYPE html><html>Please log in</html>", "expected a whole zip archive"),
        (b"", "expected a whole zip archive"),
        (BODY[:-30], "expected a whole zip archive"),
        (BODY.replace(bytes(range(200)), bytes(200), 1), "expected a whole zip archive .*CRC"),
    ],
    ids=["too few", "others", "without a name", "none", "a web page", "empty", "cut", "a wrong byte"],
)
def test_another_archive_leaves_nothing(archive: Path, body: bytes, sentence: str) -> None:
    archive.write_bytes(body)
    with pytest.raises(ValueError, match=sentence):
        unpack(archive, archive.with_name("MOT16"), 7)
    assert list(archive.parent.iterdir()) == [archive]


@given(st.lists(st.tuples(st.integers(0, len(BODY) - 1), st.integers(0, 255)), min_size=1, max_size=4), st.booleans())
def test_a_damaged_archive_is_refused_or_whole(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], at_the_end: bool
) -> None:
    body = bytearray(BODY)
    for place, value in changes:
        body[-1 - place % 1500 if at_the_end else place] = value
    archive = tmp_path_factory.mktemp("damaged") / "MOT16.zip"
    archive.write_bytes(body)
    try:
        unpack(archive, archive.with_name("MOT16"), 7)
    except (ValueError, OSError):
        assert list(archive.parent.iterdir()) == [archive]
    else:
        assert count_sequences(archive.with_name("MOT16")) == 7


def test_too_little_space_to_unpack(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.write_bytes(BODY)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Space(0, 0, 7 * 256 * 40))
    with pytest.raises(OSError, match="GiB needed"):
        unpack(archive, archive.with_name("MOT16"), 7)
    assert list(archive.parent.iterdir()) == [archive]


def test_files_of_a_killed_run_are_removed(archive: Path) -> None:
    archive.write_bytes(BODY)
    (archive.parent / ".MOT16.unpacking" / "train" / "stale" / "gt").mkdir(parents=True)
    (archive.parent / ".MOT16.unpacking" / "train" / "stale" / "gt" / "gt.txt").touch()
    unpack(archive, archive.with_name("MOT16"), 7)
    assert not (archive.parent / "MOT16" / "train" / "stale").exists()


def test_checksum(archive: Path) -> None:
    archive.write_bytes(b"abc")
    assert sha256_of(archive) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(("name", "count"), [("mot15", 11), ("mot16", 7), ("mot17", 21)])
def test_the_known_data_sets(name: str, count: int) -> None:
    known: Any = DATA_SETS[name]
    assert known.url == f"https://motchallenge.net/data/{known.folder}.zip"
    assert (known.folder, known.sequences) == (name.upper(), count)
