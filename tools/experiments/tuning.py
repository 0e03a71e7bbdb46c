"""Search for the parameters with which a tracker scores best, on all given sequences or on all but one in turn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from flatsort.tools.experiments import result_cache
from flatsort.tools.experiments.result_cache import Cache
from flatsort.tools.experiments.results import BenchmarkSequence, Progress
from flatsort.tools.experiments.runner import plan, run
from flatsort.tools.experiments.search_space import Space, Value
from flatsort.tools.experiments.study import Study
from flatsort.tools.experiments.tuning_record import tuned_on, video_name, write_tuned
from flatsort.tracker.config import load, to_mapping
from flatsort.tracker.files import write_text
from flatsort.tracker.metrics import Evaluation, pool
from flatsort.tracker.track_config import TrackConfig

STUDY, LEFT_OUT = "study.journal", "left_out.json"
"""Files of the trials, and of the scores on left-out sequences."""


@dataclass(frozen=True, eq=False)
class TuningTask:
    """A tracker to be tuned: its search space, sequences and objective.

    Attributes
    ----------
    tracker : str
        Name or file.
    config : TrackConfig
        The tracker's config before tuning.
    space : dict of str to Range or Choice
    sequences : mapping of str to BenchmarkSequence
        Those to tune on.
    objective : str
        Field of `tracker.metrics.Scores` to maximise.
    seed : int
    detections : str
        Name of the detections and their minimum score, for the report.
    """

    tracker: str
    config: TrackConfig
    space: Space
    sequences: Mapping[str, BenchmarkSequence]
    objective: str = "idf1"
    seed: int = 0
    detections: str = ""


@dataclass(frozen=True, eq=False)
class TuningResult:
    """The best config of a search and its scores.

    Attributes
    ----------
    config : TrackConfig
    changed : mapping of str to (value, value)
        Key → values before and after; empty where no trial was better than the tracker's own config.
    before, after : Evaluation
        Of the tracker's own config and of ``config``, on the sequences tuned on.
    trials : int
        Number of finished trials.
    """

    config: TrackConfig
    changed: Mapping[str, tuple[Value, Value]]
    before: Evaluation
    after: Evaluation
    trials: int


def tune(
    task: TuningTask,
    folder: Path,
    cache: Cache,
    trials: int,
    progress: Progress = lambda items, _total, _label: iter(items),
    label: str = "tune",
) -> TuningResult:
    """Search the parameters with the highest score; a study that is in ``folder`` is continued.

    Writes the study, ``tuned.yaml`` (a config for ``--tracker``) and ``tuning.json`` into ``folder``.

    Raises
    ------
    ImportError
        If Optuna is not installed.
    ValueError, FileNotFoundError
        If a key or value of the space does not fit the tracker, the study in ``folder`` is a different one, or the
        tracker cannot run.
    """

    def score(values: Mapping[str, Value]) -> float | None:
        try:
            config = with_values(task.config, values)
        except ValueError:  # each value is valid, but not their combination
            return None
        return float(getattr(evaluate(config, task.sequences, cache).overall, task.objective))

    own = own_values(task)
    identity = {
        "tracker": to_mapping(task.config),
        "sequences": {
            name: [result_cache.key_of_detections(sequence.detections), result_cache.key_of_ground_truth(sequence)]
            for name, sequence in task.sequences.items()
        },
        "objective": task.objective,
    }
    study = Study(folder / STUDY, task.space, identity, task.seed)
    before = evaluate(task.config, task.sequences, cache)
    for _ in progress(study.run(score, trials, own), max(0, trials - len(study.trials)), label):
        pass
    best, config, changed = study.best, task.config, {}
    if best is not None and (best.score or 0.0) > getattr(before.overall, task.objective):
        config = with_values(task.config, best.values)
        changed = {key: (own[key], value) for key, value in best.values.items() if value != own[key]}
    result = TuningResult(config, changed, before, evaluate(config, task.sequences, cache), len(study.trials))
    _write(task, result, folder)
    return result


def evaluate(config: TrackConfig, sequences: Mapping[str, BenchmarkSequence], cache: Cache) -> Evaluation:
    """Pooled scores of a config on sequences; finished runs come from the cache."""
    return pool(run(plan(config, sequence), cache).result for sequence in sequences.values())


def with_values(config: TrackConfig, values: Mapping[str, Value]) -> TrackConfig:
    """The config with some values replaced, by dotted key.

    Raises
    ------
    ValueError
        If a key is unknown or a value does not fit.
    """
    # an instance is a schema whose defaults are its own values
    return load(cast("type[TrackConfig]", config), values=values)


def leave_one_out(
    task: TuningTask, folder: Path, cache: Cache, trials: int, progress: Progress
) -> tuple[Evaluation, Evaluation]:
    """Cross-validation: tune once without each sequence, and score the result on that sequence.

    Writes the files of `tune` into ``folder/without-NAME``, and ``left_out.json`` into ``folder``.

    Returns
    -------
    own, tuned : Evaluation
        Scores of the tracker's own config, and of each sequence with the config that was tuned without it.

    Raises
    ------
    ValueError
        If there are fewer than two sequences; and as `tune`.
    """
    videos = {name: video_name(name) for name in task.sequences}
    if len(set(videos.values())) < 2:
        raise ValueError(f"--leave-one-out: expected at least two sequences, got {', '.join(task.sequences)}")
    own, tuned = [], []
    for name, left_out in task.sequences.items():
        rest = {other: sequence for other, sequence in task.sequences.items() if videos[other] != videos[name]}
        without = replace(task, sequences=rest)
        result = tune(without, folder / f"without-{name}", cache, trials, progress, f"without {name}")
        own.append(evaluate(task.config, {name: left_out}, cache).sequences[name])
        tuned.append(evaluate(result.config, {name: left_out}, cache).sequences[name])
    before, after = pool(own), pool(tuned)
    rows = {title: _scores_to_json(each) for title, each in (("own", before), ("tuned", after))}
    write_text(folder / LEFT_OUT, json.dumps({"objective": task.objective, **rows}, indent=2, allow_nan=False) + "\n")
    return before, after


def own_values(task: TuningTask) -> dict[str, Value]:
    """The tracker's own values of the keys in the space.

    Raises
    ------
    ValueError
        If the tracker has no such key, or a value of the space does not fit.
    """
    own: dict[str, Value] = {}
    for key, part in task.space.items():
        for end in part.ends:
            with_values(task.config, {key: end})
        value: Any = to_mapping(task.config)
        for name in key.split("."):
            value = value[name]
        own[key] = value["name"] if isinstance(value, dict) else value  # "motion" is short for "motion.name"
    return own


def _write(task: TuningTask, result: TuningResult, folder: Path) -> None:
    key = task.objective
    before, after = (float(getattr(each.overall, key)) for each in (result.before, result.after))
    own = f"{key} {before:.2f} with its own parameters"
    lines = [f"{task.tracker}: {own}, {after:.2f} with these after {result.trials} trials"]
    lines += [f"{name}: {old} -> {new}" for name, (old, new) in result.changed.items()]
    names = sorted({*task.sequences, *tuned_on(task.tracker)})
    report = {
        "base": task.tracker,
        "objective": key,
        "before": before,
        "after": after,
        "trials": result.trials,
        "seed": task.seed,
        "detections": task.detections,
        "changed": {name: new for name, (_, new) in result.changed.items()},
    }
    write_tuned(folder, result.config, names, "\n".join(lines), report)


def _scores_to_json(evaluation: Evaluation) -> dict[str, Any]:
    return {name: asdict(scores) for name, scores in evaluation.rows().items()}
