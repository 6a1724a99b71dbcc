"""A tape written row by row, and what a plain reader makes of it: a loop, a list, a formula a field."""

import math
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from pipeline.block import Block, between, row_count
from pipeline.codes import AssetClass, BarUnit, Kind
from pipeline.scanner.fields import FIELDS
from pipeline.scanner.fold import FieldScanner
from pipeline.scanner.reading import definition_from
from pipeline.units import MINUTE_NS, NANO, SECOND_NS

NEW_YORK = ZoneInfo("America/New_York")
EQUITY, CRYPTO, ETF = AssetClass.EQUITY, AssetClass.CRYPTO, AssetClass.ETF


def at(clock, day="2026-11-04", zone=NEW_YORK):
    """UTC nanoseconds of a time by a zone's clocks."""
    return int(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone).timestamp() * 1_000) * 1_000_000


def nano(price):
    return round(price * NANO)


@dataclass(repr=False)
class Tape:
    """Rows in the order in which they come; `seq` is their place, from 1."""

    rows: list = field(default_factory=list)

    def __repr__(self):
        """A row a line, short: a failing example is read by people."""
        return "\n".join(f"{kind.name} {[*row.values()]}" for kind, row in self.rows)

    def put(self, kind, ts_ns, id_=0, *, recv_ns=None, **columns):
        recv_ns = ts_ns if recv_ns is None else recv_ns
        row = {"ts_event_ns": ts_ns, "ts_recv_ns": recv_ns, "instrument_id": id_, **columns}
        self.rows.append((kind, row))
        return self

    def instrument(self, ts_ns, id_, symbol, class_=EQUITY, *, step=NANO, calendar=""):
        return self.put(
            Kind.INSTRUMENT, ts_ns, id_, symbol=symbol, asset_class=int(class_), size_step_nano=step,
            multiplier_nano=NANO, calendar=calendar,
        )  # fmt: skip

    def quote(self, ts_ns, id_, bid, ask, **more):
        sizes = {"bid_size_steps": 300, "ask_size_steps": 200}
        return self.put(Kind.QUOTE, ts_ns, id_, bid_nano=nano(bid), ask_nano=nano(ask), **{**sizes, **more})

    def print(self, ts_ns, id_, price, size=100, **more):
        return self.put(Kind.PRINT, ts_ns, id_, price_nano=nano(price), size_steps=size, **more)

    def bar(self, start_ns, id_, prices, volume, *, length=MINUTE_NS, **more):
        opened, high, low, close = map(nano, prices)
        more.setdefault("recv_ns", start_ns + length + SECOND_NS)
        return self.put(
            Kind.BAR, start_ns, id_, bar_unit=int(BarUnit.TIME), bar_length=length, ts_close_ns=start_ns + length,
            open_nano=opened, high_nano=high, low_nano=low, close_nano=close, volume_steps=volume, **more,
        )  # fmt: skip

    def fact(self, ts_ns, id_, name, value=math.nan, *, text="", known_ns=None, as_of_ns=None, provider="a"):
        known_ns = ts_ns if known_ns is None else known_ns
        as_of_ns = known_ns if as_of_ns is None else as_of_ns
        return self.put(
            Kind.REFERENCE, ts_ns, id_, field=name, value=value, text=text, known_at_ns=known_ns, as_of_ns=as_of_ns,
            provider=provider,
        )  # fmt: skip

    def status(self, ts_ns, id_, status, **more):
        return self.put(Kind.STATUS, ts_ns, id_, status=int(status), **more)

    def timer(self, ts_ns):
        return self.put(Kind.TIMER, ts_ns, interval_ns=SECOND_NS)

    def timers(self, from_ns, until_ns, step_ns=SECOND_NS):
        for ts_ns in range(from_ns, until_ns, step_ns):
            self.timer(ts_ns)
        return self

    def in_receive_order(self):
        """The rows as a recorder would have taken them; those at one time as they were put."""
        self.rows.sort(key=lambda row: row[1]["ts_recv_ns"])
        return self

    def blocks(self):
        by_kind = {}
        for seq, (kind, row) in enumerate(self.rows, 1):
            by_kind.setdefault(kind, []).append({"seq": seq, **row})
        return [Block.from_rows(kind, rows) for kind, rows in sorted(by_kind.items())]


def in_batches(blocks, rows):
    """The blocks as batches of so many rows; 0: all of them at once."""
    if not rows:
        return [blocks]
    count = row_count(blocks)
    return [between(blocks, start, start + rows) for start in range(1, count + 1, rows)]


def toml(*, filters=(), show=("last",), rank=("last",), **more):
    """A definition's text: top-level numbers by name, `schedule` and the like as tables."""
    tables = {
        "schedule": {"every_s": 1, "from": "04:00", "until": "16:00"},
        **{k: v for k, v in more.items() if isinstance(v, dict)},
    }
    lines = ['name = "test"', f"show = {list(show)}"]
    lines += [f"{name} = {_said(value)}" for name, value in more.items() if not isinstance(value, dict)]
    for name, table in tables.items():
        lines += [f"[{name}]", *(f'"{key}" = {_said(value)}' for key, value in table.items())]
    for each in filters:
        lines += ["[[filters]]", *(f"{key} = {_said(value)}" for key, value in each.items())]
    for name in rank:
        lines += ["[[rank]]", f'field = "{name}"']
    return "\n".join(lines)


def _said(value):
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)


def scanner_of(text=None, fields=FIELDS, **said):
    return FieldScanner(definition_from(text or toml(**said), "test.toml", fields), fields)


def wants(field_, op, threshold, **more):
    return {"field": field_, "op": op, "threshold": threshold, **more}


def scanned(tape, scanner, rows=0):
    """What comes out of a tape, and the scanner behind it."""
    made = [block for batch in in_batches(tape.blocks(), rows) for block in scanner.update(batch)]
    return made, scanner


def value_of(scanner, name, id_=1):
    """A field of an instrument at the latest evaluation; None when it is absent."""
    value = float(scanner.table.values[scanner.definition.fields.index(name), id_])
    return None if math.isnan(value) else value


def known_of(scanner, name, id_=1):
    return int(scanner.table.known_ns[scanner.definition.fields.index(name), id_])


def rows_of(made, kind):
    return [row for block in made if block.kind is kind for row in block.rows()]


def universe_of(made):
    """Changes of the list as (seq, id, action, reason)."""
    return [(row["seq"], row["instrument_id"], row["action"], row["reason"]) for row in rows_of(made, Kind.UNIVERSE)]
