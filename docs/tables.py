# SPDX-License-Identifier: Apache-2.0
"""Writes the tables of the documents from what they are about.

Formats come from the definitions that gateware and host share, accuracies from the shipped
networks, builds from the record of `hw.resource_record`. ``python docs/tables.py`` rewrites the
files; a test fails when one is out of date.
"""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from hw.image_layout import LoadError, image_rows
from hw.link.packets import FrameHeader, RefusalReason, packet_rows
from hw.register_map import register_rows
from hw.resource_record import RECORD
from hw.structures import field_spans, span_text
from model import zoo

__all__ = ["DOCUMENTS", "main", "rewritten"]

_ROOT = Path(__file__).resolve().parent.parent

#: Documents with generated parts.
DOCUMENTS = (_ROOT / "README.md", _ROOT / "docs" / "formats.md")

# Reference points beside our networks, by data set and hidden neurons (first-spike readout).
_PUBLISHED = {
    ("mnist", 600): "97.0",
    ("fashion-mnist", 1000): "87.3",
}


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _header_rows() -> list[tuple[str, str]]:
    return [(span_text(span), name) for name, span in field_spans(FrameHeader)]


def _codes(kind: type) -> str:
    members = kind.__members__.items()
    return ", ".join(f"{member.value} {name.lower().replace('_', ' ')}" for name, member in members)


def _accuracy_rows() -> list[tuple[str, ...]]:
    rows = []
    for name in zoo.names():
        network = zoo.load(name)
        facts = network.metadata
        first_spike = network.readout == "first-spike"
        published = _PUBLISHED.get((facts["data"], network.sizes[1]), "")
        rows.append(
            (
                f"`{name}`",
                "-".join(map(str, network.sizes)),
                str(network.steps),
                str(network.readout),
                _percent(facts["validation_accuracy"]),
                f"**{_percent(facts['test_accuracy'])}**",
                _percent(facts["test_accuracy_paper_rule"]) if first_spike else "",
                published if first_spike else "",
            )
        )
    return rows


def _build_rows() -> list[tuple[str, ...]]:
    builds = json.loads(RECORD.read_text(encoding="utf-8"))["builds"] if RECORD.exists() else {}
    rows = []
    for name, facts in builds.items():
        cells = facts["resources"]
        blocks = f"{cells['ram_blocks']} blocks"
        spram = f" + {cells['spram_blocks']} SPRAM" if cells["spram_blocks"] else ""
        rows.append(
            (
                f"`{name}`",
                " / ".join(map(str, facts["lanes"])),
                f"{cells['luts']:,}",
                f"{cells['flip_flops']:,}",
                blocks + spram,
                f"{facts['clock_mhz']:.1f}",
                f"{facts['cycles_per_image']:.1f}",
                f"**{facts['images_per_s']:,.0f}**",
            )
        )
    return rows


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def tables() -> dict[str, str]:
    """Text of every generated part, by its name in the markers."""
    return {
        "image": _table(("structure", "bytes", "field"), image_rows()),
        "registers": _table(("address", "name", "access", "meaning"), register_rows()),
        "header": _table(("bytes", "field"), _header_rows()),
        "frames": _table(("type", "name", "body [bytes]", "reply", "meaning"), packet_rows()),
        "reasons": f"Reasons of a refusal: {_codes(RefusalReason)}.\n\n"
        f"Details of an image that was refused: {_codes(LoadError)}.",
        "accuracy": _table(
            (
                "network",
                "sizes",
                "T",
                "readout",
                "validation %",
                "test %, ours",
                "test %, paper's rule",
                "published %",
            ),
            _accuracy_rows(),
        ),
        "figures": _table(
            (
                "build",
                "lanes",
                "LUT4",
                "FF",
                "RAM",
                "clock, MHz (place and route)",
                "cycles an image (formula, equal in RTL)",
                "images/s (estimated)",
            ),
            _build_rows(),
        ),
    }


def rewritten(text: str) -> str:
    """Return a document with every generated part that it has brought up to date."""
    for name, body in tables().items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = pattern.sub(lambda match, body=body: match[1] + body + "\n" + match[2], text)
    return text


def main() -> int:
    """Rewrite the files."""
    for path in DOCUMENTS:
        path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
