"""The embedder that a tracker's config names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from flatsort.tracker.association.costs import LATENT_COSTS
from flatsort.tracker.gallery import MEANS

if TYPE_CHECKING:
    from flatsort.tools.runs.track_run import TrackConfig
    from flatsort.tracker.protocols import Embedder


def needs_latents(config: TrackConfig) -> bool:
    """Whether any stage of the tracker looks at latents."""
    return any(stage.cost in LATENT_COSTS for stage in config.stages.values())


def require_latents(config: TrackConfig, where: str) -> None:
    """Refuse a tracker that looks at latents where neither an embedder nor the detections of ``where`` give any.

    Raises
    ------
    ValueError
        If it does. The detections are taken to have none: ask only where that is so.
    """
    if needs_latents(config) and not config.embedder:
        raise ValueError(
            f"{where}: expected an embedder or detections with features, got neither; "
            "name one, such as embedder=flat_vhp_vae or embedder=FILE.onnx"
        )


def open_embedder(config: TrackConfig) -> Embedder | None:
    """The embedder that ``config.embedder`` names; None where it names none.

    Raises
    ------
    ValueError, OSError, ImportError
        As `embedding.load`.
    """
    if not config.embedder:
        return None
    from flatsort import embedding

    return embedding.load(config.embedder)


def note_on_limit(config: TrackConfig) -> str:
    """A word where a fixed threshold meets an embedder whose distances it cannot know."""
    fixed = config.appearance.threshold
    if not config.embedder or isinstance(fixed, str) or Path(config.embedder).suffix == ".onnx":
        return ""
    return f"appearance.threshold={fixed:g} is fixed: for the distances of {config.embedder} try appearance.threshold=auto"


def with_prior(config: TrackConfig, embedder: Embedder | None) -> TrackConfig:
    """The config with what is known of the embedder's latents, where it does not say so itself.

    That is the threshold to begin with, which the checkpoint holds: it was found without labels on what the model was
    trained on, and is one of whole latents. And it is whether latents are codes of −1 and 1, which are then kept as
    bits, unless the gallery keeps a mean of them.
    """
    latent = config.appearance
    if getattr(embedder, "binary", False) and config.gallery.keep not in MEANS:
        latent = replace(latent, bits=True)
    card = getattr(embedder, "card", None)
    cut = embedder is not None and config.embed.dim(embedder.dim) < embedder.dim
    if card is not None and not cut and latent.prior is None and latent.threshold == "auto":
        latent = replace(latent, prior=card.calibration.get(f"limit_fmr_{latent.false_match_rate:g}") or None)
    return config if latent == config.appearance else replace(config, appearance=latent)
