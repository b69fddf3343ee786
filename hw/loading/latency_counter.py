# SPDX-License-Identifier: Apache-2.0
"""Cycles that one sample takes through the core."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.formats.register_map import COUNTER_BITS

__all__ = ["LatencyCounter"]


class LatencyCounter(wiring.Component):
    """Measures a sample that finds the core empty, from its first beat to its last record.

    Both of these cycles count. Cycles in which the core waits for a beat of the sample that is
    not offered yet, or for a record to be taken, do not: the figure is that of
    `hw.times.schedule.SampleSchedule.latency`, however slow the link is. Samples that begin while
    another is in the core are not measured.

    Parameters
    ----------
    lead
        Cycles from the taking of a sample's beat to where its transfer is seen here.
    in_flight
        Most samples that can be in the core at a time.

    Members
    -------
    running : In(1)
        0 forgets everything.
    sample_valid, sample_ready, sample_last : In(1)
        Transfers of sample beats, at the place where a beat is taken as soon as the one before
        has been dealt with.
    record_valid, record_ready, record_last : In(1)
        Transfers of output records.
    measured : Out(1)
        The record offered now belongs to a sample that is being measured.
    latency : Out(COUNTER_BITS)
        Cycles of the last measured sample, up to and with the cycle before its last record is
        taken; complete in the cycle after.
    """

    def __init__(self, *, lead: int, in_flight: int) -> None:
        self._lead = lead
        self._in_flight = in_flight
        super().__init__(
            {
                **{
                    f"{stream}_{wire}": In(1)
                    for stream in ("sample", "record")
                    for wire in ("valid", "ready", "last")
                },
                "running": In(1),
                "measured": Out(1),
                "latency": Out(COUNTER_BITS),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        entered = Signal()  # some beats of a sample, but not its last, have been taken
        samples = Signal(range(self._in_flight + 1))
        begin, end, finish = Signal(), Signal(), Signal()
        beat = Signal()
        own = Signal()  # the sample that enters is the measured one
        m.d.comb += [
            beat.eq(self.sample_valid & self.sample_ready),
            begin.eq(beat & ~entered),
            end.eq(beat & self.sample_last),
            finish.eq(self.record_valid & self.record_ready & self.record_last),
        ]
        with m.If(beat):
            m.d.sync += entered.eq(~self.sample_last)
        # Begun and not finished; never more than the core has room for.
        m.d.sync += samples.eq(samples + begin - finish)

        waiting = Signal()
        m.d.comb += waiting.eq(
            (own & entered & self.sample_ready & ~self.sample_valid)
            | (self.record_valid & ~self.record_ready)
        )
        with m.If(begin & (samples == 0)):
            m.d.sync += [self.measured.eq(1), own.eq(1), self.latency.eq(1 + self._lead)]
        with m.Elif(self.measured & ~waiting):
            m.d.sync += self.latency.eq(self.latency + 1)
        with m.If(end):
            m.d.sync += own.eq(0)
        with m.If(finish):
            m.d.sync += self.measured.eq(0)
        with m.If(~self.running):
            m.d.sync += [entered.eq(0), samples.eq(0), self.measured.eq(0), own.eq(0)]
        return m
