"""Data sets from the net: an archive that is fetched piece by piece, checked, and unpacked whole or not at all."""

from __future__ import annotations

import hashlib
import math
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from flatsort.tools.cli import progress

CHUNK = 1 << 20
"""Bytes that are fetched at a time."""
TIMEOUT = 60.0
"""Seconds without an answer after which a server counts as gone."""
AGAIN = "the same command goes on from there"


@dataclass(frozen=True)
class DataSet:
    """An archive of sequences.

    Attributes
    ----------
    folder : str
        Name of the folder that it becomes, and of the archive without ``.zip``.
    url : str
    size : int
        About how many bytes the archive has, for servers that do not tell.
    sequences : int
        Training sequences in it.
    sha256 : str
        Checksum of the archive; "" where none has been verified.
    """

    folder: str
    url: str
    size: int
    sequences: int
    sha256: str = ""


DATA_SETS = {
    "mot15": DataSet("MOT15", "https://motchallenge.net/data/MOT15.zip", 1_300_000_000, 11),
    "mot16": DataSet("MOT16", "https://motchallenge.net/data/MOT16.zip", 1_900_000_000, 7),
    "mot17": DataSet("MOT17", "https://motchallenge.net/data/MOT17.zip", 5_500_000_000, 21),
}


def fetch(url: str, archive: Path, size: int) -> None:
    """Download ``url`` as ``archive``; until it is whole it is ``NAME.part``, from whose end a later call goes on.

    Parameters
    ----------
    url : str
    archive : Path
        File in an existing folder.
    size : int
        About how many bytes there are, for servers that do not tell.

    Raises
    ------
    ValueError
        If the address is none of http or https.
    OSError
        If the server cannot be reached, refuses or breaks off, or there is too little space for the archive and what
        will be unpacked from it.
    """
    if not re.match(r"https?://[^/]", url):
        raise ValueError(f"expected an address that starts with http:// or https://, got {url}")
    part = archive.with_name(f"{archive.name}.part")
    have = part.stat().st_size if part.exists() else 0
    with _ask(url, have, archive) as answer:
        start, total = _extent(answer)
        if answer.status == HTTPStatus.PARTIAL_CONTENT and start != have:
            raise OSError(f"{url}: expected the bytes from {have} on, got those from {start} on; delete {part}")
        if answer.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            # pictures do not shrink in an archive: unpacked it needs as much again
            require_room(archive.parent, 2 * (total or size) - start)
            _receive(answer, url, part, start, total)
        elif total != have:  # longer than the archive: the part is of another one
            part.unlink()
            fetch(url, archive, size)
            return
    got = part.stat().st_size
    if total is not None and got != total:
        raise OSError(f"{url}: ended after {got} of {total} bytes, which are in {part}: {AGAIN}")
    part.replace(archive)


def digest(archive: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    found = hashlib.sha256()
    with archive.open("rb") as file:
        for piece in iter(lambda: file.read(CHUNK), b""):
            found.update(piece)
    return found.hexdigest()


def unpack(archive: Path, folder: Path, sequences: int) -> None:
    """Unpack an archive as ``folder``, which appears when all files are in it and their checksums fit.

    Parameters
    ----------
    archive : Path
        Zip file with ``train/NAME/gt/gt.txt``, up to two folders deep.
    folder : Path
        Must not exist.
    sequences : int
        Training sequences that must be in it.

    Raises
    ------
    ValueError
        If the archive is damaged, holds other sequences, or names files outside of its folder.
    OSError
        If there is too little space.
    """
    temporary = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)  # of a run that was killed
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            for member in members:
                _refuse_outside(archive, member.filename)
            require_room(folder.parent, sum(member.file_size for member in members))
            for member in progress(members, len(members), f"unpack {folder.name}", "file"):
                opened.extract(member, temporary)
        trains = [path for depth in ("train", "*/train", "*/*/train") for path in sorted(temporary.glob(depth))]
        found = count_sequences(trains[0].parent) if trains else 0
        if found != sequences:
            raise ValueError(f"{archive}: expected {sequences} sequences with gt/gt.txt in train, got {found}")
        trains[0].parent.rename(folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ValueError(f"{archive}: expected a whole zip archive ({error}); delete it to download it anew") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def count_sequences(folder: Path) -> int:
    """Training sequences with ground truth in the folder of a data set."""
    return sum(1 for _ in folder.glob("train/*/gt/gt.txt"))


def require_room(folder: Path, needed: int) -> None:
    """Refuse to begin what needs more bytes than are free.

    Raises
    ------
    OSError
        If there is too little space.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f"{folder}: {needed / 2**30:.2f} GiB needed, {free / 2**30:.2f} GiB free")


def _ask(url: str, start: int, archive: Path) -> HTTPResponse | HTTPError:
    """Answer of the server: the bytes from ``start`` on, all of them, or that there are none after ``start``."""
    headers = {"User-Agent": "flatsort"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        answer: HTTPResponse = urlopen(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        if start and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return error
        error.close()
        raise OSError(
            f"{url}: expected the archive, got {error.code} {error.reason}; name another address with --url"
        ) from error
    except (HTTPException, OSError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise OSError(
            f"{url}: cannot be reached ({reason}); without a connection, put the archive at {archive}"
        ) from error
    return answer


def _extent(answer: HTTPResponse | HTTPError) -> tuple[int, int | None]:
    """First byte of an answer, and how many bytes there are in all, None if the server does not tell."""
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", answer.headers.get("Content-Range", ""))
    if found:
        return int(found[1] or 0), None if found[2] == "*" else int(found[2])
    length = answer.headers.get("Content-Length", "")
    known = answer.status == HTTPStatus.OK and length.isdecimal()
    return 0, int(length) if known else None


def _receive(answer: HTTPResponse | HTTPError, url: str, part: Path, start: int, total: int | None) -> None:
    def chunks() -> Iterator[bytes]:
        try:
            yield from iter(lambda: answer.read(CHUNK), b"")
        except (HTTPException, OSError) as error:
            raise OSError(f"{url}: broke off ({error}); what came so far is in {part}: {AGAIN}") from error

    count = None if total is None else math.ceil((total - start) / CHUNK)
    with part.open("ab" if start else "wb") as file:
        for chunk in progress(chunks(), count, part.stem, "MiB"):
            file.write(chunk)


def _refuse_outside(archive: Path, name: str) -> None:
    """Refuse a member of an archive without a name, or whose name leads out of the folder that it is unpacked to."""
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if not name or path.is_absolute() or path.drive or ".." in path.parts:
            raise ValueError(f"{archive}: expected files inside of its own folder, got {name!r}")
