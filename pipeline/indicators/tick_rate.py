"""Tick rate: prints (or quotes) a second, over the last seconds, counted exactly in one bucket a second."""

from pipeline.core.dialect import NAN
from pipeline.core.market import Print
from pipeline.core.params import param, params
from pipeline.core.state import IntArray, array, state
from pipeline.indicators.indicator import Indicator
from pipeline.units import SECOND_NS


@state
class TickRate:
    """`value` is `total` over the window: the running second and the whole ones before it.

    `covered` seconds of the window have been seen, of which `slot` is the running one.
    """

    counts: IntArray = array(int, "seconds")
    slot: int
    covered: int
    second: int
    total: int
    value: float = NAN


def update(rate: TickRate, ts_event_ns: int, seconds: int) -> None:
    """Count one event; one of a second that is over counts into the running one."""
    if ts_event_ns < 0:  # absent
        return
    advance(rate, ts_event_ns, seconds)
    rate.counts[rate.slot] += 1
    rate.total += 1
    if rate.covered == seconds:
        rate.value = float(rate.total) / float(seconds)


def advance(rate: TickRate, ts_ns: int, seconds: int) -> None:
    """Let time pass without an event: what is older than the window leaves it."""
    second = ts_ns // SECOND_NS
    if rate.covered == 0:
        rate.covered = 1
        rate.second = second
    for _ in range(min(second - rate.second, seconds)):
        rate.slot = rate.slot + 1 if rate.slot + 1 < seconds else 0
        rate.total -= rate.counts[rate.slot]
        rate.counts[rate.slot] = 0
        if rate.covered < seconds:
            rate.covered += 1
    rate.second = max(rate.second, second)
    if rate.covered == seconds:
        rate.value = float(rate.total) / float(seconds)


def ready(rate: TickRate, seconds: int) -> bool:
    """Whether the window lies after the first event."""
    return rate.covered >= seconds


def reset(rate: TickRate) -> None:
    """As new."""
    for i in range(rate.covered):
        rate.counts[i] = 0
    rate.slot = 0
    rate.covered = 0
    rate.second = 0
    rate.total = 0
    rate.value = NAN


@params
class Params:
    """What may be set."""

    seconds: int = param(60, low=1, high=3_600, help="length of the window")


INDICATOR = Indicator(
    name="tick_rate",
    title="Tick rate",
    State=TickRate,
    Params=Params,
    event=Print,
    inputs=("ts_event_ns",),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: 1 if p.seconds == 1 else 2,
    capacity=lambda p: {"seconds": p.seconds},
    convention="events in whole seconds, the running one included",
)
