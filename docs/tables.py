# SPDX-License-Identifier: Apache-2.0
"""Writes the tables of the documents from what they are about.

Formats come from the definitions that gateware and host share, accuracies from the shipped
networks, studies over seeds and folds from ``model/results``, builds from the record of
`hw.flow.resource_record`. ``python docs/tables.py`` rewrites the
files; a test fails when one is out of date.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hw.boards import BOARDS
from hw.flash.layout import map_rows, slot_rows
from hw.flow.resource_record import recorded_builds
from hw.formats.image_layout import LoadError, image_rows
from hw.formats.register_map import register_rows
from hw.formats.structures import field_spans, span_text
from hw.link.packets import FrameHeader, RefusalReason, packet_rows
from model import zoo
from model.lmu_tables import lmu_tables
from model.studies import FIGURES, PREDICTORS, Study, load_studies
from popspike.board_pages import BUILD_COLUMNS, board_page, board_table, build_cells

__all__ = ["DOCUMENTS", "main", "pages", "rewritten"]

_ROOT = Path(__file__).resolve().parent.parent

#: Documents with generated parts.
DOCUMENTS = (
    _ROOT / "README.md",
    _ROOT / "docs" / "formats.md",
    _ROOT / "docs" / "results.md",
    _ROOT / "docs" / "boards" / "README.md",
)

# Tasks of the networks with a state at every step, in the order of tables.
_TASKS = {
    "bisnn-moons": "two moons",
    "bisnn-digits": "8x8 digits",
    "bisnn-mnist": "MNIST",
    "bisnn-nmnist": "N-MNIST, 1,100",
    "lmu-fsdd": "spoken digits, speaker held out",
}

# Reference points beside our networks, by data set and hidden neurons (first-spike readout).
_PUBLISHED = {
    ("mnist", 600): "97.0",
    ("fashion-mnist", 1000): "87.3",
}


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _header_rows() -> list[tuple[str, str]]:
    return [(span_text(span), name) for name, span in field_spans(FrameHeader)]


def _codes(kind: type) -> str:
    members = kind.__members__.items()
    return ", ".join(f"{member.value} {name.lower().replace('_', ' ')}" for name, member in members)


def _accuracy_rows() -> list[tuple[str, ...]]:
    rows = []
    for name in zoo.names():
        network = zoo.load(name)
        if network.is_stepwise:
            continue
        facts = network.metadata
        first_spike = network.readout == "first-spike"
        published = _PUBLISHED.get((facts["data"], network.sizes[1]), "")
        rows.append(
            (
                f"`{name}`",
                "-".join(map(str, network.sizes)),
                str(network.steps),
                str(network.readout),
                _percent(facts["validation_accuracy"]),
                f"**{_percent(facts['test_accuracy'])}**",
                _percent(facts["test_accuracy_paper_rule"]) if first_spike else "",
                published if first_spike else "",
            )
        )
    return rows


def _shipped_stepwise() -> dict[str, tuple[str, Any]]:
    """Predictor, as in `model.studies`, and network or yardstick, by name."""
    shipped: dict[str, tuple[str, Any]] = {}
    for name in zoo.names():
        network = zoo.load(name)
        if not network.is_stepwise:
            continue
        if name.endswith("-st"):
            predictor = "st"
        elif network.is_sampled:
            predictor = "sampled"
        else:
            predictor = "committee" if network.members > 1 else "mode"
        shipped[name] = predictor, network
    for name in zoo.yardstick_names():
        shipped[name] = "full", zoo.load_yardstick(name)
    return dict(sorted(shipped.items()))


def _task(name: str) -> str | None:
    """Key of the task that a network or a study was made for; None for others."""
    return next((key for key in _TASKS if name == key or name.startswith(f"{key}-")), None)


def _figure(row: Mapping[str, Any], name: str) -> str:
    """Mean of a figure over the runs, with the deviation between runs where there are several."""
    if name not in row:
        return ""
    mean, deviation = row[name]
    scale, digits = (100, 2) if name == "accuracy" else (1, 4)
    spread = "" if deviation is None else f" ± {scale * deviation:.{digits}f}"
    return f"{scale * mean:.{digits}f}{spread}"


def _study_rows() -> list[tuple[str, ...]]:
    """Every predictor beside the others: studies, and the shipped networks of tasks without one."""
    studies = {_task(name): study for name, study in load_studies().items()}
    shipped = _shipped_stepwise()
    rows = []
    for key, task in _TASKS.items():
        study = studies.get(key)
        if study is None:
            single = [each for name, each in shipped.items() if _task(name) == key]
            study = _shipped_study(task, single)
        for row in study.summary():
            runs = row["runs"]
            each = f"{row['samples'] // runs:,}"
            rows.append(
                (
                    task,
                    PREDICTORS[row["predictor"]],
                    str(row["members"]),
                    f"{runs} {study.runs_are}, {each} each" if runs > 1 else f"1, {each}",
                    *(_figure(row, name) for name in FIGURES),
                )
            )
    return rows


def _shipped_study(task: str, shipped: Sequence[tuple[str, Any]]) -> Study:
    """What the shipped networks of a task say of themselves, as a study of one run each."""
    runs = []
    for predictor, network in shipped:
        facts = network.metadata
        figures = {name: facts.get(f"test_{name}") for name in FIGURES}
        if any(figures[name] is None for name, must in FIGURES.items() if must):
            continue
        runs.append(
            {
                "predictor": predictor,
                "run": facts["seed"],
                "members": facts["test_members"],
                "samples": facts["test_images"],
                **figures,
            }
        )
    return Study(task=task, data="", runs_are="seeds", command="", notes="", runs=tuple(runs))


def _calibration_rows() -> list[tuple[str, ...]]:
    rows = []
    for name, (_, network) in _shipped_stepwise().items():
        facts = network.metadata
        hidden = network.layers[0] if hasattr(network, "layers") else network
        kind = str(getattr(hidden, "kind", "float"))  # a yardstick of the LMU has no kind
        figures = (facts.get(f"test_{figure}") for figure in (*FIGURES, "brier"))
        first, *others = ("" if value is None else value for value in figures)
        rows.append(
            (
                f"`{name}`",
                "-".join(map(str, network.sizes)),
                kind,
                str(network.steps),
                str(facts.get("test_members", 1)),
                f"**{_percent(first)}**",
                *(value and f"{value:.4f}" for value in others),
            )
        )
    return rows


def _build_rows() -> list[tuple[str, ...]]:
    return [
        (
            f"`{name}`",
            *build_cells(facts),
            f"{facts['cycles_per_image']:.1f}",
            f"**{facts['images_per_s']:,.0f}**",
        )
        for name, facts in recorded_builds().items()
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def tables() -> dict[str, str]:
    """Text of every generated part, by its name in the markers."""
    return {
        "image": _table(("structure", "bytes", "field"), image_rows()),
        "flash": _table(("address", "bytes", "contents"), map_rows()),
        "slot": _table(("bytes", "field"), slot_rows()),
        "registers": _table(("address", "name", "access", "meaning"), register_rows()),
        "header": _table(("bytes", "field"), _header_rows()),
        "frames": _table(("type", "name", "body [bytes]", "reply", "meaning"), packet_rows()),
        "reasons": f"Reasons of a refusal: {_codes(RefusalReason)}.\n\n"
        f"Details of an image that was refused: {_codes(LoadError)}.",
        "accuracy": _table(
            (
                "network",
                "sizes",
                "T",
                "readout",
                "validation %",
                "test %, ours",
                "test %, paper's rule",
                "published %",
            ),
            _accuracy_rows(),
        ),
        "studies": _table(
            (
                "task",
                "predictor",
                "members",
                "runs, test samples",
                "accuracy %",
                "ECE",
                "ECE, no temperature",
                "ECE of votes",
                "NLL, nats",
                "AUROC of errors",
            ),
            _study_rows(),
        ),
        "calibration": _table(
            (
                "network",
                "sizes",
                "hidden neurons",
                "T",
                "members",
                "test %",
                "ECE",
                "ECE, no temperature",
                "ECE of votes",
                "NLL, nats",
                "AUROC of errors",
                "Brier",
            ),
            _calibration_rows(),
        ),
        **{name: _table(*table) for name, table in lmu_tables().items()},
        "boards": _table(*board_table()),
        "figures": _table(
            (
                "build",
                *BUILD_COLUMNS,
                "cycles an image (formula, equal in RTL)",
                "images/s (estimated)",
            ),
            _build_rows(),
        ),
    }


def pages() -> dict[Path, str]:
    """Text of every page that is generated as a whole, by its path."""
    return {_ROOT / "docs" / "boards" / f"{name}.md": board_page(name) for name in BOARDS}


def rewritten(text: str) -> str:
    """Return a document with every generated part that it has brought up to date."""
    for name, body in tables().items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = pattern.sub(lambda match, body=body: match[1] + body + "\n" + match[2], text)
    return text


def main() -> int:
    """Rewrite the files."""
    for path in DOCUMENTS:
        path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
