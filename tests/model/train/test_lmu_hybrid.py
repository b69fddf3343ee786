# SPDX-License-Identifier: Apache-2.0
"""Training of the recurrent hybrid LMU: what is frozen is what was trained; runs resume."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from model.data import DataError, Samples
from model.description import Network
from model.golden import run
from model.legendre_step import MemoryStates, float_system
from model.network_file import load_network
from model.train.fields import RecipeError
from model.train.lmu import HybridConfig, HybridRule, train_hybrid
from model.train.lmu.hybrid_config import HybridMemory
from model.train.lmu.hybrid_epoch import SeriesData
from model.train.lmu.hybrid_freeze import freeze_hybrid
from model.train.lmu.hybrid_network import HybridNetwork, remember
from model.train.lmu.hybrid_twin import HybridTwin
from model.train.recipe import load_recipe
from model.yardstick import LmuYardstick, load_yardstick

STEPS, CHANNELS = 12, 2


def turns(count: int, seed: int) -> Samples:
    """Points that go around at one of three speeds, from about one angle, after some rest."""
    chance = np.random.default_rng(seed)
    labels = chance.integers(0, 3, count)
    steps = np.arange(STEPS)
    angles = 2 * np.pi * (0.2 * chance.random((count, 1)) + (labels[:, None] - 1) * steps / STEPS)
    clean = 80 * np.stack([np.cos(angles), np.sin(angles)], axis=2)
    values = np.rint(128 + clean + chance.normal(0, 8, clean.shape))
    resting = steps < chance.integers(0, 4, (count, 1))
    images = np.where(resting[:, :, None], 128, np.clip(values, 0, 255)).astype(np.uint8)
    return Samples(images=images, labels=labels, origin="turns", zero=128)


def small(**changes: object) -> HybridConfig:
    """A recipe of seconds."""
    fields: dict[str, object] = {
        "name": "small",
        "hidden": (16,),
        "memory": HybridMemory(order=4, channels=2),
        "epochs": 8,
        "batch_size": 20,
        "learning_rate": 0.03,
        "other_rate": 0.02,
        "noise": 4.0,
    }
    return HybridConfig(**{**fields, **changes})  # type: ignore[arg-type]


def calibrated(config: HybridConfig, samples: Samples) -> tuple[HybridNetwork, torch.Tensor]:
    """An untrained network, and what it sees of the samples."""
    data = SeriesData.of(config, samples, classes=3)
    network = HybridNetwork(config=config, encoding=data.encoding, classes=3)
    seen = data.seen(slice(None))
    network.calibrate(seen)
    return network, seen


@pytest.mark.parametrize("bits", [2, 4, 7])
@pytest.mark.parametrize("shifts", [(0, 4, 0), (2, 0, 3)])
def test_frozen_network_gives_the_scores_of_the_forward_pass(
    bits: int, shifts: tuple[int, int, int]
) -> None:
    samples = turns(40, seed=1)
    config = small(bits=bits, encoder_shifts=shifts, burn_in=bits, seed=bits)
    network, seen = calibrated(config, samples)
    chance = torch.Generator().manual_seed(3)
    with torch.no_grad():
        network.levels.normal_(0, 5, generator=chance)
        network.offsets.normal_(0, 5, generator=chance)
        network.exponents += torch.randint(-2, 3, network.exponents.shape, generator=chance)
        expected = network(seen)
    trace = run(freeze_hybrid(network), samples.images, record_states=True)
    assert torch.equal(trace.scores, expected.to(trace.scores.dtype))
    assert len(trace.scores.unique()) > 20
    assert trace.memory_states.abs().max() > 50
    assert trace.spikes[0].min() < 0 < trace.spikes[0].max()


def test_samples_are_seen_with_their_highest_bits() -> None:
    samples = turns(5, seed=2)
    for zero, shift in ((128, 4), (127, 5), (129, 5), (0, 5), (255, 5)):
        moved = dataclasses.replace(samples, zero=zero)
        data = SeriesData.of(small(), moved, classes=3)
        assert (data.encoding.bits, data.encoding.shift) == (4, shift), zero
        expected = (samples.images.astype(int) - zero) >> shift
        assert np.array_equal(data.seen(slice(None)).transpose(0, 1), expected)
        assert np.abs(expected * 2 + 1).max() <= 15


def test_noise_leaves_steps_before_a_series_begins_alone() -> None:
    data = SeriesData.of(small(noise=30.0), turns(50, seed=3), classes=3)
    plain, noisy = (
        data.seen(slice(None), chance=chance) for chance in (None, torch.Generator().manual_seed(1))
    )
    resting = (data.values == 0).all(2)
    assert resting.any()
    assert (noisy[resting] == 0).all()
    assert (noisy != plain).float().mean() > 0.3


def test_memory_has_the_gradient_of_the_linear_step() -> None:
    network, _ = calibrated(small(), turns(1, seed=4))
    transition, entry = float_system(4, STEPS)
    unit = 2.0 ** network.memory().fraction_bits / float(network.input_peak)
    memory = MemoryStates(network.memory(), 1)
    linear = tuple(torch.from_numpy(each).float() for each in (transition, entry * unit))
    entering = torch.tensor([[40.0, -25.0]], requires_grad=True)
    states = remember(torch.zeros(1, 8), entering, memory, linear)
    assert torch.allclose(
        states.view(2, 4), entering.T * torch.from_numpy(entry).float() * unit, atol=2.0
    )
    states = remember(states, torch.zeros(1, 2), memory, linear)
    apart = torch.cat(
        [
            torch.autograd.grad(states[0, state], entering, retain_graph=True)[0]
            for state in range(4)
        ]
    )
    expected = torch.from_numpy(transition @ entry).float() * unit
    assert torch.allclose(apart[:, 0], expected, rtol=1e-4)
    assert (apart[:, 1] == 0).all()


def test_quantisers_are_static_at_a_high_gain_and_in_their_gradients() -> None:
    network, seen = calibrated(small(), turns(30, seed=5))
    fine, finer = (network(seen, gain=gain) for gain in (2.0**10, 2.0**14))
    coarse = network(seen)
    scale = float(finer.detach().std())
    assert (fine - finer).abs().max() < 0.2 * scale
    assert (coarse - finer).abs().max() > 0.2 * scale
    assert torch.equal(coarse, coarse.round())
    assert not torch.equal(finer, finer.round())
    # In a single step nothing feeds back: a level moves what its own neuron emits.
    sums: list[torch.Tensor] = []
    scores = network(4 * seen[-1:], sums=sums)
    drive = sums[0] * torch.exp2(network.exponents)
    inside = ((drive >= -8) & (drive <= 7)).float()
    assert 0 < inside.mean() < 1
    signs = torch.where(network.readout >= 0, 1.0, -1.0)
    (slope,) = torch.autograd.grad(scores[:, 0].sum(), network.levels)
    assert torch.allclose(slope, -(inside * torch.exp2(network.exponents) * signs[0]).sum(0))


@pytest.mark.parametrize("rule", list(HybridRule))
def test_learns_and_ships_what_it_measured(rule: HybridRule, tmp_path: Path) -> None:
    training, validation = turns(200, seed=6), turns(80, seed=7)
    result = train_hybrid(
        config=small(rule=rule, dropout=0.1, plain_tail=0.2),
        samples=training,
        validation=validation,
        directory=tmp_path,
        metadata={"seed": 0},
    )
    assert result.validation_accuracy is not None
    assert result.validation_accuracy > 0.8  # a third by chance
    path = tmp_path / "network.safetensors"
    shipped: Network | LmuYardstick
    if rule is HybridRule.BINARY:
        shipped = load_network(path)
        winners = run(shipped, validation.images).winners.numpy()
    else:
        found = load_yardstick(path)
        assert isinstance(found, LmuYardstick)
        shipped, winners = found, found.scores(validation.images).argmax(1)
    assert (winners == validation.labels).mean() == result.validation_accuracy
    assert shipped.sizes == (8 + CHANNELS + 16, 16, 3)
    assert shipped.metadata["recipe"] == result.trained.config.to_dict()
    assert HybridConfig.from_dict(shipped.metadata["recipe"]) == result.trained.config
    assert (tmp_path / "log.csv").read_text().count("\n") == 9


def test_resumed_run_gives_the_same_network(tmp_path: Path) -> None:
    training, validation = turns(60, seed=8), turns(20, seed=9)
    whole = train_hybrid(config=small(epochs=4), samples=training, validation=validation)

    class Stopped(Exception):
        pass

    def stop(record: object) -> None:
        if record.epoch == 2:  # type: ignore[attr-defined]
            raise Stopped

    arguments = {"config": small(epochs=4), "samples": training, "validation": validation}
    with pytest.raises(Stopped):
        train_hybrid(**arguments, directory=tmp_path, on_epoch=stop)  # type: ignore[arg-type]
    resumed = train_hybrid(**arguments, directory=tmp_path, resume=True)  # type: ignore[arg-type]
    assert isinstance(resumed.network, Network)
    assert isinstance(whole.network, Network)
    assert resumed.network.fingerprint() == whole.network.fingerprint()
    other = train_hybrid(
        config=small(epochs=4, seed=1), samples=training, validation=validation
    ).network
    assert isinstance(other, Network)
    assert other.fingerprint() != whole.network.fingerprint()


def test_float_twin_is_its_yardstick() -> None:
    samples = turns(20, seed=10)
    data = SeriesData.of(small(rule=HybridRule.FLOAT, burn_in=3), samples, classes=3)
    twin = HybridTwin(config=data.config, encoding=data.encoding, classes=3)
    twin.calibrate(data.seen(slice(None)))
    result = train_hybrid(config=small(rule=HybridRule.FLOAT, epochs=1), samples=samples)
    assert isinstance(result.network, LmuYardstick)
    with torch.no_grad():
        expected = result.trained(data.seen(slice(None))).numpy()
    assert np.allclose(result.network.scores(samples.images), expected, atol=1e-5)


def test_recipes() -> None:
    names = ("lmu-hybrid", "lmu-vowels-hybrid", "lmu-vowels-hybrid-float")
    found = [load_recipe(name, seed=5) for name in names]
    for config in found:
        assert isinstance(config, HybridConfig)
        assert (config.seed, config.data) == (5, "vowels")
    _, binary, floats = found
    assert binary.rule is HybridRule.BINARY
    assert floats.rule is HybridRule.FLOAT
    assert (binary.hidden, binary.memory) == (floats.hidden, floats.memory)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hidden": (3, 4)}, r"^Hidden must be one layer, not \(3, 4\)$"),
        ({"bits": 9}, "^Bits must be an integer 2..8, not 9$"),
        ({"encoder_shifts": (0, 8, 0)}, "^Encoder shifts must be 3 integers 0..7, not"),
        ({"start_gain": 0.5}, "^Start gain must be at least 1, not 0.5$"),
        ({"dropout": 1}, "^Dropout must be below 1, not 1$"),
        ({"memory": {"order": 1}}, "^Memory order must be an integer 2..1024, not 1$"),
        ({"memory": {"width": 1}}, "^Recipe key must be one of memory.order, .*'memory.width'$"),
        ({"rule": "lmu"}, "^Rule must be one of lmu-hybrid, lmu-hybrid-float, not 'lmu'$"),
    ],
)
def test_recipes_that_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        HybridConfig.from_dict(fields)


def test_samples_that_are_refused() -> None:
    samples = turns(10, seed=11)
    with pytest.raises(ValueError, match="^Samples must number at least 1$"):
        train_hybrid(config=small(), samples=samples.head(0))
    with pytest.raises(DataError, match=r"^Series must have shape \(N, steps, channels\), not"):
        train_hybrid(config=small(), samples=dataclasses.replace(samples, images=samples.images[0]))
    with pytest.raises(ValueError, match="^Labels must lie in 0..1, not 2$"):
        SeriesData.of(small(), samples, classes=2)
    with pytest.raises(ValueError, match="^Burn in must be less than the 12 steps, not 12$"):
        SeriesData.of(small(burn_in=12), samples, classes=3)
    wide = dataclasses.replace(samples, images=np.repeat(samples.images, 2, axis=2))
    longer = dataclasses.replace(samples, images=np.repeat(samples.images, 2, axis=1))
    for held_out in (wide, longer):
        with pytest.raises(ValueError, match="^Series must have"):
            train_hybrid(config=small(epochs=1), samples=samples, validation=held_out)
