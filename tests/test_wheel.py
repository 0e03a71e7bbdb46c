"""The wheel holds the package and nothing else, and works away from the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("configs", "embedding", "scene", "tools", "tracker")
DECOYS = ("tools", "configs", "tracker", "embedding", "scene")
DECOY = "raise ImportError('a module of the user was imported in place of one of flatsort')\n"

pytestmark = pytest.mark.slow


def build(kind: str, source: Path, out: Path) -> Path:
    """The ``wheel`` or ``sdist`` of a source tree, built by its build backend in this environment."""
    code = f"import sys; from setuptools import build_meta; print(build_meta.build_{kind}(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, out], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out / done.stdout.splitlines()[-1]


def contents(wheel: Path) -> dict[str, bytes]:
    """Name → bytes of each file of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is packaged, with the links that the Makefile makes."""
    folder = tmp_path_factory.mktemp("source") / "flatsort"
    for name in ("flatsort", *ROOMS):
        ignored = shutil.ignore_patterns("__pycache__", *(ROOMS if name == "flatsort" else ()))
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for room in ROOMS:
        (folder / "flatsort" / room).symlink_to(Path("..", room))
    return folder


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", checkout, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel, which finds its dependencies, but no flatsort, in the one of the tests."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    # the folders' own .pth files, of which one holds the editable install, are not read
    shared = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (site_packages / "shared.pth").write_text("".join(f"{path}\n" for path in shared))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(folder / "bin" / "python")]
    options = ["--quiet", "--no-index", "--no-deps", "--ignore-installed"]
    subprocess.run([*pip, "install", *options, str(wheel)], check=True)
    return folder


@pytest.fixture(params=[True, False], ids=["packages", "folders"])
def workplace(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A user's folder with modules of the names that the rooms have in the checkout."""
    for name in DECOYS:
        (tmp_path / name).mkdir()
        for module in (*(["__init__"] if request.param else []), "track", "config", "loading", "scene"):
            (tmp_path / name / f"{module}.py").write_text(DECOY)
    return tmp_path


def run(environment: Path, workplace: Path, *command: str) -> str:
    """What a command of the environment prints, run in the user's folder."""
    variables = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    program = [str(environment / "bin" / command[0]), *command[1:]]
    done = subprocess.run(program, cwd=workplace, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_one_name_at_the_top_level(wheel: Path) -> None:
    assert {name.split("/")[0] for name in contents(wheel)} == {"flatsort", "flatsort-0.1.0.dist-info"}


def test_every_file_of_the_rooms_is_in_the_wheel(checkout: Path, wheel: Path) -> None:
    expected = {
        path.relative_to(checkout).as_posix()
        for room in ROOMS
        for path in (checkout / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    expected = {f"flatsort/{name}" for name in expected}
    expected |= {f"flatsort/{path.name}" for path in (checkout / "flatsort").iterdir() if path.is_file()}
    packaged = {name for name in contents(wheel) if name.startswith("flatsort/")}
    assert packaged == expected
    assert "flatsort/py.typed" in packaged
    for ending in (".yaml", ".safetensors", ".html", ".css", ".js", ".py"):
        assert any(name.endswith(ending) for name in packaged), ending


def test_the_sdist_builds_the_same_wheel(checkout: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(build("sdist", checkout, tmp_path)) as archive:
        archive.extractall(tmp_path, filter="data")
    rebuilt = build("wheel", tmp_path / "flatsort-0.1.0", tmp_path)
    assert contents(rebuilt) == contents(wheel)


def test_it_is_the_wheel_that_is_imported(environment: Path, workplace: Path) -> None:
    for module in ("flatsort", "flatsort.tools", "flatsort.tracker"):
        path = run(environment, workplace, "python", "-c", f"import {module}; print({module}.__file__)").strip()
        assert Path(path).is_relative_to(environment)


def test_demo_and_readme_beside_modules_of_the_same_names(environment: Path, workplace: Path) -> None:
    assert "IDF1" in run(environment, workplace, "flatsort", "demo", "--frames", "30", "--out", "demo")
    scoring = ("evaluate", "--gt", "demo/scene", "--pred", "demo/demo.txt")
    assert "IDF1" in run(environment, workplace, "python", "-m", "flatsort", *scoring)
    shutil.copy(workplace / "demo" / "demo.mp4", workplace / "street.mp4")
    snippet = re.search(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert snippet is not None
    (workplace / "snippet.py").write_text(snippet[1])
    run(environment, workplace, "python", "snippet.py")
