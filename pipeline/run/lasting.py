"""Lasting: what of a session's state outlives it on its account, and what that is in words."""

import json
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from pipeline.codes import OrderFlag, OrderState
from pipeline.core.orders import STOPS
from pipeline.run.fold import Carried
from pipeline.run.replaying import Instruments
from pipeline.units import NANO

_ORDERLESS: Final = (
    "open_orders",
    "entry_orders",
    "buying_steps",
    "selling_steps",
    "untold_steps",
    "untold_fills",
    "untold_orders",
)
"""Members of a position that count what ends with a session."""
_DEFINED: Final = ("tick_nano", "tick_below_one_nano", "size_step_nano", "multiplier_nano")
"""Members of an instrument's row that its definition says; its quotes of a day ago are nothing to begin with."""


_THERE: Final = (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)


class Held(NamedTuple):
    """What a strategy holds of `feed:symbol`: shares, contracts or coins, signed, and their average price."""

    strategy: str
    symbol: str
    quantity: float
    average: float

    def __str__(self) -> str:
        return f"{self.quantity:+,.10g} {self.symbol} at {self.average:,.4f} ({self.strategy})"


class Working(NamedTuple):
    """An order of a strategy in `feed:symbol` that works at a broker, or may."""

    strategy: str
    symbol: str
    order_id: int
    quantity: float

    def __str__(self) -> str:
        return f"order {self.order_id} for {self.quantity:+,.10g} {self.symbol} ({self.strategy})"


def lasting(rows: Carried, *, keeps_orders: bool = False) -> Carried:
    """Of all that a session remembers the account, what is held, and the orders that work on where they are a broker's."""
    left: Carried = []
    symbols: dict[str, str] = {}
    kept = {_pair(key, text) for key, text in rows if keeps_orders and key.startswith("order/")}
    for key, text in rows:
        kind, _, rest = key.partition("/")
        if kind == "account":
            left.append((key, json.dumps(json.loads(text) | {"untold_cash": 0.0})))
        elif kind == "instrument":
            told = json.loads(text)
            symbols[rest] = json.dumps({name: told[name] for name in ("symbol", "instrument_id", *_DEFINED)})
        elif kind == "position":
            told = json.loads(text)
            if told["quantity_steps"] or rest in kept:
                id_ = rest.rpartition("/")[2]
                if (entry := (f"instrument/{id_}", symbols[id_])) not in left:
                    left.append(entry)
                ended = {} if rest in kept else dict.fromkeys(_ORDERLESS, 0)
                left.append((key, json.dumps(told | ended)))
        elif kind == "order" and keeps_orders:
            left.append((key, text))
    return left


def _pair(key: str, text: str) -> str:
    """The strategy and the instrument of an order, as a position names them."""
    return f"{key.split('/')[1]}/{json.loads(text)['instrument_id']}"


def held(rows: Carried, instruments: Instruments, feeds: Sequence[str]) -> Iterator[Held]:
    """What is held, of rows that last; `feeds` are those of the session, in the order of their numbers."""
    by_id = {row["instrument_id"]: row for row in instruments}
    for key, text in rows:
        kind, _, rest = key.partition("/")
        if kind == "position" and (told := json.loads(text))["quantity_steps"]:
            strategy, _, id_ = rest.rpartition("/")
            row = by_id[int(id_)]
            feed = feeds[int(row.get("source", 1)) - 1]
            quantity = told["quantity_steps"] * int(row["size_step_nano"]) / NANO
            yield Held(strategy, f"{feed}:{row['symbol']}", quantity, told["average_price"])


def working(rows: Carried, instruments: Instruments, feeds: Sequence[str]) -> Iterator[Working]:
    """What works at a broker, likewise."""
    by_id = {row["instrument_id"]: row for row in instruments}
    for key, text in rows:
        if key.startswith("order/"):
            told = json.loads(text)
            row = by_id[told["instrument_id"]]
            left = told["side"] * (told["quantity_steps"] - told["filled_steps"])
            feed = feeds[int(row.get("source", 1)) - 1]
            quantity = left * int(row["size_step_nano"]) / NANO
            yield Working(key.split("/")[1], f"{feed}:{row['symbol']}", told["order_id"], quantity)


def unprotected(rows: Carried, instruments: Instruments, feeds: Sequence[str]) -> Iterator[Held]:
    """What is held of which no stop stands by at a broker, or not for all of it; the quantity is what is left without."""
    stops: dict[str, int] = {}
    for key, text in rows:
        if key.startswith("order/"):
            told = json.loads(text)
            is_there = not told["is_kept"] and told["state"] in _THERE and told["order_type"] in STOPS
            if is_there and told["flags"] & OrderFlag.REDUCE_ONLY:
                pair = _pair(key, text)
                stops[pair] = stops.get(pair, 0) + told["side"] * (told["quantity_steps"] - told["filled_steps"])
    bare: Carried = []
    for key, text in rows:
        kind, _, pair = key.partition("/")
        if kind == "position":
            told = json.loads(text)
            left = told["quantity_steps"] + stops.get(pair, 0)
            if left * told["quantity_steps"] > 0:
                bare.append((key, json.dumps(told | {"quantity_steps": left})))
    yield from held(bare, instruments, feeds)
