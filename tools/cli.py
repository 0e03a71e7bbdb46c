"""What the verbs share: errors in one line, progress bars, ``KEY=VALUE`` arguments, names for completion."""

from __future__ import annotations

import importlib
import io
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from flatsort.tracker.files import exists, file_name
from flatsort.tracker.io.addresses import hide_secrets

if TYPE_CHECKING:
    from flatsort.tracker.protocols import Embedder

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., object])

USER_ERROR = 2
INTERRUPTED = 130
OVERRIDE = re.compile(r"[A-Za-z_][\w.\[\]]*=")
"""Begin of an argument that is ``KEY=VALUE`` and no file."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end, as by ``docker stop``, a job scheduler or a closed terminal: as after Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


def run(command: click.Command) -> NoReturn:
    """Run a verb and leave the process.

    The exit code is 0; 2 with one line on stderr for a user's error; 130 after Ctrl-C, 143 after SIGTERM, 129 after
    SIGHUP.
    """
    debug = "--debug" in sys.argv
    _prepare_process(debug)
    try:
        code = command.main(args=[a for a in sys.argv[1:] if a != "--debug"], standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = USER_ERROR
    except (click.Abort, KeyboardInterrupt) as error:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the rest is quick, and another Ctrl-C would only add a trace
        cause = error if isinstance(error, KeyboardInterrupt) else error.__cause__
        click.echo("interrupted", err=True)
        code = cause.code if isinstance(cause, Terminated) else INTERRUPTED
    except BrokenPipeError:  # the reader of our output has left, for example `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:
        if debug or not _is_expected(error):
            raise
        click.echo(f"error: {_sentence(error)}", err=True)
        code = USER_ERROR
    sys.exit(code if isinstance(code, int) else 0)


def _prepare_process(debug: bool) -> None:
    """Logging, signals and streams of a process that is a command, before anything else."""
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Formatter("%(levelname)s: %(message)s"))
    for noisy in ("matplotlib", "PIL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if not debug:  # OpenCV and FFmpeg would add lines of their own to our one sentence
        os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    if sys.stdout is None:  # closed by whoever started us
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal or file of another encoding
            stream.reconfigure(errors="replace")
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:  # not where nohup ignores it
            signal.signal(number, _terminate)


def _terminate(number: int, _: object) -> NoReturn:
    raise Terminated(number)


def _is_expected(error: Exception) -> bool:
    """Whether an error is the user's or the machine's, to be told in a sentence."""
    return isinstance(error, (click.ClickException, ValueError, OSError, ImportError)) or _lacks_memory(error)


def _lacks_memory(error: Exception) -> bool:
    """Whether memory, or the depth of the stack, did not suffice; torch has no class of its own for it on the CPU."""
    if isinstance(error, (MemoryError, RecursionError)) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and bool(re.search(r"can't allocate memory|out of memory", str(error)))


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
    return printable("; ".join([text, *getattr(error, "__notes__", [])]))


def printable(text: str) -> str:
    """A text on one line, without secrets of addresses and without characters that control a terminal."""
    line = " ".join(hide_secrets(text).split())
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line)


class _Formatter(logging.Formatter):
    """Log lines in which addresses show no user, password or token."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(printable(line) for line in super().format(record).splitlines())
