# SPDX-License-Identifier: Apache-2.0
"""Images as series, one pixel a step: sequential MNIST and permuted sequential MNIST.

The permutation is that of NRU (Chandar et al. 2019, whose code LMU took over):
``numpy.random.RandomState(50)`` draws first an order of the 60,000 training images, then an order
of the 784 pixels. The first 50,000 images of the first order are for training and the last 10,000
for validation; test images stay in the order of the file. `RandomState`'s numbers are frozen by
numpy.
"""

import dataclasses

import numpy as np

from model.data.samples import Source

__all__ = ["SEED", "TRAIN_IMAGES", "image_order", "pixel_order", "pixel_series"]

#: Seed of the two orders.
SEED = 50

#: Published training images, validation included.
TRAIN_IMAGES = 60_000


def image_order() -> np.ndarray:
    """Order of the training images: int64 (60000,)."""
    return np.random.RandomState(SEED).permutation(TRAIN_IMAGES)


def pixel_order(pixels: int) -> np.ndarray:
    """Order of the pixels, of rows one after another: int64 (pixels,)."""
    draw = np.random.RandomState(SEED)
    draw.permutation(TRAIN_IMAGES)  # the first draw, that of the images
    return draw.permutation(pixels)


def pixel_series(source: Source, *, permuted: bool) -> Source:
    """Series uint8 (N, pixels, 1) of images, training images in NRU's order.

    Parameters
    ----------
    source
        Images; its training and validation samples, if there are any, are the first 60,000.
    permuted
        Pixels in NRU's order instead of row by row.
    """
    order = np.arange(source.labels.size)
    if source.numbers is not None and (source.numbers < 2).any():
        order[:TRAIN_IMAGES] = image_order()

    def take(index: np.ndarray) -> np.ndarray:
        images = source.take(order[index])
        assert isinstance(images, np.ndarray)
        pixels = images.reshape(len(images), -1)
        if permuted:
            pixels = np.take(pixels, pixel_order(pixels.shape[1]), axis=1)
        return pixels[:, :, None]

    return dataclasses.replace(source, labels=source.labels[order], take=take)
