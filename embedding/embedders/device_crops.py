"""Crops cut on the device that holds the frames, in one operation for all boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from flatsort.embedding.likelihood import LUMA
from flatsort.tracker.crops import pixel_ranges
from flatsort.tracker.types import Float


def crop_on_device(frames: Sequence[Tensor], boxes: Sequence[Float], size: tuple[int, int]) -> Tensor:
    """Cut boxes out of frames and resize them to one size, as `tracker.crops.crop` does on the CPU.

    Each value is the mean of bilinear samples on a grid that is as fine as the frame's pixels (RoIAlign [1]_ with as
    many samples a bin as the box has pixels), where the CPU averages areas exactly: on images of people the two differ
    by about one of 255 levels in the mean.

    Parameters
    ----------
    frames : sequence of uint8 [h w 3] tensors
        RGB, all on one device; of any sizes.
    boxes : sequence of float64 [n 4] arrays
        xyxy in pixels, for each frame; see `tracker.crops.cut` for invalid ones.
    size : tuple of int
        Width and height of the crops in pixels.

    Returns
    -------
    float32 [n 3 height width]
        In 0..1, channels-last in memory, on the frames' device, in the order of frames and boxes.

    References
    ----------
    .. [1] He, Gkioxari, Dollár, Girshick, "Mask R-CNN", ICCV 2017, section 3.
    """
    from torchvision.ops import roi_align

    parts: list[Tensor] = []
    order: list[int] = []
    starts = np.concatenate([[0], np.cumsum([len(each) for each in boxes])])
    shapes = [tuple(frame.shape) for frame in frames]
    for shape in dict.fromkeys(shapes):
        members = [k for k, other in enumerate(shapes) if other == shape and len(boxes[k])]
        if not members:
            continue
        rois = [_rois(place, boxes[k], shape) for place, k in enumerate(members)]
        stack = torch.stack([frames[k] for k in members]).permute(0, 3, 1, 2)
        regions = torch.from_numpy(np.concatenate(rois)).to(stack.device, non_blocking=True)
        images = stack.to(torch.float32, memory_format=torch.contiguous_format)
        parts.append(roi_align(images, regions, (size[1], size[0]), sampling_ratio=0, aligned=True))
        order += [int(row) for k in members for row in range(starts[k], starts[k + 1])]
    if not parts:
        return torch.empty((0, 3, size[1], size[0]))
    crops = torch.cat(parts).div_(255).clamp_(0, 1)
    if order != sorted(order):
        crops = crops[torch.from_numpy(np.argsort(order)).to(crops.device)]
    return crops.contiguous(memory_format=torch.channels_last)


def to_grey(images: Tensor) -> Tensor:
    """Grey images [n 1 h w] of RGB ones [n 3 h w] in 0..1, rounded to whole levels of 255 as in image files."""
    weights = torch.tensor(LUMA, device=images.device)[:, None, None]
    return ((images * weights).sum(1, keepdim=True) * 255).round() / 255


def _rois(place: int, boxes: Float, shape: tuple[int, ...]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    ranges = pixel_ranges(boxes, shape[1], shape[0]).astype(np.float32)
    return np.concatenate([np.full((len(boxes), 1), place, np.float32), ranges], axis=1)
