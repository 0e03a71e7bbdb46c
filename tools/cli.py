"""What the verbs share: errors in one line, progress bars, ``KEY=VALUE`` arguments, names for completion."""

from __future__ import annotations

import importlib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from flatsort.tracker.io.addresses import hide_secrets

if TYPE_CHECKING:
    from flatsort.tracker.protocols import Embedder

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., object])

USER_ERROR = 2
INTERRUPTED = 130
OVERRIDE = re.compile(r"[A-Za-z_][\w.\[\]]*=")
"""Begin of an argument that is ``KEY=VALUE`` and no file."""


def run(command: click.Command) -> NoReturn:
    """Run a verb and leave the process: 0, 2 with one line on stderr for a user's error, 130 after Ctrl-C."""
    debug = "--debug" in sys.argv
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.DEBUG if debug else logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Formatter("%(levelname)s: %(message)s"))
    if not debug:  # OpenCV and FFmpeg would add lines of their own to our one sentence
        os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    for noisy in ("matplotlib", "PIL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        code = command.main(args=[a for a in sys.argv[1:] if a != "--debug"], standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = USER_ERROR
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = INTERRUPTED
    except BrokenPipeError:  # the reader of our output has left, for example `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except (click.ClickException, ValueError, OSError, ImportError) as error:
        if debug:
            raise
        click.echo(f"error: {_sentence(error)}", err=True)
        code = USER_ERROR
    sys.exit(code if isinstance(code, int) else 0)


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
    """Sources and ``key=value`` overrides; a file that exists is a source whatever its name."""
    overrides = [a for a in arguments if OVERRIDE.match(a) and not Path(a).exists()]
    return [a for a in arguments if a not in overrides], overrides


def unique_name(name: str, used: set[str]) -> str:
    """``name``, or name-2, name-3, … when it is taken; remembered in ``used``."""
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
    else:
        text = str(error) or type(error).__name__
    return hide_secrets(" ".join(text.split()))


class _Formatter(logging.Formatter):
    """Log lines in which addresses show no user, password or token."""

    def format(self, record: logging.LogRecord) -> str:
        return hide_secrets(super().format(record))
