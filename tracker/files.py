"""Atomic writing: a file appears complete or not at all, and never in the place of what it was made from."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from flatsort.tracker.temporary_files import temporary_file

DISK_FAULTS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS),
    *(errno.EACCES, errno.EPERM, errno.EPIPE, errno.ENXIO),
}
"""Errors of writing that say nothing of the file, or name a temporary one."""
SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")
"""NumPy's words for a disk that is full."""
STREAM = re.compile(r"/dev/(?P<name>stdout|stderr)|/(dev|proc/(self|\d+))/fd/(?P<number>\d+)")
"""Files that stand for what this process has open already."""
OF_SEQUENCES = ("gt", "det", "img1")
"""Folders of a sequence that hold what it is given as."""
OF_FOLDERS = ("seqinfo.ini", "labels.txt", "set.json", "samples.npy", "rows.npz", "model.safetensors")
"""Files in the folder of a sequence, a set or a model, which is named in their place."""
LONGEST_NAME = 200
"""Bytes of a name that results begin with; file systems allow 255 for the whole name."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Context manager of a temporary path that is renamed to ``path`` at the end, and deleted if the block fails.

    Parent folders are created. The temporary name keeps the suffix, for writers that choose a format by it. A link is
    followed, and the permissions of an existing file are kept. What is no ordinary file (a device, a pipe) is opened
    at once and written to at the end, not replaced. Temporary files that a killed process left beside ``path`` are
    removed.

    Parameters
    ----------
    path : str or Path
        The file to write or to replace.

    Raises
    ------
    IsADirectoryError
        If ``path`` is a folder.
    OSError
        If it cannot be written; the error names the file.

    Examples
    --------
    >>> with replacing("runs/table.csv") as temporary:
    ...     temporary.write_text("a,b")
    """
    given = Path(path)
    if given.is_dir():
        raise IsADirectoryError(f"{given} is a folder, expected the name of a file to write")
    with naming(given):
        if _is_special(given):
            with _open_special(given) as file, tempfile.TemporaryDirectory(prefix="flatsort-") as folder:
                temporary = Path(folder) / (given.name or "file")
                temporary.touch()
                yield temporary
                with temporary.open("rb") as content:
                    shutil.copyfileobj(content, file)
            return
        target = Path(os.path.realpath(given)) if given.is_symlink() else given
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary_file(target) as temporary:
            yield temporary
            _keep_permissions(target, temporary)
            temporary.replace(target)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8 to ``path`` atomically (see `replacing`); names of files that are no text are escaped."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Name the file in errors of the disk, which say nothing of it or name a temporary one."""
    try:
        yield
    except OSError as error:
        name = "" if error.filename is None else Path(os.fsdecode(error.filename)).name
        if error.errno is None and SHORT_WRITE.search(str(error)):
            raise OSError(f"{path}: could not be written, maybe the disk is full ({error})") from error
        if error.errno not in DISK_FAULTS or (name and not name.startswith(".")):
            raise
        raise OSError(error.errno, f"could not be written ({os.strerror(error.errno)})", str(path)) from error


def refuse_overwriting(outputs: Iterable[str | Path], inputs: Iterable[str | Path | None]) -> None:
    """Refuse results that would replace what they are made from, or each other; to be called before any is written.

    Parameters
    ----------
    outputs : iterable of str or Path
        Files that are to be written.
    inputs : iterable of str or Path
        Files, and folders of a sequence, a set or a model. What is no file or folder (an address, a name, None) is
        left out.

    Raises
    ------
    ValueError
        If an output is the same file as an input, whatever its spelling, or as another output.
    """
    sources = [Path(each) for each in inputs if each and exists(each)]
    seen: set[str] = set()
    for output in map(Path, outputs):
        place = os.path.realpath(output)
        if place in seen and not _is_special(output):
            raise ValueError(f"{output}: two results would have this name; give each one of its own")
        seen.add(place)
        for source in sources if exists(output) and not _is_special(output) else ():
            if output.samefile(source) or (source.is_dir() and _is_part(output, source)):
                raise ValueError(f"{output}: the result would replace what it is made from; give another --out or name")


def holds(path: Path, text: str) -> bool:
    """Whether a file has this content already."""
    try:
        return path.read_text("utf-8") == text
    except (OSError, ValueError):
        return False


def exists(path: str | Path) -> bool:
    """Whether there is a file of this name; a text that can be no name (too long, with a NUL) is none."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def file_name(text: str) -> str:
    """A text as a name of files that any terminal can show and any disk can hold.

    Separators, control and unknown characters become ``_``; of a long name the begin is kept, with a digest.
    """
    clean = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff/\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]", "_", text)
    if len(clean.encode()) > LONGEST_NAME:
        digest = hashlib.blake2b(clean.encode(), digest_size=4).hexdigest()
        clean = f"{clean.encode()[: LONGEST_NAME - 9].decode(errors='ignore')}-{digest}"
    return clean if clean.strip(". _") else clean.strip(". ") or "_"


def _is_part(output: Path, folder: Path) -> bool:
    """Whether an existing file in a folder belongs to what that folder is given for."""
    place = Path(os.path.realpath(output))
    if place.parent == Path(os.path.realpath(folder)) and place.name in OF_FOLDERS:
        return True
    return place.is_relative_to(os.path.realpath(folder)) and place.parent.name in OF_SEQUENCES


def _keep_permissions(target: Path, temporary: Path) -> None:
    """Give a file the owner, as far as this user may, and the permissions of the one that it replaces."""
    try:
        old = target.stat()
    except OSError:
        return
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(temporary, old.st_uid, old.st_gid)
    temporary.chmod(stat.S_IMODE(old.st_mode))


def _is_special(path: Path) -> bool:
    try:
        return bool(STREAM.fullmatch(str(path.absolute()))) or not stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _open_special(path: Path) -> BinaryIO:
    """Open a stream, device or pipe; a pipe that nobody reads is refused, not waited for, and a whole disk too."""
    stream = STREAM.fullmatch(str(path.absolute()))
    if stream is not None:  # not opened anew, which would begin at the start of a file
        for each in filter(None, (sys.stdout, sys.stderr)):
            each.flush()
        return os.fdopen(os.dup({"stdout": 1, "stderr": 2}.get(stream["name"]) or int(stream["number"])), "wb")
    if stat.S_ISBLK(path.stat().st_mode):
        raise OSError(f"{path}: expected a file, a pipe or a stream to write to, got a disk")
    handle = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    os.set_blocking(handle, True)
    return os.fdopen(handle, "wb")
