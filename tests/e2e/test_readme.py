"""Every command and program of the README runs."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from flatsort.scene import Scene
from flatsort.tracker.detectors import DETECTORS
from tests.e2e.conftest import Flatsort

pytestmark = pytest.mark.slow

README = (Path(__file__).resolve().parent.parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> Iterator[str]:
    """Text of the README's code blocks in a language."""
    yield from re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("flatsort ")]
COMMANDS = [line for line in COMMANDS if not line.startswith("flatsort download")]  # has tests with a server of its own


PICTURED = ("seq",)
"""Sequences that have pictures."""
SHORT = {
    "benchmark": ["rounds=10"],
    "tune": ["--trials=2"],
    "train": ["steps=2", "batch=4", "model.net.width=8", "model.net.decoder_width=8", "model.dim=4"],
}
"""Added to a verb's arguments, so that a test does not train for minutes."""


def tiny_yolox(path: Path) -> None:
    """A network of YOLOX layout, 64×64, that sees one person in every picture."""
    anchors = (64 // 8) ** 2 + (64 // 16) ** 2 + (64 // 32) ** 2
    head = np.zeros((1, anchors, 85), np.float32)
    head[0, 20, :6] = [0.5, 0.5, 0.7, 1.5, 0.9, 0.9]
    node = helper.make_node("Constant", [], ["output"], value=numpy_helper.from_array(head))
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, list(head.shape))
    graph = helper.make_graph([node], "tiny", [image], [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))


def tiny_osnet(path: Path) -> None:
    """A network of a re-identification network's layout, 128×256, that gives the mean colour."""
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 256, 128])
    output = helper.make_tensor_value_info("latents", TensorProto.FLOAT, [1, 3])
    axes = numpy_helper.from_array(np.array([2, 3]), "axes")
    node = helper.make_node("ReduceMean", ["images", "axes"], ["latents"], keepdims=0)
    graph = helper.make_graph([node], "tiny", [image], [output], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, str(path))


@pytest.fixture(scope="module")
def workplace(scene: Scene, sequence: Path, video: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the README's commands speak of."""
    folder = tmp_path_factory.mktemp("readme")
    writer = cv2.VideoWriter(str(folder / "street.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), scene.fps, scene.size)
    (folder / "frames").mkdir()
    for frame in scene:
        assert frame.image is not None
        picture = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        writer.write(picture)
        cv2.imwrite(str(folder / "frames" / f"{frame.index:06d}.jpg"), picture)
    writer.release()
    for name in ("seq", "seqA", "seqB", "MOT17/train/MOT17-02", "MOT17/train/MOT17-04"):
        shutil.copytree(sequence, folder / name)
        if name in PICTURED:
            (folder / name / "img1").symlink_to(folder / "frames")
        info = folder / name / "seqinfo.ini"
        info.write_text(info.read_text().replace("name=demo", f"name={Path(name).name}"))
    tiny_yolox(folder / "yolox_nano.onnx")
    tiny_osnet(folder / "osnet.onnx")
    return folder


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 12


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(command: str, flatsort: Flatsort, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    arguments = shlex.split(command)[1:]
    done = flatsort(*arguments, *SHORT.get(arguments[0], []))
    assert done.code == 0, done.err
    assert done.out


def test_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = dict(DETECTORS._parts)
    for number, program in enumerate(blocks("python")):
        module = ModuleType(f"readme_{number}")
        monkeypatch.setitem(sys.modules, module.__name__, module)  # dataclasses look their module up
        exec(compile(program, "README.md", "exec"), module.__dict__)
    assert "mine" in DETECTORS.names()
    DETECTORS._parts = parts
