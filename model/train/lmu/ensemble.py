# SPDX-License-Identifier: Apache-2.0
"""Teachers of the parallel form: float networks behind the same integer memory."""

import dataclasses
import zlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from model.train.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from model.train.lmu.config import LmuConfig
from model.train.lmu.floats import FloatNetwork, float_epoch, float_scores

__all__ = ["teach"]

_PEAK_RATE = 2e-3


def teach(
    config: LmuConfig,
    states: Tensor,
    labels: Tensor,
    *,
    directory: Path | None = None,
    on_message: Callable[[str], None] | None = None,
) -> Tensor:
    """Train the teachers of a recipe and ask them about their training samples.

    Parameters
    ----------
    config
        Recipe.
    states
        Float (N, states).
    labels
        int64 (N,).
    directory
        Gets ``teacher.pt``, from which a later run with the same teachers takes the answer.
    on_message
        Called with a line of text as work goes on.

    Returns
    -------
    torch.Tensor
        Logits float32 (N, classes), the mean of the teachers.
    """
    table = config.ensemble
    identity = {
        **dataclasses.asdict(table),
        "hidden": list(table.hidden),
        "seed": config.seed,
        "batch_size": config.batch_size,
        "states": zlib.crc32(states.numpy().tobytes()),
    }
    path = None if directory is None else directory / "teacher.pt"
    if path is not None and path.exists():
        try:
            told: Tensor = load_checkpoint(path, config=identity, device=states.device)["told"]
        except CheckpointError:
            pass  # damaged, or of other teachers
        else:
            return told
    total = torch.zeros(len(states), int(labels.max()) + 1)
    for member in range(table.members):
        own = dataclasses.replace(
            config,
            seed=config.seed + member,
            epochs=table.epochs,
            learning_rate=_PEAK_RATE,
            label_smoothing=0.0,
        )
        network = FloatNetwork(
            sizes=(states.shape[1], *table.hidden, total.shape[1]),
            dropout=table.dropout,
            input_dropout=table.input_dropout,
            states=states,
            seed=own.seed,
        )
        optimizer = torch.optim.Adam(network.parameters())
        for epoch in range(table.epochs):
            loss, _ = float_epoch(network, optimizer, own, states, labels, epoch)
            if on_message is not None:
                on_message(
                    f"teacher {member + 1}/{table.members}: epoch {epoch + 1}/{table.epochs}, "
                    f"loss {loss:.4f}"
                )
        total += float_scores(network, states)
    total /= table.members
    if path is not None:
        save_checkpoint(path, {"config": identity, "told": total})
    return total
