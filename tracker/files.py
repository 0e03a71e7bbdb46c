"""Atomic writing: a file appears complete or not at all, and never in the place of what it was made from."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: leftovers of killed runs stay
    fcntl = None  # type: ignore[assignment]

DISK_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
"""Errors of writing that say nothing of the file."""
SPECIAL = ("/dev/", "/proc/")
"""Folders whose entries stand for something else than the file that they point to."""
FRESH = 60.0
"""Seconds in which a temporary file without a lock may still be one that another process is about to lock."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Context manager of a temporary path that is renamed to ``path`` at the end, and deleted if the block fails.

    Parent folders are created. The temporary name keeps the suffix, for writers that choose a format by it. A link is
    followed, and the permissions of an existing file are kept. What is no ordinary file (a device, a pipe) is written
    to at the end, not replaced. Temporary files that a killed process left beside ``path`` are removed.

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
            with tempfile.TemporaryDirectory(prefix="flatsort-") as folder:
                temporary = Path(folder) / (given.name or "file")
                temporary.touch()
                yield temporary
                _copy_into(temporary, given)
            return
        target = Path(os.path.realpath(given)) if given.is_symlink() else given
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked_temporary(target) as temporary:
            yield temporary
            temporary.chmod(_mode(target))
            temporary.replace(target)


@contextmanager
def locked_temporary(target: Path) -> Iterator[Path]:
    """A new empty file beside ``target``, removed at the end if it is still there; leftovers of others are removed."""
    remove_leftovers(target)
    prefix = f"{_prefix(target)}{os.getpid()}-"
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=target.suffix, dir=target.parent)
    try:
        _lock(handle)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
        os.close(handle)  # and with it the lock


def remove_leftovers(target: Path) -> None:
    """Remove the temporary files and folders of ``target`` whose process is gone."""
    pattern = re.compile(re.escape(_prefix(target)) + r"(\d+)-\w+" + re.escape(target.suffix))
    for entry in target.parent.iterdir() if fcntl is not None and target.parent.is_dir() else ():
        match = pattern.fullmatch(entry.name)
        if match is None or int(match[1]) == os.getpid():
            continue
        with suppress(OSError):
            old = time.time() - entry.stat().st_mtime > FRESH
            if _is_unlocked(entry) and (old or not _is_running(int(match[1]))):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def temporary_folder(target: Path) -> Path:
    """A new folder beside ``target``, as `locked_temporary` names files, without a lock."""
    remove_leftovers(target)
    return Path(tempfile.mkdtemp(prefix=f"{_prefix(target)}{os.getpid()}-", suffix=target.suffix, dir=target.parent))


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
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(f"{path}: another run is writing into this folder; expected to be the only one") from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(handle)


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
        known = error.filename is not None and not Path(os.fsdecode(error.filename)).name.startswith(".")
        if error.errno not in DISK_FAULTS or known:
            raise
        raise OSError(error.errno, f"could not be written ({os.strerror(error.errno or 0)})", str(path)) from error


def refuse_overwriting(outputs: Iterable[str | Path], inputs: Iterable[str | Path | None]) -> None:
    """Refuse results that would replace what they are made from; to be called before anything is written.

    Raises
    ------
    ValueError
        If an output is the same file as an input, whatever its spelling.
    """
    sources = [Path(each) for each in inputs if each and exists(each)]
    for output in outputs:
        for source in sources if exists(output) else ():
            if Path(output).samefile(source) and not _is_special(Path(output)):
                raise ValueError(f"{source}: the result would replace what it is made from; give another --out or name")


def exists(path: str | Path) -> bool:
    """Whether there is a file of this name; a text that can be no name (too long, with a NUL) is none."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def file_name(text: str) -> str:
    """A text as a name of files that any terminal can show: without separators, control and unknown characters."""
    clean = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff/\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]", "_", text)
    return clean if clean.strip(". _") else clean.strip(". ") or "_"


def _prefix(target: Path) -> str:
    return f".{target.stem}-"


def _mode(target: Path) -> int:
    """Permissions of the file that is replaced, or those of any new file: mkstemp makes files private."""
    with suppress(OSError):
        return stat.S_IMODE(target.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def _is_special(path: Path) -> bool:
    try:
        return not stat.S_ISREG(path.stat().st_mode) or str(path.absolute()).startswith(SPECIAL)
    except OSError:
        return False


def _copy_into(source: Path, target: Path) -> None:
    """Write a file's content into a device or a pipe; a pipe that nobody reads is refused, not waited for."""
    handle = os.open(target, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    os.set_blocking(handle, True)
    with os.fdopen(handle, "wb") as file, source.open("rb") as content:
        shutil.copyfileobj(content, file)


def _lock(handle: int) -> None:
    if fcntl is not None:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_unlocked(entry: Path) -> bool:
    if entry.is_dir():
        return True
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
