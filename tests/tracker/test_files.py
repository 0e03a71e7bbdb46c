"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flatsort.tracker.files import file_name, naming, refuse_overwriting, replacing, write_text


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


def test_a_file_in_memory_is_replaced_whole() -> None:
    folder = Path("/dev/shm")
    if not folder.is_dir():
        pytest.skip("no such file system")
    path = folder / f"flatsort-test-{os.getpid()}.txt"
    try:
        write_text(path, "a long text")
        write_text(path, "short")
        assert path.read_text() == "short"
    finally:
        path.unlink(missing_ok=True)


def test_a_stream_that_is_open_is_written_on(tmp_path: Path) -> None:
    script = (
        "import sys; from flatsort.tracker.files import write_text\n"
        "print('before'); write_text('/dev/stdout', 'written\\n'); write_text('/dev/fd/1', 'twice\\n'); print('after')"
    )
    with (tmp_path / "out.txt").open("w") as file:
        subprocess.run([sys.executable, "-c", script], stdout=file, check=True)
    assert (tmp_path / "out.txt").read_text() == "before\nwritten\ntwice\nafter\n"


def test_a_pipe_without_reader_is_refused_before_the_work(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device"), replacing(tmp_path / "pipe"):
        pytest.fail("the block is not entered")


def test_a_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "disk")
    monkeypatch.setattr("flatsort.tracker.files.stat.S_ISBLK", lambda _: True)
    with pytest.raises(OSError, match="got a disk"):
        write_text(tmp_path / "disk", "x")


@pytest.mark.parametrize(
    "name", ["n" * 250 + ".txt", "n." + "s" * 250, "ü" * 120 + ".txt"], ids=["stem", "suffix", "ü"]
)
def test_names_as_long_as_a_disk_allows(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / name, "x")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_long_names_leave_room_for_the_ends_of_results() -> None:
    first, second = file_name("n" * 250 + "a"), file_name("n" * 250 + "b")
    assert first != second
    assert first.startswith("nnn")
    assert len(file_name("ü" * 200).encode()) <= 200
    assert file_name("n" * 200) == "n" * 200


def test_errors_of_the_disk_name_the_file_not_the_temporary_one(tmp_path: Path) -> None:
    for error in (
        PermissionError(13, "Permission denied", str(tmp_path / ".a-1-2.txt")),
        OSError(28, "No space left on device"),
        OSError("800 requested and 127 written"),  # of numpy.save
        BrokenPipeError(32, "Broken pipe"),
    ):
        with (
            pytest.raises(OSError, match=r"a\.txt.*could not be written|could not be written.*a\.txt"),
            naming("a.txt"),
        ):
            raise error
    with pytest.raises(OSError, match="camera 0"), naming("a.txt"):
        raise ConnectionError("camera 0: lost")
    with pytest.raises(PermissionError, match=r"b\.txt"), naming("a.txt"):
        raise PermissionError(13, "Permission denied", "b.txt")


def test_results_replace_neither_each_other_nor_parts_of_what_a_folder_is_given_for(tmp_path: Path) -> None:
    for name in ("gt/gt.txt", "det/det.txt", "img1/000001.jpg", "seqinfo.ini", "tracks.txt"):
        (tmp_path / "seq" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "seq" / name).touch()
        if name == "tracks.txt":  # of an earlier run
            refuse_overwriting([tmp_path / "seq" / name], [tmp_path / "seq"])
            continue
        with pytest.raises(ValueError, match="would replace what it is made from"):
            refuse_overwriting([tmp_path / "seq" / name], [tmp_path / "seq"])
    refuse_overwriting([tmp_path / "other.png", tmp_path / "det.txt"], [tmp_path / "seq", "rtsp://a", None, "x\0"])
    with pytest.raises(ValueError, match="two results would have this name"):
        refuse_overwriting([tmp_path / "a", tmp_path / "seq" / ".." / "a"], [])
    refuse_overwriting([os.devnull, os.devnull], [])


def test_owner_and_permissions_stay_and_a_private_file_is_private_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 1234, 1234)
    with replacing(path) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o640
        temporary.write_text("new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_uid == (1234 if os.geteuid() == 0 else os.geteuid())
