#!/usr/bin/env bash
# 2026-11-27, Python 3.11, PyAV 18.1.0 (FFmpeg 8.1).
# Guess: a film opens whatever its title is; text that cannot be decoded is replaced.
# Seen:  av.open takes titles for UTF-8 and raises UnicodeDecodeError for others, so that the whole film cannot be read.
#        The INFO of AVI names no encoding and is Latin-1 in files of older cameras and programs: a film called "München"
#        is valid and does not open. It does with metadata_errors="replace", and nothing of the pictures is lost.
# Output seen:
#   as it comes: UnicodeDecodeError
#   metadata_errors=replace: 3 pictures
# Fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet av==18.1.0 numpy==2.4.6 2> /dev/null
cat > "$work/check.py" <<'PY'
import sys

import av
import numpy as np

path = f"{sys.argv[1]}/a.avi"
with av.open(path, "w") as container:
    container.metadata["title"] = "M@nchen"
    stream = container.add_stream("mjpeg", rate=10)
    stream.width, stream.height, stream.pix_fmt = 32, 16, "yuvj420p"
    for number in range(3):
        pixels = np.full((16, 32, 3), 40 * number, np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
    container.mux(stream.encode())
with open(path, "rb") as file:
    content = file.read()
with open(path, "wb") as file:
    file.write(content.replace(b"M@nchen", "München".encode("latin-1")))
try:
    with av.open(path):
        seen = "opened"
except UnicodeDecodeError as error:
    seen = type(error).__name__
with av.open(path, metadata_errors="replace") as container:
    pictures = sum(1 for _ in container.decode(video=0))
print(f"as it comes: {seen}")
print(f"metadata_errors=replace: {pictures} pictures")
sys.exit((seen, pictures) != ("UnicodeDecodeError", 3))
PY
"$work/venv/bin/python" "$work/check.py" "$work"
