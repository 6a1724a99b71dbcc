"""Moments: a frozen state as a person reads it, and what differs between two of them, field by field.

A moment is sections of named values: what the strategy remembers of an instrument, its position and open orders, the quote
and the bars it stands on. Codes are words, prices and sizes those that a handler sees. Two moments may be of one strategy at
two times, or of two versions of it at one: what only one of them has is a difference too.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from pipeline.codes import BarBasis, BarUnit, OrderState, OrderType, Side
from pipeline.core.bars import CLOSED, OPEN
from pipeline.core.dialect import price_of, size_of
from pipeline.core.frozen import Parts, parts_of
from pipeline.indicators.catalog import INDICATORS
from pipeline.run.outline import Outline, StrategyOutline
from pipeline.timeframes import Timeframe

Value = bool | int | float | str | list[Any] | None
Section = dict[str, Value]

_VALUES: Final = {f"{each.State.__module__}.{each.State.__qualname__}": each.values for each in INDICATORS.values()}
"""What there is to see of an indicator, by the class of its group."""


class Moment(msgspec.Struct, frozen=True):
    """One strategy in one instrument behind one input; NaN and infinities are texts, so that JSON can tell them apart."""

    seq: int
    ts_ns: int
    """Session time."""
    strategy: str
    symbol: str
    instrument_id: int
    phase: str
    """Empty for a strategy without phases."""
    sections: dict[str, Section]


class FieldChange(msgspec.Struct, frozen=True):
    """A value that two moments do not share; None: that one has no such field."""

    section: str
    name: str
    before: Value
    after: Value


def moment_of(state: bytes, outline: Outline, strategy_id: int, instrument_id: int) -> Moment:
    """One strategy (from 1) in one instrument, out of a frozen state."""
    parts = parts_of(state)
    strategy = outline.strategies[strategy_id - 1]
    tables = _Tables(parts, outline, instrument_id)
    remembered = strategy.state.rows(parts.states[strategy_id - 1])
    own = remembered[instrument_id - 1] if remembered else {}
    clock = tables.single("clock")
    position = tables.of_pair("positions", strategy_id)
    sections = {
        "strategy": _standing(strategy, tables, strategy_id),
        "state": own,
        "shared": next(iter(strategy.shared.rows(parts.shared[strategy_id - 1])), {}),
        "indicators": indicators_of(strategy, own),
        "position": _position(position, tables),
        **_orders(tables, strategy_id),
        "quote": _quote(tables),
        **_bars(tables),
        "account": {name: tables.single("account")[name] for name in ("cash", "day_result", "is_halted")},
    }
    return Moment(
        seq=clock["seq"],
        ts_ns=clock["now_ns"],
        strategy=strategy.name,
        symbol=parts.symbols[instrument_id],
        instrument_id=instrument_id,
        phase=_phase(strategy, own),
        sections={
            name: {field: _told(value) for field, value in section.items()}
            for name, section in sections.items()
            if section
        },
    )


def differences(before: Moment, after: Moment) -> list[FieldChange]:
    """The fields that differ, in the order in which they are shown."""
    found = []
    for section in dict.fromkeys((*before.sections, *after.sections)):
        old, new = before.sections.get(section, {}), after.sections.get(section, {})
        found += [
            FieldChange(section, name, old.get(name), new.get(name))
            for name in dict.fromkeys((*old, *new))
            if old.get(name) != new.get(name)
        ]
    return found


class _Tables:
    """The tables of one frozen state, as seen from one instrument."""

    def __init__(self, parts: Parts, outline: Outline, instrument_id: int) -> None:
        self._parts = parts
        self._outline = outline
        self.instrument_id = instrument_id
        self.instrument = self.rows("instruments")[instrument_id - 1]

    def rows(self, name: str) -> list[dict[str, Any]]:
        return self._outline.tables[name].rows(self._parts.tables[name])

    def single(self, name: str) -> dict[str, Any]:
        return self.rows(name)[0]

    def of_pair(self, name: str, strategy_id: int) -> dict[str, Any]:
        """The row of a strategy in this instrument."""
        return self.rows(name)[(self.instrument_id - 1) * len(self._outline.strategies) + strategy_id - 1]

    def price(self, nano: int) -> float:
        return price_of(nano)

    def size(self, steps: int) -> float:
        return size_of(steps, self.instrument["size_step_nano"])


def _phase(strategy: StrategyOutline, own: Mapping[str, Any]) -> str:
    phase = own.get("phase", "")
    return str(strategy.phases.get(phase, phase) if isinstance(phase, int) else phase)


def _standing(strategy: StrategyOutline, tables: _Tables, strategy_id: int) -> Section:
    gate = tables.of_pair("cells", strategy_id)["gate"]
    is_stopped = tables.rows("runs")[strategy_id - 1]["is_stopped"]
    return {"is_stopped": is_stopped, "refusing_gate": strategy.gates.get(gate, gate) if gate else None}


def indicators_of(strategy: StrategyOutline, own: Mapping[str, Any]) -> Section:
    """The values of the State's groups that are indicators of the catalogue."""
    return {
        f"{path}.{name}": own[f"{path}.{name}"]
        for path, cls in strategy.groups.items()
        for name in _VALUES.get(cls, ())
        if f"{path}.{name}" in own
    }


def _position(row: Mapping[str, Any], tables: _Tables) -> Section:
    return {
        "quantity": tables.size(row["quantity_steps"]),
        **{name: row[name] for name in ("average_price", "realized", "fees", "open_orders")},
    }


def _orders(tables: _Tables, strategy_id: int) -> dict[str, Section]:
    """A section for each open order, oldest first."""
    orders = tables.rows("orders")
    slots = [row["slot"] for row in tables.rows("open_orders")]
    return {
        f"order {order['order_id']}": _order(order, tables)
        for slot in slots
        if ((order := orders[slot - 1])["strategy_id"], order["instrument_id"]) == (strategy_id, tables.instrument_id)
    }


def _order(row: Mapping[str, Any], tables: _Tables) -> Section:
    prices = {name: tables.price(row[f"{name}_nano"]) for name in ("limit", "trigger", "stop_loss", "take_profit")}
    return {
        "state": OrderState(row["state"]).name.lower(),
        "side": Side(row["side"]).name.lower(),
        "type": OrderType(row["order_type"]).name.lower(),
        "quantity": tables.size(row["quantity_steps"]),
        "filled": tables.size(row["filled_steps"]),
        **{name: price for name, price in prices.items() if not math.isnan(price)},
        "parent_order_id": row["parent_order_id"] or None,
        "is_at_venue": row["is_at_venue"],
        "tag": row["tag"],
    }


def _quote(tables: _Tables) -> Section:
    row = tables.instrument
    if not row["has_quotes"]:
        return {}
    return {
        "bid": row["bid"],
        "ask": row["ask"],
        "bid_left": tables.size(row["bid_left_steps"]),
        "ask_left": tables.size(row["ask_left_steps"]),
        "ts_quote_ns": row["ts_quote_ns"],
        "is_halted": row["is_halted"],
    }


def _bars(tables: _Tables) -> dict[str, Section]:
    """Of each length the bar that is forming, those that ended and wait for late prints, and the last that closed."""
    sections = {}
    for row in tables.rows("bars"):
        if row["instrument_id"] == tables.instrument_id:
            timeframe = Timeframe(BarUnit(row["measure"]), row["asked"], row["parts"])
            name = f"bar {timeframe} {BarBasis(row['basis']).name.lower()}"
            slots = sorted(_slots(row), key=lambda slot: -int(slot["start_ns"]))
            still_open = [slot for slot in slots if slot["phase"] == OPEN]
            for age, slot in enumerate(still_open):
                sections[f"{name} forming" if age == 0 else f"{name} ended {age}"] = _bar(slot, tables)
            for slot in [slot for slot in slots if slot["phase"] == CLOSED][:1]:
                sections[f"{name} last"] = _bar(slot, tables)
    return sections


def _slots(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    count = sum(path.endswith("].phase") for path in row)
    for i in range(count):
        prefix = f"slots[{i}]."
        yield {path.removeprefix(prefix): value for path, value in row.items() if path.startswith(prefix)}


def _bar(slot: Mapping[str, Any], tables: _Tables) -> Section:
    return {
        "ts_start_ns": slot["start_ns"],
        **{name: tables.price(slot[f"{name}_nano"]) for name in ("open", "high", "low", "close")},
        "volume": tables.size(slot["volume_steps"]),
        "trades": slot["trade_count"],
    }


def _told(value: Any) -> Any:
    """The value as JSON can hold it."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list):
        return [_told(item) for item in value]
    return value
