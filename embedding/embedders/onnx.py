"""Embedder of ONNX files: supervised re-identification networks, and our own exported models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from flatsort.embedding.embedders import EMBEDDERS
from flatsort.embedding.embedders.batches import crop_images, split_by_image
from flatsort.tracker.onnx_session import DEVICES, OnnxSession, open_session, require_size
from flatsort.tracker.registry import PartConfig, require
from flatsort.tracker.types import Float, Float32, Image

METADATA_KEY = "flatsort"
"""Key of the metadata in an ONNX file that says how crops are preprocessed: settings of `OnnxConfig` as JSON."""

BATCH_SIZE = 64
"""Crops that the network is run on at once."""


@dataclass(frozen=True)
class OnnxConfig(PartConfig):
    """A network and how crops are preprocessed for it.

    Settings of null are taken from the file's metadata where `flatsort export` wrote them.
    """

    name: str = "onnx"
    weights: str = ""
    """FILE.onnx: images [n 3 height width] in, one vector an image out."""
    size: tuple[int, int] | None = None
    """Width and height of the input in pixels, where the network does not fix them; null: 128 and 256."""
    scale: float | None = None
    """First, divisor of the values 0..255; null: 255."""
    mean: tuple[float, float, float] | None = None
    """Then subtracted from each channel; null: ImageNet's."""
    deviation: tuple[float, float, float] | None = None
    """Then the divisor of each channel; null: ImageNet's."""
    channels: str | None = None
    """rgb or bgr; null: rgb."""
    normalise: bool | None = None
    """Normalise latents to length 1, so that Euclidean and cosine distance have the same order; null: true."""
    device: str = "auto"
    """auto (a GPU where onnxruntime can use one), cpu, cuda, tensorrt, openvino, coreml or directml."""
    threads: int = 0
    """Threads for one operation on the CPU; 0 leaves it to onnxruntime."""

    def __post_init__(self) -> None:
        require(
            self,
            "embedder",
            ("size", self.size is None or min(self.size) >= 1, "width and height of at least 1"),
            ("scale", self.scale is None or self.scale > 0, "a number above 0"),
            ("deviation", self.deviation is None or min(self.deviation) > 0, "numbers above 0"),
            ("channels", self.channels in (None, "rgb", "bgr"), "rgb or bgr"),
            ("device", self.device in DEVICES, f"one of {', '.join(DEVICES)}"),
            ("threads", self.threads >= 0, "0 or more"),
        )


IMAGENET_DEFAULTS = OnnxConfig(
    size=(128, 256),
    scale=255.0,
    mean=(0.485, 0.456, 0.406),
    deviation=(0.229, 0.224, 0.225),
    channels="rgb",
    normalise=True,
)
"""Preprocessing of networks trained from ImageNet's weights, in the usual size of person re-identification."""


@EMBEDDERS.register("onnx", OnnxConfig)
class OnnxEmbedder:
    """Latents of an ONNX network.

    Parameters
    ----------
    config : OnnxConfig

    Raises
    ------
    ImportError
        If onnxruntime is not installed.
    FileNotFoundError
        If there is no such file.
    ValueError
        If the network does not turn images into vectors, or does not fit the settings.
    """

    def __init__(self, config: OnnxConfig) -> None:
        self.network = open_session(
            config.weights,
            "re-identification network",
            part="embedder",
            device=config.device,
            threads=config.threads,
        )
        self.config = config = _with_defaults(config, self.network)
        width, height = self.size = config.size or (0, 0)
        mean, deviation = np.array(config.mean), np.array(config.deviation)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            self._gain = (1 / (deviation * (config.scale or 1))).astype(np.float32)[:, None, None]
            self._shift = (-mean / deviation).astype(np.float32)[:, None, None]
        if not (np.isfinite(self._gain).all() and np.isfinite(self._shift).all()):
            raise ValueError(f"{config.weights}: expected a scale, mean and deviation of usual size, got others")
        require_size(config.weights, self.network.batch or 2, width, height)
        probe = self.network.run(self._prepare(np.zeros((2, height, width, 3), np.uint8)))
        if probe.ndim < 2 or len(probe) != 2 or probe[0].size != max(probe.shape[1:]):
            raise ValueError(
                f"{config.weights}: expected one vector for each image, got {list(probe.shape)} for two images"
            )
        self.dim = int(probe[0].size)

    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> list[Float32]:
        """Latents [n dim] of the boxes of each image.

        Raises
        ------
        ValueError
            If the network returns a value that is not finite.
        """
        crops = crop_images(images, boxes, self.size)
        latents = np.empty((len(crops), self.dim), np.float32)
        for start in range(0, len(crops), BATCH_SIZE):
            output = self.network.run(self._prepare(crops[start : start + BATCH_SIZE]))
            latents[start : start + BATCH_SIZE] = output.reshape(len(output), -1)
        with np.errstate(over="ignore"):
            lengths = np.linalg.norm(latents, axis=1, keepdims=True)
        if not np.isfinite(lengths).all():
            raise ValueError(f"{self.config.weights}: the network gave a latent that is not finite")
        if self.config.normalise:
            latents /= np.maximum(lengths, np.float32(1e-12))
        return split_by_image(latents, boxes)

    def _prepare(self, crops: Image) -> Float32:
        ordered = crops[..., ::-1] if self.config.channels == "bgr" else crops
        prepared = ordered.transpose(0, 3, 1, 2).astype(np.float32, order="C")
        prepared *= self._gain
        prepared += self._shift
        return prepared


def _with_defaults(config: OnnxConfig, network: OnnxSession) -> OnnxConfig:
    """The settings, those of null replaced by the network's own, its metadata's, or `IMAGENET_DEFAULTS`."""
    metadata = _read_metadata(network, config.weights)
    chosen = {f.name: getattr(config, f.name) for f in fields(config)}
    for name in ("size", "scale", "mean", "deviation", "channels", "normalise"):
        if chosen[name] is None:
            chosen[name] = metadata.get(name, getattr(IMAGENET_DEFAULTS, name))
    width, height = (own or asked for own, asked in zip(network.size, chosen["size"], strict=True))
    if config.size is not None and tuple(config.size) != (width, height):
        raise ValueError(
            f"embedder.size: expected {width}x{height} pixels as {config.weights} has them, "
            f"got {config.size[0]}x{config.size[1]}"
        )
    return replace(config, **{**chosen, "size": (width, height)})


def _read_metadata(network: OnnxSession, weights: str) -> dict[str, object]:
    text = network.metadata.get(METADATA_KEY)
    if text is None:
        return {}
    try:
        metadata = json.loads(text)
        OnnxConfig(**metadata)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{weights}: its metadata {METADATA_KEY!r} are damaged ({error})") from error
    return dict(metadata)
