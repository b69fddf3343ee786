# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of one stepwise neuron in one step."""

from amaranth import Cat, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design.design import LayerDesign
from hw.parts.clamped import clamped
from hw.parts.delayed import delayed
from hw.parts.step_shapes import emission_shape, neuron_state, score_shape
from model.description import NeuronKind, Reset

__all__ = ["NeuronUpdate"]


class NeuronUpdate(wiring.Component):
    """One neuron, one step, a stage for each adder; see ``model/stepwise.py``.

    ::

        stage   membrane V             synapse I             refractory R
        1       V - (V >> km)          I - (I >> ks)         R - (R >> kr);  threshold + R
        2       + I, or + (x << F)     + (x << F)            + jump
        3       clamp                  clamp                 clamp
        4       V - threshold - R
        5       spike, reset                                 with or without jump

    ``>>`` is arithmetic. A membrane gains the synaptic trace of the step before. An integrator
    has no leak, and never fires. A diffused quantiser takes the same five stages: x - threshold;
    << gain; clamp; + V; the fraction that stays and the integer above it, which is emitted.

    Parameters
    ----------
    layer
        Kind, parameters and widths.

    Members
    -------
    state : In(neuron_state)
        State after the step before.
    sum : In(signed(potential_bits))
        x, synaptic sum of the step.
    threshold : In(signed(threshold_bits))
        Threshold.
    gain : In(gain_bits)
        Left shift, 0 to 7; only of a diffused quantiser.
    next_state : Out(neuron_state)
        State after the step, ``latency`` cycles later.
    emitted : Out(emission_shape)
        Whether the neuron fires, or the integer that it emits, at the same time.
    score : Out(score_shape)
        ``V - threshold``, at the same time; only of an integrator.
    """

    #: Cycles from state to next state.
    latency = 5

    def __init__(self, *, layer: LayerDesign) -> None:
        self._layer = layer
        is_output = layer.kind is NeuronKind.INTEGRATOR
        score = {"score": Out(score_shape(layer))} if is_output else {}
        gain = {"gain": In(layer.gain_bits)} if layer.gain_bits else {}
        super().__init__(
            {
                "state": In(neuron_state(layer)),
                "sum": In(signed(layer.potential_bits)),
                "threshold": In(signed(layer.threshold_bits)),
                **gain,
                "next_state": Out(neuron_state(layer)),
                "emitted": Out(emission_shape(layer)),
                **score,
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        dynamics, kind = self._layer.dynamics, self._layer.kind

        def leaked(state: Value, shift: int, name: str) -> Value:
            """``state - (state >> shift)``: never farther from 0 than the state, so as wide."""
            register = Signal(state.shape(), name=name)
            m.d.sync += register.eq(state - (state >> shift))
            return register

        state = self.state
        if kind is NeuronKind.DIFFUSED:
            fraction = dynamics.fraction_bits
            excess = delayed(m, self.sum - self.threshold, "excess")
            shifted = delayed(m, excess << delayed(m, self.gain, "shift"), "shifted")
            low, high = dynamics.emission_range()
            # Within the bounds in whole units, or a bound: the highest one with an empty fraction.
            whole = shifted >> fraction
            inside = Mux(whole >= high, high << fraction, shifted)
            drive = Signal(Shape(fraction + dynamics.emission_bits, dynamics.emission_signed))
            m.d.sync += drive.eq(Mux(whole < low, low << fraction, inside))
            raised = delayed(
                m, (drive + delayed(m, state.membrane, "kept", 3))[: len(drive)], "raised"
            )
            m.d.sync += Cat(self.next_state.membrane, self.emitted).eq(raised)
            return m
        membrane_shape = signed(dynamics.membrane_bits)
        entering = self.sum << dynamics.fraction_bits
        limit: Value = self.threshold
        if kind is NeuronKind.INTEGRATOR:
            kept, gain = delayed(m, state.membrane, "kept"), delayed(m, entering, "gain")
        else:
            kept = leaked(state.membrane, dynamics.membrane_shift, "kept")
            gain = delayed(m, entering, "gain")
        if kind is NeuronKind.SPIKE_RESPONSE:
            trace = leaked(state.synapse, dynamics.synapse_shift, "trace")
            traced = delayed(m, trace + gain, "traced")
            synapse = delayed(m, clamped(traced, signed(dynamics.synapse_bits)), "synapse", 3)
            gain = delayed(m, state.synapse, "gain_of_trace")
            tired = leaked(state.refractory, dynamics.refractory_shift, "tired")
            jumped = delayed(m, tired + dynamics.refractory_jump, "jumped")
            jumped = delayed(
                m, clamped(jumped, unsigned(dynamics.refractory_bits)), "more_tired", 2
            )
            m.d.comb += self.next_state.synapse.eq(synapse)
            limit = delayed(m, limit + state.refractory, "limit", 3)
        else:
            limit = delayed(m, limit, "limit", 3)
        raised = delayed(m, kept + gain, "raised")
        membrane = delayed(m, clamped(raised, membrane_shape), "membrane")
        excess = delayed(m, membrane - limit, "excess")
        membrane = delayed(m, membrane, "waiting")
        fires = Signal()
        m.d.comb += fires.eq(excess >= 0 if kind is not NeuronKind.INTEGRATOR else 0)
        m.d.sync += [self.emitted.eq(fires), self.next_state.membrane.eq(membrane)]
        if kind is NeuronKind.INTEGRATOR:
            m.d.sync += self.score.eq(excess)
        with m.If(fires):
            if dynamics.reset is Reset.SUBTRACT:
                # From 0 to the membrane, as a threshold is at least 1.
                m.d.sync += self.next_state.membrane.eq(excess)
            elif dynamics.reset is Reset.ZERO:
                m.d.sync += self.next_state.membrane.eq(0)
        if kind is NeuronKind.SPIKE_RESPONSE:
            tired = delayed(m, tired, "less_tired", 3)
            m.d.sync += self.next_state.refractory.eq(Mux(fires, jumped, tired))
        return m
