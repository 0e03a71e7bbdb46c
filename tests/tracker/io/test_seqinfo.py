"""``seqinfo.ini`` of a sequence folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatsort.tracker.io.seqinfo import read_seqinfo

INI = "[Sequence]\nname=A-1\nimDir=frames\nframeRate=29.97\nseqLength=600\nimWidth=1920\nimHeight=1080\nimExt=.jpg\n"


def test_seqinfo(tmp_path: Path) -> None:
    assert read_seqinfo(tmp_path) is None
    (tmp_path / "seqinfo.ini").write_text(INI)
    info = read_seqinfo(tmp_path)
    assert info is not None
    assert (info.name, info.fps, info.length, info.size) == ("A-1", 29.97, 600, (1920, 1080))
    assert info.image_dir == tmp_path / "frames"


def test_seqinfo_without_names(tmp_path: Path) -> None:
    (tmp_path / "seqinfo.ini").write_text(INI.replace("name=A-1\nimDir=frames\n", ""))
    info = read_seqinfo(tmp_path)
    assert info is not None
    assert (info.name, info.image_dir) == (tmp_path.name, tmp_path / "img1")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name=A-1\n", r"seqinfo.ini: expected an INI file"),
        ("[Other]\nname=A-1\n", r"seqinfo.ini: expected a section \[Sequence\], got \['Other'\]"),
        (INI.replace("seqLength=600\n", ""), r"seqinfo.ini: seqLength: expected a number above 0, got nothing"),
        (INI.replace("600", "many"), r"seqinfo.ini: seqLength: expected a number above 0, got many"),
        (INI.replace("600", "1e14"), r"seqinfo.ini: seqLength: expected 1 to 10000000 frames, got 100000000000000"),
        (INI.replace("600", "6_00"), r"seqinfo.ini: seqLength: expected a number above 0, got 6_00"),
        (INI.replace("29.97", "29,97"), r"seqinfo.ini: frameRate: expected a number above 0, got 29,97"),
        (INI.replace("29.97", "inf"), r"seqinfo.ini: frameRate: expected a number above 0, got inf"),
        (INI.replace("29.97", "0"), r"seqinfo.ini: frameRate: expected a number above 0, got 0"),
        (INI.replace("1920", "nan"), r"seqinfo.ini: imWidth: expected a number above 0, got nan"),
    ],
)
def test_malformed_seqinfo(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "seqinfo.ini").write_text(text)
    with pytest.raises(ValueError, match=sentence):
        read_seqinfo(tmp_path)
