"""Models on disk: one safetensors file whose header holds, as JSON, all that is needed to use the weights."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from flatsort.embedding.distance_calibration import DistanceCalibration
from flatsort.embedding.model import MODELS, LatentModel, ModelConfig, build
from flatsort.tracker import config as configs
from flatsort.tracker.files import replacing

FORMAT = 2
"""Calibrations of format 1 held no distribution: a checkpoint of it is read as one without."""
SUFFIX = ".safetensors"
KEY = "flatsort"


@dataclass(frozen=True)
class Card:
    """What a checkpoint says of itself beside its model's config.

    Attributes
    ----------
    data : str
        What the model was trained on, and the terms of that.
    training : dict
        Seed, steps, seconds, machine, held-out score: what a reader needs to assess or repeat it. JSON values only.
    calibration : DistanceCalibration or None
        Distances of different and of same objects; None where none were measured.
    """

    data: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    calibration: DistanceCalibration | None = None


def save(path: str | Path, model: LatentModel, card: Card, weights: dict[str, torch.Tensor] | None = None) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    path : str or Path
    model : LatentModel
    card : Card
    weights : dict of Tensor, optional
        Written instead of the model's own state: a moving average of it.
    """
    header = {
        "format": FORMAT,
        "config": configs.to_mapping(model.config),
        "data": card.data,
        "training": card.training,
        "calibration": card.calibration and card.calibration.to_mapping(),
    }
    tensors = {name: t.detach().cpu().contiguous() for name, t in (weights or model.state_dict()).items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={KEY: json.dumps(header)})


def load(path: str | Path, device: torch.device | str = "cpu") -> tuple[LatentModel, Card]:
    """A model in evaluation mode and what its checkpoint says of itself.

    Raises
    ------
    ValueError
        If the file is no checkpoint, is of a later format, or its weights do not fit its config.
    FileNotFoundError
        If there is no such file.
    """
    config, card = read_header(path)
    with safe_open(path, "pt", device=str(device)) as file:
        shapes = {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118  # no mapping
        if not config.name.endswith(".py"):  # a user's model may compute with the weights that it begins with
            with torch.device("meta"):  # takes no memory, so that a damaged size in the config takes none
                _check_shapes(path, config, _build(path, config), shapes)
        model = _build(path, config)
        _check_shapes(path, config, model, shapes)
        try:
            model.load_state_dict({name: file.get_tensor(name) for name in shapes})
        except (RuntimeError, TypeError) as error:
            raise ValueError(f"{path}: weights do not fit a {config.name} ({_line(error)})") from error
    return model.to(device).eval(), card


def _build(path: str | Path, config: ModelConfig) -> LatentModel:
    try:
        return build(config)
    except (RuntimeError, TypeError, ValueError, ArithmeticError, IndexError) as error:
        raise ValueError(f"{path}: no {config.name} can be built from its config ({_line(error)})") from error


def _check_shapes(path: str | Path, config: ModelConfig, model: LatentModel, shapes: dict[str, list[int]]) -> None:
    """Refuse weights of other names or shapes than the model has."""
    expected = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    for name, shape in expected.items():
        if name not in shapes:
            raise ValueError(f"{path}: no weights {name!r}, expected {shape} for a {config.name}")
        if shapes[name] != shape:
            raise ValueError(f"{path}: {name} is {shapes[name]}, expected {shape}")
    unknown = sorted(set(shapes) - set(expected))
    if unknown:
        raise ValueError(f"{path}: weights {unknown[0]!r} are unknown to a {config.name}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def write_calibration(path: str | Path, calibration: DistanceCalibration) -> None:
    """Write a calibration into the header of a checkpoint, in place of the one that it has; whole or not at all.

    Raises
    ------
    ValueError, FileNotFoundError
        As `load`.
    """
    model, card = load(path)
    save(path, model, replace(card, calibration=calibration))


def read_header(path: str | Path) -> tuple[ModelConfig, Card]:
    """Config and card of a checkpoint, without its weights; raises as `load` does."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get(KEY)
    except SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file ({error})") from error
    if text is None:
        raise ValueError(f"{path}: no flatsort checkpoint (its header has no {KEY!r})")
    try:
        header = json.loads(text)
        if not isinstance(header["format"], int) or not isinstance(header["config"], dict):
            raise TypeError("expected a format and a config")
        if header["format"] > FORMAT:
            raise ValueError(f"{path}: format {header['format']}, this version reads up to {FORMAT}")
        calibration = header["calibration"] if header["format"] == FORMAT else None
        card = Card(header["data"], header["training"], _read_calibration(path, calibration))
        config = configs.restore_part(MODELS, header["config"])
    except (KeyError, TypeError, AttributeError, RecursionError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: damaged header ({type(error).__name__}: {error})") from error
    except ValueError as error:
        raise ValueError(str(error) if str(path) in str(error) else f"{path}: damaged header ({error})") from error
    return cast("ModelConfig", config), card


def _read_calibration(path: str | Path, values: dict[str, Any] | None) -> DistanceCalibration | None:
    try:
        return None if values is None else DistanceCalibration.from_mapping(values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path}: damaged calibration ({type(error).__name__}: {error})") from error
