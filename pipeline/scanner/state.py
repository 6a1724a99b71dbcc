"""State: all that a scanner knows, folded from its inputs; columns over instruments, and what is remembered of before."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from pipeline.block import Block, Numbers
from pipeline.codes import AssetClass, Kind
from pipeline.hours import Calendar, calendar_of
from pipeline.scanner import history, quotes, snapshots, trades, universe
from pipeline.scanner.clocks import EVERY_WEEKDAY, SpecialDays, TradingDays
from pipeline.scanner.columns import CODE, FLAG, Column, Columns
from pipeline.scanner.facts import Facts, day_of
from pipeline.scanner.field import Field, Measures
from pipeline.scanner.history import History, held_until, previous_close
from pipeline.scanner.kinds import spelled_kind
from pipeline.scanner.profile import STEP_NS as PROFILE_STEP_NS
from pipeline.scanner.profile import Profile
from pipeline.scanner.rings import Ring
from pipeline.scanner.segment import Segment
from pipeline.units import DAY_NS, HOUR_NS, MINUTE_NS, NANO, SECOND_NS

STEP_NS: Final = 10 * SECOND_NS
"""A segment ends at every such step of session time; rings, profiles and trading days turn there."""

_DEFINITION: Final = {
    "is_defined": FLAG,
    "asset_class": CODE,
    "calendar": CODE,
    "step_size": Column("f8", 1.0),
    "multiplier": Column("f8", 1.0),
    "spelled_kind": Column("i4", 0),
}
_TODAY: Final = {
    "base_steps": Column("i8", 0),
    "base_trades": Column("i8", 0),
    "base_dollars": Column("f8", 0.0),
    "is_short_carried": FLAG,
    "high_looked": Column("f8", np.nan),
}
DAILY: Final = (*trades.DAILY, *quotes.DAILY, *snapshots.DAILY, "high_looked")
COLUMNS: Final = {
    **_DEFINITION,
    **quotes.QUOTES,
    **quotes.STATUSES,
    **quotes.DAILY,
    **trades.TAPE,
    **trades.DAILY,
    **snapshots.DAILY,
    **history.COLUMNS,
    **universe.COLUMNS,
    **_TODAY,
}
_SSR_FALL: Final = 0.9
"""Ten percent under the previous close in regular hours: short sales are restricted then and the next day (Rule 201)."""


class State:
    """What is known at `now_ns`, session time: the running maximum of `ts_recv_ns`."""

    def __init__(
        self,
        measures: Measures,
        own: Mapping[str, Field],
        *,
        has_profile: bool,
        special: SpecialDays = EVERY_WEEKDAY,
    ) -> None:
        """`own` are fields that are not ours."""
        self.own = frozenset(own)
        self.failed: dict[str, int] = {}
        """Fields of one's own that raised an exception, and at which session time: absent from then on."""
        self._own = [each for each in own.values() if each.columns]
        mine = {name: column for each in self._own for name, column in each.columns.items()}
        self.columns = Columns({**COLUMNS, **mine})
        self._daily = (*DAILY, *(name for each in self._own for name in each.daily))
        self.symbols: dict[int, str] = {}
        self.now_ns = 0
        self._special = special
        self.days = TradingDays(0, special)
        self.facts = Facts(measures.providers)
        self.history = History(measures.adv_days)
        self.profile = Profile(measures.rvol_days) if has_profile else None
        self.rings = {
            "short": Ring(STEP_NS, 5 * MINUTE_NS // STEP_NS + 2),
            "long": Ring(MINUTE_NS, 62),
            "day": Ring(15 * MINUTE_NS, DAY_NS // (15 * MINUTE_NS) + 2),
        }

    def fold(self, segment: Segment) -> None:
        """Take in the inputs of a segment."""
        if Kind.INSTRUMENT in segment:
            self._define(segment[Kind.INSTRUMENT])
        if Kind.REFERENCE in segment:
            told = segment[Kind.REFERENCE]
            ids = told.number("instrument_id").clip(0, self.columns.rows - 1)
            self.facts.fold(told, held_until(told, self.columns["calendar"][ids]))
        known = {kind: self._known(block) for kind, block in segment.items()}
        if Kind.SNAPSHOT in known:  # a segment begins with them
            snapshots.fold_snapshots(self.columns, self.days, known[Kind.SNAPSHOT])
        if Kind.STATUS in known:
            quotes.fold_statuses(self.columns, known[Kind.STATUS])
        if Kind.PRINT in known:
            trades.fold_prints(self.columns, self.days, known[Kind.PRINT])
        if Kind.BAR in known:
            self._fold_bars(known[Kind.BAR])
        if Kind.QUOTE in known:
            quotes.fold_quotes(self.columns, known[Kind.QUOTE])
        for each in self._own:
            if each.fold is not None and each.name not in self.failed:
                try:
                    each.fold(self, known)
                except Exception:  # noqa: BLE001 - not our code: it stops, the session goes on, and the tape says so
                    self.failed[each.name] = self.now_ns

    def pass_to(self, now_ns: int) -> None:
        """Go on to a moment at or behind a step of session time: what was before it is remembered, days that are over turn."""
        columns = self.columns
        if self.now_ns == 0:
            self.days = TradingDays(now_ns, self._special)
        step_ns = now_ns - now_ns % STEP_NS
        if self.profile is not None:
            self.profile.advance(self.days, columns["calendar"], self._volume(), step_ns - step_ns % PROFILE_STEP_NS)
        for ring in self.rings.values():
            ring.advance(columns, now_ns)
        self.now_ns = now_ns
        for calendar in self.days.over_at(now_ns):
            self._turn(calendar, now_ns)

    def look_at(self, now_ns: int) -> None:
        """Put in force what is known by now, right before a scanner looks."""
        self.now_ns = now_ns
        self.facts.release(now_ns, self.columns.rows)

    def is_short_sale_restricted(self) -> tuple[Numbers, Numbers]:
        """1, 0 or NaN, and since when it is known: as told, else by the rule from what traded."""
        columns = self.columns
        close, known_ns = previous_close(columns, self.facts, self.days)
        fell = columns["rth_low"] <= close * _SSR_FALL
        ruled = np.where(columns["is_short_carried"] | fell, 1.0, np.where(np.isfinite(close), 0.0, np.nan))
        told = columns["is_short_restricted"]
        return np.where(told >= 0, told, ruled), np.where(told >= 0, columns["ts_short_ns"], known_ns)

    def _turn(self, calendar: int, now_ns: int) -> None:
        columns, day = self.columns, self.days.by_calendar[calendar]
        self.facts.release(day.ends_ns - 1, columns.rows)
        mine = columns["calendar"] == calendar
        if not day.is_closed:  # the next day that it holds for is one on which they trade
            fell = columns["rth_low"] <= previous_close(columns, self.facts, self.days)[0] * _SSR_FALL
            columns["is_short_carried"][mine] = fell[mine]
            columns["is_short_restricted"][mine] = -1
        volume = self._volume()
        if self.profile is not None:
            ratio = self._split_between(np.full(columns.rows, self.profile.last_day[calendar]), day.number)
            self.profile.turn(calendar, columns["calendar"], volume, day.number, ratio)
        self._finish(np.flatnonzero(mine & (volume > 0)), day.number, volume)
        for total, base in (
            ("total_steps", "base_steps"),
            ("total_trades", "base_trades"),
            ("total_dollars", "base_dollars"),
        ):
            columns[base][mine] = columns[total][mine]
        columns.reset(self._daily, mine)
        self.days.turn(calendar, now_ns)

    def _finish(self, rows: Numbers, day: int, volume: Numbers) -> None:
        """Days that this session saw itself: of the regular session where there was one."""
        columns = self.columns
        has = np.isfinite(columns["rth_last"][rows])
        bars = {
            "high": np.where(has, columns["rth_high"][rows], columns["high"][rows]),
            "low": np.where(has, columns["rth_low"][rows], columns["low"][rows]),
            "close": np.where(has, columns["rth_last"][rows], columns["last"][rows]),
            "volume": volume[rows],
        }
        known_ns = np.where(has, columns["ts_rth_known_ns"][rows], columns["ts_last_ns"][rows])
        ratio = self._split_between(columns["done_day"], day)[rows]
        self.history.complete(columns, rows, np.full(len(rows), day), bars, known_ns, ratio)

    def _split_between(self, after: Numbers, until: int) -> Numbers:
        """(n,) float64: shares at the end of a day for one at the end of another, (n,)."""
        rows = self.columns.rows
        return self.facts.splits.ratio(rows, after, np.full(rows, until))

    def _fold_bars(self, block: Block) -> None:
        trades.fold_bars(self.columns, self.days, block)
        daily = trades.daily_bars(block)
        if len(daily):  # splits between them
            self.facts.release(int(block.number("ts_recv_ns").max()), self.columns.rows)
        dates = day_of(daily.number("ts_event_ns"))
        for day in np.unique(dates).tolist():
            bars = daily.take(dates == day)
            ids = bars.number("instrument_id")
            _, first = np.unique(ids[::-1], return_index=True)
            self._complete(bars.take(len(ids) - 1 - first), day)

    def _complete(self, bars: Block, day: int) -> None:
        ids = bars.number("instrument_id")
        values = {name: bars.number(f"{name}_nano") / NANO for name in ("high", "low", "close")}
        volume = bars.number("volume_steps") * self.columns["step_size"][ids]
        ratio = self._split_between(self.columns["done_day"], day)[ids]
        bars_ = {**values, "volume": volume}
        self.history.complete(self.columns, ids, np.full(len(ids), day), bars_, bars.number("ts_recv_ns"), ratio)

    def _define(self, block: Block) -> None:
        ids = block.number("instrument_id")
        self.columns.grow(int(ids.max()) + 1)
        self.symbols.update(zip(ids.tolist(), block.text("symbol"), strict=True))
        columns, classes = self.columns, block.number("asset_class")
        named = zip(block.text("calendar"), classes.tolist(), strict=True)
        calendars = np.array([calendar_of(name, class_) for name, class_ in named], np.int8)
        is_share = (classes == AssetClass.OTHER) & (calendars == Calendar.SHARES)
        columns["asset_class"][ids] = np.where(is_share, AssetClass.EQUITY, classes)
        columns["calendar"][ids] = calendars
        steps, multipliers = block.number("size_step_nano"), block.number("multiplier_nano")
        columns["step_size"][ids] = np.where(steps > 0, steps / NANO, 1.0)
        columns["multiplier"][ids] = np.where(multipliers > 0, multipliers / NANO, 1.0)
        columns["is_defined"][ids] = True
        spelled = zip(block.text("symbol"), columns["asset_class"][ids].tolist(), strict=True)
        columns["spelled_kind"][ids] = [self.facts.word(spelled_kind(symbol, class_)) for symbol, class_ in spelled]

    def _known(self, block: Block) -> Block:
        """The rows of instruments that were defined."""
        ids = block.number("instrument_id")
        is_known = (ids > 0) & (ids < self.columns.rows)
        return block if is_known.all() else block.take(is_known)

    def _volume(self) -> Numbers:
        columns = self.columns
        volume: Numbers = (columns["total_steps"] - columns["base_steps"]) * columns["step_size"]
        return volume

    def parts(self) -> dict[str, Mapping[str, Any]]:
        """All that is remembered, part by part, to be kept."""
        days_ns = [day.starts_ns for day in self.days.by_calendar]
        return {
            "clock": {
                "now_ns": self.now_ns,
                "days_ns": days_ns,
                "symbols": list(self.symbols.items()),
                "failed": self.failed,
            },
            "columns": self.columns.arrays(),
            "facts": self.facts.arrays(),
            "history": self.history.arrays(),
            **({"profile": self.profile.arrays()} if self.profile else {}),
            **{f"ring {name}": ring.arrays() for name, ring in self.rings.items()},
        }

    def put_back(self, parts: Mapping[str, Mapping[str, Any]]) -> None:
        """What was kept, in place of what is there."""
        clock = parts["clock"]
        self.now_ns, self.failed = clock["now_ns"], dict(clock["failed"])
        self.symbols = {int(id_): symbol for id_, symbol in clock["symbols"]}
        for calendar, starts_ns in enumerate(clock["days_ns"]):
            self.days.turn(calendar, starts_ns)
        self.columns.put_back(parts["columns"])
        self.facts.put_back(parts["facts"])
        self.history.put_back(parts["history"])
        if self.profile:
            self.profile.put_back(parts["profile"])
        for name, ring in self.rings.items():
            ring.put_back(parts[f"ring {name}"])


assert HOUR_NS % STEP_NS == 0  # trading days turn at whole hours
