"""A day written by hand: one line an input, seq counted for you, times in seconds after 2023-11-14 13:30 UTC."""

from collections import defaultdict

from pipeline.block import Block
from pipeline.codes import Kind, Origin
from pipeline.core.engine import Engine
from pipeline.core.world import order_at
from pipeline.units import NANO

START_NS = 1_699_968_600 * NANO


def nano(price):
    return round(price * NANO)


class Day:
    def __init__(self, symbols=("AAA",), tick=0.01, step_nano=NANO, multiplier_nano=NANO):
        self.rows = []
        for instrument_id, symbol in enumerate(symbols, 1):
            self.add(
                Kind.INSTRUMENT,
                0,
                instrument_id,
                symbol=symbol,
                tick_nano=nano(tick),
                size_step_nano=step_nano,
                multiplier_nano=multiplier_nano,
            )

    def add(self, kind, at_s, instrument_id=1, event_s=None, origin=Origin.INPUT, **columns):
        event_s = at_s if event_s is None else event_s
        self.rows.append(
            (
                kind,
                {
                    "seq": len(self.rows) + 1,
                    "ts_recv_ns": START_NS + round(at_s * NANO),
                    "ts_event_ns": START_NS + round(event_s * NANO),
                    "instrument_id": instrument_id,
                    "origin": origin,
                    "source": 1,
                    **columns,
                },
            )
        )
        return self

    def quote(self, at_s, bid, ask, bid_size=100, ask_size=100, **more):
        return self.add(
            Kind.QUOTE,
            at_s,
            bid_nano=nano(bid),
            ask_nano=nano(ask),
            bid_size_steps=bid_size,
            ask_size_steps=ask_size,
            **more,
        )

    def print(self, at_s, price, size=100, **more):
        return self.add(Kind.PRINT, at_s, price_nano=nano(price), size_steps=size, **more)

    def bar(self, at_s, start_s, prices, volume=1_000, seconds=60, **more):
        open_, high, low, close = map(nano, prices)
        return self.add(
            Kind.BAR,
            at_s,
            event_s=start_s,
            bar_length=seconds * NANO,
            ts_close_ns=START_NS + (start_s + seconds) * NANO,
            open_nano=open_,
            high_nano=high,
            low_nano=low,
            close_nano=close,
            volume_steps=volume,
            **more,
        )

    def status(self, at_s, status, **more):
        return self.add(Kind.STATUS, at_s, status=status, **more)

    def timer(self, at_s):
        return self.add(Kind.TIMER, at_s, 0, interval_ns=NANO)

    def batches(self, size=None):
        size = size or max(1, len(self.rows))
        for start in range(0, len(self.rows), size):
            by_kind = defaultdict(list)
            for kind, row in self.rows[start : start + size]:
                by_kind[kind].append(row)
            yield [Block.from_rows(kind, rows) for kind, rows in sorted(by_kind.items())]

    def run(self, plans, settings=None, size=None):
        """The engine after the day, and its derived rows by kind."""
        engine = Engine(plans, settings)
        derived = Derived()
        for batch in self.batches(size):
            derived.take(engine.reduce(batch))
        return engine, derived


class Derived:
    def __init__(self):
        self.by_kind = defaultdict(list)

    def take(self, blocks):
        for block in blocks:
            self.by_kind[block.kind] += block.rows()

    def __getitem__(self, kind):
        return self.by_kind[kind]

    def column(self, kind, name):
        return [row[name] for row in self.by_kind[kind]]

    def story(self):
        """(seq, ord, kind) of every row, in order."""
        return sorted((row["seq"], row["ord"], kind.name) for kind, rows in self.by_kind.items() for row in rows)


def positions(engine):
    """The positions of all pairs, strategies in their order, then instruments."""
    return sorted(engine.world.positions[1:], key=lambda row: (row.strategy_id, row.instrument_id))


def open_orders(engine):
    """The open orders, oldest first."""
    return [order_at(engine.world, place) for place in range(1, engine.world.counts.open_orders + 1)]
