"""Sources of samples become one set of the model's shape, or one error message."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent

import cv2
import numpy as np
import pytest

from flatsort.embedding.data.builtin import DATA_SETS
from flatsort.embedding.data.image_folder import resize_to_shape
from flatsort.embedding.data.sample_set import SampleSet, open_set, save
from flatsort.embedding.data.sources import gather
from flatsort.embedding.data.writer import SetWriter
from flatsort.tracker.crops import crop
from flatsort.tracker.types import Image

RANDOM = np.random.default_rng(4)


def drawn(height: int = 40, width: int = 20) -> Image:
    return RANDOM.integers(0, 256, (height, width, 3)).astype(np.uint8)


def write(path: Path, image: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five usable images in two folders, and three that are not."""
    root = tmp_path / "people"
    for name in ("a/0001_00.png", "a/0001_06.png", "a/0002_00.png", "b/0001_00.png", "b/0003_09.png"):
        write(root / name, drawn())
    write(root / "a/0009_00.png", drawn(40, 7))
    (root / "b/0009_01.png").write_bytes(b"no image")
    (root / "b/0009_02.jpg").write_bytes(b"\xff\xd8 cut short \xff\xda")
    (root / "notes.txt").write_text("no image")
    return root


def test_images_are_cropped_as_at_run_time(folder: Path, tmp_path: Path) -> None:
    gathered = gather([folder], [3, 16, 8], tmp_path / "set")
    data = gathered.data
    image = cv2.cvtColor(cv2.imread(str(folder / "a/0001_06.png")), cv2.COLOR_BGR2RGB)  # type: ignore[arg-type]
    expected = crop(np.asarray(image, np.uint8), np.array([[0.0, 0, 20, 40]]), (8, 16))[0]
    np.testing.assert_array_equal(data.samples[1], expected)
    assert isinstance(data.samples, np.memmap)
    assert data.shape == [3, 16, 8]
    assert len(data) == 5
    assert data.sequences == (f"{tmp_path.name}/people",)
    assert data.columns["camera"].tolist() == [0, 1, 0, 0, 1]
    first, again, second, other, third = data.columns["identity"].tolist()
    assert first == again
    assert len({first, second, other, third}) == 4


def test_what_is_no_sample_is_listed_with_the_reason(folder: Path, tmp_path: Path) -> None:
    skipped = gather([folder], [3, 16, 8], tmp_path / "set").skipped
    assert len(skipped) == 3
    assert skipped[0] == f"{folder / 'a/0009_00.png'}: 7×40 pixels, expected at least 8 each"
    assert skipped[1:] == [f"{folder / name}: cannot be decoded" for name in ("b/0009_01.png", "b/0009_02.jpg")]


def test_a_set_is_used_again_until_sources_or_shape_change(folder: Path, tmp_path: Path) -> None:
    def stamp() -> int:
        return (tmp_path / "set" / "samples.npy").stat().st_ino

    first = gather([folder], [3, 16, 8], tmp_path / "set")
    before = stamp()
    again = gather([folder], [3, 16, 8], tmp_path / "set")
    assert stamp() == before
    assert again.skipped == first.skipped
    np.testing.assert_array_equal(again.data.samples, first.data.samples)

    write(folder / "b/0004_00.png", drawn())
    assert len(gather([folder], [3, 16, 8], tmp_path / "set").data) == 6
    changed = folder / "a/0002_00.png"
    old = changed.stat()
    write(changed, drawn())
    os.utime(changed, ns=(old.st_atime_ns, old.st_mtime_ns + 1))
    before = open_set(tmp_path / "set").samples[2].copy()
    assert (gather([folder], [3, 16, 8], tmp_path / "set").data.samples[2] != before).any()
    assert gather([folder], [1, 8, 8], tmp_path / "set").data.shape == [1, 8, 8]


def test_a_damaged_index_or_set_is_gathered_anew(folder: Path, tmp_path: Path) -> None:
    gather([folder], [3, 16, 8], tmp_path / "set")
    (tmp_path / "set" / "sources.json").write_text("{")
    assert len(gather([folder], [3, 16, 8], tmp_path / "set").data) == 5
    (tmp_path / "set" / "set.json").unlink()
    assert len(gather([folder], [3, 16, 8], tmp_path / "set").data) == 5


def test_without_a_shape_the_first_image_decides(folder: Path, tmp_path: Path) -> None:
    assert gather([folder], None, tmp_path / "set").data.shape == [3, 40, 20]


def test_a_set_of_the_shape_is_used_where_it_is(tmp_path: Path) -> None:
    save(SampleSet(np.stack([drawn(16, 8)] * 3)), tmp_path / "mine")
    gathered = gather([tmp_path / "mine"], [3, 16, 8], tmp_path / "set")
    assert len(gathered.data) == 3
    assert not (tmp_path / "set").exists()
    assert gather([tmp_path / "mine"], None, tmp_path / "set").data.shape == [3, 16, 8]
    assert not (tmp_path / "set").exists()


def test_a_set_of_another_shape_keeps_its_columns(tmp_path: Path) -> None:
    with SetWriter(tmp_path / "mine", note="by hand") as writer:
        writer.add(np.stack([drawn(16, 8)] * 3), ["x", None, "y"], frame=[3, 4, 5], identity=1, track=[2, 2, -1])
    data = gather([tmp_path / "mine"], [1, 8, 4], tmp_path / "set").data
    source = open_set(tmp_path / "mine")
    np.testing.assert_array_equal(data.samples[0], resize_to_shape(source.samples[0], [1, 8, 4]))
    for name, column in source.columns.items():
        np.testing.assert_array_equal(data.columns[name], column)
    assert (data.sequences, data.note) == (("x", "y"), "by hand")


def test_several_sources_become_one_set(folder: Path, tmp_path: Path) -> None:
    with SetWriter(tmp_path / "mine") as writer:
        writer.add(np.stack([drawn(16, 8)] * 2), "x", identity=[0, 1], track=[0, 0])
    data = gather([tmp_path / "mine", tmp_path / "mine", folder], [3, 16, 8], tmp_path / "set").data
    assert len(data) == 9
    assert data.columns["track"].tolist() == [0, 0, 1, 1] + [-1] * 5
    assert len(set(data.columns["identity"].tolist())) == 8
    assert "people: 8 images" in data.note


def test_grey_is_weighed_as_the_eye_does_and_colour_is_grey_three_times() -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 200
    assert np.unique(resize_to_shape(red, [1, 8, 8])).tolist() == [60]
    grey = drawn(8, 8)[..., :1]
    np.testing.assert_array_equal(resize_to_shape(grey, [3, 8, 8]), grey.repeat(3, axis=2))
    np.testing.assert_array_equal(resize_to_shape(grey, [1, 8, 8]), grey)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
@pytest.mark.parametrize("name", ["poses", "anything"])
def test_vectors(dtype: type[np.generic], name: str, tmp_path: Path) -> None:
    values = np.arange(12).reshape(4, 3).astype(dtype)
    np.savez(tmp_path / "walk.npz", **{name: values})  # type: ignore[arg-type]  # the stub takes names for options
    data = gather([tmp_path / "walk.npz"], None, tmp_path / "set").data
    assert data.shape == [3]
    assert data.samples.dtype == np.float32
    np.testing.assert_array_equal(data.samples, values)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"a": np.zeros((2, 3)), "b": np.zeros((2, 3))}, "expected an array 'poses' or one array only, got a, b"),
        ({"poses": np.zeros(3)}, r"expected numbers \[n d\], got float64 \[3\]"),
        ({"poses": np.zeros((0, 3))}, r"expected numbers \[n d\]"),
        ({"poses": np.array([["a"]])}, "expected numbers"),
        ({"poses": np.array([[0.0], [np.nan]])}, "expected finite numbers, row 1"),
        ({"poses": np.array([[1e300]])}, "expected finite numbers, row 0"),
        ({"poses": np.array([[{}]], object)}, "poses.npy holds object"),
    ],
)
def test_vectors_that_cannot_be_used(arrays: dict[str, object], sentence: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "walk.npz", **arrays)  # type: ignore[arg-type]  # the stub takes names for options
    with pytest.raises(ValueError, match=rf"walk\.npz: .*{sentence}"):
        gather([tmp_path / "walk.npz"], None, tmp_path / "set")


def test_digits(tmp_path: Path) -> None:
    data = gather(["digits"], None, tmp_path / "set").data
    assert data.shape == [1, 8, 8]
    assert len(data) == 1797
    assert (data.samples.min(), data.samples.max()) == (0, 255)
    assert np.unique(data.columns["identity"]).tolist() == list(range(10))
    assert gather(["digits"], [1, 16, 16], tmp_path / "set").data.shape == [1, 16, 16]


def test_rendered_sources(tmp_path: Path) -> None:
    assert gather(["pendulum"], None, tmp_path / "pendulum").data.shape == [1, 16, 16]
    walker = gather(["walker"], None, tmp_path / "walker").data
    assert walker.samples.ndim == 2
    assert len(walker.sequences) == 5


def test_a_data_set_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DATA_SETS, "_parts", {})  # what is registered here is forgotten afterwards
    file = tmp_path / "ramps.py"
    code = """
        import numpy as np
        from flatsort.embedding.data.builtin import DATA_SETS, RenderedImagesConfig
        from flatsort.embedding.data.sample_set import SampleSet

        @DATA_SETS.register("ramps", RenderedImagesConfig)
        def ramps(config):
            ramp = np.linspace(0, 255, config.size).astype(np.uint8)
            return SampleSet(np.tile(ramp[:, None], (4, config.size, 1, 1)), note="ramps")
    """
    file.write_text(dedent(code))
    data = gather([file], [1, 16, 16], tmp_path / "set").data
    assert data.shape == [1, 16, 16]
    assert data.note == "ramps"


def test_a_folder_comes_before_a_built_in_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "digits" / "x.png", drawn())
    assert gather(["digits"], None, tmp_path / "set").data.shape == [3, 40, 20]


def test_sources_that_cannot_be_used(folder: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "walk.npz", poses=np.zeros((2, 3)))
    (tmp_path / "empty").mkdir()
    (tmp_path / "film.mp4").touch()
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 no more")
    (tmp_path / "street" / "img1").mkdir(parents=True)
    write(tmp_path / "tiny" / "x.png", drawn(7, 40))
    cases: list[tuple[list[str | Path], list[int] | None, str]] = [
        ([], None, "at least one source"),
        (["digit"], None, "no such file or folder.*did you mean 'digits'"),
        ([tmp_path / "empty"], None, "empty: expected images or a set of samples, got neither"),
        ([tmp_path / "film.mp4"], None, "flatsort crop"),
        ([tmp_path / "street"], None, "a sequence of frames.*flatsort crop"),
        ([tmp_path / "cut.npz"], None, r"cut\.npz: "),
        ([tmp_path / "tiny"], None, "none of 1 can be used.*expected at least 8"),
        ([tmp_path / "tiny"], [3, 8, 8], "none of 1 can be used"),
        ([folder, tmp_path / "walk.npz"], None, "expected images only or vectors only"),
        ([folder, "digits"], None, r"expected samples of one shape, .* has \[3, 40, 20\], digits \[1, 8, 8\]"),
        ([tmp_path / "walk.npz"], [4], r"walk has samples \[3\], the model takes \[4\]"),
        ([tmp_path / "walk.npz"], [3, 8, 8], r"walk has samples \[3\], the model takes \[3, 8, 8\]"),
        ([folder], [4, 8, 8], "images have 1 or 3 channels"),
    ]
    for sources, shape, sentence in cases:
        with pytest.raises((ValueError, FileNotFoundError), match=sentence):
            gather(sources, shape, tmp_path / "set")
    assert not (tmp_path / "set" / "set.json").exists()
