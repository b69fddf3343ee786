# SPDX-License-Identifier: Apache-2.0
"""The register map: what a gateware is, what it holds, and what it has counted.

`REGISTERS` is the only definition; the gateware builds its read multiplexer from it, the host
packs and unpacks with the same structures, and the documentation prints it. The first 64 bytes
never move. Words of layers stand in `hw.formats.capacity_words`; `hw.formats.design_words` puts a
design into registers and rebuilds it from them.
"""

import dataclasses
import zlib

from amaranth.lib import data, enum

from hw.formats.capacity_words import DynamicsWords, EventWords, LayerWords, MemoryWords
from hw.formats.image_layout import LoadError, LoadState

__all__ = [
    "COUNTER_BITS",
    "EVENT_BASE",
    "LAYER_BASE",
    "LAYER_END",
    "LAYER_STRIDE",
    "NOT_FROM_FLASH",
    "PROTOCOL_VERSION",
    "REGISTERS",
    "REGISTER_MAGIC",
    "BootState",
    "BootWord",
    "CapacityWord",
    "CommitteeWord",
    "ControlWord",
    "ErrorFlags",
    "FoldWord",
    "LinkWord",
    "NetworkWord",
    "Register",
    "SizeWord",
    "StatusWord",
    "board_code",
    "register_address",
    "register_rows",
]

#: First register: "PSPK", first letter in the lowest byte.
REGISTER_MAGIC = int.from_bytes(b"PSPK", "little")
#: Version of registers and frames.
PROTOCOL_VERSION = 4
#: Bits of all counters but that of the cycles, which has 32; they wrap around.
COUNTER_BITS = 24
#: Address of the first layer's words, and bytes of `LayerWords`; in a stepwise design
#: `DynamicsWords` of as many bytes stand behind those of each layer.
LAYER_BASE, LAYER_STRIDE = 64, 16
#: First address that no layer's words reach.
LAYER_END = 192
#: Address of `EventWords`, or `MemoryWords`.
EVENT_BASE = 224
#: `BootWord.slot` while the network did not come from flash.
NOT_FROM_FLASH = 0xFF


class CapacityWord(data.Struct):
    """``layers``, ``words_input`` (spike words instead of pixels), ``early_stop``,
    ``two_banks`` (of the spike store), ``spram``, ``encoding`` (as in an image), ``events_input``
    (events instead of pixels), ``step_results`` (answers after steps can be chosen), and
    ``steps`` (largest T)."""

    layers: 8
    words_input: 1
    early_stop: 1
    two_banks: 1
    spram: 1
    encoding: 2
    events_input: 1
    step_results: 1
    steps: 16


class SizeWord(data.Struct):
    """``sample_values`` (bytes of a sample: pixels, or values of a series; of events the inputs of
    the first layer) and ``classes``."""

    sample_values: 16
    classes: 16


class FoldWord(data.Struct):
    """``pixels_per_cycle`` and ``readouts`` (their codes in order, 4 bits each, 0 for none;
    1 first spike, 2 final potential, 3 summed potential)."""

    pixels_per_cycle: 16
    readouts: data.ArrayLayout(4, 4)


class StatusWord(data.Struct):
    """``state`` (0 no network, 1 loading, 2 active) and ``load_error`` (why the last image was
    refused, `hw.formats.image_layout.LoadError`; 0 from the first byte of the next image on)."""

    state: 8
    load_error: 8
    zero: 16


class ErrorFlags(data.Struct):
    """What went wrong since the flag was cleared: ``line`` (a byte without stop bit),
    ``overrun`` (a byte or frame came too fast and was lost), ``frame`` (malformed, or wrong CRC),
    ``load`` (an image was refused), ``request`` (a request was refused)."""

    line: 1
    overrun: 1
    frame: 1
    load: 1
    request: 1


class LinkWord(data.Struct):
    """``divisor`` (clock cycles a bit of the serial line now) and ``built`` (after reset); both 0
    where the link is no serial line. Writing ``divisor`` changes it, to 2..``built``; ``built``
    is only read."""

    divisor: 16
    built: 16


class BootState(enum.Enum, shape=8):
    """What loading from flash does."""

    #: Nothing; no flash boot was built, or the last one is over.
    IDLE = 0
    #: A network is being looked for or loaded.
    BUSY = 1
    #: No slot holds a network that this gateware takes.
    NONE_VALID = 2


class BootWord(data.Struct):
    """``slot`` (of flash, that the network came from; `NOT_FROM_FLASH`: from elsewhere; write: load
    the network of that slot), ``slots`` (0: no flash boot was built), ``state`` (`BootState`) and
    ``resident`` (a network was in the bitstream). All but ``slot`` is only read."""

    slot: 8
    slots: 8
    state: 8
    resident: 1
    zero: 7


class ControlWord(data.Struct):
    """Write ``drop`` = 1 to forget the network, or the image that is being loaded."""

    drop: 1


class NetworkWord(data.Struct):
    """Of the active network: ``steps`` (T), ``readout`` (index into the design's) and ``members``
    (weight sets; 0: members are drawn)."""

    steps: 16
    readout: 8
    members: 8


class CommitteeWord(data.Struct):
    """``members`` in use (K; as many as the network has after a load, 1 where they are drawn),
    ``most`` (largest K that the gateware was built for; only read), ``step_results`` (with K = 1;
    1: answer after every step; of a gateware with a Legendre memory n: answer after every n input
    steps)."""

    members: 8
    most: 8
    step_results: 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class Register:
    """One register of 32 bits.

    Parameters
    ----------
    address
        Byte address, a multiple of 4.
    name
        Name in snake case.
    access
        ``"read"``, ``"write"`` or ``"read, write 1 clears"``.
    meaning
        One line.
    layout
        Fields, lowest first; none for a plain number.
    """

    address: int
    name: str
    access: str
    meaning: str
    layout: type[data.Struct] | None = None


#: Everything but the words of the layers, which begin at `LAYER_BASE`.
REGISTERS = (
    Register(address=0, name="magic", access="read", meaning='"PSPK", the P in the lowest byte'),
    Register(address=4, name="protocol", access="read", meaning="version of registers and frames"),
    Register(address=8, name="design_hash", access="read", meaning="CRC-32 of the design"),
    Register(
        address=12,
        name="capacity",
        access="read",
        meaning="layers, options and largest number of steps",
        layout=CapacityWord,
    ),
    Register(
        address=16, name="size", access="read", meaning="largest input and output", layout=SizeWord
    ),
    Register(
        address=20,
        name="fingerprint",
        access="read",
        meaning="fingerprint of the active network, 0 without one",
    ),
    Register(address=24, name="status", access="read", meaning="what is held", layout=StatusWord),
    Register(
        address=28,
        name="errors",
        access="read, write 1 clears",
        meaning="what went wrong",
        layout=ErrorFlags,
    ),
    Register(
        address=32, name="cycles", access="read", meaning="clock cycles since reset, modulo 2^32"
    ),
    Register(
        address=36,
        name="samples",
        access="read",
        meaning="samples finished since reset, modulo 2^24",
    ),
    Register(
        address=40,
        name="input_spikes",
        access="read",
        meaning="spikes that entered the first layer since reset, modulo 2^24",
    ),
    Register(
        address=44,
        name="hidden_spikes",
        access="read",
        meaning="spikes that entered later layers since reset, modulo 2^24",
    ),
    Register(
        address=48,
        name="latency",
        access="read",
        meaning="cycles of the last sample that found the accelerator empty, waiting left out, "
        "modulo 2^24",
    ),
    Register(
        address=52,
        name="control",
        access="write",
        meaning="commands",
        layout=ControlWord,
    ),
    Register(
        address=56, name="fold", access="read", meaning="pixels a cycle, readouts", layout=FoldWord
    ),
    Register(address=60, name="clock_hz", access="read", meaning="clock in Hz, 0 if not known"),
    Register(
        address=192,
        name="link",
        access="read, write",
        meaning="speed of the serial line, in clock cycles a bit",
        layout=LinkWord,
    ),
    Register(
        address=196,
        name="boot",
        access="read, write",
        meaning="networks in flash",
        layout=BootWord,
    ),
    Register(
        address=200,
        name="board",
        access="read",
        meaning="CRC-32 of the board's name, 0 if not known",
    ),
    Register(
        address=240,
        name="network_size",
        access="read",
        meaning="input and output of the active network",
        layout=SizeWord,
    ),
    Register(
        address=244,
        name="network",
        access="read",
        meaning="steps, readout and members of the active network",
        layout=NetworkWord,
    ),
    Register(
        address=248,
        name="committee",
        access="read, write",
        meaning="members that answer, in stepwise designs; a K that is too large is refused",
        layout=CommitteeWord,
    ),
    Register(
        address=252,
        name="seed",
        access="read, write",
        meaning="seed of members that are drawn; 0, refused, is what a load leaves: no sample is "
        "taken then",
    ),
)


def register_address(name: str) -> int:
    """Byte address of a register."""
    return next(register.address for register in REGISTERS if register.name == name)


def board_code(name: str | None) -> int:
    """Value of the ``board`` register: CRC-32 (that of zlib) of a board's command-line name, 0 for
    none."""
    return 0 if name is None else zlib.crc32(name.encode())


def register_rows() -> list[tuple[str, str, str, str]]:
    """Rows of a table: byte address, name, access, meaning with the bit numbers of the fields."""
    rows = []
    for register in REGISTERS:
        rows.append((f"{register.address}", register.name, register.access, _meaning(register)))
    stride = f"{LAYER_STRIDE} l, or {2 * LAYER_STRIDE} l in stepwise designs"
    for first, noun, layout in (
        (f"{LAYER_BASE} + {stride}", "capacity and fold of layer l", LayerWords),
        (f"{LAYER_STRIDE} behind", "dynamics of layer l, in stepwise designs", DynamicsWords),
        (f"{EVENT_BASE}", "rasterisation of events, in designs with that encoding", EventWords),
        (f"{EVENT_BASE}", "Legendre memory, in designs with one", MemoryWords),
    ):
        register = Register(address=0, name="", access="read", meaning=noun, layout=layout)
        name = layout.__name__.removesuffix("Words").lower()
        rows.append((first, name, "read", _meaning(register)))
    return rows


def _meaning(register: Register) -> str:
    if register.layout is None:
        return register.meaning
    parts = []
    for name, field in data.Layout.cast(register.layout):
        if not name.endswith("zero"):
            last = field.offset + field.width - 1
            bits = f"{field.offset}" if field.width == 1 else f"{last}:{field.offset}"
            parts.append(f"{name} [{bits}]")
    states = ", ".join(f"{state.value} {state.name.lower()}" for state in LoadState)
    errors = ", ".join(f"{error.value} {error.name.lower()}" for error in LoadError)
    more = {
        StatusWord: f"; state: {states}; load_error: {errors}",
        BootWord: "; state: "
        + ", ".join(f"{each.value} {each.name.lower()}" for each in BootState)
        + f"; slot {NOT_FROM_FLASH}: not from flash",
    }.get(register.layout, "")
    return f"{register.meaning}: {', '.join(parts)}{more}"
