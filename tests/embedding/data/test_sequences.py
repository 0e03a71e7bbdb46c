"""Views of an object in its tracklet, each as likely as the next, and windows of sequences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.data.sequences import SequenceWindows, TrackletViews, positions_of, rows_by_sequence
from flatsort.embedding.random_generator import RandomGenerator


def tracked(tracks: list[int]) -> SampleSet:
    return SampleSet(np.zeros((len(tracks), 1), np.float32), {"track": np.array(tracks, np.int64)})


@given(tracks=st.lists(st.integers(-1, 5), max_size=40), seed=st.integers(0, 1000))
def test_a_partner_is_another_sample_of_the_track_where_there_is_one(tracks: list[int], seed: int) -> None:
    views = TrackletViews(tracked(tracks))
    rows = np.arange(len(tracks))
    partners = views.partner(rows, RandomGenerator(seed))
    alone = np.array([track < 0 or tracks.count(track) == 1 for track in tracks], bool)
    column = np.array(tracks, np.int64)
    np.testing.assert_array_equal(partners[alone], rows[alone])
    assert (partners[~alone] != rows[~alone]).all()
    np.testing.assert_array_equal(column[partners], column)
    assert views.paired == int((~alone).sum())


def test_every_other_view_is_as_likely() -> None:
    views = TrackletViews(tracked([3, 9, 3, -1, 3, 9, 3, 3]))
    draws = 20_000
    partners = views.partner(np.full(draws, 4), RandomGenerator(0))
    counts = np.bincount(partners, minlength=8)
    np.testing.assert_array_equal(np.flatnonzero(counts), [0, 2, 6, 7])
    assert np.abs(counts[counts > 0] - draws / 4).max() < 5 * np.sqrt(draws * 3 / 16)


def test_the_generator_decides_and_processes_share_it() -> None:
    views = TrackletViews(tracked([0, 1] * 20))
    rows = np.arange(40)
    alone = views.partner(rows, RandomGenerator(7, "views"))
    np.testing.assert_array_equal(alone, views.partner(rows, RandomGenerator(7, "views")))
    for rank in range(2):
        mine = views.partner(rows[rank::2], RandomGenerator(7, "views", rank=rank, world=2))
        np.testing.assert_array_equal(mine, alone[rank::2])


def test_many_tracks_are_quick_to_look_up() -> None:
    track = np.arange(300_000) // 3
    views = TrackletViews(SampleSet(np.zeros((len(track), 1), np.uint8)[:, :, None, None], {"track": track}))
    partners = views.partner(np.arange(len(track)), RandomGenerator(0))
    np.testing.assert_array_equal(partners // 3, track)


@pytest.mark.parametrize("tracks", [[], [-1, -1]])
def test_without_tracks_every_sample_is_its_own_view(tracks: list[int]) -> None:
    rows = np.arange(len(tracks))
    np.testing.assert_array_equal(TrackletViews(tracked(tracks)).partner(rows, RandomGenerator(0)), rows)


def moving(*lengths: int, seed: int = 0) -> SampleSet:
    """Sequences of these lengths, shuffled; a sample's only number is its sequence · 1000 + its frame."""
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    frame = np.concatenate([np.arange(n) for n in lengths])
    order = np.random.default_rng(seed).permutation(len(frame))
    columns = {"sequence": sequence[order], "frame": frame[order].astype(np.int64)}
    factors = {"angle": columns["frame"] / np.float64(10), "height": 50 + columns["sequence"] * np.float64(3)}
    values = (1000 * columns["sequence"] + columns["frame"]).astype(np.float32)[:, None]
    return SampleSet(values, columns, tuple(f"s{k}" for k in range(len(lengths))), factors=factors)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=4), st.integers(2, 6), st.integers(1, 4), st.integers(0, 99))
def test_windows_are_all_runs_of_a_sequence(lengths: list[int], length: int, stride: int, seed: int) -> None:
    data, reach = moving(*lengths, seed=seed), (length - 1) * stride + 1
    expected = [
        1000 * s + first + stride * np.arange(length) for s, n in enumerate(lengths) for first in range(n - reach + 1)
    ]
    if not expected:
        with pytest.raises(ValueError, match=f"expected a sequence of {reach} samples or more .* has {max(lengths)}"):
            SequenceWindows(data, np.arange(len(data)), length, stride, ["time"])
        return
    windows = SequenceWindows(data, np.arange(len(data)), length, stride, ["time"])
    rows = data.samples[windows.rows(np.arange(len(windows)))].reshape(-1, length)
    np.testing.assert_array_equal(rows, expected)


def test_held_out_samples_are_passed_over_and_leave_a_gap_in_time() -> None:
    data = moving(9)
    training = np.flatnonzero(data.columns["frame"] != 4)
    windows = SequenceWindows(data, training, 4, 1, ["time"])
    rows = windows.rows(np.arange(len(windows)))
    assert 4 not in data.columns["frame"][rows]
    place = windows.positions(rows).reshape(-1, 4)
    steps = np.diff(place, axis=1)
    frames = np.diff(data.columns["frame"][rows].reshape(-1, 4), axis=1)
    np.testing.assert_allclose(steps / steps.min(), frames, rtol=1e-5)


def test_positions_are_centred_and_of_unit_deviation_within_windows() -> None:
    data = moving(40, 25)
    windows = SequenceWindows(data, np.arange(65), 5, 3, ["time", "angle", "height"])
    place = windows.positions(windows.rows(np.arange(len(windows)))).reshape(-1, 5, 3)
    np.testing.assert_allclose(place.mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(place.std(1).mean(0), [1, 1, 0], rtol=1e-4)  # of a sequence the height is constant
    assert place.dtype == np.float32


def test_tracklets_come_before_sequences() -> None:
    data = moving(12)
    track = np.where(data.columns["frame"] % 2, 7, 3)
    apart = replace(data, columns={**data.columns, "track": track})
    rows, starts = rows_by_sequence(apart, np.arange(12))
    assert data.columns["frame"][rows].tolist() == [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]
    assert starts.tolist() == [0, 6]


def test_bad_data_are_named() -> None:
    data = moving(12)
    with pytest.raises(ValueError, match=r"expected samples with a sequence and a frame.* got none"):
        SequenceWindows(replace(data, columns={"sequence": data.columns["sequence"]}), np.arange(12), 4, 1, ["time"])
    frame = np.where(data.columns["frame"] == 6, 5, data.columns["frame"])
    twice = replace(data, columns={**data.columns, "frame": frame})
    with pytest.raises(ValueError, match="one sample a frame of a sequence, got two of frame 5"):
        rows_by_sequence(twice, np.arange(12))
    with pytest.raises(ValueError, match="position: expected time or angle or height, got 'phase'"):
        positions_of(data, ["phase"])
