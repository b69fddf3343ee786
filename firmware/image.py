# SPDX-License-Identifier: Apache-2.0
"""Device images: a network in the bytes that a gateware's loader takes, and back.

The format stands in ``hw/image_layout.py``.
"""

import zlib

import numpy as np
from amaranth.lib import data

from hw.design import Design, LayerDesign
from hw.image_layout import (
    IMAGE_MAGIC,
    IMAGE_VERSION,
    NO_SPIKE,
    TABLE_BYTES,
    ImageHeader,
    ImageLayer,
)
from model.description import LatencyEncoding, Layer, Network, NeuronKind

__all__ = ["ImageError", "device_image", "network_from_image"]

_HEADER_BYTES = data.Layout.cast(ImageHeader).size // 8
_LAYER_BYTES = data.Layout.cast(ImageLayer).size // 8


class ImageError(ValueError):
    """A device image that is not whole or not for this design; the text names the field."""


def _bytes_of(layout: type[data.Struct], fields: dict[str, int]) -> bytes:
    bits = data.Layout.cast(layout)
    return int(layout.const(fields).as_bits()).to_bytes(bits.size // 8, "little")


def _lane_neurons(neurons: int, room: LayerDesign) -> np.ndarray:
    """Neuron of each lane, int (blocks, lanes); lanes without one copy the last neuron."""
    blocks = -(-neurons // room.lanes)
    return np.minimum(np.arange(blocks * room.lanes), neurons - 1).reshape(blocks, room.lanes)


def _layer_rows(layer: Layer, room: LayerDesign) -> np.ndarray:
    """Weight memory of a layer: uint8 (rows, row_bytes)."""
    size, groups = room.inputs_per_cycle, room.groups
    lanes = _lane_neurons(layer.neurons, room)
    blocks = lanes.shape[0]

    weights = np.zeros((layer.neurons, groups * size), dtype=np.uint8)
    weights[:, : layer.fan_in] = layer.signs() > 0
    # (blocks, P, groups, S) to one row a group: (blocks, groups, P, S)
    weight_rows = weights[lanes].reshape(blocks, room.lanes, groups, size).transpose(0, 2, 1, 3)

    digits = room.planes * size
    starts = -layer.thresholds.astype(np.int64)
    start_bits = ((starts[:, None] >> np.arange(digits)) & 1).astype(np.uint8)
    # (blocks, P, planes, S), the digit of highest weight in the first row
    start_rows = start_bits[lanes].reshape(blocks, room.lanes, room.planes, size)[:, :, ::-1]
    start_rows = start_rows.transpose(0, 2, 1, 3)

    rows = np.concatenate([start_rows, weight_rows], axis=1)
    rows = rows.reshape(blocks * room.rows_per_block, room.row_bits)
    return np.packbits(rows, axis=1, bitorder="little")


def device_image(network: Network, design: Design) -> bytes:
    """Make the image of a network for a gateware.

    Raises
    ------
    hw.design.CapacityError
        If the gateware cannot hold the network; the text names the field.
    ImageError
        If the network's neurons are not of the single-spike kind.
    """
    encoding = network.encoding
    if network.is_stepwise or not isinstance(encoding, LatencyEncoding):
        raise ImageError(f"Neurons of a device image must be {NeuronKind.SINGLE_SPIKE}")
    design.check(network)
    parts = [
        _bytes_of(
            ImageHeader,
            {
                "magic": int.from_bytes(IMAGE_MAGIC, "little"),
                "version": IMAGE_VERSION,
                "readout": design.readouts.index(network.readout),
                "steps": network.steps,
                "features": network.features,
                "classes": network.classes,
                "fingerprint": network.fingerprint(),
                "layers": len(network.layers),
            },
        )
    ]
    rows = []
    for layer, room in zip(network.layers, design.layers, strict=True):
        rows.append(_layer_rows(layer, room))
        parts.append(
            _bytes_of(
                ImageLayer,
                {
                    "neurons": layer.neurons,
                    "blocks": len(rows[-1]) // room.rows_per_block,
                    "rows": len(rows[-1]),
                },
            )
        )
    table = encoding.table().astype(np.int64)
    parts.append(np.where(table < network.steps, table, NO_SPIKE).astype("<u2").tobytes())
    parts += [layer_rows.tobytes() for layer_rows in rows]
    image = b"".join(parts)
    return image + zlib.crc32(image).to_bytes(4, "little")


def _layer_from_rows(rows: np.ndarray, neurons: int, fan_in: int, room: LayerDesign) -> Layer:
    """Inverse of `_layer_rows`."""
    size = room.inputs_per_cycle
    bits = np.unpackbits(rows, axis=1, count=room.row_bits, bitorder="little")
    # (blocks, rows of a block, P, S) to (neurons, rows of a block, S)
    bits = bits.reshape(-1, room.rows_per_block, room.lanes, size).transpose(0, 2, 1, 3)
    bits = bits.reshape(-1, room.rows_per_block, size)[:neurons]
    starts = bits[:, : room.planes][:, ::-1].reshape(neurons, -1).astype(np.int64)
    place = np.left_shift(np.int64(1), np.arange(starts.shape[1]))
    place[-1] = -place[-1]  # two's complement
    weights = bits[:, room.planes :].reshape(neurons, -1)[:, :fan_in]
    return Layer(
        weights=np.packbits(weights, axis=1, bitorder="little")[None],
        thresholds=(-(starts @ place)).astype(np.int32),
        fan_in=fan_in,
    )


def network_from_image(image: bytes, design: Design) -> Network:
    """Read an image back into a network (without metadata, with a flat input shape).

    Raises
    ------
    ImageError
        If the image is truncated, altered, of another version, or made for another design.
    """
    if len(image) < _HEADER_BYTES + 4:
        raise ImageError(
            f"Device image must have at least {_HEADER_BYTES + 4} bytes, not {len(image)}"
        )
    header = ImageHeader.from_bits(int.from_bytes(image[:_HEADER_BYTES], "little"))
    if image[:4] != IMAGE_MAGIC:
        raise ImageError(f"Magic of device image must be {IMAGE_MAGIC!r}, not {image[:4]!r}")
    if header.version != IMAGE_VERSION:
        raise ImageError(f"Version of device image must be {IMAGE_VERSION}, not {header.version}")
    if header.layers != len(design.layers):
        raise ImageError(
            f"Layers of device image must number {len(design.layers)}, not {header.layers}"
        )
    if header.readout >= len(design.readouts):
        raise ImageError(
            f"Readout of device image must be below {len(design.readouts)}, not {header.readout}"
        )
    place = _HEADER_BYTES + _LAYER_BYTES * len(design.layers) + TABLE_BYTES
    entries = []
    for index, room in enumerate(design.layers):
        start = _HEADER_BYTES + _LAYER_BYTES * index
        bits = int.from_bytes(image[start : start + _LAYER_BYTES], "little")
        entries.append(ImageLayer.from_bits(bits))
        place += entries[-1].rows * room.row_bytes
    if len(image) != place + 4:
        raise ImageError(f"Device image must have {place + 4} bytes, not {len(image)}")
    crc = zlib.crc32(image[:-4])
    if image[-4:] != crc.to_bytes(4, "little"):
        found = int.from_bytes(image[-4:], "little")
        raise ImageError(f"CRC-32 of device image must be {crc:#010x}, not {found:#010x}")

    table_start = _HEADER_BYTES + _LAYER_BYTES * len(design.layers)
    place = table_start + TABLE_BYTES
    table = np.frombuffer(image[table_start:place], dtype="<u2")
    # The level of a step is the least intensity that spikes in it or before.
    levels = tuple(int(np.argmax(table <= step)) for step in range(header.steps))
    layers, fan_in = [], header.features
    for index, (entry, room) in enumerate(zip(entries, design.layers, strict=True)):
        if not 0 < entry.neurons <= room.neurons or fan_in > room.fan_in:
            raise ImageError(
                f"Sizes of layer {index} of device image must be at most {room.fan_in} inputs and "
                f"{room.neurons} neurons, not {fan_in} and {entry.neurons}"
            )
        count = -(-entry.neurons // room.lanes) * room.rows_per_block
        if entry.rows != count:
            raise ImageError(
                f"Rows of layer {index} of device image must be {count}, not {entry.rows}"
            )
        end = place + count * room.row_bytes
        rows = np.frombuffer(image[place:end], dtype=np.uint8).reshape(count, room.row_bytes)
        layers.append(_layer_from_rows(rows, entry.neurons, fan_in, room))
        place, fan_in = end, entry.neurons
    network = Network(
        encoding=LatencyEncoding(levels=levels),
        layers=tuple(layers),
        readout=design.readouts[header.readout],
    )
    if network.fingerprint() != header.fingerprint:
        raise ImageError(
            f"Fingerprint of device image must be {network.fingerprint():#010x}, "
            f"not {header.fingerprint:#010x}"
        )
    return network
