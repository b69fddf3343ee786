# SPDX-License-Identifier: Apache-2.0
"""Random distortions of training images: rotation, shift, scale, shear, elastic, mirror."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from model.train.tables import Augmentation

__all__ = ["distort"]

_KNOTS = 5


def distort(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Distort each image of a batch on its own.

    Shifts alone, without rotation, scale or elastic, are by whole pixels and blur nothing.

    Parameters
    ----------
    images
        uint8 or float (N, height, width).
    settings
        How far to go.
    generator
        Source of chance, on the device of the images.

    Returns
    -------
    torch.Tensor
        float32 (N, height, width), same range of values; outside of the image is 0.
    """
    count, height, width = images.shape
    device = images.device

    def spread(limit: float, *shape: int) -> Tensor:
        return (torch.rand(*shape, generator=generator, device=device) * 2 - 1) * limit

    if settings.flip:
        mirrored = torch.rand(count, generator=generator, device=device) < 0.5
        images = torch.where(mirrored[:, None, None], images.flip(2), images)
    angle = spread(math.radians(settings.rotation), count)
    stretch = 1 + spread(settings.scale, 2, count)
    shear = spread(settings.scale, count)
    shift = spread(settings.shift, 2, count)
    whole = not (settings.rotation or settings.scale or settings.elastic)
    if whole:
        shift = (shift * (1 + 0.5 / max(settings.shift, 0.5))).round()  # edges as likely as others
    # affine_grid speaks of half images: a shift of one pixel is 2 / size.
    shift_x, shift_y = shift[0] * 2 / width, shift[1] * 2 / height
    matrix = torch.stack(
        [
            torch.stack([angle.cos() * stretch[0], shear - angle.sin() * stretch[1], shift_x], 1),
            torch.stack([angle.sin() * stretch[0], angle.cos() * stretch[1], shift_y], 1),
        ],
        1,
    )  # (N, 2, 3)
    grid = functional.affine_grid(matrix, [count, 1, height, width], align_corners=False)
    if settings.elastic > 0:
        knots = torch.randn(count, 2, _KNOTS, _KNOTS, generator=generator, device=device)
        knots *= settings.elastic * torch.tensor([2 / width, 2 / height], device=device).view(
            1, 2, 1, 1
        )
        field = functional.interpolate(
            knots, (height, width), mode="bicubic", align_corners=True
        )  # (N, 2, height, width)
        grid = grid + field.permute(0, 2, 3, 1)
    pixels = images.to(torch.float32).unsqueeze(1)
    sampled = functional.grid_sample(pixels, grid, align_corners=False).squeeze(1)
    if whole:
        sampled.round_()
    if settings.contrast > 1:
        sampled.sub_(127.5).mul_(settings.contrast).add_(127.5).clamp_(0, 255)
    return sampled
