# SPDX-License-Identifier: Apache-2.0
"""Documents: generated tables are current, links lead somewhere, commands exist."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("**/*.md"),
    *(ROOT / "examples").glob("**/*.md"),
    ROOT / "model/samples/LICENSES.md",
]


def test_tables_are_current() -> None:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    parts = "".join(path.read_text(encoding="utf-8") for path in tables.DOCUMENTS)
    assert all(parts.count(f"<!-- {name} -->") == 1 for name in tables.tables())
    for path in tables.DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        assert text == tables.rewritten(text), "run: python docs/tables.py"
    pages = tables.pages()
    assert {*pages, ROOT / "docs/boards/README.md"} == {*(ROOT / "docs/boards").glob("*.md")}
    for path, text in pages.items():
        assert path.read_text(encoding="utf-8") == text, "run: python docs/tables.py"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_within_the_repository(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_files_named_in_the_documents_exist() -> None:
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"`((?:hw|model|sim|firmware|tests|popspike)/[\w/]+\.\w+)`", text):
            assert (ROOT / name).exists(), f"{path.name} names {name}"
