"""Warming: who waits for history, what is asked for them, and what they are given in front of their first live event.

A strategy that declares a warm-up waits in an instrument from when it is introduced to it (`core.universe`). From then on
what comes live of the instrument is kept here; the vendor is asked for what was before. Once that is there, both are
put into the session as rows of origin WARMUP, with a feed row WARMED behind them, in one commit: so nothing is heard
twice, nothing is left out, and a replay needs nobody to ask. Where there is no history, WARMED alone says why.

Whoever comes back to an instrument is given what it missed since it left (`run.standings`). All who wait in an instrument
hear the same rows, so who waits with one that came back gets no more than that one missed, and WARMED says so.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from pipeline.block import Block, Blocks, Numbers, chained, row_count
from pipeline.codes import BarUnit, FeedAction, Kind, Origin, SessionAction
from pipeline.core.settings import EngineSettings
from pipeline.core.strategy import Plan
from pipeline.feeds.facts import Fact, feed_block
from pipeline.feeds.vendor import Vendor
from pipeline.normalize.rows import ranked
from pipeline.ports import Warmed, Wish
from pipeline.run import warm_rows
from pipeline.run.intake import Intake
from pipeline.run.standings import Pair, Standings
from pipeline.run.warm_rows import HEARD, REACHES, Sort, Stretch, Want
from pipeline.scanner_codes import UniverseAction
from pipeline.units import ABSENT, MINUTE_NS

LIVE_ROWS_MAX: Final = 50_000
"""Rows that come live of an instrument while history is waited for; with more its strategies begin without."""

_DECIDED: Final = (Kind.UNIVERSE, Kind.CANDIDATE)
"""What scanners say."""

_AHEAD_NS_MAX: Final = MINUTE_NS
"""How far a vendor's clock may be ahead of ours for its times to be believed here."""

_PIECES_MAX: Final = 64
"""Pieces of what came live that are kept apart: a row alone takes a hundred times its size."""

_TELLING: Final = (Kind.INSTRUMENT, Kind.UNIVERSE, Kind.FEED, Kind.SESSION, Kind.POSITION, Kind.ORDER)
WAITED_BY: Final = (*_TELLING, Kind.CANDIDATE, *HEARD)
"""The kinds that tell who waits, and what was heard."""


@dataclass(slots=True)
class _Wait:
    """An instrument in which strategies wait, the first of them since input `since_seq` and session time `since_ns`."""

    number: int
    symbol: str
    since_seq: int
    since_ns: int
    wants: dict[int, Want] = field(default_factory=dict)
    live: list[Block] = field(default_factory=list)
    live_rows: int = 0
    reach: int = 0
    wish: int = 0


class Warming:
    """Of one session. `plans` are its strategies, in their order; `vendors` its feeds; `settings` those of its engine."""

    def __init__(self, plans: Sequence[Plan], vendors: Sequence[Vendor], settings: EngineSettings) -> None:
        self._names = [plan.strategy.name for plan in plans]
        self._scanner_ids = [plan.scanner_id for plan in plans]
        self._wants = [warm_rows.want_of(plan) if settings.warm_up_wait_ns else None for plan in plans]
        self._standings = Standings(plans, settings)
        self._vendors = vendors
        self._known: dict[int, tuple[int, str]] = {}
        self._last_ns: dict[Sort, Numbers] = {}
        """Event times of the latest rows there were, by instrument."""
        self._waits: dict[int, _Wait] = {}
        self._wish = 0
        self._new: list[int] = []

    @property
    def is_wanted(self) -> bool:
        """Whether any strategy declares a warm-up."""
        return any(self._wants)

    def add(self, committed: Blocks, derived: Blocks) -> None:
        """Take in a commit and what was derived from it: who waits from here on, and what comes live of them."""
        if self.is_wanted:
            heard = self._follow(committed, derived)
            if self._waits:
                self._keep(heard)

    def _follow(self, committed: Blocks, derived: Blocks) -> Blocks:
        """Know who waits; the rows of a market that there were."""
        blocks = [*committed, *derived]
        rows: list[tuple[int, int, Kind, dict[str, Any]]] = [
            (row["seq"], row["ord"], block.kind, row)
            for block in blocks
            if block.kind in _TELLING
            for row in block.rows()
        ]
        rows += [
            (seq, ord_, Kind.CANDIDATE, {})
            for block in blocks
            if block.kind is Kind.CANDIDATE
            for seq, ord_ in _last_of_each(block)
        ]
        decided_seq = 0
        for seq, _, kind, row in sorted(rows, key=lambda each: each[:2]):
            if decided_seq and (seq > decided_seq or kind not in _DECIDED):
                self._let_go(decided_seq, blocks)
            decided_seq = seq if kind in _DECIDED else 0
            self._see(kind, row, blocks)
        if decided_seq:
            self._let_go(decided_seq, blocks)
        heard = [block for block in blocks if block.kind in HEARD and len(block)]
        if any(self._scanner_ids):
            self._look_at(heard)
        return heard

    def _see(self, kind: Kind, row: dict[str, Any], blocks: Blocks) -> None:
        if kind is Kind.INSTRUMENT:
            self._define(row)
        elif kind is Kind.UNIVERSE:
            self._change(row, blocks)
        elif kind is Kind.FEED:
            if row["action"] == FeedAction.WARMED:
                self._waits.pop(row["instrument_id"], None)
                self._standings.warmed(row["instrument_id"])
        elif kind in (Kind.POSITION, Kind.ORDER) or (kind is Kind.SESSION and row["action"] == SessionAction.STATE):
            self._standings.see(kind, row)

    def recall(self, batches: Iterable[Blocks], last_seq: int) -> None:
        """Take in what this session wrote up to `last_seq`: who waits still is asked for anew, with what is live from there on."""
        for batch in batches:
            self._follow(batch, [])
        for wait in self._waits.values():
            wait.since_seq = max(wait.since_seq, last_seq)

    def wishes(self) -> Iterator[tuple[int, Wish]]:
        """What is to be asked for now: the feed's number, and the wish."""
        new, self._new = self._new, []
        for id_, wait in [(id_, self._waits[id_]) for id_ in dict.fromkeys(new) if id_ in self._waits]:
            self._wish += 1
            wait.wish = self._wish
            channels = warm_rows.asked(wait.wants.values(), self._vendors[wait.number - 1].history_of)
            yield wait.number, Wish(wait.wish, wait.symbol, channels, self._from_ns(id_, wait))

    def given(self, warmed: Warmed, intake: Intake, now_ns: int) -> Iterator[Blocks]:
        """The inputs that a fulfilled wish is: history, what came live meanwhile, WARMED. Nothing for one that nobody waits for.

        All that was taken in before must be committed.
        """
        found = [(id_, wait) for id_, wait in self._waits.items() if wait.wish == warmed.wish.number]
        if not found:
            return
        ((instrument_id, wait),) = found
        history_of = self._vendors[wait.number - 1].history_of
        why = warmed.why or ", ".join(
            f"no history of {each}" for each in warm_rows.lacking(wait.wants.values(), history_of)
        )
        if wait.live_rows > LIVE_ROWS_MAX:
            why, warmed, wait.live = f"more than {LIVE_ROWS_MAX:,} rows came meanwhile", warmed._replace(answers=()), []
        read = intake.history(wait.number, warmed.answers)
        left_seq, left = self._standings.heard(instrument_id, wait.wants)
        live = [block.take(block.number("seq") > left_seq) for block in warm_rows.gathered(wait.live)]
        live = [block for block in live if len(block)]
        own = [_of(block, instrument_id) for block in read if block.kind in HEARD]
        when = Stretch(warmed.wish.from_ns, wait.since_ns, warmed.to_ns, left)
        history = warm_rows.history(wait.wants.values(), history_of, own, live, when)
        if not left and self._is_to_reach_further(wait, warmed, history):
            wait.reach += 1
            self._new.append(instrument_id)
            return
        heard = warm_rows.heard(history, live)
        told = ranked(Block.of(block.kind, len(block), **block.columns) for block in read if block.kind not in HEARD)
        begin_ns = min((int(block.number("ts_event_ns").min()) for block in history), default=warmed.to_ns)
        reasons = [each for each in (why, self._cut_by(instrument_id, wait)) if each]
        text = f"{wait.symbol}: {', '.join(reasons)}" if reasons else wait.symbol
        end_ns = when.bars_until_ns if history else ABSENT
        fact = Fact(now_ns, FeedAction.WARMED, "", begin_ns, end_ns, row_count(history), text=text)
        end = feed_block([fact]).with_columns(instrument_id=np.array([instrument_id], np.int32))
        batch = chained([each for each in (told, heard, [end]) if each])
        sources = [
            block.with_columns(source=np.full(len(block), wait.number, np.int16)) if block.kind is Kind.FEED else block
            for block in batch
        ]
        yield from intake.placed(sources, wait.number, now_ns)

    def _is_to_reach_further(self, wait: _Wait, warmed: Warmed, history: Blocks) -> bool:
        """Whether there are too few bars, and more may be had: not where something failed."""
        if warmed.why or not warmed.answers or wait.reach + 1 >= len(REACHES):
            return False
        return warm_rows.is_short(wait.wants.values(), self._vendors[wait.number - 1].history_of, history)

    def _cut_by(self, instrument_id: int, wait: _Wait) -> str:
        """Why somebody is given less than it wants, where another one that waits with it heard the rest."""
        back = self._standings.came_back(instrument_id, wait.wants)
        if not back or len(back) == len(wait.wants):
            return ""
        return f"no more than {', '.join(self._names[i] for i in back)} missed, which waits with the others"

    def _from_ns(self, instrument_id: int, wait: _Wait) -> int:
        from_ns = wait.since_ns - warm_rows.reach_ns(wait.wants.values(), REACHES[wait.reach])
        _, left = self._standings.heard(instrument_id, wait.wants)
        return max(from_ns, min(left.values(), default=0))

    def _define(self, row: dict[str, Any]) -> None:
        if row["instrument_id"] not in self._known:
            self._known[row["instrument_id"]] = (row["source"], row["symbol"])
            self._wait(row, 0)

    def _change(self, row: dict[str, Any], blocks: Blocks) -> None:
        instrument_id, scanner_id = row["instrument_id"], row["scanner_id"]
        if row["action"] == UniverseAction.ADDED:
            self._wait(row, scanner_id)
            return
        for i in self._behind(scanner_id):
            if self._standings.dropped((i, instrument_id), row["ts_recv_ns"]):
                self._leave((i, instrument_id), row["seq"], blocks)
        if (wait := self._waits.get(instrument_id)) is not None:
            left_before = self._standings.heard(instrument_id, wait.wants)
            wait.wants = {i: want for i, want in wait.wants.items() if self._scanner_ids[i] != scanner_id}
            if not wait.wants:
                del self._waits[instrument_id]
            elif self._standings.heard(instrument_id, wait.wants) != left_before:
                self._new.append(instrument_id)  # the others may be given more than was asked for

    def _let_go(self, seq: int, blocks: Blocks) -> None:
        """Scanners spoke at an input: whoever stayed only until it was flat leaves then, if it is."""
        for pair in self._standings.let_go():
            self._leave(pair, seq, blocks)

    def _leave(self, pair: Pair, seq: int, blocks: Blocks) -> None:
        self._standings.leave(pair, seq, self._heard_last(pair[1], seq, blocks))

    def _behind(self, scanner_id: int) -> Iterator[int]:
        """The strategies behind a scanner that want history."""
        pairs = zip(self._scanner_ids, self._wants, strict=True)
        return (i for i, (behind, want) in enumerate(pairs) if behind == scanner_id and want is not None)

    def _wait(self, row: dict[str, Any], scanner_id: int) -> None:
        """The strategies behind a scanner begin to wait, but for those who never left."""
        instrument_id, now_ns = row["instrument_id"], row["ts_recv_ns"]
        waiting = [i for i in self._behind(scanner_id) if self._standings.added((i, instrument_id), row["seq"], now_ns)]
        if not waiting:
            return
        new = _Wait(*self._known[instrument_id], row["seq"], now_ns)
        wait = self._waits.setdefault(instrument_id, new)
        wait.wants |= {i: want for i in waiting if (want := self._wants[i]) is not None}
        self._new.append(instrument_id)

    def _look_at(self, blocks: Iterable[Block]) -> None:
        """Know when the latest of what was heard of each instrument happened."""
        for sort, rows in _sorts(blocks):
            ids = rows.number("instrument_id")
            last_ns = self._last_ns.get(sort, np.zeros(64, np.int64))
            if (highest := int(ids.max())) >= len(last_ns):
                last_ns = np.append(last_ns, np.zeros(highest + 64, np.int64))
            np.maximum.at(last_ns, ids, _heard_ns(rows))
            self._last_ns[sort] = last_ns

    def _heard_last(self, instrument_id: int, seq: int, blocks: Blocks) -> dict[Sort, int]:
        """When the latest of what an instrument's strategies heard happened, up to an input of this commit."""
        known = {sort: int(ns[instrument_id]) for sort, ns in self._last_ns.items() if instrument_id < len(ns)}
        before = [block.take(block.number("seq") <= seq) for block in blocks if block.kind in HEARD]
        for sort, rows in _sorts(_of(block, instrument_id) for block in before):
            known[sort] = max(known.get(sort, 0), int(_heard_ns(rows).max()))
        return {sort: ns for sort, ns in known.items() if ns}

    def _keep(self, blocks: Iterable[Block]) -> None:
        """What came live of those in which somebody waits."""
        ids = np.array(sorted(self._waits), np.int32)
        for block in blocks:
            of_block, seq = block.number("instrument_id"), block.number("seq")
            is_live = np.isin(block.number("origin"), (int(Origin.INPUT), int(Origin.DERIVED))) & np.isin(of_block, ids)
            for instrument_id in np.unique(of_block[is_live]).tolist():
                wait = self._waits[instrument_id]
                is_own = is_live & (of_block == instrument_id) & (seq > wait.since_seq)
                if is_own.any() and wait.live_rows <= LIVE_ROWS_MAX:
                    wait.live.append(block.take(is_own))
                    wait.live_rows += int(is_own.sum())
                    if len(wait.live) >= _PIECES_MAX:
                        wait.live = warm_rows.gathered(wait.live)


def _sorts(blocks: Iterable[Block]) -> Iterator[tuple[Sort, Block]]:
    """Rows by their sort."""
    for block in (block for block in blocks if len(block)):
        if block.kind is not Kind.BAR:
            yield (block.kind, 0), block
            continue
        lengths = np.where(block.number("bar_unit") == BarUnit.TIME, block.number("bar_length"), 0)
        for length in np.unique(lengths).tolist():
            yield (Kind.BAR, length), block.take(lengths == length)


def _heard_ns(block: Block) -> Numbers:
    """(n,) event times of rows that strategies hear; 0 for what was fetched for a hole, and for times that can't be."""
    times = block.number("ts_event_ns")
    is_none = (block.number("origin") == Origin.BACKFILL) | (times > block.number("ts_recv_ns") + _AHEAD_NS_MAX)
    heard_ns: Numbers = np.where(is_none, 0, times)
    return heard_ns


def _last_of_each(block: Block) -> Iterator[tuple[int, int]]:
    """The last row at each input."""
    seq, ord_ = block.number("seq"), block.number("ord")
    ends = np.flatnonzero(np.diff(seq, append=0))
    return zip(seq[ends].tolist(), ord_[ends].tolist(), strict=True)


def _of(block: Block, instrument_id: int) -> Block:
    return block.take(block.number("instrument_id") == instrument_id)
