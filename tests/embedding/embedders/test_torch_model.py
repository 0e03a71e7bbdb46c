"""A model behind the protocol: the same latents whatever the device path, chunk, mode or batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from flatsort import embedding
from flatsort.embedding import checkpoint
from flatsort.embedding.checkpoint import Card
from flatsort.embedding.conformance import check_embedder
from flatsort.embedding.embedders.torch_model import TorchConfig, TorchEmbedder
from flatsort.embedding.model import MODELS
from flatsort.tracker.crops import crop
from tests.embedding import tiny_models


def embed(embedder: TorchEmbedder) -> Any:
    return np.concatenate(embedder.embed(*tiny_models.images_and_boxes()))


@pytest.mark.parametrize("name", MODELS.names())
@pytest.mark.parametrize("crops", ["cv2", "device"])
def test_every_model_conforms(name: str, crops: str) -> None:
    assert check_embedder(TorchEmbedder(tiny_models.model(name), config=TorchConfig(crops=crops))) == []


@pytest.mark.parametrize("name", MODELS.names())
def test_saved_and_loaded_it_gives_the_same_latents(name: str, tmp_path: Path) -> None:
    model = tiny_models.model(name)
    checkpoint.save(tmp_path / "m.safetensors", model, Card(data="made"))
    loaded = embedding.load(tmp_path / "m.safetensors", device="cpu")
    assert isinstance(loaded, TorchEmbedder)
    assert loaded.card.data == "made"
    np.testing.assert_array_equal(embed(loaded), embed(TorchEmbedder(model)))


@pytest.mark.parametrize("crops", ["cv2", "device"])
def test_grey_models_take_the_luma(crops: str) -> None:
    embedder = TorchEmbedder(tiny_models.model(shape=(1, 16, 8)), config=TorchConfig(crops=crops))
    assert check_embedder(embedder) == []
    images, boxes = tiny_models.images_and_boxes()
    grey = [np.repeat((i @ [0.299, 0.587, 0.114]).round().astype(np.uint8)[..., None], 3, axis=2) for i in images]
    off = np.concatenate(embedder.embed(grey, boxes)) - embed(embedder)
    assert np.abs(off).max() < 0.05 * np.abs(embed(embedder)).max()


def test_it_is_the_models_embedding_of_the_crops() -> None:
    model = tiny_models.model("vae").eval()
    images, boxes = tiny_models.images_and_boxes()
    crops = torch.from_numpy(crop(images[0], boxes[0], (8, 16))).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        expected = model.embed(crops).numpy()
    np.testing.assert_allclose(TorchEmbedder(model).embed(images, boxes)[0], expected, rtol=1e-4, atol=1e-6)


def test_evaluation_mode_whatever_mode_it_came_in() -> None:
    embedder = TorchEmbedder(tiny_models.model("vae").train())
    assert not embedder.model.training
    assert not any(t.requires_grad for t in map(torch.from_numpy, embedder.embed(*tiny_models.images_and_boxes())))


def test_latents_do_not_depend_on_the_chunk() -> None:
    whole = embed(TorchEmbedder(tiny_models.model()))
    for chunk in (1, 3):
        np.testing.assert_allclose(
            embed(TorchEmbedder(tiny_models.model(), config=TorchConfig(chunk=chunk))), whole, rtol=1e-5
        )


def test_device_crops_and_lower_precision_stay_close() -> None:
    exact = embed(TorchEmbedder(tiny_models.model()))
    scale = np.linalg.norm(exact, axis=1).max()
    for settings, share in (({"crops": "device"}, 0.05), ({"precision": "bf16"}, 0.05)):
        off = embed(TorchEmbedder(tiny_models.model(), config=TorchConfig(**settings))) - exact  # type: ignore[arg-type]
        assert 0 < np.linalg.norm(off, axis=1).max() < share * scale


def test_mirror_is_a_setting() -> None:
    images, boxes = tiny_models.images_and_boxes()
    flipped = [i[:, ::-1].copy() for i in images]
    back = [
        np.stack([image.shape[1] - own[:, 2], own[:, 1], image.shape[1] - own[:, 0], own[:, 3]], axis=1)
        for image, own in zip(images, boxes, strict=True)
    ]
    for mirror in (True, False):
        embedder = TorchEmbedder(tiny_models.model(), config=TorchConfig(mirror=mirror))
        latents = embed(embedder)
        off = np.abs(np.concatenate(embedder.embed(flipped, back)) - latents).max() / np.abs(latents).max()
        assert bool(off < 0.01) is mirror


def test_compiled_it_gets_batches_of_one_size(monkeypatch: pytest.MonkeyPatch) -> None:
    batch_sizes: list[int] = []

    def compile_(run: Callable[[torch.Tensor], torch.Tensor], **_: Any) -> Callable[[torch.Tensor], torch.Tensor]:
        def compiled(part: torch.Tensor) -> torch.Tensor:
            batch_sizes.append(len(part))
            return run(part)

        return compiled

    monkeypatch.setattr(torch, "compile", compile_)
    latents = embed(TorchEmbedder(tiny_models.model(), config=TorchConfig(compile=True, chunk=3)))
    assert batch_sizes == [3, 3]
    np.testing.assert_allclose(latents, embed(TorchEmbedder(tiny_models.model())), rtol=1e-5)


def test_read_only_frames_are_taken() -> None:
    images, boxes = tiny_models.images_and_boxes()
    for image in images:
        image.setflags(write=False)
    for crops in ("cv2", "device"):
        TorchEmbedder(tiny_models.model(), config=TorchConfig(crops=crops)).embed(images, boxes)


@pytest.mark.parametrize("crops", ["cv2", "device"])
@pytest.mark.parametrize("boxes", [[[0.0, 0, 8, 16]], np.empty((0, 4))], ids=["a box", "none"])
def test_what_is_no_image_is_refused_on_cpu_and_device(crops: str, boxes: Any) -> None:
    embedder = TorchEmbedder(tiny_models.model(), config=TorchConfig(crops=crops))
    image = tiny_models.images_and_boxes()[0][0]
    not_images: list[Any] = [image / 255, image[..., 0], image[:0]]
    for wrong in not_images:
        with pytest.raises(ValueError, match=r"image: expected uint8 \[h w 3\] with pixels, got"):
            embedder.embed([wrong], [np.asarray(boxes)])


def test_error_messages(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ae: expected a model of images.*got one of samples \[6\]"):
        TorchEmbedder(tiny_models.model(shape=(6,)))
    with pytest.raises(ValueError, match=r"device: expected auto, cpu, cuda or cuda:NUMBER, got 'abacus'"):
        TorchEmbedder(tiny_models.model(), config=TorchConfig(device="abacus"))
    with pytest.raises(ValueError, match=r"embedder\.precision: expected one of auto, fp32, fp16, bf16, got 'int8'"):
        TorchConfig(precision="int8")
    with pytest.raises(ValueError, match=r"boxes: expected one array for each of 2 images, got 1"):
        TorchEmbedder(tiny_models.model()).embed(
            tiny_models.images_and_boxes()[0], tiny_models.images_and_boxes()[1][:1]
        )
    model = tiny_models.model()
    next(model.parameters()).data[0] = float("nan")
    checkpoint.save(tmp_path / "m.safetensors", model, Card())
    with pytest.raises(ValueError, match=r"m\.safetensors: weights '.*' are not finite"):
        embedding.load(tmp_path / "m.safetensors")
