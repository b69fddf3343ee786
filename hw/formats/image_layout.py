# SPDX-License-Identifier: Apache-2.0
"""Device image: a network as a gateware wants it, byte for byte.

The only place where the format is defined; `hw.loading.loader` reads it, ``firmware/image.py``
writes and reads it. All numbers are little endian.

======================  =====================================================================
Bytes                   Contents
======================  =====================================================================
24                      `ImageHeader`
24                      where the gateware has a Legendre memory, `ImageMemory`
8 a layer               `ImageLayer`
512                     where the gateware has one, the intensity table: spike step of each
                        intensity 0..255, u16, 0xFFFF where no spike is sent
``row_bytes`` a row     weight memory of layer 0, then of layer 1, ...: for each weight set, for
                        each block of lanes first the rows of start values (single-spike kind),
                        then one row a group of inputs
``row_bytes`` a row     where neurons have a state, threshold memory of layer 0, then of layer 1,
                        ...: for each block of lanes one row for every U neurons
``row_bytes`` a row     of a Legendre memory, a row for each coefficient, then one for each emission
                        shift, then of an encoder one for each input of the first layer, bit c for
                        channel c, 1 = +1
4                       CRC-32 (that of zlib) of everything before
======================  =====================================================================

`hw.formats.write_target.write_targets` lists the memories of a design. Bit ``p*S + k`` of a weight
row belongs to lane p and is bit ``(p*S + k) % 8`` of byte ``(p*S + k) // 8`` (S inputs a cycle). In
a group row bit k is the weight of input ``group*S + k``, 1 = +1, 0 where there is no such input. In
a row of start values the S bits of a lane are one digit of ``-threshold`` in two's complement of
``planes * S`` bits, most significant digit first. Lanes beyond the last neuron of a block copy the
last neuron.

In a layer that may draw weights, as many bits again follow in each row, in the same order: 1 = the
weight is drawn, and its sign bit is 0. A threshold row holds U thresholds in two's complement of
``threshold_bits``, the first neuron's lowest; above each of them stands the gain of the neuron,
where the kind has one.

A layer that has room for the weight sets of a committee gets as many as the network has members,
the same set again where the network has but one.
"""

from amaranth.lib import data, enum

from hw.design.design import Design
from hw.formats.structures import field_spans, size_of, span_text
from hw.formats.write_target import write_targets

__all__ = [
    "ENCODING_CODES",
    "IMAGE_MAGIC",
    "IMAGE_VERSION",
    "NO_SPIKE",
    "head_bytes",
    "ImageHeader",
    "ImageLayer",
    "ImageMemory",
    "LoadError",
    "LoadState",
    "image_rows",
    "max_image_bytes",
]

#: First four bytes of an image.
IMAGE_MAGIC = b"PSPK"
#: Version of the format.
IMAGE_VERSION = 3
#: Step of an intensity that never spikes.
NO_SPIKE = 0xFFFF
#: Numbers of the encodings in an image.
ENCODING_CODES = {"latency": 0, "rate": 1, "events": 2, "series": 3}


class ImageHeader(data.Struct):
    """Start of an image.

    Members: ``magic``, ``version``, ``readout`` (index into the design's readouts), ``steps`` (T),
    ``features`` (inputs of the first layer), ``classes`` (neurons of the last layer),
    ``fingerprint`` (of the network), ``layers`` (how many), ``members`` (weight sets K; 0: members
    are drawn, and the host says how many), ``encoding`` (`ENCODING_CODES`), ``phase`` (of the rate
    code), ``tail_steps`` (of the latency code, among the T), ``sample_values`` (bytes of a sample;
    of events the inputs of the first layer).
    """

    magic: 32
    version: 8
    readout: 8
    steps: 16
    features: 16
    classes: 16
    fingerprint: 32
    layers: 8
    members: 8
    encoding: 8
    phase: 8
    tail_steps: 16
    sample_values: 16


class ImageMemory(data.Struct):
    """A Legendre memory and its series.

    Members: ``order`` (q), ``channels``, ``window``, ``input_shift`` (E of the network), ``zero``
    (byte that stands for 0), ``input_scale`` (in the gateware's unit, ``2^(E' - E)`` times that of
    the network where the gateware's shift is E'), ``reads`` (R), ``series_bits``, ``series_shift``
    (of the encoding; used by recurrent networks only), ``states`` (q times the channels),
    ``series_channels`` (values of a step), ``encoder_bits`` (``membrane_bits`` of an encoder; for
    the host), ``more_zero``.
    """

    order: 16
    channels: 16
    window: 16
    input_shift: 8
    zero: 8
    input_scale: 32
    reads: 8
    series_bits: 4
    series_shift: 4
    states: 16
    series_channels: 16
    encoder_bits: 8
    more_zero: 40


class ImageLayer(data.Struct):
    """Sizes of one layer: ``neurons``, ``blocks`` of lanes, ``rows`` of weight memory (all sets),
    ``sets`` (weight sets that differ: 1 or the members; 0: drawn).

    A gateware needs only ``neurons``; the others spare a reader the division.
    """

    neurons: 16
    blocks: 16
    rows: 24
    sets: 8


class LoadState(enum.Enum, shape=2):
    """Which network a gateware holds."""

    NONE = 0
    LOADING = 1
    ACTIVE = 2


class LoadError(enum.Enum, shape=4):
    """Why a gateware refused an image; the first thing wrong is named."""

    NONE = 0
    MAGIC = 1
    VERSION = 2
    READOUT = 3
    STEPS = 4
    FEATURES = 5
    CLASSES = 6
    LAYERS = 7
    NEURONS = 8
    LENGTH = 9
    CRC = 10
    MEMBERS = 11
    ENCODING = 12
    MEMORY = 13


def head_bytes(design: Design) -> int:
    """Bytes before the entries of the layers."""
    return size_of(ImageHeader) + (0 if design.memory is None else size_of(ImageMemory))


def max_image_bytes(design: Design) -> int:
    """Bytes of the largest image that a gateware takes."""
    rows = sum(target.rows * target.row_bytes for target in write_targets(design))
    return head_bytes(design) + size_of(ImageLayer) * len(design.layers) + rows + 4


def image_rows() -> list[tuple[str, str, str]]:
    """Rows of a table of the fixed fields: structure, byte offsets, field."""
    return [
        (layout.__name__, span_text(span), field)
        for layout in (ImageHeader, ImageMemory, ImageLayer)
        for field, span in field_spans(layout)
    ]
