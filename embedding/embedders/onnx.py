"""Any re-identification network as an ONNX file: here the supervised rivals plug in, and our own exported ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from flatsort.embedding.embedders import EMBEDDERS
from flatsort.embedding.embedders.batches import by_image, crops_of
from flatsort.tracker.onnx_session import DEVICES, OnnxSession, open_session
from flatsort.tracker.registry import PartConfig, require
from flatsort.tracker.types import Float, Float32, Image

NOTE = "flatsort"
"""Key of the JSON in an ONNX file that says how its pictures are prepared: settings of `OnnxConfig` by name."""

CHUNK = 64


@dataclass(frozen=True)
class OnnxConfig(PartConfig):
    """A network and how its pictures are prepared.

    What is left at null is taken from the note in the file where `flatsort export` wrote it.
    """

    name: str = "onnx"
    weights: str = ""
    """FILE.onnx: pictures [n 3 height width] in, one vector a picture out."""
    size: tuple[int, int] | None = None
    """Width and height of the input in pixels, where the network leaves them open; null: 128 and 256."""
    scale: float | None = None
    """Divides the values 0..255 first; null: 255."""
    mean: tuple[float, float, float] | None = None
    """Taken off each channel after that; null: ImageNet's."""
    deviation: tuple[float, float, float] | None = None
    """Divides each channel after that; null: ImageNet's."""
    channels: str | None = None
    """rgb or bgr; null: rgb."""
    normalise: bool | None = None
    """Bring latents to length 1, so that Euclidean distance orders as cosine distance does; null: true."""
    device: str = "auto"
    """auto (a GPU where onnxruntime can use one), cpu or cuda."""
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


PLAIN = OnnxConfig(
    size=(128, 256),
    scale=255.0,
    mean=(0.485, 0.456, 0.406),
    deviation=(0.229, 0.224, 0.225),
    channels="rgb",
    normalise=True,
)
"""What networks trained on top of ImageNet's weights expect, in the size that person re-identification uses."""


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
        If the network does not turn pictures into vectors, or does not fit the settings.
    """

    def __init__(self, config: OnnxConfig) -> None:
        self.network = open_session(
            config.weights,
            "re-identification network",
            part="embedder",
            device=config.device,
            threads=config.threads,
        )
        self.config = config = _complete(config, self.network)
        width, height = self.size = config.size or (0, 0)
        mean, deviation = np.array(config.mean), np.array(config.deviation)
        self._gain = (1 / (deviation * (config.scale or 1))).astype(np.float32)[:, None, None]
        self._shift = (-mean / deviation).astype(np.float32)[:, None, None]
        try:
            probe = self.network.run(self._prepare(np.zeros((2, height, width, 3), np.uint8)))
        except Exception as error:  # onnxruntime's errors have no base class of their own
            reason = " ".join(str(error).split())[:200]
            raise ValueError(
                f"{config.weights}: cannot run on pictures of {width}x{height} pixels ({reason})"
            ) from error
        if probe.ndim < 2 or len(probe) != 2 or probe[0].size != max(probe.shape[1:]):
            raise ValueError(
                f"{config.weights}: expected one vector for each picture, got {list(probe.shape)} for two pictures"
            )
        self.dim = int(probe[0].size)

    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> list[Float32]:
        """Latents [n dim] of the boxes of each image.

        Raises
        ------
        ValueError
            If the network gives a number that is not finite.
        """
        crops = crops_of(images, boxes, self.size)
        latents = np.empty((len(crops), self.dim), np.float32)
        for start in range(0, len(crops), CHUNK):
            part = self.network.run(self._prepare(crops[start : start + CHUNK]))
            latents[start : start + CHUNK] = part.reshape(len(part), -1)
        if not np.isfinite(latents).all():
            raise ValueError(f"{self.config.weights}: the network gave a latent that is not finite")
        if self.config.normalise:
            latents /= np.maximum(np.linalg.norm(latents, axis=1, keepdims=True), np.float32(1e-12))
        return by_image(latents, boxes)

    def _prepare(self, crops: Image) -> Float32:
        ordered = crops[..., ::-1] if self.config.channels == "bgr" else crops
        pictures = ordered.transpose(0, 3, 1, 2).astype(np.float32, order="C")
        pictures *= self._gain
        pictures += self._shift
        return pictures


def _complete(config: OnnxConfig, network: OnnxSession) -> OnnxConfig:
    """The settings with what is open taken from the network, its note, or the usual."""
    note = _note(network, config.weights)
    chosen = {f.name: getattr(config, f.name) for f in fields(config)}
    for name in ("size", "scale", "mean", "deviation", "channels", "normalise"):
        if chosen[name] is None:
            chosen[name] = note.get(name, getattr(PLAIN, name))
    width, height = (own or asked for own, asked in zip(network.size, chosen["size"], strict=True))
    if config.size is not None and tuple(config.size) != (width, height):
        raise ValueError(
            f"embedder.size: expected {width}x{height} pixels as {config.weights} has them, "
            f"got {config.size[0]}x{config.size[1]}"
        )
    return replace(config, **{**chosen, "size": (width, height)})


def _note(network: OnnxSession, weights: str) -> dict[str, object]:
    text = network.notes.get(NOTE)
    if text is None:
        return {}
    try:
        note = json.loads(text)
        OnnxConfig(**note)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{weights}: its note {NOTE!r} is damaged ({error})") from error
    return dict(note)
