# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of a training run: written beside their final name, then renamed."""

import pickle
from pathlib import Path
from typing import Any

import torch

from model.whole_file import whole_file

__all__ = ["CHECKPOINT_VERSION", "CheckpointError", "load_checkpoint", "save_checkpoint"]

CHECKPOINT_VERSION = 1


class CheckpointError(ValueError):
    """A checkpoint that cannot be resumed from; the text says why."""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that a kill at any time leaves the old or the new one, whole.

    Parameters
    ----------
    path
        Final name.
    state
        Tensors and plain values only.
    """
    with whole_file(path) as temporary:
        torch.save({"checkpoint": CHECKPOINT_VERSION, **state}, temporary)


def load_checkpoint(path: Path, *, config: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """Read a checkpoint of the same configuration.

    Parameters
    ----------
    path
        The file.
    config
        The configuration of the run that is to go on, as `TrainConfig.to_dict` gives it.
    device
        Where the tensors go.

    Raises
    ------
    CheckpointError
        If the file is damaged, of another version, or of a run with other settings.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"Checkpoint {path} must be a whole file: {error}") from None
    version = state.get("checkpoint") if isinstance(state, dict) else None
    if version != CHECKPOINT_VERSION:
        raise CheckpointError(
            f"Checkpoint {path}: version must be {CHECKPOINT_VERSION}, not {version!r}"
        )
    for key, value in config.items():
        if state["config"].get(key) != value:
            raise CheckpointError(
                f"Checkpoint {path}: {key} must be {value!r} as in this run, "
                f"not {state['config'].get(key)!r}; use another folder or the same recipe"
            )
    return dict(state)
