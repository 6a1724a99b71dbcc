"""Live: a session as it is being recorded, followed from its own files. It takes nothing from who records but disk reads.

What comes is folded once, when somebody looks, for all who look: rows of the tape into seconds, by a statement; the rest
into the same picture that `tape record` draws on a terminal. A chart makes its candles of these seconds.
"""

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any, Final, NamedTuple

import duckdb
import pyarrow as pa

from dashboards.charts import Band, Point
from dashboards.data import Door
from pipeline.block import Block, Blocks, without_warm_up
from pipeline.codes import FeedAction, Kind, Mark, Side, TradingStatus
from pipeline.log.arrow import to_arrow
from pipeline.log.follow import Follower
from pipeline.log.manifest import Manifest
from pipeline.run.glimpse import FeedGlimpse, glimpse_of
from pipeline.units import NANO, iso_from_ns

LINES_MAX: Final = 300
"""The latest happenings that are kept; older ones are in the log."""

FILLS_MAX: Final = 2_000

_TICKS: Final = (Kind.QUOTE, Kind.PRINT)
_TABLES: Final = """
create table seconds (
    instrument_id integer, time bigint, first_at bigint, open double, high double, low double, last_at bigint, close double,
    steps bigint, amount double
);
create table spreads (
    instrument_id integer, time bigint, place bigint, bid double, ask double, bid_steps bigint, ask_steps bigint
)
"""
_NO_MOVE: Final = int(Mark.DUPLICATE | Mark.CANCEL | Mark.CORRECTION)
_FOLD_PRINTS: Final = f"""
insert into seconds
select
    instrument_id, ts_event_ns // 1000000000,
    min(seq) filter (marks & {int(Mark.NO_LAST)} = 0),
    arg_min(price_nano, seq) filter (marks & {int(Mark.NO_LAST)} = 0) / 1e9,
    max(price_nano) filter (marks & {int(Mark.NO_HIGH_LOW)} = 0) / 1e9,
    min(price_nano) filter (marks & {int(Mark.NO_HIGH_LOW)} = 0) / 1e9,
    max(seq) filter (marks & {int(Mark.NO_LAST)} = 0),
    arg_max(price_nano, seq) filter (marks & {int(Mark.NO_LAST)} = 0) / 1e9,
    coalesce(sum(size_steps) filter (marks & {int(Mark.NO_VOLUME)} = 0), 0),
    coalesce(sum(price_nano / 1e9 * size_steps) filter (marks & {int(Mark.NO_VOLUME)} = 0), 0)
from ticks
where marks & {_NO_MOVE} = 0
group by instrument_id, ts_event_ns // 1000000000
"""  # noqa: S608 - numbers of our own codes
_FOLD_QUOTES: Final = """
insert into spreads
select
    instrument_id, ts_event_ns // 1000000000, max(seq), arg_max(bid_nano, seq) / 1e9, arg_max(ask_nano, seq) / 1e9,
    arg_max(bid_size_steps, seq), arg_max(ask_size_steps, seq)
from ticks
where bid_nano > 0 and ask_nano >= bid_nano
group by instrument_id, ts_event_ns // 1000000000
"""
_CANDLES: Final = """
with candles as (
    select
        time // $step * $step as time, arg_min(open, first_at) as open, max(high) as high, min(low) as low,
        arg_max(close, last_at) as close, sum(steps) * $size_step as volume, sum(amount) / nullif(sum(steps), 0) as vwap
    from seconds
    where instrument_id = $instrument and time >= $from_s
    group by time // $step
)
select time, open, greatest(high, open, close) as high, least(low, open, close) as low, close, volume, vwap
from candles
where open is not null
order by time
"""
_SPREADS: Final = """
select
    time // $step * $step as time, arg_max(bid, place) as low, arg_max(ask, place) as high,
    arg_max(bid_steps, place) * $size_step as bid_size, arg_max(ask_steps, place) * $size_step as ask_size
from spreads
where instrument_id = $instrument and time >= $from_s
group by time // $step
order by time
"""
_HALTING: Final = frozenset(
    (
        TradingStatus.HALTED,
        TradingStatus.PAUSED,
        TradingStatus.QUOTING,
        TradingStatus.CLOSED,
        TradingStatus.SUSPENDED,
    )
)
_TRADING: Final = frozenset((TradingStatus.TRADING, TradingStatus.PRE_OPEN, TradingStatus.POST_CLOSE))


class Fill(NamedTuple):
    """An execution of ours."""

    instrument_id: int
    ts_ns: int
    side: str
    quantity: float
    price: float


class Watch:
    """One session, followed. Whoever looks brings it up to date first; several may look at once."""

    def __init__(self, door: Door, log: Manifest) -> None:
        """Raises NotFoundError when it is not there, CorruptError for damage."""
        self.log = log
        self.inputs = 0
        """The `seq` of the last input."""
        self.lines: deque[tuple[int, str]] = deque(maxlen=LINES_MAX)
        self.fills: deque[Fill] = deque(maxlen=FILLS_MAX)
        self._follower = Follower(door.store.folder(log.id))
        self._glimpse = glimpse_of(log, [])
        self._rows = duckdb.connect(":memory:")
        self._rows.execute(_TABLES)
        self._rows.execute("set threads = 2; set memory_limit = '512MB'")
        self._first_ns = 0
        self._holes: dict[int, Band] = {}
        self._halts: dict[int, list[Band]] = {}
        self._lock = threading.Lock()

    @property
    def is_ended(self) -> bool:
        """Nobody records it any more, and all of it was seen."""
        return self._follower.is_ended

    @property
    def session_ns(self) -> int:
        """The session's clock; 0 before its first row."""
        return self._glimpse.session_ns

    @property
    def lasted_s(self) -> float:
        """From its first row that counts to its last."""
        return (self.session_ns - self._first_ns) / NANO if self._first_ns else 0.0

    def refresh(self) -> None:
        """Take what came since the last look. Raises CorruptError for damage."""
        with self._lock:
            waiting: dict[Kind, list[pa.RecordBatch]] = {kind: [] for kind in _TICKS}
            for blocks in self._follower.poll():
                self._take(blocks, waiting)
                if sum(batch.num_rows for batches in waiting.values() for batch in batches) > 200_000:
                    self._fold(waiting)
            self._fold(waiting)

    def feeds(self) -> list[dict[str, Any]]:
        """A row for each feed: how it is, how many rows came of it, how late the newest was, s, how many gaps there were."""
        return [asdict(feed) for feed in self._glimpse.feeds]

    def symbols(self) -> list[dict[str, Any]]:
        """A row for each instrument: bid, ask, last, position, and what each strategy's phase is."""
        strategies = [entry.name for entry in self.log.strategies]
        return [
            {
                "instrument_id": number,
                "symbol": seen.symbol,
                "feed": seen.feed,
                "bid": seen.bid,
                "ask": seen.ask,
                "last": seen.last,
                "position": sum(seen.position.values()),
                "phases": ", ".join(
                    f"{strategies[strategy - 1]} {self._glimpse.phase(strategy, code)}"
                    for strategy, code in sorted(seen.phases.items())
                ),
            }
            for number, seen in sorted(self._glimpse.symbols.items(), key=lambda item: item[1].symbol)
        ]

    def busiest(self) -> list[int]:
        """The instrument that we dealt in most often of late, else one that a strategy has a phase in, else any."""
        dealt = Counter(fill.instrument_id for fill in list(self.fills))
        numbers = [row["instrument_id"] for row in self.symbols()]
        return sorted(numbers, key=lambda number: (-dealt[number], not self._glimpse.symbols[number].phases))[:1]

    def told(self) -> pa.Table:
        """What happened, the latest first."""
        lines = list(self.lines)[::-1]
        columns = {
            "at": [iso_from_ns(ts_ns)[:23].replace("T", " ") for ts_ns, _ in lines],
            "what": [text for _, text in lines],
        }
        return pa.table(columns)

    def candles(self, instrument_id: int, step_s: int, from_s: int) -> pa.Table:
        """Rows as `market.candles` has them, from a moment on, s UTC."""
        size_step = self._glimpse.symbols[instrument_id].size_step
        given = {"instrument": instrument_id, "step": step_s, "from_s": from_s, "size_step": size_step}
        with self._lock:
            return self._rows.sql(_CANDLES, params=given).to_arrow_table()

    def spreads(self, instrument_id: int, step_s: int, from_s: int) -> pa.Table:
        """The best bid and offer, and their sizes, at the end of each step in which one came."""
        size_step = self._glimpse.symbols[instrument_id].size_step
        given = {"instrument": instrument_id, "step": step_s, "from_s": from_s, "size_step": size_step}
        with self._lock:
            return self._rows.sql(_SPREADS, params=given).to_arrow_table()

    def points(self, instrument_id: int) -> list[Point]:
        """Our executions as marks."""
        return [
            Point(fill.ts_ns / NANO, "buy" if fill.side == "buy" else "sell", fill.quantity, fill.price)
            for fill in list(self.fills)
            if fill.instrument_id == instrument_id
        ]

    def bands(self, instrument_id: int) -> list[Band]:
        """Halts of the instrument and holes of the recording, what is not over up to now."""
        now_s = self.session_ns / NANO
        found = [*self._holes.values(), *self._halts.get(instrument_id, [])]
        return [band if band.to_s else band._replace(to_s=now_s) for band in found]

    def _take(self, blocks: Blocks, waiting: dict[Kind, list[pa.RecordBatch]]) -> None:
        ticks = [block for block in blocks if block.kind in _TICKS]
        others = [block for block in blocks if block.kind not in _TICKS]
        for block in others:
            self._hear(block)
        self._glimpse.add(ticks, others)
        self._glimpse.look()
        while self._glimpse.untold:
            self.lines.append(self._glimpse.untold.popleft())
        if ticks and not self._first_ns:
            self._first_ns = int(ticks[0].number("ts_recv_ns")[0])
        for block in ticks:
            waiting[block.kind].append(to_arrow(without_warm_up(block)))
        self.inputs = max([self.inputs, *(int(block.number("seq")[-1]) for block in blocks if len(block))])

    def _hear(self, block: Block) -> None:
        """What a picture on a terminal does not keep: which feed has which number, fills, holes, halts."""
        if block.kind is Kind.FEED:
            for row in block.rows():
                self._feed(row)
        elif block.kind is Kind.FILL:
            for row in block.rows():
                known = self._glimpse.symbols.get(row["instrument_id"])
                quantity = row["quantity_steps"] * (known.size_step if known else 1.0)
                side = Side(row["side"]).name.lower()
                self.fills.append(
                    Fill(row["instrument_id"], row["ts_event_ns"], side, quantity, row["price_nano"] / NANO)
                )
        elif block.kind is Kind.STATUS:
            for row in block.rows():
                self._status(row)

    def _feed(self, row: dict[str, Any]) -> None:
        action, source = FeedAction(row["action"]), row["source"]
        if action is FeedAction.DECLARED:
            while len(self._glimpse.feeds) < source:
                self._glimpse.feeds.append(FeedGlimpse(f"feed {len(self._glimpse.feeds) + 1}"))
            self._glimpse.feeds[source - 1].name = row["text"]
        elif action in (FeedAction.GAP_OPENED, FeedAction.MUTE, FeedAction.LOST):
            kind = "gap" if action is FeedAction.GAP_OPENED else "mute"
            self._holes.setdefault(source, Band(row["ts_recv_ns"] / NANO, 0.0, kind, action.name.lower()))
        elif action in (FeedAction.GAP_CLOSED, FeedAction.HEARD, FeedAction.CONNECTED) and source in self._holes:
            self._holes[-row["seq"]] = self._holes.pop(source)._replace(to_s=row["ts_recv_ns"] / NANO)

    def _status(self, row: dict[str, Any]) -> None:
        """As the warehouse counts halts, see `int_halts`."""
        bands = self._halts.setdefault(row["instrument_id"], [])
        is_halting = row["status"] in _HALTING
        at_s = row["ts_event_ns"] / NANO
        if is_halting and (not bands or bands[-1].to_s):
            bands.append(Band(at_s, 0.0, "halt", "halt"))
        elif not is_halting and row["status"] in _TRADING and bands and not bands[-1].to_s:
            bands[-1] = bands[-1]._replace(to_s=at_s)

    def _fold(self, waiting: dict[Kind, list[pa.RecordBatch]]) -> None:
        for kind, query in ((Kind.PRINT, _FOLD_PRINTS), (Kind.QUOTE, _FOLD_QUOTES)):
            if waiting[kind]:
                self._rows.register("ticks", pa.Table.from_batches(waiting[kind]))
                self._rows.execute(query)
                self._rows.unregister("ticks")
                waiting[kind] = []


def watch(door: Door, log: Manifest) -> Watch:
    """The one that follows this log in this process."""
    return _watch(door, log.id, log.log_id)


@lru_cache(maxsize=4)
def _watch(door: Door, id_: str, _log_id: str) -> Watch:
    return Watch(door, door.store.manifest(id_))


def being_recorded(door: Door) -> Sequence[Manifest]:
    """Sessions that somebody may be writing, the one made last first."""
    return [log for log in door.logs() if log.what == "session" and log.state == "open"]
