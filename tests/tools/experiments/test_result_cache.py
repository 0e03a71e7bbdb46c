from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from flatsort.tools.experiments import result_cache
from flatsort.tools.experiments.result_cache import (
    Cache,
    digest,
    of_code,
    of_content,
    of_detections,
    of_files,
    open_cache,
)
from flatsort.tracker.types import Detections

ARRAYS = {"a": np.arange(6.0).reshape(2, 3), "hota.HOTA(0)": np.array(0.25), "none": np.empty((0, 4), np.float32)}


def test_arrays_come_back(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "new")
    assert cache.load("runs", "k") is None
    cache.store("runs", "k", ARRAYS)
    found = cache.load("runs", "k")
    assert found is not None
    assert list(found) == list(ARRAYS)
    for name, expected in ARRAYS.items():
        assert found[name].dtype == expected.dtype
        np.testing.assert_array_equal(found[name], expected)
    assert cache.load("latents", "k") is None
    assert [path.name for path in (tmp_path / "new" / "runs").iterdir()] == ["k.npz"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "pickle"])
def test_damaged_entries_count_as_absent(tmp_path: Path, damage: str) -> None:
    cache = Cache(tmp_path)
    cache.store("runs", "k", {"a": np.arange(5000.0)})
    path = tmp_path / "runs" / "k.npz"
    content = bytearray(path.read_bytes())
    content[9000] ^= 255
    if damage == "pickle":
        np.savez(path, a=np.array([{}], object))
    else:
        path.write_bytes(
            {"cut": bytes(content[:8000]), "flipped": bytes(content), "empty": b"", "text": b"hello"}[damage]
        )
    assert cache.load("runs", "k") is None


def test_a_cache_for_a_while() -> None:
    with open_cache(None) as cache:
        cache.store("runs", "k", ARRAYS)
        assert cache.load("runs", "k") is not None
    assert not cache.folder.exists()


def test_keys_tell_contents_apart() -> None:
    parts: list[tuple[object, ...]] = [
        ("ab",),
        ("a", "b"),
        (b"ab",),
        (None,),
        ("",),
        (1,),
        (1.5,),
        ({"a": 1, "b": 2},),
        ({"b": 2, "a": 1},),  # the order of stages counts
        (np.zeros(2),),
        (np.zeros(2, np.float32),),
        (np.zeros((2, 1)),),
        (np.array([0.0, 1e-12]),),
    ]
    assert len({digest(*each) for each in parts}) == len(parts)
    assert digest("a", np.arange(6).reshape(2, 3).T) == digest("a", np.arange(6).reshape(2, 3).T.copy())


def test_keys_of_detections() -> None:
    one = Detections.of([[0, 0, 5, 5]])
    several = [
        [one, Detections.empty()],
        [Detections.empty(), one],
        [one],
        [Detections.of([[0, 0, 5, 5]], scores=[0.5])],
        [Detections.of([[0, 0, 5, 5]], classes=[1])],
        [Detections.of([[0, 0, 5, 5]], latents=[[1.0]])],
        [Detections.of([[0, 0, 5, 5]], latents=[[2.0]])],
        [],
    ]
    keys = [of_detections(each) for each in several]
    assert len(set(keys)) == len(several)
    assert of_detections([Detections.of([[0, 0, 5, 5]])]) == keys[2]


def test_keys_of_pictures(tmp_path: Path) -> None:
    file = tmp_path / "1.jpg"
    file.write_bytes(b"abc")
    before = of_files([file])
    assert of_files([file]) == before
    os.utime(file, ns=(1, 1))
    touched = of_files([file])
    file.write_bytes(b"abcd")
    os.utime(file, ns=(1, 1))
    longer = of_files([file])
    assert len({before, touched, longer, of_files([]), of_files([file.rename(tmp_path / "2.jpg")])}) == 5


def test_keys_of_weights(tmp_path: Path) -> None:
    file = tmp_path / "m.safetensors"
    file.write_bytes(b"abc")
    before = of_content(file)
    assert of_content(file.rename(tmp_path / "other.safetensors")) == before
    file.write_bytes(b"abd")
    assert of_content(file) != before


def test_keys_of_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_cache, "ROOT", tmp_path)
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "a.py").write_text("x = 1")
    (tmp_path / "b.py").write_text("x = 1")
    (tmp_path / "c.py").write_text("x = 1")
    keys = []
    for name in ("", "room/a.py", "b.py", "c.py", "room/notes.txt"):
        if name:
            (tmp_path / name).write_text("x = 2")
        of_code.cache_clear()
        keys.append(of_code(("room", "b.py")))
    of_code.cache_clear()
    assert len({*keys[:3]}) == 3
    assert keys[2] == keys[3] == keys[4]


@pytest.mark.parametrize("name", [*result_cache.TRACKING, *result_cache.EMBEDDING])
def test_the_code_is_there(name: str) -> None:
    assert (result_cache.ROOT / name).exists()
