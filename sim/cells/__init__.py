# SPDX-License-Identifier: Apache-2.0
"""Verilog models of vendor cells, for simulators."""

from pathlib import Path

from hw.design.design import Design

__all__ = ["cell_models"]


def cell_models(design: Design) -> tuple[Path, ...]:
    """Verilog files that a simulator needs beside the export of a design."""
    if design.weight_memory == "spram":
        return (Path(__file__).parent / "SB_SPRAM256KA.v",)
    return ()
