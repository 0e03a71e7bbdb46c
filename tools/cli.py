"""What the verbs share: errors in one line, progress bars, ``KEY=VALUE`` arguments, names for completion."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from flatsort.tools import process
from flatsort.tracker.files import exists, file_name

if TYPE_CHECKING:
    from flatsort.tracker.protocols import Embedder

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., object])

USER_ERROR = 2
OVERRIDE = re.compile(r"[A-Za-z_][\w.\[\]]*=")
"""Begin of an argument that is ``KEY=VALUE`` and no file."""
NO_MEMORY = re.compile(
    r"can't allocate|not enough memory|out of memory|insufficient memory|failed to allocate|bad_alloc"
)
"""What torch, ONNX Runtime and OpenCV say, which have no class of error for it on the CPU."""


def run(command: click.Command) -> NoReturn:
    """Run a verb and leave the process.

    The exit code is 0; 2 with one line on stderr for a user's error; 130 after Ctrl-C, 143 after SIGTERM, 129 after
    SIGHUP.
    """
    debug = "--debug" in sys.argv
    interrupter = process.Interrupter()
    try:
        process.prepare(debug, interrupter)
        code = command.main(args=[a for a in sys.argv[1:] if a != "--debug"], standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = USER_ERROR
    except (click.Abort, KeyboardInterrupt) as error:
        process.interrupted(error if isinstance(error, KeyboardInterrupt) else error.__cause__)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and error.filename is None:  # our reader has left, for example `| head`
            process.end(1)
        if debug:
            raise
        if interrupter.came:
            process.interrupted(error)
        if not _is_expected(error):
            raise
        process.end(USER_ERROR, f"error: {_sentence(error)}")
    process.end(code if isinstance(code, int) else 0)


def _is_expected(error: Exception) -> bool:
    """Whether an error is the user's or the machine's, to be told in a sentence."""
    return isinstance(error, (click.ClickException, ValueError, OSError, ImportError)) or _lacks_memory(error)


def _lacks_memory(error: Exception) -> bool:
    """Whether memory, or the depth of the stack, did not suffice."""
    if isinstance(error, (MemoryError, RecursionError)) or type(error).__name__ == "OutOfMemoryError":
        return True
    foreign = not isinstance(error, (ValueError, OSError, ImportError))
    return foreign and bool(NO_MEMORY.search(str(error).lower()))


class Verbs(click.Group):
    """A group that knows its verbs by name and imports the file of one when it runs, so that help is quick.

    Parameters
    ----------
    verbs : dict of str
        Name → what the verb does, in the order a newcomer needs them.
    package : str
        Holds a module with a command ``main`` for each verb.
    """

    def __init__(self, *args: Any, verbs: dict[str, str], package: str, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.verbs, self.package = verbs, package

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the verbs in their order."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the command of a verb, None if there is no such verb."""
        if cmd_name not in self.verbs:
            return None
        command: click.Command = importlib.import_module(f"{self.package}.{cmd_name.replace('-', '_')}").main
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(self.verbs.items()))


def debug_option(command: F) -> F:
    """Show ``--debug`` in the help of a verb; `run` has taken it before the verb sees it."""
    return click.option("--debug", is_flag=True, expose_value=False, help="Show the full trace of an error.")(command)


def progress(items: Iterable[T], total: int | None, label: str, unit: str = "frame") -> Iterator[T]:
    """The items, with a bar of rate and remaining time on stderr; silent off a terminal and for the first second."""
    from tqdm import tqdm

    yield from tqdm(items, total=total, desc=label, unit=unit, delay=1.0, disable=not sys.stderr.isatty(), leave=False)


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Sources and ``key=value`` overrides; a file that exists, or a glob of some, is a source whatever its name."""
    overrides = [a for a in arguments if OVERRIDE.match(a) and not exists(a) and not is_glob(a)]
    return [a for a in arguments if a not in overrides], overrides


def is_glob(text: str) -> bool:
    """Whether a text is a pattern that some file matches."""
    if not any(mark in text for mark in "*?["):
        return False
    try:
        return next(Path(Path(text).anchor).glob(str(Path(text).relative_to(Path(text).anchor))), None) is not None
    except (OSError, ValueError, IndexError):
        return False


def unique_name(name: str, used: set[str]) -> str:
    """``name`` as a name of files, or name-2, name-3, … when it is taken; remembered in ``used``."""
    name = file_name(name)
    number, free = 1, name
    while free in used:
        number += 1
        free = f"{name}-{number}"
    used.add(free)
    return free


def config_names(kind: str) -> list[str]:
    """Names under ``configs/KIND``, for the completion of the shell."""
    from flatsort.tracker.config import names

    return names(kind)


def open_embedder(model: str, device: str, settings: Sequence[str]) -> Embedder:
    """The embedder that a name or file means, with ``key=value`` settings."""
    from flatsort.embedding import load
    from flatsort.tracker import config

    values = config.settings(settings)
    if "device" in values:
        raise click.UsageError("device=…: expected the option --device")
    return load(model, device, **values)


def _sentence(error: Exception) -> str:
    if isinstance(error, click.ClickException):
        text = error.format_message()
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
        text += f" (see {where} --help)" if where else ""
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, RecursionError):
        text = f"expected data that is not nested so deeply ({error})"
    elif _lacks_memory(error):
        text = f"not enough memory: {str(error).partition('. ')[0] or 'expected a smaller input or a larger machine'}"
    else:
        text = str(error) or type(error).__name__
    return process.printable("; ".join([text, *getattr(error, "__notes__", [])]))
