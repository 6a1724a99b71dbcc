"""Tables: what a mapping may say, and rows of checked integers as blocks.

A mapping is written as `key=value` words, or as the same keys in a TOML file:

    kind=bar timeframe=1m symbol=AAPL ts=timestamp unit=ms open=o high=h low=l close=c volume=v

One that says less (`tz=UTC`) is completed from the table's header, where its names are well known.
"""

import shlex
from collections.abc import Mapping as Table
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np

from pipeline.block import Block, Numbers
from pipeline.codes import AssetClass, BarBasis, Kind, Side
from pipeline.errors import ConfigError, UnitError
from pipeline.instruments import COIN_STEP_NANO, WHOLE_STEP_NANO, Instrument, checked_symbol
from pipeline.names import did_you_mean
from pipeline.normalize.conditions import SPELLINGS, condition_marks
from pipeline.normalize.marks import bar_marks, quote_marks
from pipeline.units import ABSENT, DAY_NS, HOUR_NS, MINUTE_NS, NANO, SECOND_NS, nano_from_text

UNIT_NS: Final = {"s": SECOND_NS, "ms": 1_000_000, "us": 1_000, "ns": 1}
_TIMEFRAME_UNIT_NS: Final = {"s": SECOND_NS, "m": MINUTE_NS, "h": HOUR_NS, "d": DAY_NS, "w": 7 * DAY_NS}
_FOLDS: Final = ("refuse", "first", "second")
_STAMPS: Final = ("start", "end")
_COINS: Final = (AssetClass.CRYPTO, AssetClass.CRYPTO_PERPETUAL)

PRICES: Final = {
    "bar": ("open", "high", "low", "close"),
    "quote": ("bid", "ask"),
    "print": ("price",),
}
SIZES: Final = {"bar": ("volume",), "quote": ("bid_size", "ask_size"), "print": ("size",)}
COUNTS: Final = {"bar": ("trade_count",), "quote": (), "print": ("trade_id",)}
REQUIRED: Final = {
    "bar": ("ts", "open", "high", "low", "close"),
    "quote": ("ts", "bid", "ask"),
    "print": ("ts", "price", "size"),
}

SIDES: Final = {"buy": Side.BUY, "b": Side.BUY, "sell": Side.SELL, "s": Side.SELL, "": Side.NONE, "none": Side.NONE}
BUYER_MAKER: Final = {"true": Side.SELL, "1": Side.SELL, "false": Side.BUY, "0": Side.BUY, "": Side.NONE}
"""When the buyer was resting, the seller took."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """How the columns of a table become events of one kind. Of a field of the event it names the column; '': not said."""

    kind: str = ""
    symbol: str = ""
    symbol_column: str = ""
    venue: str = "FILE"
    asset: str = "other"
    currency: str = ""
    tick: str = ""
    size_step: str = ""
    timeframe: str = ""
    stamp: str = "start"
    ts: str = ""
    recv: str = ""
    unit: str = ""
    tz: str = ""
    fold: str = "refuse"
    open: str = ""
    high: str = ""
    low: str = ""
    close: str = ""
    volume: str = ""
    trade_count: str = ""
    bid: str = ""
    ask: str = ""
    bid_size: str = ""
    ask_size: str = ""
    price: str = ""
    size: str = ""
    side: str = ""
    buyer_maker: str = ""
    trade_id: str = ""
    conditions: str = ""
    condition_codes: str = "massive"

    @property
    def missing(self) -> list[str]:
        """What must still be said, or found in a header."""
        has_symbol = bool(self.symbol or self.symbol_column)
        columns = [name for name in REQUIRED.get(self.kind, ()) if not getattr(self, name)]
        return [*([] if self.kind else ["kind"]), *([] if has_symbol else ["symbol"]), *columns]

    def columns(self) -> dict[str, str]:
        """The columns it reads, by the field they fill."""
        of_print = ("side", "buyer_maker", "conditions") if self.kind == "print" else ()
        names = ("ts", "recv", "symbol_column", *of_print, *PRICES[self.kind], *SIZES[self.kind], *COUNTS[self.kind])
        return {name: column for name in names if (column := getattr(self, name))}

    @property
    def asset_class(self) -> AssetClass:
        """What kind of thing it maps."""
        return AssetClass[self.asset.upper()]

    @property
    def size_step_nano(self) -> int:
        """The size step said, else 1e-8 for coins and 1 for everything else. Raises UnitError for one that divides no 1."""
        if self.size_step:
            step_nano = nano_from_text(self.size_step)
            if step_nano <= 0 or NANO % step_nano:
                raise UnitError(f"size_step={self.size_step}; accepted are 1 and whole fractions of it, like 0.001")
            return step_nano
        return COIN_STEP_NANO if self.asset_class in _COINS else WHOLE_STEP_NANO

    def instrument(self, symbol: str) -> Instrument:
        """The instrument of that symbol. Raises UnitError when it is none."""
        tick_nano = nano_from_text(self.tick) if self.tick else ABSENT
        return Instrument(
            checked_symbol(symbol), self.venue, self.size_step_nano, self.asset_class, self.currency, tick_nano
        )


_KEYS: Final = tuple(field.name for field in fields(Mapping))


def mapping_of_text(text: str) -> Mapping:
    """The mapping of `key=value` words. Raises ConfigError naming the key and what is accepted."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"mapping: {error}") from None
    if wrong := next((word for word in words if "=" not in word), None):
        raise ConfigError(f"mapping: {wrong!r} is not key=value")
    return mapping_of({key: value for key, _, value in (word.partition("=") for word in words)})


def mapping_of(table: Table[str, object]) -> Mapping:
    """The mapping of keys and values. Raises ConfigError naming the key and what is accepted."""
    for key, value in table.items():
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS) or f"; accepted are {', '.join(_KEYS)}"
            raise ConfigError(f"mapping: unknown key {key!r}{hint}")
        if not isinstance(value, str):
            raise ConfigError(f"mapping: {key} is {value!r}; a text is accepted")
    mapping = Mapping(**table)  # type: ignore[arg-type]  # all texts, checked above
    _check(mapping)
    return mapping


def _check(mapping: Mapping) -> None:
    closed: dict[str, tuple[str, ...]] = {
        "kind": ("", *PRICES),
        "unit": ("", *UNIT_NS),
        "fold": _FOLDS,
        "stamp": _STAMPS,
        "asset": tuple(asset.name.lower() for asset in AssetClass),
        "condition_codes": SPELLINGS,
    }
    for key, accepted in closed.items():
        value = getattr(mapping, key)
        if value not in accepted:
            raise ConfigError(f"mapping: {key}={value!r}; accepted are {', '.join(filter(None, accepted))}")
    if mapping.symbol and mapping.symbol_column:
        raise ConfigError("mapping: either symbol=NAME or symbol_column=COLUMN, not both")
    try:
        mapping.instrument(mapping.symbol or "ANY")
        if mapping.timeframe:
            timeframe_ns(mapping.timeframe)
    except UnitError as error:
        raise ConfigError(f"mapping: {error}") from None


def timeframe_ns(text: str) -> int:
    """Nanoseconds of 1s, 5m, 1h, 1d. Raises UnitError."""
    unit_ns, count = _TIMEFRAME_UNIT_NS.get(text[-1:]), text[:-1]
    if unit_ns is None or not (count.isascii() and count.isdecimal()) or not 0 < int(count[:6]) < 100_000:
        raise UnitError(f"timeframe {text[:20]!r}; accepted are counts of s, m, h, d and w, like 1m")
    return int(count[:6]) * unit_ns


_TIME_NAMES: Final = ("timestamp", "time", "date", "datetime", "ts", "open_time")
_SYMBOL_NAMES: Final = ("symbol", "ticker")
_NAMES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "bar": {"open": ("open",), "high": ("high",), "low": ("low",), "close": ("close",), "volume": ("volume",)},
    "quote": {
        "bid": ("bid", "bid_price"),
        "ask": ("ask", "ask_price"),
        "bid_size": ("bid_size", "bid_amount"),
        "ask_size": ("ask_size", "ask_amount"),
    },
    "print": {
        "price": ("price",),
        "size": ("size", "quantity", "qty", "amount"),
        "side": ("side",),
        "buyer_maker": ("buyer_maker", "is_buyer_maker"),
    },
}


def completed(mapping: Mapping, names: list[str], symbol: str) -> Mapping | None:
    """The mapping with all that it leaves open found in a well-known header; None when too little is found.

    One that leaves nothing open is taken at its word: a column it does not name is not read.

        names    the table's columns, in any case
        symbol   what the instrument is called when no column says so
    """
    if not mapping.missing:
        return mapping
    by_lower = {name.lower().strip(): name for name in reversed(names)}
    for kind in (mapping.kind,) if mapping.kind else _NAMES:
        known = {"ts": _TIME_NAMES, **_NAMES[kind]}
        found = {key: next(filter(None, map(by_lower.get, spellings)), "") for key, spellings in known.items()}
        if not (mapping.symbol or mapping.symbol_column):
            column = next(filter(None, map(by_lower.get, _SYMBOL_NAMES)), "")
            found |= {"symbol_column": column} if column else {"symbol": symbol}
        if mapping.side or mapping.buyer_maker:
            found |= {"side": "", "buyer_maker": ""}
        whole = replace(mapping, kind=kind, **{key: name for key, name in found.items() if not getattr(mapping, key)})
        if not whole.missing:
            return whole
    return None


def block_of_table(mapping: Mapping, columns: dict[str, Numbers], *, length_ns: int, delay_ns: int) -> Block:
    """The events of rows that were checked: (n,) int64 columns by the mapping's keys, prices in nano, sizes in steps.

    `columns` holds `seq`, `instrument_id` and `ts` (ns) always. A bar is known when it has closed, everything else at
    its `recv` or, without one, its event time; `delay_ns` later.
    """
    common = {"seq": columns["seq"], "instrument_id": columns["instrument_id"]}
    if mapping.kind == "bar":
        start_ns = columns["ts"] - length_ns if mapping.stamp == "end" else columns["ts"]
        return _bars(common | {"ts_event_ns": start_ns}, columns, length_ns, delay_ns)
    recv_ns = columns["recv"] if "recv" in columns else columns["ts"] + delay_ns
    common |= {"ts_event_ns": columns["ts"], "ts_recv_ns": recv_ns}
    return (_quotes if mapping.kind == "quote" else _prints)(common, columns)


_NONE: Final = np.int64(ABSENT)


def _bars(common: dict[str, Numbers], columns: dict[str, Numbers], length_ns: int, delay_ns: int) -> Block:
    close_ns = common["ts_event_ns"] + length_ns
    return Block.of(
        Kind.BAR,
        len(close_ns),
        **common,
        ts_recv_ns=close_ns + delay_ns,
        bar_length=length_ns,
        ts_close_ns=close_ns,
        **{f"{name}_nano": columns[name] for name in PRICES["bar"]},
        volume_steps=columns.get("volume", _NONE),
        trade_count=columns.get("trade_count", _NONE),
        basis=BarBasis.VENDOR,
        marks=bar_marks(*(columns[name] for name in PRICES["bar"])),
    )


def _quotes(common: dict[str, Numbers], columns: dict[str, Numbers]) -> Block:
    return Block.of(
        Kind.QUOTE,
        len(columns["bid"]),
        **common,
        bid_nano=columns["bid"],
        ask_nano=columns["ask"],
        bid_size_steps=columns.get("bid_size", _NONE),
        ask_size_steps=columns.get("ask_size", _NONE),
        marks=quote_marks(columns["bid"], columns["ask"]),
    )


def _prints(common: dict[str, Numbers], columns: dict[str, Numbers]) -> Block:
    conditions = columns.get("conditions")
    if conditions is not None:
        common |= {"conditions": conditions, "marks": condition_marks(conditions, columns["ts"])}
    return Block.of(
        Kind.PRINT,
        len(columns["price"]),
        **common,
        price_nano=columns["price"],
        size_steps=columns["size"],
        aggressor=columns.get("aggressor", np.int64(Side.NONE)),
        trade_id=columns.get("trade_id", _NONE),
    )
