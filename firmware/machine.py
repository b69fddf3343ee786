# SPDX-License-Identifier: Apache-2.0
"""What a machine needs to reach boards: serial ports, rights, rules for USB, programmers."""

import dataclasses
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from firmware.discovery import Port
from hw.boards import BOARDS, Board

__all__ = ["RULE_FOLDERS", "Advice", "port_advice", "programmer_advice", "rule_advice"]

#: Where rules of udev stand.
RULE_FOLDERS = tuple(
    Path(folder)
    for folder in (
        "/etc/udev/rules.d",
        "/run/udev/rules.d",
        "/usr/local/lib/udev/rules.d",
        "/usr/lib/udev/rules.d",
        "/lib/udev/rules.d",
    )
)
_OWN_RULES = "/etc/udev/rules.d/60-popspike.rules"

# Packages that bring a program: of Debian and Ubuntu, and of Homebrew.
_PACKAGES = {
    "iceprog": ("fpga-icestorm", "icestorm"),
    "openFPGALoader": ("openfpgaloader", "openfpgaloader"),
    "dfu-util": ("dfu-util", "dfu-util"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Advice:
    """What was looked at, and what to do.

    Parameters
    ----------
    name
        What it is.
    ok
        Whether nothing stands in the way of a board that is there.
    found
        What was found.
    say
        What to type; empty if nothing need be done.
    """

    name: str
    ok: bool
    found: str
    say: str = ""


def port_advice(
    ports: Sequence[Port],
    *,
    access: Callable[[str], bool] | None = None,
    group: Callable[[str], str] | None = None,
) -> list[Advice]:
    """Say of each USB serial port whose it may be, and whether this user may open it.

    Parameters
    ----------
    ports
        Serial ports; those that are not on USB are left out.
    access
        Whether a device file may be read and written; none: asks the system.
    group
        Name of the group that owns a device file, empty if not known; none: asks the system.
    """
    access, group = access or _may_open, group or _group_of
    on_usb = [port for port in ports if port.usb_id]
    if not on_usb:
        say = "plug a board in; if no port shows then, try another cable: many carry power only"
        return [Advice(name="serial ports", ok=True, found="none on USB", say=say)]
    advice = []
    for port in on_usb:
        found = f"{port.usb_id} {port.text}".strip()
        if port.boards:
            found += f": port of {' or '.join(port.boards)}"
        if access(port.name):
            advice.append(Advice(name=port.name, ok=True, found=found))
            continue
        owner = group(port.name)
        say = "close the program that has it open, or give yourself the right to open it"
        if owner and owner != "root":
            say = f"sudo usermod -aG {owner} $USER   (then log out and in again)"
        found += "; this user may not open it"
        advice.append(Advice(name=port.name, ok=not port.boards, found=found, say=say))
    return advice


def rule_advice(
    ports: Sequence[Port], *, folders: Iterable[Path] = RULE_FOLDERS, system: str = sys.platform
) -> list[Advice]:
    """Say whether udev lets users program boards, on Linux.

    Parameters
    ----------
    ports
        Serial ports: a rule that is missing is only wrong for a board that is there.
    folders
        Where rules stand.
    system
        As `sys.platform`.
    """
    if not system.startswith("linux"):
        return []
    lines = [line for folder in folders for line in _rules(Path(folder))]
    wanted = sorted({usb_id for board in BOARDS.values() for usb_id in board.usb_ids})
    missing = [usb_id for usb_id in wanted if not any(_covers(line, *usb_id) for line in lines)]
    if not missing:
        return [Advice(name="udev rules", ok=True, found="for all boards")]
    rules = " ".join(f"'{_rule(*usb_id)}'" for usb_id in missing)
    here = {(port.vendor, port.product) for port in ports}
    names = ", ".join(f"{vendor:04x}:{product:04x}" for vendor, product in missing)
    return [
        Advice(
            name="udev rules",
            ok=not here & set(missing),
            found=f"none for {names}: programmers may need root",
            say=f"printf '%s\\n' {rules} | sudo tee {_OWN_RULES} && "
            "sudo udevadm control --reload && sudo udevadm trigger",
        )
    ]


def programmer_advice(
    boards: Iterable[Board] | None = None,
    *,
    which: Callable[[str], str | None] | None = None,
    system: str = sys.platform,
) -> list[Advice]:
    """Say which programs that write bitstreams and flash are there.

    Parameters
    ----------
    boards
        Boards to be programmed; none: all.
    which
        Finds a program, as `shutil.which`, which is the default.
    system
        As `sys.platform`.
    """
    uses: dict[str, list[str]] = {}
    for board in BOARDS.values() if boards is None else boards:
        uses.setdefault(board.programmer.tool, []).append(board.name)
    advice = []
    for tool, names in sorted(uses.items()):
        path = (which or shutil.which)(tool)
        debian, brew = _PACKAGES.get(tool, (tool, tool))
        install = f"brew install {brew}" if system == "darwin" else f"sudo apt install {debian}"
        advice.append(
            Advice(
                name=tool,
                ok=True,
                found=path or f"none: needed to program {', '.join(names)}",
                say="" if path else install,
            )
        )
    return advice


def _may_open(path: str) -> bool:
    # Ports of other systems are no files; opening them will tell.
    return not os.path.exists(path) or os.access(path, os.R_OK | os.W_OK)


def _group_of(path: str) -> str:
    try:
        return Path(path).group()
    except (OSError, KeyError, NotImplementedError):
        # The port went away, its group has no name, or the system knows no groups: the advice then
        # does without one.
        return ""


def _rules(folder: Path) -> list[str]:
    """Lines of all rule files, comments left out."""
    lines = []
    for path in sorted(folder.glob("*.rules")):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        lines += [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return lines


def _rule(vendor: int, product: int) -> str:
    """Rule that lets whoever sits at the machine use a USB device."""
    device = f'ATTR{{idVendor}}=="{vendor:04x}", ATTR{{idProduct}}=="{product:04x}"'
    return f'SUBSYSTEM=="usb", {device}, TAG+="uaccess"'


def _covers(line: str, vendor: int, product: int) -> bool:
    """Whether a rule names a USB device, or all of its vendor, and gives somebody the right."""
    named = dict(re.findall(r'ATTRS?\{(idVendor|idProduct)\}=="([^"]*)"', line))
    gives = any(word in line for word in ("MODE", "GROUP", "uaccess"))
    return (
        gives
        and named.get("idVendor", "").lower() == f"{vendor:04x}"
        and named.get("idProduct", f"{product:04x}").lower() == f"{product:04x}"
    )
