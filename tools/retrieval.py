"""``flatsort retrieval``: how well people are recognised by the distance of a model's latents."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flatsort.tools.cli import debug_option, progress, run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flatsort.tools.experiments.reid_data import LabelledBatch, LabelledImages


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--model",
    "models",
    multiple=True,
    required=True,
    metavar="M",
    help="Name, checkpoint, folder of a training run or ONNX file; NAME=M,M,M: seeds of one model. Repeat to compare.",
)
@click.option(
    "--data",
    multiple=True,
    required=True,
    metavar="DIR[@N]",
    help="MOTChallenge sequence (@N: every n-th frame), folder of images named by identity, or set. Repeatable.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR")
@click.option("--stride", type=click.IntRange(1), default=1, show_default=True, help="Of sequences without @N.")
@click.option("--min-height", type=click.FloatRange(0), default=50.0, show_default=True, help="Of boxes, pixels.")
@click.option("--classes", metavar="NAMES", help="Of a sequence's ground truth: car,person; all.")
@click.option(
    "--min-visibility",
    type=click.FloatRange(0, 1),
    help="Of a sequence's boxes, where its ground truth says it.  [default: 0.25]",
)
@click.option("--no-check", is_flag=True, help="Do not compare a sequence's ground truth with its frames.")
@click.option(
    "--layout", default="auto", show_default=True, help="Of the images' names: cuhk03, market1501, folders, …"
)
@click.option("--group", is_flag=True, help="Checkpoints of one model and the same settings are seeds of one row.")
@click.option(
    "--calibrate", is_flag=True, help="Measure thresholds without labels and write them into the checkpoints."
)
@click.option("--figures/--no-figures", default=True, show_default=True, help="ROC curves and distance histograms.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda.")
@debug_option
def main(
    models: tuple[str, ...],
    data: tuple[str, ...],
    out: Path,
    stride: int,
    min_height: float,
    classes: str | None,
    min_visibility: float | None,
    no_check: bool,
    layout: str,
    group: bool,
    calibrate: bool,
    figures: bool,
    device: str,
) -> None:
    """Rank images of people by appearance alone, and print how often the nearest one shows the same person.

    In sequences, the boxes of the ground truth are queries among those of other frames; in folders of images, queries
    are ranked across and within cameras if the names give cameras. AUC: probability that a pair of the same person is
    nearer than a pair of different ones; next-frame AUC: the same, with a person in the next frame against others in
    the same frame.
    Writes retrieval.md, retrieval.json, ROC curves and distance histograms.

    \b
    flatsort retrieval --model pixels --model runs/vae --data MOT15/PETS09-S2L1@20 --data cuhk03/val --out runs/r
    flatsort retrieval --model flat=a.safetensors,b.safetensors,c.safetensors --data TUD-Campus@4 --out runs/r
    """
    from flatsort.tools.experiments import reid_data, reid_tables
    from flatsort.tools.experiments.model_tables import load_embedders
    from flatsort.tools.runs.ground_truth import LabelledBoxes
    from flatsort.tracker.class_names import parse_classes
    from flatsort.tracker.files import refuse_overwriting, write_text

    refuse_overwriting([out / "retrieval.json", out / "retrieval.md"], [*models, *data])
    compared = load_embedders(models, device, group)
    embedders = [embedder for model in compared for embedder in model.models]
    opened = partial(
        reid_data.open_labelled_images,
        stride=stride,
        min_height=min_height,
        layout=layout,
        labelled=LabelledBoxes(parse_classes(classes), min_visibility),
        check=not no_check,
    )
    sources = [opened(text) for text in data]
    for note in filter(None, (source.note for source in sources)):
        click.echo(note, err=True)
    embedded = [reid_data.embed_images(source, embedders, _progress) for source in _with_own_names(sources)]
    rows = reid_tables.compare(compared, embedded)
    calibrations = reid_tables.calibrations(compared, embedded) if calibrate else {}
    write_text(out / "retrieval.json", reid_tables.to_json(rows, calibrations))
    write_text(out / "retrieval.md", reid_tables.table(rows, "pipe") + "\n")
    if figures:
        reid_tables.draw(rows, out)
    click.echo(reid_tables.table(rows))
    if calibrate:
        reid_tables.write_calibrations(calibrations)
        click.echo(f"\n{reid_tables.calibration_table(calibrations)}")


def _progress(source: LabelledImages) -> Iterable[LabelledBatch]:
    return progress(source.batches(), source.total, source.name, "batch")


def _with_own_names(sources: list[LabelledImages]) -> list[LabelledImages]:
    """The sources, numbered where several have one name."""
    from dataclasses import replace

    names = [source.name for source in sources]
    return [
        replace(source, name=f"{source.name}-{names[:index].count(source.name) + 1}")
        if names.count(source.name) > 1
        else source
        for index, source in enumerate(sources)
    ]


if __name__ == "__main__":
    run(main)
