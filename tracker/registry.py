"""Registries: the replaceable parts of a kind by name. A new part registers itself in its own file."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class PartConfig:
    """Base of the config of every registered part.

    Attributes
    ----------
    name : str
        Registered name of the part.
    """

    name: str = ""


def require(config: PartConfig, where: str, *rules: tuple[str, bool, str]) -> None:
    """Check the settings of a part.

    Parameters
    ----------
    config : PartConfig
    where : str
        Key that holds the config, for the error message: "detector".
    rules : tuple of str, bool, str
        Name of a setting, whether its value is valid, and what was expected.

    Raises
    ------
    ValueError
        At the first setting that is not valid.
    """
    for name, ok, expected in rules:
        if not ok:
            raise ValueError(f"{where}.{name}: expected {expected}, got {getattr(config, name)!r}")


@dataclass(frozen=True)
class _Entry(Generic[T]):
    config: type[PartConfig]
    factory: Callable[..., T]
    tags: Collection[str]


class Registry(Generic[T]):
    """The known parts of one kind: factories of objects, or functions that give a result of type ``T``.

    Parameters
    ----------
    kind : str
        What is registered, for error messages: "motion model", "detector".
    module : str
        Module that registers parts, imported on first use. If it is a package, all of its modules are imported, so that
        a new part is one new file.

    A name may also be the path of a ``FILE.py`` of the user's own, which registers the part when it is imported.

    Examples
    --------
    >>> @DETECTORS.register("mine", MyConfig)
    ... class MyDetector: ...
    >>> @COSTS.register("centre_distance")
    ... def centre_distance(problem, weight): ...
    """

    def __init__(self, kind: str, module: str) -> None:
        self.kind = kind
        self.module = module
        self._parts: dict[str, _Entry[T]] = {}
        self._loaded = False

    def register(
        self, name: str, config: type[PartConfig] = PartConfig, *, tags: Collection[str] = ()
    ) -> Callable[[F], F]:
        """Decorator that registers a class or function as ``name``.

        Parameters
        ----------
        name : str
        config : type
            Config dataclass: `build` calls the class or function with an instance of it. Parts that are taken with
            `get` need none.
        tags : collection of str
            Properties of the part that others ask for with `names`.
        """

        def add(factory: F) -> F:
            self._parts[name] = _Entry(config, factory, tags)
            return factory

        return add

    def names(self, tag: str | None = None) -> list[str]:
        """The known names, sorted; with a ``tag``, those of the parts that have it."""
        self._load()
        return sorted(name for name, entry in self._parts.items() if tag is None or tag in entry.tags)

    def config(self, name: str) -> type[PartConfig]:
        """The config dataclass of a part.

        Raises
        ------
        ValueError
            If the name is unknown; the message lists the known ones.
        """
        return self._find(name).config

    def get(self, name: str) -> Callable[..., T]:
        """The class or function that is registered as ``name``; raises as `config`."""
        return self._find(name).factory

    def build(self, config: PartConfig) -> T:
        """The part that ``config.name`` names, built from ``config``; raises as `config`."""
        return self._find(config.name).factory(config)

    def _find(self, name: str) -> _Entry[T]:
        if name not in self._parts:
            self._load()
        if name not in self._parts and name.endswith(".py"):
            self._parts[name] = self._of_file(Path(name))
        if name not in self._parts:
            raise ValueError(f"unknown {self.kind} {name!r}{suggest(name, self._parts)}, or a FILE.py with one")
        return self._parts[name]

    def _of_file(self, path: Path) -> _Entry[T]:
        """The part that a file of the user's registers: the last one, if there are several."""
        if not path.is_file():
            raise ValueError(f"{self.kind} {path}: no such file")
        name = f"flatsort_part_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        before = dict(self._parts)
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise ValueError(f"{self.kind} {path}: cannot be imported ({type(error).__name__}: {error})") from error
        new = [entry for each, entry in self._parts.items() if before.get(each) is not entry]
        if not new:
            raise ValueError(f"{path}: expected a file that registers a {self.kind}, but it registers none")
        return new[-1]

    def _load(self) -> None:
        if not self._loaded:
            module = importlib.import_module(self.module)
            for child in pkgutil.iter_modules(getattr(module, "__path__", ())):
                importlib.import_module(f"{self.module}.{child.name}")
            self._loaded = True


def suggest(word: str, known: Iterable[str]) -> str:
    """End of an error message about an unknown word: the nearest known word and the list of all."""
    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{hint} (known: {', '.join(choices)})"
