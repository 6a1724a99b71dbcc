"""Lists: scanners that search nothing, but name what their owner chose: always the same symbols, those of each day, or of moments."""

from typing import Final

import numpy as np

from pipeline.block import Blocks, Numbers, concat, session_times
from pipeline.codes import Kind
from pipeline.scanner.clocks import trading_day
from pipeline.scanner.definition import ListDefinition
from pipeline.scanner.frozen import digest_of, freeze, thaw
from pipeline.scanner.rows import universe_rows
from pipeline.scanner.universe import Changes
from pipeline.scanner_codes import UniverseAction, UniverseReason

_NEVER: Final = -1


class ListScanner:
    """A list by its definition; see `ports.Scanner`.

    Its symbols come in with the input that defines them, begins their day, or is the first at or behind their moment.
    """

    def __init__(self, definition: ListDefinition, scanner_id: int = 1) -> None:
        """`scanner_id` is its place in the session's list, from 1."""
        self.definition = definition
        self.scanner_id = scanner_id
        self._known: dict[int, str] = {}
        self._ids: dict[str, set[int]] = {}
        self._listed: dict[int, str] = {}
        self._now_ns = 0
        self._day = _NEVER
        self._day_ends_ns = 0
        self._turns_ns = np.array(sorted({ns for stay in definition.stays for ns in stay[1:]}), np.int64)

    def update(self, blocks: Blocks) -> Blocks:
        """The universe changes that exactly these inputs cause."""
        made: Blocks = []
        for seq, now_ns, defined in self._moments([block for block in blocks if len(block)]):
            for id_, symbol in defined:
                self._define(id_, symbol)
            self._turn(now_ns)
            made += self._settled(seq, now_ns)
        return concat(made)

    def get_active_stock_list(self) -> list[str]:
        """Symbols in the list, in its order."""
        there = set(self._listed.values())
        return [symbol for symbol in self._symbols(self._now_ns) if symbol in there]

    def freeze(self) -> bytes:
        """Everything it remembers, between two batches."""
        clock = {"now_ns": self._now_ns, "day": self._day, "day_ends_ns": self._day_ends_ns}
        lists = {"known": list(self._known.items()), "listed": list(self._listed.items())}
        return freeze(self.definition.hash, {"clock": clock, "lists": lists}, [])

    def thaw(self, content: bytes) -> None:
        """Remember what a scanner of the same definition froze, and nothing else. Raises ValueError for another."""
        parts, _ = thaw(self.definition.hash, content)
        clock, lists = parts["clock"], parts["lists"]
        self._now_ns, self._day, self._day_ends_ns = clock["now_ns"], clock["day"], clock["day_ends_ns"]
        self._known, self._ids = {}, {}
        for id_, symbol in lists["known"]:
            self._define(id_, symbol)
        self._listed = dict(lists["listed"])

    def digest(self) -> bytes:
        """32 bytes over everything it remembers."""
        return digest_of(self.freeze())

    def _define(self, id_: int, symbol: str) -> None:
        self._ids.get(self._known.get(id_, ""), set()).discard(id_)
        self._known[id_] = symbol
        self._ids.setdefault(symbol, set()).add(id_)

    def _moments(self, batch: Blocks) -> "list[tuple[int, int, list[tuple[int, str]]]]":
        """Inputs that define instruments, or at which a new day or a stay has begun or ended: seq, session time, what is defined."""
        if not batch:
            return []
        since_ns = self._now_ns
        seq, now_ns = session_times(batch, since_ns)
        self._now_ns = int(now_ns[-1])
        defined: dict[int, list[tuple[int, str]]] = {}
        for block in (block for block in batch if block.kind is Kind.INSTRUMENT):
            for place, id_, symbol in zip(
                block.number("seq").tolist(), block.number("instrument_id").tolist(), block.text("symbol"), strict=True
            ):
                defined.setdefault(place, []).append((id_, symbol))
        turns_ns = self._turns_ns[(self._turns_ns > since_ns) & (self._turns_ns <= self._now_ns)]
        turned = np.searchsorted(now_ns, turns_ns)
        at = sorted({*np.searchsorted(seq, list(defined)).tolist(), *self._day_begins(now_ns), *turned.tolist()})
        return [(int(seq[place]), int(now_ns[place]), defined.get(int(seq[place]), [])) for place in at]

    def _day_begins(self, now_ns: Numbers) -> list[int]:
        """The inputs at which a day begins that is another than the one before."""
        begins: list[int] = []
        ends_ns = self._day_ends_ns
        while (place := int(np.searchsorted(now_ns, ends_ns))) < len(now_ns):
            begins.append(place)
            ends_ns = trading_day(self.definition.calendar, int(now_ns[place])).ends_ns
        return begins

    def _turn(self, now_ns: int) -> None:
        if now_ns >= self._day_ends_ns:
            day = trading_day(self.definition.calendar, now_ns)
            self._day, self._day_ends_ns = day.number, day.ends_ns

    def _symbols(self, now_ns: int) -> tuple[str, ...]:
        definition = self.definition
        staying = [stay.symbol for stay in definition.stays if stay.from_ns <= now_ns < stay.until_ns]
        return tuple(dict.fromkeys([*definition.symbols, *definition.by_day.get(self._day, ()), *staying]))

    def _settled(self, seq: int, now_ns: int) -> Blocks:
        rank = {symbol: place for place, symbol in enumerate(self._symbols(now_ns), 1)}
        symbols = self._known
        gone = sorted(id_ for id_, symbol in self._listed.items() if symbols[id_] != symbol or symbol not in rank)
        for id_ in gone:
            del self._listed[id_]
        come = [id_ for symbol in rank for id_ in sorted(self._ids.get(symbol, ())) if id_ not in self._listed]
        self._listed.update((id_, symbols[id_]) for id_ in come)
        if not gone and not come:
            return []
        changes = Changes(
            np.array([*gone, *come], np.int64),
            np.array([*[int(UniverseAction.DROPPED)] * len(gone), *[int(UniverseAction.ADDED)] * len(come)]),
            np.array([*[int(UniverseReason.UNLISTED)] * len(gone), *[int(UniverseReason.LISTED)] * len(come)]),
            np.array([*[0] * len(gone), *[rank[symbols[id_]] for id_ in come]]),
        )
        return [universe_rows(changes, seq=seq, now_ns=now_ns, scanner_id=self.scanner_id)]
