"""Opening a run: which detector, embedder and thresholds a source gets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from flatsort.embedding.checkpoint import Card
from flatsort.embedding.distance_calibration import DistanceCalibration
from flatsort.tools.runs.open_run import (
    open_embedder,
    open_run,
    require_latents,
    resolve,
    track_config,
    with_calibration,
)
from flatsort.tracker.association.appearance_threshold import AppearanceConfig
from flatsort.tracker.detectors.background import BackgroundConfig
from flatsort.tracker.io.file_source import FileSource
from flatsort.tracker.io.live import LiveSource
from flatsort.tracker.latent_reuse import EmbedConfig
from flatsort.tracker.pipeline import Run
from flatsort.tracker.protocols import Embedder
from flatsort.tracker.track_config import TrackConfig, load_track_config
from flatsort.tracker.types import Detections, Frame

BY_APPEARANCE = ("deep_sort", "vhp_vae_sort", "flat_vhp_vae_sort", "flatsort")


class CardEmbedder:
    """An embedder of which only the card of its checkpoint matters."""

    def __init__(self, calibration: DistanceCalibration | None) -> None:
        self.card = Card(calibration=calibration)

    dim = 1
    embed = None


# different objects at distances 1, 2, … 1000: the threshold at 1 % is just below 11, at 0.1 % just below 2
CALIBRATION = DistanceCalibration.from_distances([0.5], np.arange(1, 1001))


def prior_and_note(
    config: AppearanceConfig, calibration: DistanceCalibration | None = CALIBRATION
) -> tuple[float | None, str]:
    embedder: Embedder = CardEmbedder(calibration)  # type: ignore[assignment]
    before = TrackConfig(appearance=config)
    after, note = with_calibration(before, embedder)
    assert replace(after, appearance=config) == before  # nothing else changes
    return after.appearance.prior, note


@pytest.mark.parametrize(("rate", "threshold"), [(0.01, 11), (0.001, 2), (0.05, 51), (0.0123, 13.3), (0.2, 201)])
def test_the_threshold_of_the_checkpoint_is_the_first_at_any_rate(rate: float, threshold: float) -> None:
    prior, note = prior_and_note(AppearanceConfig(false_match_rate=rate))
    assert prior == pytest.approx(threshold)
    assert note == ""


def test_a_rate_that_the_pairs_cannot_resolve_gives_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    prior, note = prior_and_note(AppearanceConfig(false_match_rate=0.0005))
    assert prior == pytest.approx(1)
    assert note == ""
    assert [r.getMessage() for r in caplog.records] == [
        "a false-match rate of 0.0005 cannot be told from 1000 pairs of different objects, "
        "taking the threshold 1, the lowest that was measured (for rates below 0.001)"
    ]


@pytest.mark.parametrize(
    ("calibration", "sentence"),
    [
        (None, "the checkpoint has no calibration of its distances; the appearance threshold starts with the first"),
        (DistanceCalibration.from_distances([0.0], np.zeros(200)), "the checkpoint's calibration gives a threshold of"),
    ],
)
def test_a_checkpoint_without_a_threshold_gives_a_note(calibration: DistanceCalibration | None, sentence: str) -> None:
    prior, note = prior_and_note(AppearanceConfig(), calibration)
    assert prior is None
    assert sentence in note


def test_what_the_config_names_comes_first() -> None:
    assert prior_and_note(AppearanceConfig(prior=7.0)) == (7.0, "")
    assert prior_and_note(AppearanceConfig(threshold=0.5)) == (None, "")


def test_a_threshold_of_whole_latents_is_none_of_cut_ones() -> None:
    embedder: Embedder = CardEmbedder(CALIBRATION)  # type: ignore[assignment]
    embedder.dim = 4
    resolved = [with_calibration(TrackConfig(embed=EmbedConfig(components=n)), embedder) for n in (0, 1, 3, 4)]
    assert [config.appearance.prior for config, _ in resolved] == [pytest.approx(11), None, None, pytest.approx(11)]
    assert [bool(note) for _, note in resolved] == [False, True, True, False]
    assert "embed.components=1: the checkpoint's calibration is of 4 numbers and is not used" in resolved[1][1]
    with pytest.raises(ValueError, match="expected at most the embedder's 4, got 5"):
        with_calibration(TrackConfig(embed=EmbedConfig(components=5)), embedder)


def test_embedders_without_a_card_and_no_embedder() -> None:
    config = TrackConfig()
    assert with_calibration(config, None)[0] is config
    assert open_embedder(config) is None
    pixels = open_embedder(replace(config, embedder="pixels"))
    assert pixels is not None
    assert with_calibration(config, pixels)[0] is config
    with pytest.raises((ValueError, FileNotFoundError), match="pixel"):
        open_embedder(replace(config, embedder="pixel"))


@pytest.mark.parametrize("name", ["flat_vhp_vae", "vhp_vae"])
def test_shipped_weights_bring_their_threshold(name: str) -> None:
    config, _ = with_calibration(TrackConfig(embedder=name), open_embedder(TrackConfig(embedder=name)))
    assert config.appearance.prior is not None
    assert config.appearance.prior > 0


@pytest.mark.parametrize("name", BY_APPEARANCE)
def test_trackers_by_appearance_need_latents(name: str) -> None:
    config = load_track_config(name)
    assert config.uses_appearance
    require_latents(replace(config, embedder="pixels"), "street.avi")
    with pytest.raises(ValueError, match=r"street\.avi: expected an embedder or detections with features, got neither"):
        require_latents(replace(config, embedder=""), "street.avi")


@pytest.mark.parametrize("name", ["sort", "sort_long", "bytetrack"])
def test_trackers_by_motion_need_none(name: str) -> None:
    config = load_track_config(name)
    assert not config.uses_appearance
    require_latents(config, "street.avi")


@pytest.mark.parametrize("name", ["vhp_vae_sort", "flat_vhp_vae_sort"])
def test_trackers_of_the_paper_differ_from_deep_sort_in_the_embedder_and_its_threshold_only(name: str) -> None:
    deep, other = (load_track_config(each) for each in ("deep_sort", name))
    assert replace(other, embedder=deep.embedder, appearance=deep.appearance) == deep


DETECTIONS = "1,-1,10,20,30,60,0.9\n2,-1,11,20,30,60,0.2\n"


@pytest.fixture
def sequence(tmp_path: Path) -> str:
    """A detection file, which is a source of two frames."""
    path = tmp_path / "street.txt"
    path.write_text(DETECTIONS)
    return str(path)


@pytest.fixture
def street(tmp_path: Path) -> str:
    """A folder of two images without detections."""
    folder = tmp_path / "street"
    folder.mkdir()
    for number in (1, 2):
        assert cv2.imwrite(str(folder / f"{number}.png"), np.zeros((32, 32, 3), np.uint8))
    return str(folder)


def scores_of(run: Run) -> list[float]:
    return [score for _, each in run.detect(run.frames()) for score in each.scores.tolist()]


def test_keys_of_the_detector_that_a_source_brings(sequence: str) -> None:
    assert scores_of(open_run(sequence, track_config("sort"))) == [0.9, 0.2]
    run = open_run(sequence, track_config("sort", ["detector.min_score=0.5"]))
    assert scores_of(run) == [0.9]
    assert run.config.detector.name == "mot"


def test_keys_of_the_detector_that_is_chosen_where_a_source_brings_none(street: str) -> None:
    assert open_run(street, track_config("sort")).config.detector == BackgroundConfig()
    run = open_run(street, track_config("bytetrack", ["detector.min_score=0.1", "detector.min_height=0.2"]))
    assert run.config.detector == BackgroundConfig(min_score=0.1, min_height=0.2)
    assert not any("min_score" in note for note in run.notes)


def test_the_advice_on_scores_can_be_followed(street: str) -> None:
    notes = open_run(street, track_config("bytetrack")).notes
    (advice,) = [note.rpartition(" ")[2] for note in notes if "try detector.min_score" in note]
    assert open_run(street, track_config("bytetrack", [advice])).notes == notes[:1]


def test_a_file_sets_keys_of_a_detector_that_is_named_later(street: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("detector: {min_score: 0.2}\n")
    named = track_config(str(path), detector="background")
    assert named.detector == BackgroundConfig(min_score=0.2)
    assert open_run(street, track_config(str(path))).config.detector == named.detector


def test_keys_of_a_detector_are_refused_where_none_is_chosen(street: str, sequence: str) -> None:
    detector = open_run(sequence, track_config("sort")).detector
    with pytest.raises(ValueError, match=r"street: detector\.min_score: expected no keys of a detector"):
        open_run(street, track_config("sort", ["detector.min_score=0.1"]), detector=detector)


def test_a_key_that_the_chosen_detector_does_not_have(street: str) -> None:
    with pytest.raises(ValueError, match=r"unknown key 'detector.min_scor'; did you mean 'min_score'"):
        open_run(street, track_config("sort", ["detector.min_scor=0.1"]))
    with pytest.raises(ValueError, match=r"street: the detector is background, unknown key 'weights'"):
        open_run(street, track_config("sort", ["detector.weights=a.onnx"]))


def test_the_rate_of_the_source_is_taken_unless_the_config_has_one(sequence: str) -> None:
    source = FileSource("street", 12.5, None, 2)
    detector = open_run(sequence, track_config("sort")).detector
    assert resolve(source, detector, TrackConfig()).config.frame_rate == 12.5
    assert resolve(source, detector, TrackConfig(frame_rate=30.0)).config.frame_rate == 30.0


def test_a_run_smooths_as_asked(sequence: str) -> None:
    assert not open_run(sequence, track_config("sort")).smooths
    assert open_run(sequence, track_config("sort"), smooth=True).smooths
    assert not open_run(sequence, track_config("sort", ["offline=true"]), smooth=False).smooths


class Nameless:
    """A detector without names of its classes."""

    needs_image = False

    def detect(self, frame: Frame) -> Detections:  # noqa: ARG002
        return Detections.empty()


def test_a_detector_that_lacks_a_part_is_refused_before_its_first_frame() -> None:
    expected = "detector Nameless: expected class_names, needs_image and detect, has no class_names"
    with pytest.raises(ValueError, match=f"^{expected}$"):
        open_run("no such source", TrackConfig(), detector=Nameless())  # type: ignore[arg-type]


def test_detections_of_a_file_are_not_those_of_a_live_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    capture = SimpleNamespace(read=lambda: (True, image), get=lambda _: 25.0, release=lambda: None)
    live = LiveSource(lambda: capture, "camera0")
    monkeypatch.setattr("flatsort.tools.runs.open_input.open_source", lambda *_, **__: live)
    (tmp_path / "det.txt").write_text("1,-1,1,1,20,20,1\n")
    with pytest.raises(ValueError, match="camera0: detections of a file belong to frames by number"):
        open_run("0", track_config("sort", detections=str(tmp_path / "det.txt")))
