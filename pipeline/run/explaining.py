"""Explaining: why there is a fill, an order or any other decision, out of the logs: the rows that caused it."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from pipeline.block import Block
from pipeline.codes import Kind
from pipeline.errors import ConfigError, NotFoundError
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.reports.explain_chain import Step, chain, chains_of_order, step_of
from pipeline.reports.explain_refusals import ScannerAnswer, StrategyAnswer, refusals, verdicts
from pipeline.reports.explain_rows import Place, Row, row_at
from pipeline.reports.explain_words import Symbol, Teller
from pipeline.run.looking import check_symbol, look
from pipeline.run.regating import gates_in
from pipeline.run.replaying import instruments_of, seq_at
from pipeline.run.traveling import Traveler
from pipeline.units import iso_from_ns
from warehouse.scanners import settings_of

_WINDOW_MIN: Final = 4_096
_WINDOW_MAX: Final = 262_144
"""Inputs that are looked through at a time on the way back: more each time, for what is far may be farther still."""


class LogRows:
    """The rows of a session, with its own decisions or those of a run over it."""

    def __init__(self, store: Store, manifest: Manifest) -> None:
        self.inputs = LogReader(store.folder(store.session_of(manifest).id))
        self._derived = LogReader(store.folder(manifest.id)) if manifest.what == "run" else self.inputs
        self._known: dict[int, list[Row]] = {}

    @property
    def last_seq(self) -> int:
        """The last input."""
        return self.inputs.last_seq

    def at(self, seq: int) -> Sequence[Row]:
        """All rows of an input, in dispatch order; of a run the input is its session's. Raises CorruptError."""
        if seq not in self._known:
            self._known[seq] = self._window(seq, seq, frozenset(Kind))
        return self._known[seq]

    def before(self, kinds: Collection[Kind], place: Place, instrument_id: int | None = None) -> Iterator[Row]:
        """Rows of these kinds that stand before a place, the latest first. Raises CorruptError."""
        last, width = min(place[0], self.last_seq), _WINDOW_MIN
        while last > 0:
            first = max(1, last - width + 1)
            for row in reversed(self._window(first, last, frozenset(kinds), instrument_id)):
                if row.place < place:
                    yield row
            last, width = first - 1, min(2 * width, _WINDOW_MAX)

    def of(self, kind: Kind, **wanted: int) -> list[Row]:
        """All rows of a kind in which these columns have these values, in order. Raises CorruptError."""
        return list(self._read(1, self.last_seq, frozenset([kind]), wanted))

    def _window(self, first: int, last: int, kinds: Collection[Kind], instrument_id: int | None = None) -> list[Row]:
        wanted = {} if instrument_id is None else {"instrument_id": instrument_id}
        return list(self._read(first, last, kinds, wanted))

    def _read(self, first: int, last: int, kinds: Collection[Kind], wanted: dict[str, int]) -> Iterator[Row]:
        """In the order of places, window by window."""
        found: list[Row] = []
        readers = ((self.inputs, "inputs"), (self._derived, "derived"))
        for reader, what in readers:
            for blocks in reader.batches(first, last, kinds=kinds, what=what):  # type: ignore[arg-type]  # a Literal
                found += [Row(block.kind, values) for block in blocks for values in _matching(block, wanted).rows()]
        return iter(sorted(found, key=lambda row: row.place))


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """Why something was decided."""

    id: str
    """The run, or the session."""
    session: str
    asked: str
    """What is explained, in words."""
    chains: list[list[Step]]
    """Each from the latest row back to the input that began it; several where an order has several causes."""


class WhyNot(msgspec.Struct, frozen=True, kw_only=True):
    """Why nothing was done of a symbol at a moment."""

    id: str
    session: str
    symbol: str
    seq: int
    """The last input at or before the moment."""
    ts_ns: int
    """Session time of that input."""
    strategies: list[StrategyAnswer]
    scanners: list[ScannerAnswer]
    market: list[Step]
    """Quote, print and status in force; what is not there never came."""


class Explainer:
    """Answers about the decisions of one log. Raises NotFoundError, CorruptError, and ConfigError where nobody decided."""

    def __init__(self, store: Store, name: str) -> None:
        self.manifest = store.find_one(name)
        if not self.manifest.strategies:
            runs = [run.id for run in store.runs() if self.manifest.id in run.parents]
            hint = f"its runs are {', '.join(runs)}" if runs else "`tape replay` makes a run of it"
            raise ConfigError(f"nobody decided anything in {self.manifest.id}; {hint}")
        self.session = store.session_of(self.manifest)
        self.rows = LogRows(store, self.manifest)
        self.instruments: list[dict[str, Any]] = list(instruments_of(self.rows.inputs, self.rows.last_seq))
        self.teller = _teller(self.manifest, self.instruments)

    def fill(self, fill_id: int) -> Explained:
        """Why there is this fill."""
        found = self.rows.of(Kind.FILL, fill_id=fill_id)
        if not found:
            raise NotFoundError(f"no fill {fill_id} in {self.manifest.id}: {self._numbers(Kind.FILL, 'fill_id')}")
        return self._explained(f"fill {fill_id}", [chain(self.rows, row.place, self.teller) for row in found])

    def order(self, order_id: int) -> Explained:
        """How an order came to where it stands."""
        states = self.rows.of(Kind.ORDER, order_id=order_id)
        if not states:
            raise NotFoundError(f"no order {order_id} in {self.manifest.id}: {self._numbers(Kind.ORDER, 'order_id')}")
        return self._explained(f"order {order_id}", chains_of_order(self.rows, states, self.teller))

    def row(self, seq: int, ord_: int) -> Explained:
        """Why there is any one row."""
        row = row_at(self.rows, (seq, ord_))
        if row is None:
            there = ", ".join(f"{each.place[1]} ({each.kind.name.lower()})" for each in self.rows.at(seq))
            raise NotFoundError(
                f"no row at seq {seq} ord {ord_} of {self.manifest.id}: at that seq there is {there or 'none'}"
            )
        return self._explained(
            f"the {row.kind.name.lower()} at ({seq:,}, {ord_})", [chain(self.rows, row.place, self.teller)]
        )

    def last_before(self, symbol: str, ts_ns: int) -> Explained:
        """The last fill of a symbol up to a moment of session time; the last order where there is none."""
        instrument_id = self.instrument(symbol)
        for kind in (Kind.FILL, Kind.ORDER):
            for row in self.rows.before([kind], (self.rows.last_seq + 1, 0), instrument_id):
                if row.values["ts_recv_ns"] <= ts_ns:
                    return self.fill(row.values["fill_id"]) if kind is Kind.FILL else self.order(row.values["order_id"])
        raise NotFoundError(
            f"{symbol} has no fill and no order by then in {self.manifest.id}: --why-not tells what refused"
        )

    def why_not(self, symbol: str, ts_ns: int) -> WhyNot:
        """What refused, and what the scanners saw, up to a moment of session time. Raises ConfigError before the first input."""
        seq = seq_at(self.rows.inputs, ts_ns)
        if seq == 0:
            raise ConfigError(
                f"that is before the first input of {self.session.id}, {iso_from_ns(self.session.first_ts_ns)}"
            )
        instrument_id, behind = self.instrument(symbol), (seq + 1, 0)
        market = {
            kind.name.lower(): next(iter(self.rows.before([kind], behind, instrument_id)), None)
            for kind in (Kind.QUOTE, Kind.PRINT, Kind.STATUS)
        }
        return WhyNot(
            id=self.manifest.id,
            session=self.session.id,
            symbol=symbol,
            seq=seq,
            ts_ns=self.rows.at(seq)[0].values["ts_recv_ns"],
            strategies=refusals(self.rows, behind, instrument_id, self.teller),
            scanners=verdicts(self.rows, behind, instrument_id, self.teller),
            market=[step_of(row, self.teller, role) for role, row in market.items() if row is not None],
        )

    def regated(self, found: WhyNot, traveler: Traveler) -> WhyNot:
        """The same with each phase, moved to or begun in, and what gates see at the last quote, print and bar by then, by replays.

        Raises CorruptError.
        """
        instrument_id = self.instrument(found.symbol)
        bar = next(iter(self.rows.before([Kind.BAR], (found.seq + 1, 0), instrument_id)), None)
        ticks = [step for step in found.market if step.role in ("quote", "print")]
        at = {step.seq: step.role for step in ticks} | ({bar.place[0]: "bar"} if bar is not None else {})
        gates: dict[str, list[Step]] = {}
        for seq, role in sorted(at.items(), reverse=True):
            if seq > 1:
                for row in gates_in(traveler.regated(seq), instrument_id):
                    step = step_of(row, self.teller, f"gate at the last {role}")
                    gates.setdefault(self.teller.strategy(row.pair[0]), []).append(step)
        phases = {each.strategy: each.phase for each in look(traveler, traveler.at(found.seq), found.symbol)}
        told = [
            msgspec.structs.replace(
                each,
                phase=phases.get(each.strategy, each.phase),
                findings=[*gates.get(each.strategy, []), *each.findings],
            )
            for each in found.strategies
        ]
        return msgspec.structs.replace(found, strategies=told)

    def instrument(self, symbol: str) -> int:
        """The number of a symbol. Raises NotFoundError listing what there is."""
        known = {str(row.get("symbol", "")): int(row["instrument_id"]) for row in self.instruments}
        check_symbol(symbol, known, "in this session")
        return known[symbol]

    def _explained(self, asked: str, chains: list[list[Step]]) -> Explained:
        return Explained(id=self.manifest.id, session=self.session.id, asked=asked, chains=chains)

    def _numbers(self, kind: Kind, name: str) -> str:
        numbers = sorted({row.values[name] for row in self.rows.of(kind)})
        return f"there is {numbers[0]:,} to {numbers[-1]:,}" if numbers else f"it has no {kind.name.lower()}"


def teller_of(manifest: Manifest, inputs: LogReader) -> Teller:
    """Words for the rows of a log over these inputs. Raises CorruptError."""
    return _teller(manifest, instruments_of(inputs, inputs.last_seq))


def _teller(manifest: Manifest, instruments: Iterable[Mapping[str, Any]]) -> Teller:
    symbols = {
        row["instrument_id"]: Symbol(str(row.get("symbol", "")), int(row.get("size_step_nano", 0)))
        for row in instruments
    }
    return Teller(manifest.strategies, symbols, settings_of(manifest))


def _matching(block: Block, wanted: dict[str, int]) -> Block:
    for name, value in wanted.items():
        block = block.take(block.number(name) == value)
    return block
