"""Bars against the plainest reference: keep every print, compute each bucket anew."""

import math

from core_day import START_NS, Day
from core_probe import probe
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.codes import BarBasis, Kind, Mark, Origin
from pipeline.core.bars import SLOTS
from pipeline.core.settings import EngineSettings
from pipeline.core.strategy import Bars
from pipeline.units import ABSENT, NANO

LENGTH_S = 5
MARKS = st.sampled_from(
    [0, 0, 0, Mark.NO_LAST, Mark.NO_HIGH_LOW, Mark.NO_VOLUME, Mark.NO_LAST | Mark.NO_HIGH_LOW, Mark.DUPLICATE]
)
PRINTS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 30), st.integers(1, 50), st.integers(1, 9), MARKS), max_size=40
)


def seen(bar, event, p, ctx):
    bar.calls += 1


def bars_of(day, lateness_s=2, size=None, basis=BarBasis.PRINTS):
    plan = probe(on_bar=seen, bars=Bars(f"{LENGTH_S}s", basis=basis))
    return day.run([plan], EngineSettings(bar_lateness_ns=lateness_s * NANO), size)


class PlainBuckets:
    """Every print of a bucket, in the order they came; a row is computed from all of them."""

    def __init__(self, lateness_s):
        self.lateness_s, self.now_s = lateness_s, 0
        self.prints, self.closed, self.rows = {}, {}, []

    def fold(self, now_s, event_s, price, size, marks):
        self.now_s = max(self.now_s, now_s)
        self.close_due()
        bucket = event_s // LENGTH_S
        if marks & Mark.DUPLICATE:
            return
        self.prints.setdefault(bucket, []).append((event_s, price, size, marks))
        if bucket in self.closed or self.is_due(bucket):
            self.close(bucket, Mark.LATE)

    def is_due(self, bucket):
        return (bucket + 1) * LENGTH_S + self.lateness_s <= self.now_s

    def close_due(self):
        for bucket in sorted(self.prints):
            if bucket not in self.closed and self.is_due(bucket):
                self.close(bucket, 0)

    def close(self, bucket, marks):
        prints = self.prints[bucket]
        lasts = [(event, place, price) for place, (event, price, _, m) in enumerate(prints) if not m & Mark.NO_LAST]
        if not lasts:
            return
        open_ = min(lasts, key=lambda each: (each[0], each[1]))[2]
        close = max(lasts, key=lambda each: (each[0], each[1]))[2]
        edges = [price for _, price, _, m in prints if not m & Mark.NO_HIGH_LOW] or [open_, close]
        counted = [size for _, _, size, m in prints if not m & Mark.NO_VOLUME]
        revision = self.closed[bucket] = self.closed.get(bucket, -1) + 1
        self.rows.append((bucket, open_, max(edges), min(edges), close, sum(counted), len(counted), revision, marks))


def row_of(bar):
    prices = [bar[name] // NANO for name in ("open_nano", "high_nano", "low_nano", "close_nano")]
    bucket = (bar["ts_event_ns"] - START_NS) // (LENGTH_S * NANO)
    return (bucket, *prices, bar["volume_steps"], bar["trade_count"], bar["revision"], bar["marks"])


@settings(max_examples=150, deadline=None)
@given(PRINTS, st.integers(0, 6), st.sampled_from([None, 1, 3]))
def test_bars_are_what_a_plain_reference_says(prints, lateness_s, size):
    day, plain = Day(), PlainBuckets(lateness_s)
    for now_s, event_s, price, quantity, marks in prints:
        day.print(now_s, price, quantity, event_s=event_s, marks=int(marks))
        plain.fold(now_s, event_s, price, quantity, marks)
    day.timer(1_000)
    plain.now_s = 1_000
    plain.close_due()
    _, derived = bars_of(day, lateness_s, size)
    assert [row_of(bar) for bar in derived[Kind.BAR]] == plain.rows


def test_a_bar_waits_for_late_prints_and_then_is_revised():
    day = Day().print(1, 10).print(6, 11).print(6.9, 12, event_s=4.5).timer(7).print(8, 13, event_s=4.9).timer(20)
    _, derived = bars_of(day)
    assert [row_of(bar) for bar in derived[Kind.BAR]] == [
        (0, 10, 12, 10, 12, 200, 2, 0, 0),
        (0, 10, 13, 10, 13, 300, 3, 1, Mark.LATE),
        (1, 11, 11, 11, 11, 100, 1, 0, 0),
    ]
    assert derived.column(Kind.BAR, "seq") == [5, 6, 7]


def test_event_times_ahead_of_receive_times_keep_several_buckets_open():
    day = (
        Day().print(0, 10, event_s=1).print(0, 20, event_s=6).print(0, 30, event_s=11).print(0, 11, event_s=2).timer(30)
    )
    _, derived = bars_of(day)
    assert [row_of(bar)[:5] for bar in derived[Kind.BAR]] == [
        (0, 10, 11, 10, 11),
        (1, 20, 20, 20, 20),
        (2, 30, 30, 30, 30),
    ]


def test_a_print_older_than_what_is_remembered_is_counted_and_moves_nothing():
    day = Day().print(SLOTS * LENGTH_S, 10).print(SLOTS * LENGTH_S, 99, event_s=0).timer(500)
    engine, derived = bars_of(day)
    assert len(derived[Kind.BAR]) == 1
    assert engine.world.bars[1].outside_count == 1


def test_a_print_from_the_future_is_counted_and_moves_nothing():
    day = Day().print(0, 99, event_s=61).print(1, 10).timer(500)
    engine, derived = bars_of(day)
    assert [row_of(bar)[:2] for bar in derived[Kind.BAR]] == [(0, 10)]
    assert engine.world.bars[1].outside_count == 1


def test_the_oldest_open_bucket_is_closed_early_when_its_place_is_needed():
    day = Day()
    for bucket in range(SLOTS + 1):
        day.print(30, 10 + bucket, event_s=bucket * LENGTH_S)
    _, derived = bars_of(day, lateness_s=100)
    assert derived.column(Kind.BAR, "close_nano") == [10 * NANO]


def test_a_missing_bar_is_missing():
    _, derived = bars_of(Day().print(1, 10).timer(10).timer(20).print(31, 11).timer(60))
    assert [row_of(bar)[0] for bar in derived[Kind.BAR]] == [0, 6]


def test_a_cancelled_print_gives_its_volume_back_and_no_price():
    day = Day().print(1, 10, 300).print(2, 12, 200).print(3, 12, 200, marks=int(Mark.CANCEL)).timer(30)
    _, derived = bars_of(day)
    assert [row_of(bar)[1:7] for bar in derived[Kind.BAR]] == [(10, 12, 10, 12, 300, 1)]
    assert derived.column(Kind.BAR, "vwap") == [10.0]


def test_a_correction_moves_nothing():
    day = Day().print(1, 10).print(2, 99, marks=int(Mark.CORRECTION)).timer(30)
    _, derived = bars_of(day)
    assert [row_of(bar)[1:7] for bar in derived[Kind.BAR]] == [(10, 10, 10, 10, 100, 1)]


def test_backfilled_prints_reach_bars_but_no_print_handler():
    calls = []
    plan = probe(on_print=lambda s, e, p, ctx: calls.append(e), on_bar=seen, bars=Bars(f"{LENGTH_S}s"))
    day = Day().print(1, 10).timer(20).print(21, 15, event_s=2, origin=Origin.BACKFILL).timer(40)
    engine, derived = day.run([plan])
    assert [row_of(bar)[4:] for bar in derived[Kind.BAR]] == [(10, 100, 1, 0, 0), (15, 200, 2, 1, Mark.LATE)]
    assert len(calls) == 1
    assert engine.state_of(1, 1).calls == 1


def test_revisions_are_handed_out_only_when_asked_for():
    day = Day().print(1, 10).timer(20).print(21, 15, event_s=2)
    plans = [
        probe(name="plain", on_bar=seen, bars=Bars(f"{LENGTH_S}s")),
        probe(name="all", on_bar=seen, bars=Bars(f"{LENGTH_S}s", revisions=True)),
    ]
    engine, _ = day.run(plans)
    assert (engine.state_of(1, 1).calls, engine.state_of(2, 1).calls) == (1, 2)


def test_bars_of_quotes_are_made_of_middles():
    day = Day().quote(1, 10.0, 10.1).quote(2, 10.2, 10.3).quote(3, 11.0, 10.0, marks=int(Mark.CROSSED)).timer(30)
    _, derived = bars_of(day, basis=BarBasis.QUOTES)
    (bar,) = derived[Kind.BAR]
    assert (bar["open_nano"], bar["close_nano"], bar["volume_steps"], bar["trade_count"]) == (
        10_050_000_000,
        10_250_000_000,
        0,
        2,
    )
    assert math.isnan(bar["vwap"])


def test_a_vendors_bars_replace_ours_from_the_first_on():
    day = Day().print(1, 10).bar(6, 0, (10, 12, 9, 11), seconds=LENGTH_S).print(7, 20).timer(30)
    engine, derived = bars_of(day)
    assert derived[Kind.BAR] == []
    assert engine.state_of(1, 1).calls == 1


def test_a_vendors_bars_of_another_length_change_nothing():
    day = Day().print(1, 10).bar(6, 0, (10, 12, 9, 11), seconds=60).timer(30)
    engine, derived = bars_of(day)
    assert len(derived[Kind.BAR]) == 1
    assert engine.state_of(1, 1).calls == 1


def test_bars_due_together_close_by_end_then_instrument():
    day = Day(("AAA", "BBB")).print(1, 10, instrument_id=2).print(1, 10).print(6, 10, instrument_id=2).timer(60)
    _, derived = bars_of(day)
    assert [(bar["instrument_id"], row_of(bar)[0]) for bar in derived[Kind.BAR]] == [(1, 0), (2, 0), (2, 1)]


def test_a_print_without_a_price_or_a_size_is_taken_for_what_it_is():
    day = Day().add(Kind.PRINT, 1, price_nano=ABSENT, size_steps=5).print(2, 10, ABSENT).timer(30)
    _, derived = bars_of(day)
    assert [row_of(bar)[1:7] for bar in derived[Kind.BAR]] == [(10, 10, 10, 10, 0, 1)]
