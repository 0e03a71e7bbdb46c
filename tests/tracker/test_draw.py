"""Drawing: stable colours, bounded trails, unusual boxes, the input not changed."""

from __future__ import annotations

import colorsys

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatsort.tracker.draw import Painter, Trails, colour, draw
from flatsort.tracker.types import Bool, Detections, Float, Frame, FrameResult, Image, Tracks

BLACK: Image = np.zeros((120, 160, 3), np.uint8)


def tracks_of(boxes: object, ids: list[int] | None = None, source: list[int] | None = None) -> Tracks:
    xyxy = np.asarray(boxes, np.float64).reshape(-1, 4)
    n = len(xyxy)
    return Tracks(
        ids=np.arange(1, n + 1) if ids is None else np.array(ids, np.int64),
        boxes=xyxy,
        scores=np.full(n, 0.875),
        classes=np.zeros(n, np.int64),
        source=np.zeros(n, np.int64) if source is None else np.array(source, np.int64),
    )


def inked(image: Image) -> Bool:
    """Which pixels [h w] are not black."""
    return np.asarray(image.max(axis=2) > 0)


BOX = [[40.0, 50, 80, 100]]


def test_the_colour_of_an_id_never_changes_and_neighbours_differ() -> None:
    assert colour(1) == colour(1) == draw_edge(1)
    shades = np.array([colour(track) for track in range(1, 301)], float)
    for apart in (1, 2, 3, 4):
        assert np.abs(shades[apart:] - shades[:-apart]).max(axis=1).min() > 50
    hues = sorted(colorsys.rgb_to_hsv(*shade)[0] for shade in shades[:30])
    assert max(np.diff(hues)) < 0.1  # thirty ids leave no gap in the circle


def draw_edge(track: int) -> tuple[int, int, int]:
    """Colour in the middle of the lower edge of a drawn box."""
    red, green, blue = draw(BLACK, tracks_of(BOX, [track]))[100, 60].tolist()
    return red, green, blue


def test_the_input_is_not_changed() -> None:
    image = np.full((120, 160, 3), 77, np.uint8)
    image.setflags(write=False)
    painter = Painter(("person", "car"), scores=True)
    out = painter(FrameResult(Frame(1, image, 0.0), Detections.empty(), tracks_of(BOX)))
    assert (image == 77).all()
    assert (out != 77).any()
    assert out.shape == image.shape
    assert out.dtype == np.uint8


def test_views_can_be_drawn_on_too() -> None:
    image = np.full((240, 320, 3), 77, np.uint8)[::2, ::-2]
    np.testing.assert_array_equal(draw(image, tracks_of(BOX)), draw(image.copy(), tracks_of(BOX)))


def test_no_tracks_give_an_equal_copy() -> None:
    image = np.random.default_rng(0).integers(0, 255, (9, 11, 3)).astype(np.uint8)
    out = draw(image, Tracks.empty(), trails=Trails())
    np.testing.assert_array_equal(out, image)
    assert not np.shares_memory(out, image)


def test_a_box_is_drawn_where_it_is() -> None:
    drawn = inked(draw(BLACK, tracks_of(BOX)))
    for x, y in ((40, 75), (80, 75), (60, 50), (60, 100)):
        assert drawn[y, x]
    assert not drawn[55:95, 45:75].any()
    assert not drawn[110:].any()


def test_a_predicted_box_is_dashed() -> None:
    drawn = inked(draw(BLACK, tracks_of(BOX, source=[0])))[52:100, 80]
    predicted = inked(draw(BLACK, tracks_of(BOX, source=[-1])))[52:100, 80]
    assert drawn.all()
    assert 0.2 < predicted.mean() < 0.8


def test_labels_name_the_id_and_by_choice_class_and_score() -> None:
    def ink(**options: object) -> int:
        """Columns of the label's background."""
        rows = draw(BLACK, tracks_of(BOX), **options)[38:46]  # type: ignore[arg-type]
        return int(rows.any(axis=(0, 2)).sum())

    short, named, scored = ink(), ink(names=["person"]), ink(names=["person"], scores=True)
    assert 0 < short < named < scored
    assert ink(names=[]) == short


@pytest.mark.parametrize("box", [[150.0, 0, 159, 20], [-30.0, -30, 5, 5], [120.0, 100, 300, 300]])
def test_labels_stay_inside_of_the_image(box: list[float]) -> None:
    ids = [88888]
    whole = draw(np.zeros((400, 600, 3), np.uint8), tracks_of([200.0, 200, 250, 250], ids))
    shade = np.array(colour(88888))
    ground = (whole[:198] == shade).all(axis=2).sum()  # label alone, above the box
    here = (draw(BLACK, tracks_of([box], ids)) == shade).all(axis=2).sum()
    assert here > 0.8 * ground


def test_an_unknown_class_is_written_as_its_number() -> None:
    tracks = tracks_of(BOX)
    out = draw(BLACK, Tracks(tracks.ids, tracks.boxes, tracks.scores, tracks.classes + 9, tracks.source), names=["a"])
    assert out.any()


@given(
    boxes=arrays.arrays(
        np.float64,
        st.tuples(st.integers(0, 4), st.just(4)),
        elements=st.one_of(st.floats(-500, 500), st.floats(allow_nan=True, allow_infinity=True)),
    ),
    predicted=st.booleans(),
)
def test_any_boxes_can_be_drawn(boxes: Float, predicted: bool) -> None:
    tracks = tracks_of(boxes, source=[-predicted] * len(boxes))
    trails = Trails(3)
    for _ in range(2):
        trails.add(tracks)
        assert draw(BLACK, tracks, trails=trails).shape == BLACK.shape
    assert not BLACK.any()


def test_trails_keep_the_latest_feet_of_each_track() -> None:
    trails = Trails(length=3)
    for step in range(5):
        trails.add(tracks_of([[step, 0, step + 10, 20]], [4]))
    assert trails[4] == [(7, 20), (8, 20), (9, 20)]
    assert trails[5] == []
    out = draw(BLACK, Tracks.empty(), trails=trails)
    assert not out.any()  # only reported tracks have their trail drawn
    far = Trails()
    far.add(tracks_of([[0, 0, 10, 20]], [4]))
    far.add(tracks_of([[90, 60, 110, 80]], [4]))
    assert draw(BLACK, tracks_of([[90, 60, 110, 80]], [4]), trails=far)[49:52, 50:55].any()


def test_a_trail_of_no_length_is_not_drawn() -> None:
    shown = FrameResult(Frame(1, BLACK, 0.0), Detections.empty(), tracks_of(BOX))
    np.testing.assert_array_equal(Painter(trail=0)(shown), draw(BLACK, tracks_of(BOX)))


def test_trails_forget_tracks_that_ended() -> None:
    trails = Trails(length=10, forget=5)
    for track in range(1, 1001):
        trails.add(tracks_of(BOX, [track]))
        assert len(trails) <= 6
    for _ in range(6):
        trails.add(Tracks.empty())
    assert len(trails) == 0


def test_a_frame_without_an_image_cannot_be_painted() -> None:
    with pytest.raises(ValueError, match="frame 9: expected an image"):
        Painter()(FrameResult(Frame(9, None, 0.0), Detections.empty(), Tracks.empty()))
    with pytest.raises(ValueError, match="got -1 and 30"):
        Trails(-1)
