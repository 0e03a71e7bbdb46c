"""``flatsort latent compress`` and ``cas`` through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from flatsort.embedding import checkpoint
from flatsort.embedding.data.sources import gather
from flatsort.embedding.model import build
from flatsort.embedding.models.ae import AEConfig
from flatsort.embedding.models.vq_vae import VQVAEConfig
from flatsort.embedding.models.vq_vae2 import VQVAE2Config
from flatsort.embedding.nets import NetConfig
from flatsort.embedding.objectives.vector_quantisation import CodebookConfig
from flatsort.embedding.priors.pixel_cnn import PixelCNNConfig
from flatsort.embedding.quantised_model import QuantisedModel, QuantisedModelConfig
from flatsort.tools.latent import rate_distortion
from tests.e2e.conftest import Flatsort

pytestmark = pytest.mark.slow

SETTINGS = {
    "shape": [1, 8, 8],
    "dim": 4,
    "blocks": 1,
    "mirror": False,
    "net": NetConfig(width=8, decoder_width=8, stem=2, halvings=1),
    "codebook": CodebookConfig(codes=16),
    "pixel_cnn": PixelCNNConfig(width=8, layers=1),
}


def write(path: Path, config: QuantisedModelConfig) -> tuple[Path, QuantisedModel]:
    """An untrained model; its prior, where it has one, counts as learned."""
    model = build(config)
    assert isinstance(model, QuantisedModel)
    model.init_from_data(torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0)))
    if model.prior is not None:
        model.prior.ready.fill_(True)
    checkpoint.save(path, model, checkpoint.Card())
    return path, model.eval()


@pytest.mark.parametrize("prior", [0, 1], ids=["uniform", "prior"])
def test_images_are_compressed_and_decompressed(flatsort: Flatsort, tmp_path: Path, prior: int) -> None:
    kind = VQVAE2Config if prior else VQVAEConfig
    file, model = write(tmp_path / "m.safetensors", kind(**SETTINGS, prior_after=prior))  # type: ignore[arg-type]
    out, back = tmp_path / "out", tmp_path / "back"
    done = flatsort("latent", "compress", "--model", file, "--data", "digits", "--out", out, "--images", "6")
    assert done.code == 0, done.err
    streams = sorted((out / "streams").iterdir())
    report = json.loads((out / "rate_distortion.json").read_text(), parse_constant=pytest.fail)
    assert len(streams) == report["images"] == 6
    assert report["prior"] is bool(prior)
    uniform, probable, files = report["codes"]
    assert uniform["bits"] == model.code_bits
    assert files["bits"] == pytest.approx(np.mean([8 * file.stat().st_size for file in streams]))
    assert probable["bits"] <= files["bits"] + 8
    assert files["bits"] <= probable["bits"] + 9.1
    assert probable["rate"] == pytest.approx(probable["bits"] / 64)
    assert (out / "rate_distortion.png").stat().st_size > 1000

    done = flatsort("latent", "compress", "--model", file, "--decompress", out, "--out", back)
    assert done.code == 0, done.err
    data = gather(["digits"], [1, 8, 8], tmp_path / "digits").data
    rows = np.sort(np.random.default_rng(0).permutation(len(data))[:6])
    with torch.no_grad():
        expected = model.decode(model.encode(data.tensor(rows))).clamp(0, 1)
    for image, path in zip(expected, sorted(back.glob("*.png")), strict=True):
        written = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert written is not None
        assert np.abs(written - 255 * image[0].numpy()).max() <= 0.51
    streams[3].write_bytes(streams[2].read_bytes())
    done = flatsort("latent", "compress", "--model", file, "--decompress", out, "--out", tmp_path / "damaged")
    assert f"{streams[3]}: damaged, or read with other probabilities" in done.sentence
    assert not (tmp_path / "damaged").exists()
    error = float(((expected.mul(255).round() - 255 * data.tensor(rows)) ** 2).mean())
    assert report["psnr"] == pytest.approx(10 * np.log10(255**2 / error), abs=0.01)


def test_classification_accuracy_score(flatsort: Flatsort, tmp_path: Path) -> None:
    file, model = write(tmp_path / "m.safetensors", VQVAEConfig(**SETTINGS))  # type: ignore[arg-type]
    out = tmp_path / "out"
    done = flatsort(
        "latent", "cas", "--model", file, "--data", "digits", "--out", out, "--steps", "4", "--repeats", "1"
    )
    assert done.code == 0, done.err
    report = json.loads((out / "cas.json").read_text(), parse_constant=pytest.fail)
    assert report["accuracy"]["real"]["mean"] > 0.95
    assert report["accuracy"]["real"]["mean"] > report["accuracy"]["reconstructed"]["mean"]
    assert len(report["accuracy"]["samples"]["runs"]) == 1
    assert report["learned_from"] == 898
    assert report["tested_on"] == 899
    assert report["uniform_bits"] == model.code_bits
    assert (out / "cas.png").stat().st_size > 1000


def test_bad_input_is_one_sentence(flatsort: Flatsort, tmp_path: Path) -> None:
    file, _ = write(tmp_path / "m.safetensors", VQVAEConfig(**SETTINGS))  # type: ignore[arg-type]
    plain = tmp_path / "ae.safetensors"
    checkpoint.save(
        plain, build(AEConfig(shape=[1, 8, 8], net=NetConfig(width=8, stem=2, halvings=1))), checkpoint.Card()
    )
    out, empty = ("--out", tmp_path / "out"), tmp_path / "empty"
    empty.mkdir()
    for arguments, sentence in (
        (("compress", "--model", file), "expected either --data or --decompress"),
        (("compress", "--model", file, "--data", "digits", "--decompress", empty), "expected either --data"),
        (("compress", "--model", file, "--decompress", empty), "no streams of flatsort latent compress"),
        (("compress", "--model", plain, "--data", "digits"), "expected a model vq_vae or vq_vae2, got ae"),
        (("cas", "--model", file, "--data", "pendulum"), "expected labels (identities) of two classes or more"),
    ):
        assert sentence in flatsort("latent", *arguments, *out).sentence
    for broken in ("{}", "[]", "no json"):
        (empty / "streams.json").write_text(broken)
        done = flatsort("latent", "compress", "--model", file, "--decompress", empty, *out)
        assert "streams.json: not what flatsort latent compress writes, or damaged" in done.sentence
    (empty / "streams.json").write_text(json.dumps({"model": "other", "streams": []}))
    done = flatsort("latent", "compress", "--model", file, "--decompress", empty, *out)
    assert "its streams were made with another model" in done.sentence


def test_jpeg_at_equal_size() -> None:
    gradient = np.add.outer(np.arange(16), 3 * np.arange(16)).astype(np.uint8)
    images = np.stack([gradient, 255 - gradient])[..., None]
    jpegs = rate_distortion.jpeg(images)
    assert (jpegs["scan"] < jpegs["file"]).all()
    assert (np.diff(jpegs["error"].mean(0))[-3:] <= 0).all()
    best = rate_distortion.at_equal_size(jpegs, np.array([10_000.0, 10_000.0]))["file"]
    assert best["fits"] == 1
    assert best["psnr"] == pytest.approx(rate_distortion.psnr(float(jpegs["error"].min(1).mean())))
    none = rate_distortion.at_equal_size(jpegs, np.zeros(2))["scan"]
    assert none["fits"] == 0
    assert none["bytes"] == jpegs["scan"].min(1).mean()
    reached = rate_distortion.at_equal_quality(jpegs, 20.0)
    assert reached["file"] is not None
    noise = rate_distortion.jpeg(np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3)).astype(np.uint8))
    assert rate_distortion.at_equal_quality(noise, 90.0)["file"] is None
    assert rate_distortion.psnr(0) == 99
    assert rate_distortion.psnr(255.0**2) == pytest.approx(0, abs=1e-9)


def test_the_scan_is_the_data_between_header_and_end() -> None:
    data = b"\xff\xd8 tables \xff\xda" + (6).to_bytes(2, "big") + b"abcd" + b"12345" + b"\xff\xd9"
    assert rate_distortion.scan(data) == 5
