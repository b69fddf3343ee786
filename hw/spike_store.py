# SPDX-License-Identifier: Apache-2.0
"""Spike times in any order to spike words sorted by step."""

from amaranth import Array, Cat, Module, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design import Design, index_bits
from hw.spike_word import spike_time_beat, spike_word

__all__ = ["SpikeStore"]


class SpikeStore(wiring.Component):
    """Collects one sample's spikes in a linked list per step and emits them step by step.

    ::

        beats of G times --> former --> collect --> words + heads --> emit --> words by step
                             (word a cycle)         (one list a step)

    *Collecting*: a beat occupies the former for max(1, number of words in it) cycles, where a
    word holds the spikes of one step among S neighbouring inputs. *Emitting* starts 3 cycles
    after the cycle in which the former was done with the last beat, and takes, for steps
    0..top, one cycle a step and one a word; a step without spikes costs its one cycle. With one
    bank the next sample is collected after emission has ended, with two meanwhile. After a reset
    the heads are cleared, one a cycle, before anything is collected.

    Parameters
    ----------
    design
        Sizes.
    layer
        The layer that this store feeds.

    Members
    -------
    i : In(stream of spike_time_beat)
        Spike times in input order.
    o : Out(stream of spike_word)
        Words sorted by step.
    every_step : In(1)
        Send a word for each of the steps 0..last_step, spikes or not.
    last_step : In(step_bits)
        T - 1, for ``every_step``.
    stop : In(1), stop_sample : In(2)
        Leave out what has not been sent yet of a sample (its number modulo 4): from the next
        cycle on, steps cost one cycle each, and the last one is marked by a word without spikes.
    """

    def __init__(self, *, design: Design, layer: int) -> None:
        self._design = design
        self._layer = layer
        super().__init__(
            {
                "i": In(stream.Signature(spike_time_beat(design, layer))),
                "o": Out(stream.Signature(spike_word(design, layer))),
                "every_step": In(1),
                "last_step": In(design.step_bits),
                "stop": In(1),
                "stop_sample": In(2),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        design, layer = self._design, self._design.layers[self._layer]
        banks = design.store_banks
        width = layer.inputs_per_cycle
        count = design.times_per_cycle(self._layer)
        subgroups = count // width
        pointer_bits = index_bits(design.max_words(self._layer))
        pointer = data.StructLayout({"index": pointer_bits, "valid": 1})
        word = data.StructLayout(
            {"group": index_bits(layer.groups), "spikes": width, "next": pointer}
        )

        # Shared state. `busy`: no collecting; `full`: emission may start or runs.
        busy = Signal(banks)
        full = Signal(banks)
        top = Array(Signal(design.step_bits, name=f"top{bank}") for bank in range(banks))
        collect_bank = Signal(index_bits(banks))
        emit_bank = Signal(index_bits(banks))

        m.submodules.words = words = memory.Memory(
            shape=word, depth=banks << pointer_bits, init=[]
        )
        words_write = words.write_port()
        words_read = words.read_port()
        heads, heads_write, heads_read = [], [], []
        for bank in range(banks):
            m.submodules[f"heads{bank}"] = head = memory.Memory(
                shape=pointer, depth=design.steps, init=[]
            )
            heads.append(head)
            heads_write.append(head.write_port())
            heads_read.append(head.read_port())

        # After reset, heads may hold anything.
        clearing = Signal(init=1)
        clear_step = Signal(index_bits(design.steps))
        with m.If(clearing):
            m.d.sync += clear_step.eq(clear_step + 1)
            with m.If(clear_step == design.steps - 1):
                m.d.sync += clearing.eq(0)

        # Former: one word a cycle out of the beat in hand.
        beat = Signal(spike_time_beat(design, self._layer))
        occupied = Signal()
        group_base = Signal(unsigned(index_bits(layer.groups) + 1))
        pending = Array(beat.fires[j * width : (j + 1) * width] for j in range(subgroups))
        subgroup = Signal(index_bits(subgroups))
        for j in reversed(range(subgroups)):
            with m.If(pending[j].any() if subgroups > 1 else 1):
                m.d.comb += subgroup.eq(j)
        fires = Signal(width)
        m.d.comb += fires.eq(pending[subgroup])
        steps = [Signal(design.step_bits, name=f"step{k}") for k in range(width)]
        for k in range(width):
            choices = Array(beat.steps[j * width + k] for j in range(subgroups))
            m.d.comb += steps[k].eq(choices[subgroup])
        step = Signal(design.step_bits)
        for k in reversed(range(width)):
            with m.If(fires[k]):
                m.d.comb += step.eq(steps[k])
        spikes = Signal(width)
        m.d.comb += spikes.eq(Cat(fires[k] & (steps[k] == step) for k in range(width)))
        remaining = Signal(count)
        for j in range(subgroups):
            part = slice(j * width, (j + 1) * width)
            m.d.comb += remaining[part].eq(
                beat.fires[part] & ~(spikes & (subgroup == j).replicate(width))
            )
        can_collect = Signal()
        form = Signal()
        done = Signal()
        end = Signal()
        m.d.comb += [
            can_collect.eq(occupied & ~clearing & ~busy.bit_select(collect_bank, 1)),
            form.eq(can_collect & fires.any()),
            done.eq(can_collect & ~remaining.any()),
            end.eq(done & beat.last),
            self.i.ready.eq(~occupied | done),
        ]
        with m.If(can_collect):
            m.d.sync += beat.fires.eq(remaining)
        with m.If(done):
            m.d.sync += group_base.eq(group_base + subgroups)
        with m.If(end):
            m.d.sync += [group_base.eq(0), busy.bit_select(collect_bank, 1).eq(1)]
            if banks == 2:
                m.d.sync += collect_bank.eq(~collect_bank)
        with m.If(self.i.ready):
            m.d.sync += [occupied.eq(self.i.valid), beat.eq(self.i.p)]

        # Collect: link the word in front of the list of its step. The head is read in the
        # former's cycle; a word of the same step right before has not been stored yet.
        number = Signal(pointer_bits)
        stored = Signal(
            data.StructLayout(
                {
                    "valid": 1,
                    "end": 1,
                    "bank": index_bits(banks),
                    "step": design.step_bits,
                    "index": pointer_bits,
                    "group": index_bits(layer.groups),
                    "spikes": width,
                    "follows": 1,
                }
            )
        )
        previous = Signal(pointer_bits)
        with m.If(form):
            m.d.sync += number.eq(number + 1)
        with m.If(end):
            m.d.sync += number.eq(0)
        m.d.sync += [
            stored.valid.eq(form),
            stored.end.eq(end),
            stored.bank.eq(collect_bank),
            stored.step.eq(step),
            stored.index.eq(number),
            # Group numbers of real inputs fit; beats of padding never spike.
            stored.group.eq(group_base + subgroup),
            stored.spikes.eq(spikes),
            stored.follows.eq(stored.valid & ~stored.end & (stored.step == step)),
            previous.eq(stored.index),
        ]
        head_before = Signal(pointer)
        head = Signal(pointer)
        m.d.comb += [head_before.eq(heads_read[0].data), head.eq(heads_read[0].data)]
        if banks == 2:
            with m.If(stored.bank):
                m.d.comb += head_before.eq(heads_read[1].data)
            with m.If(emit_bank):
                m.d.comb += head.eq(heads_read[1].data)
        m.d.comb += [
            words_write.en.eq(stored.valid),
            words_write.addr.eq(Cat(stored.index, stored.bank)[: len(words_write.addr)]),
            words_write.data.group.eq(stored.group),
            words_write.data.spikes.eq(stored.spikes),
            words_write.data.next.valid.eq(stored.follows | head_before.valid),
        ]
        with m.If(stored.follows):
            m.d.comb += words_write.data.next.index.eq(previous)
        with m.Else():
            m.d.comb += words_write.data.next.index.eq(head_before.index)
        with m.If(stored.valid & (stored.step > top[stored.bank])):
            m.d.sync += top[stored.bank].eq(stored.step)
        with m.If(stored.end):
            m.d.sync += full.bit_select(stored.bank, 1).eq(1)

        # Emit.
        emit_step = Signal(design.step_bits)
        head_next = Signal(design.step_bits)
        head_enable = Signal()
        head_clear = Signal()
        for bank in range(banks):
            with m.If(clearing):
                m.d.comb += [
                    heads_write[bank].en.eq(1),
                    heads_write[bank].addr.eq(clear_step),
                ]
            with m.Elif(full[bank]):
                m.d.comb += [
                    heads_write[bank].en.eq(head_clear & (emit_bank == bank)),
                    heads_write[bank].addr.eq(emit_step),
                    heads_read[bank].en.eq(head_enable),
                    heads_read[bank].addr.eq(head_next),
                ]
            with m.Else():
                m.d.comb += [
                    heads_write[bank].en.eq(stored.valid & (stored.bank == bank)),
                    heads_write[bank].addr.eq(stored.step),
                    heads_write[bank].data.index.eq(stored.index),
                    heads_write[bank].data.valid.eq(1),
                    heads_read[bank].en.eq(form),
                    heads_read[bank].addr.eq(step),
                ]
        next_word = Signal(pointer_bits)
        m.d.comb += words_read.addr.eq(Cat(next_word, emit_bank)[: len(words_read.addr)])
        end_step = Signal(design.step_bits)
        m.d.comb += end_step.eq(top[emit_bank])
        with m.If(self.every_step):
            m.d.comb += end_step.eq(self.last_step)
        final = Signal()
        leave_step = Signal()
        m.d.comb += [final.eq(emit_step == end_step), self.o.p.step.eq(emit_step)]
        words_read_enable = Signal()
        m.d.comb += words_read.en.eq(words_read_enable)
        emit_sample = Signal(2)
        stopped = Signal()
        with m.If(self.stop & (self.stop_sample == emit_sample)):
            m.d.sync += stopped.eq(1)
        with m.FSM():
            with m.State("IDLE"):
                with m.If(full.bit_select(emit_bank, 1)):
                    m.d.comb += head_enable.eq(1)
                    m.next = "HEAD"
            with m.State("HEAD"):
                m.d.comb += [head_clear.eq(1), next_word.eq(head.index)]
                with m.If(head.valid & ~stopped):
                    m.d.comb += words_read_enable.eq(1)
                    m.next = "WORD"
                with m.Else():
                    m.d.comb += [
                        self.o.valid.eq((emit_step == 0) | self.every_step | (stopped & final)),
                        self.o.p.end_of_step.eq(1),
                        self.o.p.last.eq(final),
                        leave_step.eq(~self.o.valid | self.o.ready),
                    ]
                    with m.If(leave_step):
                        with m.If(final):
                            m.next = "IDLE"
            with m.State("WORD"):
                m.d.comb += [
                    next_word.eq(words_read.data.next.index),
                    self.o.valid.eq(1),
                    self.o.p.group.eq(words_read.data.group),
                    self.o.p.spikes.eq(words_read.data.spikes),
                    self.o.p.end_of_step.eq(~words_read.data.next.valid),
                    self.o.p.last.eq(~words_read.data.next.valid & final),
                ]
                with m.If(self.o.ready):
                    m.d.comb += words_read_enable.eq(words_read.data.next.valid)
                    with m.If(~words_read.data.next.valid | (stopped & ~final)):
                        m.d.comb += leave_step.eq(1)
                    with m.Elif(stopped):
                        m.next = "STOPPED"
                with m.If(leave_step):
                    m.next = "HEAD"
                    with m.If(final):
                        m.next = "IDLE"
            with m.State("STOPPED"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.p.end_of_step.eq(1),
                    self.o.p.last.eq(1),
                    leave_step.eq(self.o.ready),
                ]
                with m.If(leave_step):
                    m.next = "IDLE"
        with m.If(leave_step):
            m.d.sync += emit_step.eq(emit_step + 1)
            m.d.comb += [head_enable.eq(1), head_next.eq(emit_step + 1)]
            with m.If(final):
                m.d.sync += [
                    emit_sample.eq(emit_sample + 1),
                    stopped.eq(0),
                    emit_step.eq(0),
                    top[emit_bank].eq(0),
                    full.bit_select(emit_bank, 1).eq(0),
                    busy.bit_select(emit_bank, 1).eq(0),
                ]
                if banks == 2:
                    m.d.sync += emit_bank.eq(~emit_bank)
        return m
