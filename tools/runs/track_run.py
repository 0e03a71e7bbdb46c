"""One source, from opening to written results: what ``flatsort track`` and ``flatsort demo`` run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path

from flatsort.tools.runs import open_run
from flatsort.tools.runs.appearance import needs_latents, note_on_limit, open_embedder, require_latents, with_prior
from flatsort.tools.cli import progress
from flatsort.tools.runs.explanations import Explainer
from flatsort.tools.runs.timing import Stopwatch
from flatsort.tracker.latent_reuse import EmbedConfig
from flatsort.tracker.config import dump, part
from flatsort.tracker.detectors import DETECTORS
from flatsort.tracker.detectors.mot_file import MotFileDetector
from flatsort.tracker.draw import Painter
from flatsort.tracker.files import write_text
from flatsort.tracker.io.live import LiveSource
from flatsort.tracker.io.visual_results import CropSink, ShowSink, VideoSink
from flatsort.tracker.io.results import Boxes, CsvSink, JsonSink, MotSink
from flatsort.tracker.io.video import open_source
from flatsort.tracker.pipeline import at_rate, detect, embed, smoothed, track
from flatsort.tracker.protocols import Detector, Embedder, FrameSource, Sink
from flatsort.tracker.registry import PartConfig
from flatsort.tracker.smoothing import SmoothConfig
from flatsort.tracker.sort import SortConfig, SortTracker
from flatsort.tracker.types import FrameResult

AUTO = PartConfig(name=open_run.AUTO)
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
    timing: bool = False
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
    timing: str = ""
    note: str = ""

    @property
    def sentence(self) -> str:
        """One line for the user."""
        rate = self.frames / max(self.seconds, 1e-9)
        bad = f", {self.dropped} bad detections left out" if self.dropped else ""
        count = f"{self.frames} frames, {len(self.ids)} tracks{bad}"
        return f"{self.path}: {count}, {self.seconds:.1f} s ({rate:,.0f} frames/s){self.note}"


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
    detector_config, *notes = open_run.choose_detector(text, config.detector)
    config = replace(config, detector=detector_config)
    detector = DETECTORS.build(detector_config)
    images = images or detector.needs_image or config.camera.method != "none"
    if config.embedder and not needs_latents(config):
        notes.append(f"the tracker does not look at appearance: {config.embedder} is left out")
        config = replace(config, embedder="")
    notes.append(note_on_limit(config))
    if source is None:
        length = detector.length if isinstance(detector, MotFileDetector) else None
        opened = partial(open_source, text, fps=fps, length=length)
        try:
            source = opened(images=images or bool(config.embedder))
            lack = open_run.lacking_pictures(source)
        except ValueError:
            if images or blind is None:
                raise
            source, lack = opened(images=False), "no pictures that can be read"
        if lack and config.embedder:
            if blind is None:
                raise ValueError(f"{text}: expected pictures for the embedder {config.embedder}, but {lack}")
            notes.append(f"{text}: {lack}, so tracked by motion alone (--tracker {BLIND})")
            try:
                source, config = opened(images=images), replace(blind(), detector=detector_config)
            except ValueError as error:  # keys of the other tracker
                raise ValueError(f"{notes[-1]}, but {error}") from error
    if not open_run.brings_latents(detector, detector_config):
        require_latents(config, text)
    embedder = open_embedder(config)
    notes.append(open_run.note_on_scores(config))
    return Job(source, detector, with_prior(config, embedder), "\n".join(filter(None, notes)), embedder)


def track_source(job: Job, name: str, wanted: Wanted) -> Report:
    """Track a source and write its results as ``wanted.out/name.*``.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C in a file; what was tracked so far is then in ``name.partial.*``. A live source just ends.
    """
    source, clock = job.source, Stopwatch()
    live = isinstance(source, LiveSource)
    smooth = wanted.smooth if wanted.smooth is not None else job.config.offline and not live
    if live and smooth:
        raise ValueError(f"{source.name}: --smooth needs a source that ends, got a live one")
    config = at_rate(job.config, source.fps)
    tracker = SortTracker(config)
    explainer = Explainer(wanted.explain)
    report, found = Report(wanted.out / f"{name}.txt"), 0
    total = source.length if wanted.frames is None else min(wanted.frames, source.length or wanted.frames)
    with ExitStack() as stack:
        if isinstance(source, LiveSource):
            stack.enter_context(closing(source))
        sinks = [stack.enter_context(sink()) for sink in _sinks(job, name, wanted)]
        frames = clock.watch(progress(islice(source, wanted.frames), total, name), "decoding")
        seen = clock.watch(detect(frames, job.detector), "detection")
        if job.embedder is not None:
            chosen, embedder = config.embed, job.embedder
            batch, longest = 1 if live else chosen.batch, chosen.longest(source.fps)
            seen = embed(seen, embedder, batch=batch, longest=longest, dim=chosen.dim(embedder.dim))
            seen = clock.watch(seen, "embedding")
        results = clock.watch(_explained(track(seen, tracker, source.size), tracker, explainer), "association")
        try:
            for result in _smoothed(results, job, wanted, total, clock) if smooth else results:
                with clock.during("drawing and writing"):
                    for sink in sinks:
                        sink.write(result)
                report.frames += 1
                found += len(result.detections)
                report.ids.update(result.tracks.ids.tolist())
        except KeyboardInterrupt:
            if not live:
                write_text(wanted.out / f"{name}.config.yaml", dump(config))
                raise
        with clock.during("drawing and writing"):
            stack.close()  # completes the files
    least = config.lifecycle.birth_score
    if found and not report.ids and least is not None:
        report.note = f"; {found} detections and no track: does any score reach lifecycle.birth_score={least:g}?"
    report.dropped = tracker.dropped
    report.seconds = clock.elapsed
    report.timing = clock.table(report.frames) if wanted.timing else ""
    write_text(wanted.out / f"{name}.config.yaml", dump(config))
    if explainer.wanted:
        explainer.write(wanted.out / f"{name}.explain.csv")
        report.explanation = explainer.text()
    return report


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


def _smoothed(
    results: Iterable[FrameResult], job: Job, wanted: Wanted, total: int | None, clock: Stopwatch
) -> Iterator[FrameResult]:
    """The whole source tracked and smoothed, then its pictures once more where they are wanted."""
    done: list[FrameResult] = []
    interrupted = False
    try:
        for result in results:
            bare = replace(result.detections, latents=None)  # an hour of them would fill the memory
            done.append(replace(result, frame=replace(result.frame, image=None), detections=bare))
    except KeyboardInterrupt:
        interrupted = True
    with clock.during("smoothing"):
        smooth = smoothed(done, job.config.smooth)
    if wanted.images and not interrupted:
        frames = clock.watch(progress(islice(job.source, wanted.frames), total, "writing"), "decoding")
        # a file that ends earlier the second time ends the run
        yield from (replace(r, frame=f) for f, r in zip(frames, smooth, strict=False))
    else:
        yield from smooth
    if interrupted:
        raise KeyboardInterrupt
