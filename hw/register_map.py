# SPDX-License-Identifier: Apache-2.0
"""The register map: what a gateware is, what it holds, and what it has counted.

`REGISTERS` is the only definition; the gateware builds its read multiplexer from it, the host
packs and unpacks with the same structures, and the documentation prints it. A host can rebuild
the whole `Design` of a gateware from its registers. The first 64 bytes never move.
"""

import dataclasses
from collections.abc import Callable

from amaranth.lib import data

from hw.design import Design, Fold, LayerDesign
from hw.image_layout import LoadError, LoadState
from hw.structures import to_bits
from model.description import Readout

__all__ = [
    "COUNTER_BITS",
    "LAYER_BASE",
    "LAYER_STRIDE",
    "MAX_LAYERS",
    "PROTOCOL_VERSION",
    "REGISTERS",
    "REGISTER_MAGIC",
    "CapacityWord",
    "ControlWord",
    "ErrorFlags",
    "FoldWord",
    "LayerWords",
    "NetworkWord",
    "Register",
    "SizeWord",
    "StatusWord",
    "design_from_words",
    "design_words",
    "register_address",
    "register_rows",
]

#: First register: "PSPK", first letter in the lowest byte.
REGISTER_MAGIC = int.from_bytes(b"PSPK", "little")
#: Version of registers and frames.
PROTOCOL_VERSION = 1
#: Bits of all counters but that of the cycles, which has 32; they wrap around.
COUNTER_BITS = 24
#: Address of the first layer's words, and bytes a layer.
LAYER_BASE, LAYER_STRIDE = 64, 16
#: Layers that the window can describe.
MAX_LAYERS = 11

_READOUT_CODES = {rule: code for code, rule in enumerate(Readout, start=1)}
_READOUTS = {code: rule for rule, code in _READOUT_CODES.items()}


class CapacityWord(data.Struct):
    """``layers``, ``words_input`` (spike words instead of pixels), ``early_stop``,
    ``two_banks`` (of the spike store), ``spram``, and ``steps`` (largest T)."""

    layers: 8
    words_input: 1
    early_stop: 1
    two_banks: 1
    spram: 1
    zero: 4
    steps: 16


class SizeWord(data.Struct):
    """``features`` (pixels a sample) and ``classes``."""

    features: 16
    classes: 16


class FoldWord(data.Struct):
    """``pixels_per_cycle`` and ``readouts`` (their codes in order, 4 bits each, 0 for none;
    1 first spike, 2 final potential, 3 summed potential)."""

    pixels_per_cycle: 16
    readouts: data.ArrayLayout(4, 4)


class LayerWords(data.Struct):
    """Capacity and fold of a layer; ``kind`` 0 is the single-spike neuron."""

    fan_in: 16
    neurons: 16
    lanes: 16
    inputs_per_cycle: 16
    times_per_cycle: 16
    potential_bits: 8
    threshold_bits: 8
    kind: 8
    zero: 24


class StatusWord(data.Struct):
    """``state`` (0 no network, 1 loading, 2 active) and ``load_error`` (why the last image was
    refused, `hw.image_layout.LoadError`; 0 from the first byte of the next image on)."""

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


class ControlWord(data.Struct):
    """Write ``drop`` = 1 to forget the network, or the image that is being loaded."""

    drop: 1


class NetworkWord(data.Struct):
    """Of the active network: ``steps`` (T) and ``readout`` (index into the design's)."""

    steps: 16
    readout: 8
    zero: 8


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
        meaning="steps and readout of the active network",
        layout=NetworkWord,
    ),
)


def register_address(name: str) -> int:
    """Byte address of a register."""
    return next(register.address for register in REGISTERS if register.name == name)


def design_words(design: Design) -> dict[int, int]:
    """What the registers say about a design: byte address to value.

    Raises
    ------
    ValueError
        If the design has more layers than the window can describe.
    """
    if len(design.layers) > MAX_LAYERS:
        raise ValueError(f"Layers must number at most {MAX_LAYERS}, not {len(design.layers)}")
    words = {
        register_address("magic"): REGISTER_MAGIC,
        register_address("protocol"): PROTOCOL_VERSION,
        register_address("design_hash"): design.design_hash(),
        register_address("capacity"): to_bits(
            CapacityWord,
            layers=len(design.layers),
            words_input=design.sample_input == "words",
            early_stop=design.early_stop,
            two_banks=design.store_banks == 2,
            spram=design.weight_memory == "spram",
            steps=design.steps,
        ),
        register_address("size"): to_bits(
            SizeWord, features=design.features, classes=design.classes
        ),
        register_address("fold"): to_bits(
            FoldWord,
            pixels_per_cycle=design.pixels_per_cycle,
            readouts=[_READOUT_CODES[rule] for rule in design.readouts]
            + [0] * (4 - len(design.readouts)),
        ),
    }
    for index, layer in enumerate(design.layers):
        value = to_bits(
            LayerWords,
            fan_in=layer.fan_in,
            neurons=layer.neurons,
            lanes=layer.lanes,
            inputs_per_cycle=layer.inputs_per_cycle,
            times_per_cycle=layer.fold.times_per_cycle,
            potential_bits=layer.potential_bits,
            threshold_bits=layer.threshold_bits,
        )
        for word in range(LAYER_STRIDE // 4):
            words[LAYER_BASE + LAYER_STRIDE * index + 4 * word] = value >> 32 * word & 0xFFFFFFFF
    return words


def design_from_words(read: Callable[[int], int]) -> Design:
    """Rebuild a design from the registers of its gateware.

    Parameters
    ----------
    read
        Gives the value of the register at a byte address.

    Raises
    ------
    ValueError
        If the registers are not those of a popspike gateware, of another protocol version, or
        describe a design that this version does not know.
    """
    magic, protocol = read(register_address("magic")), read(register_address("protocol"))
    if magic != REGISTER_MAGIC:
        raise ValueError(f"Register magic must be {REGISTER_MAGIC:#010x}, not {magic:#010x}")
    if protocol != PROTOCOL_VERSION:
        raise ValueError(f"Protocol version must be {PROTOCOL_VERSION}, not {protocol}")
    capacity = CapacityWord.from_bits(read(register_address("capacity")))
    fold_word = FoldWord.from_bits(read(register_address("fold")))
    layers = []
    for index in range(capacity.layers):
        base = LAYER_BASE + LAYER_STRIDE * index
        bits = sum(read(base + 4 * word) << 32 * word for word in range(LAYER_STRIDE // 4))
        words = LayerWords.from_bits(bits)
        layers.append(
            LayerDesign(
                fan_in=words.fan_in,
                neurons=words.neurons,
                fold=Fold(
                    lanes=words.lanes,
                    inputs_per_cycle=words.inputs_per_cycle,
                    times_per_cycle=words.times_per_cycle,
                ),
                potential_bits=words.potential_bits,
                threshold_bits=words.threshold_bits,
            )
        )
    design = Design(
        layers=tuple(layers),
        steps=capacity.steps,
        pixels_per_cycle=fold_word.pixels_per_cycle,
        sample_input="words" if capacity.words_input else "pixels",
        readouts=tuple(_READOUTS[code] for code in fold_word.readouts if code in _READOUTS),
        early_stop=bool(capacity.early_stop),
        store_banks=2 if capacity.two_banks else 1,
        weight_memory="spram" if capacity.spram else "portable",
    )
    found = read(register_address("design_hash"))
    if found != design.design_hash():
        raise ValueError(
            f"Design hash must be {design.design_hash():#010x}, not {found:#010x}: "
            "this gateware was made by another version of popspike"
        )
    return design


def register_rows() -> list[tuple[str, str, str, str]]:
    """Rows of a table: byte address, name, access, meaning with the bit numbers of the fields."""
    rows = []
    for register in REGISTERS:
        rows.append((f"{register.address}", register.name, register.access, _meaning(register)))
    layer = Register(
        address=LAYER_BASE,
        name="layer",
        access="read",
        meaning=f"capacity and fold of layer l, {LAYER_STRIDE} bytes from {LAYER_BASE} + "
        f"{LAYER_STRIDE} l, at most {MAX_LAYERS} layers",
        layout=LayerWords,
    )
    rows.append((f"{LAYER_BASE} + {LAYER_STRIDE} l", "layer", "read", _meaning(layer)))
    return rows


def _meaning(register: Register) -> str:
    if register.layout is None:
        return register.meaning
    parts = []
    for name, field in data.Layout.cast(register.layout):
        if name != "zero":
            last = field.offset + field.width - 1
            bits = f"{field.offset}" if field.width == 1 else f"{last}:{field.offset}"
            parts.append(f"{name} [{bits}]")
    states = ", ".join(f"{state.value} {state.name.lower()}" for state in LoadState)
    errors = ", ".join(f"{error.value} {error.name.lower()}" for error in LoadError)
    more = f"; state: {states}; load_error: {errors}" if register.layout is StatusWord else ""
    return f"{register.meaning}: {', '.join(parts)}{more}"
