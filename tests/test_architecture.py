"""The architecture as failing tests: sizes, imports, names, doors, and the map of rooms.

Lint, types and the import contracts of ``setup.cfg`` are checked by ``make lint-check``.
"""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from collections import defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from flatsort.tools import __main__ as command_line
from flatsort.tools import latent

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("configs", "embedding", "scene", "tools", "tracker")
PACKAGES = sorted([*(ROOT / "flatsort").glob("*.py"), *(p for room in ROOMS for p in (ROOT / room).rglob("*.py"))])
SOURCES = [*PACKAGES, *sorted((ROOT / "tests").rglob("*.py"))]
DOORS = {
    "scipy.optimize.linear_sum_assignment": "tracker/association/assignment.py",
    "motmetrics": "tracker/metrics/clear.py",
    "trackeval": "tracker/metrics/hota.py",
    "filterpy": "tracker/smoothing.py",
    "omegaconf": "tracker/config.py",
}
"""Third-party package → the only file that imports it."""


def run(code: str) -> str:
    """What a program prints; fails the test unless it exits with 0."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


@cache
def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_name(path: Path) -> str:
    """Dotted name under which a file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts if parts[0] == "flatsort" else ("flatsort", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in PACKAGES}


def imported_names(path: Path) -> set[str]:
    """Dotted names of everything that a file imports anywhere, for type checking too."""
    names = set()
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_modules(path: Path) -> set[str]:
    """Our modules that a file imports."""
    modules = set()
    for name in imported_names(path):
        while name and name not in MODULES:
            name = name.rpartition(".")[0]  # a class or function: its module
        modules.add(name)
    return modules - {"", module_name(path)}


def is_registered(path: Path) -> bool:
    """Whether a file registers a part, so that a registry imports it by its folder."""
    calls = [node.func for node in ast.walk(syntax(path)) if isinstance(node, ast.Call)]
    return any(ast.unparse(call).rpartition(".")[2] == "register" for call in calls)


def verb_modules() -> set[str]:
    """The modules of all verbs of the command line."""
    verbs = {f"flatsort.tools.{verb.replace('-', '_')}" for verb in command_line.VERBS}
    return verbs | {f"flatsort.tools.latent.{verb.replace('-', '_')}" for verb in latent.VERBS}


def test_files_are_short() -> None:
    assert {str(path.relative_to(ROOT)): n for path in SOURCES if (n := line_count(path)) >= 500} == {}


@pytest.mark.parametrize("room", ["flatsort", *ROOMS])
def test_functions_are_short(room: str) -> None:
    lengths = {
        f"{path.relative_to(ROOT)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1 - docstring_lines(node)
        for path in PACKAGES
        if path.is_relative_to(ROOT / room)
        for node in ast.walk(syntax(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    assert {name: n for name, n in lengths.items() if n >= 60} == {}


def docstring_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = function.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return (first.end_lineno or 0) - first.lineno + 1 if is_text else 0


def test_small_files_have_several_importers() -> None:
    """A file under 100 lines that one other file imports belongs into that one, unless it is a part or a verb."""
    importers = defaultdict(set)
    for path in PACKAGES:
        for module in imported_modules(path):
            importers[module].add(module_name(path))
    assert {
        module: (line_count(path), *importers[module])
        for module, path in MODULES.items()
        if len(importers[module]) == 1 and line_count(path) < 100
        if path.name not in ("__init__.py", "__main__.py") and not is_registered(path) and module not in verb_modules()
    } == {}


def test_no_import_circles() -> None:
    """Not even among the imports for type checking."""
    graph = {module: imported_modules(path) for module, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_class_names_are_unique() -> None:
    places = defaultdict(list)
    for path in PACKAGES:
        for node in ast.walk(syntax(path)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_every_verb_is_in_the_contract_that_no_verb_imports_another() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    names = ("importlinter:contract:verbs", "importlinter:contract:latent-verbs")
    assert {module for name in names for module in config[name]["modules"].split()} == verb_modules()
    assert all(config[name]["type"] == "independence" for name in names)


def test_the_map_of_rooms_names_every_folder() -> None:
    """``docs/architecture.md`` writes each folder as its path with a slash at the end: ``tracker/association/``."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(rf"(?<![\w/.])((?:flatsort|tests|{'|'.join(ROOMS)})(?:/\w+)*)/(?![\w*])", text))
    files = [p for room in ROOMS for p in (ROOT / room).rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    folders = {parent for file in files for parent in file.relative_to(ROOT).parents} - {Path()}
    assert sorted({folder.as_posix() for folder in folders} - named) == []
    assert [name for name in named if not (ROOT / name).is_dir()] == []


def test_tests_mirror_the_packages() -> None:
    folders = {path.parent.relative_to(ROOT / "tests").as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    mirrored = folders - {".", "cases", "e2e", "fuzz", "golden"}
    assert [folder for folder in mirrored if not (ROOT / folder).is_dir()] == []


@pytest.mark.parametrize("package", DOORS)
def test_third_parties_have_one_door(package: str) -> None:
    users = [
        path.relative_to(ROOT).as_posix()
        for path in PACKAGES
        if any(f"{name}.".startswith(f"{package}.") for name in imported_names(path))
    ]
    assert users == [DOORS[package]]


@pytest.mark.parametrize(
    "module",
    [
        "flatsort",
        "flatsort.tracker.sort",
        "flatsort.tracker.metrics",
        "flatsort.tracker.config",
        "flatsort.embedding",
        "flatsort.tools.__main__",
    ],
)
def test_importing_is_silent_and_light(module: str) -> None:
    heavy = "{'torch', 'torchvision', 'cv2', 'matplotlib', 'onnxruntime'}"
    assert run(f"import sys, {module}; print(*sorted({heavy} & set(sys.modules)))").strip() == ""


def test_importing_flatsort_is_quick() -> None:
    code = "import time; start = time.process_time(); import flatsort; print(time.process_time() - start)"
    assert min(float(run(code)) for _ in range(3)) < 0.2


def test_importing_seeds_and_configures_nothing() -> None:
    run(
        "import logging, random, numpy as np\n"
        "before = (random.getstate(), np.random.get_state()[1].tobytes(), logging.getLogger().handlers[:])\n"
        "import flatsort.tracker.sort, flatsort.tracker.pipeline, flatsort.tools.runs.track_run\n"
        "after = (random.getstate(), np.random.get_state()[1].tobytes(), logging.getLogger().handlers[:])\n"
        "assert before == after"
    )


def test_dependencies_have_no_upper_pins() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = dict(config["options.extras_require"])
    for line in "\n".join([config["options"]["install_requires"], *extras.values()]).split():
        assert not {"<", "~", "=="} & set(line.replace(">=", "")), line
