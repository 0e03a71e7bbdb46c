"""Parameter studies with Optuna in a file: an interrupted study continues as if it had not been interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flatsort.tools.experiments.search_space import Choice, Range, Space, Value

if TYPE_CHECKING:
    import optuna

DAMAGE = (ValueError, KeyError, TypeError, AttributeError, AssertionError, LookupError, OverflowError, RecursionError)
"""What Optuna raises for journals that are damaged or of something else."""


@dataclass(frozen=True, eq=False)
class Trial:
    """Values that were tried and their score; None where the combination is not valid."""

    values: Mapping[str, Value]
    score: float | None


class Study:
    """A search for the parameters with the highest score, by the tree-structured Parzen estimator.

    The values of a trial are a function of the seed, its number and the finished trials, so a resumed study ends with
    the same result as an uninterrupted one.

    Parameters
    ----------
    path : Path
        File of the study; created, or continued.
    space : dict of str to Range or Choice
    identity : mapping
        What else the scores depend on, in values that JSON can write; a study is continued only with the same.
    seed : int

    Raises
    ------
    ImportError
        If Optuna is not installed.
    ValueError
        If the file belongs to a different study or is none.

    References
    ----------
    Bergstra et al., Algorithms for hyper-parameter optimization, 2011.
    """

    def __init__(self, path: Path, space: Space, identity: Mapping[str, Any], seed: int = 0) -> None:
        _require_optuna()
        self._space, self._seed = space, seed
        self._study, known = self._open(path)
        plain = {**identity, "space": {k: repr(asdict(v)) for k, v in space.items()}, "seed": seed}
        new = json.loads(json.dumps(plain))
        if known is None:
            self._study.set_user_attr("identity", new)
        elif known != new:
            other = ", ".join(key for key in {**new, **known} if new.get(key) != known.get(key))
            raise ValueError(f"{path}: the study in it has another {other}; expected the same, or another --out")

    @property
    def trials(self) -> list[Trial]:
        """The finished trials, in order."""
        return [
            Trial(self._values(trial.params), trial.value)
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state.is_finished()
        ]

    @property
    def best(self) -> Trial | None:
        """The first trial with the highest score; None before any trial has one."""
        scored = [trial for trial in self.trials if trial.score is not None]
        return max(scored, key=lambda trial: trial.score or 0.0, default=None)

    def run(
        self, score: Callable[[Mapping[str, Value]], float | None], trials: int, first: Mapping[str, Value]
    ) -> Iterator[Trial]:
        """Run trials until ``trials`` are finished, those of earlier calls included; yield each new one.

        Parameters
        ----------
        score : callable
            Values by key → score; None where the combination is not valid.
        trials : int
        first : mapping
            Values of the first trial; skipped where they are outside of the space.
        """
        import optuna

        for number in range(len(self.trials), trials):
            if number == 0 and (start := self._parameters(first)) is not None:
                self._study.enqueue_trial(start)
            entropy = np.random.SeedSequence([self._seed, number]).generate_state(1)
            self._study.sampler = optuna.samplers.TPESampler(seed=int(entropy[0]))
            trial = self._study.ask({key: self._distribution(part) for key, part in self._space.items()})
            values = self._values(trial.params)
            result = score(values)
            self._study.tell(trial, result, optuna.trial.TrialState.FAIL if result is None else None)
            yield Trial(values, result)

    def _open(self, path: Path) -> tuple[optuna.Study, dict[str, Any] | None]:
        """The study and its identity; refused where lines are damaged or lost."""
        import optuna
        from optuna.storages.journal import JournalFileBackend

        path.parent.mkdir(parents=True, exist_ok=True)
        _drop_incomplete_line(path)
        backend = JournalFileBackend(str(path))
        try:
            storage = optuna.storages.JournalStorage(backend)
            study = optuna.create_study(storage=storage, study_name="tune", direction="maximize", load_if_exists=True)
            for trial in study.get_trials(deepcopy=False):
                if trial.state.is_finished():
                    self._values(trial.params)
            identity = study.user_attrs.get("identity")
            return study, None if identity is None else dict(identity)
        except DAMAGE as error:
            raise ValueError(
                f"{path}: expected a study of Optuna, cannot read it ({type(error).__name__}: {error})"
            ) from error

    def _distribution(self, part: Range | Choice) -> optuna.distributions.BaseDistribution:
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if isinstance(part, Choice):
            return CategoricalDistribution(part.options)
        if part.whole:
            return IntDistribution(int(part.low), int(part.high), log=part.log)
        return FloatDistribution(part.low, part.high, log=part.log)

    def _values(self, params: Mapping[str, Any]) -> dict[str, Value]:
        parts = ((key, part, params[key]) for key, part in self._space.items())
        return {key: sampled if isinstance(part, Choice) else part.value(sampled) for key, part, sampled in parts}

    def _parameters(self, values: Mapping[str, Value]) -> dict[str, Value] | None:
        """Values as Optuna's parameters; None if they are outside of the space."""
        parameters: dict[str, Value] = {}
        for key, part in self._space.items():
            number = values[key] if isinstance(part, Choice) else part.number_of(values[key])
            if number not in part.options if isinstance(part, Choice) else number is None:
                return None
            parameters[key] = number
        return parameters


def _require_optuna() -> None:
    try:
        import optuna
    except ImportError as error:
        raise ImportError("tuning needs Optuna: pip install flatsort[tune]") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _drop_incomplete_line(path: Path) -> None:
    """Remove a last line that was not written completely."""
    if path.is_file() and not (text := path.read_bytes()).endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(text.rfind(b"\n") + 1)
