"""Faults: how they are spelled, and that garbage is garbage."""

import json
import random
from zoneinfo import ZoneInfo

import pytest
from tiny_venue import START_NS

from pipeline.errors import ConfigError
from pipeline.simulator.faults import Fault, FaultKind, fault_of, garbage
from pipeline.units import SECOND_NS

NEW_YORK = ZoneInfo("America/New_York")


def read(text):
    return fault_of(text, day_ns=START_NS, zone=NEW_YORK)


def test_a_fault_is_placed_by_time_by_row_by_events_or_at_the_start():
    assert read("rst@09:31:00") == Fault(FaultKind.RST, at_ns=START_NS + 60 * SECOND_NS, lasts_s=0.5)
    assert read("rst@14:31:00Z").at_ns == START_NS + 60 * SECOND_NS
    assert read("garbage@n=500,count=9") == Fault(FaultKind.GARBAGE, events=500, lasts_s=0.5, count=9)
    assert read("mute@row=2000,for=30s,protocol=massive") == Fault(
        FaultKind.MUTE, row=2_000, lasts_s=30.0, protocol="massive"
    )
    assert read("refuse-auth") == Fault(FaultKind.REFUSE_AUTH, lasts_s=1e9)
    assert [read(f"close-{code}").close_code for code in (1000, 1001, 1006, 1008, 1011)] == [
        1000,
        1001,
        None,
        1008,
        1011,
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "boom",
        "rst@",
        "rst@soon",
        "rst@row=0",
        "rst@n=-1",
        "mute,for=ever",
        "mute,fro=1s",
        "garbage,count=x",
        "outage@n=5",
        "rst,for=3s",
        "close-1000,count=2",
        "mute,count=2",
        "garbage,for=1s",
    ],
)
def test_what_is_no_fault_is_told_with_what_is_accepted(text):
    with pytest.raises(ConfigError, match=r"write|accepted|whole number|= is of"):
        read(text)


def test_garbage_never_reads_as_events():
    frame = json.dumps([{"ev": "Q", "sym": "AAPL", "bp": 114.125, "bs": 100}] * 5).encode()
    for seed in range(200):
        chance = random.Random(seed)
        for number in range(3):
            with pytest.raises(ValueError):
                json.loads(garbage(frame, number, chance).decode())
        assert len(garbage(b"", number, chance)) > 0


def test_garbage_is_the_same_from_one_seed():
    frame = b'[{"a":1}]'
    assert [garbage(frame, n, random.Random(3)) for n in range(3)] == [
        garbage(frame, n, random.Random(3)) for n in range(3)
    ]
