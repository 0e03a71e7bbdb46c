#!/usr/bin/env bash
# 2026-11-27, Python 3.11, opencv-python-headless 5.0.0.93; the films are made by PyAV 18.1.0 (FFmpeg 8.1).
# Guess: cv2.CAP_PROP_FRAME_COUNT is the number of frames, but for a few that a header miscounts.
# Seen:  in Matroska and WebM, which keep no count, it is duration times the nominal rate. A screen recording of 25 frames,
#        15 at 30 a second and then 10 at 5 a second, is announced with 70 frames; only 25 can be read. MP4, which has a
#        table of samples, gives 25. Tools that take the count for a length wait for, or report as lost, what never was.
# Output seen:
#   a.mp4: announced 25, read 25
#   a.mkv: announced 70, read 25
# Fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet opencv-python-headless==5.0.0.93 av==18.1.0 2> /dev/null
cat > "$work/check.py" <<'PY'
import os
import sys
from fractions import Fraction

os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
import av
import cv2
import numpy as np

times = [n / 30 for n in range(15)] + [0.5 + n / 5 for n in range(10)]
for name in ("a.mp4", "a.mkv"):
    path, base = f"{sys.argv[1]}/{name}", Fraction(1, 90_000)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = base
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 8 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(time / base), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    capture = cv2.VideoCapture(path)
    announced, read = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0
    while capture.read()[0]:
        read += 1
    print(f"{name}: announced {announced}, read {read}")
PY
"$work/venv/bin/python" "$work/check.py" "$work" 2> /dev/null | tee "$work/seen"
diff "$work/seen" - <<'EXPECTED'
a.mp4: announced 25, read 25
a.mkv: announced 70, read 25
EXPECTED
