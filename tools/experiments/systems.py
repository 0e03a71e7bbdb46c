"""Config of ``flatsort benchmark``: systems, sequences, embedders and training seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from flatsort.tracker.config import find, load, names
from flatsort.tracker.registry import suggest
from flatsort.tracker.track_config import TrackConfig

if TYPE_CHECKING:
    from flatsort.tools.experiments.embedder_traits import EmbedderComparison

SEED, NAME = "{seed}", "{name}"
"""Placeholders for the training seed, and the embedder's name, in the path of a checkpoint."""
LEARNED = ("", "supervised", "unsupervised")


@dataclass(frozen=True)
class SystemConfig:
    """One system: a tracker, changes to its config, and its embedder."""

    tracker: str = ""
    """Name under configs/track, or FILE.yaml; empty: the system's own name."""
    set: list[str] = field(default_factory=list)
    """Changes of the tracker's config, as KEY=VALUE."""
    weights: str = ""
    """Embedder in place of the tracker's own: a name or a file; ``{seed}`` is replaced by each training seed."""
    learned: str = ""
    """supervised or unsupervised; empty: supervised for ONNX files, unsupervised for other embedders."""
    note: str = ""
    """Remark on the system below the table."""

    def __post_init__(self) -> None:
        if self.learned not in LEARNED:
            raise ValueError(f"learned: expected supervised, unsupervised or nothing, got {self.learned!r}")


@dataclass(frozen=True)
class BenchmarkConfig:
    """Systems, and the sequences that they run on."""

    KIND: ClassVar[str] = "benchmark"
    """Folder of these configs under ``configs``."""
    data: list[str] = field(default_factory=list)
    """Sequence folders, folders of them, globs."""
    detections: str = "det.txt"
    """File in each sequence's det/, a folder of NAME.txt or NAME.npy, or a file (of one sequence)."""
    min_score: float | None = None
    """Detections below this score are left out for every system; null: none are."""
    classes: list[str] | None = None
    """Classes of the ground truth's own that are scored, by name or number; empty: all. Null: pedestrians of a
    benchmark's ground truth, all classes of any other."""
    frames: str = ""
    """Frames that trackers see and that are scored: A-B, both included, A- or -B; empty: all."""
    systems: dict[str, SystemConfig] = field(default_factory=dict)
    """Name → system, in the order of the table."""
    embedders: dict[str, str] = field(default_factory=dict)
    """Name → file, checkpoint or name of an embedder; each becomes a system with the tracker ``association`` and is
    measured on ``crops``. Empty: a checkpoint as in ``checkpoints``."""
    association: str = "flat_vhp_vae_sort"
    """Tracker of the systems that compare embedders."""
    checkpoints: str = "runs/train/{name}_{seed}"
    """Training folder of an embedder for which only a name is given."""
    crops: str = ""
    """Labelled images on which embedders are measured, as in ``flatsort retrieval --data``; empty: none."""
    seeds: list[int] = field(default_factory=lambda: [0])
    """Training seeds of the checkpoints with ``{seed}`` in their names."""
    published: str = ""
    """Published table to print beside the measured rows: mot16, or none."""
    rounds: int = 1000
    """Replicates of the bootstrap; 0: no confidence intervals."""

    def __post_init__(self) -> None:
        if self.published not in ("", "mot16"):
            raise ValueError(f"published: expected mot16 or nothing, got {self.published!r}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: expected different numbers, got {list(self.seeds)}")
        if self.rounds < 0:
            raise ValueError(f"rounds: expected 0 or more, got {self.rounds}")


@dataclass(frozen=True, eq=False)
class System:
    """A system with its resolved track configs.

    Attributes
    ----------
    name, description, learned : str
        As in `tools.experiments.results.SystemResult`.
    configs : mapping of int or None to TrackConfig
        By training seed; the key is None for a system without seeds.
    """

    name: str
    description: str
    learned: str
    configs: Mapping[int | None, TrackConfig]


def select_systems(config: BenchmarkConfig, names: Sequence[str]) -> BenchmarkConfig:
    """The config with the named systems only: systems of the config, and trackers under their own names.

    Raises
    ------
    ValueError
        If there is neither a system nor a tracker of a name, or a name comes twice.
    """
    selected: dict[str, SystemConfig] = {}
    for name in names:
        title = Path(name).stem if name.endswith((".yaml", ".yml")) else name
        if title in selected:
            raise ValueError(f"--systems: expected different names, got {title} twice")
        if name not in config.systems:
            _find_tracker(name, config.systems)
        selected[title] = config.systems.get(name, SystemConfig(tracker=name))
    return replace(config, systems=selected)


def with_embedders(config: BenchmarkConfig, text: str) -> BenchmarkConfig:
    """The config with additional systems that differ in their embedder only.

    Parameters
    ----------
    config : BenchmarkConfig
    text : str
        Names separated by commas: embedders of the config, models, ``pixels``; or ``all``: those of the config, or,
        if it has none, every model and ``pixels``. The weights of a model are those in ``checkpoints``, or the shipped
        ones if there is no such file.

    Raises
    ------
    ValueError
        If there is no embedder or model with a name, or a system already has it.
    """
    from flatsort.embedding.model import MODELS
    from flatsort.embedding.registry import names_without_weights, shipped_checkpoints

    trained = {name: config.checkpoints.replace(NAME, name) for name in MODELS.names()}
    for name in set(shipped_checkpoints()) & set(trained):
        if not any(Path(trained[name].replace(SEED, str(seed))).exists() for seed in config.seeds):
            trained[name] = name
    known = {
        **trained,
        **{name: name for name in names_without_weights()},
        **{n: f for n, f in config.embedders.items() if f},
    }
    if text == "all":
        names = list(config.embedders) or [*names_without_weights(), *trained]
    else:
        names = [name for name in text.split(",") if name]
    systems = dict(config.systems)
    for name in names:
        if name not in known:
            raise ValueError(f"--embedders: unknown {name!r}{suggest(name, known)}")
        system = SystemConfig(tracker=config.association, weights=known[name])
        if systems.get(name, system) != system:
            raise ValueError(f"--embedders: expected names that no system has, got {name!r}")
        systems[name] = system
    return replace(config, systems=systems, embedders={name: known[name] for name in names})


def with_weights(config: BenchmarkConfig, pairs: Sequence[str]) -> BenchmarkConfig:
    """The config with the embedders replaced by ``EMBEDDER=FILE``: of the systems with that embedder or that name.

    Raises
    ------
    ValueError
        If a text has another form, or no system has that embedder or name.
    """
    systems = dict(config.systems)
    embedders = {name: (each.weights or tracker_config(name, each).embedder) for name, each in systems.items()}
    for pair in pairs:
        embedder, equals, file = pair.partition("=")
        if not equals or not embedder or not file:
            raise ValueError(f"--weights {pair!r}: expected EMBEDDER=FILE, for example vae=runs/vae_{SEED}.safetensors")
        fitting = [name for name in systems if embedder in (name, embedders[name])]
        if not fitting:
            known = sorted({*systems, *filter(None, embedders.values())})
            raise ValueError(f"--weights {pair!r}: no system has the embedder {embedder!r}{suggest(embedder, known)}")
        systems.update({name: replace(systems[name], weights=file) for name in fitting})
    return replace(config, systems=systems)


def tracker_config(name: str, system: SystemConfig, seed: int | None = None) -> TrackConfig:
    """The track config of a system with a training seed.

    Raises
    ------
    ValueError
        If there is no such tracker, or a key or value does not fit.
    """
    values = {"embedder": system.weights.replace(SEED, str(seed))} if system.weights else {}
    try:
        return load(TrackConfig, find("track", system.tracker or name), system.set, values, given_by="set")
    except ValueError as error:
        raise ValueError(f"system {name}: {error}") from error


def resolve_systems(config: BenchmarkConfig) -> list[System]:
    """The systems of a config with their resolved track configs.

    Raises
    ------
    ValueError, FileNotFoundError
        If there are none, or a tracker or an embedder cannot be found.
    """
    if not config.systems:
        raise ValueError("systems: expected at least one, got none")
    return [_resolve(name, system, config.seeds) for name, system in config.systems.items()]


def embedder_comparison(config: BenchmarkConfig) -> EmbedderComparison:
    """The embedders of a config with all seeds, and the gallery configs of their tracker."""
    from flatsort.tools.experiments.embedder_traits import EmbedderComparison

    files, galleries = {}, {}
    for name in config.embedders:
        configs = _resolve(name, config.systems[name], config.seeds).configs
        files[name] = [each.embedder for each in configs.values()]
        galleries[name] = next(iter(configs.values())).gallery
    return EmbedderComparison(files, config.crops, galleries)


def _resolve(name: str, system: SystemConfig, seeds: Sequence[int]) -> System:
    configs = {seed: tracker_config(name, system, seed) for seed in (seeds if SEED in system.weights else [None])}
    kinds = {_kind(name, each.embedder) for each in configs.values()}
    embedder = system.weights or next(iter(configs.values())).embedder
    learned = system.learned or ("supervised" if "onnx" in kinds else "unsupervised" if embedder else "")
    tracker = system.tracker or name
    parts = [
        f"tracker {tracker}",
        f"embedder {embedder}" if embedder else "",
        " ".join(system.set),
        "smoothed at the end (not in the times)" if next(iter(configs.values())).offline else "",
        system.note,
    ]
    return System(name, ", ".join(filter(None, parts)), learned, configs)


def _kind(name: str, embedder: str) -> str:
    """Registered kind of an embedder; empty for none."""
    if not embedder:
        return ""
    from flatsort.embedding.loading import resolve_embedder

    try:
        return resolve_embedder(embedder)[0]
    except (ValueError, FileNotFoundError) as error:
        raise type(error)(f"system {name}: {error}") from error


def _find_tracker(name: str, systems: Mapping[str, SystemConfig]) -> None:
    try:
        find("track", name)
    except ValueError as error:
        if not systems or "no such file" in str(error):
            raise
        known = sorted({*systems, *names("track")})
        raise ValueError(f"unknown system {name!r}{suggest(name, known)}, or a FILE.yaml") from error
