"""The architecture as failing tests: contracts, sizes, lint, types, silence of imports."""

from __future__ import annotations

import ast
import configparser
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(
    p for room in ("flatsort", "tracker", "embedding", "scene", "tools", "tests") for p in (ROOT / room).rglob("*.py")
)
PACKAGES = [p for p in SOURCES if "tests" not in p.parts]


def run(*command: str) -> str:
    """What a command prints; fails the test unless it exits with 0."""
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_import_contracts_hold() -> None:
    run("-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())")


def test_lint_and_format() -> None:
    run("-m", "ruff", "check", ".")
    run("-m", "ruff", "format", "--check", ".")


def test_types() -> None:
    run("-m", "mypy")


def test_files_are_short() -> None:
    lengths = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in SOURCES}
    assert {str(p): n for p, n in lengths.items() if n > 300} == {}
    assert statistics.median(lengths[p] for p in PACKAGES) <= 220


@pytest.mark.parametrize("path", PACKAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_functions_are_short(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    lengths = {f.name: (f.end_lineno or 0) - f.lineno + 1 - _docstring_lines(f) for f in functions}
    assert {name: n for name, n in lengths.items() if n >= 60} == {}


def _docstring_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = function.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return (first.end_lineno or 0) - first.lineno + 1 if is_text else 0


@pytest.mark.parametrize(
    "package", ["scipy.optimize.linear_sum_assignment", "motmetrics", "trackeval", "filterpy", "omegaconf"]
)
def test_third_parties_have_one_door(package: str) -> None:
    users = []
    for path in PACKAGES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names += [f"{node.module}.{a.name}" for a in node.names]
            if any(name == package or name.startswith(f"{package}.") for name in names):
                users.append(path.relative_to(ROOT).as_posix())
    doors = {
        "scipy.optimize.linear_sum_assignment": ["tracker/association/assignment.py"],
        "motmetrics": ["tracker/metrics/clear.py"],
        "trackeval": ["tracker/metrics/hota.py"],
        "filterpy": ["tracker/smoothing.py"],
        "omegaconf": ["tracker/config.py"],
    }
    assert sorted(set(users)) == doors[package]


@pytest.mark.parametrize(
    "module",
    [
        "flatsort.tracker.sort",
        "flatsort.tracker.metrics",
        "flatsort.tracker.config",
        "embedding",
        "flatsort.tools.__main__",
    ],
)
def test_importing_is_silent_and_light(module: str) -> None:
    heavy = "{'torch', 'torchvision', 'cv2', 'matplotlib', 'onnxruntime'}"
    code = f"import sys, {module}; print(*sorted({heavy} & set(sys.modules)))"
    assert run("-c", code).strip() == ""


def test_importing_seeds_and_configures_nothing() -> None:
    code = (
        "import logging, random, numpy as np\n"
        "before = (random.getstate(), np.random.get_state()[1].tobytes(), logging.getLogger().handlers[:])\n"
        "import flatsort.tracker.sort, flatsort.tracker.pipeline, flatsort.tools.runs.track_run\n"
        "after = (random.getstate(), np.random.get_state()[1].tobytes(), logging.getLogger().handlers[:])\n"
        "assert before == after"
    )
    run("-c", code)


def test_dependencies_have_no_upper_pins() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = dict(config["options.extras_require"])
    for line in "\n".join([config["options"]["install_requires"], *extras.values()]).split():
        assert not {"<", "~", "=="} & set(line.replace(">=", "")), line
