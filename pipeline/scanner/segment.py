"""Segments: inputs between two moments at which a scanner does something; they are folded at once, a kind at a time.

Where a segment ends is decided by the inputs alone (a whole step of session time, a timer that is due), never by how
many of them came in a batch. So what a segment makes of its rows may depend on all of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pipeline.block import Block, Blocks, concat, without_warm_up
from pipeline.codes import Kind

USED: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.INSTRUMENT: ("symbol", "asset_class", "size_step_nano", "multiplier_nano", "calendar"),
    Kind.QUOTE: ("bid_nano", "ask_nano", "bid_size_steps", "ask_size_steps", "marks"),
    Kind.PRINT: ("price_nano", "size_steps", "marks"),
    Kind.BAR: (
        "bar_unit", "bar_length", "ts_close_ns", "open_nano", "high_nano", "low_nano", "close_nano", "volume_steps",
        "trade_count", "vwap", "revision", "marks",
    ),
    Kind.STATUS: ("status", "reason", "limit_down_nano", "limit_up_nano", "is_short_restricted"),
    Kind.SNAPSHOT: (
        "ts_trade_ns", "last_nano", "ts_quote_ns", "bid_nano", "ask_nano", "bid_size_steps", "ask_size_steps",
        "volume_steps", "vwap", "open_nano", "high_nano", "low_nano", "previous_close_nano",
    ),
    Kind.REFERENCE: ("field", "value", "text", "known_at_ns", "as_of_ns", "provider"),
}  # fmt: skip
"""The kinds a scanner looks into, and which of their columns beside the header's."""

_HEADER: Final = ("seq", "ts_event_ns", "ts_recv_ns", "instrument_id", "origin")
COLUMNS: Final = tuple(dict.fromkeys([*_HEADER, *(name for names in USED.values() for name in names)]))
"""All that a scanner reads of a session."""

Segment = Mapping[Kind, Block]
"""One block a kind, with the columns that are used."""


def narrowed(batch: Iterable[Block]) -> Blocks:
    """The blocks that are looked into, with the columns that are used, without what was put there to warm up strategies."""
    used = [
        Block(block.kind, {name: block.columns[name] for name in (*_HEADER, *USED[block.kind])})
        for block in batch
        if block.kind in USED and len(block)
    ]
    return [rest for block in used if len(rest := without_warm_up(block))]


def segment_of(pieces: Sequence[Block]) -> Segment:
    """The pieces of a segment, in the order in which they came, one block a kind."""
    return {block.kind: block for block in concat(pieces)}
