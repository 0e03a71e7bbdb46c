"""JSON and arrays from files of unknown origin: what is damaged, or something else, is one sentence; nothing unpickled.

A header is believed only as far as the file is long, so that none takes more memory than the file could fill.
"""

from __future__ import annotations

import json
import lzma
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

PARSE_FAULTS = (
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, OverflowError, RecursionError),
    *(EOFError, SyntaxError, TokenError, NotImplementedError, RuntimeError, MemoryError, OSError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
)
"""What json, zipfile and NumPy raise for files that are damaged or something else."""
MOST_EXPANSION = 1100
"""Deflate makes data at most about 1,030 times smaller."""


def read_json(path: str | Path) -> Any:
    """The document of a JSON file.

    Raises
    ------
    OSError
        If it cannot be opened.
    ValueError
        If it is no JSON; the sentence names the file.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected JSON, cannot be read ({error})") from error


def read_arrays(path: str | Path, names: Iterable[str] | None = None) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` archive, by name; of all of them, or of ``names`` that are in it.

    Raises
    ------
    OSError
        If it cannot be opened.
    ValueError
        If it is no archive of arrays of numbers, or damaged; the sentence names the file.
    """
    with Path(path).open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                arrays = [member for member in archive.infolist() if member.filename.endswith(".npy")]
                members = {member.filename.removesuffix(".npy"): member for member in arrays}
                if not members:
                    raise ValueError("there is no array in it")
                chosen = members if names is None else [name for name in names if name in members]
                return {name: _member(archive, members[name], Path(path).stat().st_size) for name in chosen}
        except PARSE_FAULTS as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(
                f"{path}: expected a .npz archive of arrays of numbers, cannot be read ({reason})"
            ) from error


def map_array(path: str | Path) -> NDArray[Any]:
    """The array of a ``.npy`` file, mapped into memory; nothing is unpickled.

    Raises
    ------
    OSError
        If it cannot be opened.
    ValueError
        If it is no complete array of numbers; the sentence names the file.
    """
    with Path(path).open("rb"):  # an error of its own where there is no such file
        pass
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", UserWarning)  # a header that Python 2 wrote is none of the user's faults
            array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except PARSE_FAULTS as error:
        raise ValueError(
            f"{path}: expected a complete .npy file with an array of numbers ({str(error)[:200]})"
        ) from error
    return array


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, size: int) -> NDArray[Any]:
    if member.file_size > MOST_EXPANSION * size:
        raise ValueError(f"{member.filename} announces {member.file_size} bytes")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", UserWarning)
        with archive.open(member) as stream:
            _check_header(stream, member)
        with archive.open(member) as stream:
            array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _check_header(stream: IO[bytes], member: zipfile.ZipInfo) -> None:
    """Refuse a header that promises more than the file holds, or other things than numbers."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.kind not in "biufcSU":
        raise ValueError(f"{member.filename} holds {dtype}")
    if any(length < 0 for length in shape):
        raise ValueError(f"{member.filename} has the shape {shape}")
    count = 1
    for length in shape:
        count *= length
    if count * dtype.itemsize > member.file_size:
        raise ValueError(f"{member.filename} announces {count} numbers in {member.file_size} bytes")
