# SPDX-License-Identifier: Apache-2.0
"""cocotb bench: load a network, stream samples, and note every potential of every step.

Parameters come from ``bench.npz`` in the working folder, what was seen goes to ``seen.npz``
there; ``sim.verify`` writes the one and judges the other.

``bench.npz``: ``image`` (bytes of the device image), ``beats`` (uint8, beats x bytes a beat),
``lengths`` (beats of each sample), ``records`` (how many to wait for), ``layers``, ``seed``,
``stall`` (probability that a side pauses in a cycle), ``patience`` (cycles).

``seen.npz``: cycles counted from the first beat taken, which is cycle 0: ``first_beats``,
``last_beats`` (a sample), ``record_cycles``, ``records`` (hex of tdata), ``record_lasts``; and
for each layer l ``cycles<l>``, ``blocks<l>``, ``steps<l>``, ``lasts<l>`` and ``potentials<l>``
(hex of the packed potentials), one entry an observed step.
"""

import random

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

__all__ = ["every_step"]

_ACTIVE = 2
_STATE_REGISTER = 24


class _Probe:
    """Notes what the probe of one layer shows."""

    def __init__(self, dut, layer: int) -> None:
        self.valid = getattr(dut, f"probe{layer}_valid")
        self._block = getattr(dut, f"probe{layer}_block")
        self._step = getattr(dut, f"probe{layer}_step")
        self._last = getattr(dut, f"probe{layer}_last")
        self._potentials = getattr(dut, f"probe{layer}_potentials")
        self.cycles, self.blocks, self.steps, self.lasts, self.potentials = [], [], [], [], []

    def note(self, cycle: int) -> None:
        """Read all fields; called in a cycle in which ``valid`` is 1."""
        self.cycles.append(cycle)
        self.blocks.append(int(self._block.value))
        self.steps.append(int(self._step.value))
        self.lasts.append(int(self._last.value))
        self.potentials.append(f"{int(self._potentials.value):x}")


async def _load(dut, edge, image: np.ndarray, patience: int) -> None:
    """Send the device image and wait until its network is active."""
    dut.s_axis_network_tvalid.value = 1
    for index, byte in enumerate(image.tolist()):
        dut.s_axis_network_tdata.value = byte
        dut.s_axis_network_tlast.value = int(index == len(image) - 1)
        for _ in range(patience):
            await edge
            if dut.s_axis_network_tready.value:
                break
        else:
            raise TimeoutError(f"byte {index} of the device image was not taken")
    dut.s_axis_network_tvalid.value = 0
    dut.reg_addr.value = _STATE_REGISTER
    for _ in range(64):
        await edge
        if int(dut.reg_rdata.value) & 3 == _ACTIVE:
            return
    raise AssertionError(f"network was refused, status {int(dut.reg_rdata.value):#x}")


@cocotb.test()
async def every_step(dut) -> None:
    """Run all samples and write down everything."""
    with np.load("bench.npz") as given:
        bench = {name: given[name] for name in given.files}
    rng = random.Random(int(bench["seed"]))
    stall = float(bench["stall"])
    patience = int(bench["patience"])
    edge = RisingEdge(dut.clk)
    beats = [int.from_bytes(beat.tobytes(), "little") for beat in bench["beats"]]
    ends = set((np.cumsum(bench["lengths"]) - 1).tolist())

    for port in ("network", "sample"):
        getattr(dut, f"s_axis_{port}_tvalid").value = 0
    dut.m_axis_result_tready.value = 0
    dut.reg_write.value = 0
    dut.reg_addr.value = 0
    dut.reg_wdata.value = 0
    dut.rst.value = 1
    Clock(dut.clk, 10, unit="ns").start()
    for _ in range(4):
        await edge
    dut.rst.value = 0
    await _load(dut, edge, bench["image"], patience)

    probes = [_Probe(dut, layer) for layer in range(int(bench["layers"]))]
    sample_valid, sample_ready = dut.s_axis_sample_tvalid, dut.s_axis_sample_tready
    sample_data, sample_last = dut.s_axis_sample_tdata, dut.s_axis_sample_tlast
    result_valid, result_ready = dut.m_axis_result_tvalid, dut.m_axis_result_tready
    result_data, result_last = dut.m_axis_result_tdata, dut.m_axis_result_tlast
    first_beats, last_beats, record_cycles, records, record_lasts = [], [], [], [], []
    wanted = int(bench["records"])
    cycle, moved, taken, offered, ready = None, 0, 0, False, False
    while len(records) < wanted:
        if not offered and taken < len(beats) and rng.random() >= stall:
            sample_data.value = beats[taken]
            sample_last.value = int(taken in ends)
            sample_valid.value = 1
            offered = True
        if ready != (rng.random() >= stall):
            ready = not ready
            result_ready.value = int(ready)
        await edge
        now = 0 if cycle is None else cycle
        if offered and sample_ready.value:
            cycle = now
            if taken == 0 or taken - 1 in ends:
                first_beats.append(cycle)
            if taken in ends:
                last_beats.append(cycle)
            taken, moved, offered = taken + 1, now, False
            if taken == len(beats) or stall:
                sample_valid.value = 0
        if ready and result_valid.value:
            record_cycles.append(now)
            records.append(f"{int(result_data.value):x}")
            record_lasts.append(int(result_last.value))
            moved = now
        for probe in probes:
            if probe.valid.value:
                probe.note(now)
                moved = now
        if cycle is not None:
            cycle += 1
        assert now - moved <= patience, (
            f"nothing moved for {patience} cycles after {len(records)} of {wanted} records"
        )

    seen = {
        "first_beats": first_beats,
        "last_beats": last_beats,
        "record_cycles": record_cycles,
        "records": records,
        "record_lasts": record_lasts,
    }
    for layer, probe in enumerate(probes):
        for name in ("cycles", "blocks", "steps", "lasts", "potentials"):
            seen[f"{name}{layer}"] = getattr(probe, name)
    np.savez("seen.npz", **{name: np.array(values) for name, values in seen.items()})
