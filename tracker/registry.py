"""Name → (config dataclass, factory). A new part registers itself in its own file."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
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
        Key that holds the config, for the message: "detector".
    rules : tuple of str, bool, str
        Name of a setting, whether it is fine, and what was expected of it.

    Raises
    ------
    ValueError
        At the first setting that is not fine.
    """
    for name, ok, expected in rules:
        if not ok:
            raise ValueError(f"{where}.{name}: expected {expected}, got {getattr(config, name)!r}")


class Registry(Generic[T]):
    """The known parts of one kind.

    Parameters
    ----------
    kind : str
        What is registered, for messages: "motion model", "detector".
    package : str
        Package whose modules register parts; imported on first use, so that a new part is one new file.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._parts: dict[str, tuple[type[PartConfig], Callable[..., T]]] = {}
        self._loaded = False

    def register(self, name: str, config: type[PartConfig]) -> Callable[[F], F]:
        """Decorator that makes a class or function known as ``name``, called with an instance of ``config``."""

        def add(factory: F) -> F:
            self._parts[name] = (config, factory)
            return factory

        return add

    def names(self) -> list[str]:
        """The known names, sorted."""
        self._load()
        return sorted(self._parts)

    def config(self, name: str) -> type[PartConfig]:
        """The config dataclass of a part.

        Raises
        ------
        ValueError
            If the name is unknown; the sentence lists the known ones.
        """
        return self._find(name)[0]

    def build(self, config: PartConfig) -> T:
        """The part that ``config.name`` names, built from ``config``."""
        return self._find(config.name)[1](config)

    def _find(self, name: str) -> tuple[type[PartConfig], Callable[..., T]]:
        self._load()
        if name not in self._parts:
            raise ValueError(f"unknown {self.kind} {name!r}{suggest(name, self._parts)}")
        return self._parts[name]

    def _load(self) -> None:
        if not self._loaded:
            package = importlib.import_module(self.package)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self.package}.{module.name}")
            self._loaded = True


def suggest(word: str, known: Iterable[str]) -> str:
    """End of a sentence about an unknown word: the nearest known one and the list of all."""
    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{hint} (known: {', '.join(choices)})"
