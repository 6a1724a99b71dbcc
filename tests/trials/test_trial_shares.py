"""A share of the long trials: the first seeds of each, lived by every run of the tests."""

import io
import random

import pytest
import recording
from decoders import DECODERS
from fuzzing import Fuzzing
from mutations import Bytes, Texts

SEEDS = 2


@pytest.mark.parametrize("name", DECODERS)
def test_broken_messages_are_decoded_or_refused(name):
    with Fuzzing(name) as fuzzing:
        for seed in range(SEEDS):
            assert fuzzing.life(seed) == DECODERS[name].messages


@pytest.mark.parametrize("name", ["massive", "alpaca-broker", "frames", "manifest"])
def test_a_decoder_that_raises_anything_else_is_caught_with_its_message(name, monkeypatch):
    def raises(self, messages):
        if any(b"1" in message for message in messages):
            raise KeyError("a bug")

    monkeypatch.setattr(DECODERS[name], "check", raises)
    with Fuzzing(name) as fuzzing, pytest.raises(KeyError) as caught:
        fuzzing.life(0)
    (note,) = caught.value.__notes__
    assert note.startswith(f"{name}: b")


def test_mutations_are_of_their_seed_and_seldom_valid():
    texts, packed = Texts([b'{"a":[1,2.5,"x"],"b":null}']), Bytes([bytes(range(64))])
    for mutations, sample in ((texts, b'{"a":[1,2.5,"x"],"b":null}'), (packed, bytes(range(64)))):
        once, again = ([mutations.draw(random.Random(seed)) for seed in range(300)] for _ in range(2))
        assert once == again
        assert once.count(sample) < 15
        assert len(set(once)) > 250


def test_the_slope_of_memory_is_that_of_the_later_looks():
    watch = recording.Watch(1)
    minutes = range(61)
    watch.looks = [(60 * minute, 100 + max(0, 20 - minute) * 5 + minute / 30, 20, 6) for minute in minutes]
    assert watch.slope_mib_per_hour() == pytest.approx(2.0)


@pytest.mark.soak
@pytest.mark.parametrize("speed", [1, 4])
def test_a_recording_loses_nothing_and_decides_the_same_again(speed):
    found = recording.run(0.2, 2_000, speed, words=io.StringIO())
    assert found["recorded"] == found["sent"] == 24_000
