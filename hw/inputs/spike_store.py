# SPDX-License-Identifier: Apache-2.0
"""Spike times in any order to spike words sorted by step."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.design.design import Design, index_bits
from hw.parts.spike_word import spike_time_beat, spike_word
from hw.parts.word_former import ENTRY, WordFormer

__all__ = ["SpikeStore"]


class SpikeStore(wiring.Component):
    """Collects one sample's spikes in a linked list per step and emits them step by step.

    ::

        beats of G times --> WordFormer --> collect --> words + heads --> emit
                            (word a cycle)           (one list a step)

    *Collecting*: a word a cycle, see `hw.parts.word_former`. *Emitting* starts 4 cycles after the
    cycle in which the former was done with the last beat, and takes, for steps 0..top, one cycle a
    step and one a word; a step without spikes costs its one cycle. With one bank the next sample is
    collected after emission has ended, with two meanwhile. A sample that is sent several times
    begins again 2 cycles after its last word. After a reset the heads are cleared, one a cycle,
    before anything is collected.

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
    passes : In, is_first_pass : Out(1)
        How often a sample is sent, and whether it is sent for the first time; only in stepwise
        designs.
    entry : Out(ENTRY)
        From the former.
    """

    def __init__(self, *, design: Design, layer: int) -> None:
        self._design = design
        self._layer = layer
        passes = {"passes": In(range(design.members + 1)), "is_first_pass": Out(1)}
        passes = passes if design.is_stepwise else {}
        super().__init__(
            {
                "i": In(stream.Signature(spike_time_beat(design, layer))),
                "o": Out(stream.Signature(spike_word(design, layer))),
                "every_step": In(1),
                "last_step": In(design.step_bits),
                "stop": In(1),
                "stop_sample": In(2),
                **passes,
                "entry": Out(ENTRY),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        design, layer = self._design, self._design.layers[self._layer]
        banks = design.store_banks
        width = layer.inputs_per_cycle
        pointer_bits = index_bits(design.max_words(self._layer))
        # `single`: the list has one word. A word tells of the one behind it whether that is the
        # last, so that a word's own place in the list is known before the memory gives it.
        # Two banks stand for speed: there a word names the word after the next one, so that the
        # memory's answer has a cycle to become its own address. It costs `second` in the heads.
        skips = banks == 2
        second = {"second": pointer_bits} if skips else {}
        pointer = data.StructLayout({"index": pointer_bits, "valid": 1, "single": 1, **second})
        word = data.StructLayout(
            {
                "group": index_bits(layer.groups),
                "spikes": width,
                "next": pointer_bits,  # the word after the next one, if it skips
                "next_is_last": 1,
            }
        )

        # Shared state. `busy`: no collecting; `full`: emission may start or runs.
        busy = Signal(banks)
        full = Signal(banks)
        top = Array(Signal(design.step_bits, name=f"top{bank}") for bank in range(banks))
        collect_bank = Signal(index_bits(banks))
        emit_bank = Signal(index_bits(banks))

        m.submodules.words = words = memory.Memory(shape=word, depth=banks << pointer_bits, init=[])
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

        m.submodules.former = former = WordFormer(design=design, layer=self._layer)
        connect(m, flipped(self.i), former.i)
        formed, formed_bank = former.formed, Signal(index_bits(banks))
        m.d.comb += [
            former.hold.eq(clearing | busy.bit_select(collect_bank, 1)),
            self.entry.eq(former.entry),
        ]
        m.d.sync += formed_bank.eq(collect_bank)
        with m.If(former.end):
            m.d.sync += busy.bit_select(collect_bank, 1).eq(1)
            if banks == 2:
                m.d.sync += collect_bank.eq(~collect_bank)

        # Collect: link the word in front of the list of its step. The head is read in the cycle
        # before; a word of the same step right before has not been stored then.
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
        with m.If(formed.valid):
            m.d.sync += number.eq(number + 1)
        with m.If(formed.end):
            m.d.sync += number.eq(0)
        m.d.sync += [
            stored.valid.eq(formed.valid),
            stored.end.eq(formed.end),
            stored.bank.eq(formed_bank),
            stored.step.eq(formed.step),
            stored.index.eq(number),
            stored.group.eq(formed.group),
            stored.spikes.eq(formed.spikes),
            stored.follows.eq(stored.valid & ~stored.end & (stored.step == formed.step)),
        ]
        head_before = Signal(pointer)
        head = Signal(pointer)
        m.d.comb += [head_before.eq(heads_read[0].data), head.eq(heads_read[0].data)]
        if banks == 2:
            with m.If(stored.bank):
                m.d.comb += head_before.eq(heads_read[1].data)
            with m.If(emit_bank):
                m.d.comb += head.eq(heads_read[1].data)
        previous = Signal(pointer)
        behind = Signal(pointer)
        m.d.comb += behind.eq(head_before)
        with m.If(stored.follows):
            m.d.comb += behind.eq(previous)
        new_head = Signal(pointer)
        m.d.comb += [
            new_head.index.eq(stored.index),
            new_head.valid.eq(1),
            new_head.single.eq(~behind.valid),
            words_write.en.eq(stored.valid),
            words_write.addr.eq(Cat(stored.index, stored.bank)[: len(words_write.addr)]),
            words_write.data.group.eq(stored.group),
            words_write.data.spikes.eq(stored.spikes),
            words_write.data.next.eq(behind.second if skips else behind.index),
            words_write.data.next_is_last.eq(behind.single),
        ]
        if skips:
            m.d.comb += new_head.second.eq(behind.index)
        m.d.sync += previous.eq(new_head)
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
                    heads_write[bank].data.eq(new_head),
                    heads_read[bank].en.eq(formed.valid),
                    heads_read[bank].addr.eq(formed.step),
                ]
        next_word = Signal(pointer_bits)
        following = Signal(pointer_bits)  # the word behind the one in hand, if there is one
        if not skips:
            m.d.comb += following.eq(words_read.data.next)
        m.d.comb += words_read.addr.eq(Cat(next_word, emit_bank)[: len(words_read.addr)])
        end_step = Signal(design.step_bits)
        m.d.comb += end_step.eq(top[emit_bank])
        with m.If(self.every_step):
            m.d.comb += end_step.eq(self.last_step)
        final = Signal()
        leave_step = Signal()
        # A step stands for a cycle or more before this is asked for.
        m.d.sync += final.eq(emit_step == end_step)
        with m.If(leave_step):
            m.d.sync += final.eq(emit_step + 1 == end_step)
        if not design.is_stepwise:
            m.d.comb += self.o.p.step.eq(emit_step)
        end_of_list = Signal()  # the word in hand is the last of its step
        words_read_enable = Signal()
        m.d.comb += words_read.en.eq(words_read_enable)
        final_pass = Signal(init=1)
        if design.is_stepwise and design.members > 1:
            sent = Signal(range(design.members))
            m.d.sync += final_pass.eq(sent + 1 == self.passes)
            with m.If(leave_step & final):
                m.d.sync += sent.eq(Mux(final_pass, 0, sent + 1))
            m.d.comb += self.is_first_pass.eq(sent == 0)
        elif design.is_stepwise:
            m.d.comb += self.is_first_pass.eq(1)
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
                m.d.comb += [head_clear.eq(final_pass), next_word.eq(head.index)]
                with m.If(head.valid & ~stopped):
                    m.d.comb += words_read_enable.eq(1)
                    m.d.sync += end_of_list.eq(head.single)
                    if skips:
                        m.d.sync += following.eq(head.second)
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
                    next_word.eq(following),
                    self.o.valid.eq(1),
                    self.o.p.group.eq(words_read.data.group),
                    self.o.p.spikes.eq(words_read.data.spikes),
                    self.o.p.end_of_step.eq(end_of_list),
                    self.o.p.last.eq(end_of_list & final),
                ]
                with m.If(self.o.ready):
                    m.d.comb += words_read_enable.eq(~end_of_list)
                    m.d.sync += end_of_list.eq(words_read.data.next_is_last)
                    if skips:
                        m.d.sync += following.eq(words_read.data.next)
                    with m.If(end_of_list | (stopped & ~final)):
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
                m.d.sync += emit_step.eq(0)
            with m.If(final & final_pass):
                m.d.sync += [
                    emit_sample.eq(emit_sample + 1),
                    stopped.eq(0),
                    top[emit_bank].eq(0),
                    full.bit_select(emit_bank, 1).eq(0),
                    busy.bit_select(emit_bank, 1).eq(0),
                ]
                if banks == 2:
                    m.d.sync += emit_bank.eq(~emit_bank)
        return m
