# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hw.design.design import Design, Fold
from hw.times.work_counts import Work, work_of
from model.golden import run
from tests.series import make_parallel


@pytest.mark.parametrize("members", [1, 3])
def test_work_is_counted(members):
    network = make_parallel(seed=3, order=6, channels=2, steps=5, reads=2, members=members)
    design = Design.for_networks(
        [network],
        [Fold(lanes=4, inputs_per_cycle=2, times_per_cycle=2), Fold(lanes=3, inputs_per_cycle=2)],
    )
    room = design.memory
    samples = np.random.default_rng(2).integers(0, 256, (3, 10), dtype=np.uint8)
    trace = run(network, samples)
    trains = [trace.input_spikes.numpy(), *(part.numpy() for part in trace.spikes)]
    work = work_of(design, network, trains, members=members)
    assert list(work) == ["memory", "layer0", "layer1"]
    # 5 steps of 12 states, each multiplied on the way up and on the way down.
    assert work["memory"].multiplications == 2 * 5 * 12
    assert work["memory"].additions == 8 * 5 * 12 + 9 * 5 * 2 + 2 * 12
    each = 2 * room.state_bits + 2 * (room.coefficient_bits + 1) + room.forward_bits
    assert work["memory"].bits_read == 5 * 12 * each + 2 * 12 * (room.state_bits + room.shift_bits)
    # Words counted one by one.
    words = sum(
        any(int(value) >> plane & 1 for value in step[group : group + 2])
        for sample in trains[0]
        for step in sample
        for group in range(0, 12, 2)
        for plane in range(4)
    )
    first, neurons = design.layers[0], network.layers[0].neurons
    assert work["layer0"].multiplications == 0
    updates = members * 2 * neurons
    assert work["layer0"].additions == pytest.approx(
        members * words / 3 * neurons * 2 + 2 * updates
    )
    blocks = -(-neurons // 4)
    state = first.threshold_bits + 3 + network.layers[0].dynamics.fraction_bits
    assert work["layer0"].bits_read == pytest.approx(
        members * words / 3 * blocks * first.row_bits + updates * state
    )


def test_work_adds_up():
    one = Work(multiplications=1.0, additions=2.0, bits_read=3.0)
    assert (one + one).to_json() == {"multiplications": 2.0, "additions": 4.0, "bits_read": 6.0}
