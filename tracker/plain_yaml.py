"""YAML of unknown origin as plain values: mappings with names, lists, texts, numbers; everything else is refused.

A config may come from somebody else. So nothing in it is a command: no tags, no interpolation of the environment, and
neither size nor nesting that a small file can multiply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

MOST_BYTES = 1_000_000
MOST_VALUES = 100_000
"""Of a file, with every alias counted as often as it is used."""
DEEPEST = 50
"""Levels of lists and mappings inside of each other."""
LARGEST = 2**63
PARSE_ERRORS = (yaml.YAMLError, ValueError, TypeError, AttributeError, KeyError, AssertionError, RecursionError)
"""What the parser and the constructors of dates and numbers raise."""


def read_mapping(path: Path, load: Callable[[Path], Any]) -> dict[str, Any]:
    """The content of a YAML file that holds a mapping, read by ``load``; an empty file is an empty one.

    Raises
    ------
    ValueError
        If the file cannot be read, is no YAML, or holds other values; the sentence names file and line or key.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ValueError(f"{path}: expected a config of at most {MOST_BYTES} bytes, got {size}")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from error
    _check_structure(text, str(path))
    try:
        loaded = load(path)
    except OSError as error:  # OmegaConf's, for a document that is one value
        raise ValueError(f"{path}: expected a mapping of keys to values, got a single value") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValueError(f"{path} line {line}: not valid YAML ({error.problem})") from error
    except PARSE_ERRORS as error:
        raise ValueError(f"{path}: not valid YAML ({_reason(error)})") from error
    if not isinstance(loaded, Mapping):
        raise ValueError(f"{path}: expected a mapping of keys to values, got a list")
    content: dict[str, Any] = plain(loaded, str(path), own=False)
    return content


def read_value(text: str, where: str) -> Any:
    """The value of a text, read as YAML.

    Raises
    ------
    ValueError
        If it is none.
    """
    _check_structure(text, where)
    try:
        value = yaml.safe_load(text)
    except PARSE_ERRORS as error:
        raise ValueError(f"{where}: not valid YAML ({_reason(error)})") from error
    return plain(value, where)


def plain(value: Any, where: str, key: str = "", depth: int = 0, *, own: bool = True) -> Any:
    """A value with nothing but mappings, lists, texts and numbers in it, in which no text is an interpolation.

    Parameters
    ----------
    value : object
    where, key : str
        For messages.
    depth : int
        Lists and mappings around the value.
    own : bool
        Whether the user has written it: then ``${`` stands for itself, as in names of files. Else it is refused.

    Raises
    ------
    ValueError
        At the first value of another kind; the sentence names its key.
    """
    place = f"{where}: {key}" if key else where
    if depth > DEEPEST:
        raise ValueError(f"{place}: expected at most {DEEPEST} levels of lists and mappings")
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise ValueError(f"{place}: expected names as keys, got {name!r}")
        return {
            str(n): plain(v, where, f"{key}.{n!s}" if key else str(n), depth + 1, own=own) for n, v in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [plain(entry, where, f"{key}[{i}]", depth + 1, own=own) for i, entry in enumerate(value)]
    if isinstance(value, str):
        if "${" in value and not own:
            raise ValueError(f"{place}: expected a text without ${{…}}, interpolation is not supported")
        return value.replace("${", r"\${")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < LARGEST:
        return value
    if isinstance(value, float):
        return value
    what = "a number of that size" if isinstance(value, int) else f"a value of the kind {type(value).__name__}"
    raise ValueError(f"{place}: expected a text, a number, true, false, a list or a mapping, got {what}")


def _reason(error: Exception) -> str:
    """What is wrong, on one line; errors of constructors that did not expect the value say nothing to users."""
    if isinstance(error, (yaml.YAMLError, ValueError)):
        return " ".join(str(error).split())
    return "a tag on a value of another kind" if not isinstance(error, RecursionError) else "nested too deeply"


def _check_structure(text: str, where: str) -> None:
    """Refuse nesting and aliases that would take more time or memory than the text suggests."""
    depth = 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        if depth > 4 * DEEPEST:
            raise ValueError(f"{where}: expected at most {DEEPEST} levels of lists and mappings")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except PARSE_ERRORS:
        return  # told with its line by whoever parses the text
    if root is not None and _size(root, {}, where) > MOST_VALUES:
        raise ValueError(f"{where}: expected at most {MOST_VALUES} values, got more by aliases")


def _size(node: yaml.Node, known: dict[int, int], where: str) -> int:
    """Number of values under a node, with aliases written out; a node that holds itself is refused."""
    if id(node) in known:
        if not known[id(node)]:
            raise ValueError(f"{where}: expected an alias of another value, got one of the mapping that it is in")
        return known[id(node)]
    known[id(node)] = 0
    size = 1
    if isinstance(node, yaml.SequenceNode):
        size += sum(_size(entry, known, where) for entry in node.value)
    elif isinstance(node, yaml.MappingNode):
        size += sum(_size(entry, known, where) for pair in node.value for entry in pair)
    known[id(node)] = size
    return size
