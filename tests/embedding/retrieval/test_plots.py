from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from flatsort.embedding.retrieval import Separation
from flatsort.embedding.retrieval.plots import distance_histograms, roc_curves, save


@pytest.fixture(scope="module")
def separations() -> dict[str, Separation]:
    rng = np.random.default_rng(0)
    found = {f"m{d}": Separation.of(rng.normal(9, 1, 500), rng.normal(9 + d, 1, 900)) for d in range(2)}
    return found | {"no pairs": Separation(), "one kind": Separation.of([], [1.0, 2.0])}


def test_pictures(separations: dict[str, Separation], tmp_path: Path) -> None:
    for name, draw in (("roc", roc_curves), ("distances", distance_histograms)):
        save(draw(separations, "a title"), tmp_path / "new" / f"{name}.png")
        picture = cv2.imread(str(tmp_path / "new" / f"{name}.png"))
        assert picture is not None
        assert picture.std() > 1
    assert len(list((tmp_path / "new").iterdir())) == 2


def test_curves_are_those_of_the_models(separations: dict[str, Separation]) -> None:
    (axes,) = roc_curves(separations).axes
    assert [str(line.get_label()) for line in axes.lines] == [
        f"m{d} (AUC {separations[f'm{d}'].auc:.3f})" for d in range(2)
    ]
    x, y = np.asarray(axes.lines[1].get_data())
    assert (x[-1], y[-1]) == (1, 1)
    assert (np.diff(y) >= 0).all()


def test_nothing_to_draw() -> None:
    assert [len(draw({}).axes) for draw in (roc_curves, distance_histograms)] == [1, 1]


def test_densities_hold_all_pairs(separations: dict[str, Separation]) -> None:
    panels = distance_histograms(separations).axes
    assert [axes.get_title() for axes in panels[: len(separations)]] == list(separations)
    for patch in panels[0].patches:
        density, edges, _ = patch.get_data()  # type: ignore[attr-defined]  # a StepPatch
        assert (density * np.diff(edges)).sum() == pytest.approx(1)
