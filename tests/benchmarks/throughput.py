"""Crops a second from uint8 frames to latents, ours beside re-identification networks as ONNX files, in one run.

    python tests/benchmarks/throughput.py [--model M]… [--rival FILE.onnx]… [--threads 1] [--device cpu]

Frames are 1080p images of the rendered scene with 50 boxes each, 60 to 360 pixels high (even in their logarithm), and
eight frames make one call. Everybody takes turns and medians count; one thread on the CPU is measured in its own
processor time, so that a busy machine disturbs little.

``outside`` is the share of the time that is not the encoder's: the encoder alone, on crops that are made beforehand, is
another player. ``of device`` compares the encoder with what its multiplications, or the bytes of its feature maps, cost
at the rates that a large matrix product and a large copy reach on this device, whichever takes longer. Without --model
an untrained ``flat_vhp_vae`` of the default size is measured: weights change no time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click
import cv2
import numpy as np
import torch
from tabulate import tabulate
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from flatsort import embedding
from flatsort.embedding.embedders.torch_model import TorchConfig, TorchEmbedder
from flatsort.embedding.model import MODELS, ModelConfig, build
from flatsort.scene import Scene, SceneConfig
from flatsort.tracker.protocols import Embedder
from flatsort.tracker.types import Float, Image

Player = Callable[[], Any]


def images_and_boxes(frames: int, boxes: int) -> tuple[list[Image], list[Float]]:
    """Frames and boxes: people on a square, near and far."""
    generator = np.random.default_rng(0)
    scene = Scene(SceneConfig(frames=frames, people=40, width=1920, height=1080))
    places: list[Float] = []
    for _ in range(frames):
        height = np.exp(generator.uniform(np.log(60), np.log(360), boxes))
        sides = np.stack([0.41 * height, height], axis=1)
        corner = generator.random((boxes, 2)) * (np.array([1920, 1080]) - sides)
        places.append(np.concatenate([corner, corner + sides], axis=1))
    return [scene.image(index) for index in range(1, frames + 1)], places


def medians(
    players: dict[str, Player], repeats: int, wait: Callable[[], None], clock: Callable[[], float]
) -> dict[str, float]:
    """Seconds a call of each player; one round before the clock starts."""
    times: dict[str, list[float]] = {name: [] for name in players}
    for turn in range(repeats + 1):
        for name, play in players.items():
            wait()
            start = clock()
            play()
            wait()
            if turn:
                times[name].append(clock() - start)
    return {name: statistics.median(each) for name, each in times.items()}


def encoder_of(embedder: TorchEmbedder, count: int) -> Player:
    """The encoder alone, on crops that lie on its device in its layout."""
    channels, height, width = embedder.model.config.shape
    given = torch.rand(count, channels, height, width, device=embedder.device)
    if embedder.device.type != "cpu":
        given = given.contiguous(memory_format=torch.channels_last)
    return torch.inference_mode()(lambda: embedder.encode(given))


def device_rates(
    device: torch.device, dtype: torch.dtype, wait: Callable[[], None], clock: Callable[[], float]
) -> tuple[float, float]:
    """Operations and bytes a second that a large matrix product and a large copy reach."""
    side = 8192 if device.type == "cuda" else 1024
    left = torch.rand(side, side, device=device, dtype=dtype)
    source, target = (torch.empty(64 * side * 1024, device=device, dtype=torch.uint8) for _ in range(2))
    seconds = medians({"product": lambda: left @ left, "copy": lambda: target.copy_(source)}, 9, wait, clock)
    return 2 * side**3 / seconds["product"], 2 * source.numel() / seconds["copy"]


def cost(embedder: TorchEmbedder, width: int) -> tuple[float, float]:
    """Operations and bytes of encoding a crop: each layer reads and writes its numbers once, ``width`` bytes each."""
    shape = embedder.model.config.shape
    given, moved = torch.rand(1, *shape, device=embedder.device), 0

    def note(_: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal moved
        moved += (inputs[0].numel() + output.numel()) * width

    leaves = [m for m in embedder.model.encoder.modules() if not list(m.children())]
    hooks = [leaf.register_forward_hook(note) for leaf in leaves]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        embedder.model.embed(given)
    for hook in hooks:
        hook.remove()
    return float(counter.get_total_flops()), float(moved)


def ours(models: Sequence[str], settings: dict[str, Any]) -> dict[str, TorchEmbedder]:
    """The embedders that are asked for."""
    if not models:
        config = MODELS.config("flat_vhp_vae")()
        assert isinstance(config, ModelConfig)
        return {"untrained flat_vhp_vae": TorchEmbedder(build(config), None, TorchConfig(**settings))}
    loaded = {model: embedding.load(model, **settings) for model in models}
    return {name: each for name, each in loaded.items() if isinstance(each, TorchEmbedder)}


@click.command()
@click.option("--model", "models", multiple=True, help="Name or checkpoint; repeatable.")
@click.option("--rival", "rivals", multiple=True, type=click.Path(exists=True), help="FILE.onnx; repeatable.")
@click.option("--frames", default=8, show_default=True, help="Frames in a call.")
@click.option("--boxes", default=50, show_default=True, help="Boxes in a frame.")
@click.option("--repeats", default=7, show_default=True)
@click.option("--threads", default=1, show_default=True, help="Of torch, OpenCV and onnxruntime alike.")
@click.option("--device", default="auto", show_default=True)
@click.option("--compile", "compiled", is_flag=True, help="Compile our encoders.")
def main(
    models: tuple[str, ...],
    rivals: tuple[str, ...],
    frames: int,
    boxes: int,
    repeats: int,
    threads: int,
    device: str,
    compiled: bool,
) -> None:
    """Measure and print a table."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    images, places = images_and_boxes(frames, boxes)
    count = frames * boxes
    embedders = ours(models, {"device": device, "compile": compiled})
    where = next(iter(embedders.values())).device
    wait = torch.cuda.synchronize if where.type == "cuda" else lambda: None
    clock = time.process_time if where.type == "cpu" and threads == 1 else time.perf_counter
    others: dict[str, Embedder] = {
        rival.rpartition("/")[2]: embedding.load(rival, "cuda" if where.type == "cuda" else "cpu", threads=threads)
        for rival in rivals
    }
    everybody: dict[str, Embedder] = {**embedders, **others}
    players: dict[str, Player] = {n: partial(each.embed, images, places) for n, each in everybody.items()}
    players |= {f"{name} (encoder)": encoder_of(each, count) for name, each in embedders.items()}
    seconds = medians(players, repeats, wait, clock)
    rows = []
    for name, each in embedders.items():
        dtype = each.dtype
        operations, moved = cost(each, dtype.itemsize)
        fastest, widest = device_rates(where, dtype, wait, clock)
        encoder = seconds[f"{name} (encoder)"]
        least = max(operations / fastest, moved / widest) * count
        ratios = [seconds[rival] / seconds[name] for rival in others]
        rows.append([name, count / seconds[name], 1 - encoder / seconds[name], least / encoder, *ratios])
        print(  # noqa: T201
            f"{name}: {operations / 1e6:.1f} million operations and {moved / 1e3:.0f} kB a crop; "
            f"{where.type} reaches {fastest / 1e9:,.0f} billion operations and {widest / 1e9:,.0f} GB a second"
        )
    rows += [[rival, count / seconds[rival]] for rival in others]
    header = ["", "crops/s", "outside", "of device", *(f"× {rival}" for rival in others)]
    print(tabulate(rows, header, floatfmt=("", ",.0f", ".2f", ".2f", *[".1f"] * len(others))))  # noqa: T201


if __name__ == "__main__":
    main()
