# SPDX-License-Identifier: Apache-2.0
"""What is installed: every file that is not Python has to be named in pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PATTERNS = PROJECT["tool"]["setuptools"]["package-data"]


@pytest.mark.parametrize("folder", ["model", "hw", "firmware", "sim", "popspike"])
def test_files_beside_the_code_are_installed(folder: str) -> None:
    named = {path for pattern in PATTERNS.get(folder, ()) for path in (ROOT / folder).glob(pattern)}
    there = {
        path
        for path in (ROOT / folder).rglob("*.*")
        if path.is_file() and path.suffix not in (".py", ".pyc", ".part")
    }
    assert not there - named


def test_pins_lie_in_the_ranges() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pins = dict(line.split("==") for line in text.splitlines() if line and line[0] != "#")
    pinned = {name.lower().replace("_", "-") for name in pins}
    groups = [
        PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"].values(),
        *PROJECT["dependency-groups"].values(),
    ]
    for requirement in (requirement for group in groups for requirement in group):
        name = re.match(r"[\w.-]+", requirement)
        assert name is not None
        if name[0] != "popspike":
            assert name[0].lower() in pinned, requirement
    assert pins["torch"] == "2.13.0"
