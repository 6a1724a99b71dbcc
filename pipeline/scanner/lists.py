"""Lists: scanners that search nothing, but name what their owner chose: always the same symbols, or those of each day."""

from typing import Final

import msgspec
import numpy as np

from pipeline.block import Blocks, concat
from pipeline.codes import Kind, UniverseAction, UniverseReason
from pipeline.scanner.clocks import trading_day
from pipeline.scanner.definition import ListDefinition
from pipeline.scanner.rows import universe_rows
from pipeline.scanner.universe import Changes

_NEVER: Final = -1
_Frozen = tuple[str, tuple[int, int, int], dict[str, list[int]], list[tuple[int, str]]]
"""The definition's hash; session time, day and its end; ids by symbol; what is listed."""


class ListScanner:
    """A list by its definition; see `ports.Scanner`. Its symbols come in with the input that defines them, or begins their day."""

    def __init__(self, definition: ListDefinition, scanner_id: int = 1) -> None:
        """`scanner_id` is its place in the session's list, from 1."""
        self.definition = definition
        self.scanner_id = scanner_id
        self._ids: dict[str, list[int]] = {}
        self._listed: dict[int, str] = {}
        self._now_ns = 0
        self._day = _NEVER
        self._day_ends_ns = 0

    def update(self, blocks: Blocks) -> Blocks:
        """The universe changes that exactly these inputs cause."""
        made: Blocks = []
        for seq, now_ns, defined in self._moments([block for block in blocks if len(block)]):
            for id_, symbol in defined:
                self._ids.setdefault(symbol, []).append(id_)
            self._turn(now_ns)
            made += self._settled(seq, now_ns)
        return concat(made)

    def freeze(self) -> bytes:
        """Everything it remembers, between two batches."""
        days = (self._now_ns, self._day, self._day_ends_ns)
        return msgspec.json.encode((self.definition.hash, days, self._ids, sorted(self._listed.items())))

    def thaw(self, content: bytes) -> None:
        """Remember what a list of the same definition froze, and nothing else. Raises ValueError for another."""
        hash_, days, ids, listed = msgspec.json.decode(content, type=_Frozen)
        if hash_ != self.definition.hash:
            raise ValueError("this is the state of another list")
        self._now_ns, self._day, self._day_ends_ns = days
        self._ids, self._listed = ids, dict(listed)

    def get_active_stock_list(self) -> list[str]:
        """Symbols in the list, in its order."""
        there = set(self._listed.values())
        return [symbol for symbol in self._symbols() if symbol in there]

    def _moments(self, batch: Blocks) -> "list[tuple[int, int, list[tuple[int, str]]]]":
        """Inputs that define instruments, or at which a new day has begun: seq, session time, what is defined."""
        if not batch:
            return []
        seq = np.concatenate([block.number("seq") for block in batch])
        ts_ns = np.concatenate([block.number("ts_recv_ns") for block in batch])
        order = np.argsort(seq)
        seq, now_ns = seq[order], np.maximum.accumulate(np.maximum(ts_ns[order], self._now_ns))
        self._now_ns = int(now_ns[-1])
        defined: dict[int, list[tuple[int, str]]] = {}
        for block in (block for block in batch if block.kind is Kind.INSTRUMENT):
            for place, id_, symbol in zip(
                block.number("seq").tolist(), block.number("instrument_id").tolist(), block.text("symbol"), strict=True
            ):
                defined.setdefault(place, []).append((id_, symbol))
        first = [place for place in range(len(seq)) if now_ns[place] >= self._day_ends_ns][:1]
        at = sorted({*np.searchsorted(seq, list(defined)).tolist(), *first})
        return [(int(seq[place]), int(now_ns[place]), defined.get(int(seq[place]), [])) for place in at]

    def _turn(self, now_ns: int) -> None:
        if now_ns >= self._day_ends_ns:
            day = trading_day(self.definition.calendar, now_ns)
            self._day, self._day_ends_ns = day.number, day.ends_ns

    def _symbols(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.definition.symbols, *self.definition.by_day.get(self._day, ())]))

    def _settled(self, seq: int, now_ns: int) -> Blocks:
        rank = {symbol: place for place, symbol in enumerate(self._symbols(), 1)}
        gone = [id_ for id_, symbol in self._listed.items() if symbol not in rank]
        come = [id_ for symbol in rank for id_ in self._ids.get(symbol, []) if id_ not in self._listed]
        symbols = {id_: symbol for symbol, ids in self._ids.items() for id_ in ids}
        for id_ in gone:
            del self._listed[id_]
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
