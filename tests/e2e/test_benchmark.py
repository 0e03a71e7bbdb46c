"""``flatsort benchmark``, through the command line."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from flatsort.embedding import checkpoint
from flatsort.embedding.checkpoint import Card
from flatsort.embedding.data import sample_set
from flatsort.embedding.data.sample_set import SampleSet
from flatsort.tools.experiments import runner
from flatsort.tools.experiments.results import FinishedRun
from flatsort.tracker.metrics import evaluate
from tests.e2e.conftest import CommandResult, Flatsort
from tests.embedding import tiny_models
from tests.tools.experiments import street_sequences

pytestmark = pytest.mark.slow

FAST = ("rounds=20",)


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sequences: a film, and one without images."""
    folder = tmp_path_factory.mktemp("bench") / "data"
    street_sequences.write(folder / "film", images=None)
    street_sequences.write(folder / "bare", seed=1)
    return folder


@pytest.fixture
def bench(flatsort: Flatsort, streets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flatsort:
    """Run the verb on some sequences of the data, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path, names: str = "*") -> CommandResult:
        return flatsort("benchmark", "--data", f"{streets}/{names}", "--out", "out", *arguments, *FAST)

    return run


def test_the_table(bench: Flatsort, flatsort: Flatsort, streets: Path, tmp_path: Path) -> None:
    done = bench("--systems", "sort,sort_long")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("OVERALL: 2 sequences, 60 frames, det.txt\n")
    assert [line.split()[0] for line in done.out.splitlines()[3:5]] == ["sort", "sort_long"]
    assert {path.name for path in Path("out").iterdir()} >= {
        "table.md",
        "table.json",
        "table.tex",
        "report.html",
        "config.yaml",
    }
    systems = json.loads(Path("out/table.json").read_text())["systems"]
    for name, results in systems.items():
        assert flatsort("track", streets / "film", streets / "bare", "--tracker", name, "--out", name).code == 0
        # track names its results by seqinfo.ini, where both sequences are "demo"
        shutil.move(f"{name}/demo.txt", f"{name}/film.txt")
        shutil.move(f"{name}/demo-2.txt", f"{name}/bare.txt")
        expected = evaluate(streets, tmp_path / name)
        assert {key: results["overall"][key] for key in asdict(expected.overall)} == asdict(expected.overall)
        assert list(results["sequences"]) == ["bare", "film"]
        assert results["sequences"]["film"]["idf1"] == expected.sequences["film"].scores.idf1


def test_a_second_run_takes_all_from_the_cache(bench: Flatsort, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("--systems", "sort,deep_sort", "--weights", "deep_sort=pixels", "--min-score", "0.4")
    first = bench(*arguments, names="film")
    assert first.code == 0
    assert "det.txt, score ≥ 0.4" in first.out
    assert "deep_sort: tracker deep_sort, embedder pixels" in first.out
    monkeypatch.setattr("flatsort.tracker.pipeline.track", None)
    monkeypatch.setattr("flatsort.tracker.pipeline.embed", None)
    assert bench(*arguments, names="film") == first  # with the same times, so nothing was measured again
    with pytest.raises(TypeError):
        bench(*arguments, "--no-cache", names="film")


def test_an_interrupted_run_goes_on(bench: Flatsort, monkeypatch: pytest.MonkeyPatch) -> None:
    own, calls = runner.run, list[str]()

    def interrupted(*arguments: object) -> FinishedRun:
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append("run")
        return own(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(runner, "run", interrupted)
    done = bench("--systems", "sort,sort_long")
    assert done.code == 130
    assert done.err.splitlines()[0] == (
        "interrupted: finished runs are in runs/cache, the same command continues from there"
    )
    assert not Path("out").exists()
    calls.clear()
    assert bench("--systems", "sort,sort_long").code == 0
    assert len(calls) == 1


def test_config_and_overrides(bench: Flatsort) -> None:
    Path("own.yaml").write_text("systems:\n  sort: {}\n  patient: {tracker: sort, set: [lifecycle.min_hits=1]}\n")
    done = bench("--config", "own.yaml", "--systems", "patient", "systems.patient.note=kept", "--print-config")
    assert "lifecycle.min_hits=1" in done.out
    assert "sort: {}" not in done.out
    done = bench("--config", "own.yaml", "systems.patient.note=long")
    assert done.out.splitlines()[-1] == "patient: tracker sort, lifecycle.min_hits=1, long"
    systems = json.loads(Path("out/table.json").read_text())["systems"]
    assert list(systems) == ["sort", "patient"]
    assert systems["sort"]["overall"]["idf1"] != systems["patient"]["overall"]["idf1"]


def test_published_rows(bench: Flatsort) -> None:
    done = bench("--systems", "sort", "published=mot16")
    assert "DeepSORT (published, train)" in done.out
    assert "cannot be compared" in done.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--systems", "deep_sort", "--weights", "deep_sort=pixels"],
            "bare: expected images for system deep_sort, got none",
        ),
        (["--systems", "sort", "--detections", "poi.txt"], "det/poi.txt: no such file"),
        (["--systems", "sotr"], "unknown track config 'sotr'"),
        (["--systems", "sort", "--seeds", "1,x"], "--seeds: expected whole numbers"),
        (["--systems", "sort", "--weights", "vae=x"], "no system has the embedder 'vae'"),
        (["--systems", "sort", "nothing=3"], "unknown key 'nothing'"),
        (["--config", "mot99"], "unknown benchmark config 'mot99'"),
        ([], "expected --systems NAMES, --embedders all or --config NAME"),
    ],
)
def test_errors_are_one_sentence(bench: Flatsort, arguments: list[str], sentence: str) -> None:
    assert sentence in bench(*arguments).sentence
    assert not Path("out").exists()


def test_tuned_trackers_are_refused(bench: Flatsort) -> None:
    Path("mine.yaml").write_text("tuned_on: [film]\nmin_score: 0.3\n")
    assert "mine.yaml was tuned on film" in bench("--systems", "mine.yaml").sentence
    assert bench("--systems", "mine.yaml", "--allow-tuned").code == 0
    assert bench("--systems", "mine.yaml", names="bare").code == 0


@pytest.mark.data
def test_the_reference_sorts_figures(flatsort: Flatsort, data: Path, tmp_path: Path) -> None:
    sequence = data / "sequences" / "TUD-Campus"
    out = tmp_path / "out"
    done = flatsort("benchmark", "--data", sequence, "--systems", "sort", "--out", out, "--no-cache", "rounds=0")
    assert done.code == 0, done.err
    results = json.loads((out / "table.json").read_text())["systems"]["sort"]["overall"]
    assert (round(results["mota"], 1), results["ids"], results["fp"], results["fn"]) == (62.7, 6, 15, 113)


def test_seeds_that_no_weights_name_are_refused(flatsort: Flatsort, tmp_path: Path) -> None:
    done = flatsort("benchmark", "--data", str(tmp_path), "--systems", "sort", "--seeds", "0,1")
    assert done.code == 2
    assert "--seeds: expected {seed} in a system's --weights" in done.err


def test_embedders_in_one_association(bench: Flatsort, tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "own" / "lbae_0.safetensors", tiny_models.model("lbae"), Card())
    samples = np.random.default_rng(0).integers(0, 256, (12, 16, 8, 3), dtype=np.uint8)
    sample_set.save(SampleSet(samples, {"identity": np.arange(12) // 3}), tmp_path / "crops")
    arguments = ("--embedders", "pixels,lbae", "checkpoints=own/{name}_{seed}.safetensors", "--crops", "crops")
    done = bench(*arguments, names="film")
    assert done.code == 0, done.err
    assert "Embedders: mean ± standard deviation over training seeds" in done.out
    content = json.loads(Path("out/table.json").read_text())
    assert list(content["embedders"]) == list(content["systems"]) == ["pixels", "lbae"]
    assert content["embedders"]["lbae"][0]["bits"] == 4
    assert "tracker flat_vhp_vae_sort, embedder own/lbae_{seed}.safetensors" in done.out
    assert bench("--config", "out/config.yaml", names="film").out == done.out
    assert "unknown 'pixel'; did you mean 'pixels'?" in bench("--embedders", "pixel").sentence
