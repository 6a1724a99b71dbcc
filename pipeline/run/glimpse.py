"""Glimpse: what a person wants to see of a session while it is recorded. The loop hands over batches and goes on; whoever looks does the counting.

The queue "seen" holds the inputs of the last 256 commits; full means that nobody looked for long, and the oldest are
forgotten: only quotes that are outdated anyway. Decisions are few and are all kept until they are looked at.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.block import Blocks
from pipeline.codes import FeedAction, IntentAction, Kind, OrderState, Origin, SessionAction, Side
from pipeline.log.manifest import Manifest
from pipeline.units import ABSENT, NANO

SEEN_MAX: Final = 256
LINES_MAX: Final = 14
"""The latest happenings that are kept."""

UNTOLD_MAX: Final = 10_000
"""Happenings that may wait to be told in lines; of more the oldest are only counted."""

_LEVELS: Final = {
    FeedAction.LOST: "lost",
    FeedAction.CONNECTED: "connected",
    FeedAction.MUTE: "mute",
    FeedAction.HEARD: "connected",
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

    def __init__(self, feeds: Sequence[str], phases: Sequence[Mapping[int, str]], strategies: Sequence[str]) -> None:
        """`phases` are the words of each strategy's phases, by code."""
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
        self._strategies = strategies
        self._seen: deque[Blocks] = deque(maxlen=SEEN_MAX)
        self._rare: deque[Blocks] = deque()
        """What may not be forgotten: definitions, what happened to feeds, decisions."""

    def add(self, inputs: Blocks, derived: Blocks) -> None:
        """A commit and what was decided about it; costs next to nothing."""
        self.inputs += sum(map(len, inputs))
        self._seen.append(inputs)
        rare = [block for block in inputs if block.kind in (Kind.INSTRUMENT, Kind.FEED)]
        if rare or derived:
            self.decisions += sum(map(len, derived))
            self._rare.append([*rare, *derived])

    def look(self) -> None:
        """Bring the picture up to date."""
        while self._rare:
            for block in self._rare.popleft():
                for row in block.rows():
                    self._tell(block.kind, row)
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
            case Kind.SESSION if row["action"] == SessionAction.STOPPED:
                self._say(row, f"strategy {row['key']} stopped: {row['text']}")
            case Kind.INTENT if row["action"] != IntentAction.NONE:
                self._say(row, f"{self._who(row)} wishes to {IntentAction(row['action']).name.lower()}")
            case Kind.ORDER if row["state"] in (OrderState.REFUSED, OrderState.REJECTED):
                self._say(row, f"{self._who(row)} order {row['order_id']} {OrderState(row['state']).name.lower()}")
            case Kind.FILL:
                side = Side(row["side"]).name.lower()
                quantity = row["quantity_steps"] * self.symbols[row["instrument_id"]].size_step
                self._say(row, f"{self._who(row)} {side} {quantity:,.10g} at {_price(row['price_nano']):,.10g}")
            case _:
                pass

    def _feed_row(self, row: Mapping[str, Any]) -> None:
        feed, action = self._feed(row["source"]), FeedAction(row["action"])
        if feed is None:
            return
        feed.state = _LEVELS.get(action, feed.state)
        feed.gaps += action is FeedAction.GAP_OPENED
        if action not in (FeedAction.DECLARED, FeedAction.IGNORED, FeedAction.SUBSCRIBED):
            what = " ".join(filter(None, (action.name.lower().replace("_", " "), row["channel"])))
            self._say(row, f"{feed.name}: {', '.join(filter(None, (what, row['text'])))}")

    def phase(self, strategy_id: int, code: int) -> str:
        """The word of a phase."""
        return self._phases[strategy_id - 1].get(code, str(code))

    def _feed(self, number: int) -> FeedGlimpse | None:
        return self.feeds[number - 1] if 0 < number <= len(self.feeds) else None

    def _who(self, row: Mapping[str, Any]) -> str:
        seen = self.symbols.get(row["instrument_id"])
        return f"{self._strategies[row['strategy_id'] - 1]} {seen.symbol if seen else row['instrument_id']}"

    def _say(self, row: Mapping[str, Any], text: str) -> None:
        self.happened += 1
        line = (row["ts_recv_ns"], printable(text))
        self.lines.append(line)
        self.untold.append(line)


def glimpse_of(manifest: Manifest, feeds: Sequence[str]) -> Glimpse:
    """An empty picture of a session and its feeds."""
    words = [{code: word for word, code in strategy.words.phases.items()} for strategy in manifest.strategies]
    return Glimpse(feeds, words, [strategy.name for strategy in manifest.strategies])


def printable(text: str) -> str:
    """Strangers' words without what a terminal would obey."""
    return (
        text
        if text.isprintable()
        else "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    )


def _price(nano: int) -> float:
    return float("nan") if nano == ABSENT else nano / NANO
