# SPDX-License-Identifier: Apache-2.0
"""The Legendre memory: integers against the plain reading, and against floating point."""

import numpy as np
import pytest
import torch

from model.data.dataset import SHIPPED, open_dataset
from model.description import LegendreMemory
from model.legendre_step import (
    MemoryStates,
    emissions,
    final_states,
    float_states,
    float_system,
    state_history,
)
from tests.model.series_reading import MemoryReading


def permuted_digits(count: int) -> np.ndarray:
    """Shipped digits, their pixels in the order of psMNIST (NRU): int64 (count, 784, 1)."""
    images = open_dataset(SHIPPED).part().images[:count].reshape(count, -1)
    generator = np.random.RandomState(50)
    generator.permutation(60000)
    return images[:, generator.permutation(784), None].astype(np.int64)


def relative_error(found: np.ndarray, wanted: np.ndarray) -> float:
    """Root of the summed squares of the differences over that of the wanted values."""
    return float(np.sqrt(((found - wanted) ** 2).sum() / (wanted**2).sum()))


# Precision C, F, G and the error that it may have at q = 256 and 468.
TWELVE_BITS, FOURTEEN_BITS = (8, 10, 2), (10, 12, 4)


@pytest.mark.parametrize(
    ("order", "precision", "bound"),
    [
        (256, TWELVE_BITS, 0.08),
        pytest.param(256, FOURTEEN_BITS, 0.03, marks=pytest.mark.slow),
        pytest.param(468, TWELVE_BITS, 0.08, marks=pytest.mark.slow),
        pytest.param(468, FOURTEEN_BITS, 0.025, marks=pytest.mark.slow),
    ],
)
def test_error_against_floating_point(
    order: int, precision: tuple[int, int, int], bound: float
) -> None:
    coefficient_bits, fraction_bits, guard_bits = precision
    memory = LegendreMemory.for_window(
        order=order,
        window=784,
        coefficient_bits=coefficient_bits,
        fraction_bits=fraction_bits,
        guard_bits=guard_bits,
    )
    series = permuted_digits(36)
    found = final_states(memory, series).numpy() / (1 << fraction_bits)
    assert relative_error(found, float_states(float_system(order, 784), series / 256)) <= bound
    assert np.abs(found).max() < 2 - 2**-4  # nothing saturates


@pytest.mark.parametrize("zero_order_hold", [False, True])
def test_slow_series_are_held_as_by_either_discretisation(zero_order_hold: bool) -> None:
    memory = LegendreMemory.for_window(
        order=12, window=300, coefficient_bits=12, fraction_bits=16, guard_bits=4
    )
    # Three windows of two waves, of one and three periods a window.
    time = np.arange(900) / 300
    series = np.rint(120 * np.sin(2 * np.pi * np.array([[1], [3]]) * time))[..., None].astype(int)
    states = final_states(memory, series).numpy() / (1 << 16)
    system = float_system(12, 300, zero_order_hold=zero_order_hold)
    assert relative_error(states, float_states(system, series / 256)) < 0.015
    # What the memory is for: Legendre polynomials of the states give the window back.
    past = (np.arange(300) + 0.5) / 300  # in windows before the last step
    restored = states @ np.polynomial.legendre.legvander(2 * past - 1, 11).T
    assert relative_error(restored, series[:, :-301:-1, 0] / 256) < 0.1


def test_floating_point_systems() -> None:
    order, window = 5, 40
    row, column = np.arange(order)[:, None], np.arange(order)[None]
    signs = np.where(row < column, -1.0, -((-1.0) ** (row - column)))
    system = (2 * row + 1) * signs / window
    entry = (2 * np.arange(order) + 1) * (-1.0) ** np.arange(order) / window
    # Zero-order hold: very many Euler steps within one step, by squaring.
    fine = np.eye(order + 1)
    fine[:order, :order] += system / (1 << 24)
    fine[:order, order] = entry / (1 << 24)
    for _ in range(24):
        fine = fine @ fine
    held, held_entry = float_system(order, window, zero_order_hold=True)
    assert np.allclose(held, fine[:order, :order], atol=1e-6)
    assert np.allclose(held_entry, fine[:order, order], atol=1e-6)
    # Bilinear: the change is the system at the mean of old and new state.
    transition, bilinear_entry = float_system(order, window)
    rng = np.random.default_rng(0)
    old, u = rng.normal(size=order), rng.normal()
    new = transition @ old + bilinear_entry * u
    assert np.allclose(new - old, system @ (old + new) / 2 + entry * u)
    # One convolution is as many steps.
    series = rng.normal(size=(3, 9, 2))
    stepped = np.zeros((3, 2, order))
    for step in range(9):
        stepped = stepped @ transition.T + series[:, step, :, None] * bilinear_entry
    assert np.allclose(float_states((transition, bilinear_entry), series), stepped.reshape(3, -1))


# Saturation


def memory_of(
    order: int, precision: tuple[int, int, int], *, channels: int = 1, **fields: int
) -> LegendreMemory:
    """A memory of some precision."""
    names = ("coefficient_bits", "fraction_bits", "guard_bits")
    given = dict(zip(names, precision, strict=True))
    return LegendreMemory.for_window(
        order=order, window=4 * order, channels=channels, **given, **fields
    )


@pytest.mark.parametrize("precision", [(4, 4, 0), (8, 10, 2), (15, 20, 8), (15, 4, 0), (4, 20, 8)])
@pytest.mark.parametrize("order", [2, 3, 6])
def test_every_state_saturates_at_both_bounds(order: int, precision: tuple[int, int, int]) -> None:
    memory = memory_of(order, precision, channels=2)
    rng = np.random.default_rng(order)
    sizes = 2 ** rng.integers(0, 31, (3, 240, 2))
    series = rng.integers(-sizes, sizes, (3, 240, 2))
    history = state_history(memory, series)
    for sample, values in enumerate(series.tolist()):
        reading = MemoryReading(memory)
        assert history[sample].tolist() == [reading.step(row) for row in values]
    limit = 1 << memory.state_bits - 1
    assert history.amax(dim=(0, 1)).tolist() == [limit - 1] * memory.states
    assert history.amin(dim=(0, 1)).tolist() == [-limit] * memory.states


@pytest.mark.parametrize("seed", range(12))
def test_random_memories_equal_plain_reading(seed: int) -> None:
    rng = np.random.default_rng(seed)
    memory = memory_of(
        int(rng.integers(2, 20)),
        (int(rng.integers(4, 16)), int(rng.integers(4, 21)), int(rng.integers(0, 9))),
        channels=int(rng.integers(1, 4)),
        emission_bits=int(rng.integers(2, 9)),
        reads=int(2 ** rng.integers(0, 7)),
        input_peak=int(rng.choice([1, 16, 256])),
    )
    series = rng.integers(-255, 256, (2, 15, memory.channels))
    final = final_states(memory, series)
    sent = emissions(memory, final)
    assert sent.dtype is torch.int8
    for sample, values in enumerate(series.tolist()):
        reading = MemoryReading(memory)
        for row in values:
            reading.step(row)
        assert final[sample].tolist() == reading.states()
        wanted = [reading.sent(number) for number in range(memory.reads)]
        assert sent[sample].tolist() == wanted


def test_samples_side_by_side_do_not_touch_each_other() -> None:
    memory = memory_of(9, TWELVE_BITS, channels=2)
    series = np.random.default_rng(3).integers(-255, 256, (5, 20, 2))
    together = final_states(memory, series)
    for sample in range(5):
        alone = final_states(memory, series[sample : sample + 1])
        assert alone.equal(together[sample : sample + 1])
    states = MemoryStates(memory, 5)
    assert not states.states().any()
    assert final_states(memory, series[:0]).shape == (0, 18)


# Reads


@pytest.mark.parametrize("reads", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("shift", [5, 7, 9])
def test_reads_add_up_to_a_finer_step(shift: int, reads: int) -> None:
    memory = memory_of(2, (8, 10, 2), emission_bits=8, reads=reads)
    unit = 1 << shift
    memory = LegendreMemory(
        **memory.to_json(),
        coefficients=memory.coefficients,
        emission_shifts=np.full(2, shift, np.uint8),
    )
    values = torch.arange(-(1 << 11), 1 << 11, dtype=torch.int32)
    sent = emissions(memory, torch.stack([values, values], dim=1))
    inside = (sent.abs() < 127).all(dim=2).all(dim=1)
    total = sent[:, :, 0].to(torch.int64).sum(dim=1)
    finer = unit // reads  # at least 2, so that its half is exact
    wanted = torch.div(values + finer // 2, finer, rounding_mode="floor")
    assert total[inside].equal(wanted[inside].to(torch.int64))
    assert int(inside.sum()) > 2000
