"""Samples for tests of feeds: where the real files are, sources made of rows, DBN bytes made of records."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import databento_dbn as dbn
import numpy as np
import pytest

from pipeline.block import Block, Blocks, concat
from pipeline.codes import Kind
from pipeline.instruments import WHOLE_STEP_NANO, Instrument
from pipeline.normalize.rows import ranked
from pipeline.units import ABSENT, SECOND_NS

DATA = Path(__file__).parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded files (../shared/data) are not here")

START_NS = 1_700_000_000 * SECOND_NS
INSTRUMENT_ID = 7


def rows_of(batches) -> list[dict]:
    """All rows in order, each with its kind; `seq` runs on over the batches."""
    rows, start = [], 0
    for batch in batches:
        found = [{**row, "kind": block.kind, "seq": row["seq"] + start} for block in batch for row in block.rows()]
        found.sort(key=lambda row: row["seq"])
        assert [row["seq"] for row in found] == list(range(start + 1, start + len(found) + 1))
        assert len({block.kind for block in batch}) == len(batch)
        rows += found
        start += len(found)
    return rows


def counts_of(batches) -> dict[str, int]:
    """How many rows of each kind."""
    counts: dict[str, int] = {}
    for batch in batches:
        for block in batch:
            counts[block.kind.name] = counts.get(block.kind.name, 0) + len(block)
    return counts


def readable(batches) -> tuple[list[Blocks], Exception | None]:
    """The batches that can be read, and the error that ended them."""
    got = []
    try:
        got.extend(batches)
    except Exception as error:  # noqa: BLE001 - the test looks at what it is
        return got, error
    return got, None


class RowSource:
    """A source of prepared batches, ended by an error if there is one."""

    def __init__(self, name: str, batches: list[Blocks], error: Exception | None = None) -> None:
        self.name = name
        self._batches = batches
        self._error = error

    def events(self) -> Iterator[Blocks]:
        yield from self._batches
        if self._error is not None:
            raise self._error


def quotes_and_prints(
    recv_ns: list[int], *, symbol: str = "ABC", trade_ids: dict[int, int] | None = None, chunk: int | None = None
) -> list[Blocks]:
    """An instrument, then rows at these times: prints where `trade_ids` names one, quotes elsewhere."""
    trade_ids = trade_ids or {}
    instrument = Instrument(symbol, "TEST", WHOLE_STEP_NANO)
    rows = [(Kind.INSTRUMENT, {"ts_recv_ns": ABSENT, "ts_event_ns": ABSENT, **instrument.row()})]
    for place, time_ns in enumerate(recv_ns):
        header = {"ts_recv_ns": time_ns, "ts_event_ns": time_ns}
        if place in trade_ids:
            rows.append((Kind.PRINT, {**header, "price_nano": 5, "size_steps": 1, "trade_id": trade_ids[place]}))
        else:
            rows.append((Kind.QUOTE, {**header, "bid_nano": place, "ask_nano": place + 1, "vendor_seq": place}))
    chunk = chunk or len(rows)
    return [
        ranked([Block.from_rows(kind, [{"seq": n, "instrument_id": 1, **row}]) for n, (kind, row) in enumerate(part)])
        for part in (rows[at : at + chunk] for at in range(0, len(rows), chunk))
    ]


def dbn_records(message: type, count: int, **columns) -> np.ndarray:
    """Records of a message class; times a millisecond apart, prices and sizes given or 0."""
    layout = np.dtype(message._dtypes)
    records = np.zeros(count, layout)
    records["length"] = layout.itemsize // 4
    records["instrument_id"] = INSTRUMENT_ID
    records["publisher_id"] = 2
    records["ts_event"] = START_NS + np.arange(count) * 1_000_000
    if "ts_recv" in layout.names:
        records["ts_recv"] = records["ts_event"] + np.uint64(1_000)
    for name, letter in (("action", b"A"), ("side", b"N")):
        if name in layout.names and layout[name].kind == "S":
            records[name] = letter
    for name, values in columns.items():
        records[name] = values
    return records


def dbn_metadata(schema: dbn.Schema | None, *, symbol: str = "ABC", ts_out: bool = False, mappings=None) -> bytes:
    """The header of a DBN file in which INSTRUMENT_ID is `symbol`."""
    first, last = date(2023, 11, 1), date(2023, 12, 1)
    intervals = [SimpleNamespace(start_date=first, end_date=last, symbol=str(INSTRUMENT_ID))]
    return dbn.Metadata(
        dataset="XNAS.ITCH",
        start=START_NS,
        end=None,
        limit=None,
        stype_in=dbn.SType.RAW_SYMBOL,
        stype_out=dbn.SType.INSTRUMENT_ID,
        schema=schema,
        symbols=[symbol],
        partial=[],
        not_found=[],
        mappings=mappings if mappings is not None else [SimpleNamespace(raw_symbol=symbol, intervals=intervals)],
        ts_out=ts_out,
    ).encode()


def one_block(batches, kind: Kind) -> Block:
    """All rows of a kind."""
    return next(block for block in concat([block for batch in batches for block in batch]) if block.kind is kind)
