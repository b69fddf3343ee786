# SPDX-License-Identifier: Apache-2.0
"""The parallel LMU in tables: accuracy, activity, cost of a step. For the documents."""

import json
from collections.abc import Sequence

from model import lmu_costs, zoo
from model.studies import RESULTS, load_study

__all__ = ["SHIPPED", "lmu_tables"]

#: Networks of the parallel form that ship, each with a yardstick ``<name>-float``.
SHIPPED = ("lmu-psmnist-256", "lmu-psmnist-468", "lmu-fsdd")

Rows = Sequence[tuple[str, ...]]


def lmu_tables() -> dict[str, tuple[Sequence[str], Rows]]:
    """Columns and rows of each table, by its name in the documents."""
    return {
        "lmu": (
            (
                "network",
                "states, hidden, classes",
                "bits sent: memory / hidden",
                "reads",
                "validation %",
                "test %",
                "test samples",
                "float twin: validation %",
                "float twin: test %",
            ),
            _accuracy_rows(),
        ),
        "lmu-speakers": _speaker_table(),
        "lmu-gain": (
            (
                "gain",
                "bits built",
                "activity bits",
                "significant bits",
                "active share",
                "synaptic operations of the readout",
                "validation %",
            ),
            _gain_rows(),
        ),
        "lmu-activity": (
            (
                "network",
                "what sends",
                "bits built",
                "activity bits",
                "range bits",
                "significant bits",
                "active share",
                "synaptic operations a sample",
            ),
            _activity_rows(),
        ),
        "lmu-costs": (
            (
                "network",
                "test %",
                "multiplications a step",
                "additions a step",
                "trained weights, kbit",
                "fixed coefficients, kbit",
                "states, kbit",
            ),
            _cost_rows(),
        ),
    }


def _accuracy_rows() -> Rows:
    """The parallel LMU beside its float yardsticks."""
    rows = []
    for name in SHIPPED:
        network, yardstick = zoo.load(name), zoo.load_yardstick(f"{name}-float")
        facts, floats = network.metadata, yardstick.metadata
        assert network.memory is not None
        rows.append(
            (
                f"`{name}`",
                "-".join(map(str, network.sizes)),
                f"{network.memory.emission_bits} / {network.layers[0].output_bits}",
                str(network.memory.reads),
                _percent(facts["validation_accuracy"]),
                f"**{_percent(facts['test_accuracy'])}**",
                f"{facts['test_images']:,}",
                _percent(floats["validation_accuracy"]),
                _percent(floats["test_accuracy"]),
            )
        )
    return rows


def _speaker_table() -> tuple[Sequence[str], Rows]:
    """Accuracy with each speaker held out, and the mean."""
    runs = load_study(RESULTS / "lmu-fsdd.json").runs
    rows = []
    for predictor, noun in (("st", "binary"), ("full", "float twin")):
        found = {run["run"]: run["accuracy"] for run in runs if run["predictor"] == predictor}
        values = [*found.values(), sum(found.values()) / len(found)]
        rows.append((noun, *map(_percent, values[:-1]), f"**{_percent(values[-1])}**"))
    return ("test %", *found, "mean"), rows


def _gain_rows() -> Rows:
    study = json.loads((RESULTS / "lmu" / "gain.json").read_text(encoding="utf-8"))
    rows = []
    for run in study["runs"]:
        hidden = run["layers"][-1]
        rows.append(
            (
                f"{run['gain']:g}",
                str(run["emission_bits"]),
                f"{hidden['activity_bits']:.2f}",
                f"{hidden['significant_bits']:.2f}",
                f"{hidden['active_share']:.2f}",
                f"{hidden['synaptic_operations']:,.0f}",
                _percent(run["validation_accuracy"]),
            )
        )
    return rows


def _activity_rows() -> Rows:
    measured = json.loads((RESULTS / "lmu" / "activity.json").read_text(encoding="utf-8"))
    return [
        (
            f"`{name}`",
            layer["layer"],
            str(layer["emission_bits"]),
            f"{layer['activity_bits']:.2f}",
            f"{layer['range_bits']:.2f}",
            f"{layer['significant_bits']:.2f}",
            f"{layer['active_share']:.2f}",
            f"{layer['synaptic_operations']:,.0f}",
        )
        for name, facts in measured.items()
        for layer in facts["layers"]
    ]


def _cost_rows() -> Rows:
    """Operations of a step of psMNIST; what is in brackets was recalled, not measured here."""
    costs = []
    for name in SHIPPED[:2]:
        network, yardstick = zoo.load(name), zoo.load_yardstick(f"{name}-float")
        facts, (states, hidden, classes) = network.metadata, network.sizes
        cost = lmu_costs.parallel_lmu(
            network, input_bits=facts["test_input_spikes"], hidden_bits=facts["test_hidden_spikes"]
        )
        costs.append((f"`{name}`", _percent(facts["test_accuracy"]), cost))
        dense = lmu_costs.dense_lmu(
            order=states, channels=1, hidden=hidden, classes=classes, steps=network.encoding.steps
        )
        accuracy = _percent(yardstick.metadata["test_accuracy"])
        costs.append((f"`{name}-float`, dense", accuracy, dense))
    costs += [
        ("LMU, 256 states, 212 hidden", "(97.15)", lmu_costs.neurips_lmu()),
        ("LSTM, 200 hidden", "(89.86)", lmu_costs.lstm(hidden=200)),
        ("GRU, 235 hidden", "(92.39)", lmu_costs.gru(hidden=235)),
    ]
    return [
        (
            name,
            accuracy,
            f"{cost.multiplications:,.0f}",
            f"{cost.additions:,.0f}",
            f"{cost.weight_bits / 1000:,.0f}",
            f"{cost.coefficient_bits / 1000:,.1f}",
            f"{cost.state_bits / 1000:,.1f}",
        )
        for name, accuracy, cost in costs
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"
