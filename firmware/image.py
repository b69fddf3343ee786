# SPDX-License-Identifier: Apache-2.0
"""Device images: a network in the bytes that a gateware's loader takes, and back.

The format stands in ``hw/formats/image_layout.py``.
"""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from firmware.memory_image import (
    encoder_from_image,
    memory_entry,
    memory_from_image,
    memory_rows,
    series_from_image,
)
from hw.design.design import CapacityError, Design, LayerDesign, encoding_kind
from hw.formats.image_layout import (
    ENCODING_CODES,
    IMAGE_MAGIC,
    IMAGE_VERSION,
    NO_SPIKE,
    ImageHeader,
    ImageLayer,
    ImageMemory,
    head_bytes,
)
from hw.formats.structures import pack, size_of, unpack
from hw.formats.write_target import ENCODER_TARGET, MEMORY_TARGETS, WriteTarget, write_targets
from model.description import Layer, Network
from model.encoding import Encoding, LatencyEncoding, RateEncoding

__all__ = ["ImageError", "ImageReader", "device_image", "network_from_image"]

_HEADER_BYTES = size_of(ImageHeader)
_LAYER_BYTES = size_of(ImageLayer)
_MOST_MEMBERS = 255


class ImageError(ValueError):
    """A device image that is not whole or not for this design; the text names the field."""


def _lane_neurons(neurons: int, room: LayerDesign) -> np.ndarray:
    """Neuron of each lane, int (blocks, lanes); lanes without one copy the last neuron."""
    blocks = -(-neurons // room.lanes)
    return np.minimum(np.arange(blocks * room.lanes), neurons - 1).reshape(blocks, room.lanes)


def _group_rows(packed: np.ndarray, fan_in: int, room: LayerDesign) -> np.ndarray:
    """One bit a weight of packed bits (neurons, bytes): uint8 (blocks, groups, P * S)."""
    size, groups = room.inputs_per_cycle, room.groups
    bits = np.zeros((len(packed), groups * size), dtype=np.uint8)
    bits[:, :fan_in] = np.unpackbits(packed, axis=1, count=fan_in, bitorder="little")
    lanes = _lane_neurons(len(packed), room)
    # (blocks, P, groups, S) to one row a group: (blocks, groups, P, S)
    rows = bits[lanes].reshape(-1, room.lanes, groups, size).transpose(0, 2, 1, 3)
    return rows.reshape(-1, groups, room.sign_bits)


def _start_rows(layer: Layer, room: LayerDesign) -> np.ndarray:
    """Digits of the start values: uint8 (blocks, planes, P * S)."""
    size, digits = room.inputs_per_cycle, room.planes * room.inputs_per_cycle
    starts = -layer.thresholds.astype(np.int64)
    bits = ((starts[:, None] >> np.arange(digits)) & 1).astype(np.uint8)
    lanes = _lane_neurons(layer.neurons, room)
    # (blocks, P, planes, S), the digit of highest weight in the first row
    rows = bits[lanes].reshape(len(lanes), room.lanes, room.planes, size)[:, :, ::-1]
    return rows.transpose(0, 2, 1, 3).reshape(-1, room.planes, room.sign_bits)


def _weight_rows(layer: Layer, room: LayerDesign, sets: int) -> np.ndarray:
    """Weight memory of a layer: uint8 (rows, row_bytes)."""
    parts = []
    for member in range(sets):
        packed = layer.weights[member if layer.members > 1 else 0]
        rows = _group_rows(packed, layer.fan_in, room)
        if room.planes:
            rows = np.concatenate([_start_rows(layer, room), rows], axis=1)
        if room.sampled:
            mask = np.zeros_like(packed) if layer.undecided is None else layer.undecided
            rows = np.concatenate([rows, _group_rows(mask, layer.fan_in, room)], axis=2)
        parts.append(rows.reshape(-1, room.row_bits))
    return np.packbits(np.concatenate(parts), axis=1, bitorder="little")


def _threshold_rows(layer: Layer, room: LayerDesign) -> np.ndarray:
    """Threshold memory of a layer: uint8 (rows, row_bytes)."""
    neurons = _lane_neurons(layer.neurons, room)
    mask = (1 << room.threshold_bits) - 1
    values = layer.thresholds.astype(np.int64)[neurons] & mask
    if layer.gains is not None:
        values |= layer.gains.astype(np.int64)[neurons] << room.threshold_bits
    digits = np.arange(room.threshold_bits + room.gain_bits)
    bits = ((values.reshape(-1, 1) >> digits) & 1).astype(np.uint8)
    return np.packbits(bits.reshape(-1, room.threshold_row_bits), axis=1, bitorder="little")


def _sets(room: LayerDesign, network_members: int) -> int:
    """Weight sets of a layer in an image."""
    return 1 if room.members == 1 else network_members


def device_image(network: Network, design: Design) -> bytes:
    """Make the image of a network for a gateware.

    Raises
    ------
    hw.design.design.CapacityError
        If the gateware cannot hold the network; the text names the field.
    """
    design.check(network)
    if network.members > _MOST_MEMBERS:
        raise CapacityError(f"Members must be at most {_MOST_MEMBERS}, not {network.members}")
    encoding = network.encoding
    header = pack(
        ImageHeader,
        magic=int.from_bytes(IMAGE_MAGIC, "little"),
        version=IMAGE_VERSION,
        readout=design.readouts.index(network.readout),
        steps=network.steps,
        features=network.features,
        classes=network.classes,
        fingerprint=network.fingerprint(),
        layers=len(network.layers),
        members=0 if network.is_sampled else network.members,
        encoding=ENCODING_CODES[encoding_kind(encoding)],
        phase=encoding.phase if isinstance(encoding, RateEncoding) else 0,
        tail_steps=encoding.tail_steps if isinstance(encoding, LatencyEncoding) else 0,
        sample_values=network.sample_values,
    )
    header += memory_entry(network, design)
    memories = []
    for target in write_targets(design):
        if target.name in (*MEMORY_TARGETS, ENCODER_TARGET):
            memories.append(memory_rows(network, target))
            continue
        if target.layer is None:
            assert isinstance(encoding, LatencyEncoding)  # the design has been asked
            table = encoding.table().astype(np.int64)
            memories.append(np.where(table < network.steps, table, NO_SPIKE).astype("<u2"))
            continue
        layer, room = network.layers[target.layer], design.layers[target.layer]
        if target.name == "weights":
            memories.append(_weight_rows(layer, room, _sets(room, network.members)))
        else:
            memories.append(_threshold_rows(layer, room))
    entries = []
    for layer, room in zip(network.layers, design.layers, strict=True):
        blocks = len(_lane_neurons(layer.neurons, room))
        rows = _sets(room, network.members) * blocks * room.rows_per_block
        own = layer.members if layer.undecided is None else 0
        entries.append(pack(ImageLayer, neurons=layer.neurons, blocks=blocks, rows=rows, sets=own))
    image = header + b"".join(entries) + b"".join(memory.tobytes() for memory in memories)
    return image + zlib.crc32(image).to_bytes(4, "little")


class ImageReader:
    """An image whose fixed part, length and CRC have been found right.

    Its memories are taken one after another, in the order of
    `hw.formats.write_target.write_targets`.
    """

    def __init__(self, image: bytes, design: Design) -> None:
        self._image = image
        self._design = design
        if len(image) < _HEADER_BYTES + 4:
            raise ImageError(
                f"Device image must have at least {_HEADER_BYTES + 4} bytes, not {len(image)}"
            )
        self.header = header = unpack(ImageHeader, image[:_HEADER_BYTES])
        layers = len(design.layers)
        most = max(room.members for room in design.layers)
        least = 0 if design.sampled else 1
        code = ENCODING_CODES[design.encoding]
        must = self._must
        must("Magic", IMAGE_MAGIC, image[:4], image[:4] == IMAGE_MAGIC)
        must("Version", IMAGE_VERSION, header["version"], header["version"] == IMAGE_VERSION)
        must("Layers", f"number {layers}", header["layers"], header["layers"] == layers)
        limit = len(design.readouts)
        must("Readout", f"below {limit}", header["readout"], header["readout"] < limit)
        members = header["members"]
        must("Members", f"{least}..{most}", members, least <= members <= most)
        if design.sample_input != "words":
            must("Encoding", code, header["encoding"], header["encoding"] == code)
        head = head_bytes(design)
        self._place = head + _LAYER_BYTES * layers
        if len(image) < self._place:
            raise ImageError(f"Device image must have {self._place} bytes, not {len(image)}")
        self.entries = [
            unpack(ImageLayer, image[place : place + _LAYER_BYTES])
            for place in range(head, self._place, _LAYER_BYTES)
        ]
        self.series = unpack(ImageMemory, image[_HEADER_BYTES:head]) if design.memory else {}
        targets = write_targets(design)
        end = self._place + sum(self.rows(target) * target.row_bytes for target in targets) + 4
        if len(image) != end:
            raise ImageError(f"Device image must have {end} bytes, not {len(image)}")
        crc = zlib.crc32(image[:-4])
        if image[-4:] != crc.to_bytes(4, "little"):
            found = int.from_bytes(image[-4:], "little")
            raise ImageError(f"CRC-32 of device image must be {crc:#010x}, not {found:#010x}")

    def _must(self, noun: str, rule: object, value: object, condition: bool) -> None:
        if not condition:
            rule = rule if str(rule).startswith("number ") else f"be {rule}"
            raise ImageError(f"{noun} of device image must {rule}, not {value!r}")

    def sets(self, layer: int) -> int:
        """Weight sets of a layer."""
        return _sets(self._design.layers[layer], max(1, self.header["members"]))

    def rows(self, target: WriteTarget) -> int:
        """Rows of a memory in this image."""
        if target.name == ENCODER_TARGET:
            return self.header["features"]
        if target.name in MEMORY_TARGETS:
            return self.series["order" if target.name == MEMORY_TARGETS[0] else "states"]
        if target.layer is None:
            return target.rows
        entry, room = self.entries[target.layer], self._design.layers[target.layer]
        return entry["rows"] if target.name == "weights" else entry["blocks"] * room.beats

    def check_sizes(self) -> None:
        """Refuse sizes that the design has no room for, or that contradict each other."""
        fan_in = self.header["features"]
        for index, (entry, room) in enumerate(zip(self.entries, self._design.layers, strict=True)):
            neurons = entry["neurons"]
            if not 0 < neurons <= room.neurons or fan_in > room.fan_in:
                raise ImageError(
                    f"Sizes of layer {index} of device image must be at most {room.fan_in} inputs "
                    f"and {room.neurons} neurons, not {fan_in} and {neurons}"
                )
            blocks = -(-neurons // room.lanes)
            for noun, count in (
                ("blocks", blocks),
                ("rows", self.sets(index) * blocks * room.rows_per_block),
            ):
                if entry[noun] != count:
                    raise ImageError(
                        f"{noun.capitalize()} of layer {index} of device image must be {count}, "
                        f"not {entry[noun]}"
                    )
            own, members = entry["sets"], self.header["members"]
            allowed = (1, members) if members else (0, 1)
            if own not in allowed or (not own and not room.sampled):
                raise ImageError(
                    f"Weight sets of layer {index} of device image must be one of {allowed}, "
                    f"not {own}"
                )
            fan_in = neurons

    def memory(self, target: WriteTarget) -> np.ndarray:
        """Take the next memory: uint8 (rows, row_bytes)."""
        count = self.rows(target)
        begin, self._place = self._place, self._place + count * target.row_bytes
        content = np.frombuffer(self._image[begin : self._place], dtype=np.uint8)
        return content.reshape(count, target.row_bytes)


def _packed(bits: np.ndarray) -> np.ndarray:
    return np.packbits(bits, axis=-1, bitorder="little")


def _signed(digits: np.ndarray) -> np.ndarray:
    """Two's complement of bits (..., digits), lowest first."""
    place = np.left_shift(np.int64(1), np.arange(digits.shape[-1]))
    place[-1] = -place[-1]
    return digits.astype(np.int64) @ place


def _layer(
    reader: ImageReader, index: int, fan_in: int, room: LayerDesign, memories: dict[str, np.ndarray]
) -> Layer:
    """Inverse of `_weight_rows` and `_threshold_rows`."""
    neurons, size = reader.entries[index]["neurons"], room.inputs_per_cycle
    gains = None
    rows = np.unpackbits(memories["weights"], axis=1, count=room.row_bits, bitorder="little")
    halves = room.row_bits // room.sign_bits
    # (sets, blocks, rows of a block, halves, P, S) to (halves, sets, blocks, P, rows, S)
    rows = rows.reshape(reader.sets(index), -1, room.rows_per_block, halves, room.lanes, size)
    rows = rows.transpose(3, 0, 1, 4, 2, 5)
    rows = rows.reshape(halves, reader.sets(index), -1, room.rows_per_block, size)[:, :, :neurons]
    bits = rows[:, :, :, room.planes :].reshape(halves, reader.sets(index), neurons, -1)
    weights = _packed(bits[..., :fan_in])
    if room.planes:
        # Digit of highest weight in the first row.
        thresholds = -_signed(rows[0, 0, :, : room.planes][:, ::-1].reshape(neurons, -1))
    else:
        digits = np.unpackbits(
            memories["thresholds"], axis=1, count=room.threshold_row_bits, bitorder="little"
        )
        digits = digits.reshape(-1, room.threshold_bits + room.gain_bits)[:neurons]
        thresholds = _signed(digits[:, : room.threshold_bits])
        if room.gain_bits:
            weights_of_bits = 1 << np.arange(room.gain_bits)
            gains = (digits[:, room.threshold_bits :] @ weights_of_bits).astype(np.uint8)
    own = reader.entries[index]["sets"]
    return Layer(
        weights=weights[0, : max(1, own)],
        thresholds=thresholds.astype(np.int32),
        fan_in=fan_in,
        kind=room.kind,
        dynamics=room.dynamics,
        undecided=None if own else weights[1, 0],
        gains=gains,
        input_bits=room.input_bits,
        input_signed=room.input_signed,
    )


def _encoding(reader: ImageReader, design: Design, table: Sequence[int]) -> Encoding | None:
    header = reader.header
    if design.has_table:
        # The level of a step is the least intensity that spikes in it or before.
        levels = header["steps"] - header["tail_steps"]
        reached = [np.asarray(table) <= step for step in range(levels)]
        return LatencyEncoding(
            levels=tuple(int(np.argmax(at)) for at in reached), tail_steps=header["tail_steps"]
        )
    if design.encodes_rates:
        return RateEncoding(steps=header["steps"], phase=header["phase"])
    if design.memory is not None:
        return series_from_image(reader.series, header["sample_values"])
    return None


def _series_fields(
    reader: ImageReader, design: Design, memories: dict[int | None, dict[str, np.ndarray]]
) -> dict[str, Any]:
    """Fields of a network with a memory, and an encoder."""
    if design.memory is None:
        return {}
    rows = memories[None]
    fields: dict[str, Any] = {"memory": memory_from_image(reader.series, design.memory, rows)}
    if design.encoder is not None:
        features = reader.header["features"]
        fields["encoder"] = encoder_from_image(
            reader.series, design.encoder, features, rows[ENCODER_TARGET]
        )
        fields["encoder_shifts"] = design.encoder.shifts
    return fields


def network_from_image(
    image: bytes, design: Design, *, encoding: Encoding | None = None
) -> Network:
    """Read an image back into a network (without metadata, with a flat input shape).

    Parameters
    ----------
    image
        The bytes.
    design
        The gateware that it was made for.
    encoding
        Of a network whose samples come as spike words or events: the image does not hold it.

    Raises
    ------
    ImageError
        If the image is truncated, altered, of another version, or made for another design.
    """
    reader = ImageReader(image, design)
    reader.check_sizes()
    memories: dict[int | None, dict[str, np.ndarray]] = {}
    for target in write_targets(design):
        memories.setdefault(target.layer, {})[target.name] = reader.memory(target)
    table = memories[None]["table"].view("<u2").ravel().tolist() if design.has_table else []
    found = _encoding(reader, design, table) or encoding
    if found is None:
        raise ImageError(f"Encoding of {design.sample_input} must be given: no image holds it")
    layers, fan_in = [], reader.header["features"]
    for index, room in enumerate(design.layers):
        layers.append(_layer(reader, index, fan_in, room, memories[index]))
        fan_in = layers[-1].neurons
    network = Network(
        encoding=found,
        layers=tuple(layers),
        readout=design.readouts[reader.header["readout"]],
        **_series_fields(reader, design, memories),
    )
    if network.fingerprint() != reader.header["fingerprint"]:
        raise ImageError(
            f"Fingerprint of device image must be {network.fingerprint():#010x}, "
            f"not {reader.header['fingerprint']:#010x}"
        )
    return network
