"""What is attacked: each reader with valid content, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.mutations import Form


@dataclass(frozen=True)
class Target:
    """A reader that is ready.

    Attributes
    ----------
    path : Path
        File whose content is changed.
    seeds : sequence of bytes
        Valid content of it.
    form : str
        What the content is made of.
    read : callable
        Reads the file, as deeply as users do; raises `ValueError` or `OSError` for what it refuses.
    named : str
        What a refusal has to name, by default the file.
    """

    path: Path
    seeds: Sequence[bytes]
    form: Form
    read: Callable[[], object]
    named: str | None = None

    @property
    def place(self) -> str:
        """What every refusal has in its sentence."""
        return self.path.name if self.named is None else self.named


Prepare = Callable[[Path], Target]
"""Makes a reader ready in an empty folder."""


def all_readers() -> Mapping[str, Prepare]:
    """Readers by name."""
    from tests.fuzz.readers import boxes, configs, networks, pictures, records, stored

    return {
        name: prepare
        for module in (boxes, configs, records, stored, networks, pictures)
        for name, prepare in module.READERS.items()
    }
