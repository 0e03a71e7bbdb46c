"""Embedder of trained latent models: device, precision, batches."""

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
from flatsort.embedding.embedders.batches import check_images_and_boxes, crop_images, split_by_image
from flatsort.embedding.embedders.device_crops import crop_on_device, to_grey
from flatsort.embedding.model import LatentModel
from flatsort.tracker.registry import PartConfig, require
from flatsort.tracker.types import Float, Float32, Image

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
CHUNKS = {"cpu": 64, "cuda": 256}
"""Crops that are encoded at once: on a CPU as many as its caches hold, on a GPU as many as use it fully."""


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
    """cv2 or device: how crops are cut; auto: on the device, unless that is the CPU."""
    chunk: int = 0
    """Crops that are encoded at once; 0: 64 on a CPU, 256 on a GPU."""
    mirror: bool | None = None
    """Whether a latent is the mean of those of a crop and its mirror image; null: as in the model's config."""
    compile: bool = False
    """Compile the encoder (torch.compile; CUDA graphs on a GPU): slower to start, faster to run."""

    def __post_init__(self) -> None:
        require(
            self,
            "embedder",
            ("precision", self.precision in ("auto", *PRECISIONS), f"one of auto, {', '.join(PRECISIONS)}"),
            ("crops", self.crops in ("auto", "cv2", "device"), "one of auto, cv2, device"),
            ("chunk", self.chunk >= 0, "0 or more"),
        )


class TorchEmbedder:
    """Latents of crops by a trained model.

    Parameters
    ----------
    model : LatentModel
        Of images; it is moved to the device and put in evaluation mode.
    card : Card
        Metadata of its checkpoint.
    config : TorchConfig
        How it is run; ``weights`` is used in messages only.

    Attributes
    ----------
    dim : int
        Dimensions of a latent.
    size : tuple of int
        Width and height of the crops in pixels.
    binary : bool
        Whether latents are codes of −1 and 1.
    device : torch.device
    dtype : torch.dtype
        Precision of the encoder.

    Raises
    ------
    ValueError
        If the model does not embed images or the device is missing.
    """

    def __init__(self, model: LatentModel, card: Card | None = None, config: TorchConfig | None = None) -> None:
        self.config = config = config or TorchConfig()
        channels, height, width = image_shape(model, config.weights or model.config.name)
        self.device = find_device(config.device)
        if config.mirror is not None:
            model.config = replace(model.config, mirror=config.mirror)
        self.model = model.to(self.device).eval()
        self.card = card or Card()
        self.dim, self.binary = model.embed_dim, model.binary
        self.size = (width, height)
        self._grey = channels == 1
        on_gpu = self.device.type != "cpu"
        if on_gpu:
            self.model.to(memory_format=torch.channels_last)
        self.dtype = PRECISIONS.get(config.precision, torch.float16 if on_gpu else torch.float32)
        self._crops_on_device = config.crops == "device" or (config.crops == "auto" and on_gpu)
        self._chunk = config.chunk or CHUNKS.get(self.device.type, 256)
        # batches of one size: graphs are made once, and latents do not depend on the kernel that a batch size selects
        self._fixed = on_gpu or config.compile
        self._run: Callable[[Tensor], Tensor] = model.embed
        if config.compile:
            self._run = torch.compile(model.embed, dynamic=False, mode="reduce-overhead" if on_gpu else None)

    @torch.inference_mode()
    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> list[Float32]:
        """Latents [n dim] of the boxes of each image: the posterior's mean, all images in one batch."""
        if self._crops_on_device:
            check_images_and_boxes(images, boxes)
            device_crops = crop_on_device([self._upload(image) for image in images], boxes, self.size)
            latents = self.encode(to_grey(device_crops) if self._grey else device_crops)
        else:
            crops = crop_images(images, boxes, self.size)
            if self._grey:
                crops = _to_grey(crops)
            latents = self.encode(torch.from_numpy(crops).permute(0, 3, 1, 2))
        return split_by_image(latents, boxes)

    def encode(self, crops: Tensor) -> Float32:
        """Latents float32 [n dim] of crops [n *shape]: uint8, or float in 0..1."""
        out = torch.empty((len(crops), self.dim), device=self.device)
        layout = torch.contiguous_format if self.device.type == "cpu" else torch.channels_last
        for start in range(0, len(crops), self._chunk):
            part = crops[start : start + self._chunk]
            rows = len(part)
            if self._fixed and rows < self._chunk:
                part = torch.cat([part, part[-1:].expand(self._chunk - rows, -1, -1, -1)])
            is_uint8 = part.dtype == torch.uint8
            part = part.to(self.device, torch.float32, non_blocking=True).contiguous(memory_format=layout)
            with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
                out[start : start + rows] = self._run(part / 255 if is_uint8 else part)[:rows]
        latents: Float32 = out.cpu().numpy()
        return latents

    def _upload(self, image: Image) -> Tensor:
        # with pinned memory the copies of several frames to a GPU overlap
        staged = torch.empty(image.shape, dtype=torch.uint8, pin_memory=self.device.type == "cuda")
        staged.numpy()[...] = image
        return staged.to(self.device, non_blocking=True)


@EMBEDDERS.register("torch", TorchConfig)
def open_embedder(config: TorchConfig) -> TorchEmbedder:
    """The embedder of a checkpoint.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no checkpoint of a model of images, its weights are not finite, or the device is missing.
    """
    if not config.weights:
        raise ValueError("embedder.weights: expected a FILE.safetensors, got nothing")
    model, card = load(config.weights)
    for name, weights in model.state_dict().items():
        if not torch.isfinite(weights).all():
            raise ValueError(f"{config.weights}: weights {name!r} are not finite")
    return TorchEmbedder(model, card, config)


def image_shape(model: LatentModel, name: str) -> tuple[int, int, int]:
    """Channels, height and width of a model's images; ``name`` is what a message calls the model.

    Raises
    ------
    ValueError
        If the model is not one of images with 1 or 3 channels.
    """
    shape = model.config.shape
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(f"{name}: expected a model of images with 1 or 3 channels, got one of samples {shape}")
    return shape[0], shape[1], shape[2]


def _to_grey(crops: Image) -> Image:
    out = np.empty((*crops.shape[:3], 1), np.uint8)
    for row, each in enumerate(crops):
        out[row, ..., 0] = cv2.cvtColor(each, cv2.COLOR_RGB2GRAY)
    return out
