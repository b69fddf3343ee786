# SPDX-License-Identifier: Apache-2.0
"""The record keeps what it has and takes what is new."""

import json
from pathlib import Path

from hw.flow.resource_record import update_record


def report(folder: Path, name: str, luts: int) -> Path:
    fold = {"lanes": 8, "inputs_per_cycle": 1, "times_per_cycle": 1}
    path = folder / f"{name}.json"
    facts = {
        "bitstream": f"somewhere/{name}.bin",
        "clock_mhz": 30.0,
        "achieved_mhz": 31.0,
        "cycles_per_image": 100.0,
        "cycles_over": "20 images of mnist",
        "images_per_s": 300000.0,
        "resources": {"luts": luts},
        "parts": {},
        "flash": None if name == "a" else {"slots": 4},
        "design": {"layers": [{"fold": fold}], "pixels_per_cycle": 2},
        "seconds": 1.0,
    }
    path.write_text(json.dumps(facts))
    return path


def test_builds_are_added_and_replaced(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    update_record([report(tmp_path, "b", 10)], record)
    update_record([report(tmp_path, "a", 20)], record)
    whole = update_record([report(tmp_path, "b", 30)], record)
    assert list(whole["builds"]) == ["a", "b"]
    assert whole["builds"]["b"]["resources"] == {"luts": 30}
    assert whole["builds"]["a"]["lanes"] == [8]
    assert not whole["builds"]["a"]["boots_from_flash"]
    assert whole["builds"]["b"]["boots_from_flash"]
    assert "seconds" not in whole["builds"]["a"]
    assert json.loads(record.read_text()) == whole
