"""``flatsort benchmark``: tables of systems that run on the same detections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flatsort.tools.cli import config_names, debug_option, progress, run, split_arguments

if TYPE_CHECKING:
    from flatsort.tools.experiments.results import Benchmark
    from flatsort.tools.experiments.systems import BenchmarkConfig

RESULTS = ("table.md", "table.tex", "table.json", "report.html")
"""Files that are left in ``--out``, beside the config."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("arguments", nargs=-1, type=click.Path(), metavar="[PATH]... [KEY=VALUE]...")
@click.option("--config", "name", metavar="NAME|FILE", help="Name under configs/benchmark, or FILE.yaml.")
@click.option(
    "--data",
    "sources",
    multiple=True,
    metavar="PATH",
    help="Sequence folder with gt/gt.txt, folder of them, or glob. May be repeated.",
)
@click.option(
    "--detections",
    metavar="NAME",
    help="File in det/ of each sequence, or a folder of NAME.txt or NAME.npy.  [default: det.txt]",
)
@click.option("--classes", metavar="NAMES", help="Classes to keep and to score: car,person; all.")
@click.option("--frames", metavar="A-B", help="Track and score these frames only, both included; A- or -B.")
@click.option("--min-score", type=float, metavar="S", help="Leave out detections below this score, for every system.")
@click.option(
    "--systems",
    metavar="A,B,…",
    shell_complete=lambda *_: config_names("track"),
    help="Systems of the config, or trackers: names under configs/track and FILE.yaml.",
)
@click.option(
    "--embedders",
    metavar="all|A,B,…",
    help="Embedders of the config, or trained models, with the same tracker.",
)
@click.option("--crops", metavar="PATH", help="Labelled images to measure embedders on, as in flatsort retrieval.")
@click.option("--seeds", metavar="0,1,…", help="Training seeds of checkpoints with {seed} in their names.")
@click.option(
    "--weights",
    multiple=True,
    metavar="EMBEDDER=FILE",
    help="Checkpoint for an embedder or a system; {seed} is replaced by each seed. May be repeated.",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("runs/benchmark"), show_default=True
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs/cache"),
    show_default=True,
    metavar="DIR",
    help="Cache of latents and finished runs; may be deleted.",
)
@click.option("--no-cache", is_flag=True, help="Compute everything again and store nothing.")
@click.option("--allow-tuned", is_flag=True, help="Report trackers on sequences that they were tuned on.")
@click.option("--no-check", is_flag=True, help="Do not compare detections and ground truth with their sequences.")
@click.option("--print-config", is_flag=True, help="Print the resolved config and stop.")
@debug_option
def main(
    arguments: tuple[str, ...],
    name: str | None,
    sources: tuple[str, ...],
    detections: str | None,
    classes: str | None,
    frames: str | None,
    min_score: float | None,
    systems: str | None,
    embedders: str | None,
    crops: str | None,
    seeds: str | None,
    weights: tuple[str, ...],
    out: Path,
    jobs: int,
    cache: Path,
    no_cache: bool,
    allow_tuned: bool,
    no_check: bool,
    print_config: bool,
) -> None:
    """Run systems on the same detections and print the MOT16 table, pooled and for each sequence.

    Beside its sixteen columns: HOTA, DetA, AssA, and microseconds per frame of association and of embedding, each with
    one thread. Writes table.md, table.json, table.tex and report.html into --out. More PATHs may follow --data.
    KEY=VALUE changes any key of the config (see --print-config). A second run takes its results from the cache, and an
    interrupted one continues.

    \b
    flatsort benchmark --data MOT17/train --systems sort,sort_long,bytetrack --out runs/table
    flatsort benchmark --data MOT16/train --systems deep_sort,flatsort --min-score 0.3 --jobs 4
    flatsort benchmark --config mot16 --seeds 0,1,2 --weights vhp_vae=runs/vhp_{seed}/model.safetensors
    flatsort benchmark --data seq/ --systems sort systems.sort.set=[lifecycle.max_age=5]
    flatsort benchmark --data seq/ --embedders all --crops crops/val --seeds 0,1,2
    """
    from flatsort.tracker.class_names import parse_classes
    from flatsort.tracker.config import dump

    more, overrides = split_arguments(arguments)
    options = {
        "data": [*sources, *more] or None,
        "detections": detections,
        "classes": None if classes is None else list(parse_classes(classes) or ()),
        "frames": frames,
        "min_score": min_score,
        "crops": crops,
        "seeds": _numbers(seeds) if seeds is not None else None,
    }
    values = {k: v for k, v in options.items() if v is not None}
    config = benchmark_config(name, values, systems, weights, overrides, embedders)
    if print_config:
        click.echo(dump(config), nl=False)
        return
    if not config.data:
        raise click.UsageError("expected --data PATH, got none")
    if not config.systems:
        raise click.UsageError("expected --systems NAMES, --embedders all or --config NAME, got none")
    if seeds is not None and not any("{seed}" in system.weights for system in config.systems.values()):
        raise click.UsageError("--seeds: expected {seed} in a system's --weights, for example vae=runs/vae_{seed}")
    if not allow_tuned:
        _refuse_tuned(config)
    _refuse_overwriting(config, out, name)
    _benchmark(config, out, None if no_cache else cache, jobs, check=not no_check)


def benchmark_config(
    name: str | None,
    values: dict[str, Any],
    systems: str | None,
    weights: Sequence[str],
    overrides: Sequence[str],
    embedders: str | None = None,
) -> BenchmarkConfig:
    """The config of a file with the options applied to it; KEY=VALUE takes precedence over them."""
    from flatsort.tools.experiments.systems import BenchmarkConfig, select_systems, with_embedders, with_weights
    from flatsort.tracker.config import find, load, override

    config = load(BenchmarkConfig, find("benchmark", name) if name else None, (), values)
    if systems is not None:
        config = select_systems(config, [each for each in systems.split(",") if each])
        if embedders is None:
            config = replace(config, embedders={})
    chosen = embedders or ("all" if config.embedders else None)
    if chosen is not None:
        config = with_embedders(override(config, overrides), chosen)
    return override(with_weights(config, weights), overrides)


def _numbers(text: str) -> list[int]:
    try:
        return [int(each) for each in text.split(",")]
    except ValueError:
        raise click.UsageError(f"--seeds: expected whole numbers such as 0,1,2, got {text!r}") from None


def _refuse_tuned(config: BenchmarkConfig) -> None:
    from flatsort.tools.experiments.sequences import find_sequences
    from flatsort.tools.experiments.tuning_record import check_not_tuned_on

    names = list(find_sequences(config.data))
    for name, system in config.systems.items():
        check_not_tuned_on(system.tracker or name, names)


def _refuse_overwriting(config: BenchmarkConfig, out: Path, file: str | None) -> None:
    from flatsort.tracker.config import dump
    from flatsort.tracker.files import holds, refuse_overwriting

    kept = out / "config.yaml"  # may be that of the same benchmark before
    outputs = [out / name for name in RESULTS] + ([] if holds(kept, dump(config)) else [kept])
    trackers = [part for name, each in config.systems.items() for part in (name, each.tracker, each.weights)]
    refuse_overwriting(outputs, [file, *config.data, config.detections, config.crops, *trackers])


def _benchmark(config: BenchmarkConfig, out: Path, folder: Path | None, jobs: int, *, check: bool) -> None:
    from flatsort.tools.experiments import embedder_traits, report, tables
    from flatsort.tools.experiments.bootstrap import cached_intervals
    from flatsort.tools.experiments.parallel import run_systems
    from flatsort.tools.experiments.result_cache import open_cache
    from flatsort.tools.experiments.systems import embedder_comparison
    from flatsort.tracker.config import dump
    from flatsort.tracker.files import write_text

    with open_cache(folder) as cache:
        try:
            done = run_systems(config, cache, jobs=jobs, progress=_progress_bar, check=check)
            benchmark = _published(config, done)
            if config.embedders and config.crops:
                benchmark = replace(
                    benchmark, embedders=embedder_traits.measure_all(embedder_comparison(config), cache, _progress_bar)
                )
        except KeyboardInterrupt:
            kept = (
                f"finished runs are in {folder}, the same command continues from there" if folder else "nothing is kept"
            )
            click.echo(f"interrupted: {kept}", err=True)
            raise
        intervals = cached_intervals(benchmark, cache, config.rounds) if config.rounds else None
        write_text(out / "table.md", tables.text(benchmark, "markdown", intervals))
        write_text(out / "table.tex", tables.text(benchmark, "latex", intervals))
        write_text(out / "table.json", tables.to_json(benchmark, intervals))
        write_text(out / "config.yaml", dump(config))
        report.write(benchmark, out / "report.html")
        click.echo(tables.text(benchmark, "text", intervals), nl=False)


def _published(config: BenchmarkConfig, benchmark: Benchmark) -> Benchmark:
    """The benchmark with the published rows of the config, their sources, and a warning if they are not comparable."""
    if not config.published:
        return benchmark
    from flatsort.tools.experiments import published

    rows = published.rows(config.published)
    warning = published.warning(benchmark.sequences, config.detections)
    sources = dict.fromkeys(f"published: {row.source}; detections: {row.detections}" for row in rows)
    return replace(benchmark, published=rows, notes=[*benchmark.notes, *sources, *filter(None, [warning])])


def _progress_bar(items: Iterable[Any], total: int, what: str) -> Iterator[Any]:
    return progress(items, total, what, "sequence")


if __name__ == "__main__":
    run(main)
