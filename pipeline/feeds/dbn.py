"""DBN files, plain or zstd, versions 1 to 3: read in chunks, whole arrays at a time, in memory that does not grow.

A file of one schema and a recorded live session (any mix of records) take the same way: records are grouped into runs
of one type, and each run is normalised at once.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import databento_dbn as dbn
import numpy as np

from pipeline.block import Block, Blocks, Numbers
from pipeline.codes import FeedAction, Kind, Mark
from pipeline.errors import FeedError, UnitError
from pipeline.feeds.dbn_symbols import Symbols
from pipeline.feeds.streams import ByteStream, opened
from pipeline.instruments import Instrument
from pipeline.normalize.databento import (
    PLACES_A_RECORD,
    REFUSED_BY_RTYPE,
    SCHEMA_BY_RTYPE,
    UNDEF_TIMESTAMP,
    blocks_of,
)
from pipeline.normalize.databento_records import Run, runs
from pipeline.normalize.databento_symbols import instrument_of_definition
from pipeline.normalize.databento_words import metadata_of
from pipeline.normalize.marks import Seen, hashes, with_mark
from pipeline.normalize.rows import TEXT_LENGTH_MAX, ranked
from pipeline.units import ABSENT, checked_ts

CHUNK_RECORDS: Final = 32_768
"""Records read at once: some megabytes, whatever the file's size."""

_RECORD_BYTES: Final = 80
_METADATA_BYTES_MAX: Final = 1 << 28
_DBN_VERSIONS: Final = (1, 2, 3)
_DEFINITION, _ERROR, _SYMBOL_MAPPING, _SYSTEM = 19, 21, 22, 23
_ACTION_BY_SYSTEM_CODE: Final = {1: FeedAction.SUBSCRIBED, 2: FeedAction.SLOW, 5: FeedAction.UNSUBSCRIBED}
_SKIPPED_RECORDS: Final = 7
"""The gateway's error code for records left out because the reader was slow."""

ACCEPTED_SCHEMAS: Final = tuple(sorted({*SCHEMA_BY_RTYPE.values(), "tbbo"}))


class DbnFile:
    """A DBN file as a source of events.

    Raises FeedError at once when the header can't be read or the schema maps to no event, and while reading when a
    record is damaged or the file is cut; what came before has been yielded then.
    """

    def __init__(self, path: Path, *, delay_ns: int = 0, chunk_records: int = CHUNK_RECORDS) -> None:
        self.name = path.name
        self._path = path
        self._delay_ns = delay_ns
        self._chunk_bytes = chunk_records * _RECORD_BYTES
        with opened(path) as stream:
            schema = _metadata(stream, path).schema
        if schema is not None and str(schema) not in ACCEPTED_SCHEMAS:
            raise FeedError(
                path, "header", f"schema {schema} maps to no event; accepted are {', '.join(ACCEPTED_SCHEMAS)}"
            )

    def events(self) -> Iterator[Blocks]:
        """Batches of some 32 k records. Raises FeedError with the number of the record, from 1."""
        with opened(self._path) as stream:
            reader = _Reader(self._path, _metadata(stream, self._path), self._delay_ns)
            yield from reader.batches(stream, self._chunk_bytes)


def _metadata(stream: ByteStream, path: Path) -> dbn.Metadata:
    prelude = stream.read(8)
    if len(prelude) < 8 or prelude[:3] != b"DBN":
        raise FeedError(path, "header", stream.problem or "this is no DBN file")
    version, length = prelude[3], int.from_bytes(prelude[4:], "little")
    if version not in _DBN_VERSIONS:
        raise FeedError(path, "header", f"DBN version {version} is unknown; accepted are 1, 2 and 3")
    body = stream.read(length) if length < _METADATA_BYTES_MAX else b""
    if len(body) < length:
        raise FeedError(path, "header", f"metadata of {length} bytes is cut after {len(body)}")
    try:
        return metadata_of(prelude + body)
    except ValueError as error:
        raise FeedError(path, "header", f"metadata can't be read: {error}") from None


class _Reader:
    """One reading of a file: how far it is, which symbols it met, what it left out."""

    def __init__(self, path: Path, metadata: dbn.Metadata, delay_ns: int) -> None:
        self._path = path
        self._metadata = metadata
        self._delay_ns = delay_ns
        self._symbols = Symbols(metadata)
        self._defined: dict[str, Instrument] = {}
        self._prints_seen = Seen()
        self._record_count = 0
        self._ignored: dict[str, int] = {}

    def batches(self, stream: ByteStream, chunk_bytes: int) -> Iterator[Blocks]:
        """All batches, then what was ignored, then FeedError when the file did not end well."""
        rest = b""
        while chunk := stream.read(chunk_bytes):
            buffer = rest + chunk if rest else chunk
            blocks, used, problem = self._blocks_of_buffer(buffer)
            if batch := ranked(blocks):
                yield batch
            if problem:
                raise self._error(problem)
            rest = buffer[used:]
        if self._ignored:
            yield [self._ignored_block()]
        if stream.problem or rest:
            raise self._error(stream.problem or f"the file ends within a record, after {len(rest)} bytes of it")

    def _error(self, problem: str) -> FeedError:
        return FeedError(self._path, f"record {self._record_count + 1}", problem)

    def _blocks_of_buffer(self, buffer: bytes) -> tuple[Blocks, int, str]:
        """The buffer's events, how many bytes were used, and why it went no further ('': the buffer ended)."""
        blocks: Blocks = []
        used = 0
        for run in runs(buffer, ts_out=self._metadata.ts_out):
            if run.problem:
                return blocks, used, run.problem
            try:
                blocks += [self._based(block) for block in self._blocks_of_run(run)]
            except UnitError as error:
                return blocks, used, str(error)
            self._record_count += len(run.records)
            used = run.end
        return blocks, used, ""

    def _blocks_of_run(self, run: Run) -> Blocks:
        match run.rtype:
            case 19:
                return self._definitions(run.records)
            case rtype if rtype in SCHEMA_BY_RTYPE:
                ids, met = self._symbols.ids_of(run.records)
                blocks = blocks_of(run.records, ids, delay_ns=self._delay_ns)
                return self._instruments(met) + [self._marked(block, rtype) for block in blocks]
            case 22:
                self._symbols.learn(run.records)
            case 21 | 23:
                return self._gateway_messages(run)
            case rtype:
                self._ignore(REFUSED_BY_RTYPE.get(rtype, f"record type {rtype}"), len(run.records))
        return []

    def _marked(self, block: Block, rtype: int) -> Block:
        """A live session may hold a trade twice, from `trades` and from `mbp-1`: the second one is a duplicate."""
        if block.kind is not Kind.PRINT or self._metadata.schema is not None:
            return block
        names = ("instrument_id", "ts_event_ns", "price_nano", "size_steps", "vendor_seq")
        identity = hashes([block.number(name) for name in names])
        rtypes, is_unique = np.full(len(block), rtype, np.int16), np.zeros(len(block), np.bool_)
        repeated = self._prints_seen.duplicates(identity, rtypes, is_unique)
        return block.with_columns(marks=with_mark(block.number("marks"), repeated, Mark.DUPLICATE))

    def _based(self, block: Block) -> Block:
        """Places and positions of a run, counted from the file's start."""
        block = block.with_columns(seq=block.number("seq") + self._record_count * PLACES_A_RECORD)
        if block.kind is not Kind.FEED:
            return block
        position = block.number("position")
        return block.with_columns(position=np.where(position == ABSENT, ABSENT, position + self._record_count + 1))

    def _instruments(self, met: list[tuple[int, int, Any]]) -> Blocks:
        rows = [
            {
                "seq": record * PLACES_A_RECORD,
                "ts_event_ns": ABSENT,
                "ts_recv_ns": ABSENT,
                "instrument_id": instrument_id,
                **instrument.row(),
            }
            for record, instrument_id, instrument in met
        ]
        return [Block.from_rows(Kind.INSTRUMENT, rows)] if rows else []

    def _definitions(self, records: Numbers) -> Blocks:
        """What instruments are; a definition that says again what the one before it said is counted only."""
        rows: list[dict[str, Any]] = []
        for index, record in enumerate(records):
            event_ns, recv_ns = int(record["ts_event"]), int(record["ts_recv"])
            if recv_ns == UNDEF_TIMESTAMP:
                recv_ns = event_ns + self._delay_ns
            instrument = instrument_of_definition(record, self._metadata.dataset)
            if self._defined.get(instrument.symbol) == instrument:
                self._ignore("repeated definitions", 1)
                continue
            self._defined[instrument.symbol] = instrument
            rows.append(
                {
                    "seq": index * PLACES_A_RECORD,
                    "ts_event_ns": checked_ts(recv_ns if event_ns == UNDEF_TIMESTAMP else event_ns),
                    "ts_recv_ns": checked_ts(recv_ns),
                    "instrument_id": self._symbols.id_of(instrument.symbol),
                    **instrument.row(),
                }
            )
        return [Block.from_rows(Kind.INSTRUMENT, rows)] if rows else []

    def _gateway_messages(self, run: Run) -> Blocks:
        """What the live gateway said: gaps, slow reading, subscriptions; heartbeats are counted only."""
        rows: list[dict[str, Any]] = []
        is_error = run.rtype == _ERROR
        for index, record in enumerate(run.records):
            code = int(record["code"]) if "code" in (run.records.dtype.names or ()) else 0
            if not is_error and code not in _ACTION_BY_SYSTEM_CODE:
                self._ignore("system", 1)
                continue
            error_action = FeedAction.GAP_OPENED if code == _SKIPPED_RECORDS else FeedAction.LOST
            text = bytes(record["err" if is_error else "msg"]).decode("ascii", "replace")
            rows.append(
                {
                    "seq": index * PLACES_A_RECORD,
                    "ts_event_ns": ABSENT,
                    "ts_recv_ns": ABSENT,
                    "action": error_action if is_error else _ACTION_BY_SYSTEM_CODE[code],
                    "code": code,
                    "text": text[:TEXT_LENGTH_MAX],
                }
            )
        return [Block.from_rows(Kind.FEED, rows)] if rows else []

    def _ignore(self, what: str, count: int) -> None:
        self._ignored[what] = self._ignored.get(what, 0) + count

    def _ignored_block(self) -> Block:
        rows = [
            {
                "seq": rank,
                "ts_event_ns": ABSENT,
                "ts_recv_ns": ABSENT,
                "action": FeedAction.IGNORED,
                "count": count,
                "text": what,
            }
            for rank, (what, count) in enumerate(sorted(self._ignored.items()), 1)
        ]
        return Block.from_rows(Kind.FEED, rows)
