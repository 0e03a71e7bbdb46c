"""Files that are written whole or not at all."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flatsort.tracker.files import only_writer, replacing, write_text


def test_the_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "deep" / "table.csv"
    with replacing(target) as temporary:
        temporary.write_text("a")
        assert not target.exists()
        assert (temporary.parent, temporary.suffix) == (target.parent, ".csv")
    assert target.read_text() == "a"
    assert list(target.parent.iterdir()) == [target]


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    target.write_text("old")

    def write() -> None:
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "")
    (tmp_path / "b.txt").write_text("")
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == stat.S_IMODE((tmp_path / "b.txt").stat().st_mode)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="expected the name of a file"):
        write_text(tmp_path, "")


def test_text_is_utf8_as_it_is(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "α ≥ ½\n")
    assert (tmp_path / "a.txt").read_bytes() == "α ≥ ½\n".encode()


def test_one_process_at_a_time_writes_into_a_folder(tmp_path: Path) -> None:
    script = (
        "import sys, time; from flatsort.tracker.files import only_writer\n"
        "with only_writer(sys.argv[1]): print('in', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", script, tmp_path / "run"], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "in\n"
    with pytest.raises(OSError, match="run: another run is writing into this folder"), only_writer(tmp_path / "run"):
        pass
    other.kill()
    other.communicate()
    with only_writer(tmp_path / "run"):
        pass
    assert list((tmp_path / "run").iterdir()) == []
