"""Changes of valid content: of bytes, of words and numbers in texts, of values in trees, of parts in archives."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable, Sequence
from typing import Any, Literal

Form = Literal["bytes", "text", "tree", "npy", "zip", "safetensors"]
"""What content is made of; a tree is JSON or YAML."""

NUMBERS = (
    *("0", "-1", "1", "2", "0.5", "-0.0", "1e999", "-1e308", "1e-320", "nan", "inf", "-inf", "1_0", "0x10", "1,5"),
    *("9" * 400, "9999999", "2147483648", "-9223372036854775808", "9223372036854775808", "١٢", "1e", "", "1.5.2"),
)
WORDS = (
    *("null", "true", "[]", "{}", "[a]", "{name: 3}", "~", "''", '"', "'", "a b", "\0", "\x1b[31m", "\ufeff", "\u2028"),
    *("${oc.env:HOME}", "${model}", "&a [*a]", "*b", "!!python/name:os.system", "!!timestamp x", "!!binary =", "<<: "),
    *("2001-13-45", "2001-01-01", "[" * 300, "{" * 300, "- ", ": ", "\t", "\r", "#", "%", ";", "\ud800", "../..", "=1"),
    *("name", "a" * 300, "base: sort", "=", "1:30:00", "0o17", "y", "|", ">", "---\n", "?", "@x", "`"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 2, 0.5, 1e308, float("nan"), float("inf"), 10**400, 2**63, -(2**63), 10**7, "", "x"),
    *([], {}, [None], [[]], [1, 2], {"name": 3}, {"": 1}, "nan", "${oc.env:HOME}", "a" * 300, "\0", "\ud800", "../x"),
)
WHOLE = (0, 1, -1, 127, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
DESCRIPTIONS = ("<f8", "<f4", "|O", "|u1", "<i8", "<U4", "<M8[s]", "|V8", "<c16", "?", "<f16", "x", "|S0", ">i2")


def mutate(seeds: Sequence[bytes], form: Form, rng: random.Random) -> bytes:
    """One of the seeds after one to four changes, most of them in its own terms."""
    content = rng.choice(seeds)
    other = rng.choice(seeds)
    for _ in range(rng.choice((1, 1, 2, 4))):
        own = form != "bytes" and rng.random() < 0.75
        content = BY_FORM[form](content, rng) if own else _of_bytes(content, other, rng)
    return content


def _of_bytes(content: bytes, other: bytes, rng: random.Random) -> bytes:
    """Flip, cut, repeat, put in, put over, or join with another."""
    start = rng.randrange(len(content) + 1)
    end = min(len(content), start + rng.choice((1, 1, 2, 4, 8, 64, len(content))))
    piece = content[start:end]
    changes: tuple[Callable[[], bytes], ...] = (
        lambda: bytes(b ^ (1 << rng.randrange(8)) for b in piece[:1]) + piece[1:],
        lambda: rng.randbytes(len(piece[:8])),
        lambda: b"",
        lambda: piece * rng.choice((2, 2, 9)),
        lambda: piece + rng.randbytes(rng.randrange(9)),
        lambda: struct.pack(rng.choice("<>") + "Q", rng.choice(WHOLE) & (2**64 - 1))[: max(1, len(piece))],
        lambda: bytes(len(piece)),
    )
    chosen = rng.randrange(len(changes) + 2)
    if chosen == len(changes):
        return content[:start]
    if chosen > len(changes):
        return content[:start] + other[rng.randrange(len(other) + 1) :]
    return content[:start] + changes[chosen]() + content[end:]


def _of_text(content: bytes, rng: random.Random) -> bytes:
    """Other numbers and words, lines that are lost, doubled, exchanged or indented, another separator."""
    text = content.decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    row = rng.randrange(len(lines))
    chosen = rng.randrange(8)
    if chosen == 0:
        del lines[row]
    elif chosen == 1:
        lines.insert(rng.randrange(len(lines) + 1), lines[row])
    elif chosen == 2:
        lines[row] = lines[rng.randrange(len(lines))]
    elif chosen == 3:
        lines[row] = " " * rng.randrange(5) + lines[row].lstrip()
    elif chosen == 4:
        old, new = rng.choice(",;: ="), rng.choice((",", ";", "\t", " ", ":", "|"))
        lines = [line.replace(old, new) for line in lines] if rng.random() < 0.3 else lines
        lines[row] = lines[row].replace(old, new)
    else:
        lines[row] = _other_word(lines[row], rng)
    return "\n".join(lines).encode("utf-8", "surrogatepass" if chosen > 4 else "surrogateescape")


def _other_word(line: str, rng: random.Random) -> str:
    """A line in which a number or word is replaced, or one is added."""
    ends = [0, *(i for i, c in enumerate(line) if c in ",;:= \t[]{}\"'<>"), len(line)]
    place = rng.randrange(len(ends) - 1)
    start, end = ends[place] + (place > 0), ends[place + 1]
    new = rng.choice(NUMBERS if rng.random() < 0.6 else WORDS)
    kept = "".join(c for c in line if not "\udc00" <= c <= "\udfff")  # bytes that are no text cannot be written with it
    if kept != line:
        return kept
    return line[:start] + new + line[end if rng.random() < 0.8 else start :]


def _of_tree(content: bytes, rng: random.Random) -> bytes:
    """Another value, key or kind at one place of a document; as a text where it is none."""
    if rng.random() < 0.4:
        return _of_text(content, rng)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return _of_text(content, rng)
    return json.dumps(_changed(document, rng)).encode()


def _changed(value: Any, rng: random.Random) -> Any:
    """A tree in which one value is another, is gone, is doubled, or is in a list of its own."""
    if isinstance(value, str) and value.startswith("{") and rng.random() < 0.9:  # JSON in JSON
        try:
            return json.dumps(_changed(json.loads(value), rng))
        except (ValueError, RecursionError):
            return rng.choice(VALUES)
    if not isinstance(value, (dict, list)) or not value or rng.random() < 0.1:
        return rng.choice((*VALUES, [value], {"name": value}))
    key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
    copy: Any = value.copy()
    what = rng.random()
    if what < 0.12:
        del copy[key]
    elif what < 0.2 and isinstance(copy, dict):
        copy[rng.choice((*copy, "x", "", "name", "5"))] = copy.pop(key)
    elif what < 0.2:
        copy.append(copy[key])
    else:
        copy[key] = _changed(copy[key], rng)
    return copy


def _of_npy(content: bytes, rng: random.Random) -> bytes:
    """Another shape, order or type in the header of an array, or other numbers."""
    if content[:6] != b"\x93NUMPY" or len(content) < 12:
        return _of_bytes(content, content, rng)
    size = int.from_bytes(content[8:10], "little")
    header, numbers = content[10 : 10 + size].decode("latin-1"), content[10 + size :]
    if rng.random() < 0.3:
        return content[: 10 + size] + _of_bytes(numbers, numbers, rng)
    shape = tuple(rng.choice((0, 1, 2, 3, 10, -1, 10**7, 2**40, 2**63)) for _ in range(rng.choice((0, 1, 2, 2, 4, 40))))
    changed = rng.choice(
        (
            _of_text(header.encode(), rng).decode("latin-1"),
            repr({"descr": rng.choice(DESCRIPTIONS), "fortran_order": False, "shape": (10, 10)}) + "\n",
            repr({"descr": "<f8", "fortran_order": rng.choice((True, 3)), "shape": shape}) + "\n",
        )
    ).encode("latin-1")
    return content[:8] + (len(changed) % 2**16).to_bytes(2, "little") + changed + numbers


def _of_zip(content: bytes, rng: random.Random) -> bytes:
    """Another member, name or number of members; the archive itself stays whole."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    except Exception:  # damaged by an earlier change
        return _of_bytes(content, content, rng)
    if not members:
        return content
    place = rng.randrange(len(members))
    name, data = members[place]
    what = rng.random()
    if what < 0.1:
        del members[place]
    elif what < 0.2:
        members[place] = (
            rng.choice((".", "../x", "/x", "", "x", "a/b.npy", f"{name}/", "\\x", "C:x", name[::-1])),
            data,
        )
    elif what < 0.25:
        members.append((f"{name}2", data))
    elif what < 0.35:
        members[place] = (name, rng.choice(members)[1])
    else:
        members[place] = (name, (_of_npy if name.endswith(".npy") else _of_text)(data, rng))
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, data in dict(members).items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return changed.getvalue()


def _of_safetensors(content: bytes, rng: random.Random) -> bytes:
    """Other values in the header; the tensors stay where they are."""
    size = int.from_bytes(content[:8], "little")
    if size > len(content) - 8:
        return _of_bytes(content, content, rng)
    try:
        header = json.loads(content[8 : 8 + size])
        own = header["__metadata__"] if rng.random() < 0.8 else header
        key = rng.choice(list(own))
        own[key] = _changed(own[key], rng)
        changed = json.dumps(header).encode()
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return _of_bytes(content, content, rng)
    return len(changed).to_bytes(8, "little") + changed + content[8 + size :]


BY_FORM: dict[Form, Callable[[bytes, random.Random], bytes]] = {
    "text": _of_text,
    "tree": _of_tree,
    "npy": _of_npy,
    "zip": _of_zip,
    "safetensors": _of_safetensors,
}
