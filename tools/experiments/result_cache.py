"""Results kept by the content of what they were made from: arrays in files that appear whole or not at all."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flatsort.tools.experiments.results import SequenceInput
from flatsort.tracker.config import CONFIGS
from flatsort.tracker.files import replacing
from flatsort.tracker.types import Detections

Arrays = Mapping[str, NDArray[Any]]

FORMAT = "1"
"""Of the entries; a new one makes older entries unread."""
ROOT = CONFIGS.parent
TRACKING = ("tracker", "tools/runs/open_run.py")
"""Code that tracks depend on."""
EMBEDDING = (
    *("embedding/embedders", "embedding/models", "embedding/checkpoint.py", "embedding/likelihood.py"),
    *(
        "embedding/loading.py",
        "embedding/model.py",
        "embedding/nets.py",
        "embedding/objectives",
        "embedding/priors",
        "tracker/latent_reuse.py",
        "tracker/crops.py",
    ),
    *("tracker/images.py", "tracker/io/video.py", "tracker/onnx_session.py", "tracker/pipeline.py"),
)
"""Code that latents depend on."""


class Cache:
    """Arrays by key, one file each. It may be deleted at any time, and processes may share it.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, kind: str, key: str) -> dict[str, NDArray[Any]] | None:
        """The arrays that were stored, None where there are none or the file is damaged."""
        try:
            # numpy would leave a file open that is no archive
            with self._path(kind, key).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                return {name: file[name] for name in file}
        except (OSError, ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error):
            return None

    def store(self, kind: str, key: str, arrays: Arrays) -> None:
        """Keep the arrays.

        Raises
        ------
        OSError
            If they cannot be written.
        """
        with replacing(self._path(kind, key)) as temporary:
            np.savez(temporary, **arrays)  # type: ignore[arg-type]  # numpy's stub takes names for options

    def _path(self, kind: str, key: str) -> Path:
        return self.folder / kind / f"{key}.npz"


@contextmanager
def open_cache(folder: Path | None) -> Iterator[Cache]:
    """A cache in a folder, or for the time of the block only."""
    if folder is not None:
        yield Cache(folder)
        return
    with TemporaryDirectory(prefix="flatsort-") as temporary:
        yield Cache(Path(temporary))


def digest(*parts: object) -> str:
    """Key of a content: texts, bytes, arrays, and what JSON can write; None differs from an empty text."""
    state = hashlib.sha256(FORMAT.encode())
    for part in parts:
        if isinstance(part, np.ndarray):
            _add(state, f"{part.dtype.str}{part.shape}".encode())
            _add(state, np.ascontiguousarray(part).tobytes())
        else:
            _add(state, part if isinstance(part, bytes) else json.dumps(part).encode())
    return state.hexdigest()


def of_detections(detections: Iterable[Detections]) -> str:
    """Key of the detections of a sequence, all that is known of them."""
    each = list(detections)
    bare = Detections.empty()
    joined = [
        np.concatenate([getattr(some, name) for some in (bare, *each)]) for name in ("boxes", "scores", "classes")
    ]
    latents = [some.latents for some in each if some.latents is not None]
    given = np.array([some.latents is not None for some in each])
    counts = np.array([len(some) for some in each])
    return digest(counts, *joined, given, np.concatenate(latents) if latents else None)


def of_files(files: Iterable[Path]) -> str:
    """Key of files by name, size and time of change, without reading them."""
    stats = [(file.name, file.stat()) for file in files]
    return digest([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])


def of_truth(sequence: SequenceInput) -> str:
    """Key of a sequence's truth."""
    table = sequence.truth
    columns = (table.frames, table.ids, table.boxes, table.scores, table.classes, table.visibility)
    return digest(*columns, table.columns, sequence.length)


def of_content(file: Path) -> str:
    """Key of a file's bytes."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


@lru_cache
def of_code(names: tuple[str, ...]) -> str:
    """Key of the Python files and folders of the project with these names."""
    places = [ROOT / name for name in names]
    files = sorted(file for place in places for file in ([place] if place.is_file() else place.rglob("*.py")))
    return digest(*((file.name, file.read_text(encoding="utf-8")) for file in files))


def _add(state: hashlib._Hash, content: bytes) -> None:
    state.update(len(content).to_bytes(8, "little"))
    state.update(content)
