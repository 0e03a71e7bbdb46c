"""Addresses of streams in words that anybody may read: without user names, passwords and tokens.

A password can hold any character, and cameras take user and password in the path or the query as well. So what is
shown, or names a result, is built up from what is harmless; all else is left out.
"""

from __future__ import annotations

import hashlib
import re

URL = re.compile(r"(rtsps?|rtmps?|rtp|https?|udp|tcp|srt)://", re.IGNORECASE)
"""Begin of an address that can be opened."""
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:/{1,3}", re.IGNORECASE)
ANY = re.compile(r"(?<!\w)[a-z][a-z0-9+.-]+:/{1,3}\S+", re.IGNORECASE)
"""An address in a text, also as a path of the file system spells it, with one slash."""
HOST = re.compile(r"(\[[\w:.%]+\]|[\w.-]+)?(:\d{1,5})?", re.IGNORECASE)
LOGIN = re.compile(r"[^/\s:@]+:[^/\s]*@")
"""User and password without a scheme before them."""
SECRET = re.compile(
    r"user|usr|login|name|account|mail|pass|pwd|psw|pin|token|key|auth|sig|secret|session|sid|code|cred|hash|nonce|access|otp",
    re.IGNORECASE,
)
"""Keys whose values are never shown."""
CHANNEL = re.compile(r"chan|^ch|stream|subtype|profile|cam|track|video|view|source|input|id$", re.IGNORECASE)
"""Keys that tell one stream of a device from another."""
NUMBER = re.compile(r"\d{1,4}")
WORD = re.compile(r"[a-z]{0,8}\d{0,4}(\.[a-z0-9]{2,4})?", re.IGNORECASE)
TOKEN = re.compile(r".*(?=[a-z]*\d)(?=\d*[a-z])([a-z0-9]{16,}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{17,}).*", re.IGNORECASE)
"""A part of a path that is likely a token: letters and digits, many in a row, or a UUID."""
PROVIDER = re.compile(r"(?<=^/)(live/|movie/|series/)?[^/]+/[^/]+/(?=\d+\.(ts|m3u8|mp4|mkv)$)")
"""User and password in the path, as providers of television write it: /live/USER/PASSWORD/123.ts."""


def shown(source: str) -> str:
    """A source for messages: an address without secrets; anything else as it is.

    Examples
    --------
    >>> shown("rtsp://admin:p@ss/word@10.0.0.5/cam?channel=2&pwd=x")
    'rtsp://***@10.0.0.5/cam?channel=2'
    """
    scheme = SCHEME.match(source)
    if scheme is None:
        return LOGIN.sub("***@", source, count=1) if LOGIN.match(source) else source
    login, place, pairs = _parts(source[scheme.end() :])
    return scheme.group() + ("***@" if login else "") + place + ("?" if pairs else "") + "&".join(pairs)


def hide_secrets(text: str) -> str:
    """A message in which every address is as `shown` gives it."""
    return ANY.sub(lambda match: _keep_end(match.group()), text)


def stream_name(url: str) -> str:
    """File name from an address: what `shown` gives, in letters, digits, ``-``, ``.`` and ``_``, without the scheme."""
    _, place, pairs = _parts(SCHEME.sub("", url, count=1))
    return re.sub(r"[^\w.-]+", "_", "_".join([place, *pairs])).strip("_") or "stream"


def _keep_end(address: str) -> str:
    """An address as `shown`, with the punctuation that a sentence puts behind it."""
    bare = address.rstrip(":;,.)'\"")
    return shown(bare) + address[len(bare) :]


def _parts(rest: str) -> tuple[bool, str, list[str]]:
    """Whether an address, without its scheme, holds a login; its host and path; and the harmless pairs of its query."""
    head, mark, tail = _split(rest)
    login = "@" in head
    cut = "@" in tail and ("=" not in tail.partition("@")[0] if login else not HOST.fullmatch(head.partition("/")[0]))
    if cut:  # the password holds a question mark
        login, (head, mark, tail) = True, _split(tail.rpartition("@")[2])
    host, slash, path = head.rpartition("@")[2].partition("/")
    if not HOST.fullmatch(host):
        host = ""
    cleaned = [_segment(part) for part in PROVIDER.sub(r"\1", slash + path).split("/")]
    return login, host + "/".join(part for i, part in enumerate(cleaned) if part or not i), _pairs(tail if mark else "")


def _split(rest: str) -> tuple[str, str, str]:
    """Host and path, the mark after them, and the query."""
    found = re.search("[?#]", rest)
    return (rest[: found.start()], found.group(), rest[found.end() :]) if found else (rest, "", "")


def _segment(part: str) -> str:
    """A part of a path; settings in it as `_pairs`, a token as a digest that tells two of them apart."""
    if "=" in part:
        return "&".join(_pairs(part))
    return hashlib.blake2b(part.encode(), digest_size=3).hexdigest() if TOKEN.fullmatch(part) else part


def _pairs(text: str) -> list[str]:
    """Those ``key=value`` of a text that say which stream it is."""
    pairs = [pair.partition("=") for pair in re.split("[&;]", text) if "=" in pair]
    return [
        f"{key}={value}"
        for key, _, value in pairs
        if not SECRET.search(key)
        and re.fullmatch(r"[\w.-]{1,24}", key)
        and (NUMBER.fullmatch(value) or (CHANNEL.search(key) and WORD.fullmatch(value)))
    ]
