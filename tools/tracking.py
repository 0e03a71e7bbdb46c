"""One source, from opening to written results: what ``flatsort track`` and ``flatsort demo`` run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from tools.appearance import open_embedder, with_prior
from tools.cli import progress
from tools.explaining import Explainer
from tracker.carrying import EmbedConfig
from tracker.config import dump, part
from tracker.detectors import DETECTORS
from tracker.detectors.background import BackgroundConfig
from tracker.detectors.mot_file import MotFileConfig, MotFileDetector
from tracker.draw import Painter
from tracker.files import write_text
from tracker.io.live import LiveSource
from tracker.io.pictures import CropSink, ShowSink, VideoSink
from tracker.io.results import Boxes, CsvSink, JsonSink, MotSink
from tracker.io.video import TABLES, open_source
from tracker.pipeline import at_rate, detect, embed, smoothed, track
from tracker.protocols import Detector, Embedder, FrameSource, Sink
from tracker.registry import PartConfig
from tracker.smoothing import SmoothConfig
from tracker.sort import SortConfig, SortTracker
from tracker.types import FrameResult

AUTO = PartConfig(name="auto")
BLIND = "sort_long"
"""Tracker of sources without pictures, where none is named."""


@dataclass(frozen=True)
class TrackConfig(SortConfig):
    """A tracker and the detector that feeds it."""

    detector: PartConfig = part(DETECTORS, AUTO)
    """auto: the detections that a source brings, else background subtraction."""
    embedder: str = ""
    """Appearance: a name (flat_vhp_vae, pixels), FILE.safetensors, FILE.onnx or the folder of a training; "": none."""
    embed: EmbedConfig = EmbedConfig()
    offline: bool = False
    """Where the source ends, smooth its finished tracks and fill their gaps; a live one is tracked as it comes."""
    smooth: SmoothConfig = SmoothConfig()
    """How."""


@dataclass(frozen=True)
class Wanted:
    """What a run shall leave behind, beside the MOTChallenge rows."""

    out: Path
    csv: bool = False
    json: bool = False
    video: bool = False
    crops: bool = False
    show: bool = False
    boxes: Boxes = "filter"
    smooth: bool | None = None
    explain: str | None = None
    frames: int | None = None

    @property
    def images(self) -> bool:
        """Whether any of it needs the pictures."""
        return self.video or self.crops or self.show


@dataclass(frozen=True)
class Job:
    """A source with the parts that it passes through; ``note`` is a choice that the user should know of."""

    source: FrameSource
    detector: Detector
    config: TrackConfig
    note: str = ""
    embedder: Embedder | None = None


@dataclass
class Report:
    """What came of a source."""

    path: Path
    frames: int = 0
    seconds: float = 0.0
    dropped: int = 0
    ids: set[int] = field(default_factory=set)
    explanation: str = ""

    @property
    def sentence(self) -> str:
        """One line for the user."""
        rate = self.frames / max(self.seconds, 1e-9)
        bad = f", {self.dropped} bad detections left out" if self.dropped else ""
        count = f"{self.frames} frames, {len(self.ids)} tracks{bad}"
        return f"{self.path}: {count}, {self.seconds:.1f} s ({rate:,.0f} frames/s)"


def prepare(
    text: str,
    config: TrackConfig,
    *,
    fps: float | None = None,
    images: bool = False,
    source: FrameSource | None = None,
    blind: Callable[[], TrackConfig] | None = None,
) -> Job:
    """Open a source and build its detector and embedder.

    Where the config names none, that is the detections which the source brings, or background subtraction. With
    ``source`` only the detections are looked for in ``text``. ``blind`` makes the config for sources without pictures.

    Raises
    ------
    ValueError, OSError
        If the source, its detections or the weights cannot be used.
    """
    detector_config, note = _detector(text, config.detector)
    config = replace(config, detector=detector_config)
    detector = DETECTORS.build(detector_config)
    images = images or detector.needs_image or config.camera.method != "none"
    length = detector.length if isinstance(detector, MotFileDetector) else None
    if source is None:
        try:
            source = open_source(text, images=images or bool(config.embedder), fps=fps, length=length)
        except ValueError:
            if images or blind is None:
                raise
            source = open_source(text, images=False, fps=fps, length=length)
            note = f"{text}: no pictures that can be read, so tracked by motion alone (--tracker {BLIND})"
            config = replace(blind(), detector=detector_config)
    embedder = open_embedder(config)
    return Job(source, detector, with_prior(config, embedder), note or _note_on_scores(config), embedder)


def track_source(job: Job, name: str, wanted: Wanted) -> Report:
    """Track a source and write its results as ``wanted.out/name.*``.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C in a file; what was tracked so far is then in ``name.partial.*``. A live source just ends.
    """
    source, start = job.source, time.perf_counter()
    live = isinstance(source, LiveSource)
    smooth = wanted.smooth if wanted.smooth is not None else job.config.offline and not live
    if live and smooth:
        raise ValueError(f"{source.name}: --smooth needs a source that ends, got a live one")
    config = at_rate(job.config, source.fps)
    tracker = SortTracker(config)
    explainer = Explainer(wanted.explain)
    report = Report(wanted.out / f"{name}.txt")
    total = source.length if wanted.frames is None else min(wanted.frames, source.length or wanted.frames)
    with ExitStack() as stack:
        if isinstance(source, LiveSource):
            stack.enter_context(closing(source))
        sinks = [stack.enter_context(sink()) for sink in _sinks(job, name, wanted)]
        frames = progress(islice(source, wanted.frames), total, name)
        seen = detect(frames, job.detector)
        if job.embedder is not None:
            batch = 1 if live else config.embed.batch
            seen = embed(seen, job.embedder, batch=batch, longest=config.embed.longest(source.fps))
        results = _explained(track(seen, tracker, source.size), tracker, explainer)
        try:
            for result in _smoothed(results, job, wanted, total) if smooth else results:
                for sink in sinks:
                    sink.write(result)
                report.frames += 1
                report.ids.update(result.tracks.ids.tolist())
        except KeyboardInterrupt:
            if not live:
                write_text(wanted.out / f"{name}.config.yaml", dump(config))
                raise
    report.dropped = tracker.dropped
    report.seconds = time.perf_counter() - start
    write_text(wanted.out / f"{name}.config.yaml", dump(config))
    if explainer.wanted:
        explainer.write(wanted.out / f"{name}.explain.csv")
        report.explanation = explainer.text()
    return report


def _detector(text: str, config: PartConfig) -> tuple[PartConfig, str]:
    """The detector for a source, and what the user should know of the choice."""
    path = Path(text)
    folder = path.parent if path.name == "img1" else path
    own = folder / "det" / "det.txt" if path.is_dir() else path
    found = own.is_file() and own.suffix.lower() in TABLES
    if config.name == AUTO.name and found:
        return MotFileConfig(path=str(own)), ""
    if config.name == AUTO.name:
        return BackgroundConfig(), (
            f"{text}: no detections and no --detector given: using background subtraction, which finds whatever moves "
            "before a fixed camera (others: --detector onnx or torchvision)"
        )
    if isinstance(config, MotFileConfig) and not config.path:
        if not found:
            raise ValueError(f"{text}: expected detections in {own} for the detector mot, found no such file")
        config = replace(config, path=str(own))
    return config, ""


def _note_on_scores(config: TrackConfig) -> str:
    """A word where the detector holds back scores that a stage of the tracker waits for."""
    least = getattr(config.detector, "min_score", None)
    low = min((s.min_score for s in config.stages.values() if s.min_score is not None), default=None)
    if least is None or low is None or least <= low:
        return ""
    return (
        f"the detector drops scores below {least:g}, the tracker looks from {low:g} on: try detector.min_score={low:g}"
    )


def _sinks(job: Job, name: str, wanted: Wanted) -> Iterator[Callable[[], AbstractContextManager[Sink]]]:
    """Makers of the sinks, so that each is opened only once the earlier ones are safely on the stack."""
    source, out, boxes = job.source, wanted.out, wanted.boxes
    if wanted.show:  # first: without a display nothing else should begin
        yield lambda: ShowSink(name, Painter(job.detector.class_names), boxes=boxes)
    yield lambda: MotSink(out / f"{name}.txt", boxes=boxes)
    if wanted.csv:
        yield lambda: CsvSink(out / f"{name}.csv", boxes=boxes)
    if wanted.json:
        yield lambda: JsonSink(out / f"{name}.json", source=name, fps=source.fps, boxes=boxes)
    if wanted.video:
        size = source.size
        if size is None:
            raise ValueError(f"{name}: --video needs a source with pictures")
        painter = Painter(job.detector.class_names)
        yield lambda: VideoSink(out / f"{name}.mp4", painter, size=size, fps=source.fps, boxes=boxes)
    if wanted.crops:
        yield lambda: CropSink(out / f"{name}.crops", boxes=boxes)


def _explained(results: Iterable[FrameResult], tracker: SortTracker, explainer: Explainer) -> Iterator[FrameResult]:
    for result in results:
        explainer.look(result, tracker)
        yield result


def _smoothed(results: Iterable[FrameResult], job: Job, wanted: Wanted, total: int | None) -> Iterator[FrameResult]:
    """The whole source tracked and smoothed, then its pictures once more where they are wanted."""
    done: list[FrameResult] = []
    interrupted = False
    try:
        for result in results:
            done.append(replace(result, frame=replace(result.frame, image=None)))  # noqa: PERF401  # kept after Ctrl-C
    except KeyboardInterrupt:
        interrupted = True
    smooth = smoothed(done, job.config.smooth)
    if wanted.images and not interrupted:
        frames = progress(islice(job.source, wanted.frames), total, "writing")
        # a file that ends earlier the second time ends the run
        yield from (replace(r, frame=f) for f, r in zip(frames, smooth, strict=False))
    else:
        yield from smooth
    if interrupted:
        raise KeyboardInterrupt
