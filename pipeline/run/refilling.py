"""Refilling: the same wishes filled again under other settings, without the strategies that had them.

Assumption: the strategies would have wished the same. That holds for little changes alone: who is filled later, or less, would
have done other things from then on. Danger: an exit that was wished before a late entry was filled finds nothing to close,
and what that entry buys is held to the end. `tape replay` with the same settings is the other answer, in which strategies
see what became of their orders.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.block import Block, Blocks, between, concat
from pipeline.codes import IntentAction, IntentOutcome, Kind, OrderFlag, OrderState, SessionAction, TimeInForce
from pipeline.core.dialect import NAN, price_of, size_of
from pipeline.core.engine import Engine, Plan
from pipeline.core.repeating import Wish, repeat
from pipeline.core.settings import SIMULATED, EngineSettings
from pipeline.core.strategy import HANDLERS, Strategy
from pipeline.errors import ConfigError
from pipeline.log import hot
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.fold import FoldPlan, columns_of, recorded_paths
from pipeline.run.loading import load_strategy
from pipeline.run.replaying import instruments_of
from pipeline.run.tally import Tally, units_of
from pipeline.run.verifying import recorded_plan
from pipeline.units import ABSENT, NANO

Row = dict[str, Any]
Name = tuple[Any, ...]
Place = tuple[int, int]

_NONE: Final = (
    IntentOutcome.GATED,
    IntentOutcome.INVALID,
    IntentOutcome.UNSIZED,
    IntentOutcome.UNPRICED,
    IntentOutcome.MISPLACED,
)
"""Outcomes of what was no wish that could be an order, whatever the settings."""

_OF_ORDERS: Final = (Kind.INTENT, Kind.RISK, Kind.ORDER, Kind.FILL, Kind.POSITION, Kind.SESSION, Kind.CHECKPOINT)
"""What a session at a broker is read of: inputs and decisions in their order."""

_ROWS: Final = 20_000
"""So many derived rows are counted at once."""

_WISHED: Final = OrderFlag.EXTENDED_HOURS | OrderFlag.POST_ONLY | OrderFlag.ONE_CANCELS_OTHER
_LEGS: Final = OrderFlag.BRACKET_STOP | OrderFlag.BRACKET_TARGET


class Came(msgspec.Struct, frozen=True):
    """What fills came to; money in the quote currency."""

    fills: int
    trades: int
    refused: int
    net_profit: float
    fees: float
    open_positions: int


class Refilled(msgspec.Struct, frozen=True):
    """A run before and after, and with what."""

    run: str
    wishes: int
    size: float
    settings: dict[str, Any]
    """Those that differ from the run's."""
    nothing_to_do: int
    """Wishes that found nothing to leave or to cancel."""
    before: Came
    after: Came


def refill(
    store: Store,
    name: str,
    *,
    settings: Mapping[str, Any],
    size: float = 1.0,
    progress: Callable[[int], None] = lambda _: None,
    take: Callable[[Blocks], None] = lambda _: None,
) -> Refilled:
    """Fill the wishes of a run, or of a session that decided, again; each `size` times as large, with these settings in place of its own.

    `take` is given what is derived. Raises NotFoundError, ConfigError, CorruptError.
    """
    manifest = store.find_one(name)
    session = store.session_of(manifest)
    inputs, run = LogReader(store.folder(session.id)), LogReader(store.folder(manifest.id))
    plan = recorded_plan(manifest)
    if not isinstance(plan, FoldPlan) or not plan.strategies:
        raise ConfigError(f"{manifest.id}: no strategy decided in it, so there is nothing to fill again")
    if plan.scanners:
        raise ConfigError(f"{manifest.id}: its strategies heard what a scanner picked, which can't be filled again yet")
    if not 0.0 < size <= 1e6:
        raise ConfigError(f"--size {size:g}: accepted is more than 0, up to 1,000,000")
    last_seq = int(str(manifest.settings.get("to_seq", inputs.last_seq)))
    instruments = instruments_of(inputs, last_seq)
    before, after = Tally(units_of(instruments)), Tally(units_of(instruments))
    wishes = _Wishes(instruments, size)
    for blocks in _decided(run, plan):
        before.add(blocks)
        wishes.add(blocks)
    paths = recorded_paths(plan, store.folder(manifest.id) / "code")
    engine = Engine(
        [_quiet(each, path) for each, path in zip(plan.strategies, paths, strict=True)], _set(plan, settings)
    )
    engine.begins_anew = plan.begins_anew
    windows = hot.windows(store, session.id, 1, last_seq, columns=columns_of(plan))
    asked, kept = 0, list[Block]()
    for made, count in _filled(engine, (window.blocks for window in windows), wishes):
        wishes.learn(made)
        kept += made
        asked += count
        if sum(map(len, kept)) > _ROWS:
            kept = _counted(after, kept, take)
            progress(engine.world.clock.seq)
    _counted(after, kept, take)
    marks = engine.snapshot().tables["instruments"]
    return Refilled(
        manifest.id,
        asked,
        size,
        {key: value for key, value in _set(plan, settings).as_dict().items() if value != _set(plan, {}).as_dict()[key]},
        wishes.nothing_to_do,
        _came(before, marks),
        _came(after, marks),
    )


def _counted(tally: Tally, kept: Blocks, take: Callable[[Blocks], None]) -> Blocks:
    """Count rows and hand them on, many at a time; what is kept then."""
    made = concat(kept)
    tally.add(made)
    take(made)
    return []


def _came(tally: Tally, marks: Any) -> Came:
    money = tally.money(marks)
    return Came(
        fills=tally.kinds.get(Kind.FILL, 0),
        trades=money.trades,
        refused=tally.refused,
        net_profit=money.net_profit_nano / NANO,
        fees=money.fees_nano / NANO,
        open_positions=money.open_positions,
    )


def _decided(run: LogReader, plan: FoldPlan) -> Iterator[Blocks]:
    """What was decided, with what a broker filled of it, which are inputs."""
    if plan.settings.get("execution", SIMULATED) == SIMULATED:
        yield from run.batches(what="derived")
        return
    for blocks in run.batches(what="all", kinds=_OF_ORDERS):
        decided = [block if block.kind is Kind.FILL else block.take(block.number("ord") > 0) for block in blocks]
        yield [block for block in decided if len(block)]


def _set(plan: FoldPlan, settings: Mapping[str, Any]) -> EngineSettings:
    """Its settings with these; what a broker filled is filled by the simulated venue now."""
    return EngineSettings.from_dict({**plan.settings, "execution": SIMULATED, **settings})


def _quiet(plan: Any, path: Path) -> Plan:
    """A strategy that does nothing, with the bars of the one it stands for: where there are no quotes they fill its orders."""
    strategy: Strategy = load_strategy(path)
    strategy = strategy.with_bars(plan.bars) if plan.bars else strategy
    silent: dict[str, Any] = {**dict.fromkeys(HANDLERS), "on_start": _nothing}
    strategy = replace(strategy, **silent, warm_up="")
    return Plan(strategy, strategy.Params.from_dict(plan.params))


def _nothing(_s: Any, _instrument: Any, _p: Any, _ctx: Any) -> None:
    pass


def _filled(engine: Engine, inputs: Iterable[Blocks], wishes: "_Wishes") -> Iterator[tuple[Blocks, int]]:
    """The inputs reduced, each wish put in behind its own; what is derived, and how many wishes there were."""
    for batch in inputs:
        first = min(int(block.number("seq")[0]) for block in batch if len(block))
        last = max(int(block.number("seq")[-1]) for block in batch if len(block))
        for seq in wishes.seqs(first, last):
            yield engine.reduce(between(batch, first, seq + 1)), 0
            is_request = any(block.kind is Kind.REQUEST for block in between(batch, seq, seq + 1) if len(block))
            asked = wishes.at(seq, is_request=is_request)
            repeat(engine, asked)
            yield [], len(asked)
            first = seq + 1
        yield engine.reduce(between(batch, first, last + 1)), 0
    yield engine.handed_over(), 0


class _Numbers:
    """By which numbers orders go, by what they were made of: the same wish makes another number in another run."""

    def __init__(self) -> None:
        self.number_of: dict[Name, int] = {}
        self.name_of: dict[int, Name] = {}
        self._wishes: dict[Place, Name] = {}
        self._risks: dict[Place, Place] = {}
        self._counts: dict[Name, int] = {}

    def see(self, kind: Kind, row: Row) -> None:
        """A derived row, in its order."""
        place, cause = (row["seq"], row["ord"]), (row["cause_seq"], row["cause_ord"])
        if kind is Kind.INTENT and row["outcome"] not in _NONE:
            key = (row["seq"], row["strategy_id"], row["instrument_id"], row["action"])
            self._counts[key] = self._counts.get(key, 0) + 1
            self._wishes[place] = (*key, self._counts[key])
        elif kind is Kind.RISK:
            self._risks[place] = cause
        elif kind is Kind.ORDER and row["state"] == OrderState.APPROVED:
            parent = self.name_of.get(row["parent_order_id"])
            made_of = (parent, int(row["flags"] & _LEGS)) if parent else self._wishes.get(self._risks.get(cause, cause))
            if made_of:
                self.name_of[row["order_id"]] = made_of
                self.number_of[made_of] = row["order_id"]


class _Wishes:
    """The wishes of a run by the input at which they were wished, and what became of them this time."""

    def __init__(self, instruments: Sequence[Mapping[str, Any]], size: float) -> None:
        self._steps = {row["instrument_id"]: max(row.get("size_step_nano", NANO), 1) for row in instruments}
        self._size = size
        self._intents: dict[int, list[Row]] = {}
        self._held: dict[tuple[int, int], int] = {}
        self._stops: set[Place] = set()
        self._expires: dict[Place, int] = {}
        self._then, self._now = _Numbers(), _Numbers()
        self.nothing_to_do = 0

    def add(self, blocks: Blocks) -> None:
        """Rows of the run, in their order."""
        for kind, row in _in_order(blocks):
            self._then.see(kind, row)
            if kind is Kind.POSITION:
                self._held[row["strategy_id"], row["instrument_id"]] = row["quantity_steps"]
            elif kind is Kind.SESSION and row["action"] == SessionAction.STOPPED:
                self._stops.add((row["seq"], row["ord"]))
            elif kind is Kind.INTENT and row["outcome"] not in _NONE:
                held = self._held.get((row["strategy_id"], row["instrument_id"]), 0)
                self._intents.setdefault(row["seq"], []).append({**row, "held": held})
            elif kind is Kind.ORDER and row["time_in_force"] == TimeInForce.GTD:
                self._expires[row["seq"], row["strategy_id"]] = row["expires_ns"]

    def seqs(self, first: int, last: int) -> list[int]:
        """The inputs of a stretch at which something was wished."""
        return [seq for seq in sorted(self._intents) if first <= seq <= last]

    def at(self, seq: int, *, is_request: bool) -> list[Wish]:
        """The wishes of an input; what the operator asked for is had again by itself."""
        return [self._wish(row) for row in self._intents[seq] if not is_request and self._is_a_strategys(row)]

    def learn(self, made: Blocks) -> None:
        """Rows that are derived now."""
        for kind, row in _in_order(made):
            self._now.see(kind, row)
            self.nothing_to_do += kind is Kind.INTENT and row["outcome"] == IntentOutcome.EMPTY

    def _is_a_strategys(self, row: Row) -> bool:
        """Or of the engine's own, because it stopped one: nothing stops one now."""
        return row["action"] != IntentAction.FLATTEN or self._is_of_a_stop(row)

    def _is_of_a_stop(self, row: Row) -> bool:
        return (row["cause_seq"], row["cause_ord"]) in self._stops

    def _wish(self, row: Row) -> Wish:
        name = self._then.name_of.get(row["order_id"])
        number = self._now.number_of.get(name, -1) if name else -min(row["order_id"], 1)
        expires_ns = self._expires.get((row["seq"], row["strategy_id"]), 0)
        is_dated = row["time_in_force"] == TimeInForce.GTD
        return Wish(
            row["strategy_id"],
            row["instrument_id"],
            is_engines=self._is_of_a_stop(row),
            action=row["action"],
            side=row["side"],
            order_type=row["order_type"],
            time_in_force=TimeInForce.GTC if is_dated and not expires_ns else row["time_in_force"],
            flags=int(row["flags"] & _WISHED),
            quantity=self._quantity(row),
            limit=price_of(row["limit_nano"]),
            trigger=price_of(row["trigger_nano"]),
            trail=price_of(row["trail_nano"]),
            stop_loss=price_of(row["stop_loss_nano"]),
            take_profit=price_of(row["take_profit_nano"]),
            rank_score=row["rank_score"],
            tag=row["tag"],
            expires_ns=expires_ns if is_dated else 0,
            order_id=number if row["action"] == IntentAction.CANCEL else 0,
        )

    def _quantity(self, row: Row) -> float:
        """So many times what it was; an exit of all there was is one of all there is."""
        if row["action"] != IntentAction.ENTER and row["quantity_steps"] in (ABSENT, 0, abs(row["held"])):
            return NAN
        return size_of(math.floor(row["quantity_steps"] * self._size), self._steps[row["instrument_id"]])


def _in_order(blocks: Blocks) -> list[tuple[Kind, Row]]:
    rows = [(block.kind, row) for block in blocks for row in block.rows()]
    return sorted(rows, key=lambda each: (each[1]["seq"], each[1]["ord"]))
