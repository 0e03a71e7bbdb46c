"""``flatsort download`` against a server on this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.e2e.conftest import Flatsort
from tests.tools.experiments.archive_server import Server, packed, sequences, serving

BODY = packed(sequences(7))
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


def test_a_data_set_once(flatsort: Flatsort, tmp_path: Path) -> None:
    with serving(Server(BODY)) as server:
        done = flatsort("download", "mot16", "--out", tmp_path / "data", "--url", server.url)
        assert (done.code, done.err) == (0, "")
        assert f"7 training sequences; SHA-256 {SHA256} of the archive, to compare by hand" in done.out
        assert [path.name for path in (tmp_path / "data").iterdir()] == ["MOT16"]
        again = flatsort("download", "mot16", "--out", tmp_path / "data", "--url", server.url)
    assert "there already, with all 7 training sequences" in again.out
    assert server.asked == [""]


def test_it_goes_on_where_it_broke_off(flatsort: Flatsort, tmp_path: Path) -> None:
    with serving(Server(BODY, cut=5000)) as server:
        command = ("download", "mot16", "--out", tmp_path, "--url", server.url, "--keep-archive", "--sha256", SHA256)
        assert f"ended after 5000 of {len(BODY)} bytes" in flatsort(*command).sentence
        server.cut = None
        assert "as expected" in flatsort(*command).out
    assert server.asked == ["", "bytes=5000-"]
    assert (tmp_path / "MOT16.zip").read_bytes() == BODY
    assert (tmp_path / "MOT16" / "train" / "S-00" / "gt" / "gt.txt").is_file()


def test_another_checksum(flatsort: Flatsort, tmp_path: Path) -> None:
    with serving(Server(BODY)) as server:
        done = flatsort("download", "mot16", "--out", tmp_path, "--url", server.url, "--sha256", "0" * 64)
    assert f"expected SHA-256 {'0' * 64}, got {SHA256}; delete it" in done.sentence
    assert [path.name for path in tmp_path.iterdir()] == ["MOT16.zip"]
    done = flatsort("download", "mot16", "--out", tmp_path, "--sha256", "abc")
    assert "--sha256: expected 64 hexadecimal digits, got 'abc'" in done.sentence


def test_an_archive_from_elsewhere_needs_no_net_and_stays(flatsort: Flatsort, tmp_path: Path) -> None:
    (tmp_path / "MOT16.zip").write_bytes(BODY)
    assert flatsort("download", "mot16", "--out", tmp_path, "--url", "http://127.0.0.1:1/").code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["MOT16", "MOT16.zip"]


def test_errors_in_a_sentence(flatsort: Flatsort, tmp_path: Path) -> None:
    with serving(Server(BODY, status=404)) as server:
        done = flatsort("download", "mot16", "--out", tmp_path, "--url", server.url)
    assert "expected the archive, got 404 Not Found; name another address with --url" in done.sentence
    done = flatsort("download", "mot16", "--out", tmp_path, "--url", server.url)  # which has ended
    assert "cannot be reached" in done.sentence
    assert "'mot15', 'mot16', 'mot17'" in flatsort("download", "mot99", "--out", tmp_path).sentence
    assert "--out" in flatsort("download", "mot16").sentence


def test_a_folder_that_is_not_complete_is_left_alone(flatsort: Flatsort, tmp_path: Path) -> None:
    (tmp_path / "MOT16" / "train").mkdir(parents=True)
    done = flatsort("download", "mot16", "--out", tmp_path, "--url", "http://127.0.0.1:1/")
    assert "MOT16: expected nothing or all 7 training sequences, got 0; move it away" in done.sentence


def test_after_an_interruption_the_same_command_goes_on(
    flatsort: Flatsort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with serving(Server(BODY)) as server:
        with monkeypatch.context() as patch:
            patch.setattr("flatsort.tools.experiments.archives.unpack", interrupted)
            done = flatsort("download", "mot16", "--out", tmp_path, "--url", server.url)
            assert done.code == 130
            assert "the same command continues" in done.err
        assert flatsort("download", "mot16", "--out", tmp_path, "--url", server.url).code == 0
    assert server.asked == [""]
