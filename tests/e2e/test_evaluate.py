"""``flatsort evaluate`` through the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from flatsort.tools.evaluate import main

pytestmark = pytest.mark.slow

ROW = "{},{},100,100,50,120,1,-1,-1,-1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        gt = tmp_path / "gt" / name / "gt" / "gt.txt"
        gt.parent.mkdir(parents=True)
        gt.write_text("".join(ROW.format(frame, 1) for frame in range(1, 11)))
    (tmp_path / "tracks").mkdir()
    (tmp_path / "tracks" / "one.txt").write_text("".join(ROW.format(frame, 5) for frame in range(1, 11)))
    (tmp_path / "tracks" / "two.txt").write_text("".join(ROW.format(frame, 1 + frame // 6) for frame in range(1, 11)))
    return tmp_path


def module(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)


@pytest.mark.parametrize("verb", [["flatsort.tools.evaluate"], ["flatsort", "evaluate"]])
def test_the_verb_prints_the_table(folder: Path, verb: list[str]) -> None:
    done = module(*verb, "--gt", "gt", "--pred", "tracks", cwd=folder)
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["scored:", "MOTAL"]
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["sequence", "-" * 10, "one", "two", "OVERALL"]
    assert lines[4].split()[1:8] == ["75.0", "75.0", "75.0", "100.0", "100.0", "0.00", "2"]


def test_files(folder: Path) -> None:
    out = folder / "out"
    styles = [
        ("--json", "s.json"),
        ("--csv", "s.csv"),
        ("--markdown", "s.md"),
        ("--latex", "s.tex"),
        ("--plot", "plots"),
    ]
    extra = [part for option, name in styles for part in (option, str(out / name))]
    assert invoke("--gt", folder / "gt", "--pred", folder / "tracks", *extra).exit_code == 0
    scores = json.loads((out / "s.json").read_text())
    assert scores["sequences"]["two"]["ids"] == scores["overall"]["ids"] == 1
    assert scores["sequences"]["one"]["hota"] == pytest.approx(100)
    assert {file.name for file in out.iterdir()} == {"s.json", "s.csv", "s.md", "s.tex", "plots"}
    assert {file.name for file in (out / "plots").iterdir()} == {"hota.png", "timeline-one.png", "timeline-two.png"}


def test_curves_of_one_sequence(folder: Path) -> None:
    arguments: list[str | Path] = ["--gt", folder / "gt" / "one", "--pred", folder / "tracks" / "two.txt"]
    assert invoke(*arguments, "--plot", folder / "curves.png").exit_code == 0
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_jobs_change_nothing(folder: Path) -> None:
    arguments: list[str | Path] = ["--gt", folder / "gt", "--pred", folder / "tracks"]
    assert invoke(*arguments, "--jobs", "2").output == invoke(*arguments).output


def test_the_format_can_be_forced(folder: Path) -> None:
    gt = folder / "gt" / "one" / "gt" / "gt.txt"
    gt.write_text("".join(f"{frame},1,100,100,50,120,1,6,1\n" for frame in range(1, 11)))
    predicted = {}
    for name in ("auto", "mot15", "mot16", "mot17", "mot20"):
        out = folder / f"{name}.json"
        invoke("--gt", gt, "--pred", folder / "tracks" / "one.txt", "--format", name, "--json", out)
        scores = json.loads(out.read_text())["overall"]
        predicted[name] = (scores["gt"], scores["fp"])
    assert predicted == {"auto": (0, 10), "mot15": (1, 0), "mot16": (0, 10), "mot17": (0, 10), "mot20": (0, 0)}


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            lambda folder: (folder / "tracks" / "two.txt").unlink(),
            "no prediction for two; expected files such as two.txt",
        ),
        (
            lambda folder: (folder / "tracks" / "two.txt").write_text("1,1,0\n"),
            "line 1: 3 columns, expected at least 6",
        ),
        (
            lambda folder: (folder / "tracks" / "two.txt").write_text(ROW.format(4, 1) * 2),
            "two.txt line 1: frame 4 has id 1 more than once",
        ),
        (
            lambda folder: (folder / "gt" / "two" / "gt" / "gt.txt").write_text("1,1,0,0,9,9,0.87,-1,-1,-1\n"),
            "gt.txt line 1: column 7 of ground truth says whether to evaluate the box, expected 1 or 0, got 0.87",
        ),
        (lambda folder: (folder / "tracks").rename(folder / "elsewhere"), "tracks: no such file or folder"),
    ],
)
def test_errors_are_one_sentence(folder: Path, spoil: object, sentence: str) -> None:
    assert callable(spoil)
    spoil(folder)
    done = module("flatsort.tools.evaluate", "--gt", "gt", "--pred", "tracks", "--json", "out.json", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: ")
    assert sentence in done.stderr
    assert not (folder / "out.json").exists()


def test_ground_truth_beside_the_tracks_is_not_scored_against_itself(folder: Path) -> None:
    (folder / "gt" / "two.txt").write_text((folder / "tracks" / "two.txt").read_text())
    output = invoke("--gt", folder / "gt" / "two", "--pred", folder / "gt").stdout
    assert output == invoke("--gt", folder / "gt" / "two", "--pred", folder / "tracks" / "two.txt").stdout
    assert output.splitlines()[2].split()[:2] == ["two", "50.0"]


@pytest.mark.parametrize("option", ["--json", "--csv", "--markdown", "--latex", "--plot"])
def test_no_file_is_named_dash(folder: Path, option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(click.BadParameter, match="expected a name to write to, got -, but the table is"):
        main(["--gt", "gt", "--pred", "tracks", option, "-"], standalone_mode=False)
    assert {file.name for file in folder.iterdir()} == {"gt", "tracks"}


def test_allow_missing(folder: Path) -> None:
    (folder / "tracks" / "two.txt").unlink()
    done = module("flatsort.tools.evaluate", "--gt", "gt", "--pred", "tracks", "--allow-missing", cwd=folder)
    assert done.returncode == 0
    assert "not scored, as ground truth or prediction is missing: two" in done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[2:]] == ["one", "OVERALL"]


@pytest.mark.parametrize("arguments", [["--help"], ["--gt", "gt", "--pred", "tracks"]])
def test_neither_torch_nor_opencv_is_loaded(folder: Path, arguments: list[str]) -> None:
    script = (
        "import sys\n"
        "from flatsort.tools.evaluate import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        "print('loaded', sorted({'torch', 'torchvision', 'cv2', 'matplotlib'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded []"
