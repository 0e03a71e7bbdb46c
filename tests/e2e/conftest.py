"""The command line, run in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from flatsort.scene import Scene, SceneConfig, write_sequence
from flatsort.tools.__main__ import main


@dataclass(frozen=True)
class CommandResult:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The only line on standard error of a user's error."""
        assert self.code == 2, (self.code, self.out, self.err)
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("error: ")
        return lines[0]


Flatsort = Callable[..., CommandResult]


def read_rows(path: Path) -> list[list[float]]:
    """Numbers of a file of comma-separated rows."""
    return [[float(x) for x in line.split(",")] for line in path.read_text().splitlines()]


@pytest.fixture
def flatsort(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Flatsort:
    """Run ``flatsort ARGUMENTS`` and give back what it left."""

    def run(*arguments: str | Path) -> CommandResult:
        monkeypatch.setattr(sys, "argv", ["flatsort", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return CommandResult(int(end.value.code or 0), out, err)

    return run


@pytest.fixture(scope="session")
def scene() -> Scene:
    """A short scene with few people."""
    return Scene(SceneConfig(frames=60, people=5, width=384, height=216))


@pytest.fixture(scope="session")
def sequence(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene as a MOTChallenge sequence without images."""
    folder = tmp_path_factory.mktemp("data") / "square"
    write_sequence(scene, folder)
    return folder


@pytest.fixture(scope="session")
def video(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene as a video file."""
    import cv2

    path = tmp_path_factory.mktemp("video") / "square.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), scene.fps, scene.size)
    for frame in scene:
        assert frame.image is not None
        writer.write(cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    writer.release()
    return path
