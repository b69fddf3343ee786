# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from hw.parts.replay_buffer import ReplayBuffer
from tests.hw.designs import stepwise, two_layers
from tests.hw.streams import get, put, run

WORD = {"group": 0, "spikes": 1, "end_of_step": 1, "last": 0}


def integers(**fields):
    """A design whose first layer takes integers of 3 bits, two a word."""
    return stepwise(
        folds=((4, 2, 1), (4, 1, 1)),
        integers=((3, True), (1, False)),
        sample_input="words",
        encoding="series",
        **fields,
    )


def played(dut, words, count, *, passes, stall=0.0, seed=0):
    """What comes out of the buffer: (cycle, word), cycles counted from the first word's taking."""
    taken = []

    async def source(ctx):
        ctx.set(dut.passes, passes)
        await put(ctx, dut.i, words, random.Random(seed), stall)

    async def sink(ctx):
        taken.extend(await get(ctx, dut.o, count, random.Random(5), stall))

    run(dut, source, sink, outputs=[dut.o])
    return taken


def check(dut, runs, *, passes, stall=0.0, expected=None):
    """Play runs (samples, or steps), and compare them with what is expected of each pass."""
    expected = runs if expected is None else expected
    wanted = [word for words in expected for _ in range(passes) for word in words]
    found = played(
        dut, [word for words in runs for word in words], len(wanted), passes=passes, stall=stall
    )
    assert [word for _, word in found] == wanted
    if not stall:
        first = len(expected[0]) * passes
        begin = len(runs[0]) - 1 + 3
        assert [cycle for cycle, _ in found[:first]] == list(range(begin, begin + first))
    return [cycle for cycle, _ in found]


def random_words(rng, length, **fields):
    """Words of a run of some length; fields are functions of whether the word is the last one."""
    return [
        {"group": rng.randrange(12), "spikes": 1}
        | {name: value(place == length - 1) for name, value in fields.items()}
        for place in range(length)
    ]


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("passes", [1, 3])
def test_every_sample_is_played_once_a_pass(passes, stall):
    rng = random.Random(passes)
    samples = [
        random_words(
            rng,
            length,
            step=lambda _: rng.randrange(4),
            end_of_step=lambda _: int(rng.random() < 0.5),
            last=int,
        )
        for length in (5, 1, 12, 1, 1, 7)
    ]
    check(ReplayBuffer(design=two_layers(), layer=0), samples, passes=passes, stall=stall)


def test_no_gap_between_samples_once_stored():
    word = {**WORD, "step": 0}
    sample = [word] * 4 + [{**word, "last": 1}]
    cycles = check(ReplayBuffer(design=two_layers(), layer=0), [sample] * 4, passes=3)
    assert cycles == list(range(cycles[0], cycles[0] + len(cycles)))


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("passes", [1, 3])
def test_every_step_is_played_once_a_block(passes, stall):
    rng = random.Random(passes)
    dut = ReplayBuffer(design=stepwise(), layer=0, per_step=True)
    assert dut.depth == 12
    steps = [
        random_words(
            rng, length, end_of_step=int, last=lambda ends: int(ends and rng.random() < 0.5)
        )
        for length in (5, 1, 12, 1, 2, 7, 2)
    ]
    check(dut, steps, passes=passes, stall=stall)


def test_two_steps_find_room():
    dut = ReplayBuffer(design=stepwise(), layer=0, per_step=True)

    async def bench(ctx):
        ctx.set(dut.passes, 1)
        for expected in (1, 1, 0):
            assert ctx.get(dut.room) == expected
            ctx.set(dut.reserve, expected)
            await ctx.tick()
        ctx.set(dut.reserve, 0)
        ctx.set(dut.i.payload, WORD)
        ctx.set(dut.i.valid, 1)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
        # Fetched 2 cycles after it was taken; there is room in the cycle after.
        for expected in (0, 0, 1, 1):
            assert ctx.get(dut.room) == expected
            await ctx.tick()

    run(dut, bench)


def test_a_sample_is_played_once_a_member():
    design = stepwise(members=5, sample_input="words")
    dut = ReplayBuffer(design=design, layer=0)
    assert dut.depth == design.sample_words == 12 * 6
    check(dut, [[WORD] * 5 + [{**WORD, "last": 1}]], passes=5)


def plane_steps(rng, *, closed, last):
    """Random steps of integers: what is sent, and what is played of it."""
    sent, expected = [], []
    for number in range(8):
        words = []
        for group in sorted(rng.sample(range(6), rng.choice([0, 1, 3, 6]))):
            planes = sorted(rng.sample(range(3), rng.randint(1, 3)))
            words += [{"group": group, "plane": p, "spikes": rng.randint(1, 3)} for p in planes]
        played_words = list(words)
        if not words or (closed and words[-1]["group"] != 5):
            words = [*words, {"group": 5, "plane": 2, "spikes": 0}]
            played_words.append({"group": 5, "plane": 0, "spikes": 0})
        elif closed and words[-1]["plane"] != 2:
            words = [*words, {"group": 5, "plane": 2, "spikes": 0}]
        for into, run_words in ((sent, words), (expected, played_words)):
            ends = [int(place == len(run_words) - 1) for place in range(len(run_words))]
            final = int(last == "every" or number == 7)
            into.append(
                [
                    {**word, "end_of_step": end, "last": end * final}
                    for word, end in zip(run_words, ends, strict=True)
                ]
            )
    return sent, expected


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("passes", [1, 3])
def test_planes_of_a_group_are_one_entry(passes, closed, stall):
    dut = ReplayBuffer(design=integers(), layer=0, per_step=True)
    assert dut.depth == 6
    sent, expected = plane_steps(random.Random(passes), closed=closed, last="every")
    check(dut, sent, passes=passes, stall=stall, expected=expected)


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_planes_of_a_sample(stall):
    design = integers(members=3, steps=8)
    dut = ReplayBuffer(design=design, layer=0)
    assert dut.depth == design.sample_words == 6 * 8
    sent, expected = plane_steps(random.Random(3), closed=False, last="sample")
    sample, wanted = ([word for step in steps for word in step] for steps in (sent, expected))
    check(dut, [sample, sample], passes=3, stall=stall, expected=[wanted, wanted])


def test_a_full_step_of_integers_fits():
    dut = ReplayBuffer(design=integers(), layer=0, per_step=True)
    step = [
        {**WORD, "group": g, "plane": p, "spikes": 3, "end_of_step": int((g, p) == (5, 2))}
        for g in range(6)
        for p in range(3)
    ]
    check(dut, [step] * 3, passes=2)
