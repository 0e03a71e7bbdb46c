"""What comes from others is not trusted: addresses that send on, endless bodies, names in tables, damaged studies."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from flatsort.embedding.training import training_state
from flatsort.embedding.training.callbacks import read_metrics
from flatsort.embedding.training.loop import train
from flatsort.tools.experiments import archives
from flatsort.tools.experiments.result_cache import key_of_content
from flatsort.tools.latent.compress import _checksums
from tests.e2e.conftest import Flatsort
from tests.embedding.training import small_runs


@contextmanager
def server(answer: str) -> Iterator[str]:
    """A server that sends on to ``answer``, or, where that is empty, sends without an end."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302 if answer else 200)
            if answer:
                self.send_header("Location", answer)
            self.end_headers()
            try:
                for _ in range(0 if answer else 2000):
                    self.wfile.write(bytes(1 << 16))
            except OSError:
                pass

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}/a.zip"
        httpd.shutdown()


@pytest.mark.parametrize("target", ["ftp://127.0.0.1:9/x.zip", "file:///etc/hostname"])
def test_an_archive_is_not_fetched_from_other_kinds_of_addresses(tmp_path: Path, target: str) -> None:
    with server(target) as url, pytest.raises(OSError, match=f"sent on to an address of the kind {target[:4]}"):
        archives.fetch(url, tmp_path / "a.zip", 1000)
    assert not (tmp_path / "a.zip").exists()


def test_a_body_without_an_end_is_cut(tmp_path: Path) -> None:
    with server("") as url, pytest.raises(OSError, match=r"expected about 2 MB at most, it sends more"):
        archives.fetch(url, tmp_path / "a.zip", 1_000_000)
    assert not (tmp_path / "a.zip").exists()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2_000_000


@pytest.fixture
def named_sequences(tmp_path: Path) -> Path:
    for name in ("a|b", "<i>x", "line\n\\input{evil}"):
        folder = tmp_path / "data" / name
        for part in ("gt", "det"):
            (folder / part).mkdir(parents=True)
        rows = [f"{f},1,{f},20,30,60,1,-1,-1,-1" for f in range(1, 9)]
        (folder / "gt" / "gt.txt").write_text("\n".join(rows))
        (folder / "det" / "det.txt").write_text("\n".join(rows))
    return tmp_path / "data"


def test_names_in_tables_of_a_benchmark(flatsort: Flatsort, tmp_path: Path, named_sequences: Path) -> None:
    options = ("--systems", "sort", "--no-cache", "--out", tmp_path / "o", "rounds=0")
    assert flatsort("benchmark", "--data", named_sequences, *options).code == 0
    assert not [line for line in (tmp_path / "o" / "table.tex").read_text().splitlines() if line.startswith("\\input")]
    markdown = (tmp_path / "o" / "table.md").read_text()
    assert "a\\|b" in markdown
    assert "<i>" not in markdown


def test_a_damaged_line_does_not_block_a_training(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'5\n{"loss": 1}\n\xff\n{"step": 1, "loss": 2.5, "x": "y"}\n[[[\n{"step": 2}\n{"step": 3, "lo')
    assert read_metrics(path) == [{"step": 1, "loss": 2.5}, {"step": 2}]
    assert f"{path} line 1: no line of metrics, left out (4 in all)" in caplog.text


def test_a_study_that_has_lost_a_line(flatsort: Flatsort, tmp_path: Path, named_sequences: Path) -> None:
    pytest.importorskip("optuna")
    data = tmp_path / "one"
    shutil.copytree(named_sequences / "a|b", data / "s")
    options = ("--data", data, "--tracker", "sort", "--out", tmp_path / "st", "--cache", tmp_path / "c")
    assert flatsort("tune", *options, "--trials", "2").code == 0
    journal = tmp_path / "st" / "study.journal"
    lines = journal.read_text().splitlines(keepends=True)
    for lost in range(1, len(lines), 3):
        journal.write_text("".join(lines[:lost] + lines[lost + 1 :]))
        done = flatsort("tune", *options, "--trials", "2", "--resume")
        assert done.code in (0, 2)
        assert "study.journal" in done.err or done.code == 0


def test_weights_beside_a_network_belong_to_its_key(tmp_path: Path) -> None:
    network, weights = tmp_path / "net.onnx", tmp_path / "net.onnx.data"
    network.write_bytes(b"... location net.onnx.data ...")
    weights.write_bytes(b"old")
    (tmp_path / "other.bin").write_bytes(b"x")
    before = key_of_content(network)
    (tmp_path / "other.bin").write_bytes(b"y")
    assert key_of_content(network) == before
    weights.write_bytes(b"new")
    assert key_of_content(network) != before


def test_a_set_of_other_kinds(flatsort: Flatsort, tmp_path: Path, named_sequences: Path) -> None:
    import cv2
    import numpy as np

    folder = named_sequences / "a|b"
    (folder / "img1").mkdir()
    for number in range(1, 9):
        cv2.imwrite(str(folder / "img1" / f"{number:06d}.png"), np.full((100, 100, 3), 90, np.uint8))
    crops = tmp_path / "set"
    assert flatsort("crop", folder, "--out", crops).code == 0
    for content in ('{"sequences": [1], "note": 5}', "[]", "{", '{"sequences": [], "note": ""}', "[" * 9999):
        (crops / "set.json").write_text(content)
        options = ("--config", "ae", "--data", crops, "--data", crops, "--out", tmp_path / "r", "steps=1")
        assert "damaged set of samples" in flatsort("train", *options).sentence


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("train/a/gt/gt.txt", "1,1,1,1,9,9")
    content = (tmp_path / "a.zip").read_bytes()
    end = content.rindex(b"PK\5\6")
    for size in range(0, 2**16, 4999):  # where the list of files begins: before the archive does
        (tmp_path / "a.zip").write_bytes(content[: end + 16] + size.to_bytes(4, "little") + content[end + 20 :])
        with pytest.raises((ValueError, OSError), match=r"a\.zip: "):
            archives.unpack(tmp_path / "a.zip", tmp_path / "out", 2)
        assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("streams", ["[1e999]", "[1.5]", "3", '["1"]', "[null]"])
def test_a_manifest_of_streams_with_other_numbers(tmp_path: Path, streams: str) -> None:
    (tmp_path / "streams.json").write_text(f'{{"model": "m", "streams": {streams}}}')
    with pytest.raises(ValueError, match=r"streams\.json: not what flatsort latent compress writes, or damaged"):
        _checksums(tmp_path, "m")


def test_a_state_of_a_training_with_other_tensors(tmp_path: Path) -> None:
    data = small_runs.vectors()
    config = small_runs.config("ae", "steps=6", data=data)
    train(config, data, tmp_path)
    path = training_state.files(tmp_path)[-1]
    with safe_open(path, "pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    first = next(name for name in tensors if name.startswith("optimiser/0/"))
    model = next(name for name in tensors if name.startswith("model/"))
    more = small_runs.config("ae", "steps=8", data=data)
    for changed in (
        {name: tensor for name, tensor in tensors.items() if name != model},
        {**tensors, "optimiser/99/exp_avg": tensors[first].clone()},
        {**tensors, first: tensors[first].new_zeros(7)},
        {name: tensor for name, tensor in tensors.items() if name != first},
    ):
        save_file(changed, path, metadata)
        with pytest.raises(ValueError, match="state: the newest state does not fit its config"):
            train(more, data, tmp_path, resume=True)
