# SPDX-License-Identifier: Apache-2.0
"""The Legendre memory, in integers: the only place where its arithmetic is defined.

``>>`` is the arithmetic shift (it rounds down); ``sat`` clamps to a signed width. C, F and G are
the coefficient, fraction and guard bits of `model.legendre.LegendreMemory`, E its input shift,
k its coefficients, m its states (0 before the first step), B, W and V the widths of a state, of a
multiplicand and of the forward pass. For the input u of a step (an integer)::

    c_i = (-1)^i * (((2i + 1) * u * input_scale + 2^(E-1)) >> E)
    b_i = sat_W((m_i << (G + 1)) + c_i - ((g_{i-1} + 1) >> 1))      i = 0 .. q-1, g_{-1} = 0
    g_i = (k_i * b_i + 2^(C-1)) >> C                                (of V = W + 1 bits: k_i < 2)
    r_i = sat_W(g_i + ((k_i * r_{i+1} + 2^C) >> (C + 1)))           i = q-1 .. 0, r_q = 0
    m_i <- sat_B((((r_{i-1} - r_{i+1}) + 2^G) >> (G + 1)) - m_i)    r_0 - r_1 for i = 0,
                                                                    r_{q-2} + r_{q-1} for i = q-1

That is the bilinear (trapezoidal) step of ``theta dm/dt = A m + B u``; `float_system` gives the
same in floating point, and the zero-order hold beside it. What is sent to the next layer in read r
is ``sat_b((m_i + offset_r,i) >> shift_i)``, see `LegendreMemory.read_offsets`.
"""

import numpy as np
import torch

from model.legendre import LegendreMemory
from model.neurons import signed_bounds

__all__ = [
    "MemoryStates",
    "emissions",
    "final_states",
    "float_states",
    "float_system",
    "state_history",
]

# Samples that run side by side: many, as each operation on a row costs a call.
_BATCH = 32768


class MemoryStates:
    """States of a memory for N samples, and what a step does to them.

    Parameters
    ----------
    memory
        The memory.
    count
        Samples N, which run side by side.
    """

    def __init__(self, memory: LegendreMemory, count: int) -> None:
        self._memory = memory
        small = memory.coefficient_bits + memory.forward_bits <= 30
        self._dtype = torch.int32 if small else torch.int64
        self._shape = (memory.channels, count)
        width = memory.channels * count
        self._states = torch.zeros((memory.order, width), dtype=self._dtype)
        # Rows of one state each, which the passes go through one by one.
        self._state_rows = self._states.unbind(0)
        self._forward_rows = torch.zeros_like(self._states).unbind(0)
        self._odd_numbers = 2 * torch.arange(memory.order)[:, None] + 1
        self._coefficients = memory.coefficients.tolist()
        self._round_forward = torch.full((width,), 1 << memory.coefficient_bits - 1).to(self._dtype)
        self._round_backward = 2 * self._round_forward

    def step(self, inputs: torch.Tensor) -> None:
        """Go on by one step; ``inputs`` integers (N, channels)."""
        self._forward_pass(inputs)
        self._backward_pass()

    def _forward_pass(self, inputs: torch.Tensor) -> None:
        """g_i of all states."""
        memory = self._memory
        low, high = signed_bounds(memory.multiplicand_bits)
        fraction, one = self._number(memory.coefficient_bits), self._number(1)
        # Terms c_i are computed once for each value that occurs.
        values, places = torch.unique(inputs.to(torch.int64).T.reshape(-1), return_inverse=True)
        terms = self._odd_numbers * (values * memory.input_scale)
        terms = (terms + (1 << memory.input_shift - 1)) >> memory.input_shift
        terms[1::2].neg_()
        # Beyond this bound b_i saturates whatever the other terms are.
        limit = 2 << memory.multiplicand_bits
        terms = terms.clamp_(-limit, limit).to(self._dtype)
        work, half = torch.empty_like(self._round_forward), torch.zeros_like(self._round_forward)
        for state, forward, coefficient, term in zip(
            self._state_rows, self._forward_rows, self._coefficients, terms.unbind(0), strict=True
        ):
            torch.index_select(term, 0, places, out=work)
            work.add_(state, alpha=1 << memory.guard_bits + 1).sub_(half).clamp_(low, high)
            torch.add(self._round_forward, work, alpha=coefficient, out=work)
            torch.bitwise_right_shift(work, fraction, out=forward)
            torch.add(forward, one, out=half)
            torch.bitwise_right_shift(half, one, out=half)

    def _backward_pass(self) -> None:
        """r_i of all states, and each m_i as soon as its neighbours are known."""
        memory, order = self._memory, self._memory.order
        low, high = signed_bounds(memory.multiplicand_bits)
        halved = self._number(memory.coefficient_bits + 1)
        work, spare = torch.empty_like(self._round_backward), torch.empty_like(self._round_backward)
        # r_{i+1} and r_{i+2}
        after, second = torch.zeros_like(work), torch.zeros_like(work)
        for index in range(order - 1, -1, -1):
            torch.add(self._round_backward, after, alpha=self._coefficients[index], out=work)
            torch.bitwise_right_shift(work, halved, out=work)
            torch.add(work, self._forward_rows[index], out=spare).clamp_(low, high)
            if index + 1 == order - 1:
                self._update(order - 1, torch.add(spare, after, out=work))
            elif index + 1 < order:
                self._update(index + 1, torch.sub(spare, second, out=work))
            second, after, spare = after, spare, second
        self._update(0, torch.sub(after, second, out=work))

    def _update(self, index: int, change: torch.Tensor) -> None:
        """``m_i`` from the sum or difference of its neighbours, which is overwritten."""
        guard, state = self._memory.guard_bits, self._state_rows[index]
        change.add_(self._number(1 << guard))
        torch.bitwise_right_shift(change, self._number(guard + 1), out=change)
        torch.sub(change, state, out=state).clamp_(*signed_bounds(self._memory.state_bits))

    def _number(self, value: int) -> torch.Tensor:
        """A number as a tensor without axes, which operations take faster than an int."""
        return torch.tensor(value, dtype=self._dtype)

    def states(self) -> torch.Tensor:
        """States, int32 (N, channels * q), channel by channel."""
        order = self._memory.order
        channels, count = self._shape
        values = self._states.reshape(order, channels, count).permute(2, 1, 0)
        return values.reshape(count, channels * order).to(torch.int32)


def final_states(memory: LegendreMemory, inputs: np.ndarray | torch.Tensor) -> torch.Tensor:
    """States after a whole series.

    Parameters
    ----------
    memory
        The memory.
    inputs
        Integers (N, T, channels).

    Returns
    -------
    torch.Tensor
        int32 (N, channels * q).
    """
    series = torch.as_tensor(inputs)
    parts = []
    for start in range(0, max(len(series), 1), _BATCH):
        part = series[start : start + _BATCH]
        states = MemoryStates(memory, len(part))
        for step in range(part.shape[1]):
            states.step(part[:, step])
        parts.append(states.states())
    return torch.cat(parts)


def state_history(memory: LegendreMemory, inputs: np.ndarray | torch.Tensor) -> torch.Tensor:
    """States after each step of a series: int32 (N, T, channels * q).

    Parameters
    ----------
    memory
        The memory.
    inputs
        Integers (N, T, channels).
    """
    series = torch.as_tensor(inputs)
    count, steps, _ = series.shape
    history = torch.empty((count, steps, memory.states), dtype=torch.int32)
    states = MemoryStates(memory, count)
    for step in range(steps):
        states.step(series[:, step])
        history[:, step] = states.states()
    return history


def emissions(memory: LegendreMemory, states: torch.Tensor) -> torch.Tensor:
    """What is sent of states: int8 (N, R, channels * q) from int32 (N, channels * q)."""
    offsets = torch.from_numpy(memory.read_offsets().astype(np.int32))
    shifts = torch.from_numpy(memory.emission_shifts.astype(np.int32))
    sent = (states[:, None] + offsets[None]) >> shifts
    return sent.clamp_(*signed_bounds(memory.emission_bits)).to(torch.int8)


def float_system(
    order: int, window: int, *, zero_order_hold: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Discrete system ``m <- A m + B u`` of step 1 in floating point.

    Parameters
    ----------
    order, window
        q and theta.
    zero_order_hold
        That discretisation (the one of the LMU paper) instead of the bilinear one.

    Returns
    -------
    tuple of numpy.ndarray
        A, float64 (q, q), and B, float64 (q,).
    """
    row, column = np.arange(order)[:, None], np.arange(order)[None]
    signs = np.where(row < column, -1.0, (-1.0) ** (row - column + 1))
    system = (2 * row + 1) * signs / window
    entry = (2 * row[:, 0] + 1) * (-1.0) ** row[:, 0] / window
    identity = np.eye(order)
    if not zero_order_hold:
        left = identity - system / 2
        return np.linalg.solve(left, identity + system / 2), np.linalg.solve(left, entry)
    augmented = np.zeros((order + 1, order + 1))
    augmented[:order, :order], augmented[:order, order] = system, entry
    exponential = torch.linalg.matrix_exp(torch.from_numpy(augmented)).numpy()
    return exponential[:order, :order], exponential[:order, order]


def float_states(system: tuple[np.ndarray, np.ndarray], inputs: np.ndarray) -> np.ndarray:
    """States after a whole series in floating point: float64 (N, channels * q).

    The memory as one convolution: the last state is a sum over the steps of ``A^k B u``.

    Parameters
    ----------
    system
        From `float_system`.
    inputs
        Float (N, T, channels).
    """
    transition, entry = system
    count, steps, _ = inputs.shape
    kernel = np.empty((steps, len(entry)))
    kernel[-1] = entry
    for step in range(steps - 2, -1, -1):
        kernel[step] = transition @ kernel[step + 1]
    return np.einsum("ntc,tq->ncq", inputs, kernel, optimize=True).reshape(count, -1)
