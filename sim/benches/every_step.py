# SPDX-License-Identifier: Apache-2.0
"""cocotb bench: load a network, stream samples, and note beats and records.

Parameters come from ``bench.npz`` in the working folder, what was seen goes to ``seen.npz``
there; `sim.bench_files` writes the one and reads the other. What the probes show is written down
by `sim.monitor`, around which the bench runs.

``bench.npz``: ``image`` (bytes of the device image), ``writes`` (register address and value, one
row each, after the load), ``settle`` (cycles after which the core is idle), ``beats`` (uint8,
beats x bytes a beat), ``lengths`` (beats of each sample), ``records`` (how many to wait for),
``seed``, ``stall`` (probability that a side pauses in a cycle), ``patience`` (cycles).

``seen.npz``: ``origin`` (cycle of the monitor in which the first beat was taken), and cycles
counted from it: ``first_beats``, ``last_beats`` (a sample), ``record_cycles``; ``records`` (hex of
tdata), ``record_lasts``.
"""

import random

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

__all__ = ["every_step"]

_ACTIVE = 2
_STATUS_REGISTER = 24
# Cycles until the end of an image has been judged and is shown.
_JUDGED = 8
_LISTS = ("first_beats", "last_beats", "record_cycles", "records", "record_lasts")


async def _load(dut, edge, bench) -> None:
    """Send the device image, wait until its network is active, write the registers."""
    image, patience = bench["image"], int(bench["patience"])
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
    dut.reg_addr.value = _STATUS_REGISTER
    for _ in range(_JUDGED):
        await edge
    status = int(dut.reg_rdata.value)
    assert status & 0xFF == _ACTIVE, f"network was refused, status register {status:#x}"
    for address, value in bench["writes"].tolist():
        dut.reg_addr.value = address
        dut.reg_wdata.value = value
        dut.reg_write.value = 1
        await edge
        dut.reg_write.value = 0
    for _ in range(int(bench["settle"])):
        await edge


@cocotb.test()
async def every_step(dut) -> None:
    """Run all samples and write down everything."""
    with np.load("bench.npz") as given:
        bench = {name: given[name] for name in given.files}
    edge = RisingEdge(dut.clk)
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
    await _load(dut, edge, bench)

    seen = {"origin": [], **{name: [] for name in _LISTS}}
    try:
        await _stream(dut, edge, bench, seen)
    finally:
        np.savez("seen.npz", **{name: np.array(values) for name, values in seen.items()})


async def _stream(dut, edge, bench, seen: dict[str, list]) -> None:
    """Send all samples and take all records, both sides pausing at random if asked to."""
    rng = random.Random(int(bench["seed"]))
    stall, patience, wanted = float(bench["stall"]), int(bench["patience"]), int(bench["records"])
    beats = [int.from_bytes(beat.tobytes(), "little") for beat in bench["beats"]]
    ends = set((np.cumsum(bench["lengths"]) - 1).tolist())
    sample_valid, sample_ready = dut.s_axis_sample_tvalid, dut.s_axis_sample_tready
    sample_data, sample_last = dut.s_axis_sample_tdata, dut.s_axis_sample_tlast
    result_valid, result_ready = dut.m_axis_result_tvalid, dut.m_axis_result_tready
    result_data, result_last = dut.m_axis_result_tdata, dut.m_axis_result_tlast
    cycle = idle = taken = 0
    offered = ready = False
    while len(seen["records"]) < wanted:
        if not offered and taken < len(beats) and rng.random() >= stall:
            sample_data.value = beats[taken]
            sample_last.value = int(taken in ends)
            sample_valid.value = 1
            offered = True
        if ready != (rng.random() >= stall):
            ready = not ready
            result_ready.value = int(ready)
        await edge
        idle += 1
        if offered and sample_ready.value:
            if taken == 0:
                seen["origin"].append(int(dut.cycle.value))
            if taken == 0 or taken - 1 in ends:
                seen["first_beats"].append(cycle)
            if taken in ends:
                seen["last_beats"].append(cycle)
            taken, idle, offered = taken + 1, 0, False
            if taken == len(beats) or stall:
                sample_valid.value = 0
        if ready and result_valid.value:
            seen["record_cycles"].append(cycle)
            seen["records"].append(f"{int(result_data.value):x}")
            seen["record_lasts"].append(int(result_last.value))
            idle = 0
        # Cycle 0 is the one in which the first beat is taken.
        cycle += taken > 0
        assert idle <= patience, (
            f"nothing moved for {patience} cycles after {len(seen['records'])} of {wanted} records"
        )
