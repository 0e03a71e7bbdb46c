"""Damaged and foreign files of arrays and JSON give one sentence with the name, and take no memory."""

from __future__ import annotations

import contextlib
import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flatsort.tracker.stored_data import map_array, read_arrays, read_json

NUMBERS = np.random.default_rng(0).normal(size=(64, 6))


def npy(array: np.ndarray[Any, Any]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array)
    return stream.getvalue()


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def test_arrays_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=NUMBERS, y=np.arange(3))
    assert list(read_arrays(tmp_path / "a.npz")) == ["x", "y"]
    assert np.array_equal(read_arrays(tmp_path / "a.npz", ["x", "z"])["x"], NUMBERS)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.replace(b"(64, 6), }", b"(64, 6, }  ", 1),
        lambda c: c.replace(b"(64, 6), }            ", b"(10000000000000, 6), }", 1),
        lambda c: c.replace(b"(64, 6), }   ", b"(-64, -6), } ", 1),
        lambda c: c.replace(b"'<f8'", b"'|O' ", 1),
        lambda c: c.replace(b"'<f8'", b"'<q9'", 1),
        lambda c: c[:200],
        lambda _: b"",
        lambda _: b"\x93NUMPY\x09\x00",
    ],
)
def test_damaged_headers(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path = archive(tmp_path / "a.npz", x=change(npy(NUMBERS)))
    with pytest.raises(ValueError, match=r"a\.npz: expected a \.npz archive of arrays of numbers, cannot be read"):
        read_arrays(path)


def test_other_files(tmp_path: Path) -> None:
    (tmp_path / "renamed.npz").write_bytes(npy(NUMBERS))
    with zipfile.ZipFile(tmp_path / "text.npz", "w") as file:
        file.writestr("poses.txt", "1 2 3")
    (tmp_path / "empty.npz").touch()
    for name in ("renamed", "text", "empty"):
        with pytest.raises(ValueError, match=f"{name}.npz: expected"):
            read_arrays(tmp_path / f"{name}.npz")
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "none.npz")


def test_nothing_but_sentences_comes_of_random_damage(tmp_path: Path) -> None:
    generator, path = random.Random(0), tmp_path / "a.npz"
    np.savez_compressed(path, x=NUMBERS, y=np.arange(9))
    whole, single, text = path.read_bytes(), npy(NUMBERS), b'{"a": [1, 2.5, null, "b"], "c": {"d": true}}'
    for _ in range(300):
        for content, read in ((whole, read_arrays), (single, map_array), (text, read_json)):
            damaged = bytearray(content)
            for _ in range(generator.randint(1, 4)):
                damaged[generator.randrange(len(damaged))] = generator.randrange(256)
            path.write_bytes(damaged[: generator.randint(0, len(damaged))] if generator.random() < 0.3 else damaged)
            with contextlib.suppress(ValueError):  # any other error is a fault
                read(path)


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": 1}')
    assert read_json(path) == {"a": 1}
    for text in ("", "{", "[" * 100_000, "{'a': 1}"):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"a\.json: expected JSON"):
            read_json(path)
