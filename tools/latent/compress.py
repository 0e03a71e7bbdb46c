"""``flatsort latent compress``: images as streams of bits and back, compared with JPEG."""

from __future__ import annotations

import hashlib
import operator
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from flatsort.tools.cli import debug_option, progress, run
from flatsort.tools.latent.common import (
    gather_samples,
    model_option,
    open_quantised_model,
    out_option,
    seed_option,
    write_json,
)
from flatsort.tracker.files import replacing

if TYPE_CHECKING:
    from torch import Tensor

    from flatsort.embedding.compression import EncodedSymbols, SymbolCoder
    from flatsort.embedding.data.sample_set import SampleSet
    from flatsort.embedding.quantised_model import QuantisedModel
    from flatsort.tracker.types import Image

MANIFEST, STREAMS, SUFFIX = "streams.json", "streams", ".bin"
BATCH = 256


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@model_option
@click.option("--data", "sources", multiple=True, metavar="PATH", help="Images to compress: as in flatsort train.")
@click.option(
    "--decompress",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Read the streams of an earlier --out back instead, as PNG.",
)
@out_option
@click.option("--images", type=click.IntRange(1), default=200, show_default=True, help="Of the data, at most.")
@seed_option
@debug_option
def main(model: str, sources: tuple[str, ...], folder: Path | None, out: Path, images: int, seed: int) -> None:
    """Compress images with a VQ-VAE: range coding of its symbols, with the probabilities of its PixelCNN.

    Leaves in --out: streams/ (a file per image, without any header), streams.json (model and checksums),
    rate_distortion.json and .png: bits per pixel and PSNR of uniform codes, of −log2 p and of the files, and of JPEG.
    Every stream is decoded and compared. Without a prior all symbols take equally many bits.

    \b
    flatsort latent compress --model runs/digits_vq_vae --data digits --out runs/compressed
    flatsort latent compress --model runs/digits_vq_vae --decompress runs/compressed --out runs/images
    """
    if bool(sources) == (folder is not None):
        raise ValueError("compress: expected either --data or --decompress")
    from flatsort.embedding.compression import SymbolCoder
    from flatsort.tools.experiments.model_tables import decoder_checkpoint

    opened = open_quantised_model(model)
    prior = opened.prior if opened.prior is not None and bool(opened.prior.ready) else None
    coder = SymbolCoder(opened.levels, prior)
    digest = hashlib.sha256(decoder_checkpoint(model).read_bytes()).hexdigest()
    if folder is not None:
        count = _decompress(opened, coder, folder, out, digest)
        click.echo(f"{out}: {count} images")
        return
    data = gather_samples(sources, opened, out)
    rows = np.sort(np.random.default_rng(seed).permutation(len(data))[:images])
    report = _compress(opened, coder, data.take(rows), out, digest)
    click.echo(_summary(report))
    click.echo(f"{out}: {STREAMS}/, {MANIFEST}, rate_distortion.json, rate_distortion.png")


def _compress(model: QuantisedModel, coder: SymbolCoder, data: SampleSet, out: Path, digest: str) -> dict[str, Any]:
    import torch

    from flatsort.embedding.figures.image_grids import save_figure
    from flatsort.tools.latent.rate_distortion import rate_distortion_figure

    with torch.no_grad():
        parts = [model.symbols(data.tensor(slice(i, i + BATCH))) for i in range(0, len(data), BATCH)]
    maps = [torch.cat(level) for level in zip(*parts, strict=True)]
    coded = []
    for i in progress(range(len(data)), len(data), "compress", "image"):
        coded.append(coder.encode([level[i] for level in maps]))
        decoded = coder.decode(coded[i].data)
        if not all(torch.equal(level[i], each) for level, each in zip(maps, decoded, strict=True)):
            raise ValueError(f"image {i}: its stream does not decode to the symbols that were encoded")
    _write_streams(coded, [_checksum([level[i] for level in maps]) for i in range(len(data))], out, digest)
    images = np.concatenate([_decode(model, [m[i : i + BATCH] for m in maps]) for i in range(0, len(data), BATCH)])
    report = _report(model, np.asarray(data.samples), images, coded)
    write_json(out / "rate_distortion.json", {"data": data.note, **report})
    figure = rate_distortion_figure(report["codes"], report["jpeg"]["curve"], model.config.name)
    save_figure(figure, out / "rate_distortion.png")
    return report


def _report(model: QuantisedModel, images: Image, decoded: Image, coded: list[EncodedSymbols]) -> dict[str, Any]:
    from flatsort.tools.latent import rate_distortion

    pixels = int(np.prod(model.config.shape[1:]))
    contrast = "The model's likelihood reduces contrast, so that decoded images have less of it and a lower PSNR."
    sizes = np.array([len(each.data) for each in coded], float)
    bits = {"uniform code": model.code_bits, "−log2 p": float(np.mean([each.bits for each in coded]))}
    bits["files"] = 8 * float(sizes.mean())
    quality = rate_distortion.psnr(float(rate_distortion.squared_errors(images, decoded).mean()))
    jpegs = rate_distortion.jpeg(images)
    return {
        "images": len(images),
        "prior": bool(model.in_final_phase and model.prior is not None),
        "psnr": quality,
        "codes": [{"name": n, "bits": b, "rate": b / pixels, "psnr": quality} for n, b in bits.items()],
        "bytes": {"mean": float(sizes.mean()), "least": int(sizes.min()), "most": int(sizes.max())},
        "jpeg": {
            "equal_size": rate_distortion.at_equal_size(jpegs, sizes),
            "bytes_at_equal_psnr": rate_distortion.at_equal_quality(jpegs, quality),
            "header_bytes": float((jpegs["file"] - jpegs["scan"]).mean()),
            "curve": rate_distortion.curve(jpegs, pixels),
        },
        "notes": [
            "PSNR is that of the mean squared error over all images, of the samples at the model's size.",
            "Streams have no header: model and checksums are in streams.json, and the file system has their lengths.",
            "JPEG without headers is its entropy-coded data alone, coded with its standard tables.",
            *([contrast] if model.likelihood.config.contrast != 1 else []),
        ],
    }


def _write_streams(coded: list[EncodedSymbols], checks: list[int], out: Path, digest: str) -> None:
    (out / MANIFEST).unlink(missing_ok=True)
    (out / STREAMS).mkdir(parents=True, exist_ok=True)
    for old in (out / STREAMS).glob(f"*{SUFFIX}"):
        old.unlink()
    for i, each in enumerate(coded):
        with replacing(out / STREAMS / f"{i:06d}{SUFFIX}") as temporary:
            temporary.write_bytes(each.data)
    write_json(out / MANIFEST, {"model": digest, "streams": checks})


def _decompress(model: QuantisedModel, coder: SymbolCoder, folder: Path, out: Path, digest: str) -> int:
    import cv2

    checks = _checksums(folder, digest)
    files = sorted((folder / STREAMS).glob(f"*{SUFFIX}"))
    if len(files) != len(checks):
        raise ValueError(f"{folder}: expected {len(checks)} streams, got {len(files)}")
    maps = []
    for file, check in zip(progress(files, len(files), "decompress", "image"), checks, strict=True):
        maps.append(coder.decode(file.read_bytes()))
        if _checksum(maps[-1]) != check:
            raise ValueError(f"{file}: damaged, or read with other probabilities (another version of torch, for one)")
    for file, levels in zip(files, maps, strict=True):
        image = _decode(model, [level[None] for level in levels])[0]
        written = cv2.imencode(".png", image if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        with replacing(out / f"{file.stem}.png") as temporary:
            temporary.write_bytes(written[1].tobytes())
    return len(files)


def _checksums(folder: Path, digest: str) -> list[int]:
    """Checksums of the symbols of each stream, from a folder's manifest."""
    from flatsort.tracker.stored_data import read_json

    if not (folder / MANIFEST).is_file():
        raise FileNotFoundError(f"{folder}: no streams of flatsort latent compress (no {MANIFEST})")
    try:
        manifest = read_json(folder / MANIFEST)
        model, checks = manifest["model"], [operator.index(check) for check in manifest["streams"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / MANIFEST}: not what flatsort latent compress writes, or damaged") from error
    if model != digest:
        raise ValueError(f"{folder}: its streams were made with another model")
    return checks


def _checksum(levels: Sequence[Tensor]) -> int:
    """Checksum of the symbols of an image, to detect streams that are decoded to other symbols."""
    return zlib.crc32(b"".join(level.numpy().astype("<i4").tobytes() for level in levels))


def _decode(model: QuantisedModel, maps: list[Any]) -> Image:
    """Images uint8 [n h w c] of maps int64 [n h w], one per level."""
    import torch

    with torch.no_grad():
        samples = model.decode(model.latents(maps))
    rounded: Image = samples.clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1).numpy()
    return rounded


def _summary(report: dict[str, Any]) -> str:
    lines = [
        f"{each['name']}: {each['bits']:.1f} bits per image, {each['rate']:.3f} per pixel" for each in report["codes"]
    ]
    lines.append(f"PSNR {report['psnr']:.2f} dB")
    for variant, at_size in report["jpeg"]["equal_size"].items():
        lines.append(
            f"JPEG of equal size ({variant}): {at_size['fits']:.0%} of the images fit, {at_size['bytes']:.1f} bytes, "
            f"{at_size['psnr']:.2f} dB"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    run(main)
