"""``flatsort embed``: boxes of frames, or whole images → latents in a file."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flatsort.tools.cli import debug_option, open_embedder, progress, run, split_arguments
from flatsort.tracker.files import refuse_overwriting

if TYPE_CHECKING:
    from flatsort.tracker.pipeline import Run


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("arguments", nargs=-1, required=True, type=click.Path(), metavar="SOURCE [KEY=VALUE]...")
@click.option("--model", required=True, metavar="M", help="Name, checkpoint, folder of a training run or ONNX file.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, metavar="FILE.npz")
@click.option("--detections", type=click.Path(), metavar="FILE", help="Detections in the MOTChallenge layout.")
@click.option("--detector", metavar="NAME", help="mot, background, onnx, torchvision, or a FILE.py with one of yours.")
@click.option("--min-score", type=float, help="Leave out detections below this score.")
@click.option("--no-check", is_flag=True, help="Do not compare the detections of a file with SOURCE.")
@click.option("--frames", type=click.IntRange(1), help="Stop after this many frames.")
@click.option("--batch", type=click.IntRange(1), default=8, show_default=True, help="Frames embedded in one call.")
@click.option("--whole", is_flag=True, help="SOURCE is a folder of crops: embed each image as a whole.")
@click.option("--bits", is_flag=True, help="Pack codes of −1 and 1 (lbae) to bits, eight a byte.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:NUMBER.")
@debug_option
def main(
    arguments: tuple[str, ...],
    model: str,
    out: Path,
    detections: str | None,
    detector: str | None,
    min_score: float | None,
    no_check: bool,
    frames: int | None,
    batch: int,
    whole: bool,
    bits: bool,
    device: str,
) -> None:
    """Embed the boxes of SOURCE: a video, images or a MOTChallenge sequence, detected as in flatsort track.

    Writes latents [n d], frame [n], boxes [n 4] (xyxy, pixels) and score [n]; of a folder of crops (--whole) latents
    and names; of a set of flatsort crop latents and what the set knows of each sample. Read it with numpy.load.
    KEY=VALUE are settings of the embedder, detector.KEY=VALUE of the detector. With --bits, latents are uint8
    [n ⌈d/8⌉] and bits is d: numpy.unpackbits(latents, axis=1, count=bits) has 1 for 1 and 0 for −1.

    \b
    flatsort embed MOT17/train/MOT17-09 --model flat_vhp_vae --out latents.npz
    flatsort embed video.mp4 --detector onnx detector.weights=yolox_nano.onnx --model pixels --out latents.npz
    flatsort embed crops/ --whole --model osnet.onnx --out latents.npz size=[128,256]
    """
    from flatsort.tools.runs.latent_file import batches_of_images, batches_of_run, batches_of_set, write_latents

    sources, overrides = split_arguments(arguments)
    if len(sources) != 1:
        raise click.UsageError(f"expected one SOURCE, got {len(sources)}")
    if out.suffix != ".npz":
        raise click.UsageError(f"--out: expected the name of a FILE.npz, got {out}")
    refuse_overwriting([out], [*sources, model, detections])
    of_detector = [o for o in overrides if o.startswith(("detector.", "detector="))]
    if whole:
        of_boxes = {"--detections": detections, "--detector": detector, "--min-score": min_score, "--frames": frames}
        wrong = [option for option, value in of_boxes.items() if value is not None] + of_detector
        if wrong:
            raise click.UsageError(f"{wrong[0]}: --whole takes images as they are, without boxes")
    embedder = open_embedder(model, device, [o for o in overrides if o not in of_detector])
    source, left_out = Path(sources[0]), Counter[str]()
    if (source / "set.json").is_file():
        batches = batches_of_set(source, _bar(source.name))
    elif whole:
        batches = batches_of_images(source, _bar(source.name), left_out)
    else:
        opened = _open(sources[0], of_detector, detections, detector, check=not no_check)
        bar = _bar(opened.source.name)
        batches = batches_of_run(opened, batch, bar, left_out, min_score=min_score, frames=frames)
    start = time.perf_counter()
    count = write_latents(out, embedder, batches, model, bits)
    seconds = time.perf_counter() - start
    notes = "".join(f", {number} {what} left out" for what, number in left_out.items() if number)
    rate = count / max(seconds, 1e-9)
    click.echo(f"{out}: {count} latents of {embedder.dim} numbers{notes}, {seconds:.1f} s ({rate:,.0f} a second)")


def _open(text: str, overrides: Sequence[str], detections: str | None, detector: str | None, *, check: bool) -> Run:
    """The source and its detector; what the user should know of the choice is told."""
    from flatsort.tools.runs.open_run import open_run, track_config

    config = track_config("sort", overrides, detections=detections, detector=detector)
    opened = open_run(text, config, images=True, check=check)
    for note in opened.notes:
        click.echo(note, err=True)
    return opened


def _bar(name: str) -> Any:
    def shown(items: Iterable[Any], total: int | None) -> Iterator[Any]:
        return progress(items, total, name)

    return shown


if __name__ == "__main__":
    run(main)
