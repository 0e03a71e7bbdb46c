"""A latent model behind the `Embedder` protocol: device, precision, chunks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from flatsort.embedding.checkpoint import Card, load
from flatsort.embedding.devices import find_device
from flatsort.embedding.embedders import EMBEDDERS
from flatsort.embedding.embedders.batches import by_image, check, crops_of
from flatsort.embedding.embedders.device_crops import brightness, crop_on_device
from flatsort.embedding.model import LatentModel
from flatsort.tracker.registry import PartConfig, require
from flatsort.tracker.types import Float, Float32, Image

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
CHUNKS = {"cpu": 64, "cuda": 256}
"""Crops that are encoded at once: on a CPU what its caches hold, on a GPU what keeps it busy."""


@dataclass(frozen=True)
class TorchConfig(PartConfig):
    """A checkpoint and how it is run."""

    name: str = "torch"
    weights: str = ""
    """FILE.safetensors."""
    device: str = "auto"
    """auto (a GPU where there is one), cpu, cuda, cuda:NUMBER."""
    precision: str = "auto"
    """fp32, fp16, bf16; auto: fp16 on a GPU, fp32 elsewhere."""
    crops: str = "auto"
    """cv2 or device: where boxes are cut out; auto: on the device, unless that is the CPU."""
    chunk: int = 0
    """Crops that are encoded at once; 0: 64 on a CPU, 256 on a GPU."""
    mirror: bool | None = None
    """Mean of the latents of a crop and its mirror image; null: as the model's config says."""
    compile: bool = False
    """Compile the encoder (torch.compile; CUDA graphs on a GPU): a slow start, then quicker."""

    def __post_init__(self) -> None:
        require(
            self,
            "embedder",
            ("precision", self.precision in ("auto", *PRECISIONS), f"one of auto, {', '.join(PRECISIONS)}"),
            ("crops", self.crops in ("auto", "cv2", "device"), "one of auto, cv2, device"),
            ("chunk", self.chunk >= 0, "0 or more"),
        )


class TorchEmbedder:
    """Latents of a model.

    Parameters
    ----------
    model : LatentModel
        Of images; it is moved to the device and put in evaluation mode.
    card : Card
        What its checkpoint says of itself.
    config : TorchConfig
        How it is run; ``weights`` serves messages only.

    Attributes
    ----------
    dim : int
        Numbers in a latent.
    size : tuple of int
        Width and height of the crops in pixels.
    binary : bool
        Whether latents are codes of −1 and 1.
    device : torch.device
    dtype : torch.dtype
        What the encoder computes in.

    Raises
    ------
    ValueError
        If the model does not embed pictures or the device is missing.
    """

    def __init__(self, model: LatentModel, card: Card | None = None, config: TorchConfig | None = None) -> None:
        self.config = config = config or TorchConfig()
        shape = model.config.shape
        if len(shape) != 3 or shape[0] not in (1, 3):
            raise ValueError(
                f"{config.weights or model.config.name}: expected a model of pictures with 1 or 3 channels, "
                f"got one of samples {shape}"
            )
        self.device = find_device(config.device)
        if config.mirror is not None:
            model.config = replace(model.config, mirror=config.mirror)
        self.model = model.to(self.device).eval()
        self.card = card or Card()
        self.dim, self.binary = model.embed_dim, model.binary
        self.size = (shape[2], shape[1])
        self._grey = shape[0] == 1
        on_gpu = self.device.type != "cpu"
        if on_gpu:
            self.model.to(memory_format=torch.channels_last)
        self.dtype = PRECISIONS.get(config.precision, torch.float16 if on_gpu else torch.float32)
        self._crop_here = config.crops == "device" or (config.crops == "auto" and on_gpu)
        self._chunk = config.chunk or CHUNKS.get(self.device.type, 256)
        # one size only: graphs are made once, and a latent cannot depend on which kernel a batch's length selects
        self._fixed = on_gpu or config.compile
        self._run: Callable[[Tensor], Tensor] = model.embed
        if config.compile:
            self._run = torch.compile(model.embed, dynamic=False, mode="reduce-overhead" if on_gpu else None)

    @torch.inference_mode()
    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> list[Float32]:
        """Latents [n dim] of the boxes of each image: the posterior's mean, all images in one batch."""
        if self._crop_here:
            check(images, boxes)
            pictures = crop_on_device([self._upload(image) for image in images], boxes, self.size)
            latents = self.encode(brightness(pictures) if self._grey else pictures)
        else:
            crops = crops_of(images, boxes, self.size)
            if self._grey:
                crops = _brightness(crops)
            latents = self.encode(torch.from_numpy(crops).permute(0, 3, 1, 2))
        return by_image(latents, boxes)

    def encode(self, pictures: Tensor) -> Float32:
        """Latents float32 [n dim] of pictures [n *shape]: uint8, or float in 0..1."""
        out = torch.empty((len(pictures), self.dim), device=self.device)
        layout = torch.contiguous_format if self.device.type == "cpu" else torch.channels_last
        for start in range(0, len(pictures), self._chunk):
            part = pictures[start : start + self._chunk]
            rows = len(part)
            if self._fixed and rows < self._chunk:
                part = torch.cat([part, part[-1:].expand(self._chunk - rows, -1, -1, -1)])
            whole = part.dtype == torch.uint8
            part = part.to(self.device, torch.float32, non_blocking=True).contiguous(memory_format=layout)
            with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
                out[start : start + rows] = self._run(part / 255 if whole else part)[:rows]
        latents: Float32 = out.cpu().numpy()
        return latents

    def _upload(self, image: Image) -> Tensor:
        # through pinned memory the copy to a GPU runs beside the next frame's
        held = torch.empty(image.shape, dtype=torch.uint8, pin_memory=self.device.type == "cuda")
        held.numpy()[...] = image
        return held.to(self.device, non_blocking=True)


@EMBEDDERS.register("torch", TorchConfig)
def open_model(config: TorchConfig) -> TorchEmbedder:
    """The embedder of a checkpoint.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no checkpoint of a model of pictures, its weights are not finite, or the device is missing.
    """
    if not config.weights:
        raise ValueError("embedder.weights: expected a FILE.safetensors, got nothing")
    model, card = load(config.weights)
    for name, weights in model.state_dict().items():
        if not torch.isfinite(weights).all():
            raise ValueError(f"{config.weights}: weights {name!r} are not finite")
    return TorchEmbedder(model, card, config)


def _brightness(crops: Image) -> Image:
    out = np.empty((*crops.shape[:3], 1), np.uint8)
    for row, each in enumerate(crops):
        out[row, ..., 0] = cv2.cvtColor(each, cv2.COLOR_RGB2GRAY)
    return out
