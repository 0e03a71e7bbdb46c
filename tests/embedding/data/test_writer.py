"""Sets on disk: what was added comes back, whole or not at all, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flatsort.embedding.data import sample_set
from flatsort.embedding.data.sample_set import SampleSet, open_set, save
from flatsort.embedding.data.writer import SetWriter


def images(n: int, level: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((n, 6, 4, 3), level, np.uint8) + np.arange(n, dtype=np.uint8)[:, None, None, None]


def test_what_is_added_comes_back_in_order(tmp_path: Path) -> None:
    with SetWriter(tmp_path, note="drawn") as writer:
        writer.add(images(2), "street", frame=7, track=[4, -1])
        writer.add(images(0), "nothing")
        writer.add(images(3, 50), ["square", None, "street"], identity=[1, 2, 3], camera=0)
        assert len(writer) == 5
    data = open_set(tmp_path)
    np.testing.assert_array_equal(data.samples, np.concatenate([images(2), images(3, 50)]))
    assert isinstance(data.samples, np.memmap)
    assert data.note == "drawn"
    assert [data.sequences[i] if i >= 0 else None for i in data.columns["sequence"]] == [
        "street", "street", "square", None, "street"
    ]  # fmt: skip
    assert data.columns["frame"].tolist() == [7, 7, -1, -1, -1]
    assert data.columns["track"].tolist() == [4, -1, -1, -1, -1]
    assert data.columns["identity"].tolist() == [-1, -1, 1, 2, 3]
    assert data.columns["camera"].tolist() == [-1, -1, 0, 0, 0]


def test_a_count_of_more_digits_than_at_the_start_fits_the_header(tmp_path: Path) -> None:
    with SetWriter(tmp_path) as writer:
        for _ in range(1100):
            writer.add(np.ones((10, 3), np.float32))
    data = open_set(tmp_path)
    assert data.shape == [3]
    assert len(data) == 11_000
    assert (data.samples == 1).all()


def test_identities_of_sources_are_kept_apart(tmp_path: Path) -> None:
    with SetWriter(tmp_path) as writer:
        for _ in range(3):
            writer.begin_source()
            writer.add(images(2), identity=[0, 5], track=[-1, 2])
            writer.add(images(1), identity=5, track=2)
    columns = open_set(tmp_path).columns
    assert columns["identity"].tolist() == [0, 5, 5, 6, 11, 11, 12, 17, 17]
    assert columns["track"].tolist() == [-1, 2, 2, -1, 5, 5, -1, 8, 8]


def test_an_error_leaves_no_set_and_no_temporary_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), SetWriter(tmp_path / "new") as writer:  # noqa: PT012  # it must have begun
        writer.add(images(2))
        raise KeyboardInterrupt
    assert list((tmp_path / "new").iterdir()) == []


def test_an_error_keeps_the_older_set(tmp_path: Path) -> None:
    save(SampleSet(images(4)), tmp_path)
    with pytest.raises(RuntimeError), SetWriter(tmp_path) as writer:  # noqa: PT012  # it must have begun
        writer.add(images(2))
        raise RuntimeError
    np.testing.assert_array_equal(open_set(tmp_path).samples, images(4))


def written(folder: Path) -> None:
    with SetWriter(folder) as writer:
        writer.add(images(2))


@pytest.mark.parametrize("write", [written, lambda folder: save(SampleSet(images(2)), folder)])
def test_replacing_a_set_that_fails_half_way_leaves_none(
    write: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(SampleSet(images(4)), tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path)
    with pytest.raises(ValueError, match="not a set"):  # never new samples under old columns
        open_set(tmp_path)


def test_a_set_of_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one sample"), SetWriter(tmp_path) as writer:
        writer.add(images(0))
    assert not sample_set.is_set(tmp_path)


@pytest.mark.parametrize(
    ("samples", "columns", "sentence"),
    [
        (np.zeros((1, 6, 4, 1), np.uint8), {}, r"expected uint8 \[n, 6, 4, 3\] like the first"),
        (np.zeros((1, 6, 4, 3), np.float32), {}, "like the first"),
        (images(2), {"track": [1, 2, 3]}, "track: expected one number or 2"),
        (images(2), {"sequence": ["a"]}, "sequence: expected"),
        (images(2), {"colour": 1}, "unknown column 'colour'"),
    ],
)
def test_what_does_not_fit_is_refused(
    samples: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], columns: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    with SetWriter(tmp_path) as writer:
        writer.add(images(1))
        with pytest.raises(ValueError, match=sentence):
            writer.add(samples, **columns)  # type: ignore[arg-type]  # wrong on purpose
    assert len(open_set(tmp_path)) == 1


def test_the_first_samples_must_be_images_or_vectors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \[n h w c\] or float32"), SetWriter(tmp_path) as writer:
        writer.add(np.zeros((2, 3)))


@pytest.mark.parametrize("file", [sample_set.SAMPLES, sample_set.ROWS, sample_set.NAMES])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_set_is_told_in_a_sentence(file: str, damage: str, tmp_path: Path) -> None:
    save(SampleSet(images(40)), tmp_path)
    path = tmp_path / file
    if damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.unlink()
    with pytest.raises(ValueError, match=r"damaged set|not a set"):
        open_set(tmp_path)


def test_save_and_open_agree(tmp_path: Path) -> None:
    data = SampleSet(images(3), {"identity": np.array([3, 1, 2])}, ("walk",), "note")
    save(data, tmp_path)
    again = open_set(tmp_path)
    np.testing.assert_array_equal(again.samples, data.samples)
    assert {name: column.tolist() for name, column in again.columns.items()} == {
        name: column.tolist() for name, column in data.columns.items()
    }
    assert (again.sequences, again.note, again.shape) == (("walk",), "note", [3, 6, 4])
