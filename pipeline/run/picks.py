"""Picks: what is in the universe of some strategy, by the names that feeds know, as the rows of a session say it.

A symbol that every scanner dropped stays among them as long as a strategy holds something of it or has an order open:
what is to be flattened needs quotes to be filled against.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from pipeline.block import Block, Blocks
from pipeline.codes import Kind, SessionAction
from pipeline.core.orders import FOLLOWS
from pipeline.scanner_codes import UniverseAction

PICKED_BY: Final = (Kind.INSTRUMENT, Kind.UNIVERSE, Kind.POSITION, Kind.ORDER, Kind.SESSION)
"""The kinds that say it."""

_OVER: Final = frozenset(state for state, after in FOLLOWS.items() if not after)
"""Of an order that nothing can happen to any more."""


class Picks:
    """The symbols picked so far, each with its feed in front: `massive:ABCD`. `strategies` are their names, in their order."""

    def __init__(self, feeds: Sequence[str], strategies: Sequence[str]) -> None:
        self.symbols: frozenset[str] = frozenset()
        self._feeds = feeds
        self._strategies = strategies
        self._names: dict[int, str] = {}
        self._picked: set[tuple[int, int]] = set()
        """Of scanners and instruments."""
        self._known: set[int] = set()
        """Instruments that were ever picked, here or in the session before."""
        self._held: set[tuple[str, int]] = set()
        """Of strategies and instruments."""
        self._open: dict[int, int] = {}
        """Instruments of open orders."""

    def add(self, inputs: Blocks, derived: Blocks) -> None:
        """Take in a commit and what was derived from it."""
        told = [block for block in (*inputs, *derived) if block.kind in PICKED_BY]
        for block in told:
            if block.kind is Kind.INSTRUMENT:
                self._define(block)
        for block in told:
            self._see(block)
        if any(block.kind is not Kind.INSTRUMENT for block in told):
            self._count()

    def recall(self, batches: Iterable[Blocks]) -> None:
        """Take in what the session wrote before."""
        for batch in batches:
            self.add(batch, [])

    def _see(self, block: Block) -> None:
        if block.kind is Kind.UNIVERSE:
            self._change(block)
        elif block.kind is Kind.POSITION:
            for row in block.rows():
                self._hold(self._strategies[row["strategy_id"] - 1], row["instrument_id"], row["quantity_steps"])
        elif block.kind is Kind.ORDER:
            for row in block.rows():
                self._order(row["order_id"], row["instrument_id"], row["state"] in _OVER)
        elif block.kind is Kind.SESSION:
            for row in block.rows():
                if row["action"] == SessionAction.STATE:
                    self._take_over(row)

    def _define(self, block: Block) -> None:
        for id_, source, symbol in zip(
            block.number("instrument_id").tolist(), block.number("source").tolist(), block.text("symbol"), strict=True
        ):
            self._names[id_] = f"{self._feeds[source - 1]}:{symbol}" if source else symbol

    def _change(self, block: Block) -> None:
        for row in block.rows():
            pair = row["scanner_id"], row["instrument_id"]
            if row["action"] == UniverseAction.ADDED:
                self._picked.add(pair)
                self._known.add(row["instrument_id"])
            else:
                self._picked.discard(pair)

    def _hold(self, strategy: str, instrument_id: int, steps: int) -> None:
        if steps:
            self._held.add((strategy, instrument_id))
        else:
            self._held.discard((strategy, instrument_id))

    def _order(self, order_id: int, instrument_id: int, is_over: bool) -> None:  # noqa: FBT001  # a state, not a switch
        if is_over:
            self._open.pop(order_id, None)
        else:
            self._open[order_id] = instrument_id

    def _take_over(self, row: dict[str, Any]) -> None:
        """A row of what the session before left: what was held there is held here."""
        kind, *names = row["key"].split("/")
        if kind == "position":
            steps = json.loads(row["text"])["quantity_steps"]
            self._hold(names[0], int(names[1]), steps)
            self._known |= {int(names[1])} if steps else set()
        elif kind == "order":
            instrument_id = json.loads(row["text"])["instrument_id"]
            self._order(int(names[1]), instrument_id, is_over=False)
            self._known.add(instrument_id)

    def _count(self) -> None:
        if not self._known:
            return
        held = {id_ for _, id_ in self._held} | set(self._open.values())
        ids = {id_ for _, id_ in self._picked} | (held & self._known)
        symbols = frozenset(self._names[id_] for id_ in ids if id_ in self._names)
        if symbols != self.symbols:
            self.symbols = symbols
