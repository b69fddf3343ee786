# SPDX-License-Identifier: Apache-2.0
"""Networks in the form that the authors of BS4NN publish: float arrays, scales, a threshold.

How their quantities become ours (their notebook as read in BS4NN sections 2 to 4):

* The arrays hold real proxies; a weight is their sign. A proxy of exactly 0 would be a third
  weight value and is refused.
* ``alpha * count > threshold`` with a strict comparison is ``count >= floor(threshold/alpha) + 1``.
* A pixel of value v spikes at step 255 - v, as here.
* Each of their layers delays its spike by one step. All inputs of a layer are delayed alike, so
  leaving the delay out moves every potential of the layer by one step and changes no order: their
  output time t is our t - 2.
* If no output fires they take the largest potential after their step 253. With 253 steps ours,
  after the last step, is the same one.
* They take a crossing in their last step as silence; with 253 steps the last but one is lost, too.
  It decides an image only if no output crossed before: 16 of MNIST's 10,000 test images. The
  potential gives all 16 the same class, so every decision on that set is the published one.
"""

import math
from pathlib import Path

import numpy as np

from model.description import LatencyEncoding, Layer, Network, Readout

__all__ = ["STEPS", "PublishedFormError", "import_bs4nn"]

#: Steps T of an imported network: three less than the published Tmax of 256.
STEPS = 253


class PublishedFormError(ValueError):
    """Arrays or numbers that are not a published BS4NN; the text names what is wrong."""


def import_bs4nn(
    hidden: str | Path | np.ndarray,
    output: str | Path | np.ndarray,
    *,
    alphas: tuple[float, float],
    threshold: float = 100.0,
    steps: int = STEPS,
) -> Network:
    """Make a network from the two published arrays.

    Parameters
    ----------
    hidden, output
        Float proxies (neurons, inputs) or (neurons, inputs, 1), as arrays or paths of .npy files.
    alphas
        Scale of the hidden and of the output layer, > 0.
    threshold
        Common threshold, > 0.
    steps
        Number of time steps T.

    Returns
    -------
    Network
        Integer network with the first-spike readout.

    Raises
    ------
    PublishedFormError
        If a file cannot be read, a shape or value is wrong, or the layers do not fit.
    """
    names = ("hidden", "output")
    matrices = [_matrix(source, name) for source, name in zip((hidden, output), names, strict=True)]
    if matrices[1].shape[1] != matrices[0].shape[0]:
        raise PublishedFormError(
            f"Array of the output layer must have {matrices[0].shape[0]} inputs, one for each "
            f"hidden neuron, not {matrices[1].shape[1]}"
        )
    layers = [
        _layer(matrix, alpha=alpha, threshold=threshold, name=name)
        for matrix, alpha, name in zip(matrices, alphas, names, strict=True)
    ]
    features = matrices[0].shape[1]
    side = math.isqrt(features)
    return Network(
        encoding=LatencyEncoding(levels=tuple(255 - step for step in range(steps))),
        layers=tuple(layers),
        readout=Readout.FIRST_SPIKE,
        input_shape=(side, side) if side * side == features else (features,),
        metadata={
            "origin": "imported from published BS4NN arrays",
            "alphas": [float(alpha) for alpha in alphas],
            "threshold": float(threshold),
        },
    )


def _matrix(source: str | Path | np.ndarray, name: str) -> np.ndarray:
    if isinstance(source, np.ndarray):
        array = source
    else:
        try:
            array = np.load(source, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise PublishedFormError(
                f"Array of the {name} layer must be a whole .npy file: {source}: {error}"
            ) from None
        if not isinstance(array, np.ndarray):
            raise PublishedFormError(f"Array of the {name} layer must be one .npy array: {source}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 or array.dtype.kind != "f" or 0 in array.shape:
        raise PublishedFormError(
            f"Array of the {name} layer must be floats of shape (neurons, inputs) or "
            f"(neurons, inputs, 1), not {array.dtype} of shape {array.shape}"
        )
    if not np.isfinite(array).all() or (array == 0).any():
        raise PublishedFormError(f"Array of the {name} layer must be finite and nowhere 0")
    return array


def _layer(matrix: np.ndarray, *, alpha: float, threshold: float, name: str) -> Layer:
    for noun, value in ((f"Alpha of the {name} layer", alpha), ("Threshold", threshold)):
        if not (math.isfinite(value) and value > 0):
            raise PublishedFormError(f"{noun} must be a positive number, not {value!r}")
    count = math.floor(threshold / alpha) + 1
    signs = np.where(matrix > 0, 1, -1).astype(np.int8)
    return Layer.from_signs(signs, np.full(matrix.shape[0], count))
