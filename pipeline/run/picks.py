"""Picks: what is in the universe, by the names that feeds know, as the rows of a session say it."""

from collections.abc import Sequence

from pipeline.block import Block, Blocks
from pipeline.codes import Kind
from pipeline.scanner_codes import UniverseAction


class Picks:
    """The symbols picked so far, each with its feed in front: `massive:ABCD`."""

    def __init__(self, feeds: Sequence[str]) -> None:
        self.symbols: frozenset[str] = frozenset()
        self._feeds = feeds
        self._names: dict[int, str] = {}

    def add(self, inputs: Blocks, derived: Blocks) -> None:
        """Take in a commit and what was derived from it."""
        for block in inputs:
            if block.kind is Kind.INSTRUMENT:
                self._define(block)
        for block in derived:
            if block.kind is Kind.UNIVERSE:
                self._change(block)

    def _define(self, block: Block) -> None:
        for id_, source, symbol in zip(
            block.number("instrument_id").tolist(), block.number("source").tolist(), block.text("symbol"), strict=True
        ):
            self._names[id_] = f"{self._feeds[source - 1]}:{symbol}" if source else symbol

    def _change(self, block: Block) -> None:
        symbols = set(self.symbols)
        for id_, action in zip(block.number("instrument_id").tolist(), block.number("action").tolist(), strict=True):
            if action == UniverseAction.ADDED:
                symbols.add(self._names[id_])
            else:
                symbols.discard(self._names[id_])
        self.symbols = frozenset(symbols)
