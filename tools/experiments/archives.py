"""Archives of data sets: downloaded with pooch, continued after an interruption, unpacked completely or not at all."""

from __future__ import annotations

import lzma
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from os import SEEK_END
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from flatsort.tools.cli import progress

if TYPE_CHECKING:
    from requests import Response

CHUNK = 1 << 20
"""Bytes per read."""
TIMEOUT = 60.0
"""Seconds without an answer after which a server counts as unreachable."""
CONTINUE = "the same command continues from there"


@dataclass(frozen=True)
class DataSet:
    """An archive of sequences.

    Attributes
    ----------
    folder : str
        Name of its folder, and of the archive without ``.zip``.
    url : str
    size : int
        Approximate size of the archive in bytes, for servers that do not send it.
    sequences : int
        Number of training sequences.
    sha256 : str
        Checksum of the archive; "" if unknown.
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


class DownloadError(OSError):
    """An archive cannot be downloaded; the message says why and what to do."""


def fetch(url: str, archive: Path, size: int) -> None:
    """Download ``url`` as ``archive``; an incomplete download is ``NAME.part``, and a later call continues it.

    Parameters
    ----------
    url : str
    archive : Path
        File in an existing folder.
    size : int
        Approximate size in bytes, for servers that do not send it.

    Raises
    ------
    ValueError
        If the address is not http or https.
    OSError
        If the server cannot be reached, refuses or breaks off, or there is too little space for the archive and its
        unpacked files.
    """
    if not re.match(r"https?://[^/]", url):
        raise ValueError(f"expected an address that starts with http:// or https://, got {url}")
    part = archive.with_name(f"{archive.name}.part")
    download = _Download(url, archive, part, size)
    try:
        download.run()
    finally:
        if part.exists() and not (download.receiving or download.offset):
            part.unlink()
    if download.beyond_end and download.total != download.offset:  # the part of another archive
        part.unlink()
        fetch(url, archive, size)
        return
    got = part.stat().st_size
    if download.total is not None and got != download.total:
        raise DownloadError(f"{url}: ended after {got} of {download.total} bytes, which are in {part}: {CONTINUE}")
    part.replace(archive)


class _Download:
    """A download with pooch that appends to ``part``, if the server sends what is missing there.

    Attributes
    ----------
    offset : int
        Bytes of ``part`` before the download.
    receiving : bool
        Whether the server has begun to send.
    total : int or None
        Size of the archive; None if the server does not send it.
    beyond_end : bool
        Whether the server has no bytes after those of ``part``.
    """

    def __init__(self, url: str, archive: Path, part: Path, size: int) -> None:
        self._url, self._archive, self._part, self._size = url, archive, part, size
        self.offset = part.stat().st_size if part.exists() else 0
        self.receiving = False
        self.total: int | None = None
        self.beyond_end = False

    def run(self) -> None:
        """Download until the server closes the connection; raises as `fetch`."""
        import pooch
        from tqdm import tqdm

        def check(response: Response, *_: Any, **__: Any) -> None:  # before the content is read
            if response.is_redirect:
                self._check_redirect(response)
            elif not self._accept(response):  # the server sends the whole archive
                file.truncate(0)

        headers = {"User-Agent": "flatsort", "Accept-Encoding": "identity"}
        if self.offset:
            headers["Range"] = f"bytes={self.offset}-"
        bar = tqdm(total=1, desc=self._archive.name, unit="B", unit_scale=True, delay=1.0, disable=None, leave=False)
        with bar, self._part.open("ab") as file:
            get = pooch.HTTPDownloader(bar, CHUNK, headers=headers, timeout=TIMEOUT, hooks={"response": check})
            try:
                get(self._url, _Limited(file, lambda: self.total or 2 * self._size, self._url), None)
            except DownloadError:
                raise
            except OSError as error:
                if self.beyond_end:  # an error status that means no error
                    return
                raise DownloadError(f"{self._url}: {self._advice(_innermost(error))}") from error

    def _check_redirect(self, response: Response) -> None:
        """Refuse to be sent to another kind of address, or from an encrypted connection to a plain one."""
        target = urljoin(response.url, response.headers.get("Location", ""))
        scheme = urlsplit(target).scheme
        if scheme not in ("http", "https") or (scheme == "http" and urlsplit(response.url).scheme == "https"):
            raise DownloadError(f"{self._url}: expected an archive, is sent on to an address of the kind {scheme}://")

    def _advice(self, reason: BaseException) -> str:
        if self.receiving:
            return f"broke off ({reason}); what came so far is in {self._part}: {CONTINUE}"
        return f"cannot be reached ({reason}); without a connection, put the archive at {self._archive}"

    def _accept(self, response: Response) -> int:
        """First byte of what the server sends; raises as `fetch` if it is not what was asked for."""
        status = response.status_code
        start, self.total = _content_range(response)
        self.beyond_end = bool(self.offset) and status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        if self.beyond_end:
            return self.offset
        if status >= HTTPStatus.BAD_REQUEST:
            got = f"{status} {response.reason}"
            raise DownloadError(f"{self._url}: expected the archive, got {got}; name another address with --url")
        if status == HTTPStatus.PARTIAL_CONTENT and start != self.offset:
            got = f"expected the bytes from {self.offset} on, got those from {start} on"
            raise DownloadError(f"{self._url}: {got}; delete {self._part}")
        # images do not shrink in an archive: unpacked it needs as much space again
        require_room(self._archive.parent, 2 * (self.total or self._size) - start)
        response.raw.enforce_content_length = False  # else the last bytes before a break would be lost
        self.receiving = True
        return start


class _Limited:
    """A file that takes so many bytes and no more: what a server sends without a length need not end."""

    def __init__(self, file: IO[bytes], limit: Callable[[], int], url: str) -> None:
        self._file, self._limit, self._url = file, limit, url

    def write(self, chunk: bytes) -> int:
        """Add a chunk; raises `DownloadError` beyond the limit."""
        if self._file.seek(0, SEEK_END) + len(chunk) > self._limit():
            raise DownloadError(f"{self._url}: expected about {self._limit() / 1e6:.0f} MB at most, it sends more")
        return self._file.write(chunk)

    def flush(self) -> None:
        """Write what is waiting."""
        self._file.flush()


def _content_range(response: Response) -> tuple[int, int | None]:
    """First byte of an answer, and the size of the archive; None if the server does not send it."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", ""))
    if match:
        return int(match[1] or 0), None if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length", "")
    known = response.status_code == HTTPStatus.OK and length.isdecimal()
    return 0, int(length) if known else None


def _innermost(error: BaseException) -> BaseException:
    """The error that the HTTP libraries have wrapped into others."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error


def sha256_of(archive: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    import pooch

    return str(pooch.file_hash(str(archive), alg="sha256"))


def unpack(archive: Path, folder: Path, sequences: int) -> None:
    """Unpack an archive as ``folder``, which appears only when all files are there and their checksums are correct.

    Parameters
    ----------
    archive : Path
        Zip file with ``train/NAME/gt/gt.txt``, up to two folders deep.
    folder : Path
        Must not exist.
    sequences : int
        Number of training sequences that must be in it.

    Raises
    ------
    ValueError
        If the archive is damaged, has other sequences, or has files outside of its folder.
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
        count = count_sequences(trains[0].parent) if trains else 0
        if count != sequences:
            raise ValueError(f"{archive}: expected {sequences} sequences with gt/gt.txt in train, got {count}")
        trains[0].parent.rename(folder)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError) as error:
        raise ValueError(f"{archive}: expected a whole zip archive ({error}); delete it to download it anew") from error
    except OSError as error:
        if error.errno is None:  # a sentence of ours
            raise
        raise OSError(f"{archive}: cannot be unpacked ({error})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if temporary.is_file():
            temporary.unlink()


def count_sequences(folder: Path) -> int:
    """Number of training sequences with ground truth in the folder of a data set."""
    return sum(1 for _ in folder.glob("train/*/gt/gt.txt"))


def require_room(folder: Path, needed: int) -> None:
    """Refuse to start if there are fewer free bytes than needed.

    Raises
    ------
    OSError
        If there is too little space.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DownloadError(f"{folder}: {needed / 2**30:.2f} GiB needed, {free / 2**30:.2f} GiB free")


def _refuse_outside(archive: Path, name: str) -> None:
    """Refuse a member of an archive without a name, or with a path out of the folder to which it is unpacked."""
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if not path.parts or path.is_absolute() or path.drive or ".." in path.parts:
            raise ValueError(f"{archive}: expected files inside of its own folder, got {name!r}")
