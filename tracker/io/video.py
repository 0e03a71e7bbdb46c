"""Frame sources: videos, images, MOTChallenge sequences, detection files; `open_source` also opens live sources."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from pathlib import Path

from flatsort.tracker.images import SUFFIXES, images_of, numbered, read_image
from flatsort.tracker.io.addresses import URL, shown, stream_name
from flatsort.tracker.io.file_source import FPS, FileSource, TimedImage
from flatsort.tracker.io.live import open_live
from flatsort.tracker.io.mot import read_detections
from flatsort.tracker.io.seqinfo import read_seqinfo
from flatsort.tracker.io.video_file import VIDEOS, open_video
from flatsort.tracker.protocols import FrameSource

TABLES = {".csv", ".json", ".npy", ".tsv", ".txt", ".xml"}


def open_source(
    source: str, *, images: bool = True, fps: float | None = None, length: int | None = None
) -> FrameSource:
    """Open a frame source.

    Parameters
    ----------
    source : str
        A video; an image; a folder or glob of images, in natural order (``img2`` before ``img10``); a MOTChallenge
        sequence folder with images or one video, where frame n is the image with number n, or has no image if there is
        none; a detection file (only without images); a camera index; an ``rtsp://`` or ``http://`` URL. An existing
        file takes precedence over a camera index.
    images : bool
        Without them nothing is decoded and every ``Frame.image`` is None.
    fps : float, optional
        Frames per second, in place of the source's own; the timestamps of a video are scaled to it.
    length : int, optional
        Number of frames, where neither ``seqinfo.ini`` nor the header of a video specifies it. If there are more
        images, all are used. If there are fewer, the other frames have no image, provided that the images are numbered
        by frame or nothing is decoded.

    Raises
    ------
    FileNotFoundError
        If there is no such file or no file matches.
    ValueError
        If the source has no image that can be read, or the first frame of a video cannot be decoded.
    ConnectionError
        If a camera or stream gives no image.
    """
    if fps is not None and not (0 < fps < math.inf):
        raise ValueError(f"fps: expected a number above 0, got {fps}")
    if length is not None and length < 1:
        raise ValueError(f"length: expected at least one frame, got {length}")
    path = Path(source)
    if path.is_dir():
        return _open_folder(path, images, fps, length)
    if path.is_file():
        if path.suffix.lower() in TABLES:
            return _open_table(path, images, fps, length)
        if path.suffix.lower() in SUFFIXES:
            return _open_images([path], path.stem, images, fps)
        return open_video(source, path.stem, images, fps, None, length)
    if URL.match(source) and Path(source.partition("?")[0]).suffix.lower() in VIDEOS:
        return open_video(source, stream_name(source), images, fps, None, length)
    if source.isdecimal() or URL.match(source):
        if not images:
            raise ValueError(f"{shown(source)}: a camera or stream cannot be opened without images")
        return open_live(source, fps=fps)
    if any(mark in source for mark in "*?["):
        return _open_glob(source, images, fps)
    raise FileNotFoundError(
        f"{shown(source)}: no such file, expected a video, images, a sequence folder, a camera index or a URL"
    )


def _open_folder(folder: Path, images: bool, fps: float | None, length: int | None) -> FileSource:
    """Frames of a sequence folder, its image folder, or of any folder of images."""
    parent = folder.resolve().parent
    if folder.resolve().name == "img1" and (parent / "seqinfo.ini").is_file():
        folder = parent
    info = read_seqinfo(folder)
    paths = images_of(folder.iterdir())
    if info is None and paths and not (folder / "img1").is_dir():
        return _open_images(paths, folder.resolve().name, images, fps, length=length)
    name = folder.resolve().name if info is None else info.name.replace("/", "_")
    announced = length if info is None else info.length
    rate = fps or (info.fps if info else None)
    inside = info.image_dir if info else folder / "img1"
    paths = images_of(inside.iterdir()) if inside.is_dir() else []
    videos = sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEOS)
    if paths:
        places = numbered(paths, announced or 0)
        return _open_images(places, name, images, rate, info.size if info else None, announced)
    if not images and announced and (info or not videos):
        return FileSource(name, rate or FPS, info.size if info else None, announced)
    if len(videos) == 1:
        return open_video(str(videos[0]), name, images, rate, info.length if info else None, length)
    got = f"{len(videos)} videos" if videos else "none"
    if not videos and any(path.suffix == ".txt" for path in folder.iterdir()):
        got += "; text files of detections go to --detections"
    raise ValueError(f"{folder}: expected images, here or in {inside.name}, or one video, got {got}")


def _open_glob(source: str, images: bool, fps: float | None) -> FileSource:
    """Frames of the images that match, named after their folder."""
    path = Path(source)
    root = Path(path.anchor)
    matching = [each for each in root.glob(str(path.relative_to(root))) if each.is_file()]
    if not matching:
        raise FileNotFoundError(f"{source}: expected images, no file matches")
    paths = images_of(matching)
    if not paths:
        which = "the file that matches is" if len(matching) == 1 else f"the {len(matching)} files that match are"
        raise ValueError(f"{source}: expected images, {which} none")
    folder = paths[0].resolve().parent
    return _open_images(paths, (folder.parent if folder.name == "img1" else folder).name, images, fps)


def _open_table(path: Path, images: bool, fps: float | None, length: int | None) -> FileSource:
    """Frames without images, up to the last one of a detection file."""
    if images:
        raise ValueError(f"{path}: a detection file has no images, expected a video, images or a sequence folder")
    of_sequence = path.resolve().parent.name in ("det", "gt")
    folder = path.resolve().parent.parent
    info = read_seqinfo(folder) if of_sequence else None
    total = max(max(read_detections(path), default=0), info.length if info else length or 0)
    if not total:
        raise ValueError(f"{path}: expected at least one row to know the number of frames, got none")
    name = info.name.replace("/", "_") if info else folder.name if of_sequence else path.stem
    return FileSource(name, fps or (info.fps if info else FPS), info.size if info else None, total)


def _open_images(
    paths: Sequence[Path | None],
    name: str,
    images: bool,
    fps: float | None,
    size: tuple[int, int] | None = None,
    length: int | None = None,
) -> FileSource:
    """Frames of image files, None for a frame without one; at least ``length`` frames if nothing is decoded."""
    rate = fps or FPS
    if not images:
        return FileSource(name, rate, size, max(len(paths), length or 0))
    files = [path for path in paths if path is not None]
    image = next((image for image in map(read_image, files) if image is not None), None)
    if image is None:
        where, got = (files[0], "a file") if len(files) == 1 else (files[0].parent, f"{len(files)} files")
        raise ValueError(f"{where}: expected a complete image, got {got} that cannot be decoded")

    def read_images() -> Generator[TimedImage]:
        for number, each in enumerate(paths):
            yield (None if each is None else read_image(each)), number / rate

    pictures = [None if path is None else path.stem for path in paths]
    shape = (image.shape[1], image.shape[0])
    return FileSource(name, rate, shape, len(paths), read_images, len(paths) - len(files), pictures)
