"""Names of models and their seeds, and rows of statistics over seeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from flatsort.embedding import checkpoint
from flatsort.embedding.model import LatentModel, build
from flatsort.embedding.models.ae import AEConfig
from flatsort.embedding.nets import NetConfig
from flatsort.tools.experiments.model_tables import (
    MeasuredModel,
    SeededModel,
    load_embedders,
    load_latent_models,
    measure_models,
    table_of_measures,
)


@dataclass(frozen=True)
class Scores:
    """Measures of one seed."""

    numbers: dict[str, float]

    def flat(self) -> dict[str, float]:
        return self.numbers


def write(path: Path, dim: int, seed: int) -> str:
    config = AEConfig(shape=[3, 16, 8], dim=dim, net=NetConfig(width=8, stem=2, halvings=1))
    checkpoint.save(path, build(config, seed), checkpoint.Card())
    return str(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two seeds of one model, and one of another size."""
    folder = tmp_path_factory.mktemp("models")
    return [write(folder / f"{n}.safetensors", dim, seed) for n, dim, seed in (("a", 4, 0), ("b", 4, 1), ("c", 2, 0))]


def test_names_of_models_and_seeds(files: list[str]) -> None:
    a, b, c = files
    models = load_embedders([f"mine={a},{b}", c, "pixels", "pixels"], "cpu")
    assert [(model.name, model.files) for model in models] == [("mine", [a, b]), (c, [c]), ("pixels", ["pixels"])]
    assert [len(model.models) for model in models] == [2, 1, 1]
    assert [model.name for model in load_embedders(files, "cpu", group=True)] == ["ae dim=4", "ae dim=2"]
    assert [(model.name, model.files) for model in load_latent_models([f"mine={a},{b}", c])] == [
        ("mine", [a, b]),
        ("c", [c]),
    ]


@pytest.mark.parametrize("texts", [["x="], ["=a"], ["x=a,"], ["x=pixels", "x=flat"]])
def test_names_are_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match=r"expected NAME=FILE,FILE,… with a name of its own"):
        load_embedders(texts)


def test_statistics_over_seeds_in_a_table() -> None:
    rows = [
        MeasuredModel("two", ["a", "b"], [Scores({"error": 1.0, "kl": 2.0}), Scores({"error": 2.0, "kl": 2.0})]),
        MeasuredModel("one", ["c"], [Scores({"error": 3.0})]),
    ]
    assert rows[0].statistics()["error"] == pytest.approx((1.5, 0.5**0.5))
    head, line, *rest = table_of_measures(rows, {"error": "error", "kl": "KL"}, "pipe").splitlines()[::2]
    assert [cell.strip() for cell in head.split("|")[2:4]] == ["two", "one"]
    assert [cell.strip() for cell in line.split("|")[1:4]] == ["error", "1.5 ± 0.71", "3"]
    assert not rest  # a model lacks the other measure


def test_an_error_names_the_file(files: list[str]) -> None:
    def fail(_: str, model: LatentModel) -> Scores:
        raise ValueError(f"dim {model.dim}")

    models: list[SeededModel[LatentModel]] = load_latent_models(files[2:])
    with pytest.raises(ValueError, match=r"c\.safetensors: dim 2$"):
        measure_models(models, fail)
