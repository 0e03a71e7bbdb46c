"""Temporary files and folders beside their targets, and the locks that tell those in use from those of killed runs."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: leftovers of killed runs stay, and nothing keeps two runs out of one folder
    fcntl = None  # type: ignore[assignment]

FRESH = 60.0
"""Seconds in which a temporary file without a lock may still be one that another process is about to lock."""
LONGEST_STEM, LONGEST_SUFFIX = 200, 16
"""Bytes of a target's name that its temporary files repeat; names of files have at most 255."""
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL}
"""Errors of file systems without locks."""


@contextmanager
def temporary_file(target: Path) -> Iterator[Path]:
    """A new empty file beside ``target``, removed at the end if it is still there; leftovers of others are removed.

    It is locked as long as it is used, and as private as the file that it is to replace.
    """
    remove_leftovers(target)
    path = _new_name(target)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        _lock(handle)
        with suppress(OSError):
            path.chmod(stat.S_IMODE(target.stat().st_mode) | stat.S_IRUSR | stat.S_IWUSR)
        yield path
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)  # and with it the lock


@contextmanager
def temporary_folder(target: Path) -> Iterator[Path]:
    """A new folder beside ``target``, else as `temporary_file`."""
    remove_leftovers(target)
    path = _new_name(target)
    path.mkdir(0o700)
    handle = os.open(path, os.O_RDONLY) if fcntl is not None else None
    try:
        if handle is not None:
            _lock(handle)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def remove_leftovers(target: Path) -> None:
    """Remove the temporary files and folders of ``target`` whose process is gone."""
    pattern = re.compile(re.escape(_prefix(target)) + r"(\d+)-\w+" + re.escape(_suffix(target)))
    for entry in target.parent.iterdir() if fcntl is not None and target.parent.is_dir() else ():
        match = pattern.fullmatch(entry.name)
        if match is None or int(match[1]) == os.getpid():
            continue
        with suppress(OSError):
            old = time.time() - entry.stat().st_mtime > FRESH
            if _is_unlocked(entry) and (old or not _is_running(int(match[1]))):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


@contextmanager
def only_writer(folder: str | Path) -> Iterator[None]:
    """Make a folder and be the only process that writes a run or a set into it; the lock ends with the process.

    Raises
    ------
    OSError
        If another process does.
    """
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        if not _lock(handle):
            raise OSError(f"{path}: another run is writing into this folder; expected to be the only one")
        yield
    finally:
        os.close(handle)


def _new_name(target: Path) -> Path:
    return target.with_name(f"{_prefix(target)}{os.getpid()}-{secrets.token_hex(4)}{_suffix(target)}")


def _prefix(target: Path) -> str:
    stem = os.fsencode(target.stem if _suffix(target) else target.name)[:LONGEST_STEM]
    return f".{stem.decode(errors='ignore')}-"


def _suffix(target: Path) -> str:
    """Suffix of a target, for writers that choose a format by it."""
    return target.suffix if len(os.fsencode(target.suffix)) <= LONGEST_SUFFIX else ""


def _lock(handle: int) -> bool:
    """Lock an open file or folder; False if another process has locked it, True also where there are no locks."""
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno in NO_LOCKS
    return True


def _is_unlocked(entry: Path) -> bool:
    handle = os.open(entry, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True
