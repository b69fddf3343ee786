# SPDX-License-Identifier: Apache-2.0
"""A device image into the memories and settings of the core, all or nothing."""

from amaranth import Array, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import crc, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design
from hw.formats.image_layout import (
    ImageLayer,
    LoadError,
    LoadState,
    head_bytes,
)
from hw.formats.structures import size_of
from hw.formats.write_target import ENCODER_TARGET, MEMORY_TARGETS, write_row_bits, write_targets
from hw.loading.core_config import core_config
from hw.loading.header_reader import add_header_reader
from hw.parts.byte_beat import ByteBeat

__all__ = ["Loader"]

_LAYER_BYTES = size_of(ImageLayer)


class Loader(wiring.Component):
    """Takes one device image (`hw.formats.image_layout`) and makes its network active if it is
    whole.

    The first byte of an image stops the network in use. Every size is compared with the design
    before a byte is written, the length with ``last``, and the CRC-32 at the end; only then
    ``running`` rises. Otherwise ``error`` says why, no network is active, and the rest of the
    image is swallowed up to its ``last``.

    With ``resident`` the memories hold the rows already: the image has none, and its CRC-32 is that
    of what is left (`hw.formats.contents.Contents.head`).

    One byte in 3 cycles while the header is read, then one byte a cycle and 1 cycle more after
    each block of rows (2 cycles a block with ``resident``); 2 cycles more at the end of an image.

    Parameters
    ----------
    design
        Capacity to compare with.

    Members
    -------
    i : In(stream of ByteBeat)
        The image.
    resident : In(1)
        The image is without rows; stable from its first byte to its last.
    ends : Out(1)
        The byte that is taken next is the last of a whole image.
    running : Out(1)
        A network is active.
    config : Out(core_config)
        Its settings, stable while ``running``. What the host chooses at run time is here as it is
        after a load: as many members as are stored, or one that is drawn.
    members : Out(8)
        Weight sets that it stores; 0: its members are drawn.
    sample_values : Out
        Bytes of its samples.
    fingerprint : Out(32)
        Its fingerprint.
    state : Out(LoadState)
        What is held.
    error : Out(LoadError)
        Why the last image was refused, until the next one begins.
    write_valid, write_target, write_row, write_end, write_data : Out
        Memory write port, see `hw.core.Core`.
    """

    def __init__(self, *, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "i": In(stream.Signature(ByteBeat)),
                "resident": In(1),
                "ends": Out(1),
                "running": Out(1),
                "config": Out(core_config(design)),
                "members": Out(8),
                "sample_values": Out(range(design.sample_values + 1)),
                "fingerprint": Out(32),
                "state": Out(LoadState),
                "error": Out(LoadError),
                "write_valid": Out(1),
                "write_target": Out(range(1 + write_targets(design)[-1].number)),
                "write_row": Out(write_row_bits(design)),
                "write_end": Out(1),
                "write_data": Out(8),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        design, config = self._design, self.config

        check = crc.catalog.CRC32_ISO_HDLC(data_width=8).create()
        begin = Signal()  # everything but what is held starts again
        m.submodules.crc = ResetInserter(begin)(check)  # costs less than its start input
        take = Signal()  # a byte is taken in this cycle
        byte = self.i.p.data
        # Position in the header; within the list of layers it runs from its end over one entry.
        head = head_bytes(design)
        place = Signal(range(head + _LAYER_BYTES))
        layer = Signal(range(len(design.layers)))
        ended = Signal()  # the byte taken last was the last one
        fault = Signal(LoadError)
        features = Signal(range(design.features + 1))
        m.d.comb += [
            self.running.eq(self.state == LoadState.ACTIVE),
            take.eq(self.i.valid & self.i.ready),
            check.valid.eq(take),
            check.data.eq(byte),
        ]
        with m.If(take):
            m.d.sync += ended.eq(self.i.p.last)

        # Where the rows go: memory after memory; a weight memory set after set, block after block.
        targets = write_targets(design)
        rooms = [None if t.layer is None else design.layers[t.layer] for t in targets]
        block_rows = [
            # Of a Legendre memory as many rows as are in use: blocks of one.
            1
            if this.name in (*MEMORY_TARGETS, ENCODER_TARGET)
            else this.rows
            if room is None
            else room.rows_per_block
            if this.name == "weights"
            # A design with threshold memories counts blocks in them, too.
            else room.beats
            for this, room in zip(targets, rooms, strict=True)
        ]
        has_sets = [
            this.name == "weights" and room is not None and room.members > 1
            for this, room in zip(targets, rooms, strict=True)
        ]
        target = Signal(range(len(targets)))
        row = Signal(range(max(this.rows for this in targets)))
        set_row = Signal.like(row)  # first row of the set
        member = Signal(range(design.members))
        most_blocks = max(this.blocks for this in design.layers)
        most_places = max(this.blocks * this.lanes for this in design.layers)
        if design.memory is not None:
            most_places = max(most_places, design.memory.states, design.features)
        block = Signal(range(1 + most_blocks))
        row_in_block = Signal(range(max(block_rows)))
        byte_in_row = Signal(range(max(2, *(this.row_bytes for this in targets))))
        covered = Signal(range(1 + most_places))
        reach = Signal.like(covered)  # neurons that blocks up to and with this one have room for
        is_last_block = Signal()  # a cycle late
        is_last_set = Signal()  # a cycle late
        last_byte = Array(this.row_bytes - 1 for this in targets)
        last_row = Array(count - 1 for count in block_rows)
        set_rows = Array(0 if room is None else room.rows_per_member for room in rooms)
        lanes = Array(1 if room is None else room.lanes for room in rooms)
        counts = {}
        if design.memory is not None:
            sizes = config.memory.order, config.memory.states
            counts = dict(zip(MEMORY_TARGETS, sizes, strict=True)) | {ENCODER_TARGET: features}
        wanted = Array(
            counts.get(this.name, 0) if this.layer is None else config.layers[this.layer].neurons
            for this in targets
        )
        sets = Signal(8)
        m.d.comb += [
            reach.eq(covered + lanes[target]),
            self.write_target.eq(target + targets[0].number),
            self.write_row.eq(row),
            self.write_end.eq(byte_in_row == last_byte[target]),
            self.write_data.eq(byte),
            # What all drawn members share is there for each that may be drawn.
            sets.eq(Mux(self.members == 0, design.members, self.members)),
        ]
        m.d.sync += [
            is_last_block.eq(reach >= wanted[target]),
            is_last_set.eq(~Array(has_sets)[target] | (member + 1 == sets)),
        ]

        def fail(error: LoadError | Signal, ends: Value) -> None:
            """Give up; the next image begins behind the end of this one."""
            m.d.sync += [self.state.eq(LoadState.NONE), self.error.eq(error)]
            m.next = "FAILED"
            with m.If(ends):
                m.next = "BEGIN"

        add_header_reader(
            m,
            loader=self,
            design=design,
            take=take,
            place=place,
            layer=layer,
            fault=fault,
            features=features,
        )
        with m.FSM():
            with m.State("BEGIN"):
                m.d.comb += begin.eq(1)
                counters = (place, layer, target, row, set_row, member, block, covered)
                m.d.sync += [counter.eq(0) for counter in (*counters, row_in_block, byte_in_row)]
                m.next = "HEADER"

            # Three cycles a byte, so that comparing costs no clock.
            with m.State("HEADER"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(take):
                    with m.If(place == 0):
                        m.d.sync += [
                            self.state.eq(LoadState.LOADING),
                            self.error.eq(LoadError.NONE),
                        ]
                    m.next = "COMPARE"
            with m.State("COMPARE"):
                m.next = "JUDGE"
            with m.State("JUDGE"):
                m.d.sync += place.eq(place + 1)
                m.next = "HEADER"
                with m.If(place == head + _LAYER_BYTES - 1):
                    m.d.sync += [place.eq(head), layer.eq(layer + 1)]
                    with m.If(layer == len(design.layers) - 1):
                        m.d.sync += place.eq(0)
                        m.next = "ROWS"
                with m.If(fault != LoadError.NONE):
                    fail(fault, ended)
                with m.Elif(ended):
                    fail(LoadError.LENGTH, ended)
            with m.State("ROWS"):
                m.d.comb += [self.i.ready.eq(~self.resident), self.write_valid.eq(take)]
                with m.If(self.resident):
                    m.next = "BLOCK"
                with m.If(take):
                    m.d.sync += byte_in_row.eq(byte_in_row + 1)
                    with m.If(self.write_end):
                        m.d.sync += [
                            byte_in_row.eq(0),
                            row.eq(row + 1),
                            row_in_block.eq(row_in_block + 1),
                        ]
                        with m.If(row_in_block == last_row[target]):
                            m.d.sync += row_in_block.eq(0)
                            m.next = "BLOCK"
                    with m.If(self.i.p.last):
                        fail(LoadError.LENGTH, self.i.p.last)

            with m.State("BLOCK"):
                m.d.sync += [covered.eq(reach), block.eq(block + 1)]
                for index, this in enumerate(targets):
                    if this.name == "weights":
                        with m.If(target == index):
                            m.d.sync += config.layers[this.layer].blocks.eq(block + 1)
                m.next = "ROWS"
                with m.If(is_last_block):
                    m.d.sync += [covered.eq(0), block.eq(0)]
                    with m.If(is_last_set):
                        m.d.sync += [row.eq(0), set_row.eq(0), member.eq(0), target.eq(target + 1)]
                        with m.If(target == len(targets) - 1):
                            m.next = "CRC"
                    with m.Else():
                        following = set_row + set_rows[target]
                        m.d.sync += [
                            row.eq(following),
                            set_row.eq(following),
                            member.eq(member + 1),
                        ]

            with m.State("CRC"):
                m.d.comb += [self.i.ready.eq(1), self.ends.eq(place == 3)]
                with m.If(take):
                    m.d.sync += place.eq(place + 1)
                    with m.If(place == 3):
                        m.next = "VERIFY"
                    with m.If(self.i.p.last != (place == 3)):
                        fail(LoadError.LENGTH, self.i.p.last)

            with m.State("VERIFY"):
                m.d.sync += self.state.eq(LoadState.ACTIVE)
                m.next = "BEGIN"
                with m.If(~check.match_detected):
                    fail(LoadError.CRC, ended)

            with m.State("FAILED"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(take & self.i.p.last):
                    m.next = "BEGIN"
        return m
