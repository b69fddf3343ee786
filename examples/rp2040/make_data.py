# SPDX-License-Identifier: Apache-2.0
"""Writes ``data.c`` of the demo: device image, samples, and the golden model's classes.

``python examples/rp2040/make_data.py bs4nn-mnist-256 mnist-samples``
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from firmware.image import device_image
from hw.design.design import Design
from hw.fit.fold import default_design
from model import zoo
from model.data import open_dataset
from model.description import Network
from model.golden import run

__all__ = ["data_text", "main"]


def _array(kind: str, name: str, numbers: Iterable[int]) -> str:
    texts = [str(number) for number in numbers]
    rows = [", ".join(texts[at : at + 16]) for at in range(0, len(texts), 16)]
    return f"const {kind} {name}[] = {{\n    " + ",\n    ".join(rows) + "};"


def data_text(network: Network, design: Design, samples: np.ndarray) -> str:
    """Text of the file.

    Parameters
    ----------
    network, design
        Network, and the design of the board's gateware.
    samples
        uint8 (N, sample_values).
    """
    image = device_image(network, design)
    classes = run(network, samples).winners.tolist()
    parts = [
        "/* Written by make_data.py. */",
        '#include "demo.h"',
        f"const uint32_t demo_design_hash = {design.design_hash()}u;",
        f"const uint32_t demo_image_bytes = {len(image)}u;",
        f"const uint16_t demo_sample_bytes = {samples.shape[1]}u;",
        f"const uint16_t demo_count = {len(samples)}u;",
        _array("uint8_t", "demo_image", image),
        _array("uint8_t", "demo_samples", samples.flatten().tolist()),
        _array("uint16_t", "demo_classes", classes),
    ]
    return "\n".join(parts) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the file."""
    parser = argparse.ArgumentParser(prog="make_data.py", description=__doc__)
    parser.add_argument("network", help="shipped network of pixels")
    parser.add_argument("data", help="data set of its test samples")
    parser.add_argument(
        "--design", type=Path, help="JSON file with the gateware's design; default: as for pico-ice"
    )
    parser.add_argument("--count", type=int, default=20, help="samples")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "data.c")
    chosen = parser.parse_args(arguments)
    network = zoo.load(chosen.network)
    if chosen.design is None:
        design = default_design([network], "pico-ice")
    else:
        fields = json.loads(chosen.design.read_text(encoding="utf-8"))
        design = Design.from_json(fields.get("design", fields))
    samples = open_dataset(chosen.data).part().images[: chosen.count]
    text = data_text(network, design, samples.reshape(len(samples), -1))
    part = chosen.output.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(chosen.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
