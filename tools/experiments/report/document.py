"""The page itself: template, style, scripts and data in one file."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from flatsort.tools.experiments.report.data import describe

from flatsort.tools.experiments.results import Benchmark
from flatsort.tracker.files import write_text

SCRIPTS = ("page.js", "scores.js", "curves.js", "switches.js", "timeline.js", "main.js")


def write(benchmark: Benchmark, path: Path) -> None:
    """Write what a benchmark found as one HTML file that needs nothing else, whole or not at all.

    It has the table, bars for each sequence, HOTA over its threshold, and a timeline of identities in which every
    switch can be looked at: crops, overlaps and latent distances. Pictures are read from the sources of the sequences;
    where there are none, the page says so.

    Parameters
    ----------
    benchmark : Benchmark
    path : Path
        Replaced if it exists.
    """
    write_text(path, render(describe(benchmark)))


def render(document: dict[str, Any]) -> str:
    """HTML of what `describe` gives.

    Nothing of it becomes markup: the scripts put all of it into text. The page's policy allows no address but itself,
    and no script but ours.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    folder = files("flatsort.tools.experiments.report")
    script = "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    data = json.dumps(document, allow_nan=False, separators=(",", ":"))
    return Template(folder.joinpath("page.html").read_text(encoding="utf-8")).substitute(
        style=folder.joinpath("page.css").read_text(encoding="utf-8"),
        script=script,
        digest=digest,
        # within a script element only < can end it, and in JSON it stands in strings only
        data=data.replace("<", "\\u003c"),
    )
