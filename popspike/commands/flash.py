# SPDX-License-Identifier: Apache-2.0
"""`popspike flash`: bitstream and networks into the flash of a board."""

from pathlib import Path
from typing import Annotated

import typer

from firmware.boot import boot_slot, boot_status
from firmware.driver import Device
from firmware.flash import flash_file, generation_now, slot_image, slots_of, unused_slots
from hw.boards import find_board
from hw.flash.layout import FlashMap
from model.whole_file import whole_file
from popspike.console import figures, out, print_json, stage, table
from popspike.devices import BaudOption, PortOption, Target, TargetOption, open_device
from popspike.options import JsonOption, find_network
from popspike.programming import commands_for, read_built, run_commands

__all__ = ["flash"]


def flash(
    network: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NET...",
            help="Networks (zoo names or files), the one to boot at power-up first.",
        ),
    ] = None,
    board: TargetOption = "icebreaker",
    bitstream: Annotated[
        Path | None,
        typer.Option(help="Made by `popspike build`; default: build/NET-BOARD/NET-BOARD.*."),
    ] = None,
    networks_only: Annotated[
        bool, typer.Option("--networks-only", help="Leave the bitstream in the flash as it is.")
    ] = False,
    slot: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Slot of the first network; default: 0, or with --port one that is not in use.",
        ),
    ] = None,
    port: PortOption = None,
    baud: BaudOption = 115200,
    output: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write one file for the whole flash, and no flash."),
    ] = None,
    boot: Annotated[
        int | None,
        typer.Option(min=0, help="Write nothing: make the board take the network of this slot."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write bitstream and networks into the board's flash, with the programmer of the board.

    At power-up the gateware loads the valid network that was written last. With --port the board is
    asked which slot its network came from, and that slot is left alone, so that an interrupted
    write leaves it to boot from. An interrupted write of the bitstream itself leaves none: write it
    once, and then --networks-only.

    Examples:  popspike flash bs4nn-mnist-256 --board icebreaker

    popspike flash mine.safetensors --board ulx3s-25f --networks-only --bitstream
    build/a/a.bit --port auto

    popspike flash --boot 1 --board icebreaker
    """
    target = Target(board=board, ports=tuple(port or ()), baud=baud)
    if boot is not None:
        if network:
            raise ValueError("Networks must be left out with --boot, which writes none")
        if target.is_simulated:
            raise ValueError("Board must be one with a flash, and not simulated, for --boot")
        _boot(target, boot, json=json)
        return
    names = list(network or ())
    if not names:
        raise ValueError("Networks must be given, or --boot")
    chosen = find_board(board)
    path = bitstream or _default_bitstream(names[0], board, chosen.bitstream_suffix)
    built = read_built(path, board)
    if built.flash is None:
        raise ValueError(
            f"{path} was built without a boot from flash; build it with --flash, or for a smaller "
            "network"
        )
    used = _used_slot(target) if port else None
    places = _places(len(names), slot, used, built.flash)
    newest = generation_now()
    images = {
        place: slot_image(
            find_network(name),
            built.design,
            generation=newest - later,
            flash=built.flash,
        )
        for later, (name, place) in enumerate(zip(names, places, strict=True))
    }
    if output is not None:
        if not networks_only and chosen.family == "gowin":
            raise ValueError(
                f"Bitstream of {board} must be written by {chosen.programmer.tool} itself, and "
                "stands in no flash file; ask for --networks-only"
            )
        own = b"" if networks_only else path.read_bytes()
        _write(output, flash_file(own, images, flash=built.flash))
        lines = []
    else:
        files = [
            (built.flash.address(place), _write(path.with_name(f"slot{place}.bin"), raw))
            for place, raw in images.items()
        ]
        lines = commands_for(chosen, files, bitstream=None if networks_only else path)
        with stage("writing the flash") as say:
            run_commands(lines, say=say)
    # What is shown is read back from the bytes that were made.
    written = slots_of(flash_file(b"", images, flash=built.flash), flash=built.flash)
    rows = [
        (
            place,
            name,
            f"{built.flash.address(place):#x}",
            written[place].generation,
            written[place].length,
            f"{written[place].fingerprint:#010x}",
        )
        for name, place in zip(names, places, strict=True)
    ]
    columns = ("slot", "network", "address", "generation", "length", "fingerprint")
    if json:
        facts = {
            "board": board,
            "bitstream": None if networks_only else str(path),
            "design_hash": f"{built.design.design_hash():#010x}",
            "slots": [dict(zip(columns, row, strict=True)) for row in rows],
            "out": None if output is None else str(output),
            "commands": lines,
        }
        print_json(facts)
    else:
        where = f"in {output}" if output is not None else f"in the flash of {board}"
        out.print(table(f"written, {where}", columns, rows, unbroken=("network",)))


def _default_bitstream(network: str, board: str, suffix: str) -> Path:
    """Where `popspike build` puts it."""
    name = f"{Path(network).stem}-{board}"
    return Path("build") / name / f"{name}{suffix}"


def _write(path: Path, content: bytes) -> Path:
    with whole_file(path) as temporary:
        temporary.write_bytes(content)
    return path


def _places(count: int, first: int | None, used: int | None, flash: FlashMap) -> list[int]:
    """Slots that shall be written."""
    if first is None:
        return unused_slots(count, used=used, flash=flash)
    places = list(range(first, first + count))
    flash.address(places[-1])  # refuses what is not there
    if used in places:
        raise ValueError(f"Slots must leave out slot {used}, which the board's network came from")
    return places


def _used_slot(target: Target) -> int | None:
    """Slot that the network of a board came from."""
    with open_device(target, []) as (device, _):
        return boot_status(_single(device)).slot


def _boot(target: Target, slot: int, *, json: bool) -> None:
    """Make a board take the network of a slot."""
    with open_device(target, []) as (device, where):
        single = _single(device)
        with stage(f"booting from slot {slot}"):
            boot_slot(single, slot)
        fingerprint = f"{single.status().fingerprint:#010x}"
    facts = {"port": where, "slot": slot, "fingerprint": fingerprint}
    if json:
        print_json(facts)
    else:
        figures(f"network of slot {slot} is active", facts)


def _single(device: object) -> Device:
    if not isinstance(device, Device):
        raise ValueError("Port must be one board's for the flash")
    return device
