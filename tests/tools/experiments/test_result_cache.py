"""The cache of results: what is stored comes back, and keys change with everything that decides a result."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from flatsort.tools.experiments import result_cache
from flatsort.tools.experiments.result_cache import (
    Cache,
    digest,
    imported_modules,
    key_of_code,
    key_of_content,
    key_of_detections,
    key_of_files,
    open_cache,
)
from flatsort.tracker.config import CONFIGS
from flatsort.tracker.types import Detections

ROOT = CONFIGS.parent
ARRAYS = {"a": np.arange(6.0).reshape(2, 3), "hota.HOTA(0)": np.array(0.25), "none": np.empty((0, 4), np.float32)}


def test_arrays_come_back(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "new")
    assert cache.load("runs", "k") is None
    cache.store("runs", "k", ARRAYS)
    loaded = cache.load("runs", "k")
    assert loaded is not None
    assert list(loaded) == list(ARRAYS)
    for name, expected in ARRAYS.items():
        assert loaded[name].dtype == expected.dtype
        np.testing.assert_array_equal(loaded[name], expected)
    assert cache.load("latents", "k") is None
    assert [path.name for path in (tmp_path / "new" / "runs").iterdir()] == ["k.npz"]


def test_entries_of_other_keys_and_other_archives_count_as_absent(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.store("runs", "k", ARRAYS)
    entry = tmp_path / "runs" / "k.npz"
    entry.with_name("other.npz").write_bytes(entry.read_bytes())
    assert cache.load("runs", "other") is None
    np.savez(entry, latents=np.zeros(3), counts=np.array("text"))
    assert cache.load("runs", "k") is None


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


def test_a_temporary_cache_is_removed() -> None:
    with open_cache(None) as cache:
        cache.store("runs", "k", ARRAYS)
        assert cache.load("runs", "k") is not None
    assert not cache.folder.exists()


def test_different_contents_have_different_keys() -> None:
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
    single = Detections.of([[0, 0, 5, 5]])
    several = [
        [single, Detections.empty()],
        [Detections.empty(), single],
        [single],
        [Detections.of([[0, 0, 5, 5]], scores=[0.5])],
        [Detections.of([[0, 0, 5, 5]], classes=[1])],
        [Detections.of([[0, 0, 5, 5]], latents=[[1.0]])],
        [Detections.of([[0, 0, 5, 5]], latents=[[2.0]])],
        [],
    ]
    keys = [key_of_detections(each) for each in several]
    assert len(set(keys)) == len(several)
    assert key_of_detections([Detections.of([[0, 0, 5, 5]])]) == keys[2]


def test_keys_of_image_files(tmp_path: Path) -> None:
    file = tmp_path / "1.jpg"
    file.write_bytes(b"abc")
    before = key_of_files([file])
    assert key_of_files([file]) == before
    os.utime(file, ns=(1, 1))
    touched = key_of_files([file])
    file.write_bytes(b"abcd")
    os.utime(file, ns=(1, 1))
    longer = key_of_files([file])
    assert len({before, touched, longer, key_of_files([]), key_of_files([file.rename(tmp_path / "2.jpg")])}) == 5


def test_keys_of_weights(tmp_path: Path) -> None:
    file = tmp_path / "m.safetensors"
    file.write_bytes(b"abc")
    before = key_of_content(file)
    assert key_of_content(file.rename(tmp_path / "other.safetensors")) == before
    file.write_bytes(b"abd")
    assert key_of_content(file) != before


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with two rooms; the caches of the module are of it until the test ends."""
    sources = {
        "room/__init__.py": "",
        "room/start.py": "from flatsort.room import direct\nimport numpy\ndef later():\n    import flatsort.room.lazy",
        "room/direct.py": "from flatsort.other.indirect import x",
        "room/lazy.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from flatsort.room import types_only",
        "room/types_only.py": "",
        "room/unrelated.py": "from flatsort.room import start",
        "other/__init__.py": "",
        "other/indirect.py": "x = Registry('part', 'flatsort.parts')",
        "parts/__init__.py": "y = Registry('set', __name__)",
        "parts/one.py": "",
        "flatsort/api.py": "",
    }
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(result_cache, "ROOT", tmp_path)
    forget_sources()
    yield tmp_path
    forget_sources()


def forget_sources() -> None:
    """Empty the caches that last as long as a process."""
    for function in (key_of_code, result_cache._direct_imports, result_cache._source):
        function.cache_clear()


def test_all_imported_modules_are_known(project: Path) -> None:
    names = {f"flatsort.{name}" for name in ("room", "room.start", "room.direct", "room.lazy", "other")}
    names |= {f"flatsort.{name}" for name in ("other.indirect", "parts", "parts.one")}
    assert imported_modules(["flatsort.room.start"]) == names
    assert imported_modules(["flatsort.api"]) == {"flatsort.api"}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("room/start.py", True),
        ("room/direct.py", True),
        ("room/lazy.py", True),
        ("other/indirect.py", True),
        ("other/__init__.py", True),
        ("parts/one.py", True),
        ("parts/new.py", True),
        ("flatsort/api.py", True),  # named below as one whose own text counts
        ("room/types_only.py", False),
        ("room/unrelated.py", False),
        ("room/notes.txt", False),
    ],
)
def test_keys_of_code(project: Path, name: str, changes: bool) -> None:
    def key() -> str:
        forget_sources()
        return key_of_code(("flatsort.room.start",), ("flatsort.api",))

    before = key()
    assert key() == before
    with (project / name).open("a") as file:
        file.write("\n# changed")
    assert (key() != before) is changes


def test_an_installed_package_has_the_same_keys(project: Path) -> None:
    before = key_of_code(("flatsort.room.start", "flatsort.api"))
    (project / "flatsort" / "api.py").rename(project / "api.py")  # beside the rooms, as in a wheel
    forget_sources()
    assert key_of_code(("flatsort.room.start", "flatsort.api")) == before


def test_code_that_is_not_there(project: Path) -> None:
    with pytest.raises(ValueError, match=r"flatsort\.nothing: expected a module of flatsort, got no source"):
        key_of_code(("flatsort.nothing",))


def test_modules_that_latents_and_runs_depend_on() -> None:
    latents = imported_modules(result_cache.LATENTS_CODE) | set(result_cache.LATENTS_TEXT)
    runs = imported_modules(result_cache.RUNS_CODE)
    models = {f"flatsort.embedding.models.{path.stem}" for path in (ROOT / "embedding" / "models").glob("[a-z]*.py")}
    assert {"flatsort.embedding.quantised_model", "flatsort.embedding.nets", "flatsort.tracker.crops"} <= latents
    assert models | {"flatsort.embedding.embedders.onnx", "flatsort.embedding.embedders.pixels"} <= latents
    assert latents <= runs
    assert {"flatsort.tracker.sort", "flatsort.tracker.motion.xyah", "flatsort.tracker.metrics.hota"} <= runs - latents
    verbs = {f"flatsort.tools.{path.stem}" for path in (ROOT / "tools").glob("[a-z]*.py")}
    assert not runs & (verbs - {"flatsort.tools.cli"})
    assert not {name for name in runs if name.startswith(("flatsort.scene", "flatsort.embedding.training"))}


@pytest.mark.slow
def test_every_module_that_embeds_is_in_the_key_of_latents() -> None:
    code = (
        "import sys; from flatsort import embedding; embedding.load('flat_vhp_vae'); "
        "print(*(name for name in sys.modules if name.startswith('flatsort.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    used = set(done.stdout.split())
    assert "flatsort.embedding.nets" in used
    assert used <= imported_modules(result_cache.LATENTS_CODE)


def test_keys_of_code_are_quick() -> None:
    forget_sources()
    start = time.process_time()
    key_of_code(result_cache.RUNS_CODE)
    assert time.process_time() - start < 1.0  # a tenth of a second on an idle machine
