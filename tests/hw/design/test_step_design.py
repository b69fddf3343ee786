# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
import re

import numpy as np
import pytest

from hw.design.design import CapacityError, Design, Fold
from hw.design.layer_design import LayerDesign
from hw.formats.write_target import threshold_target, weight_target, write_targets
from model.description import Dynamics, Layer, NeuronKind, RateEncoding, Readout
from model.encoding import EventEncoding
from tests.hw.designs import stepwise, two_layers
from tests.series import make_series
from tests.stepwise import make_network

FOLDS = [Fold(lanes=4, inputs_per_cycle=2, times_per_cycle=2), Fold(lanes=3, inputs_per_cycle=2)]


def design_of(network, **fields):
    return Design.for_networks([network], FOLDS, pixels_per_cycle=2, **fields)


def test_derived_sizes():
    network = make_network((11, 9, 3), seed=1, members=3)
    design = design_of(network)
    first, second = design.layers
    assert design.is_stepwise
    assert (design.members, design.sampled, design.has_table) == (3, False, True)
    assert (first.planes, first.groups, first.blocks) == (0, 6, 3)
    assert (first.rows_per_block, first.rows_per_member, first.rows) == (6, 18, 54)
    assert (first.beats, first.state_rows) == (2, 6)
    assert first.potential_bits == 5  # -11..11
    assert first.threshold_row_bits == 2 * first.threshold_bits
    assert (second.beats, second.state_rows, second.rows) == (3, 3, 15)
    assert design.sample_words == 12 + network.steps
    bits = max(second.dynamics.membrane_bits, second.threshold_bits) + 1
    assert design.score_bits == bits + 2


def test_rows_of_drawn_layers_have_two_bits_a_weight():
    design = design_of(make_network((11, 9, 3), seed=1, sampled=True), members=5)
    assert design.sampled
    assert [layer.row_bits for layer in design.layers] == [16, 12]
    assert [layer.rows_per_member for layer in design.layers] == [18, 5]
    assert [layer.members for layer in design.layers] == [1, 1]


def test_write_targets():
    design = design_of(make_network((11, 9, 3), seed=1, members=2))
    targets = write_targets(design)
    assert [(t.number, t.name, t.layer, t.rows) for t in targets] == [
        (0, "table", None, 256),
        (1, "weights", 0, 36),
        (2, "weights", 1, 10),
        (3, "thresholds", 0, 6),
        (4, "thresholds", 1, 3),
    ]
    assert (weight_target(1), threshold_target(design, 1)) == (2, 4)
    assert targets[3].row_bits == design.layers[0].threshold_row_bits
    assert [t.number for t in write_targets(dataclasses.replace(design, sample_input="words"))] == [
        1,
        2,
        3,
        4,
    ]
    assert [t.name for t in write_targets(two_layers())] == ["table", "weights", "weights"]


@pytest.mark.parametrize("sampled", [False, True])
def test_json_round_trip_and_hash(sampled):
    design = design_of(make_network((11, 9, 3), seed=1, sampled=sampled, kind="spike-response"))
    events = EventEncoding(width=3, height=4, crop_width=3, crop_height=4, bin_us=9, steps=8)
    for one in (
        design,
        dataclasses.replace(design, sample_input="events", encoding="events", events=events),
    ):
        again = Design.from_json(json.loads(json.dumps(one.to_json())))
        assert again == one
        assert again.design_hash() == one.design_hash()


def changed(layer, **fields):
    return dataclasses.replace(layer, dynamics=dataclasses.replace(layer.dynamics, **fields))


def with_layer(network, index, layer):
    layers = list(network.layers)
    layers[index] = layer
    return dataclasses.replace(network, layers=tuple(layers))


def test_a_network_that_does_not_fit_is_refused_by_name():
    network = make_network((11, 9, 3), seed=1, members=2)
    design = design_of(network)
    design.check(network)
    first, last = network.layers
    shift = first.dynamics.membrane_shift
    bits = last.dynamics.membrane_bits
    high = dataclasses.replace(last, thresholds=np.array([1 << 20, 0, 0], np.int32))
    cases = [
        (
            with_layer(network, 0, changed(first, membrane_shift=shift + 1)),
            f"Membrane shift of layer 0 must be {shift}, not {shift + 1}",
        ),
        (
            with_layer(network, 1, changed(last, membrane_bits=bits + 1)),
            f"Membrane bits of layer 1 must be {bits}, not {bits + 1}",
        ),
        (make_network((12, 9, 3), seed=1), "Fan-in of layer 0 must be at most 11, not 12"),
        (
            make_network((11, 9, 3), seed=1, members=3),
            "Members of layer 0 must be at most 2, not 3",
        ),
        (
            make_network((11, 9, 3), seed=1, kind="spike-response"),
            "Neuron kind of layer 0 must be lif, not spike-response",
        ),
        (
            with_layer(network, 1, high),
            f"Threshold bits of layer 1 must be at most {design.layers[1].threshold_bits}, not 22",
        ),
        (
            dataclasses.replace(network, encoding=RateEncoding(steps=4)),
            "Encoding must be latency, not rate",
        ),
        (
            make_network((11, 9, 3), seed=1, sampled=True),
            "Undecided weights of layer 0 must be absent, not given",
        ),
    ]
    for other, message in cases:
        if "Fan-in" in message or "Members" in message or "Undecided" in message:
            # Of the same dynamics.
            layers = tuple(
                dataclasses.replace(layer, dynamics=mine.dynamics)
                for layer, mine in zip(other.layers, network.layers, strict=True)
            )
            other = dataclasses.replace(other, layers=layers)
        with pytest.raises(CapacityError, match=f"^{re.escape(message)}$"):
            design.check(other)


def test_drawn_layers_take_as_many_generator_words():
    network = make_network((40, 9, 3), seed=1, sampled=True)
    design = design_of(network, members=2)
    small = make_network((30, 9, 3), seed=1, sampled=True)
    layers = tuple(
        dataclasses.replace(layer, dynamics=mine.dynamics)
        for layer, mine in zip(small.layers, network.layers, strict=True)
    )
    message = "Fan-in of layer 0 must be in 33..40 where weights are drawn, not 30"
    with pytest.raises(CapacityError, match=f"^{re.escape(message)}$"):
        design.check(dataclasses.replace(small, layers=layers))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"members": 0}, "members must be a positive integer, not 0"),
        (
            {"readouts": (Readout.FIRST_SPIKE,)},
            "A stepwise design must have the readout final-potential alone, and no early_stop",
        ),
        (
            {"sample_input": "events"},
            "encoding of sample_input events must be events, not 'latency'",
        ),
        (
            {"encoding": "events"},
            "encoding of sample_input pixels must be latency or rate, not 'events'",
        ),
        (
            {"sample_input": "words", "encoding": "events"},
            "events of encoding events must be given",
        ),
        (
            {"encoding": "rate", "pixels_per_cycle": 2},
            "pixels_per_cycle must equal the first layer's inputs_per_cycle 1 with rate encoding, "
            "not 2",
        ),
        ({"encoding": "bits"}, "encoding must be latency, rate, events or series, not 'bits'"),
        ({"spram_layer": 2}, "spram_layer must be 0 or 1, not 2"),
    ],
)
def test_contradictions(fields, message):
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}$"):
        dataclasses.replace(stepwise(), **fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"folds": ((4, 1, 2), (4, 1, 1))},
            "times_per_cycle of layer 0 must equal inputs_per_cycle 1 of layer 1, not 2",
        ),
        ({"folds": ((4, 1, 1), (4, 1, 2))}, "times_per_cycle of the last layer must be 1, not 2"),
        (
            {"folds": ((4, 3, 1), (4, 1, 1)), "sampled": True},
            "A sampled layer must have one weight set and inputs_per_cycle that divide 16, "
            "not 1 and 3",
        ),
    ],
)
def test_folds_that_do_not_fit(fields, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        stepwise(**fields)


def integer_design(**fields):
    return stepwise(
        integers=((4, True), (3, False)), sample_input="words", encoding="series", **fields
    )


def test_sizes_of_integers():
    design = integer_design(folds=((4, 2, 1), (4, 1, 1)))
    first, second = design.layers
    assert (first.input_bits, first.input_signed, first.groups) == (4, True, 6)
    assert (first.output_bits, first.output_signed, first.gain_bits) == (3, False, 3)
    assert (second.input_bits, second.input_signed, second.output_bits) == (3, False, 1)
    assert (second.output_signed, second.gain_bits) == (False, 0)
    assert first.threshold_row_bits == first.threshold_bits + 3
    assert design.sample_words == 6 * 6
    assert [layer.output_bits for layer in stepwise().layers] == [1, 1]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"input_bits": 17}, "input_bits must be an integer in 1..16, not 17"),
        (
            {"input_bits": 1, "input_signed": True},
            "input_bits must be an integer in 2..16, not 1",
        ),
        (
            {"kind": NeuronKind.SINGLE_SPIKE, "dynamics": None},
            "input_bits of a single-spike layer must be 1, not 3",
        ),
    ],
)
def test_integers_have_widths(fields, message):
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}$"):
        dataclasses.replace(integer_design().layers[1], **fields)


def test_a_layer_takes_what_the_one_before_emits():
    first, second = integer_design().layers
    message = (
        "Input bits and sign of layer 1 must be those of what layer 0 emits, (3, False), "
        "not (3, True)"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        dataclasses.replace(
            integer_design(), layers=(first, dataclasses.replace(second, input_signed=True))
        )


def test_networks_of_other_integers_are_refused_by_name():
    network = make_series(seed=3, channels=6, hidden=(5,))
    folds = [Fold(lanes=2), Fold(lanes=3)]
    design = Design.for_networks([network], folds, sample_input="words")
    design.check(network)
    first = design.layers[0]
    largest = 6 << first.input_bits - 1
    assert first.potential_bits == largest.bit_length() + 1
    layer = network.layers[0]
    emitted, bits = 1 + first.output_bits, first.input_bits + 1
    dynamics = dataclasses.replace(layer.dynamics, emission_bits=emitted, emission_signed=True)
    cases = [
        (
            dataclasses.replace(layer, input_bits=bits),
            f"Input bits of layer 0 must be {first.input_bits}, not {bits}",
        ),
        (
            dataclasses.replace(layer, input_signed=False),
            "Input signed of layer 0 must be True, not False",
        ),
        (
            dataclasses.replace(layer, dynamics=dynamics),
            f"Emission bits of layer 0 must be {first.output_bits}, not {emitted}",
        ),
    ]
    for other, message in cases:
        with pytest.raises(CapacityError, match=f"^{re.escape(message)}$"):
            first.check(other, 0)
    with pytest.raises(ValueError, match=r"^Layers of one gateware must have the same input bits"):
        LayerDesign.for_layers([layer, cases[0][0]], folds[0])


def test_single_spike_designs_have_no_members():
    with pytest.raises(ValueError, match=r"^Single-spike layers must stand alone, and have one"):
        two_layers(members=2)
    with pytest.raises(ValueError, match=r"^step_results must be of a stepwise design$"):
        two_layers(step_results=True)


def test_layers_of_one_gateware_are_alike():
    network = make_network((11, 9, 3), seed=1)
    other = with_layer(network, 0, changed(network.layers[0], fraction_bits=9))
    with pytest.raises(ValueError, match=r"^Layers of one gateware must have the same neuron kind"):
        Design.for_networks([network, other], FOLDS, pixels_per_cycle=2)
    rates = dataclasses.replace(network, encoding=RateEncoding(steps=8))
    with pytest.raises(ValueError, match=r"^Networks of one gateware must have the same kind of"):
        Design.for_networks([network, rates], FOLDS, pixels_per_cycle=2)


def test_dynamics_belong_to_the_kind():
    fields = {
        "fan_in": 3,
        "neurons": 2,
        "fold": Fold(lanes=2),
        "potential_bits": 3,
        "threshold_bits": 3,
    }
    with pytest.raises(ValueError, match=r"^dynamics of kind lif must be given$"):
        LayerDesign(**fields, kind=NeuronKind.LIF)
    with pytest.raises(ValueError, match=r"^dynamics of kind single-spike-if must be absent$"):
        LayerDesign(**fields, dynamics=Dynamics(membrane_bits=4))
    single = Layer.from_signs(np.ones((2, 3), int), np.array([1, 1]))
    stepped = LayerDesign(**fields, kind=NeuronKind.INTEGRATOR, dynamics=Dynamics(membrane_bits=4))
    with pytest.raises(CapacityError, match=r"^Neuron kind of layer 0 must be integrator, not"):
        stepped.check(single, 0)
