# SPDX-License-Identifier: Apache-2.0
"""Scores of the members of a committee to an answer."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design, index_bits
from hw.parts.spike_word import output_record
from hw.parts.step_shapes import score_layout

__all__ = ["RECORD_CYCLES", "CommitteeReadout", "answer_latency", "member_latency"]

#: Cycles from one record of an answer to the next, if it is taken at once.
RECORD_CYCLES = 3
# From a score to its sum in the memory: memory, register, sum, write.
_SUMMED = 4


def answer_latency(design: Design) -> int:
    """Cycles from the last score of the last member to the first record's offer."""
    return RECORD_CYCLES + _SUMMED * (2 if design.members > 1 else 1)


def member_latency(design: Design) -> int:
    """Cycles from the last score of a member that is not the last one to the end of the next step
    that can be taken."""
    return answer_latency(design) - RECORD_CYCLES + 1


class CommitteeReadout(wiring.Component):
    """Adds up scores and counts votes, member by member, and answers with a record a class.

    A member's scores come one a cycle. Each is added to the sum of its class, kept in a memory;
    with the last one it is known which class the member votes for: its highest score, of equal
    ones the lowest class. After the last member the sums decide in the same way. A sum enters the
    memory 4 cycles after its score, then the vote 4 cycles after that (designs of one member keep
    no votes). After another cycle the answer begins: each record takes 3 cycles, and is offered in
    the last of them.

    Parameters
    ----------
    design
        Classes, members, widths.

    Members
    -------
    score : In(score_layout)
        Scores of the last layer in every step.
    neurons, members : In
        In use.
    step_results : In(1)
        Answer after each step, not only after the last one; of one member. Only in designs with
        ``step_results`` and without a memory.
    marked : In(1)
        The answer is a running one. Only in designs with a memory, whose samples may be evaluated
        several times.
    reserve : In(1), reserve_last : In(1)
        A step's scores are under way, those of the last step of a member's pass.
    room : Out(1)
        Another step's scores may come.
    o : Out(stream of output_record)
        Answers.
    """

    def __init__(self, *, design: Design) -> None:
        self._design = design
        self._marks = design.evaluates
        self._every_step = design.step_results and not self._marks
        classes = range(design.classes + 1)
        super().__init__(
            {
                "score": In(score_layout(design)),
                "neurons": In(classes),
                "members": In(range(design.members + 1)),
                **({"step_results": In(1)} if self._every_step else {}),
                **({"marked": In(1)} if self._marks else {}),
                "reserve": In(1),
                "reserve_last": In(1),
                "room": Out(1),
                "o": Out(stream.Signature(output_record(design))),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        design = self._design
        several = design.members > 1
        number = index_bits(design.classes)
        vote_bits = design.members.bit_length()
        sum_shape = signed(design.score_bits)
        entry = data.StructLayout({"sum": sum_shape, **({"votes": vote_bits} if several else {})})
        m.submodules.sums = sums = memory.Memory(
            shape=entry, depth=1 << number, init=[], attrs={"ram_style": "block"}
        )
        write, read = sums.write_port(), sums.read_port()

        every_step = self.step_results if self._every_step else 0
        reserved = Signal()
        m.d.comb += self.room.eq(~reserved)
        with m.If(self.reserve & (self.reserve_last | every_step)):
            m.d.sync += reserved.eq(1)

        # A score, or a vote for a class, on its way into the memory.
        seen = Signal()
        m.d.comb += seen.eq(self.score.valid & (self.score.last | every_step))
        neuron, best_class = Signal(number), Signal(number)
        member = Signal(index_bits(design.members))
        votes, fetching = Signal(), Signal()
        travelling = data.StructLayout({"valid": 1, "vote": 1, "end": 1, "neuron": number})
        stages = [Signal(travelling, name=f"stage{n}") for n in range(_SUMMED)]
        first, second, third = stages[1:]
        m.d.comb += [
            stages[0].valid.eq(seen | votes),
            stages[0].vote.eq(votes),
            stages[0].end.eq(seen & self.score.end),
            stages[0].neuron.eq(Mux(votes, best_class, neuron)),
            read.addr.eq(stages[0].neuron),
        ]
        m.d.sync += [after.eq(before) for before, after in zip(stages, stages[1:], strict=False)]
        with m.If(seen):
            m.d.sync += neuron.eq(neuron + 1)
            with m.If(self.score.end):
                m.d.sync += neuron.eq(0)
        score = Signal(self.score.score.shape())
        added = Signal.like(score)
        row, total = Signal(entry), Signal(entry)
        m.d.sync += [score.eq(self.score.score), added.eq(score), row.eq(read.data)]
        with m.If(first.vote):
            m.d.sync += added.eq(0)
        fresh = Signal()  # sums and votes of the sample begin with this score
        m.d.comb += fresh.eq((member == 0) & ~first.vote & ~fetching)
        with m.If(fresh):
            m.d.sync += row.eq(0)
        # score_bits leave room for the sum over all members.
        m.d.sync += total.sum.eq(row.sum + added)
        if several:
            m.d.sync += total.votes.eq(row.votes + second.vote)
        m.d.comb += [write.en.eq(third.valid), write.addr.eq(third.neuron), write.data.eq(total)]

        # The member's choice from its scores, then the answer from the sums.
        best = Signal.like(score)
        begun = Signal()
        with m.If(first.valid & ~first.vote):
            m.d.sync += begun.eq(~first.end)
            with m.If(~begun | (score > best)):
                m.d.sync += [best.eq(score), best_class.eq(first.neuron)]
        winner = best_class
        if several:
            winner, most = Signal(number), Signal(sum_shape)
            begun_sums = Signal()
            with m.If(third.valid & ~third.vote):
                m.d.sync += begun_sums.eq(~third.end)
                with m.If(~begun_sums | (total.sum > most)):
                    m.d.sync += [most.eq(total.sum), winner.eq(third.neuron)]

        is_running = Signal()
        with m.If(seen):
            m.d.sync += is_running.eq(~self.score.last)
        final_member, final_neuron = Signal(), Signal.like(self.neurons)
        m.d.sync += [
            final_member.eq(member + 1 == self.members),
            final_neuron.eq(self.neurons - 1),
        ]
        m.d.comb += [
            self.o.p.neuron.eq(neuron),
            self.o.p.score.eq(row.sum),
            self.o.p.votes.eq(row.votes if several else neuron == winner),
            self.o.p.winner.eq(winner),
            self.o.p.running.eq(self.marked if self._marks else is_running),
            self.o.p.last.eq(neuron == final_neuron),
        ]
        with m.FSM():
            with m.State("COLLECT"):
                with m.If(third.valid & third.end):
                    m.next = "VOTE" if several else "CLOSE"
            with m.State("VOTE"):
                m.d.comb += votes.eq(1)
                m.next = "SETTLE"
            with m.State("SETTLE"):
                with m.If(third.valid):
                    m.next = "CLOSE"
            with m.State("CLOSE"):
                m.d.sync += member.eq(member + 1)
                m.next = "FETCH"
                with m.If(~final_member):
                    m.d.sync += reserved.eq(0)
                    m.next = "COLLECT"
                with m.Else():
                    m.d.sync += member.eq(0)
            with m.State("FETCH"):
                m.next = "KEEP"
            with m.State("KEEP"):
                m.d.comb += fetching.eq(1)
                m.next = "OFFER"
            with m.State("OFFER"):
                m.d.comb += [self.o.valid.eq(1), fetching.eq(1)]
                with m.If(self.o.ready):
                    m.d.sync += neuron.eq(neuron + 1)
                    m.next = "FETCH"
                    with m.If(self.o.p.last):
                        m.d.sync += [neuron.eq(0), reserved.eq(0)]
                        m.next = "COLLECT"
        return m
