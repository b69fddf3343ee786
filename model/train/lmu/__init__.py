# SPDX-License-Identifier: Apache-2.0
"""Recipe families ``lmu-parallel`` and ``lmu-hybrid``: Legendre memory, binary weights."""

from model.train.lmu.config import LmuConfig, LmuRule
from model.train.lmu.hybrid_config import HybridConfig, HybridRule
from model.train.lmu.hybrid_loop import train_hybrid
from model.train.lmu.loop import LmuResult, train_parallel

__all__ = [
    "HybridConfig",
    "HybridRule",
    "LmuConfig",
    "LmuResult",
    "LmuRule",
    "train_hybrid",
    "train_parallel",
]
