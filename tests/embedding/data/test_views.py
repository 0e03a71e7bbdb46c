"""Views: another sample of the same tracklet, each as likely as the next."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.data.views import Views
from flatsort.embedding.random_generator import RandomGenerator


def tracked(tracks: list[int]) -> SampleSet:
    return SampleSet(np.zeros((len(tracks), 1), np.float32), {"track": np.array(tracks, np.int64)})


@given(tracks=st.lists(st.integers(-1, 5), max_size=40), seed=st.integers(0, 1000))
def test_a_partner_is_another_sample_of_the_track_where_there_is_one(tracks: list[int], seed: int) -> None:
    views = Views(tracked(tracks))
    rows = np.arange(len(tracks))
    partners = views.partner(rows, RandomGenerator(seed))
    alone = np.array([track < 0 or tracks.count(track) == 1 for track in tracks], bool)
    column = np.array(tracks, np.int64)
    np.testing.assert_array_equal(partners[alone], rows[alone])
    assert (partners[~alone] != rows[~alone]).all()
    np.testing.assert_array_equal(column[partners], column)
    assert views.paired == int((~alone).sum())


def test_every_other_view_is_as_likely() -> None:
    views = Views(tracked([3, 9, 3, -1, 3, 9, 3, 3]))
    draws = 20_000
    partners = views.partner(np.full(draws, 4), RandomGenerator(0))
    counts = np.bincount(partners, minlength=8)
    np.testing.assert_array_equal(np.flatnonzero(counts), [0, 2, 6, 7])
    assert np.abs(counts[counts > 0] - draws / 4).max() < 5 * np.sqrt(draws * 3 / 16)


def test_noise_decides_and_processes_share_it() -> None:
    views = Views(tracked([0, 1] * 20))
    rows = np.arange(40)
    alone = views.partner(rows, RandomGenerator(7, "views"))
    np.testing.assert_array_equal(alone, views.partner(rows, RandomGenerator(7, "views")))
    for rank in range(2):
        mine = views.partner(rows[rank::2], RandomGenerator(7, "views", rank=rank, world=2))
        np.testing.assert_array_equal(mine, alone[rank::2])


def test_many_tracks_are_quick_to_look_up() -> None:
    track = np.arange(300_000) // 3
    views = Views(SampleSet(np.zeros((len(track), 1), np.uint8)[:, :, None, None], {"track": track}))
    partners = views.partner(np.arange(len(track)), RandomGenerator(0))
    np.testing.assert_array_equal(partners // 3, track)


@pytest.mark.parametrize("tracks", [[], [-1, -1]])
def test_without_tracks_every_sample_is_its_own_view(tracks: list[int]) -> None:
    rows = np.arange(len(tracks))
    np.testing.assert_array_equal(Views(tracked(tracks)).partner(rows, RandomGenerator(0)), rows)
