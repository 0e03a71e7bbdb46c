"""Every command and program of the README and of the guide runs, page by page and in its order."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from flatsort.embedding.data.builtin import DATA_SETS
from flatsort.embedding.embedders import EMBEDDERS
from flatsort.embedding.model import MODELS
from flatsort.scene import Scene
from flatsort.tracker.association.costs import COSTS, GATES
from flatsort.tracker.detectors import DETECTORS
from flatsort.tracker.motion import MOTION
from flatsort.tracker.registry import Registry
from tests.e2e.conftest import Flatsort

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
ALL_REGISTRIES: tuple[Registry, ...] = (COSTS, DATA_SETS, DETECTORS, EMBEDDERS, GATES, MODELS, MOTION)  # type: ignore[type-arg]  # of all kinds
FILE = re.compile(r"# (\w+\.(?:py|yaml))\n")
"""First line of a code block that is the content of a file."""
WITH_IMAGES = ("seq",)
"""Sequences that have images."""
SHORT = {
    "demo": ["--frames", "20"],
    "benchmark": ["rounds=10"],
    "tune": ["--trials=2"],
    "train": ["steps=2", "batch=4", "model.net.width=8", "model.net.decoder_width=8", "model.dim=4"],
}
"""Added to a verb's arguments, so that a test does not train for minutes."""


@dataclass(frozen=True)
class Block:
    """A code block: its language, and its text."""

    language: str
    text: str

    @property
    def commands(self) -> list[list[str]]:
        """Arguments of each command of ours; downloading has tests with a server of its own."""
        if self.language != "sh":
            return []
        lines = [line for line in self.text.replace("\\\n", " ").splitlines() if line.startswith("flatsort ")]
        arguments = [shlex.split(line, comments=True)[1:] for line in lines]
        return [each for each in arguments if each[0] != "download"]

    @property
    def file(self) -> str | None:
        """Name of the file whose content this is."""
        match = FILE.match(self.text)
        return match[1] if match else None


def blocks(page: Path) -> list[Block]:
    """The code blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [Block(*match) for match in re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


def tiny_yolox(path: Path) -> None:
    """A network of YOLOX layout, 64×64, that detects one person in every image."""
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


@pytest.fixture
def workplace(scene: Scene, sequence: Path, tmp_path: Path) -> Path:
    """A folder with all that the commands speak of."""
    writer = cv2.VideoWriter(str(tmp_path / "street.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), scene.fps, scene.size)
    (tmp_path / "frames").mkdir()
    for frame in scene:
        assert frame.image is not None
        image = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        writer.write(image)
        cv2.imwrite(str(tmp_path / "frames" / f"{frame.index:06d}.jpg"), image)
    writer.release()
    shutil.copy(tmp_path / "street.mp4", tmp_path / "vtest.avi")
    for name in ("seq", "seqA", "seqB", "MOT17/train/MOT17-02", "MOT17/train/MOT17-04"):
        shutil.copytree(sequence, tmp_path / name)
        if name in WITH_IMAGES:
            (tmp_path / name / "img1").symlink_to(tmp_path / "frames")
        info = tmp_path / name / "seqinfo.ini"
        info.write_text(info.read_text().replace("name=demo", f"name={Path(name).name}"))
    shutil.copy(sequence / "det" / "det.txt", tmp_path / "det.txt")
    tiny_yolox(tmp_path / "yolox_nano.onnx")
    tiny_osnet(tmp_path / "osnet.onnx")
    return tmp_path


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that a page registers are forgotten after it."""
    for registry in ALL_REGISTRIES:
        registry.names()  # the parts that come with the project are imported once
        monkeypatch.setattr(registry, "_parts", dict(registry._parts))


def run(block: Block, name: str, flatsort: Flatsort, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a file, run commands, run a program, or none of these."""
    if block.file is not None:
        Path(block.file).write_text(block.text, encoding="utf-8")
    elif block.language == "python":
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, module.__name__, module)  # dataclasses look their module up
        exec(compile(block.text, name, "exec"), module.__dict__)
    for arguments in block.commands:
        done = flatsort(*arguments, *SHORT.get(arguments[0], []))
        assert done.code == 0, (arguments, done.err)
        assert done.out, arguments


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
@pytest.mark.usefixtures("registries")
def test_page(page: Path, flatsort: Flatsort, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    for number, block in enumerate(blocks(page)):
        run(block, f"{page.stem}_{number}", flatsort, monkeypatch)


def test_pages_have_commands_and_programs() -> None:
    pages = {page.stem: blocks(page) for page in PAGES}
    assert {name for name, found in pages.items() if any(block.commands for block in found)} >= {
        "README", "track", "trackers", "evaluate", "train", "extend", "troubleshooting",
    }  # fmt: skip
    assert sum(len(block.commands) for block in pages["README"]) >= 5
    assert [block.file for block in pages["README"] if block.language == "python"] == [None, "mine.py"]
    assert any(block.language == "python" for block in pages["api"])
