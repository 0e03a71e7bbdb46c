"""Export of models as ONNX files, which `embedding.load` reads back."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from flatsort.embedding.embedders.device_crops import to_grey
from flatsort.embedding.embedders.onnx import METADATA_KEY, OnnxConfig, OnnxEmbedder
from flatsort.embedding.embedders.torch_model import image_shape
from flatsort.embedding.model import LatentModel
from flatsort.tracker.files import replacing

TOLERANCE = 1e-4
"""Largest allowed difference to torch's latents, as a share of the longest latent."""


def export(model: LatentModel, path: str | Path) -> float:
    """Write a model's embedding, mirror image included, as an ONNX file and return its difference to torch.

    The network takes ``images`` float32 [n 3 height width], RGB in 0..1, any n, and returns ``latents`` [n dim]. The
    file's metadata describe the preprocessing, so that `embedding.load` needs no settings. The file is written only if
    onnxruntime returns the same latents as torch.

    Parameters
    ----------
    model : LatentModel
        Of images with 1 or 3 channels; it is not changed.
    path : str or Path
        FILE.onnx.

    Returns
    -------
    float
        Largest difference to torch's latents on random images, as a share of the longest latent.

    Raises
    ------
    ImportError
        If onnxscript or onnxruntime is not installed.
    ValueError
        If the model does not embed images, or latents differ from torch's.
    """
    _, height, width = image_shape(model, model.config.name)
    if Path(path).suffix.lower() != ".onnx":
        raise ValueError(f"{path}: expected the name of a FILE.onnx")
    network = EmbeddingNetwork(copy.deepcopy(model).cpu().to(memory_format=torch.contiguous_format)).eval()
    images = torch.rand(5, 3, height, width, generator=torch.Generator().manual_seed(0))
    preprocessing = {
        "size": [width, height],
        "scale": 255.0,
        "mean": [0.0] * 3,
        "deviation": [1.0] * 3,
        "channels": "rgb",
        "normalise": False,
    }
    with replacing(path) as temporary:
        _write(network, images, json.dumps(preprocessing), temporary)
        return _difference_to_torch(network, images, temporary)


class EmbeddingNetwork(nn.Module):
    """A model's `embed` as a forward pass on colour images."""

    def __init__(self, model: LatentModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:  # noqa: D102
        if self.model.config.shape[0] == 1:
            images = to_grey(images)
        return self.model.embed(images)


def _write(network: nn.Module, images: Tensor, metadata: str, path: Path) -> None:
    try:
        import onnxscript  # noqa: F401  # torch's exporter needs it
    except ImportError as error:
        raise ImportError("exporting needs onnxscript: pip install flatsort[export]") from error
    program = torch.onnx.export(
        network,
        (images,),
        dynamo=True,
        input_names=["images"],
        output_names=["latents"],
        dynamic_shapes={"images": {0: torch.export.Dim("n")}},
        verbose=False,
    )
    if program is None:
        raise ValueError("torch's exporter gave no network")
    program.model.metadata_props[METADATA_KEY] = metadata
    program.save(str(path), external_data=False)


def _difference_to_torch(network: nn.Module, images: Tensor, path: Path) -> float:
    """Largest difference of latents, as a share of the longest; raises where it is above `TOLERANCE`."""
    exported = OnnxEmbedder(OnnxConfig(weights=str(path), device="cpu")).network
    with torch.inference_mode():
        expected = network(images).numpy()
    latents = np.concatenate([exported.run(images[:1].numpy()), exported.run(images[1:].numpy())])
    difference = float(np.abs(latents - expected).max() / max(np.linalg.norm(expected, axis=1).max(), 1e-12))
    if not difference <= TOLERANCE:
        raise ValueError(
            f"the exported network's latents differ from torch's by {difference:.1g}, expected {TOLERANCE:g}"
        )
    return difference
