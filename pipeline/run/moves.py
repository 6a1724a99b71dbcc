"""Moves: the transitions of strategies as a table, with how long each phase lasted."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from pipeline.block import Blocks
from pipeline.codes import Kind
from pipeline.log.manifest import StrategyEntry
from pipeline.log.reader import LogReader
from pipeline.run.outline import StrategyOutline, Words
from pipeline.units import NANO


class Move(msgspec.Struct, frozen=True):
    """A strategy's move from one phase to another, in one instrument."""

    seq: int
    ord: int
    ts_ns: int
    """Session time."""
    strategy: str
    symbol: str
    from_phase: str
    to_phase: str
    reason: str
    seconds_in_phase: float | None
    """How long `from_phase` lasted; None for the first, whose beginning is no move."""


class Speaker(NamedTuple):
    """A strategy's name and the words for its codes."""

    name: str
    phases: Words
    reasons: Words


def speaker_of(strategy: StrategyOutline | StrategyEntry) -> Speaker:
    """The words of a strategy, from whoever keeps them."""
    if isinstance(strategy, StrategyOutline):
        return Speaker(strategy.name, strategy.phases, strategy.reasons)
    return Speaker(strategy.name, _turned(strategy.words.phases), _turned(strategy.words.reasons))


def moves_of(batches: Iterable[Blocks], speakers: Sequence[Speaker], symbols: Mapping[int, str]) -> list[Move]:
    """The moves in derived rows, in their order; the rows begin where the log does, or times in phase miss a part."""
    since: dict[tuple[int, int], int] = {}
    moves = []
    for row in (row for blocks in batches for block in blocks if block.kind is Kind.TRANSITION for row in block.rows()):
        speaker, ts_ns = speakers[row["strategy_id"] - 1], row["ts_recv_ns"]
        pair = (row["strategy_id"], row["instrument_id"])
        moves.append(
            Move(
                row["seq"],
                row["ord"],
                ts_ns,
                speaker.name,
                symbols.get(row["instrument_id"], str(row["instrument_id"])),
                speaker.phases.get(row["from_phase"], str(row["from_phase"])),
                speaker.phases.get(row["to_phase"], str(row["to_phase"])),
                speaker.reasons.get(row["reason"], str(row["reason"] or "")),
                (ts_ns - since[pair]) / NANO if pair in since else None,
            )
        )
        since[pair] = ts_ns
    return moves


def moves_in(log: LogReader, symbols: Mapping[int, str]) -> list[Move]:
    """All moves that a run, or a session with strategies of its own, wrote down. Raises CorruptError."""
    batches = log.batches(kinds=[Kind.TRANSITION], what="derived")
    return moves_of(batches, [speaker_of(entry) for entry in log.manifest.strategies], symbols)


def _turned(codes: Mapping[str, int]) -> Words:
    return {code: word for word, code in codes.items()}
