"""Looking: what people ask of time travel, answered: moments, what differs between two, what moved in between."""

from collections.abc import Collection, Sequence
from datetime import tzinfo
from typing import Any

import msgspec

from pipeline.config import moment_ns, zone_named
from pipeline.core.frozen import parts_of
from pipeline.errors import ConfigError, NotFoundError
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.names import did_you_mean, listed
from pipeline.run.moments import FieldChange, Moment, differences, moment_of
from pipeline.run.moves import Move, moves_of, speaker_of
from pipeline.run.replaying import instruments_of
from pipeline.run.trading_days import shared_zone
from pipeline.run.traveling import Journey, Stop, Traveler
from pipeline.units import iso_from_ns


class Compared(msgspec.Struct, frozen=True):
    """A strategy in an instrument at two moments, or at one moment of two versions."""

    strategy: str
    symbol: str
    before: Moment
    after: Moment
    changes: list[FieldChange]
    moves: list[Move]
    """What moved its phase in between; nothing between two versions."""


def instruments(store: Store, journey: Journey) -> list[dict[str, Any]]:
    """The instruments of a journey, as their last definition says."""
    return list(instruments_of(LogReader(store.folder(journey.session.id)), journey.to_seq))


def zone_of(defined: Sequence[dict[str, Any]], symbol: str | None, named: str | None) -> tzinfo:
    """Whose clocks times are told by: those named, else those of the instruments' exchange, UTC when there are several.

    Raises NotFoundError for a symbol that is none of theirs.
    """
    check_symbol(symbol, [row.get("symbol", "") for row in defined], "in this session")
    if named:
        return zone_named(named)
    return shared_zone(row.get("calendar", "") for row in defined if symbol in (None, row.get("symbol")))


def moment_in(
    store: Store, session: str, text: str | None, *, symbol: str | None = None, named: str | None = None
) -> tuple[tzinfo, int | None]:
    """A moment of a session as people write it, on its first day, and by whose clocks; raises as `zone_of` and `moment_ns` do."""
    manifest = store.find_one(session)
    log = LogReader(store.folder(manifest.id))
    zone = zone_of(list(instruments_of(log, log.last_seq)), symbol, named)
    day_ns = manifest.first_ts_ns or manifest.created_ns
    return zone, None if text is None else moment_ns(text, day_ns=day_ns, zone=zone)


def seq_of(traveler: Traveler, text: str, zone: tzinfo, day_ns: int) -> int:
    """The last input at or before a moment as people write it. Raises ConfigError when there is none."""
    seq = traveler.seq_at(moment_ns(text, day_ns=day_ns, zone=zone))
    if seq == 0:
        first_ns = traveler.journey.session.first_ts_ns
        told = f" of {traveler.journey.session.id}, {iso_from_ns(first_ns)}" if first_ns else ""
        raise ConfigError(f"{text} ({zone}) is before the first input{told}")
    return seq


def look(traveler: Traveler, stop: Stop, symbol: str | None, strategy: str | None = None) -> list[Moment]:
    """The moments of a symbol, or of all, strategy by strategy. Raises NotFoundError listing what there is."""
    outline = traveler.outline()
    names = [each.name for each in outline.strategies]
    if strategy and strategy not in names:
        raise NotFoundError(f"no strategy {strategy!r} in {traveler.journey.id}: there is {', '.join(names)}")
    ids = _ids_of(parts_of(stop.state).symbols, symbol, stop.seq)
    return [
        moment_of(stop.state, outline, strategy_id, instrument_id)
        for strategy_id, name in enumerate(names, 1)
        if strategy in (None, name)
        for instrument_id in ids
    ]


def compare(before: Sequence[Moment], after: Sequence[Moment], moves: Sequence[Move]) -> list[Compared]:
    """Moment by moment what differs, with those of the moves that concern it; instruments that came in between are left out."""
    known = {(moment.strategy, moment.instrument_id): moment for moment in before}
    return [
        Compared(
            now.strategy,
            now.symbol,
            then,
            now,
            differences(then, now),
            [move for move in moves if (move.strategy, move.symbol) == (now.strategy, now.symbol)],
        )
        for now in after
        if (then := known.get((now.strategy, now.instrument_id)))
    ]


def moves_between(traveler: Traveler, after_seq: int, stop: Stop) -> list[Move]:
    """All moves behind an input up to a place that was reached."""
    speakers = [speaker_of(strategy) for strategy in traveler.outline().strategies]
    moves = moves_of([traveler.moves(0, stop)], speakers, parts_of(stop.state).symbols)
    return [move for move in moves if move.seq > after_seq]


def _ids_of(symbols: dict[int, str], symbol: str | None, seq: int) -> list[int]:
    check_symbol(symbol, symbols.values(), f"known at seq {seq}")
    return [id_ for id_, known in sorted(symbols.items()) if symbol in (None, known)]


def check_symbol(symbol: str | None, known: Collection[str], where: str) -> None:
    """Refuse a symbol that is not there, with what there is. Raises NotFoundError."""
    if symbol is not None and symbol not in known:
        raise NotFoundError(f"no symbol {symbol!r} is {where}: there is {listed(known)}{did_you_mean(symbol, known)}")
