"""Cache of results as files of arrays; keys are digests of data, files and source code that a result depends on."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flatsort.tools.experiments.results import BenchmarkSequence
from flatsort.tracker.config import CONFIGS
from flatsort.tracker.files import replacing
from flatsort.tracker.stored_data import read_arrays
from flatsort.tracker.types import Detections

Arrays = Mapping[str, NDArray[Any]]

FORMAT = "2"
"""Version of the cache's entries; a new one makes older entries unreadable."""
CHECK = "check"
"""Array of an entry: digest of its kind, its key and its other arrays."""
PACKAGE = "flatsort"
ROOT = CONFIGS.parent
"""Folder of the rooms (tracker, embedding, …): the checkout's, or the package's where it is installed."""
LATENTS_CODE = ("flatsort.embedding.loading", "flatsort.tracker.latent_reuse", "flatsort.tracker.io.video")
LATENTS_TEXT = ("flatsort.tracker.pipeline", "flatsort.tools.experiments.runner")
"""Modules on which latents depend: the first with everything that they import; the others without, as they import
the whole tracker as well."""
RUNS_CODE = ("flatsort.tools.experiments.runner",)
"""Modules on which a run depends, with everything that they import."""
MODULE = re.compile(rf"{PACKAGE}(\.\w+)+")


class Cache:
    """Arrays by key, one file each. The folder may be deleted at any time, and processes may share it.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, kind: str, key: str) -> dict[str, NDArray[Any]] | None:
        """The arrays that were stored; None where there are none, or the file is damaged or something else."""
        try:
            arrays = read_arrays(self._path(kind, key))
        except (OSError, ValueError):
            return None
        check = arrays.pop(CHECK, None)
        return arrays if check is not None and str(check) == _check(kind, key, arrays) else None

    def store(self, kind: str, key: str, arrays: Arrays) -> None:
        """Store the arrays.

        Raises
        ------
        OSError
            If they cannot be written.
        """
        with replacing(self._path(kind, key)) as temporary:
            check = np.array(_check(kind, key, arrays))
            np.savez(temporary, **{**arrays, CHECK: check})  # type: ignore[arg-type]  # numpy's stub takes names for options

    def _path(self, kind: str, key: str) -> Path:
        return self.folder / kind / f"{key}.npz"


@contextmanager
def open_cache(folder: Path | None) -> Iterator[Cache]:
    """A cache in a folder; without a folder, one in a temporary folder that is deleted after the block."""
    if folder is not None:
        yield Cache(folder)
        return
    with TemporaryDirectory(prefix="flatsort-") as temporary:
        yield Cache(Path(temporary))


def digest(*parts: object) -> str:
    """SHA-256 of a list of values: bytes, arrays, and whatever JSON can write."""
    state = hashlib.sha256(FORMAT.encode())
    for part in parts:
        if isinstance(part, np.ndarray):
            _add(state, f"{part.dtype.str}{part.shape}".encode())
            _add(state, np.ascontiguousarray(part).tobytes())
        else:
            _add(state, part if isinstance(part, bytes) else json.dumps(part).encode())
    return state.hexdigest()


def key_of_detections(detections: Iterable[Detections]) -> str:
    """Key of the detections of a sequence: boxes, scores, classes and latents of each frame."""
    frames = list(detections)
    joined = [
        np.concatenate([getattr(each, name) for each in (Detections.empty(), *frames)])
        for name in ("boxes", "scores", "classes")
    ]
    latents = [each.latents for each in frames if each.latents is not None]
    has_latents = np.array([each.latents is not None for each in frames])
    counts = np.array([len(each) for each in frames])
    return digest(counts, *joined, has_latents, np.concatenate(latents) if latents else None)


def key_of_files(files: Iterable[Path]) -> str:
    """Key of files by name, size and time of change, without reading them."""
    stats = [(file.name, file.stat()) for file in files]
    return digest([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])


def key_of_ground_truth(sequence: BenchmarkSequence) -> str:
    """Key of a sequence's ground truth."""
    table = sequence.ground_truth
    columns = (table.frames, table.ids, table.boxes, table.scores, table.classes, table.visibility)
    return digest(*columns, table.columns, sequence.length)


def key_of_content(file: Path) -> str:
    """Key of a file's bytes, and of those of the files beside it that the weights of a network lie in."""
    state = hashlib.sha256(file.read_bytes())
    for other in external_data(file):
        _add(state, other.read_bytes())
    return state.hexdigest()


def external_data(file: Path) -> list[Path]:
    """Files beside an ONNX network that it names as the place of its weights, as ``torch.onnx.export`` writes them."""
    if file.suffix.lower() != ".onnx":
        return []
    content = file.read_bytes()
    beside = [each for each in sorted(file.parent.iterdir()) if each.is_file() and each != file]
    return [each for each in beside if os.fsencode(each.name) in content]


@cache
def key_of_code(modules: tuple[str, ...], text_only: tuple[str, ...] = ()) -> str:
    """Key of the source of modules and of everything of this project that they import, directly or not.

    Parameters
    ----------
    modules : tuple of str
        Full names: ``flatsort.embedding.loading``.
    text_only : tuple of str
        Modules whose source counts, but not what they import.

    Raises
    ------
    ValueError
        If there is no such module.
    """
    names = sorted(imported_modules(modules) | set(text_only))
    return digest(*((name, _require_source(name).read_text(encoding="utf-8")) for name in names))


def imported_modules(modules: Iterable[str]) -> set[str]:
    """Names of the given modules and of all of this project that they import, directly or not, read from their source.

    Imports inside functions count, those for type checkers only do not. A text that names a module counts as an import
    of it and, if it is a package, of all modules in it: that is how registries and lazy names load theirs. Packages
    around a module count as well, but for the outermost, which only collects names.
    """
    known: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in known and module != PACKAGE:
            known.add(module)
            waiting += [module.rpartition(".")[0], *_direct_imports(module)]
    return known


@cache
def _direct_imports(module: str) -> frozenset[str]:
    """Modules of this project that the source of a module names."""
    path = _require_source(module)
    names, loaded = _named_modules(ast.parse(path.read_bytes()), module if path.name == "__init__.py" else "")
    for package in loaded:
        source = _source(package)
        if source is not None:
            names.add(package)
            if source.name == "__init__.py":
                names.update(f"{package}.{file.stem}" for file in source.parent.glob("*.py") if file != source)
    return frozenset(filter(None, map(_nearest_module, names)))


def _named_modules(tree: ast.AST, package: str) -> tuple[set[str], set[str]]:
    """Names in import statements, and names in texts; ``package``: what ``__name__`` means as an argument."""
    imported, loaded = set[str](), set[str]()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            imported.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.update(f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Constant):
            if isinstance(node.value, str) and MODULE.fullmatch(node.value):
                loaded.add(node.value)
        elif isinstance(node, ast.Call) and any(isinstance(a, ast.Name) and a.id == "__name__" for a in node.args):
            loaded.add(package)
        waiting += ast.iter_child_nodes(node)
    return imported, loaded


def _nearest_module(name: str) -> str:
    """The module that ``name`` is or is in; "" if it is none of this project."""
    while name.startswith(f"{PACKAGE}.") and _source(name) is None:
        name = name.rpartition(".")[0]
    return name if name.startswith(f"{PACKAGE}.") else ""


def _require_source(module: str) -> Path:
    source = _source(module)
    if source is None:
        raise ValueError(f"{module}: expected a module of {PACKAGE}, got no source of it in {ROOT}")
    return source


@cache
def _source(module: str) -> Path | None:
    """File of a module of this project."""
    path = module.replace(".", "/").removeprefix(f"{PACKAGE}/")
    # in the checkout, modules that are in no room are in the package's own folder
    files = [folder / f"{path}{end}" for folder in (ROOT, ROOT / PACKAGE) for end in ("/__init__.py", ".py")]
    return next((file for file in files if path and file.is_file()), None)


def _check(kind: str, key: str, arrays: Arrays) -> str:
    return digest(kind, key, *(part for name in sorted(arrays) for part in (name, np.asarray(arrays[name]))))


def _add(state: hashlib._Hash, content: bytes) -> None:
    state.update(len(content).to_bytes(8, "little"))
    state.update(content)
