"""``flatsort evaluate``: the MOT16 table and HOTA of tracks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flatsort.tools.cli import debug_option, progress, run

if TYPE_CHECKING:
    from flatsort.tracker.metrics import Evaluation, FilePair, SequenceResult


class Output(click.Path):
    """A path to write to; not ``-``, because the table goes to stdout."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse ``-``."""
        if str(value) == "-":
            self.fail("expected a name to write to, got -, but the table is already on stdout", param, ctx)
        return super().convert(value, param, ctx)


LEGEND = "MOTAL is the devkit's, of log10(IDs + 1); TrackEval's, of log10(IDs), gives the first switch for free"
CURVES = "hota.png"
FILE = Output(dir_okay=False, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--gt",
    type=click.Path(path_type=Path),
    required=True,
    metavar="PATH",
    help="Ground truth: a gt.txt, a sequence folder (NAME/gt/gt.txt), or a folder of sequences.",
)
@click.option(
    "--pred",
    type=click.Path(path_type=Path),
    required=True,
    metavar="PATH",
    help="Tracks: a NAME.txt, or a folder of them; NAME is the sequence's folder or its name in seqinfo.ini.",
)
@click.option(
    "--format",
    "benchmark",
    type=click.Choice(["auto", "mot15", "mot16", "mot17", "mot20"]),
    default="auto",
    show_default=True,
    help="Rules of a benchmark; auto: by the columns and labels.txt of the ground truth.",
)
@click.option("--classes", metavar="NAMES", help="Classes to score, each and together: car,person; all.")
@click.option("--frames", metavar="A-B", help="Score these frames only, both included; A- or -B.")
@click.option(
    "--stride",
    type=click.IntRange(1),
    help="Score every n-th frame from the first annotated one on.  [default: as the ground truth is annotated]",
)
@click.option("--no-check", is_flag=True, help="Do not compare tracks with the ground truth's frames and picture.")
@click.option("--allow-missing", is_flag=True, help="Score only the sequences that have tracks, instead of refusing.")
@click.option("--json", "json_file", type=FILE, help="Write the scores as JSON.")
@click.option("--csv", "csv_file", type=FILE, help="Write the scores as CSV.")
@click.option("--markdown", "markdown_file", type=FILE, help="Write the table as Markdown.")
@click.option("--latex", "latex_file", type=FILE, help="Write the table as LaTeX (booktabs).")
@click.option(
    "--plot",
    type=Output(path_type=Path),
    metavar="DIR|NAME.png",
    help="Write hota.png and a timeline of identities for each sequence into this folder; NAME.png: HOTA only.",
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Sequences scored at a time.")
@debug_option
def main(
    gt: Path,
    pred: Path,
    benchmark: str,
    classes: str | None,
    frames: str | None,
    stride: int | None,
    no_check: bool,
    allow_missing: bool,
    json_file: Path | None,
    csv_file: Path | None,
    markdown_file: Path | None,
    latex_file: Path | None,
    plot: Path | None,
    jobs: int,
) -> None:
    """Score tracks against ground truth: CLEAR MOT, identity (IDF1) and HOTA, as the MOTChallenge does.

    Prints a row for each sequence and OVERALL, of the pooled counts. Ground truth with classes of its own (labels.txt
    beside gt.txt, VisDrone) gets a row for each class and their average as well. Frames without ground truth do not
    count where every n-th frame has some.

    \b
    flatsort evaluate --gt MOT17/train --pred runs/sort
    flatsort evaluate --gt MOT17/train/MOT17-09-FRCNN --pred tracks.txt
    flatsort evaluate --gt gt.txt --pred tracks.txt --format mot20 --json scores.json --plot plots/
    flatsort evaluate --gt MOT17/train --pred runs/sort --frames 301-
    flatsort evaluate --gt cvat/export --pred runs/cvat --classes car,person
    """
    from flatsort.tracker.class_names import parse_classes
    from flatsort.tracker.files import refuse_overwriting, write_text
    from flatsort.tracker.metrics import evaluate, find_pairs, report
    from flatsort.tracker.metrics.scored_frames import FrameSelection

    def shown(results: Iterator[SequenceResult], total: int) -> Iterable[SequenceResult]:
        return progress(results, total, "evaluate", "sequence")

    pairs = find_pairs(gt, pred, allow_missing=True)[0]
    files = [each for pair in pairs for each in (pair.gt, pair.pred)]
    curves = plot and (plot if _is_picture(plot) else plot / CURVES)
    refuse_overwriting(filter(None, (json_file, csv_file, markdown_file, latex_file, curves)), [*files, gt])
    notes = [] if no_check else _check(pairs)
    evaluation = evaluate(
        gt,
        pred,
        benchmark=None if benchmark == "auto" else benchmark,  # type: ignore[arg-type]  # click has checked it
        classes=parse_classes(classes),
        frames=FrameSelection.parse(frames, stride),
        allow_missing=allow_missing,
        jobs=jobs,
        progress=shown,
    )
    for file, text in (
        (json_file, report.to_json(evaluation)),
        (csv_file, report.to_csv(evaluation)),
        (markdown_file, report.table(evaluation, "markdown") + "\n"),
        (latex_file, report.table(evaluation, "latex") + "\n"),
    ):
        if file is not None:
            write_text(file, text)
    if plot is not None:
        _plot(evaluation, plot)
    for note in [*notes, *evaluation.notes, LEGEND]:
        click.echo(note, err=True)
    click.echo(report.table(evaluation))


def _check(pairs: Iterable[FilePair]) -> list[str]:
    """Refuse tracks and ground truth that cannot belong together; else what users should know of them."""
    from flatsort.tracker.input_check import InputBoxes, check_boxes, check_frames
    from flatsort.tracker.io.mot import read_table

    notes: list[str] = []
    for pair in pairs:
        tables = (read_table(path) for path in (pair.gt, pair.pred))
        gt, pred = (InputBoxes(each.path, each.frames, each.boxes, each.scores, "boxes") for each in tables)
        size = pair.info.size if pair.info else None
        notes += [*check_boxes(gt, size), *check_boxes(pred, size)]
        frames = range(1, int(gt.frames.max(initial=0)) + 1)
        if pair.info is None and len(frames):  # else frames beyond the sequence are refused anyway
            notes += check_frames(pred, frames, images=len(frames))
    return notes


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() == ".png"


def _plot(evaluation: Evaluation, path: Path) -> None:
    from flatsort.tracker.metrics import plots

    if _is_picture(path):
        plots.save(plots.hota_curves(evaluation), path)
        return
    plots.save(plots.hota_curves(evaluation), path / CURVES)
    for name, result in evaluation.sequences.items():
        plots.save(plots.identity_timeline(result), path / f"timeline-{name}.png")


if __name__ == "__main__":
    run(main)
