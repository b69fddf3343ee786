# SPDX-License-Identifier: Apache-2.0
"""Operations of a step of a series, counted by formula: LMU, dense LMU, LSTM, GRU. Torch-free.

Counted: multiplications, additions and subtractions of two numbers. Not counted: shifts, clamps,
rounding offsets, nonlinear functions, moves. What happens once at the end of a series is spread
over its steps.

* Integer Legendre memory (``model/legendre_step.py``), each channel: 2q + 1 multiplications (one
  for the input) and 6q additions (input term 1, forward 2, backward 1, states 2).
* Binary layers: one addition for each set bit of an input at each weight that it meets. The set
  bits are measured, and depend on the samples.
* Dense memory: q^2 + q multiplications and as many additions a channel.
* Layer of m inputs and n neurons, float weights: m n multiplications and additions.
* LSTM of n neurons and m inputs: 4 n (n + m) + 3 n multiplications, 4 n (n + m) + 5 n additions.
  GRU: 3 n (n + m) + 3 n and 3 n (n + m) + 5 n.
"""

import dataclasses

from model.description import Network

__all__ = ["Cost", "dense_lmu", "gru", "lstm", "neurips_lmu", "parallel_lmu"]

_FLOAT_BITS = 32


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cost:
    """What a network needs.

    Parameters
    ----------
    multiplications, additions
        Mean of a step.
    weight_bits
        Of all trained weights (thresholds left out).
    coefficient_bits
        Of what is fixed: the coefficients of a memory.
    state_bits
        Of states that stay from step to step.
    """

    multiplications: float
    additions: float
    weight_bits: int
    coefficient_bits: int
    state_bits: int


def parallel_lmu(network: Network, *, input_bits: float, hidden_bits: float) -> Cost:
    """Cost of a network of the parallel form that has one hidden layer.

    Parameters
    ----------
    network
        The network.
    input_bits, hidden_bits
        Mean set bits that reach the hidden and the last layer, of a sample
        (``test_input_spikes`` and ``test_hidden_spikes`` of its metadata).
    """
    memory = network.memory
    assert memory is not None
    states, hidden, classes = network.sizes
    steps = network.encoding.steps
    layers = input_bits * hidden + hidden_bits * classes
    return Cost(
        multiplications=memory.channels * (2 * memory.order + 1),
        additions=6 * states + layers / steps,
        weight_bits=states * hidden + hidden * classes,
        coefficient_bits=memory.order * (memory.coefficient_bits + 1),
        state_bits=states * memory.state_bits,
    )


def dense_lmu(*, order: int, channels: int, hidden: int, classes: int, steps: int) -> Cost:
    """Cost of the parallel form with a dense float memory and float weights."""
    states = channels * order
    layers = states * hidden + hidden * classes
    operations = channels * (order * order + order) + layers / steps
    return Cost(
        multiplications=operations,
        additions=operations,
        weight_bits=_FLOAT_BITS * layers,
        coefficient_bits=_FLOAT_BITS * (order * order + order),
        state_bits=_FLOAT_BITS * states,
    )


def neurips_lmu(*, order: int = 256, hidden: int = 212, classes: int = 10) -> Cost:
    """Cost of the recurrent LMU of Voelker, Kajic and Eliasmith (2019) on one channel."""
    encoder = 1 + hidden + order
    kernel = hidden + hidden * hidden + hidden * order
    operations = encoder + kernel + order * order + order
    return Cost(
        multiplications=operations,
        additions=operations,
        weight_bits=_FLOAT_BITS * (encoder + kernel + hidden * classes),
        coefficient_bits=_FLOAT_BITS * (order * order + order),
        state_bits=_FLOAT_BITS * (order + hidden),
    )


def lstm(*, hidden: int, inputs: int = 1, classes: int = 10) -> Cost:
    """Cost of an LSTM that is read after the last step."""
    products = 4 * hidden * (hidden + inputs)
    return Cost(
        multiplications=products + 3 * hidden,
        additions=products + 5 * hidden,
        weight_bits=_FLOAT_BITS * (products + hidden * classes),
        coefficient_bits=0,
        state_bits=_FLOAT_BITS * 2 * hidden,
    )


def gru(*, hidden: int, inputs: int = 1, classes: int = 10) -> Cost:
    """Cost of a GRU that is read after the last step."""
    products = 3 * hidden * (hidden + inputs)
    return Cost(
        multiplications=products + 3 * hidden,
        additions=products + 5 * hidden,
        weight_bits=_FLOAT_BITS * (products + hidden * classes),
        coefficient_bits=0,
        state_bits=_FLOAT_BITS * hidden,
    )
