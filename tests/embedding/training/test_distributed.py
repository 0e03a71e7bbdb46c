"""Two processes that share every batch end as one that has all of it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from flatsort.embedding import checkpoint
from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.devices import find_device
from flatsort.embedding.training import distributed
from flatsort.embedding.training.distributed import Group, join
from flatsort.embedding.training.loop import train
from tests.embedding.training.small_runs import AUGMENT, WINDOWS, config, images, sequences, vectors, weights

pytestmark = pytest.mark.slow

TOLERANCE = {"ae": 1e-5, "vae": 1e-5, "flat_vhp_vae": 1e-1}
"""Of latents, relative to their size. Sums over rows in another order are rounded differently; the flat model's penalty
has statistics of a batch that each process takes from its own rows."""

SHARED = """
import sys
from pathlib import Path
from flatsort.embedding.training.distributed import join
from flatsort.embedding.training.loop import train
from tests.embedding.training.small_runs import AUGMENT, WINDOWS, config, images, sequences, vectors
with join("cpu") as group:
    assert group.world == 2
    for model in sys.argv[2:]:
        train(config(model, "views=tracklets", "augment.noise=0.1"), vectors(), Path(sys.argv[1]) / model)
    train(config("vaer", *WINDOWS, data=sequences()), sequences(), Path(sys.argv[1]) / "windows")
    train(config("vae", AUGMENT, data=images()), images(), Path(sys.argv[1]) / "images")
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of runs of two processes, one folder a model."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "shared.py").write_text(SHARED)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, folder / "shared.py", folder, *TOLERANCE],
        env={**os.environ, "PYTHONPATH": ".", "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        text=True,
        timeout=240,
    )
    (folder / "stderr.txt").write_text(done.stderr)
    return folder


@pytest.mark.parametrize("model", TOLERANCE)
def test_two_processes_equal_one(model: str, shared: Path, tmp_path: Path) -> None:
    data = vectors()
    path = train(config(model, "views=tracklets", "augment.noise=0.1"), data, tmp_path)
    assert distance(path, shared / model / path.name, data) < TOLERANCE[model]
    if TOLERANCE[model] < 1e-4:
        for name, tensor in weights(tmp_path).items():
            torch.testing.assert_close(weights(shared / model)[name], tensor, rtol=1e-4, atol=1e-5)


def test_two_processes_equal_one_for_windows(shared: Path, tmp_path: Path) -> None:
    data = sequences()
    path = train(config("vaer", *WINDOWS, data=data), data, tmp_path)
    assert distance(path, shared / "windows" / path.name, data) < 1e-4


def test_two_processes_equal_one_for_images(shared: Path, tmp_path: Path) -> None:
    """Latents, not weights: a bias before a normalisation has no gradient but rounding, which Adam makes steps of."""
    data = images()
    path = train(config("vae", AUGMENT, data=data), data, tmp_path)
    assert distance(path, shared / "images" / path.name, data) < 1e-5


def test_no_library_warns_of_choices_that_are_ours(shared: Path) -> None:
    assert "Warning" not in (shared / "stderr.txt").read_text()


def test_the_row_before_is_that_of_the_whole_batch(tmp_path: Path) -> None:
    script = tmp_path / "previous.py"
    script.write_text(
        "import torch\n"
        "from flatsort.embedding.training.distributed import join\n"
        "with join('cpu') as group:\n"
        "    for block in (1, 2):\n"
        "        whole = torch.arange(8.0).view(-1, block)\n"
        "        own = whole[group.rank :: group.world].reshape(-1, 1)\n"
        "        before = (whole.flatten().roll(1)).view(-1, block)[group.rank :: group.world].reshape(-1, 1)\n"
        "        assert torch.equal(group.previous(own, block), before), (group.rank, block)\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": "."}, check=True, capture_output=True, timeout=120)


def distance(first: Path, second: Path, data: SampleSet) -> float:
    """Of two checkpoints' latents, relative to their size."""
    a, b = (checkpoint.load(path)[0].embed(data.tensor(slice(None))).detach() for path in (first, second))
    return float(torch.linalg.norm(a - b) / torch.linalg.norm(a))


def test_a_batch_must_be_shared_evenly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(distributed, "join", lambda _: nullcontext(Group(torch.device("cpu"), 0, 3)))
    with pytest.raises(ValueError, match="batch: expected a multiple of the 3 processes, got 8"):
        train(config("ae"), vectors(), tmp_path)


def test_devices() -> None:
    assert find_device("cpu").type == "cpu"
    assert find_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for word in ("gpu", "meta"):
        with pytest.raises(ValueError, match=f"device: expected auto, cpu, cuda or cuda:NUMBER, got '{word}'"):
            find_device(word)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no CUDA device"):
            find_device("cuda")


def test_a_gpu_beyond_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for word, index in (("cuda:2", None), ("cuda", 2), ("auto", 2)):
        with pytest.raises(ValueError, match=r"device: expected cuda:0 to cuda:1 .*, got cuda:2"):
            find_device(word, index)


def test_one_process_is_a_group() -> None:
    with join("cpu") as group, group.first():
        assert group.main
        assert group.mean(torch.tensor(3.0)) == 3
