"""A local HTTP server for archives that can refuse, break off, or ignore ranges."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


def packed(files: Mapping[str, bytes | str]) -> bytes:
    """A zip archive of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def sequences(count: int, prefix: str = "train/") -> dict[str, bytes | str]:
    """Files of so many sequences with image files of arbitrary bytes."""
    files: dict[str, bytes | str] = {}
    for number in range(count):
        files[f"{prefix}S-{number:02}/gt/gt.txt"] = f"1,{number},1,1,5,5,1,1,1\n"
        files[f"{prefix}S-{number:02}/img1/000001.jpg"] = bytes(range(256)) * 40
    return files


@dataclass
class Server:
    """What is served and how.

    Attributes
    ----------
    body : bytes
    ranges : bool
        Whether parts are given where they are asked for.
    length : bool
        Whether the answer tells its length.
    chunked : bool
        Whether the body comes in (one) announced chunk.
    cut : int or None
        Bytes of the answer's body after which the connection ends.
    status : int or None
        Answer with this error.
    shift : int
        Start parts so many bytes after what was asked for.
    asked : list of str
        The ranges that were asked for; "" for everything.
    """

    body: bytes
    ranges: bool = True
    length: bool = True
    chunked: bool = False
    cut: int | None = None
    status: int | None = None
    shift: int = 0
    asked: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested = self.headers.get("Range", "")
            server.asked.append(requested)
            if server.status:
                self.send_error(server.status)
                return
            match = re.fullmatch(r"bytes=(\d+)-", requested) if server.ranges else None
            total, start = len(server.body), (int(match[1]) + server.shift if match else 0)
            if match and start >= total:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{total}")
                self.end_headers()
                return
            self.send_response(206 if match else 200)
            if match:
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            if server.length:
                self.send_header("Content-Length", str(total - start))
            if server.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            if server.chunked:
                self.wfile.write(b"%x\r\n" % (total - start))
            self.wfile.write(server.body[start:][: server.cut])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        server.url = f"http://127.0.0.1:{http.server_port}/MOT16.zip"
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
