# SPDX-License-Identifier: Apache-2.0
"""Recipe family ``bisnn``: networks with a state at every step, binary weights, posteriors."""

from model.train.bisnn.config import BisnnConfig, Estimator, Form, Neuron, Posterior, Variant
from model.train.bisnn.loop import BisnnResult, train_bisnn
from model.train.bisnn.rules import Rule

__all__ = [
    "BisnnConfig",
    "BisnnResult",
    "Estimator",
    "Form",
    "Neuron",
    "Posterior",
    "Rule",
    "Variant",
    "train_bisnn",
]
