"""Vendor bars: the bars a vendor would have made of generated prints, as it would have sent them.

A bar comes a second after its end, made of the prints that are known by then and may move it. A print that is reported
later, or taken back, makes it come again, a revision higher, when that is known. No print that may move prices, no bar.
"""

from typing import Final

import numpy as np

from pipeline.block import Block, Numbers
from pipeline.codes import BarBasis, BarUnit, Kind, Mark
from pipeline.units import INT64_MAX, NANO, SECOND_NS

_AFTER_NS: Final = SECOND_NS
_REVISED_AFTER_NS: Final = SECOND_NS // 2
_NEVER: Final = INT64_MAX


def bars_of(prints: Block, length_ns: int, instrument_id: int) -> Block:
    """The bars of one name's prints, which are in the order they were received, revisions included."""
    is_back = prints.number("marks") & Mark.CANCEL != 0
    traded = prints.take(~is_back)
    known_ns, gone_ns = traded.number("ts_recv_ns"), _gone_ns(traded, prints.take(is_back))
    order = np.argsort(traded.number("ts_event_ns"), kind="stable")
    traded, known_ns, gone_ns = traded.take(order), known_ns[order], gone_ns[order]
    starts = traded.number("ts_event_ns") // length_ns * length_ns
    rows = []
    for start_ns in np.unique(starts).tolist():
        first, last = np.searchsorted(starts, [start_ns, start_ns + 1]).tolist()
        part = slice(first, last)
        rows += _one(traded.slice(first, last), known_ns[part], gone_ns[part], start_ns, length_ns)
    return Block.from_rows(Kind.BAR, [{**row, "instrument_id": instrument_id} for row in rows])


def _gone_ns(traded: Block, back: Block) -> Numbers:
    """(n,) int64: when each print was known to be taken back; `_NEVER` for most."""
    gone_ns = np.full(len(traded), _NEVER)
    by_id = np.argsort(traded.number("trade_id"), kind="stable")
    places = np.searchsorted(traded.number("trade_id")[by_id], back.number("corrects_trade_id"))
    gone_ns[by_id[places]] = back.number("ts_recv_ns")
    return gone_ns


def _one(prints: Block, known_ns: Numbers, gone_ns: Numbers, start_ns: int, length_ns: int) -> list[dict[str, object]]:
    """One bar's row, and a row for each of its revisions."""
    sent_ns = start_ns + length_ns + _AFTER_NS
    changes = np.concatenate([known_ns[known_ns > sent_ns], gone_ns[(gone_ns > sent_ns) & (gone_ns < _NEVER)]])
    rows: list[dict[str, object]] = []
    for moment_ns in [sent_ns, *np.unique(changes).tolist()]:
        values = _values(prints, (known_ns <= moment_ns) & (gone_ns > moment_ns))
        if values is not None and (not rows or values.items() - rows[-1].items()):
            rows.append(
                {
                    "ts_event_ns": start_ns,
                    "ts_recv_ns": moment_ns + (_REVISED_AFTER_NS if rows else 0),
                    "ts_close_ns": start_ns + length_ns,
                    "bar_unit": int(BarUnit.TIME),
                    "bar_length": length_ns,
                    "basis": int(BarBasis.VENDOR),
                    "revision": len(rows),
                    **values,
                }
            )
    return rows


def _values(prints: Block, is_known: Numbers) -> dict[str, object] | None:
    """What a bar of the known ones says; None when none of them may move open and close."""
    marks, price_nano, size = prints.number("marks"), prints.number("price_nano"), prints.number("size_steps")
    lasts = price_nano[is_known & (marks & Mark.NO_LAST == 0)]
    if not len(lasts):
        return None
    ranges = price_nano[is_known & (marks & Mark.NO_HIGH_LOW == 0)]
    is_volume = is_known & (marks & Mark.NO_VOLUME == 0)
    volume = int(size[is_volume].sum())
    return {
        "open_nano": int(lasts[0]),
        "close_nano": int(lasts[-1]),
        "high_nano": int(max(ranges.max(), lasts.max())),
        "low_nano": int(min(ranges.min(), lasts.min())),
        "volume_steps": volume,
        "trade_count": int(is_volume.sum()),
        "vwap": round(float((price_nano[is_volume] / NANO * size[is_volume]).sum() / volume), 6),
    }
