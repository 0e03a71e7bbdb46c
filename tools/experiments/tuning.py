"""A tracker's settings chosen by looking at scores, and the care that such scores are not taken for results."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from flatsort.tools.experiments import result_cache
from flatsort.tools.experiments.result_cache import Cache
from flatsort.tools.experiments.results import SequenceInput
from flatsort.tools.experiments.runner import plan, run
from flatsort.tools.experiments.search_space import Space, Value
from flatsort.tools.experiments.study import Study, Trial
from flatsort.tools.experiments.tuning_record import footage, tuned_on, write_tuned
from flatsort.tracker.config import load, to_mapping
from flatsort.tracker.files import write_text
from flatsort.tracker.metrics import Evaluation, pool
from flatsort.tracker.track_config import TrackConfig

STUDY, LEFT_OUT = "study.journal", "left_out.json"

Progress = Callable[[Iterator[Trial], int], Iterable[Trial]]
"""Gets the iterator of new trials and their number, and passes the trials on."""


@dataclass(frozen=True, eq=False)
class Job:
    """What is to be tuned.

    Attributes
    ----------
    tracker : str
        Name or file.
    config : TrackConfig
        The tracker's own.
    space : dict of str to Range or Choice
    sequences : mapping of str to SequenceInput
        Those to tune on.
    objective : str
        Field of `tracker.metrics.Scores` to make high.
    seed : int
    detections : str
        Name of the detections and their least score, for a reader.
    """

    tracker: str
    config: TrackConfig
    space: Space
    sequences: Mapping[str, SequenceInput]
    objective: str = "idf1"
    seed: int = 0
    detections: str = ""


@dataclass(frozen=True, eq=False)
class Tuned:
    """What tuning found.

    Attributes
    ----------
    config : TrackConfig
    changed : mapping of str to (value, value)
        Key → the tracker's own value and that of ``config``; empty where nothing was better than the tracker's own.
    before, after : Evaluation
        Of the tracker's own config and of ``config``, on the sequences tuned on.
    trials : int
        Finished ones.
    """

    config: TrackConfig
    changed: Mapping[str, tuple[Value, Value]]
    before: Evaluation
    after: Evaluation
    trials: int


def tune(
    job: Job,
    folder: Path,
    cache: Cache,
    trials: int,
    progress: Progress = lambda found, _: found,
) -> Tuned:
    """Search the settings of highest score; a study in ``folder`` is gone on with.

    Leaves the study, ``tuned.yaml`` (a config for ``--tracker``) and ``tuned_on.json`` in ``folder``.

    Raises
    ------
    ImportError
        If Optuna is not installed.
    ValueError, FileNotFoundError
        If a key or value of the space does not fit the tracker, the study in ``folder`` is another one, or the tracker
        cannot run.
    """

    def score(values: Mapping[str, Value]) -> float | None:
        try:
            config = with_values(job.config, values)
        except ValueError:  # each value is fine, but they do not fit together
            return None
        return float(getattr(evaluate(config, job.sequences, cache).overall, job.objective))

    own = own_values(job)
    identity = {
        "tracker": to_mapping(job.config),
        "sequences": {
            name: [result_cache.of_detections(given.detections), result_cache.of_truth(given)]
            for name, given in job.sequences.items()
        },
        "objective": job.objective,
    }
    study = Study(folder / STUDY, job.space, identity, job.seed)
    before = evaluate(job.config, job.sequences, cache)
    for _ in progress(study.run(score, trials, own), max(0, trials - len(study.trials))):
        pass
    best, config, changed = study.best, job.config, {}
    if best is not None and (best.score or 0.0) > getattr(before.overall, job.objective):
        config = with_values(job.config, best.values)
        changed = {key: (own[key], value) for key, value in best.values.items() if value != own[key]}
    tuned = Tuned(config, changed, before, evaluate(config, job.sequences, cache), len(study.trials))
    _write(job, tuned, folder)
    return tuned


def evaluate(config: TrackConfig, sequences: Mapping[str, SequenceInput], cache: Cache) -> Evaluation:
    """Track and score sequences, or take from the cache what was done before."""
    return pool(run(plan(config, given), cache).result for given in sequences.values())


def with_values(config: TrackConfig, values: Mapping[str, Value]) -> TrackConfig:
    """The config with other values, by dotted key.

    Raises
    ------
    ValueError
        If a key is unknown or a value does not fit.
    """
    # an instance serves as a schema whose defaults are its own values
    return load(cast("type[TrackConfig]", config), values=values)


def leave_one_out(
    job: Job, folder: Path, cache: Cache, trials: int, progress: Callable[[str], Progress]
) -> tuple[Evaluation, Evaluation]:
    """Tune once without each sequence and score that sequence: what tuning is worth on footage that it has not seen.

    Leaves what `tune` leaves in ``folder/without-NAME``, and ``left_out.json`` in ``folder``.

    Returns
    -------
    own, tuned : Evaluation
        Of the tracker's own config, and of each left-out sequence with the config tuned without it.

    Raises
    ------
    ValueError
        If there are fewer than two sequences; and as `tune`.
    """
    shown = {name: footage(name) for name in job.sequences}
    if len(set(shown.values())) < 2:
        raise ValueError(f"--leave-one-out: expected at least two sequences, got {', '.join(job.sequences)}")
    own, tuned = [], []
    for name, left_out in job.sequences.items():
        rest = {other: given for other, given in job.sequences.items() if shown[other] != shown[name]}
        found = tune(
            replace(job, sequences=rest), folder / f"without-{name}", cache, trials, progress(f"without {name}")
        )
        own.append(evaluate(job.config, {name: left_out}, cache).sequences[name])
        tuned.append(evaluate(found.config, {name: left_out}, cache).sequences[name])
    before, after = pool(own), pool(tuned)
    rows = {title: _plain(each) for title, each in (("own", before), ("tuned", after))}
    write_text(folder / LEFT_OUT, json.dumps({"objective": job.objective, **rows}, indent=2, allow_nan=False) + "\n")
    return before, after


def own_values(job: Job) -> dict[str, Value]:
    """The tracker's own values of the keys in the space.

    Raises
    ------
    ValueError
        If the tracker has no such key, or a value of the space does not fit.
    """
    own: dict[str, Value] = {}
    for key, part in job.space.items():
        for end in part.ends:
            with_values(job.config, {key: end})
        value: Any = to_mapping(job.config)
        for name in key.split("."):
            value = value[name]
        own[key] = value["name"] if isinstance(value, dict) else value  # "motion" is short for "motion.name"
    return own


def _write(job: Job, tuned: Tuned, folder: Path) -> None:
    key = job.objective
    before, after = (float(getattr(each.overall, key)) for each in (tuned.before, tuned.after))
    lines = [
        f"{job.tracker}: {key} {before:.2f} with its own settings, {after:.2f} with these after {tuned.trials} trials"
    ]
    lines += [f"{name}: {old} -> {new}" for name, (old, new) in tuned.changed.items()]
    names = sorted({*job.sequences, *tuned_on(job.tracker)})
    note = {
        "base": job.tracker,
        "objective": key,
        "before": before,
        "after": after,
        "trials": tuned.trials,
        "seed": job.seed,
        "detections": job.detections,
        "changed": {name: new for name, (_, new) in tuned.changed.items()},
    }
    write_tuned(folder, tuned.config, names, "\n".join(lines), note)


def _plain(evaluation: Evaluation) -> dict[str, Any]:
    return {name: asdict(scores) for name, scores in evaluation.rows().items()}
