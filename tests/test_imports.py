# SPDX-License-Identifier: Apache-2.0
"""The arrows between the folders, the torch-free half, and words on everything public."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("model", "hw", "firmware", "sim", "popspike")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))

# Who may import whom of ours.
ALLOWED = {
    "model": {"model"},
    "hw": {"hw", "model"},
    "firmware": {"firmware", "hw", "model"},
    "sim": {"sim", "firmware", "hw", "model"},
    "popspike": {"popspike", "sim", "firmware", "hw", "model"},
}
# The torch-free parts of model/ that hw/ and firmware/ may read: what describes a network, and how
# files are written.
DESCRIPTION = {
    "model.description",
    "model.encoding",
    "model.events",
    "model.network_file",
    "model.neurons",
    "model.sampling",
    "model.whole_file",
}
# cocotb finds a bench by itself, in a process of its own.
BENCHES = ("sim.benches.",)


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows(path: Path) -> None:
    folder = path.relative_to(ROOT).parts[0]
    for module in imports(path):
        top = module.split(".")[0]
        if top in (*FOLDERS, "tests"):
            assert top in ALLOWED[folder], f"{folder}/ must not import {module}"
        if folder in ("hw", "firmware"):
            assert top != "torch", f"{folder}/ must not import torch"
            if top == "model":
                assert module in DESCRIPTION, f"{folder}/ may read {DESCRIPTION}, not {module}"


def test_folders_of_hw_never_import_in_a_circle() -> None:
    arrows: dict[str, set[str]] = {}
    for path in (ROOT / "hw").glob("*/*.py"):
        targets = arrows.setdefault(f"hw.{path.parent.name}", set())
        for module in imports(path):
            if module.startswith("hw."):
                targets.add(".".join(module.split(".")[:2]))
    for folder, targets in arrows.items():
        targets.discard(folder)
    TopologicalSorter(arrows).prepare()  # names the circle, if there is one


def modules(folder: str) -> list[str]:
    return [
        info.name
        for info in pkgutil.walk_packages([str(ROOT / folder)], prefix=f"{folder}.")
        if not info.name.startswith(BENCHES)
    ]


def test_hardware_and_firmware_work_without_torch() -> None:
    names = ["hw", "firmware", *modules("hw"), *modules("firmware")]
    # None in sys.modules makes every import of torch fail.
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "for name in ('torch', 'cocotb', 'matplotlib'): sys.modules[name] = None\n"
        "import importlib\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "print(len([name for name in sys.modules if name.startswith('torch')]))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == "1"  # the None itself


@pytest.mark.parametrize("folder", FOLDERS)
def test_everything_public_has_words(folder: str) -> None:
    silent = []
    for name in [folder, *modules(folder)]:
        module = importlib.import_module(name)
        if not (module.__doc__ or "").strip():
            silent.append(name)
        exported = getattr(module, "__all__", None)
        if exported is None:
            # A package that only holds others needs no list.
            assert module.__file__, name
            assert Path(module.__file__).name == "__init__.py", f"{name} has no __all__"
            continue
        for item in exported:
            thing = getattr(module, item)
            if not (inspect.isclass(thing) or inspect.isfunction(thing)):
                continue
            if not _words(thing):
                silent.append(f"{name}.{item}")
            if inspect.isclass(thing):
                silent += [f"{name}.{item}.{member}" for member in _silent_members(thing)]
    assert not silent


def _words(thing: object) -> bool:
    # dataclasses write a signature as the words of a class that has none
    text = (getattr(thing, "__doc__", None) or "").strip()
    return bool(text) and not text.startswith(f"{getattr(thing, '__name__', '')}(")


def _silent_members(kind: type) -> list[str]:
    silent = []
    for name, member in vars(kind).items():
        if name.startswith("_") or name == "elaborate":  # the framework's own method
            continue
        if isinstance(member, property):
            member = member.fget
        if isinstance(member, classmethod | staticmethod):
            member = member.__func__
        if inspect.isfunction(member) and not _words(member):
            silent.append(name)
    return silent


def test_every_file_names_its_licence() -> None:
    files = [*FILES, *(ROOT / "tests").rglob("*.py"), ROOT / "Makefile", ROOT / "pyproject.toml"]
    bare = [
        str(path.relative_to(ROOT))
        for path in files
        if not path.read_text(encoding="utf-8").startswith(
            ("# SPDX-License-Identifier: Apache-2.0", "#!")
        )
    ]
    assert not bare
