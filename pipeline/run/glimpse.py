"""Glimpse: what a person wants to see of a session while it is recorded. The loop hands over batches and goes on; whoever looks does the counting.

The queue "seen" holds the inputs of the last 256 commits; full means that nobody looked for long, and the oldest are
forgotten: only quotes that are outdated anyway. Decisions are few and are all kept until they are looked at.
"""

import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from pipeline.block import Block, Blocks, without_warm_up
from pipeline.codes import (
    FeedAction,
    IntentAction,
    Kind,
    MessageLevel,
    OrderReason,
    OrderState,
    Origin,
    RequestAction,
    RiskRule,
    RiskVerdict,
    SessionAction,
    Side,
)
from pipeline.execution.paper import DIFFERENCES, ORDERS
from pipeline.log.manifest import Manifest
from pipeline.names import printable
from pipeline.ports import Channel
from pipeline.run.clock import stepped
from pipeline.scanner_codes import UniverseAction
from pipeline.units import ABSENT, NANO
from warehouse.scanners import name_of, reason_of, settings_of

SEEN_MAX: Final = 256
LINES_MAX: Final = 14
"""The latest happenings that are kept."""

UNTOLD_MAX: Final = 10_000
"""Happenings that may wait to be told in lines; of more the oldest are only counted."""

TALK_MAX: Final = 20
"""Messages of strategies, and refusals of the risk gate, that are told each time somebody looks; of more only how many."""

_TALK: Final = {Kind.MESSAGE: "messages of strategies", Kind.RISK: "refusals of the risk gate"}
_TOLD: Final = frozenset(
    (
        Kind.INSTRUMENT,
        Kind.FEED,
        Kind.TRANSITION,
        Kind.POSITION,
        Kind.SESSION,
        Kind.REQUEST,
        Kind.UNIVERSE,
        Kind.INTENT,
        Kind.ORDER,
        Kind.FILL,
        Kind.ACCOUNT,
    )
)
_TOLD_STATES: Final = (OrderState.REFUSED, OrderState.REJECTED, OrderState.UNKNOWN, OrderState.EXPIRED)
_RARE: Final = frozenset((Kind.INSTRUMENT, Kind.FEED, Kind.SESSION, Kind.ACCOUNT, Kind.ORDER, Kind.FILL))
"""Inputs that are not outdated by the next ones."""

_LOUD: Final = {level: "" if level is MessageLevel.INFO else f" {level.name}" for level in MessageLevel}

_LEVELS: Final = {
    FeedAction.LOST: "lost",
    FeedAction.CONNECTED: "connected",
    FeedAction.MUTE: "mute",
    FeedAction.HEARD: "connected",
    FeedAction.LAGGING: "lagging",
    FeedAction.CAUGHT_UP: "connected",
    FeedAction.ENDED: "ended",
}


@dataclass(slots=True)
class FeedGlimpse:
    """One feed: how it is, how old its newest event was when it came, in seconds."""

    name: str
    state: str = "connecting"
    rows: int = 0
    gaps: int = 0
    lag_s: float = 0.0


@dataclass(slots=True)
class SymbolGlimpse:
    """One instrument: what one step of size is, last quote and print, phase and position of each strategy in it."""

    symbol: str
    feed: str
    size_step: float
    bid: float = float("nan")
    ask: float = float("nan")
    last: float = float("nan")
    phases: dict[int, int] = field(default_factory=dict)
    position: dict[int, float] = field(default_factory=dict)


class Glimpse:
    """What was seen so far. `add` is called by the loop, `look` by whoever draws."""

    def __init__(
        self,
        feeds: Sequence[str],
        phases: Sequence[Mapping[int, str]],
        strategies: Sequence[str],
        messages: Sequence[Mapping[int, str]] = (),
        scanners: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """`phases` are the words of each strategy's phases, `messages` the templates of what it says, both by code.

        `scanners`: what `warehouse.scanners.settings_of` says of them.
        """
        self.feeds = [FeedGlimpse(name) for name in feeds]
        self.symbols: dict[int, SymbolGlimpse] = {}
        self.lines: deque[tuple[int, str]] = deque(maxlen=LINES_MAX)
        """Session time and words of the latest happenings."""
        self.untold: deque[tuple[int, str]] = deque(maxlen=UNTOLD_MAX)
        """The same, of those that nobody took from here yet; who tells in lines does."""
        self.happened = 0
        """How many happenings there were, those included that are kept no more."""
        self.inputs = 0
        self.decisions = 0
        self.session_ns = 0
        self._phases = phases
        self._messages = messages
        self._scanners = scanners
        self._strategies = strategies
        self._seen: deque[Blocks] = deque(maxlen=SEEN_MAX)
        self._rare: deque[Blocks] = deque()
        """What may not be forgotten: definitions, what happened to feeds and to the session, decisions."""

    def add(self, inputs: Blocks, derived: Blocks) -> None:
        """A commit and what was decided about it; costs next to nothing."""
        self.inputs += sum(map(len, inputs))
        self._seen.append(inputs)
        rare = [block for block in inputs if block.kind in _RARE]
        if rare or derived:
            self.decisions += sum(map(len, derived))
            self._rare.append([*rare, *derived])

    def look(self) -> None:
        """Bring the picture up to date."""
        talk_left = TALK_MAX
        unheard: Counter[str] = Counter()
        while self._rare:
            happened: list[tuple[Kind, dict[str, Any]]] = []
            for block in self._rare.popleft():
                if block.kind in _TALK:
                    talk = _worth_saying(block)
                    happened += [(block.kind, row) for row in talk.slice(0, talk_left).rows()]
                    unheard[_TALK[block.kind]] += max(0, len(talk) - talk_left)
                    talk_left = max(0, talk_left - len(talk))
                elif block.kind in _TOLD:
                    happened += [(block.kind, row) for row in block.rows()]
            for kind, row in sorted(happened, key=lambda each: (each[1]["seq"], each[1]["ord"])):
                (self._tell_talk if kind in _TALK else self._tell)(kind, row)
        for what, count in unheard.items():
            if count:
                self._say({"ts_recv_ns": self.session_ns}, f"... {count:,} more {what}")
        while self._seen:
            for block in self._seen.popleft():
                self._market(block)

    def _market(self, block: Any) -> None:
        recv_ns = int(block.number("ts_recv_ns")[-1])
        self.session_ns = max(self.session_ns, recv_ns)
        if block.kind not in (Kind.QUOTE, Kind.PRINT):
            return
        feed = self._feed(int(block.number("source")[-1]))
        if feed is not None:
            feed.rows += len(block)
            if block.number("origin")[-1] == Origin.INPUT:
                feed.lag_s = (recv_ns - int(block.number("ts_event_ns")[-1])) / NANO
        block = without_warm_up(block)
        ids = block.number("instrument_id").tolist()
        if block.kind is Kind.QUOTE:
            for id_, bid, ask in zip(
                ids, block.number("bid_nano").tolist(), block.number("ask_nano").tolist(), strict=True
            ):
                seen = self.symbols.get(id_)
                if seen is not None:
                    seen.bid, seen.ask = _price(bid), _price(ask)
            return
        for id_, price in zip(ids, block.number("price_nano").tolist(), strict=True):
            if id_ in self.symbols:
                self.symbols[id_].last = _price(price)

    def _tell(self, kind: Kind, row: Mapping[str, Any]) -> None:
        match kind:
            case Kind.INSTRUMENT:
                step, feed = row["size_step_nano"] / NANO, self._feed(row["source"])
                name = feed.name if feed is not None else ""
                self.symbols.setdefault(row["instrument_id"], SymbolGlimpse(printable(row["symbol"]), name, step))
            case Kind.FEED:
                self._feed_row(row)
            case Kind.TRANSITION:
                if seen := self.symbols.get(row["instrument_id"]):
                    seen.phases[row["strategy_id"]] = row["to_phase"]
                    self._say(row, f"{self._who(row)} is {self.phase(row['strategy_id'], row['to_phase'])}")
            case Kind.POSITION:
                if seen := self.symbols.get(row["instrument_id"]):
                    seen.position[row["strategy_id"]] = row["quantity_steps"] * seen.size_step
            case Kind.SESSION:
                self._session_row(row)
            case Kind.REQUEST | Kind.UNIVERSE:
                self._say(row, printable(self._asked(row) if kind is Kind.REQUEST else self._listed(row)))
            case Kind.INTENT | Kind.ORDER | Kind.FILL | Kind.ACCOUNT:
                self._tell_order(kind, row)
            case _:
                pass

    def _tell_order(self, kind: Kind, row: Mapping[str, Any]) -> None:
        """What is wished, and what becomes of it."""
        match kind:
            case Kind.INTENT if row["action"] != IntentAction.NONE:
                self._say(row, f"{self._who(row)} wishes to {IntentAction(row['action']).name.lower()}")
            case Kind.ORDER if row["state"] in _TOLD_STATES:
                why = row["text"] or (_word(OrderReason(row["reason"])) if row["reason"] else "")
                state = _word(OrderState(row["state"]))
                self._say(row, f"{self._who(row)} order {row['order_id']} {state}{': ' if why else ''}{why}")
            case Kind.ACCOUNT if row["action"] in DIFFERENCES:
                self._say(row, f"the broker differs: {row['text']}")
            case Kind.FILL:
                side = Side(row["side"]).name.lower()
                known = self.symbols.get(row["instrument_id"])
                quantity = row["quantity_steps"] * (known.size_step if known else math.nan)
                self._say(row, f"{self._who(row)} {side} {quantity:,.10g} at {_price(row['price_nano']):,.10g}")
            case _:
                pass

    def _session_row(self, row: Mapping[str, Any]) -> None:
        if row["action"] == SessionAction.STOPPED:
            self._say(row, f"strategy {row['key']} stopped: {row['text']}")
        elif row["action"] == SessionAction.CLOCK_STEPPED:
            self._say(row, stepped(row["key"], row["text"]))

    def _asked(self, row: Mapping[str, Any]) -> str:
        what = " ".join(filter(None, (_word(RequestAction(row["action"])), row["target"])))
        return f"asked to {what}: {row['text']}" if row["text"] else f"asked to {what}"

    def _listed(self, row: Mapping[str, Any]) -> str:
        """What a scanner's list took in or left out."""
        known = self.symbols.get(row["instrument_id"])
        symbol = known.symbol if known else f"instrument {row['instrument_id']}"
        who = printable(name_of(self._scanners, row["scanner_id"]))
        if row["action"] == UniverseAction.ADDED:
            return f"{who} picks {symbol}, rank {row['rank']}"
        return f"{who} drops {symbol}: {printable(reason_of(self._scanners, row['scanner_id'], row['reason']))}"

    def _feed_row(self, row: Mapping[str, Any]) -> None:
        feed, action = self._feed(row["source"]), FeedAction(row["action"])
        if feed is None:
            if row["channel"] == ORDERS:
                self._say(row, f"orders: {action.name.lower().replace('_', ' ')}, {row['text']}")
            return
        if row["channel"] != Channel.SNAPSHOTS:  # the stream goes on whether polls are answered or not
            feed.state = _LEVELS.get(action, feed.state)
        feed.gaps += action is FeedAction.GAP_OPENED
        if action not in (FeedAction.DECLARED, FeedAction.IGNORED, FeedAction.SUBSCRIBED):
            what = " ".join(filter(None, (action.name.lower().replace("_", " "), row["channel"])))
            self._say(row, f"{feed.name}: {', '.join(filter(None, (what, row['text'])))}")

    def _tell_talk(self, kind: Kind, row: Mapping[str, Any]) -> None:
        """What a strategy says, or what the risk gate said to it."""
        if kind is Kind.MESSAGE:
            self._say(row, f"{self._who(row)}{_LOUD[row['level']]}: {self._said(row)}")
            return
        saw, allows = _figure(row["value"]), _figure(row["limit"])
        is_flag = row["limit"] == 0.0 and row["value"] == 1.0  # a rule that says yes or no
        figures = f": {saw}, at most {allows}" if saw and allows and not is_flag else ""
        self._say(row, f"{self._who(row)} refused, {_word(RiskRule(row['rule']))}{figures}")

    def _said(self, row: Mapping[str, Any]) -> str:
        """The strategy's own words, its numbers in them; the code and the numbers where it has none."""
        templates = self._messages[row["strategy_id"] - 1] if row["strategy_id"] <= len(self._messages) else {}
        template: str | None = templates.get(row["code"])
        if template is None:
            return " ".join([f"message {row['code']}", *filter(None, (_figure(row[name]) for name in "abc"))])
        try:
            return template.format(a=row["a"], b=row["b"], c=row["c"])
        except (ValueError, LookupError, AttributeError, TypeError):  # it asks for what its numbers are not
            return template

    def phase(self, strategy_id: int, code: int) -> str:
        """The word of a phase."""
        return self._phases[strategy_id - 1].get(code, str(code))

    def _feed(self, number: int) -> FeedGlimpse | None:
        return self.feeds[number - 1] if 0 < number <= len(self.feeds) else None

    def _who(self, row: Mapping[str, Any]) -> str:
        seen = self.symbols.get(row["instrument_id"])
        who = self._strategies[row["strategy_id"] - 1] if row["strategy_id"] else "nobody's"
        return f"{who} {seen.symbol if seen else row['instrument_id']}"

    def _say(self, row: Mapping[str, Any], text: str) -> None:
        self.happened += 1
        line = (row["ts_recv_ns"], printable(text))
        self.lines.append(line)
        self.untold.append(line)


def glimpse_of(manifest: Manifest, feeds: Sequence[str]) -> Glimpse:
    """An empty picture of a session and its feeds."""
    words = [{code: word for word, code in strategy.words.phases.items()} for strategy in manifest.strategies]
    messages = [
        {code: each.words.templates.get(word, word) for word, code in each.words.messages.items()}
        for each in manifest.strategies
    ]
    return Glimpse(feeds, words, [strategy.name for strategy in manifest.strategies], messages, settings_of(manifest))


def _worth_saying(block: Block) -> Block:
    """All that a strategy said; of the risk gate what it refused."""
    return block if block.kind is Kind.MESSAGE else block.take(block.number("verdict") == RiskVerdict.REFUSED)


def _word(code: IntEnum) -> str:
    return code.name.lower().replace("_", " ")


def _figure(value: float) -> str:
    return "" if math.isnan(value) else f"{value:,.10g}"


def _price(nano: int) -> float:
    return float("nan") if nano == ABSENT else nano / NANO
