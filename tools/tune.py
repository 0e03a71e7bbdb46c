"""``flatsort tune``: search the parameters with which a tracker scores best."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flatsort.tools.cli import config_names, debug_option, progress, run, split_arguments

if TYPE_CHECKING:
    from flatsort.tools.experiments.result_cache import Cache
    from flatsort.tools.experiments.results import BenchmarkSequence
    from flatsort.tools.experiments.tuning import TuningTask
    from flatsort.tracker.metrics import Scores

SHOWN = ("idf1", "hota", "assa", "mota", "ids")
"""Columns of the printed table."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("arguments", nargs=-1, metavar="[PATH]... [KEY=VALUE]...")
@click.option(
    "--data", multiple=True, required=True, metavar="PATH", help="Sequences to tune on, or their folder; repeatable."
)
@click.option(
    "--detections", default="det.txt", show_default=True, help="File in each det/, or a folder of NAME.txt or .npy."
)
@click.option("--min-score", type=float, help="Ignore detections below this score.")
@click.option(
    "--tracker",
    required=True,
    shell_complete=lambda *_: config_names("track"),
    help="Name under configs/track, or FILE.yaml.",
)
@click.option("--objective", type=click.Choice(["idf1", "hota", "mota"]), default="idf1", show_default=True)
@click.option("--trials", type=click.IntRange(1), default=100, show_default=True, help="Finished trials, in all.")
@click.option("--search", multiple=True, metavar="KEY=…", help="Values to try; repeatable. See above for the default.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR")
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/cache"),
    show_default=True,
    metavar="DIR",
    help="Cache of latents and finished runs, as in flatsort benchmark; may be deleted.",
)
@click.option("--resume", is_flag=True, help="Continue the study in --out, or start one if there is none.")
@click.option("--leave-one-out", is_flag=True, help="Tune once without each sequence and score the result on it.")
@click.option("--report", multiple=True, metavar="PATH", help="Sequences to report, which are not used for tuning.")
@click.option("--allow-reported", is_flag=True, help="Tune on sequences that are reported too.")
@click.option("--no-check", is_flag=True, help="Do not compare detections and ground truth with their sequences.")
@debug_option
def main(
    arguments: tuple[str, ...],
    data: tuple[str, ...],
    detections: str,
    min_score: float | None,
    tracker: str,
    objective: str,
    trials: int,
    search: tuple[str, ...],
    seed: int,
    out: Path,
    cache: Path,
    resume: bool,
    leave_one_out: bool,
    report: tuple[str, ...],
    allow_reported: bool,
    no_check: bool,
) -> None:
    """Search the parameters with which a tracker scores best on the pooled --data.

    --search gives the values to try: KEY=low..high (integers if both ends are, times in seconds as 0.5s..4s),
    KEY=log:low..high or KEY=a|b|c. The default depends on the tracker: thresholds of its stages, lifecycle of its
    tracks, noise of its motion model, false-match rate of its appearance. KEY=VALUE changes the tracker before tuning.

    The scores on --data are no result: parameters chosen there score too well there. --report scores other sequences,
    and --leave-one-out tunes once without each sequence. Writes DIR/tuned.yaml, for --tracker of the other verbs, whose
    tuned_on names the sequences, and DIR/tuning.json with the scores.

    \b
    flatsort tune --data train/A --data train/B --report train/C --tracker sort_long --out runs/tune
    flatsort tune --data train --tracker deep_sort --leave-one-out --out runs/left_out
    flatsort tune --data train/A --tracker sort --search stages.iou.threshold=0.4..0.9 --objective hota --out runs/tune
    """
    from flatsort.tools.experiments.result_cache import open_cache
    from flatsort.tools.experiments.search_space import default_space, parse_search
    from flatsort.tools.experiments.sequences import read_sequences
    from flatsort.tools.experiments.tuning import TuningTask
    from flatsort.tools.experiments.tuning_record import check_not_reported, check_not_tuned_on
    from flatsort.tracker.config import find, load
    from flatsort.tracker.input_check import thresholds_of
    from flatsort.tracker.track_config import TrackConfig

    more, overrides = split_arguments(arguments)
    if leave_one_out and report:
        raise click.UsageError("expected --leave-one-out or --report, got both")
    _check_folder(out, [tracker, *data, *more, *report], resume)
    config = load(TrackConfig, find("track", tracker), overrides)
    space = parse_search(search) or default_space(config)
    read = partial(
        read_sequences,
        detections=detections,
        min_score=min_score,
        thresholds=thresholds_of(config),
        check=not no_check,
    )
    sequences, reported = read([*data, *more]), read(report) if report else {}
    if not allow_reported:
        check_not_tuned_on(tracker, reported, "--allow-reported")
        if not leave_one_out:
            check_not_reported(sequences, reported, out)
    note = detections if min_score is None else f"{detections}, score >= {min_score:g}"
    task = TuningTask(tracker, config, space, sequences, objective, seed, note)
    try:
        with open_cache(cache) as opened:
            if leave_one_out:
                _leave_one_out(task, out, opened, trials)
            else:
                _tune(task, out, opened, trials, reported)
    except KeyboardInterrupt:
        click.echo(f"the finished trials are kept in {out}; --resume continues with them", err=True)
        raise


def _check_folder(out: Path, inputs: Sequence[str], resume: bool) -> None:
    """Refuse to replace an input, or to go on with a study unasked."""
    from flatsort.tools.experiments.tuning import STUDY
    from flatsort.tools.experiments.tuning_record import TUNED_CONFIG, TUNING_REPORT
    from flatsort.tracker.files import refuse_overwriting

    refuse_overwriting([out / TUNED_CONFIG, out / TUNING_REPORT], inputs)
    studies = [*out.glob(STUDY), *out.glob(f"without-*/{STUDY}")]
    if studies and not resume:
        raise ValueError(f"{studies[0]}: a study is there already; --resume continues it, or give another --out")


def _tune(task: TuningTask, out: Path, cache: Cache, trials: int, reported: Mapping[str, BenchmarkSequence]) -> None:
    from flatsort.tools.experiments.tuning import evaluate, tune
    from flatsort.tools.experiments.tuning_record import TUNED_CONFIG

    result = tune(task, out, cache, trials, _progress_bar)
    rows = {"tuned on, own parameters": result.before.overall, "tuned on, tuned": result.after.overall}
    if reported:
        rows["reported, own parameters"] = evaluate(task.config, reported, cache).overall
        rows["reported, tuned"] = evaluate(result.config, reported, cache).overall
    click.echo(_table(rows) + "\n")
    for key, (old, new) in result.changed.items():
        click.echo(f"{key}: {old} -> {new}")
    if not result.changed:
        click.echo("no trial was better than the tracker's own parameters")
    click.echo(f"{out / TUNED_CONFIG}: {result.trials} trials, not to be reported on {', '.join(task.sequences)}")


def _leave_one_out(task: TuningTask, out: Path, cache: Cache, trials: int) -> None:
    from flatsort.tools.experiments.tuning import LEFT_OUT, leave_one_out

    own, tuned = (each.rows() for each in leave_one_out(task, out, cache, trials, _progress_bar))
    rows = {}
    for name in own:
        rows[f"{name}, own parameters"] = own[name]
        rows[f"{name}, tuned without it"] = tuned[name]
    click.echo(_table(rows) + "\n")
    click.echo(f"{out / LEFT_OUT}: each sequence with the parameters that were tuned without it")


def _progress_bar(items: Iterable[Any], total: int, label: str) -> Iterator[Any]:
    return progress(items, total, label, "trial")


def _table(rows: Mapping[str, Scores]) -> str:
    from tabulate import tabulate

    from flatsort.tracker.metrics.report import COLUMN_NAMES

    cells = [
        [title, *(f"{getattr(row, key):.{0 if key == 'ids' else 1}f}" for key in SHOWN)] for title, row in rows.items()
    ]
    align = ["left", *["right"] * len(SHOWN)]
    return tabulate(cells, ["", *(COLUMN_NAMES[key] for key in SHOWN)], colalign=align, disable_numparse=True)


if __name__ == "__main__":
    run(main)
