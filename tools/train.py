"""``flatsort train``: train a latent model on samples without labels."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flatsort.tools.cli import config_names, debug_option, run, split_arguments

if TYPE_CHECKING:
    from flatsort.embedding.training.callbacks import Callback
    from flatsort.embedding.training.config import TrainConfig
    from flatsort.embedding.training.distributed import Group


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("arguments", nargs=-1, type=click.Path(), metavar="[PATH]... [KEY=VALUE]...")
@click.option(
    "--config",
    "name",
    required=True,
    metavar="NAME|FILE",
    shell_complete=lambda *_: config_names("train"),
    help="Name under configs/train, or FILE.yaml.",
)
@click.option(
    "--data",
    "sources",
    multiple=True,
    metavar="PATH",
    help="Set of flatsort crop, folder of images, poses.npz, digits, pendulum, sprites, … or FILE.py (repeatable).",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the run.  [default: runs/NAME]"
)
@click.option("--resume", is_flag=True, help="Go on from the newest state in --out, or begin where there is none.")
@click.option("--overwrite", is_flag=True, help="Delete the run that is in --out.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:NUMBER.")
@click.option("--seed", type=int, help="Random seed: short for seed=N.")
@click.option(
    "--views",
    type=click.Choice(["none", "tracklets", "windows"]),
    help="tracklets: see one sample of a motion-only tracklet and give back another; windows: of sequences, with time.",
)
@click.option("--print-config", is_flag=True, help="Print the resolved config and stop.")
@debug_option
def main(
    arguments: tuple[str, ...],
    name: str,
    sources: tuple[str, ...],
    out: Path | None,
    resume: bool,
    overwrite: bool,
    device: str,
    seed: int | None,
    views: str | None,
    print_config: bool,
) -> None:
    """Train a latent model on samples without labels.

    Leaves in --out: model.safetensors (averaged weights), config.yaml, metrics.jsonl, skipped.txt, figures,
    TensorBoard events, and state/ for --resume, which ends with the weights of a run that was never interrupted.
    More PATHs may follow --data. KEY=VALUE changes any key of the config (see --print-config).

    \b
    flatsort train --config flat_vhp_vae --data crops/ --out runs/flat
    flatsort train --config flat_vhp_vae --data crops/ --out runs/flat --resume
    flatsort train --config vae --data digits --out runs/digits model.shape=[1,8,8] model.net.stem=2 steps=1000
    torchrun --nproc-per-node 4 -m flatsort train --config ae --data crops/ --out runs/ae
    """
    from flatsort.embedding.training.config import TrainConfig
    from flatsort.embedding.training.run_folder import CONFIG
    from flatsort.tracker.config import dump, find, load
    from flatsort.tracker.files import holds, refuse_overwriting

    more, overrides = split_arguments(arguments)
    short = {key: value for key, value in {"seed": seed, "views": views}.items() if value is not None}
    config = load(TrainConfig, find("train", name), overrides, short)
    if print_config:
        click.echo(dump(config), nl=False)
        return
    if resume and overwrite:
        raise click.UsageError("expected --resume or --overwrite, got both")
    if not (sources or more):
        raise click.UsageError("expected --data PATH, got none")
    out = out or Path("runs") / Path(name).stem
    if not holds(out / CONFIG, dump(config)):  # that of the run itself is named to resume it
        refuse_overwriting([out / CONFIG], [name])
    _train(config, [*sources, *more], out, resume, overwrite, device)


def _train(config: TrainConfig, sources: list[str], out: Path, resume: bool, overwrite: bool, device: str) -> None:
    from flatsort.embedding.data.sources import gather
    from flatsort.embedding.training import distributed, run_folder
    from flatsort.embedding.training.loop import train
    from flatsort.tracker.files import write_text

    with distributed.join(device) as group:
        if group.main:
            run_folder.check_free(out, resume=resume, overwrite=overwrite)
        with group.first():
            gathered = gather(sources, config.model.shape, out / "data")
        if group.main:
            write_text(out / "skipped.txt", "".join(f"{sentence}\n" for sentence in gathered.skipped))
            skipped = f", skipped: {len(gathered.skipped)} (see {out / 'skipped.txt'})" if gathered.skipped else ""
            shape = "×".join(map(str, config.model.shape))
            click.echo(
                f"{len(gathered.data)} samples of {shape}{skipped}; {config.model.name} on {_place(group)}, "
                f"{config.steps} steps of {config.batch}"
            )
        shown = _bar(config.steps) if sys.stderr.isatty() else _lines()
        path = train(config, gathered.data, out, resume=resume, overwrite=overwrite, device=device, callbacks=[shown])
    if group.main:
        from flatsort.embedding.checkpoint import read_header

        card = read_header(path)[1]
        click.echo(f"{path}: held-out score {card.training['score']:.4g} after {card.training['steps']} steps")


def _place(group: Group) -> str:
    return f"{group.world} × {group.device.type}" if group.world > 1 else str(group.device)


def _lines() -> Callback:
    """A line for every evaluation."""
    from flatsort.embedding.training.callbacks import Callback, TrainingRun

    class Lines(Callback):
        def on_start(self, run: TrainingRun) -> None:
            if run.start:
                click.echo(f"going on from step {run.start}")

        def on_evaluate(self, step: int, metrics: Mapping[str, float]) -> None:
            click.echo(f"step {step}: " + _values({k.removeprefix("heldout/"): v for k, v in metrics.items()}))

    return Lines()


def _bar(steps: int) -> Callback:
    """A bar with the losses, and a line above it for every evaluation."""
    from tqdm import tqdm

    from flatsort.embedding.training.callbacks import Callback, TrainingRun

    class Bar(Callback):
        def on_start(self, run: TrainingRun) -> None:
            self._bar = tqdm(total=steps, initial=run.start, desc=run.config.model.name, unit="step", leave=False)

        def on_log(self, step: int, metrics: Mapping[str, float]) -> None:
            hidden = ("lr", "seconds", "loss")
            self._bar.set_postfix_str(_values({k: v for k, v in metrics.items() if k not in hidden}), refresh=False)
            self._bar.update(step - self._bar.n)

        def on_evaluate(self, step: int, metrics: Mapping[str, float]) -> None:
            self._bar.write(f"step {step}: held-out score {metrics['heldout/score']:.5g}", file=sys.stderr)

        def on_end(self, step: int, path: Path) -> None:  # noqa: ARG002
            self._bar.close()

    return Bar()


def _values(metrics: Mapping[str, float]) -> str:
    return " ".join(f"{name} {value:.4g}" for name, value in metrics.items())


if __name__ == "__main__":
    run(main)
