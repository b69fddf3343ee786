# SPDX-License-Identifier: Apache-2.0
"""The C driver against boards in Python: every scenario, and which lines they run."""

import pytest

from tests.firmware import c_faults, c_scenarios
from tests.firmware.c_console import Console, build_console, lines_run

LEAST_COVERAGE = 0.95
SCENARIOS = {
    name: each
    for module in (c_scenarios, c_faults)
    for name, each in vars(module).items()
    if hasattr(each, "is_scenario")
}


@pytest.fixture(scope="module")
def executable(tmp_path_factory):
    return build_console(tmp_path_factory.mktemp("console"))


@pytest.mark.parametrize("name", SCENARIOS)
def test_driver(name, executable):
    SCENARIOS[name](lambda line, **options: Console(executable, line, **options))


def test_lines_that_are_tested(tmp_path):
    executable = build_console(tmp_path)
    for run in SCENARIOS.values():
        run(lambda line, **options: Console(executable, line, **options))
    lines = lines_run(tmp_path)
    never = [number for number, count in lines.items() if count == 0]
    share = 1 - len(never) / len(lines)
    print(f"{len(lines)} lines, {100 * share:.1f} % run, not run: {never}")
    assert len(lines) > 150
    assert share >= LEAST_COVERAGE, f"lines of the driver that no test runs: {never}"
