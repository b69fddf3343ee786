# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
import re

import pytest

from hw.design.design import CapacityError, Design, Fold
from hw.design.memory_design import MemoryDesign
from hw.formats.design_words import design_from_words, design_words
from hw.formats.write_target import write_targets
from model.description import LegendreMemory
from tests.series import make_parallel, make_series

MEMORY = LegendreMemory.for_window(order=12, window=30, channels=2, reads=4)
ROOM = MemoryDesign.for_memories([MEMORY], values=60)
NETWORK = make_parallel(seed=1, order=6, channels=2, steps=12, reads=2)
DESIGN = Design.for_networks([NETWORK], [Fold(lanes=2), Fold(lanes=3)], step_results=True)


def changed(**fields):
    """The memory with other fields; its arrays follow."""
    sizes = {name: fields.get(name, getattr(MEMORY, name)) for name in ("order", "channels")}
    fields = {"window": 30, "reads": 4, **sizes, **fields}
    scale = {name: fields.pop(name) for name in ("input_scale", "input_shift") if name in fields}
    return dataclasses.replace(LegendreMemory.for_window(**fields), **scale)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"order": 13}, "Order of the memory must be at most 12, not 13"),
        ({"channels": 3}, "Channels of the memory must be at most 2, not 3"),
        ({"reads": 8}, "Reads of the memory must be at most 4, not 8"),
        ({"coefficient_bits": 9}, "Coefficient bits of the memory must be 8, not 9"),
        ({"fraction_bits": 9}, "Fraction bits of the memory must be 10, not 9"),
        ({"guard_bits": 3}, "Guard bits of the memory must be 2, not 3"),
        ({"emission_bits": 5}, "Emission bits of the memory must be 4, not 5"),
        (
            {"input_shift": MEMORY.input_shift + 1},
            f"Input shift of the memory must be at most {MEMORY.input_shift}, "
            f"not {MEMORY.input_shift + 1}",
        ),
        (
            {"input_shift": MEMORY.input_shift - 3, "input_scale": 65535},
            "Input scale of the memory must be at most 8191, not 65535",
        ),
    ],
)
def test_a_memory_that_does_not_fit_is_refused_by_name(fields, message):
    ROOM.check(MEMORY)
    ROOM.check(changed(order=5, channels=1, reads=1))
    assert ROOM.scale_bits == 16
    with pytest.raises(CapacityError, match=f"^{re.escape(message)}$"):
        ROOM.check(changed(**fields))


def test_networks_that_do_not_fit_are_refused_by_name():
    DESIGN.check(NETWORK)
    room = DESIGN.memory
    small = dataclasses.replace(DESIGN, memory=dataclasses.replace(room, values=23))
    with pytest.raises(CapacityError, match="^Values of a series must number at most 23, not 24$"):
        small.check(NETWORK)
    series = make_series(seed=1)
    with pytest.raises(CapacityError):
        DESIGN.check(series)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"reads": 3}, "reads must be a power of two, not 3"),
        ({"order": 1}, "order must be at least 2, not 1"),
        ({"scale_bits": 33}, "scale_bits must be at most 32, not 33"),
    ],
)
def test_contradictions_are_refused(fields, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        dataclasses.replace(ROOM, **fields)
    with pytest.raises(TypeError, match="^channels must be a positive integer, not 0$"):
        dataclasses.replace(ROOM, channels=0)
    with pytest.raises(ValueError, match="must have the same bits of coefficients"):
        MemoryDesign.for_memories([MEMORY, changed(guard_bits=3)], values=1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"memory": None},
            "memory of encoding series and sample_input pixels must be given",
        ),
        (
            {"sample_input": "words"},
            "memory of encoding series and sample_input words must be absent",
        ),
        ({"pixels_per_cycle": 2}, "pixels_per_cycle must be 1 with a memory, not 2"),
        (
            {"memory": dataclasses.replace(DESIGN.memory, emission_bits=5)},
            "Inputs of layer 0 must be what the memory sends, signed integers of 5 bits, "
            "not 4 bits",
        ),
        (
            {"memory": dataclasses.replace(DESIGN.memory, order=5)},
            "fan_in of layer 0 must be at most the 10 values that come from the memory, not 12",
        ),
    ],
)
def test_designs_that_contradict_their_memory_are_refused(fields, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        dataclasses.replace(DESIGN, **fields)


def test_a_design_is_rebuilt_from_json_and_registers():
    assert DESIGN.sample_values == 24
    assert DESIGN.pixels_per_cycle == 1
    assert Design.from_json(json.loads(json.dumps(DESIGN.to_json()))) == DESIGN
    words = design_words(DESIGN)
    assert all(0 <= value < 1 << 32 for value in words.values())
    assert design_from_words(lambda address: words.get(address, 0)) == DESIGN


def test_memories_to_load():
    targets = write_targets(DESIGN)
    assert [target.number for target in targets] == [1, 2, 3, 4, 5, 6]
    room = DESIGN.memory
    assert [(t.name, t.rows, t.row_bits) for t in targets[-2:]] == [
        ("coefficients", 6, room.coefficient_bits + 1),
        ("emission shifts", 12, (room.state_bits - 1).bit_length()),
    ]
