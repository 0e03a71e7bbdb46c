"""What a benchmark finds: runs of systems on sequences, and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flatsort.tools.experiments.published import PublishedRow
from flatsort.tracker.io.mot import MotTable
from flatsort.tracker.metrics import Evaluation
from flatsort.tracker.types import Detections, Float32


@dataclass(frozen=True, eq=False)
class Run:
    """One system, with one training seed, on one sequence.

    Attributes
    ----------
    system : str
    seed : int or None
        Of the training of its embedder; None where nothing was learned or only one checkpoint is named.
    sequence : str
    tracks : MotTable
        Its result rows.
    association, embedding : float
        Microseconds a frame, of one thread; embedding is 0 where nothing is embedded.
    """

    system: str
    seed: int | None
    sequence: str
    tracks: MotTable
    association: float
    embedding: float


@dataclass(frozen=True, eq=False)
class SystemResult:
    """A system on all sequences.

    Attributes
    ----------
    name : str
    description : str
        Tracker, embedder and overrides, in a line.
    learned : str
        "", "supervised" or "unsupervised": how its embedding was learned.
    evaluations : mapping of int to Evaluation
        By training seed; a system without seeds has the one of seed 0. An evaluation has all sequences and OVERALL.
    runs : list of Run
    """

    name: str
    description: str
    learned: str
    evaluations: Mapping[int, Evaluation]
    runs: Sequence[Run]

    @property
    def first(self) -> Evaluation:
        """The evaluation of the first seed: what is drawn."""
        return next(iter(self.evaluations.values()))


@dataclass(frozen=True, eq=False)
class SequenceInput:
    """A sequence as the benchmark sees it.

    Attributes
    ----------
    name : str
    source : str
        What `tracker.io.video.open_source` opens for its pictures.
    detections : list of Detections
        One a frame, from frame 1 on; those below the least score are gone.
    fps : float
    picture : tuple of int or None
        Width and height in pixels.
    truth : MotTable
    length : int or None
        Frames that ``seqinfo.ini`` announces; None without one.
    """

    name: str
    source: str
    detections: Sequence[Detections]
    fps: float
    picture: tuple[int, int] | None
    truth: MotTable
    length: int | None = None


@dataclass(frozen=True, eq=False)
class Benchmark:
    """Everything that tables and the page are made of.

    Attributes
    ----------
    systems : mapping of str to SystemResult
        In the order asked for.
    sequences : mapping of str to SequenceInput
    latents : mapping of (system, sequence) to list of float32 [n d]
        Of the first seed, one array a frame; absent where nothing is embedded.
    detections : str
        Name of the detections and their least score, in a line.
    notes : list of str
        What a reader of the table must know: published rows, other detections than theirs, oracles, …
    embedders : mapping of str to list of dict
        What was measured of embedders apart from the tracker, by system, one entry a seed; see
        `tools.experiments.embedder_traits.TRAITS`.
    published : list of PublishedRow
        Rows that others have measured.
    key : str
        Of all that the runs were made from.
    """

    systems: Mapping[str, SystemResult]
    sequences: Mapping[str, SequenceInput]
    latents: Mapping[tuple[str, str], Sequence[Float32]]
    detections: str
    notes: Sequence[str] = field(default_factory=list)
    published: Sequence[PublishedRow] = ()
    key: str = ""
    embedders: Mapping[str, Sequence[Mapping[str, float]]] = field(default_factory=dict)
