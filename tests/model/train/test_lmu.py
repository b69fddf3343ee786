# SPDX-License-Identifier: Apache-2.0
"""Training of the parallel form: what is frozen is what was trained, gains fall, runs resume."""

from pathlib import Path

import numpy as np
import pytest
import torch

from model.data import Samples
from model.description import Network, SeriesEncoding
from model.golden import run
from model.legendre_step import emissions, final_states
from model.lmu_yardstick import LmuYardstick
from model.network_file import load_network
from model.train import RecipeError
from model.train.lmu import LmuConfig, LmuRule, train_parallel
from model.train.lmu.config import Copies, Ensemble, Memory, Quantiser
from model.train.lmu.copies import altered
from model.train.lmu.epoch import falling_gain, scores_of
from model.train.lmu.freeze import freeze, gains_of
from model.train.lmu.memory import emission_shifts, memory_of, memory_states, series
from model.train.lmu.network import ParallelNetwork, diffuse
from model.train.recipe import load_recipe, recipe_names

STEPS = 40


def waves(count: int, seed: int, *, channels: int = 1) -> Samples:
    """Noisy sine waves of three frequencies, one a class, of any phase."""
    chance = np.random.default_rng(seed)
    labels = chance.integers(0, 3, count)
    turns = (1.5 + 1.5 * labels)[:, None, None] * np.arange(STEPS)[None, :, None] / STEPS
    phase = chance.random((count, 1, channels))
    clean = 128 + 80 * np.sin(2 * np.pi * (turns + phase))
    noisy = clean + chance.normal(0, 20, (count, STEPS, channels))
    images = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return Samples(images=images, labels=labels, origin="waves", zero=128)


def small(**changes: object) -> LmuConfig:
    """A recipe of seconds."""
    fields: dict[str, object] = {
        "name": "small",
        "hidden": (24,),
        "memory": Memory(order=12, reads=2),
        "epochs": 12,
        "batch_size": 30,
        "learning_rate": 0.02,
        "other_rate": 0.02,
    }
    return LmuConfig(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("hidden", [(17,), (20, 9)])
@pytest.mark.parametrize("reads", [1, 4])
@pytest.mark.parametrize("bits", [1, 4])
def test_frozen_network_gives_the_scores_of_the_forward_pass(
    hidden: tuple[int, ...], reads: int, bits: int
) -> None:
    data = waves(60, seed=1, channels=2)
    config = small(
        hidden=hidden,
        memory=Memory(order=7, reads=reads, emission_bits=5),
        quantiser=Quantiser(emission_bits=bits, levels=3.0),
    )
    encoding = SeriesEncoding(steps=STEPS, channels=2, zero=128)
    memory = memory_of(config, encoding)
    network = ParallelNetwork(config=config, states=memory.states, classes=3)
    chance = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for layer in network.layers:
            layer.mean.normal_(0, 9, generator=chance)
            layer.deviation.uniform_(5, 20, generator=chance)
            layer.gamma.uniform_(0.02, 3, generator=chance)
            layer.beta.normal_(generator=chance)
        network.offsets.normal_(generator=chance)
    frozen = freeze(network, encoding=encoding, memory=memory, input_shape=(STEPS, 2))
    states = final_states(memory, series(data.series(), encoding))
    expected = scores_of(network, emissions(memory, states))
    trace = run(frozen, data.images)
    assert torch.equal(trace.scores, expected.to(trace.scores.dtype))
    assert len(trace.scores.unique()) > 4


def test_quantiser_passes_on_what_it_is_given_but_for_less_than_one() -> None:
    drive = torch.rand(50, 30, generator=torch.Generator().manual_seed(0)) * 5 - 1
    emitted = diffuse(drive, 3)
    assert ((emitted >= 0) & (emitted <= 3)).all()
    apart = emitted.cumsum(0) - drive.clamp(0, 3).cumsum(0)
    assert apart.abs().max() <= 0.5 + 1e-4


def test_gain_falls_by_the_same_factor_each_step_to_its_end() -> None:
    table = Quantiser(levels=4.0, start_levels=256.0, anneal=0.5)
    gains = [falling_gain(table, share) for share in (0.0, 0.125, 0.25, 0.375, 0.5, 0.9)]
    assert gains == pytest.approx([64.0, 64**0.75, 8.0, 64**0.25, 1.0, 1.0])
    assert falling_gain(Quantiser(anneal=0.0), 0.0) == 1.0


def test_gradient_is_that_of_the_static_function() -> None:
    config = small(memory=Memory(order=4, reads=1), hidden=(3,))
    network = ParallelNetwork(config=config, states=4, classes=2)
    with torch.no_grad():
        for layer in network.layers:
            layer.deviation.fill_(4.0)  # powers of two, so that nothing is rounded
    sent = torch.tensor([[[3.0, -2.0, 1.0, 4.0]]])
    scores, (emitted,) = network(sent)
    scores[0, 0].backward()
    (layer,) = network.layers
    inside = (emitted[0, 0] > 0).float()
    signs = torch.where(network.latent >= 0, 1.0, -1.0)[0]
    assert torch.allclose(layer.latent.grad, (signs * inside)[:, None] * sent[0])


def test_a_neuron_whose_input_never_changes_leaves_the_gains_of_others() -> None:
    network = ParallelNetwork(config=small(hidden=(4,)), states=12, classes=3)
    (layer,) = network.layers
    with torch.no_grad():
        layer.deviation.copy_(torch.tensor([0.03, 30.0, 60.0, 1e6]))
    _, powers = layer.fold(None)
    assert torch.log2(powers).tolist() == [-5, -5, -5, -12]
    fraction, gains = gains_of(powers.detach())
    assert fraction == 12
    assert gains.tolist() == [7, 7, 7, 0]
    with torch.no_grad():
        layer.deviation.copy_(torch.tensor([0.03, 30.0, 60.0, 60.0]))
    assert torch.log2(layer.fold(None)[1]).tolist() == [3, -3, -4, -4]


def test_states_are_as_many_as_suit_the_series_where_a_recipe_leaves_it_open() -> None:
    config = small(memory=Memory(order=0))
    found = [
        memory_of(config, SeriesEncoding(steps=steps, channels=channels)).order
        for steps, channels in ((784, 1), (29, 12), (10, 300))
    ]
    assert found == [256, 14, 2]


def test_learns_and_ships_what_it_measured(tmp_path: Path) -> None:
    training, validation = waves(300, seed=2), waves(120, seed=3)
    result = train_parallel(
        config=small(ensemble=Ensemble(weight=0.5, members=2, hidden=(16,), epochs=3)),
        samples=training,
        validation=validation,
        directory=tmp_path,
    )
    assert result.validation_accuracy is not None
    assert result.validation_accuracy > 0.8  # a third by chance
    network = load_network(tmp_path / "network.safetensors")
    winners = run(network, validation.images).winners.numpy()
    assert (winners == validation.labels).mean() == result.validation_accuracy
    assert network.metadata["recipe"]["memory"]["order"] == 12
    assert (tmp_path / "log.csv").read_text().count("\n") == 13


def test_resumed_run_gives_the_same_network(tmp_path: Path) -> None:
    training, validation = waves(90, seed=4), waves(30, seed=5)
    whole = train_parallel(config=small(epochs=4), samples=training, validation=validation)

    class Stopped(Exception):
        pass

    def stop(record: object) -> None:
        if record.epoch == 2:  # type: ignore[attr-defined]
            raise Stopped

    arguments = {"config": small(epochs=4), "samples": training, "validation": validation}
    with pytest.raises(Stopped):
        train_parallel(**arguments, directory=tmp_path, on_epoch=stop)  # type: ignore[arg-type]
    messages: list[str] = []
    resumed = train_parallel(
        **arguments,  # type: ignore[arg-type]
        directory=tmp_path,
        resume=True,
        on_message=messages.append,
    )
    assert isinstance(whole.network, Network)
    assert isinstance(resumed.network, Network)
    assert whole.network.fingerprint() == resumed.network.fingerprint()
    assert not messages  # the memory was not run again


def test_states_are_computed_once_and_again_where_they_are_damaged(tmp_path: Path) -> None:
    data, config = waves(20, seed=6), small()
    encoding = SeriesEncoding(steps=STEPS, zero=128)
    memory, values = memory_of(config, encoding), series(data.images, encoding)
    said: list[str] = []
    first = memory_states(memory, values, directory=tmp_path, on_message=said.append)
    again = memory_states(memory, values, directory=tmp_path, on_message=said.append)
    assert len(said) == 1
    assert (first == again).all()
    (kept,) = tmp_path.glob("states-*.safetensors")
    kept.write_bytes(kept.read_bytes()[:50])
    assert (memory_states(memory, values, directory=tmp_path) == first).all()
    assert (final_states(memory, values).numpy() == first).all()
    other = memory_states(
        memory, values[:, ::-1].copy(), directory=tmp_path, on_message=said.append
    )
    assert len(said) == 2
    assert (other != first).any()


def test_shifts_let_the_spread_reach_the_bound() -> None:
    memory = memory_of(small(), SeriesEncoding(steps=STEPS))
    states = np.full((10, 12), 60)
    states[:, 1] = 0
    shifts = emission_shifts(memory, states, 2.0)
    assert shifts[0] == 4  # 2 * 60 / 2**3 is next to 2**4
    assert shifts[1] == 0


def test_float_form_learns_the_same_waves() -> None:
    training, validation = waves(300, seed=2), waves(120, seed=3)
    config = small(rule=LmuRule.FLOAT, learning_rate=0.01)
    result = train_parallel(config=config, samples=training, validation=validation)
    assert isinstance(result.network, LmuYardstick)
    scores = result.network.scores(validation.images)
    assert (scores.argmax(1) == validation.labels).mean() == result.validation_accuracy
    assert result.validation_accuracy > 0.85


def test_short_series_are_filled_in_front_and_long_ones_refused() -> None:
    encoding = SeriesEncoding(steps=4, zero=100)
    values = series(np.full((1, 2, 1), 103, dtype=np.uint8), encoding)
    assert values[0, :, 0].tolist() == [0, 0, 3, 3]
    with pytest.raises(ValueError, match="1 to 4 steps"):
        series(np.zeros((1, 5, 1), dtype=np.uint8), encoding)


def test_copies_move_stretch_and_keep_silence() -> None:
    values = np.zeros((200, 30, 2), dtype=np.int16)
    values[:, 10:] = np.arange(1, 21)[None, :, None]
    chance = np.random.default_rng(0)
    moved = altered(values, Copies(count=1, shift=3), (-128, 127), chance)
    ends = moved[:, -1, 0]
    assert set(ends.tolist()) == {0, 17, 18, 19, 20}  # 0: moved to the front, silence behind
    assert (moved[:, 12] - moved[:, 11] <= 1).all()
    same = altered(values, Copies(count=1), (-128, 127), chance)
    assert (same == values).all()
    noisy = altered(values, Copies(count=1, noise=20), (-5, 25), chance)
    assert (noisy[:, :10] == 0).all()
    assert (noisy[:, 10:].min(), noisy.max()) == (-5, 25)
    stretched = altered(values, Copies(count=1, stretch=0.5), (-128, 127), chance)
    lengths = (stretched[..., 0] > 0).sum(1)
    assert lengths.min() < 15
    assert lengths.max() > 25
    assert (stretched[:, -1] == 20).all()


def test_recipes_are_refused_by_name() -> None:
    with pytest.raises(RecipeError, match="memory.orders"):
        LmuConfig.from_dict({"rule": "lmu-parallel", "memory": {"orders": 3}})
    with pytest.raises(RecipeError, match="Quantiser emission bits must be an integer 1..6"):
        LmuConfig.from_dict({"quantiser": {"emission_bits": 7}})
    with pytest.raises(RecipeError, match="power of two, not 3"):
        LmuConfig.from_dict({"memory": {"reads": 3}})


@pytest.mark.parametrize("name", [name for name in recipe_names() if name.startswith("lmu-p")])
def test_installed_recipes_load_and_come_back(name: str) -> None:
    config = load_recipe(name)
    assert isinstance(config, LmuConfig)
    assert LmuConfig.from_dict(config.to_dict()) == config
