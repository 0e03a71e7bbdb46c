"""Tables of text: one separator a file, decimal points or commas, and a header line where there is one.

A row is read in one way only. Semicolons, tabs and blanks separate columns of numbers that may have decimal commas;
where commas separate, they are no part of a number.
"""

from __future__ import annotations

import csv
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from flatsort.tracker.io import unread_formats
from flatsort.tracker.types import Float, Int

MIN_COLUMNS = 6
"""The columns that every row of a table without a header has: frame, id, x, y, w, h."""
CLASS_COLUMN = 7
"""The column, from 0, of which the entries may be names."""
MAX_BYTES = 2**30
"""Largest file that is read: some 20 million rows."""

_HEAD = 2**16
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)
_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?", re.ASCII)
_INNER_COMMA = re.compile(r"(?<=\d),(?=\d)", re.ASCII)
_LEADING_ZERO = re.compile(r"[+-]?0\d+", re.ASCII)
_MAY_LEAD_WITH_ZERO = re.compile(r",\s*[+-]?0\d", re.ASCII)
_EXCEL = re.compile(r'"?sep=.?"?\s*')  # a line by which Excel is told the separator
_NAME = re.compile(r"[^\W\d].*")


@dataclass(eq=False)
class TextTable:
    """The rows of a text file, as text; `values` gives their numbers.

    Attributes
    ----------
    path : Path
    separator : str or None
        Between columns; None: blanks and tabs.
    header : list of str
        The names of the columns; empty where the file has no header.
    rows : list of str
        Lines that are not blank, without the header.
    lines : int64 [n]
        1-based line of each of ``rows``.
    words : list of str
        After `values`: the entries of the column of classes, where they are names.
    """

    path: Path
    separator: str | None = None
    header: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    lines: Int = field(default_factory=lambda: np.empty(0, np.int64))
    words: list[str] = field(default_factory=list)

    def values(self, columns: Sequence[int] = (), word_column: int = CLASS_COLUMN) -> Float:
        """Numbers of some columns, by default of all, [n c]; NaN in a column of names, which then are in ``words``.

        Raises
        ------
        ValueError
            If a row has fewer or more columns than the others, or a field is no number; the message names the line.
        """
        wanted = list(columns)
        if not self.rows:
            return np.empty((0, len(wanted) or MIN_COLUMNS))
        if self._plain():
            try:
                return np.loadtxt(self.rows, delimiter=self.separator, comments=None, ndmin=2, usecols=wanted or None)
            except ValueError:
                pass
        return self._slow_values(wanted, word_column)

    def _plain(self) -> bool:
        """Whether every row can be split at its separators, and has as many as the header."""
        if self.separator == "," and any(map(_MAY_LEAD_WITH_ZERO.search, self.rows)):
            return False
        separator = self.separator
        if not self.header:
            return True
        return separator is not None and all(row.count(separator) == len(self.header) - 1 for row in self.rows)

    def _slow_values(self, wanted: list[int], word_column: int) -> Float:
        """As `values`, by line, with decimal commas, quotes and names of classes."""
        fields = [split(row, self.separator) for row in self.rows]
        count = len(self.header) or max(MIN_COLUMNS, len(fields[0]))
        for number, row, each in zip(self.lines.tolist(), self.rows, fields, strict=True):
            if self.header and self.separator and row.count(self.separator) == count - 1:
                each += [""] * (count - len(each))  # empty fields at the end
            if len(each) != count:
                least = "at least " if not self.header and count == MIN_COLUMNS and each is fields[0] else ""
                raise self._error(number, row, f"{len(each)} columns, expected {least}{count}")
        wanted = wanted or list(range(count))
        if word_column in wanted and any(is_name(each[word_column]) for each in fields):
            self.words = [each[word_column] for each in fields]
        decimals: set[str] = set()
        values = np.full((len(fields), len(wanted)), np.nan)
        for row_index, (number, row, each) in enumerate(zip(self.lines.tolist(), self.rows, fields, strict=True)):
            for place, column in enumerate(wanted):
                if self.words and column == word_column:
                    continue
                value = self._number(each[column], column, decimals)
                if value is None:
                    raise self._error(number, row, f"expected numbers, got {row.strip()[:60]!r}")
                values[row_index, place] = value
            if len(decimals) > 1:
                raise self._error(number, row, "expected decimal commas or decimal points in a file, got both")
        return values

    def _number(self, text: str, column: int, decimals: set[str]) -> float | None:
        """The number that a field is, None where it is none; its decimal sign is added to ``decimals``."""
        if _NUMBER.fullmatch(text):
            if "." in text:
                decimals.add(".")
            comma_lost = self.separator == "," and column > 1 and _LEADING_ZERO.fullmatch(text)
            return None if comma_lost and not self.header else float(text)
        if _COMMA_NUMBER.fullmatch(text):  # where commas separate, it was in quotes
            decimals.add(",")
            return float(text.replace(",", "."))
        return None

    def _error(self, number: int, row: str, sentence: str) -> ValueError:
        """An error at a line, with advice where decimal commas may be the cause."""
        if self.separator == "," and any(map(_LEADING_ZERO.fullmatch, split(row, ",")[2:])):
            sentence += "; decimal commas can be read where semicolons, tabs or blanks separate the columns"
        return ValueError(f"{self.path} line {number}: {sentence}")


def parse_table(path: Path, text: str) -> TextTable:
    """Find out how the columns of a text are separated, and whether it has a header.

    Raises
    ------
    ValueError
        If the first line is of a format that is not read.
    """
    numbered = numbered_lines(text)
    comment = ""
    while numbered and (numbered[0][1].lstrip().startswith("#") or _EXCEL.fullmatch(numbered[0][1])):
        comment = numbered.pop(0)[1].lstrip().lstrip("#")
    if not numbered:
        return TextTable(path)
    rows = [line for _, line in numbered]
    if name := unread_formats.of_text(rows):
        raise unread_formats.refusal(path, name)
    separator = separator_of(rows[0])
    header: list[str] = []
    first = split(rows[0], separator)
    if any(is_name(each) for each in first) and not any(map(_NUMBER.fullmatch, first)):
        header, rows, numbered = first, rows[1:], numbered[1:]
        separator = separator_of(rows[0]) if len(header) == 1 and rows else separator
    elif comment and len(names := split(comment, separator)) == len(first) and all(map(is_name, names)):
        header = names
    return TextTable(path, separator, header, rows, np.array([n for n, _ in numbered], np.int64))


def numbered_lines(text: str) -> list[tuple[int, str]]:
    """The lines that are not blank with their numbers from 1."""
    return [(number, line) for number, line in enumerate(text.splitlines(), 1) if line and not line.isspace()]


def read_bytes(path: Path) -> bytes:
    """All of a file that may be text or a ZIP archive: a pipe to its end, a file at most to `MAX_BYTES`.

    Raises
    ------
    OSError
        If it cannot be opened.
    ValueError
        If it is a folder or a device, too large, or of another binary format, which the sentence names.
    """
    status = path.stat()
    kind = status.st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        raise ValueError(f"{path}: expected a file of boxes, got a {'folder' if stat.S_ISDIR(kind) else 'device'}")
    if status.st_size > MAX_BYTES:
        raise _too_large(path)
    with path.open("rb") as file:
        data = file.read(_HEAD)
        if name := unread_formats.of_bytes(data):
            raise unread_formats.refusal(path, name)
        data += file.read(MAX_BYTES + 1 - len(data))
    if len(data) > MAX_BYTES:
        raise _too_large(path)
    return data


def decode(data: bytes) -> str:
    """Text of a file: UTF-8, or UTF-16 with a byte order mark, as PowerShell redirects output."""
    return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", errors="replace")


def _too_large(path: Path) -> ValueError:
    return ValueError(f"{path}: expected at most {MAX_BYTES >> 20} MiB, got more")


def separator_of(line: str) -> str | None:
    """What separates the columns of a line: ``;``, tab, comma, or None for blanks.

    Commas are taken for decimal ones where all are inside of numbers, and blanks or tabs separate enough columns.
    """
    if ";" in line:
        return ";"
    blanks = len(line.split())
    decimal = line.count(",") == len(_INNER_COMMA.findall(line)) and all(w.count(",") <= 1 for w in line.split())
    if "," in line and not (decimal and blanks >= MIN_COLUMNS):
        return ","
    fields = line.strip().split("\t")
    return "\t" if len(fields) > 1 and all(len(each.split()) <= 1 for each in fields) else None


def split(line: str, separator: str | None) -> list[str]:
    """The fields of a line, stripped; separators at its end are left out."""
    text = line.strip()
    if separator is None:
        return text.split()
    if '"' in text:
        fields = next(csv.reader([text], delimiter=separator, skipinitialspace=True))
    else:
        fields = text.split(separator)
    fields = [each.strip() for each in fields]
    while len(fields) > 1 and not fields[-1]:
        fields.pop()
    return fields


def number(text: str) -> float:
    """The number that a text is, in ASCII digits with a decimal point; `float` takes ``1_0`` and other digits too.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError(f"expected a number, got {text!r}")
    return float(text)


def is_name(text: str) -> bool:
    """Whether a field begins like a word and is no number."""
    return bool(_NAME.fullmatch(text)) and not _NUMBER.fullmatch(text)
