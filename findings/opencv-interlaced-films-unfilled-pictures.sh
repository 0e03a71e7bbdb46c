#!/usr/bin/env bash
# 2026-11-27, Python 3.11, opencv-python-headless 4.12.0.88 and 5.0.0.93; the films are made by PyAV 18.1.0 (FFmpeg 8.1).
# Guess: cv2.VideoCapture.read() says False, or gives the right picture, also of interlaced H.264 and MPEG-2, as recorders write.
# Seen:  4.12 gives the pictures. 5.0 (and 4.13, 4.14) says True 12 times and hands out pictures that were never filled: the
#        conversion of FFmpeg 8 refuses interlaced frames ("Cannot convert interlaced to progressive frames or vice versa"),
#        and OpenCV does not look at that. The bright box is in none of them. PyAV's own conversion is right.
# Output seen:
#   4.12.0: 12 of 12 read, box found in 12
#   5.0.0: 12 of 12 read, box found in 0
#   av 18.1.0: 12 of 12 read, box found in 12
# Fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for version in 4.12.0.88 5.0.0.93; do
  python3 -m venv "$work/$version"
  "$work/$version/bin/pip" install --quiet "opencv-python-headless==$version" av==18.1.0 2> /dev/null
done
cat > "$work/make.py" <<'PY'
import sys
from fractions import Fraction

import av
import numpy as np

with av.open(sys.argv[1], "w") as container:
    options = {"flags": "+ildct+ilme", "x264-params": "interlaced=1"}
    stream = container.add_stream("libx264", rate=30, options=options)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for number in range(12):
        image = np.full((48, 64, 3), 60, np.uint8)
        image[16:32, 2 * number : 2 * number + 12] = 220
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, 30)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
PY
cat > "$work/check.py" <<'PY'
import os
import sys

os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
if sys.argv[2] == "av":
    import av

    with av.open(sys.argv[1]) as container:
        pictures = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    name = f"av {av.__version__}"
else:
    import cv2

    capture, pictures = cv2.VideoCapture(sys.argv[1]), []
    while (read := capture.read())[0]:
        pictures.append(read[1].copy())
    name = ".".join(cv2.__version__.split(".")[:3])
found = sum(int(p.max()) > 180 and int(p.min()) < 100 and int(p[24, 2 * n + 6].min()) > 180 for n, p in enumerate(pictures))
print(f"{name}: {len(pictures)} of 12 read, box found in {found}")
PY
"$work/4.12.0.88/bin/python" "$work/make.py" "$work/fields.mp4"
{
  "$work/4.12.0.88/bin/python" "$work/check.py" "$work/fields.mp4" cv2
  "$work/5.0.0.93/bin/python" "$work/check.py" "$work/fields.mp4" cv2
  "$work/5.0.0.93/bin/python" "$work/check.py" "$work/fields.mp4" av
} 2> /dev/null | tee "$work/seen"
diff "$work/seen" - <<'EXPECTED'
4.12.0: 12 of 12 read, box found in 12
5.0.0: 12 of 12 read, box found in 0
av 18.1.0: 12 of 12 read, box found in 12
EXPECTED
