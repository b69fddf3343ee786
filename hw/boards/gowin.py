# SPDX-License-Identifier: Apache-2.0
"""Gowin platforms with the programs that build for them today."""

from typing import Any

from amaranth.build.run import BuildPlan
from amaranth.hdl import Fragment
from amaranth.vendor import GowinPlatform

__all__ = ["HimbaechelPlatform"]

_PLACE = """
    {{invoke_tool("nextpnr-himbaechel")}}
        {{quiet("--quiet")}}
        {{get_override("nextpnr_opts")|options}}
        --log {{name}}.tim
        --device {{platform.part}}
        --vopt family={{platform.chip_family}}
        --vopt cst={{name}}.cst
        --json {{name}}.syn.json
        --write {{name}}.pnr.json
"""
_PACK = """
    {{invoke_tool("gowin_pack")}}
        -d {{platform.chip_family}}
        -o {{name}}.fs
        {{get_override("gowin_pack_opts")|options}}
        {{name}}.pnr.json
"""


class HimbaechelPlatform(GowinPlatform):
    """Place and route by nextpnr-himbaechel: Amaranth 0.5 calls the retired nextpnr-gowin.

    A board's platform names `chip_family`, beside ``part`` and ``family``.
    """

    #: Chip as nextpnr and gowin_pack name it: ``"GW1N-9C"``, ``"GW2A-18C"``.
    chip_family: str
    #: Options of gowin_pack, such as which configuration pins are pins of the design.
    pack_options: str = ""

    def toolchain_prepare(self, fragment: Fragment, name: str, **options: Any) -> BuildPlan:
        """Write the files of a build; synthesis is told the family of the chip."""
        # "GW1N" of "GW1NR", "GW2A" of "GW2AR".
        chip = f"-family {self.series[:4].lower()}"
        if self.pack_options:
            options["gowin_pack_opts"] = self.pack_options
        options["synth_opts"] = f"{chip} {options.get('synth_opts', '')}"
        return super().toolchain_prepare(fragment, name, **options)

    @property
    def required_tools(self) -> list[str]:
        """Programs of a build."""
        return ["yosys", "nextpnr-himbaechel", "gowin_pack"]

    @property
    def command_templates(self) -> list[str]:
        """Command lines of synthesis, place and route, packing."""
        synthesis, *_ = super().command_templates
        return [synthesis, _PLACE, _PACK]
