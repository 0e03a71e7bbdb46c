"""``flatsort tune``: settings of a tracker by their scores, on sequences that are then not reported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flatsort.tools.cli import config_names, debug_option, progress, run, split_arguments

if TYPE_CHECKING:
    from flatsort.tools.experiments.result_cache import Cache
    from flatsort.tools.experiments.results import SequenceInput
    from flatsort.tools.experiments.study import Trial
    from flatsort.tools.experiments.tuning import Job
    from flatsort.tracker.metrics import Scores

SHOWN = ("idf1", "hota", "assa", "mota", "ids")
"""Scores that are printed."""


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
@click.option("--search", multiple=True, metavar="KEY=…", help="What to try; repeatable. See above for the default.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR")
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/cache"),
    show_default=True,
    metavar="DIR",
    help="Where latents and runs are kept, as in flatsort benchmark; may be deleted.",
)
@click.option("--resume", is_flag=True, help="Go on with the study in --out, or begin where there is none.")
@click.option("--leave-one-out", is_flag=True, help="Tune once without each sequence and score that one.")
@click.option("--report", multiple=True, metavar="PATH", help="Sequences to report, which tuning must not see.")
@click.option("--allow-reported", is_flag=True, help="Tune on sequences that are reported too.")
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
) -> None:
    """Search the settings with which a tracker scores best on the pooled --data.

    --search names what is tried: KEY=low..high (whole numbers where both are, lives in seconds as 0.5s..4s),
    KEY=log:low..high or KEY=a|b|c. The default fits the tracker: thresholds of its stages, lives of its tracks, noise
    of its motion model, false-match rate of appearance. KEY=VALUE changes the tracker before.

    The scores on --data are no result: what was chosen there looks better than it is. --report scores sequences that
    tuning has not seen, and --leave-one-out tunes once without each. Leaves DIR/tuned.yaml, for --tracker of the other
    verbs, and DIR/tuned_on.json.

    \b
    flatsort tune --data train/A --data train/B --report train/C --tracker sort_long --out runs/tune
    flatsort tune --data train --tracker deep_sort --leave-one-out --out runs/left_out
    flatsort tune --data train/A --tracker sort --search stages.iou.threshold=0.4..0.9 --objective hota --out runs/tune
    """
    from flatsort.tools.experiments.result_cache import open_cache
    from flatsort.tools.experiments.search_space import default_space, parse_search
    from flatsort.tools.experiments.sequences import read_inputs
    from flatsort.tools.experiments.tuning import STUDY, Job
    from flatsort.tools.experiments.tuning_record import check_not_reported, check_not_tuned_on
    from flatsort.tracker.config import find, load
    from flatsort.tracker.track_config import TrackConfig

    more, overrides = split_arguments(arguments)
    if leave_one_out and report:
        raise click.UsageError("expected --leave-one-out or --report, got both")
    there = [*out.glob(STUDY), *out.glob(f"without-*/{STUDY}")]
    if there and not resume:
        raise ValueError(f"{there[0]}: a study is there already; --resume goes on with it, or give another --out")
    config = load(TrackConfig, find("track", tracker), overrides)
    space = parse_search(search) or default_space(config)
    sequences = read_inputs([*data, *more], detections, min_score)
    reported = read_inputs(report, detections, min_score) if report else {}
    if not allow_reported:
        check_not_tuned_on(tracker, reported, "--allow-reported")
        if not leave_one_out:
            check_not_reported(sequences, reported, out)
    note = detections if min_score is None else f"{detections}, score >= {min_score:g}"
    job = Job(tracker, config, space, sequences, objective, seed, note)
    try:
        with open_cache(cache) as kept:
            if leave_one_out:
                _leave_one_out(job, out, kept, trials)
            else:
                _tune(job, out, kept, trials, reported)
    except KeyboardInterrupt:
        click.echo(f"the finished trials are kept in {out}; --resume goes on with them", err=True)
        raise


def _tune(job: Job, out: Path, cache: Cache, trials: int, reported: Mapping[str, SequenceInput]) -> None:
    from flatsort.tools.experiments.tuning import evaluate, tune
    from flatsort.tools.experiments.tuning_record import TUNED

    found = tune(job, out, cache, trials, _bar("tune"))
    rows = {"tuned on, own settings": found.before.overall, "tuned on, tuned": found.after.overall}
    if reported:
        rows["reported, own settings"] = evaluate(job.config, reported, cache).overall
        rows["reported, tuned"] = evaluate(found.config, reported, cache).overall
    click.echo(_table(rows) + "\n")
    for key, (old, new) in found.changed.items():
        click.echo(f"{key}: {old} -> {new}")
    if not found.changed:
        click.echo("no trial was better than the tracker's own settings")
    click.echo(f"{out / TUNED}: {found.trials} trials, not to be reported on {', '.join(job.sequences)}")


def _leave_one_out(job: Job, out: Path, cache: Cache, trials: int) -> None:
    from flatsort.tools.experiments.tuning import LEFT_OUT, leave_one_out

    own, tuned = (each.rows() for each in leave_one_out(job, out, cache, trials, _bar))
    rows = {}
    for name in own:
        rows[f"{name}, own settings"] = own[name]
        rows[f"{name}, tuned without it"] = tuned[name]
    click.echo(_table(rows) + "\n")
    click.echo(f"{out / LEFT_OUT}: each sequence with the settings that were tuned without it")


def _bar(label: str) -> Callable[[Iterator[Trial], int], Iterable[Trial]]:
    return lambda found, total: progress(found, total, label, "trial")


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
