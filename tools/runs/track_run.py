"""Tracking one source from opening to written results: the chain of generators, its files and its report."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from flatsort.tools.cli import progress
from flatsort.tools.process import Terminated, uninterrupted
from flatsort.tools.runs.explanations import Explanations
from flatsort.tools.runs.timing import Stopwatch
from flatsort.tracker.config import dump
from flatsort.tracker.draw import Painter
from flatsort.tracker.files import holds, refuse_overwriting, write_text
from flatsort.tracker.io.live import LiveSource
from flatsort.tracker.io.results import Boxes, CsvSink, FileSink, JsonSink, MotSink
from flatsort.tracker.io.visual_results import CropSink, ShowSink, VideoSink
from flatsort.tracker.pipeline import Run
from flatsort.tracker.protocols import Sink
from flatsort.tracker.sort import SortTracker
from flatsort.tracker.track_config import TrackConfig
from flatsort.tracker.types import FrameResult

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrackOutput:
    """What tracking a source shall leave in ``out``, beside the MOTChallenge rows and the config."""

    out: Path
    csv: bool = False
    json: bool = False
    video: bool = False
    crops: bool = False
    show: bool = False
    boxes: Boxes = "filter"
    explain: str | None = None
    timing: bool = False
    frames: int | None = None

    @property
    def images(self) -> bool:
        """Whether any of it needs the images."""
        return self.video or self.crops or self.show

    def paths(self, name: str) -> list[Path]:
        """The files that a source of this name leaves."""
        chosen = {"txt": True, "csv": self.csv, "json": self.json, "mp4": self.video, "explain.csv": self.explain}
        whole = [suffix for suffix, wanted in chosen.items() if wanted]
        return [self.out / f"{name}.{middle}{suffix}" for middle in ("", "partial.") for suffix in whole]


@dataclass
class TrackReport:
    """What came of a source."""

    path: Path
    frames: int = 0
    seconds: float = 0.0
    dropped: int = 0
    ids: set[int] = field(default_factory=set)
    explanation: str = ""
    timing: str = ""
    note: str = ""
    detections: int = 0
    best_score: float = -math.inf

    def add(self, result: FrameResult) -> None:
        """Count a frame."""
        self.frames += 1
        self.detections += len(result.detections)
        self.best_score = max(self.best_score, float(result.detections.scores.max(initial=-math.inf)))
        self.ids.update(result.tracks.ids.tolist())

    @property
    def sentence(self) -> str:
        """One line for the user."""
        rate = self.frames / max(self.seconds, 1e-9)
        bad = f", {self.dropped} bad detections left out" if self.dropped else ""
        count = f"{self.frames} frames, {len(self.ids)} tracks{bad}"
        return f"{self.path}: {count}, {self.seconds:.1f} s ({rate:,.0f} frames/s){self.note}"


def track_run(
    run: Run,
    tracker: SortTracker,
    *,
    frames: int | None = None,
    images: bool = True,
    latents: bool = True,
    stopwatch: Stopwatch | None = None,
    after_step: Callable[[FrameResult], None] | None = None,
    title: str = "",
    keep_interrupted: bool = False,
) -> Iterator[FrameResult]:
    """The results of a run, frame by frame; where the run smooths, all of them once its source has ended.

    Parameters
    ----------
    run : Run
    tracker : SortTracker
        A new one of ``run.config``.
    frames : int, optional
        Where to stop.
    images, latents : bool
        Whether smoothed results shall have them: images are read a second time, latents stay in memory until the end.
    stopwatch : Stopwatch, optional
        Is charged with the time of each part.
    after_step : callable, optional
        Gets every result while the tracker is still at its frame.
    title : str
        Of the progress bar; there is none without.
    keep_interrupted : bool
        After Ctrl-C or an error, give the smoothed results so far before it goes on. Another Ctrl-C leaves out the
        smoothing, and so does a request to end, which may be followed by a kill.
    """
    clock, total = stopwatch or Stopwatch(), run.length(frames)
    shown = progress(run.frames(frames), total, title) if title else run.frames(frames)
    stream = clock.watch(run.detect(clock.watch(shown, "decoding")), "detection")
    if run.embedder is not None:
        stream = clock.watch(run.embed(stream), "embedding")
    results = run.track(stream, tracker)
    results = clock.watch(results if after_step is None else _each(results, after_step), "association")
    if not run.smooths:
        yield from results
        return
    done: list[FrameResult] = []
    stopped: BaseException | None = None
    try:
        for result in results:
            kept = result.detections if latents else replace(result.detections, latents=None)
            done.append(replace(result, frame=replace(result.frame, image=None), detections=kept))
    except (Exception, KeyboardInterrupt) as error:
        if not keep_interrupted:
            raise
        stopped = error
        if isinstance(error, KeyboardInterrupt) and not isinstance(error, Terminated):
            log.warning("smoothing the %d frames so far; Ctrl-C leaves that out", len(done))
    smooth = done
    try:
        if not isinstance(stopped, Terminated):
            with clock.during("smoothing"):
                smooth = run.smooth(done)
    except (Exception, KeyboardInterrupt) as error:
        if not keep_interrupted:
            raise
        stopped = stopped or error
    if stopped is not None:
        with uninterrupted():
            yield from smooth
        raise stopped
    if not images:
        yield from smooth
        return
    again = progress(run.frames(frames), total, "writing") if title else run.frames(frames)
    # a file that ends earlier the second time ends the run
    yield from (replace(r, frame=f) for f, r in zip(clock.watch(again, "decoding"), smooth, strict=False))


def write_run(
    run: Run,
    name: str,
    output: TrackOutput,
    inputs: Sequence[str | None] = (),
    tracker: SortTracker | None = None,
) -> TrackReport:
    """Track the source of a run and write its results as ``output.out/name.*``.

    Parameters
    ----------
    run : Run
    name : str
    output : TrackOutput
    inputs : sequence of str
        Files that the run is made from; no result replaces one of them.
    tracker : SortTracker, optional
        Goes on with its tracks and ids; by default a new one.

    Raises
    ------
    KeyboardInterrupt, OSError, ValueError, …
        After Ctrl-C in a file, or an error in the middle of a run. What was tracked so far is then in
        ``name.partial.*``, and ``__notes__`` of the error says so. A live source just ends, but a request to end is
        handed on once its results are complete.
    """
    refuse_overwriting(_outputs(run, name, output), [*inputs, *_inputs(run)])
    tracker, stopwatch = tracker or run.tracker(), Stopwatch()
    dropped_before = tracker.dropped
    explanations = Explanations(output.explain)
    report, sinks = TrackReport(output.out / f"{name}.txt"), list[Sink]()
    results = track_run(
        run,
        tracker,
        frames=output.frames,
        images=output.images,
        latents=False,
        stopwatch=stopwatch,
        after_step=lambda result: explanations.add(result, tracker),
        title=name,
        keep_interrupted=True,
    )
    files, complete = ExitStack(), False
    try:
        stopped = _write(run, results, files, sinks, _sinks(run, name, output), report, stopwatch)
        with uninterrupted():
            with stopwatch.during("drawing and writing"):
                files.close()  # completes them
            write_text(output.out / f"{name}.config.yaml", dump(run.config))
            if explanations.requested:
                explanations.write(output.out / f"{name}.explain.csv")
            complete = True
        if stopped is not None:
            raise stopped
    except BaseException as error:
        with uninterrupted():
            said = f"its results are in {report.path}" if complete else _keep(run, name, output, files, sinks, error)
            error.__notes__ = [*getattr(error, "__notes__", []), *filter(None, [said])]
        raise
    report.dropped = tracker.dropped - dropped_before
    if report.detections and not report.ids:
        report.note = _why_no_track(report, run.config)
    report.seconds = stopwatch.elapsed
    report.timing = stopwatch.table(report.frames) if output.timing else ""
    report.explanation = explanations.text() if explanations.requested else ""
    return report


def _keep(
    run: Run, name: str, output: TrackOutput, files: ExitStack, sinks: Sequence[Sink], error: BaseException
) -> str:
    """Close the files of a run that was interrupted by an error, and tell where its frames are."""
    with suppress(Exception):  # of one file: the others and the first error are worth more
        files.__exit__(type(error), error, error.__traceback__)
    kept = [sink.path for sink in sinks if isinstance(sink, FileSink) and sink.partial]
    if not kept:
        return ""
    with suppress(OSError):
        write_text(output.out / f"{name}.config.yaml", dump(run.config))
    return f"the frames so far are in {kept[0]}"


def _outputs(run: Run, name: str, output: TrackOutput) -> list[Path]:
    config = output.out / f"{name}.config.yaml"  # may be that of the same run before
    return output.paths(name) + ([] if holds(config, dump(run.config)) else [config])


def _inputs(run: Run) -> list[str | None]:
    """Files that the detector and the embedder of a run are made from."""
    detector = run.config.detector
    path = getattr(detector, "path", None)
    files = map(str, Path(path).glob("*")) if path and Path(path).is_dir() else [path]
    return [*files, *(getattr(detector, key, None) for key in ("weights", "names")), run.config.embedder]


def _write(
    run: Run,
    results: Iterable[FrameResult],
    files: ExitStack,
    sinks: list[Sink],
    makers: Iterable[Callable[[], AbstractContextManager[Sink]]],
    report: TrackReport,
    stopwatch: Stopwatch,
) -> Terminated | None:
    """Write the results to sinks that are opened here, and count them; gives what ended a live source from outside."""
    if isinstance(run.source, LiveSource):
        files.enter_context(closing(run.source))
    sinks += (files.enter_context(make()) for make in makers)
    try:
        for result in results:
            with stopwatch.during("drawing and writing"):
                for sink in sinks:
                    sink.write(result)
            report.add(result)
    except KeyboardInterrupt as error:
        if not run.live:
            raise
        return error if isinstance(error, Terminated) else None
    return None


def _why_no_track(report: TrackReport, config: TrackConfig) -> str:
    start = f"; {report.detections} detections and no track"
    if report.dropped == report.detections:
        return f"{start}: none of them is a valid box"
    for key, least in (("min_score", config.min_score), ("lifecycle.birth_score", config.lifecycle.birth_score)):
        if least is not None and report.best_score < least:
            return f"{start}: no score reaches {key}={least:g}, the highest is {report.best_score:g}"
    return f"{start}: no object was found often enough for lifecycle.min_hits={config.lifecycle.min_hits}"


def _each(results: Iterator[FrameResult], after_step: Callable[[FrameResult], None]) -> Iterator[FrameResult]:
    for result in results:
        after_step(result)
        yield result


def _sinks(run: Run, name: str, output: TrackOutput) -> Iterator[Callable[[], AbstractContextManager[Sink]]]:
    """Makers of the sinks, so that each is opened only once the earlier ones are safely on the stack."""
    source, out, boxes, names = run.source, output.out, output.boxes, run.detector.class_names
    if output.show:  # first: without a display nothing else should begin
        yield lambda: ShowSink(name, Painter(names), boxes=boxes)
    # a detector that keeps one class of many says nothing by its number
    several = len(getattr(run.detector, "chosen_classes", names)) > 1
    yield lambda: MotSink(out / f"{name}.txt", boxes=boxes, classes=several)
    if output.csv:
        yield lambda: CsvSink(out / f"{name}.csv", boxes=boxes)
    if output.json:
        yield lambda: JsonSink(out / f"{name}.json", source=name, fps=source.fps, boxes=boxes, classes=names)
    if output.video:
        size = source.size
        if size is None:
            raise ValueError(f"{name}: --video needs a source with images")
        painter = Painter(names)
        yield lambda: VideoSink(out / f"{name}.mp4", painter, size=size, fps=run.rate, boxes=boxes)
    if output.crops:
        yield lambda: CropSink(out / f"{name}.crops", boxes=boxes)
