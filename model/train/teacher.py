# SPDX-License-Identifier: Apache-2.0
"""A convolutional teacher, and the pool of distorted images that it labels once.

The teacher is only used in training: it says how alike the classes of an image are, which
matters where labels are uncertain (shirt or pullover). Labelling a fixed pool costs one pass of the
teacher for each copy, instead of one for each epoch of the network.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.train.augment import distort
from model.train.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from model.train.config import TrainConfig
from model.train.schedule import warm_cosine
from model.train.tables import Augmentation

__all__ = ["Pool", "Teacher", "make_pool", "train_teacher"]

_PEAK_RATE = 3e-3
_DECAY = 0.02
_BATCH = 256


def _block(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


class Teacher(nn.Module):
    """Five convolutions and one linear layer, for grey images of at least 8 x 8.

    Parameters
    ----------
    height, width
        Size of the images.
    classes
        Outputs.
    """

    def __init__(self, *, height: int, width: int, classes: int) -> None:
        super().__init__()
        if min(height, width) < 8:
            raise ValueError(f"Images must be at least 8 x 8 for a teacher, not {height} x {width}")
        self.layers = nn.Sequential(
            _block(1, 32),
            nn.MaxPool2d(2),
            _block(32, 64),
            _block(64, 64),
            nn.MaxPool2d(2),
            nn.Dropout(0.1),
            _block(64, 128),
            _block(128, 128),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.4),
            nn.Linear(128 * (height // 8) * (width // 8), classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits float32 (N, classes) of images (N, height, width), values 0..255."""
        pixels = ((images.to(torch.float32).unsqueeze(1) - 70) / 90).contiguous(
            memory_format=torch.channels_last
        )
        with torch.autocast(images.device.type, torch.bfloat16):
            logits: Tensor = self.layers(pixels)
        return logits.float()


def train_teacher(
    *,
    config: TrainConfig,
    images: Tensor,
    labels: Tensor,
    directory: Path | None = None,
    resume: bool = False,
    on_message: Callable[[str], None] | None = None,
) -> Teacher:
    """Train the teacher of a recipe, or read it back from ``teacher.pt``.

    Parameters
    ----------
    config
        Recipe: seed, augmentation, distillation.
    images
        uint8 (N, height, width).
    labels
        int64 (N,), on the same device.
    directory
        Gets ``teacher.pt`` when the teacher is finished. One in its folder ``start``, of the run
        that this one starts from, is used where its settings are the same.
    resume
        Use ``teacher.pt`` if it is there.
    on_message
        Called with a line of text as work goes on.
    """
    device = images.device
    identity: dict[str, Any] = {
        "seed": config.seed,
        "augmentation": dataclasses.asdict(config.augmentation),
        "teacher_epochs": config.distillation.teacher_epochs,
        "teacher_distortion": config.distillation.teacher_distortion,
    }
    path = None if directory is None else directory / "teacher.pt"
    # Dropout and initial weights draw from the global generator, which is given back as it was.
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        teacher = Teacher(
            height=images.shape[1], width=images.shape[2], classes=int(labels.max()) + 1
        ).to(device)
        if path is not None and resume and path.exists():
            state = load_checkpoint(path, config=identity, device=device)
            teacher.load_state_dict(state["teacher"])
            return teacher.eval()
        if directory is not None and _take_over(teacher, directory / "start", identity):
            return teacher.eval()
        _fit(teacher, config, images, labels, on_message)
    if path is not None:
        save_checkpoint(path, {"config": identity, "teacher": teacher.state_dict()})
    return teacher.eval()


def _take_over(teacher: Teacher, directory: Path, identity: dict[str, Any]) -> bool:
    """Read the teacher of the run that this one starts from, if it had the same settings."""
    path = directory / "teacher.pt"
    if not path.exists():
        return False
    try:
        state = load_checkpoint(path, config=identity, device=next(teacher.parameters()).device)
    except CheckpointError:
        return False
    teacher.load_state_dict(state["teacher"])
    return True


def _fit(
    teacher: Teacher,
    config: TrainConfig,
    images: Tensor,
    labels: Tensor,
    on_message: Callable[[str], None] | None,
) -> None:
    settings = _farther(config.augmentation, config.distillation.teacher_distortion)
    chance = torch.Generator(images.device).manual_seed(config.seed)
    order = torch.Generator().manual_seed(config.seed)
    optimizer = torch.optim.AdamW(teacher.parameters(), lr=_PEAK_RATE, weight_decay=_DECAY)
    size = min(_BATCH, len(images))
    batches, epochs = len(images) // size, config.distillation.teacher_epochs
    teacher.train()
    for epoch in range(epochs):
        if on_message is not None:
            on_message(f"teacher: epoch {epoch + 1}/{epochs}")
        shuffled = torch.randperm(len(images), generator=order).to(images.device)
        for batch in range(batches):
            chosen = shuffled[batch * size : (batch + 1) * size]
            for group in optimizer.param_groups:
                group["lr"] = _PEAK_RATE * warm_cosine(epoch * batches + batch, epochs * batches)
            logits = teacher(distort(images[chosen], settings, chance))
            loss = functional.cross_entropy(logits, labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()


def _farther(settings: Augmentation, factor: float) -> Augmentation:
    return Augmentation(
        rotation=settings.rotation * factor,
        shift=settings.shift * factor,
        scale=settings.scale * factor,
        elastic=settings.elastic * factor,
        contrast=settings.contrast,
        flip=settings.flip,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pool:
    """Copies of the training images with the teacher's probabilities; copy 0 is undistorted.

    Parameters
    ----------
    images
        uint8 (copies + 1, N, height, width).
    probabilities
        float16 (copies + 1, N, classes).
    """

    images: Tensor
    probabilities: Tensor


@torch.no_grad()
def make_pool(
    teacher: Teacher,
    *,
    config: TrainConfig,
    images: Tensor,
    on_message: Callable[[str], None] | None = None,
) -> Pool:
    """Distort the images ``copies`` times and let the teacher label all copies.

    Parameters
    ----------
    teacher
        Trained.
    config
        Recipe: seed, augmentation, distillation.
    images
        uint8 (N, height, width).
    on_message
        Called with a line of text as work goes on.
    """
    chance = torch.Generator(images.device).manual_seed(config.seed)
    all_images, all_probabilities = [], []
    for copy in range(config.distillation.copies + 1):
        if on_message is not None:
            on_message(f"teacher: labels copy {copy} of {config.distillation.copies}")
        for start in range(0, len(images), 500):
            part = images[start : start + 500]
            if copy:
                part = distort(part, config.augmentation, chance).round().to(torch.uint8)
            all_images.append(part)
            all_probabilities.append(teacher(part).softmax(1).half())
    shape = (config.distillation.copies + 1, len(images))
    return Pool(
        images=torch.cat(all_images).view(*shape, *images.shape[1:]),
        probabilities=torch.cat(all_probabilities).view(*shape, -1),
    )
