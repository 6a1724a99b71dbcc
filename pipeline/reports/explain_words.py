"""Words: what a row says, as one line a person reads. Strangers' texts are in it as they came: whoever prints makes them printable."""

import math
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

from pipeline import codes, scanner_codes
from pipeline.codes import Kind
from pipeline.log.manifest import StrategyEntry, Words
from pipeline.reports.explain_rows import Row
from pipeline.timeframes import SESSION_UNITS, Timeframe
from pipeline.units import ABSENT, NANO, float_from_nano
from warehouse.scanners import name_of, reason_of

_NOTHING: Final = Words()
_PRICES: Final = (("limit", "limit_nano"), ("trigger", "trigger_nano"), ("stop", "stop_loss_nano"),
                  ("target", "take_profit_nano"), ("trail", "trail_nano"))  # fmt: skip
_SIZES: Final = ("notional", "risk", "rank_score")


class Symbol(NamedTuple):
    """How an instrument is called, and what one step of its size is; 1e-9 of a share, contract or coin."""

    name: str
    size_step_nano: int


class Teller:
    """Puts rows of one log into words: its strategies' for their codes, its instruments' for their ids and sizes, its scanners' filters."""

    def __init__(
        self,
        strategies: Sequence[StrategyEntry],
        symbols: Mapping[int, Symbol],
        scanners: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """`scanners`: what `warehouse.scanners.settings_of` says of them."""
        self.strategies = strategies
        self.symbols = symbols
        self.scanners = scanners

    def says(self, row: Row) -> str:
        """The row as one line, without its place and time."""
        tell = _TOLD.get(row.kind)
        return tell(self, row.values) if tell else row.kind.name.lower()

    def symbol(self, instrument_id: int) -> str:
        """The instrument's name; its number where nothing defined it."""
        known = self.symbols.get(instrument_id)
        return known.name if known else f"instrument {instrument_id}"

    def strategy(self, strategy_id: int) -> str:
        """The strategy's name; its number where the log has none."""
        known = 0 < strategy_id <= len(self.strategies)
        return self.strategies[strategy_id - 1].name if known else f"strategy {strategy_id}"

    def word(self, strategy_id: int, which: str, code: int) -> str:
        """The strategy's own word for a code, of `which` of its words; the number where it has none."""
        known = 0 < strategy_id <= len(self.strategies)
        words = getattr(self.strategies[strategy_id - 1].words if known else _NOTHING, which)
        return next((word for word, number in words.items() if number == code), str(code))

    def who(self, values: Mapping[str, Any]) -> str:
        """The strategy and the symbol of a row."""
        return f"{self.strategy(values['strategy_id'])} {self.symbol(values['instrument_id'])}"

    def size(self, values: Mapping[str, Any], name: str = "quantity_steps") -> str:
        """A size in shares, contracts or coins; in steps where nothing defined the instrument."""
        steps, known = values[name], self.symbols.get(values["instrument_id"])
        if steps == ABSENT:
            return "?"
        return figure(steps * known.size_step_nano / NANO) if known else f"{steps:,} steps"

    def said(self, values: Mapping[str, Any]) -> str:
        """What a strategy's message says, its numbers in its text."""
        word = self.word(values["strategy_id"], "messages", values["code"])
        known = 0 < values["strategy_id"] <= len(self.strategies)
        templates = self.strategies[values["strategy_id"] - 1].words.templates if known else {}
        try:
            return str(templates[word]).format(a=values["a"], b=values["b"], c=values["c"])
        except (ValueError, LookupError, AttributeError, TypeError):  # none, or it asks for what its numbers are not
            return " ".join(
                [f"message {word}", *(figure(values[name]) for name in "abc" if values[name] == values[name])]
            )


def figure(value: float) -> str:
    """A number without what it doesn't need; '-' for none."""
    return "-" if math.isnan(value) else f"{value:,.10g}"


def price(nano: int) -> str:
    """A price; '-' for none."""
    return figure(float_from_nano(nano))


def word_of(closed_set: type[IntEnum], code: int) -> str:
    """The name of a code, in words; its number where this version knows none."""
    try:
        return closed_set(code).name.lower().replace("_", " ")
    except ValueError:
        return str(code)


def timeframe(values: Mapping[str, Any]) -> str:
    """The length of a bar as people write it."""
    unit = values["bar_unit"]
    is_session = unit >= SESSION_UNITS
    try:
        length = str(Timeframe(codes.BarUnit(unit % SESSION_UNITS), values["bar_length"]))
    except (ValueError, StopIteration):
        return f"{values['bar_length']:,} of unit {unit}"
    return f"{length}@session" if is_session else length


def _fill(teller: Teller, row: Mapping[str, Any]) -> str:
    book = f"; bid {price(row['bid_nano'])}, ask {price(row['ask_nano'])}" if row["bid_nano"] != ABSENT else ""
    return (
        f"fill {row['fill_id']}: {word_of(codes.Side, row['side'])} {teller.size(row)} at {price(row['price_nano'])}, "
        f"order {row['order_id']}, fee {price(row['fee_nano'])}, {word_of(codes.Liquidity, row['liquidity'])}{book}"
    )


def _order(teller: Teller, row: Mapping[str, Any]) -> str:
    why = f", {word_of(codes.OrderReason, row['reason'])}" if row["reason"] else ""
    filled = f", {teller.size(row, 'filled_steps')} filled" if row["filled_steps"] else ""
    parent = f", belongs to order {row['parent_order_id']}" if row["parent_order_id"] else ""
    words = f': "{row["text"]}"' if row["text"] else ""
    return (
        f"order {row['order_id']} {word_of(codes.OrderState, row['state'])}{why}: {word_of(codes.Side, row['side'])} "
        f"{teller.size(row)} {word_of(codes.OrderType, row['order_type'])}{_prices(row)}{filled}{parent}{words}"
    )


def _risk(teller: Teller, row: Mapping[str, Any]) -> str:
    rule = "" if row["rule"] == codes.RiskRule.PASSED else f" by {word_of(codes.RiskRule, row['rule'])}"
    numbers = "" if math.isnan(row["value"]) else f": {figure(row['value'])}, limit {figure(row['limit'])}"
    size = f", {teller.size(row)}" if row["verdict"] != codes.RiskVerdict.REFUSED else ""
    return f"risk {word_of(codes.RiskVerdict, row['verdict'])}{rule}{size}{numbers}"


def _intent(teller: Teller, row: Mapping[str, Any]) -> str:
    if row["action"] == codes.IntentAction.NONE:
        gate = teller.word(row["strategy_id"], "gates", row["gate"])
        return f"gate {gate} refuses: {figure(row['gate_value'])}, limit {figure(row['gate_threshold'])}"
    side = f" {word_of(codes.Side, row['side'])}" if row["side"] else ""
    size = f" {teller.size(row)}" if row["quantity_steps"] not in (0, ABSENT) else ""
    asked = "".join(f", {name.replace('_', ' ')} {figure(row[name])}" for name in _SIZES if not math.isnan(row[name]))
    outcome = "" if row["outcome"] == codes.IntentOutcome.TAKEN else f"; {word_of(codes.IntentOutcome, row['outcome'])}"
    lost = f" to ({row['winner_seq']:,}, {row['winner_ord']})" if row["winner_seq"] else ""
    of = f" order {row['order_id']}" if row["order_id"] else ""
    return f"intent to {word_of(codes.IntentAction, row['action'])}{of}{side}{size}{_prices(row)}{asked}{outcome}{lost}"


def _prices(row: Mapping[str, Any]) -> str:
    return "".join(f", {name} {price(row[key])}" for name, key in _PRICES if row.get(key, ABSENT) != ABSENT)


def _transition(teller: Teller, row: Mapping[str, Any]) -> str:
    before, after = (teller.word(row["strategy_id"], "phases", row[name]) for name in ("from_phase", "to_phase"))
    why = f", {teller.word(row['strategy_id'], 'reasons', row['reason'])}" if row["reason"] else ""
    return f"{teller.who(row)}: {before} -> {after}{why}"


def _indicator(teller: Teller, row: Mapping[str, Any]) -> str:
    return f"{teller.word(row['strategy_id'], 'outputs', row['output_id'])} {figure(row['value'])}"


def _message(teller: Teller, row: Mapping[str, Any]) -> str:
    return f'{teller.who(row)} says "{teller.said(row)}"'


def _position(teller: Teller, row: Mapping[str, Any]) -> str:
    return f"position {teller.size(row)} at {figure(row['average_price'])}, realized {figure(row['realized'])}"


def _quote(teller: Teller, row: Mapping[str, Any]) -> str:
    sides = (f"{price(row[f'{side}_nano'])} x {teller.size(row, f'{side}_size_steps')}" for side in ("bid", "ask"))
    return f"quote {teller.symbol(row['instrument_id'])}: {' / '.join(sides)}{_marks(row)}"


def _print(teller: Teller, row: Mapping[str, Any]) -> str:
    return f"print {teller.symbol(row['instrument_id'])}: {teller.size(row, 'size_steps')} at {price(row['price_nano'])}{_marks(row)}"


def _bar(teller: Teller, row: Mapping[str, Any]) -> str:
    prices = "/".join(price(row[f"{name}_nano"]) for name in ("open", "high", "low", "close"))
    count = "" if row["trade_count"] == ABSENT else f", {row['trade_count']:,} trades"
    revision = f", revision {row['revision']}" if row["revision"] else ""
    basis = word_of(codes.BarBasis, row["basis"])
    return (
        f"bar {timeframe(row)} of {teller.symbol(row['instrument_id'])}, from {basis}: {prices}, "
        f"volume {teller.size(row, 'volume_steps')}{count}{revision}{_marks(row)}"
    )


def _status(teller: Teller, row: Mapping[str, Any]) -> str:
    why = f", {word_of(codes.StatusReason, row['reason'])}" if row["reason"] else ""
    of = teller.symbol(row["instrument_id"]) if row["instrument_id"] else "all"
    return f"status of {of}: {word_of(codes.TradingStatus, row['status'])}{why}"


def _request(_: Teller, row: Mapping[str, Any]) -> str:
    asked = f"asked to {word_of(codes.RequestAction, row['action'])} {row['target']}".rstrip()
    return f"{asked}: {row['text']}" if row["text"] else asked


def _session(_: Teller, row: Mapping[str, Any]) -> str:
    is_long = row["action"] in (codes.SessionAction.STATE, codes.SessionAction.SETTING, codes.SessionAction.CODE)
    told = "" if is_long or not row["text"] else f": {row['text']}"
    return f"session {word_of(codes.SessionAction, row['action'])} {row['key']}".rstrip() + told


def _feed(_: Teller, row: Mapping[str, Any]) -> str:
    told = f": {row['text']}" if row["text"] else ""
    return f"feed {word_of(codes.FeedAction, row['action'])} {row['channel']}".rstrip() + told


def _universe(teller: Teller, row: Mapping[str, Any]) -> str:
    why = reason_of(teller.scanners, row["scanner_id"], row["reason"])
    action = word_of(scanner_codes.UniverseAction, row["action"])
    by = name_of(teller.scanners, row["scanner_id"])
    return f"{teller.symbol(row['instrument_id'])} {action} by {by}: {why}"


def _timer(_: Teller, row: Mapping[str, Any]) -> str:
    return f"timer, every {figure(row['interval_ns'] / NANO)} s"


def _marks(row: Mapping[str, Any]) -> str:
    names = " ".join(mark.name.lower() for mark in codes.Mark if mark & row["marks"] and mark.name)
    return f" ({names})" if names else ""


_TOLD: Final[Mapping[Kind, Callable[[Teller, Mapping[str, Any]], str]]] = {
    Kind.FILL: _fill,
    Kind.ORDER: _order,
    Kind.RISK: _risk,
    Kind.INTENT: _intent,
    Kind.TRANSITION: _transition,
    Kind.INDICATOR: _indicator,
    Kind.MESSAGE: _message,
    Kind.POSITION: _position,
    Kind.QUOTE: _quote,
    Kind.PRINT: _print,
    Kind.BAR: _bar,
    Kind.STATUS: _status,
    Kind.REQUEST: _request,
    Kind.SESSION: _session,
    Kind.FEED: _feed,
    Kind.UNIVERSE: _universe,
    Kind.TIMER: _timer,
}
