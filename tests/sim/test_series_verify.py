# SPDX-License-Identifier: Apache-2.0
"""verify on series through a Legendre memory: states, words, integers, answers and cycles."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import sim.judges
import sim.series
import sim.step_case
import sim.verify
from hw.design.design import CapacityError, Design, Fold
from hw.export import export
from hw.times.series_times import write_cycles
from model.description import Network
from model.golden import run, run_every
from model.legendre_step import state_history
from model.memory_trains import memory_inputs
from sim.choice import Choice
from sim.plots import plot_verification
from sim.series import digest_keys, digests, evaluate, record
from sim.test_set import run_test_set
from sim.verify import verify
from tests.series import make_parallel, series_for

FOLDS = [Fold(lanes=4, inputs_per_cycle=2, times_per_cycle=2), Fold(lanes=3, inputs_per_cycle=2)]
_DRAWN = make_parallel(seed=74, order=7, channels=2, steps=10, hidden=(5,), reads=4)
_GAINS = np.array([1, 2, 0, 3, 1], np.uint8)
NETWORK = dataclasses.replace(
    _DRAWN, layers=(dataclasses.replace(_DRAWN.layers[0], gains=_GAINS), _DRAWN.layers[1])
)
MEMORY = NETWORK.memory
assert MEMORY is not None
DESIGN = Design.for_networks([NETWORK], FOLDS, step_results=True)
SERIES = series_for(NETWORK, count=3, seed=1)


def changed_memory(**fields: object) -> Network:
    """The network with another memory."""
    return dataclasses.replace(NETWORK, memory=dataclasses.replace(MEMORY, **fields))


@pytest.mark.parametrize("every", [0, 4])
def test_every_state_word_and_integer_is_equal(every: int, cache: Path, tmp_path: Path) -> None:
    result = verify(NETWORK, SERIES, DESIGN, choice=Choice(step_results=every), cache=cache)
    assert [str(divergence) for divergence in result.divergences] == []
    assert result.ok
    # Two runs: 10 steps of 14 states, and 4 reads of at least 5 and 3 neurons an answer.
    answers = 3 if every else 1
    assert result.potentials >= 2 * 3 * (10 * 14 + answers * 4 * (5 + 3))
    seen = result.rtl_series
    assert seen is not None
    assert seen.steps == ((4, 8, 10) if every else (10,))
    assert np.array_equal(seen.memory, result.trace.memory_states.numpy())
    assert np.array_equal(seen.emitted[0], result.trace.spikes[0][0].numpy())
    path = plot_verification(NETWORK, result, tmp_path / "a.png", image=2)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_short_series_are_filled_in_front(cache: Path) -> None:
    assert NETWORK.encoding.steps == 10
    result = verify(NETWORK, SERIES[:1, 6:], DESIGN, cache=cache)
    assert result.ok
    zero = NETWORK.encoding.zero
    whole = np.concatenate([np.full((1, 6, 2), zero, np.uint8), SERIES[:1, 6:]], axis=1)
    assert np.array_equal(
        result.trace.memory_inputs.numpy(), whole.astype(np.int32) - np.int32(zero)
    )


@pytest.mark.slow
def test_a_memory_that_stores_a_wrong_bit_is_named(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sim.verify, "_waveform", lambda *_: None)
    path, _ = export(DESIGN, tmp_path, probes=True)
    text = path.read_text()
    # The lowest bit of state 9, third of the second channel, is stored the other way round: what
    # the probe shows is right in the first step, and wrong from the second one on.
    start = text.index("module \\popspike.accelerator.core.series.memory.states ")
    right = "rows[write_row] <= write_data;"
    assert text.count(right, start, text.index("endmodule", start)) == 1
    wrong = "rows[write_row] <= write_data ^ (write_row == 9);"
    path.write_text(text[:start] + text[start:].replace(right, wrong, 1))
    result = verify(NETWORK, SERIES[1:2], DESIGN, verilog=path, cache=cache)
    assert not result.ok
    assert result.mismatches == 1
    first = result.divergences[0]
    assert (first.sample, first.input_step, first.quantity) == (0, 1, "state of the memory")
    assert first.index is not None
    assert 7 <= first.index < 14
    assert first.expected == int(result.trace.memory_states[0, 1, first.index])
    assert str(first) == (
        f"sample 0, input step 1, index {first.index}: "
        f"state of the memory must be {first.expected}, not {first.found}"
    )


def differences(
    other: Network, every: int, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """What verify says if the golden model runs another network than the hardware."""
    monkeypatch.setattr(sim.step_case, "record", lambda _, *rest: sim.series.record(other, *rest))
    monkeypatch.setattr(sim.verify, "_waveform", lambda *_: None)
    result = verify(NETWORK, SERIES[1:2], DESIGN, choice=Choice(step_results=every), cache=cache)
    assert result.mismatches == 1
    return [str(divergence) for divergence in result.divergences]


def test_a_wrong_coefficient_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coefficients = MEMORY.coefficients.copy()
    coefficients[6] //= 2
    found = differences(changed_memory(coefficients=coefficients), 0, cache, monkeypatch)
    # Written from the last one down.
    assert re.match(
        r"sample 0, input step 0, index 6: state of the memory must be -?\d+, not -?\d+$", found[0]
    )


def test_a_wrong_word_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shifts = MEMORY.emission_shifts.copy()
    shifts[3] -= 2
    found = differences(changed_memory(emission_shifts=shifts), 4, cache, monkeypatch)
    # No state is wrong; words of group 1 are, from the first answer on, after 4 steps.
    assert re.match(
        r"sample 0, input step 3, layer 0, step \d: (group|spikes|plane) of a word must be "
        r"\d+, not \d+$",
        found[0],
    )


def test_a_wrong_gain_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, last = NETWORK.layers
    changed = dataclasses.replace(first, gains=np.array([1, 2, 1, 3, 1], np.uint8))
    other = dataclasses.replace(NETWORK, layers=(changed, last))
    found = differences(other, 0, cache, monkeypatch)
    where = r"sample 0, layer 0, member 0, neuron 2, step \d: "
    assert re.match(where + r"fraction must be \d+, not \d+$", found[0])
    assert any(re.match(where + r"emitted integer must be -?\d+, not -?\d+$", f) for f in found)


def test_a_set_through_compiled_rtl(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series = series_for(NETWORK, count=61, seed=4)
    for every in (0, 4):
        choice = Choice(step_results=every)
        result = run_test_set(NETWORK, series, DESIGN, choice=choice, processes=2, cache=cache)
        assert [str(divergence) for divergence in result.divergences] == []
        assert (result.images, result.mismatches) == (61, 0)
        assert result.cycles_as_scheduled
        assert np.array_equal(result.winners, run(NETWORK, series).winners.numpy())

    # One coefficient of the golden model's: no sample but those of zeros can be equal.
    coefficients = MEMORY.coefficients.copy()
    coefficients[6] //= 2
    other = changed_memory(coefficients=coefficients)
    with monkeypatch.context() as patch:
        patch.setattr(
            sim.judges, "evaluate", lambda _, *rest, **fields: evaluate(other, *rest, **fields)
        )
        result = run_test_set(NETWORK, series[1:3], DESIGN, processes=1, cache=cache)
    assert result.mismatches == 2
    assert re.match(
        r"sample 0, input step 0: digest of the memory's states must be [0-9a-f]{16}, not "
        r"[0-9a-f]{16}$",
        str(result.divergences[0]),
    )

    def late(*arguments: object) -> np.ndarray:
        cycles = write_cycles(*arguments)
        cycles[3, 5] += 1
        return cycles

    monkeypatch.setattr(sim.judges, "write_cycles", late)
    result = run_test_set(NETWORK, series[:2], DESIGN, processes=1, cache=cache)
    assert (result.mismatches, result.cycles_as_scheduled) == (0, False)
    assert str(result.divergences[0]).startswith(
        "sample 0, input step 3: digest of the cycles of states must be "
    )


@pytest.mark.parametrize(("channels", "count"), [(1, 1), (1, 3), (2, 1), (2, 3)])
def test_recorded_states_are_those_of_each_step(channels: int, count: int) -> None:
    network = make_parallel(seed=5, order=6, channels=channels, steps=8, reads=2)
    assert network.memory is not None
    series = series_for(network, count=count, seed=2)
    trace = record(network, series, Choice(step_results=3)).trace
    expected = state_history(network.memory, memory_inputs(network, series))
    assert torch.equal(trace.memory_states, expected)
    evaluations = run_every(network, series, every=3).evaluations
    assert torch.equal(trace.scores, evaluations.scores)


def test_digests_tell_values_and_places_apart() -> None:
    values = np.array([[1, -2, 3], [3, -2, 1], [1, -2, 2], [1, -2, 3]])
    found = digests(values)
    assert found.dtype == np.uint64
    assert found[0] == found[3]
    assert len(set(found.tolist())) == 3
    keys = [int(key) for key in digest_keys(3)]
    # The first number of splitmix64 from 0 is well known; it is odd already.
    assert keys[0] == 0xE220A8397B1DCDAF
    assert int(found[0]) == (keys[0] - 2 * keys[1] + 3 * keys[2]) % (1 << 64)


def test_choices_that_do_not_fit() -> None:
    with pytest.raises(
        ValueError, match=r"^Steps from answer to answer must lie in 0..65535 for this network"
    ):
        verify(NETWORK, SERIES, DESIGN, choice=Choice(step_results=65536))
    with pytest.raises(ValueError, match="^Series must have 2 channels, not 1$"):
        verify(NETWORK, SERIES[:, :, :1], DESIGN)
    long = np.concatenate([SERIES, SERIES], axis=1)
    with pytest.raises(
        ValueError,
        match=r"^Series must have 1 to 10 steps for this network \(window of the memory 10\), "
        "not 20$",
    ):
        verify(NETWORK, long, DESIGN)
    larger = make_parallel(seed=74, order=8, channels=2, steps=10, hidden=(5,), reads=4)
    with pytest.raises(CapacityError, match="^Order of the memory must be at most 7, not 8$"):
        verify(larger, SERIES, DESIGN)
