"""What detection networks give out: one file a family. ``LAYOUTS`` knows the layouts by name.

A layout is a function that looks at a network (`Probe`) and says how it is fed and read (`Layout`), or None where the
network is none of its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flatsort.tracker.detectors.classes import COCO
from flatsort.tracker.detectors.pictures import PictureForm
from flatsort.tracker.registry import Registry
from flatsort.tracker.types import Float32, Int

Output = NDArray[Any]
"""An output of a network for one picture, with its axis of pictures of length 1 where it has one."""


@dataclass(frozen=True)
class Candidates:
    """What a network says of one picture.

    Attributes
    ----------
    boxes : float [n 4]
        xyxy, in pixels of the network's input.
    scores : float [n c] or [n]
        Of each class; or one for each box, if there are ``labels``.
    labels : int [n] or None
        Class of each box.
    objectness : float [n 1] or None
        Factor of the scores.
    """

    boxes: Float32
    scores: Float32
    labels: Int | None = None
    objectness: Float32 | None = None


@dataclass(frozen=True)
class Layout:
    """How a network is fed and read.

    Attributes
    ----------
    read : callable
        Candidates of the outputs for one picture, in the network's order.
    form : PictureForm
        How it takes pictures.
    count : int or None
        Number of classes that the outputs have room for; None where they hold labels.
    names : mapping of int to str or None
        The family's own names of classes; None: COCO's for 80, else numbers.
    first : int
        Number of the first class of a user's list of names.
    finished : bool
        Whether the network gives one box an object, but for copies under other classes.
    name : str
        Where `recognise` found it.
    """

    read: Callable[[Sequence[Output]], Candidates]
    form: PictureForm
    count: int | None = None
    names: Mapping[int, str] | None = None
    first: int = 0
    finished: bool = False
    name: str = ""


@dataclass(frozen=True)
class Probe:
    """A network, and what it gives for one grey picture.

    Attributes
    ----------
    weights : str
        Its file.
    names : sequence of str
        Of the outputs.
    outputs : sequence of arrays
    size : (int, int)
        Width and height of its input in pixels.
    rank : int
        Axes of its input: 4, or 3 where it takes one picture without an axis of pictures.
    takes_sizes : bool
        Whether it is told the sizes of the pictures.
    metadata : mapping of str to str
        Of the file.
    classes : mapping of int to str or None
        Names of the classes as the user or the file gives them.
    forced : bool
        Whether the user asked for this layout, so that only the shapes must fit.
    """

    weights: str
    names: Sequence[str]
    outputs: Sequence[Output]
    size: tuple[int, int]
    rank: int
    takes_sizes: bool
    metadata: Mapping[str, str]
    classes: Mapping[int, str] | None
    forced: bool = False

    @property
    def table(self) -> Output | None:
        """The only output [n m], where there is one, of shape [1 n m] or [n m]."""
        shapes = [output.shape for output in self.outputs]
        single = self.rank == 4 and not self.takes_sizes and len(shapes) == 1
        return flat(self.outputs[0]) if single and (len(shapes[0]) == 2 or shapes[0][:-2] == (1,)) else None

    def has_classes(self, count: int) -> bool:
        """Whether ``count`` is the number of classes: of those that are named, else COCO's."""
        return count == (len(COCO) if self.classes is None else len(self.classes))

    def __str__(self) -> str:
        width, height = self.size
        shapes = ", ".join(f"{name} {list(o.shape)}" for name, o in zip(self.names, self.outputs, strict=True))
        return f"{shapes} for an input of {width}x{height} pixels"


LAYOUTS: Registry[Layout | None] = Registry("layout", "flatsort.tracker.detectors.layouts")


def recognise(probe: Probe, asked: str = "auto") -> Layout:
    """The layout of a network.

    Parameters
    ----------
    probe : Probe
    asked : str
        Name of the layout, or "auto".

    Raises
    ------
    ValueError
        If none or more than one fits.
    """
    if asked != "auto":
        layout = LAYOUTS.get(asked)(replace(probe, forced=True))
        if layout is None:
            raise ValueError(f"{probe.weights}: expected outputs of the layout {asked}, got {probe}")
        return replace(layout, name=asked)
    found = [replace(layout, name=name) for name in LAYOUTS.names() if (layout := LAYOUTS.get(name)(probe))]
    if len(found) > 1:
        found = [layout for layout in found if layout.count and probe.has_classes(layout.count)] or found
    if not found:
        raise ValueError(
            f"{probe.weights}: expected the outputs of a detector ({', '.join(LAYOUTS.names())}), got {probe}"
        )
    if len(found) > 1:
        fitting = " or ".join(f"detector.layout={layout.name}" for layout in found)
        raise ValueError(f"{probe.weights}: more than one layout fits, expected {fitting}; got {probe}")
    return found[0]


def flat(output: Output) -> Output:
    """An output [1 n m] or [n m] as [n m]."""
    return output.reshape(output.shape[-2:])


def corners(centred: Output) -> Float32:
    """xyxy boxes [n 4] from centre and size [n 4]."""
    half = centred[:, 2:] * 0.5
    return np.concatenate([centred[:, :2] - half, centred[:, :2] + half], axis=1)


def in_pixels(shares: Output, size: tuple[int, int]) -> Float32:
    """xyxy boxes [n 4] in pixels of the input from centre and size [n 4] as shares of its sides."""
    pixels: Float32 = corners(shares) * np.array([*size, *size], np.float32)
    return pixels


def sigmoid(logits: Output) -> Float32:
    """Probabilities of logits."""
    probabilities: Float32 = np.reciprocal(1 + np.exp(-logits.astype(np.float32)))
    return probabilities
