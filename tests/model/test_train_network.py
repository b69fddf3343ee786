# SPDX-License-Identifier: Apache-2.0
"""The trainable network: its evaluating forward pass, its frozen form and its gradients."""

import random

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from model.description import Readout
from model.golden import run
from model.train import Augmentation, TrainConfig, even_levels
from model.train.augment import distort
from model.train.loss import readout_loss
from model.train.network import TrainableNetwork, decide
from model.train.surrogate import fire_once, round_through, signs
from model.train.tune import earlier_decisions


def trained_somehow(hidden: tuple[int, ...], steps: int, readout: Readout) -> TrainableNetwork:
    """A network whose statistics and thresholds have moved away from their start."""
    config = TrainConfig(
        hidden=hidden, levels=even_levels(steps), readout=readout, initial_threshold=2.0, seed=3
    )
    network = TrainableNetwork(config=config, features=30, classes=5)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    generator = torch.Generator().manual_seed(5)
    for _ in range(12):
        images = torch.randint(0, 256, (64, 30), generator=generator)
        targets = one_hot(images[:, :5].argmax(1), 5).float()
        loss = readout_loss(network(images), targets, scale=network.log_scale.exp(), config=config)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        network.constrain()
    return network.eval()


@pytest.mark.parametrize("readout", list(Readout))
@pytest.mark.parametrize(
    ("hidden", "steps"), [((17,), 2), ((16,), 4), ((12, 9), 3), ((8, 8, 8), 7), ((6,), 40)]
)
def test_frozen_network_predicts_as_the_forward_pass(
    hidden: tuple[int, ...], steps: int, readout: Readout
) -> None:
    network = trained_somehow(hidden, steps, readout)
    images = np.random.default_rng(1).integers(0, 256, (300, 30), dtype=np.uint8)
    with torch.no_grad():
        potentials = network(torch.from_numpy(images))
    trace = run(network.freeze(), images, record_potentials=True)
    assert torch.equal(potentials.long().transpose(0, 1), trace.potentials[-1].long())
    assert torch.equal(decide(potentials, readout), trace.winners)


def test_fire_once_stays_fired_and_follows_the_running_maximum() -> None:
    drive = torch.randn(6, 10, 8, generator=torch.Generator().manual_seed(0))
    fired = fire_once(drive)
    assert torch.equal(fired, (drive.cummax(0).values >= 0).float())


def test_fire_once_gradient_is_that_of_the_running_maximum() -> None:
    generator = torch.Generator().manual_seed(1)
    drive = torch.randn(5, 7, 3, generator=generator, requires_grad=True)
    weights = torch.randn(5, 7, 3, generator=generator)
    (fire_once(drive) * weights).sum().backward()
    twin = drive.detach().clone().requires_grad_()
    highest = twin.cummax(0).values
    triangle = (1 - highest.detach().abs()).clamp(min=0)
    (highest * weights * triangle).sum().backward()
    assert drive.grad is not None
    assert twin.grad is not None
    torch.testing.assert_close(drive.grad, twin.grad)


def test_signs_have_no_zero_and_pass_the_gradient() -> None:
    latent = torch.tensor([-0.5, -0.0, 0.0, 0.5], requires_grad=True)
    binary = signs(latent)
    assert binary.tolist() == [-1, 1, 1, 1]
    (binary * torch.arange(4)).sum().backward()
    assert latent.grad is not None
    assert latent.grad.tolist() == [0, 1, 2, 3]


def test_round_through_passes_the_gradient() -> None:
    value = torch.tensor([0.4, 1.6], requires_grad=True)
    rounded = round_through(value)
    rounded.sum().backward()
    assert rounded.tolist() == [0, 2]
    assert value.grad is not None
    assert value.grad.tolist() == [1, 1]


def test_first_spike_loss_of_certain_decisions() -> None:
    """Outputs far above threshold at one step: the loss is the cross-entropy of that step."""
    seed = 7
    rng = random.Random(seed)
    potentials = torch.full((3, 2, 4), -100.0)
    potentials[1:] = torch.tensor([[rng.randrange(80, 100) for _ in range(4)] for _ in range(2)])
    labels = torch.tensor([1, 3])
    config = TrainConfig(levels=(3, 2, 1))
    scale = torch.tensor(0.01)
    loss = readout_loss(potentials, one_hot(labels, 4).float(), scale=scale, config=config)
    expected = torch.nn.functional.cross_entropy(potentials[1] * 0.03, labels)
    torch.testing.assert_close(loss, expected, msg=f"seed {seed}")


def test_distort_without_settings_changes_nothing() -> None:
    images = torch.randint(0, 256, (4, 6, 9), dtype=torch.uint8)
    same = distort(images, Augmentation(), torch.Generator().manual_seed(0))
    torch.testing.assert_close(same, images.float(), atol=1e-3, rtol=0)


def test_shifts_alone_are_by_whole_pixels() -> None:
    images = torch.zeros(400, 7, 7, dtype=torch.uint8)
    images[:, 3, 3] = 201
    moved = distort(images, Augmentation(shift=1), torch.Generator().manual_seed(0))
    assert torch.equal(moved.flatten(1).sum(1), torch.full((400,), 201.0))
    places, counts = moved.flatten(1).argmax(1).unique(return_counts=True)
    assert {(int(place) // 7, int(place) % 7) for place in places} == {
        (row, column) for row in (2, 3, 4) for column in (2, 3, 4)
    }
    assert counts.min() > 20


def test_distort_keeps_range_and_depends_on_the_generator_only() -> None:
    images = torch.randint(0, 256, (16, 10, 10), dtype=torch.uint8)
    settings = Augmentation(rotation=20, shift=2, scale=0.2, elastic=1, flip=True)
    first, again, other = (
        distort(images, settings, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.min() >= 0
    assert first.max() <= 255.01


def test_earlier_decisions_stop_before_the_first_loss() -> None:
    """One image: class 0 leads at step 0 by -5, the right class 1 at step 1 by -1."""
    potentials = torch.tensor([[[-5.0, -9.0]], [[-3.0, -1.0]]])
    assert earlier_decisions(potentials, torch.tensor([1])) == 4
    assert earlier_decisions(potentials, torch.tensor([0])) == 5
    assert earlier_decisions(torch.ones(2, 1, 2), torch.tensor([1])) == 0
