"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "flatsort", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], max_examples=60
)
settings.load_profile("flatsort")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of the real sequences and models; the test is skipped where it is absent."""
    folder = Path(os.environ.get("FLATSORT_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "sequences").is_dir():
        pytest.skip(f"no real data in {folder}; set FLATSORT_DATA to its folder")
    return folder
