# SPDX-License-Identifier: Apache-2.0
"""The register window in gateware, with the counters that it shows."""

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import Design
from hw.formats.design_words import design_words
from hw.formats.image_layout import LoadError, LoadState
from hw.formats.register_map import (
    COUNTER_BITS,
    BootWord,
    CommitteeWord,
    ControlWord,
    ErrorFlags,
    LinkWord,
    NetworkWord,
    SizeWord,
    StatusWord,
    board_code,
    register_address,
)
from hw.loading.core_config import core_config

__all__ = ["RegisterBus", "Registers", "WriteRefusal", "choice_layout"]


class WriteRefusal(enum.Enum, shape=2):
    """Why a write changed nothing."""

    NONE = 0
    #: More members than the network has, or than the gateware was built for; or none; or answers
    #: after steps of several members, or of a gateware without them.
    MEMBERS = 1
    #: The seed 0.
    SEED = 2


def choice_layout(design: Design) -> data.StructLayout:
    """What the host chooses for a network: ``members`` (K), ``seed``, ``step_results``; see
    `hw.core_config.core_config`."""
    return data.StructLayout({"members": range(design.members + 1), "seed": 32, "step_results": 16})


class RegisterBus(wiring.Signature):
    """Window of 256 bytes, 32 bits at a time.

    Members
    -------
    address : Out(8)
        Byte address; the two lowest bits are ignored.
    read_data : In(32)
        What the address of the cycle before names; 0 where no register is.
    write_data : Out(32), write : Out(1)
        Write at the address of the same cycle.
    refusal : In(WriteRefusal)
        Of the last write, from the cycle after it on.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "address": Out(8),
                "read_data": In(32),
                "write_data": Out(32),
                "write": Out(1),
                "refusal": In(WriteRefusal),
            }
        )


class Registers(wiring.Component):
    """Shows `hw.formats.register_map.REGISTERS`.

    Parameters
    ----------
    design
        Its words are constants of the window.
    clock_hz
        Clock, for the host's information; 0 if not known.
    board
        Command-line name of the board, for the host's information; none if not known.

    Members
    -------
    bus : In(RegisterBus)
        The window.
    link : In(LinkWord), boot : In(BootWord)
        What these registers show.
    boot_write : Out(1), boot_slot : Out(8)
        The host wants the network of a slot of the flash. The link lets no other slot through.
    running, state, load_error, fingerprint, members, sample_values, config : In
        From the loader.
    sample_done : In(1)
        A sample's last record was taken.
    input_spikes, hidden_spikes : In
        Spikes that enter the first layer, and later layers, in this cycle.
    latency : In(COUNTER_BITS)
        Cycles of the last measured sample.
    errors : In(ErrorFlags)
        Raises a flag.
    drop : Out(1)
        The host wants the network forgotten.
    choice : Out(choice_layout)
        What the host has chosen; as the loader's ``config`` says after a load, with the seed 0.
    chosen : Out(1)
        The choice is another one than in the cycle before.
    """

    def __init__(self, *, design: Design, clock_hz: int = 0, board: str | None = None) -> None:
        self._design = design
        self._clock_hz = clock_hz
        self._board = board
        self._words = design_words(design)
        hidden = sum(layer.inputs_per_cycle for layer in design.layers[1:])
        super().__init__(
            {
                "bus": In(RegisterBus()),
                "running": In(1),
                "state": In(LoadState),
                "load_error": In(LoadError),
                "fingerprint": In(32),
                "members": In(8),
                "sample_values": In(range(design.sample_values + 1)),
                "config": In(core_config(design)),
                "sample_done": In(1),
                "input_spikes": In(range(design.layers[0].inputs_per_cycle + 1)),
                "hidden_spikes": In(range(hidden + 1)),
                "latency": In(COUNTER_BITS),
                "errors": In(ErrorFlags),
                "link": In(LinkWord),
                "boot": In(BootWord),
                "boot_write": Out(1),
                "boot_slot": Out(8),
                "drop": Out(1),
                "choice": Out(choice_layout(design)),
                "chosen": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        bus, config = self.bus, self.config
        cycles = Signal(32)
        samples, input_spikes, hidden_spikes = (
            Signal(COUNTER_BITS, name=name) for name in ("samples", "input_spikes", "hidden_spikes")
        )
        m.d.sync += [
            cycles.eq(cycles + 1),
            samples.eq(samples + self.sample_done),
            input_spikes.eq(input_spikes + self.input_spikes),
            hidden_spikes.eq(hidden_spikes + self.hidden_spikes),
        ]

        flags = Signal(ErrorFlags)
        clear = Signal(ErrorFlags)
        m.d.sync += flags.eq((flags.as_value() & ~clear.as_value()) | self.errors.as_value())
        control = Signal(ControlWord)
        m.d.comb += control.eq(bus.write_data)
        m.d.comb += self.boot_slot.eq(bus.write_data)
        with m.If(bus.write):
            m.d.comb += self.boot_write.eq(self._is_at("boot"))
            with m.If(self._is_at("errors")):
                m.d.comb += clear.eq(bus.write_data)
            with m.If(self._is_at("control")):
                m.d.comb += self.drop.eq(control.drop)

        status, size, network = Signal(StatusWord), Signal(SizeWord), Signal(NetworkWord)
        m.d.comb += [
            status.state.eq(self.state),
            status.load_error.eq(self.load_error),
            size.sample_values.eq(self.sample_values),
            size.classes.eq(config.layers[-1].neurons),
            network.steps.eq(config.steps),
            network.readout.eq(config.readout),
            network.members.eq(self.members),
        ]
        live = {
            "fingerprint": Mux(self.running, self.fingerprint, 0),
            "status": status,
            "errors": flags,
            "cycles": cycles,
            "samples": samples,
            "input_spikes": input_spikes,
            "hidden_spikes": hidden_spikes,
            "latency": self.latency,
            "link": self.link,
            "boot": self.boot,
            "network_size": size,
            "network": network,
        }
        if self._design.is_stepwise:
            live |= self._add_choice(m)
        words = dict(self._words)
        words[register_address("clock_hz")] = self._clock_hz
        words[register_address("board")] = board_code(self._board)
        words.update({register_address(name): value for name, value in live.items()})
        m.d.sync += bus.read_data.eq(0)
        with m.Switch(bus.address[2:]):
            for address, value in sorted(words.items()):
                with m.Case(address // 4):
                    m.d.sync += bus.read_data.eq(value)
        return m

    def _add_choice(self, m: Module) -> dict[str, Value]:
        """Registers of what the host chooses, each with what it shows."""
        design, bus, choice = self._design, self.bus, self.choice
        wanted, shown = Signal(CommitteeWord), Signal(CommitteeWord)
        most = Signal(range(design.members + 1))
        m.d.comb += [
            wanted.eq(bus.write_data),
            most.eq(Mux(self.members == 0, design.members, self.config.members)),
            shown.members.eq(choice.members),
            shown.most.eq(design.members),
            shown.step_results.eq(choice.step_results),
        ]
        seed = self.choice.seed if design.sampled else Const(0)
        m.d.sync += self.chosen.eq(0)
        with m.If(~self.running):
            m.d.sync += [choice.members.eq(self.config.members), choice.step_results.eq(0)]
            m.d.sync += choice.seed.eq(0)
        with m.Elif(bus.write):
            m.d.sync += bus.refusal.eq(WriteRefusal.NONE)
            with m.If(self._is_at("committee")):
                # After every step, or of a memory after every few input steps.
                choices = 0xFFFF if design.evaluates else 1
                single = (wanted.members == 1) & design.step_results
                answers = wanted.step_results > Mux(single, choices, 0)
                with m.If((wanted.members == 0) | (wanted.members > most) | answers):
                    m.d.sync += bus.refusal.eq(WriteRefusal.MEMBERS)
                with m.Else():
                    m.d.sync += [
                        choice.members.eq(wanted.members),
                        choice.step_results.eq(wanted.step_results),
                        self.chosen.eq(1),
                    ]
            if design.sampled:
                with m.If(self._is_at("seed")):
                    with m.If(bus.write_data == 0):
                        m.d.sync += bus.refusal.eq(WriteRefusal.SEED)
                    with m.Else():
                        m.d.sync += [choice.seed.eq(bus.write_data), self.chosen.eq(1)]
        return {"committee": shown, "seed": seed}

    def _is_at(self, name: str) -> Value:
        return self.bus.address[2:] == register_address(name) // 4
