# SPDX-License-Identifier: Apache-2.0
"""`popspike zoo`: the networks that ship with the package."""

from typing import Annotated, Any

import typer

from popspike.console import figures, out, print_json, table
from popspike.options import JsonOption

__all__ = ["zoo"]


def zoo(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One network, with all its facts.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """List the shipped networks, or show all facts of one: recipe, seed, command, licences.

    Examples:  popspike zoo

    popspike zoo bs4nn-mnist-256 --json
    """
    from model import zoo as shipped

    rows = [_facts(each) for each in ([name] if name else shipped.names())]
    if json:
        print_json(rows[0] if name else rows)
        return
    if name:
        recipe = rows[0].pop("recipe", None)
        figures(name, {key.replace("_", " "): value for key, value in rows[0].items()})
        if isinstance(recipe, dict):
            figures("recipe", {key: value for key, value in recipe.items() if value != {}})
        return
    out.print(
        table(
            "shipped networks",
            ("name", "sizes", "T", "readout", "valid. %", "test %", "paper %"),
            [
                (
                    row["name"],
                    "-".join(map(str, row["sizes"])),
                    row["steps"],
                    row["readout"].split("-")[0],
                    _percent(row.get("validation_accuracy")),
                    _percent(row.get("test_accuracy")),
                    _percent(row.get("test_accuracy_paper_rule")),
                )
                for row in rows
            ],
            unbroken=("sizes",),
        )
    )
    out.print(
        "Accuracy of the integer networks on validation and test images, ties broken by potential; "
        "last column: by the published rule, which credits ties.",
        highlight=False,
    )


def _facts(name: str) -> dict[str, Any]:
    from model import zoo as shipped

    network = shipped.load(name)
    return {
        "name": name,
        "file": str(shipped.path(name)),
        "sizes": list(network.sizes),
        "steps": network.steps,
        "encoding": network.encoding.to_json(),
        "readout": str(network.readout),
        "kinds": [str(layer.kind) for layer in network.layers],
        "members": network.members,
        "fingerprint": f"{network.fingerprint():#010x}",
        "weight_bits": network.weight_bits,
        **network.metadata,
    }


def _percent(share: object) -> str:
    return f"{100 * share:.2f}" if isinstance(share, float) else ""
