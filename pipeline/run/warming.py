"""Warming: who waits for history, what is asked for them, and what they are given in front of their first live event.

A strategy that declares a warm-up waits in an instrument from when it is introduced to it (`core.universe`). From then on
what comes live of the instrument is kept here; the vendor is asked for what was before. Once that is there, both are
put into the session as rows of origin WARMUP, with a feed row WARMED behind them, in one commit: so nothing is heard
twice, nothing is left out, and a replay needs nobody to ask. Where there is no history, WARMED alone says why.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from pipeline.block import Block, Blocks, Numbers, chained, row_count
from pipeline.codes import BarUnit, FeedAction, Kind, Origin
from pipeline.core.strategy import Plan
from pipeline.feeds.facts import Fact, feed_block
from pipeline.feeds.vendor import Vendor
from pipeline.normalize.rows import ranked
from pipeline.ports import Warmed, Wish
from pipeline.run import warm_rows
from pipeline.run.intake import Intake
from pipeline.run.warm_rows import HEARD, REACHES, Sort, Stretch, Want
from pipeline.scanner_codes import UniverseAction
from pipeline.units import ABSENT

LIVE_ROWS_MAX: Final = 50_000
"""Rows that come live of an instrument while history is waited for; with more its strategies begin without."""

_PIECES_MAX: Final = 64
"""Pieces of what came live that are kept apart: a row alone takes a hundred times its size."""

_TELLING: Final = (Kind.INSTRUMENT, Kind.UNIVERSE, Kind.FEED)
WAITED_BY: Final = (*_TELLING, *HEARD)
"""The kinds that tell who waits, and what was heard."""


@dataclass(slots=True)
class _Wait:
    """An instrument in which strategies wait, since input `since_seq` and session time `since_ns`.

    `left` tells what was heard last by those who come back; it is empty where all are new.
    """

    number: int
    symbol: str
    since_seq: int
    since_ns: int
    wants: dict[int, Want] = field(default_factory=dict)
    left: dict[Sort, int] = field(default_factory=dict)
    live: list[Block] = field(default_factory=list)
    live_rows: int = 0
    reach: int = 0
    wish: int = 0


class Warming:
    """Of one session. `plans` are its strategies, in their order; `vendors` its feeds."""

    def __init__(self, plans: Sequence[Plan], vendors: Sequence[Vendor]) -> None:
        self._scanner_ids = [plan.scanner_id for plan in plans]
        self._wants = [warm_rows.want_of(plan) for plan in plans]
        self._vendors = vendors
        self._known: dict[int, tuple[int, str]] = {}
        self._last_ns: dict[Sort, Numbers] = {}
        """Event times of the last rows there were, by instrument."""
        self._left: dict[tuple[int, int], dict[Sort, int]] = {}
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
        told = [block for block in (*committed, *derived) if block.kind in _TELLING]
        rows = [(row["seq"], row["ord"], block.kind, row) for block in told for row in block.rows()]
        for _, _, kind, row in sorted(rows, key=lambda each: each[:2]):
            if kind is Kind.INSTRUMENT:
                self._define(row)
            elif kind is Kind.UNIVERSE:
                self._change(row, [*committed, *derived])
            elif row["action"] == FeedAction.WARMED:
                self._waits.pop(row["instrument_id"], None)
        heard = [block for block in (*committed, *derived) if block.kind in HEARD and len(block)]
        if any(self._scanner_ids):
            self._look_at(heard)
        return heard

    def recall(self, batches: Iterable[Blocks], last_seq: int) -> None:
        """Take in what this session wrote up to `last_seq`: who waits still is asked for anew, with what is live from there on."""
        for batch in batches:
            self._follow(batch, [])
        for wait in self._waits.values():
            wait.since_seq = max(wait.since_seq, last_seq)

    def wishes(self) -> Iterator[tuple[int, Wish]]:
        """What is to be asked for now: the feed's number, and the wish."""
        new, self._new = self._new, []
        for wait in [self._waits[id_] for id_ in dict.fromkeys(new) if id_ in self._waits]:
            self._wish += 1
            wait.wish = self._wish
            channels = warm_rows.asked(wait.wants.values(), self._vendors[wait.number - 1].history_of)
            yield wait.number, Wish(wait.wish, wait.symbol, channels, self._from_ns(wait))

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
        live = warm_rows.gathered(wait.live)
        own = [_of(block, instrument_id) for block in read if block.kind in HEARD]
        when = Stretch(warmed.wish.from_ns, wait.since_ns, warmed.to_ns, wait.left)
        history = warm_rows.history(wait.wants.values(), history_of, own, live, when)
        if self._is_to_reach_further(wait, warmed, history):
            wait.reach += 1
            self._new.append(instrument_id)
            return
        heard = warm_rows.heard(history, live)
        told = ranked(Block.of(block.kind, len(block), **block.columns) for block in read if block.kind not in HEARD)
        begin_ns = min((int(block.number("ts_event_ns").min()) for block in history), default=warmed.to_ns)
        text = f"{wait.symbol}: {why}" if why else wait.symbol
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
        """Whether there are too few bars, and more may be had: not where something failed, or who came back has what it missed."""
        if warmed.why or wait.left or not warmed.answers or wait.reach + 1 >= len(REACHES):
            return False
        return warm_rows.is_short(wait.wants.values(), self._vendors[wait.number - 1].history_of, history)

    def _from_ns(self, wait: _Wait) -> int:
        from_ns = wait.since_ns - warm_rows.reach_ns(wait.wants.values(), REACHES[wait.reach])
        return max(from_ns, min(wait.left.values(), default=0))

    def _define(self, row: dict[str, Any]) -> None:
        if row["instrument_id"] not in self._known:
            self._known[row["instrument_id"]] = (row["source"], row["symbol"])
            self._wait(row, 0)

    def _change(self, row: dict[str, Any], blocks: Blocks) -> None:
        instrument_id, scanner_id = row["instrument_id"], row["scanner_id"]
        if row["action"] == UniverseAction.ADDED:
            self._wait(row, scanner_id)
            return
        wait = self._waits.get(instrument_id)
        if wait is None or scanner_id not in [self._scanner_ids[i] for i in wait.wants]:
            self._left[scanner_id, instrument_id] = self._heard_last(instrument_id, row["seq"], blocks)
            return
        wait.wants = {i: want for i, want in wait.wants.items() if self._scanner_ids[i] != scanner_id}
        if not wait.wants:
            del self._waits[instrument_id]

    def _wait(self, row: dict[str, Any], scanner_id: int) -> None:
        """The strategies behind a scanner begin to wait; who waits with one that came back gets no more than that one missed."""
        pairs = zip(self._scanner_ids, self._wants, strict=True)
        wants = {i: want for i, (behind, want) in enumerate(pairs) if behind == scanner_id and want is not None}
        if not wants:
            return
        instrument_id = row["instrument_id"]
        new = _Wait(*self._known[instrument_id], row["seq"], row["ts_recv_ns"])
        wait = self._waits.setdefault(instrument_id, new)
        wait.wants |= wants
        for sort, ns in self._left.get((scanner_id, instrument_id), {}).items():
            wait.left[sort] = max(ns, wait.left.get(sort, 0))
        self._new.append(instrument_id)

    def _look_at(self, blocks: Iterable[Block]) -> None:
        """Know when what was heard last of each instrument happened."""
        for sort, rows in _sorts(blocks):
            ids = rows.number("instrument_id")
            last_ns = self._last_ns.get(sort, np.zeros(64, np.int64))
            if (highest := int(ids.max())) >= len(last_ns):
                last_ns = np.append(last_ns, np.zeros(highest + 64, np.int64))
            last_ns[ids] = rows.number("ts_event_ns")
            self._last_ns[sort] = last_ns

    def _heard_last(self, instrument_id: int, seq: int, blocks: Blocks) -> dict[Sort, int]:
        """When what an instrument's strategies heard last happened, up to an input of this commit."""
        known = {sort: int(ns[instrument_id]) for sort, ns in self._last_ns.items() if instrument_id < len(ns)}
        before = [block.take(block.number("seq") <= seq) for block in blocks if block.kind in HEARD]
        for sort, rows in _sorts(_of(block, instrument_id) for block in before):
            known[sort] = int(rows.number("ts_event_ns")[-1])
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


def _of(block: Block, instrument_id: int) -> Block:
    return block.take(block.number("instrument_id") == instrument_id)
