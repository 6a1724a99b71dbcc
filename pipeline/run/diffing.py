"""Diffing: what two runs of one session wished for, where they part, and what that did to profit.

The views `diffs` and `diff_profits` do the matching; here they are asked for one pair and put into words for machines.
A session counts as a run: the one that was decided while it was recorded.
"""

from typing import Any, Final

import duckdb
import msgspec

from pipeline.errors import ConfigError
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from warehouse import connect
from warehouse.views import named_in

CHANGES: Final = ("removed", "added", "moved", "resized", "judged")


class Change(msgspec.Struct, frozen=True):
    """One wish that is not the same on both sides; `_a` and `_b` are None where that side has none."""

    change: str
    strategy: str
    symbol: str | None
    action: str
    side: str
    seq_a: int | None
    seq_b: int | None
    ts_a: str | None
    ts_b: str | None
    quantity_a: float | None
    quantity_b: float | None
    limit_price_a: float | None
    limit_price_b: float | None
    differs: tuple[str, ...]
    """What of its terms, outcome and risk verdict differs, when both sides have it."""


class Effect(msgspec.Struct, frozen=True):
    """What one symbol brought: closed round trips, fees taken off, in the quote currency."""

    symbol: str
    trades_a: int
    trades_b: int
    open_a: int
    """Round trips that were not closed at the end; their profit is not counted."""
    open_b: int
    profit_a: float
    profit_b: float
    effect: float
    """What b made more than a."""

    @property
    def is_none(self) -> bool:
        """Whether both sides brought the same."""
        return (self.trades_a, self.open_a, self.profit_a) == (self.trades_b, self.open_b, self.profit_b)


class Diff(msgspec.Struct, frozen=True):
    """Two logs of decisions over one session, a before b."""

    a: str
    b: str
    session: str
    identical: bool
    """No wish differs, and no symbol's round trips or profit."""
    same_rows: bool
    """All derived rows are the same, byte for byte, by the hash both kept."""
    last_seq_a: int
    """The last input reduced: where one side stopped early, the rest of the other is added or removed."""
    last_seq_b: int
    wishes_a: int
    wishes_b: int
    counts: dict[str, int]
    """How many of each change."""
    profit_a: float
    profit_b: float
    effect: float
    effects: list[Effect]
    changes: list[Change]


def diff(store: Store, name_a: str, name_b: str) -> Diff:
    """Compare the wishes of two runs, or of a run and its session, and what came of them.

    Raises NotFoundError, CorruptError, ConfigError when they are not over the same session or one was never finished.
    """
    a, b = store.find_one(name_a), store.find_one(name_b)
    session = _common_session(a, b)
    connection = connect(store.home, [a.id, b.id], asked=named_in("diffs diff_profits intents"))
    try:
        changes = [_change(row) for row in _rows(connection, _CHANGES, a, b)]
        effects = [Effect(**row) for row in _rows(connection, _EFFECTS, a, b)]
        (total,) = _rows(connection, _TOTAL, a, b)
        wishes = {row["log"]: row["wishes"] for row in _rows(connection, _WISHES, a, b)}
    finally:
        connection.close()
    counts = {change: sum(1 for found in changes if found.change == change) for change in CHANGES}
    return Diff(
        a=a.id,
        b=b.id,
        session=session,
        identical=not changes and all(effect.is_none for effect in effects),
        same_rows=bool(a.decisions_hash) and a.decisions_hash == b.decisions_hash,
        last_seq_a=_last_reduced(store, a),
        last_seq_b=_last_reduced(store, b),
        wishes_a=wishes.get(a.id, 0),
        wishes_b=wishes.get(b.id, 0),
        counts=counts,
        effects=effects,
        changes=changes,
        **total,
    )


_CHANGES: Final = "select * from diffs where a = $a and b = $b"
_EFFECTS: Final = """
    select symbol, trades_a, trades_b, open_a, open_b, profit_a, profit_b, effect
    from diff_profits
    where a = $a and b = $b
"""
_TOTAL: Final = """
    select
        coalesce(sum(profit_a_nano), 0) / 1e9 as profit_a,
        coalesce(sum(profit_b_nano), 0) / 1e9 as profit_b,
        coalesce(sum(effect_nano), 0) / 1e9 as effect
    from diff_profits
    where a = $a and b = $b
"""
_WISHES: Final = """
    select coalesce(run, session) as log, count(*) as wishes
    from intents
    where action <> 'none' and log in ($a, $b)
    group by log
"""


def _common_session(a: Manifest, b: Manifest) -> str:
    if a.id == b.id:
        raise ConfigError(f"{a.id} is compared with itself: name two runs, or a run and its session")
    for manifest in (a, b):
        if manifest.what == "run" and manifest.state == "open":
            raise ConfigError(f"{manifest.id} was never finished: delete it, and replay its session again")
    over_a, over_b = (manifest.parents or (manifest.id,) for manifest in (a, b))
    if over_a != over_b:
        raise ConfigError(
            f"{a.id} is over {', '.join(over_a)} and {b.id} over {', '.join(over_b)}: a seq of theirs is not the same "
            "input; name two runs of one session, or a run and its session"
        )
    return over_a[0]


def _last_reduced(store: Store, manifest: Manifest) -> int:
    if manifest.what == "session":
        return LogReader(store.folder(manifest.id)).last_seq
    last_seq = manifest.settings.get("to_seq", manifest.last_seq)
    assert isinstance(last_seq, int)
    return last_seq


def _rows(connection: duckdb.DuckDBPyConnection, query: str, a: Manifest, b: Manifest) -> list[dict[str, Any]]:
    result = connection.sql(query, params={"a": a.id, "b": b.id})
    return [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]


def _change(row: dict[str, Any]) -> Change:
    facts = {name: row[name] for name in Change.__struct_fields__ if name in row}
    return Change(**facts, ts_a=_text(row["ts_event_a"]), ts_b=_text(row["ts_event_b"]), differs=_differs(row))


def _differs(row: dict[str, Any]) -> tuple[str, ...]:
    if row["seq_a"] is None or row["seq_b"] is None:
        return ()
    pairs = ((row["terms_a"], row["terms_b"]), (row["judgement_a"], row["judgement_b"]))
    return tuple(name for one, other in pairs for name in one if one[name] != other[name])


def _text(moment: Any) -> str | None:
    return None if moment is None else str(moment)
