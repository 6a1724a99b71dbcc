"""Tables as sources of events: CSV, Parquet and Arrow (Feather) files, streamed, by a mapping said or detected.

Rows are numbered from 1 without the header and without blank lines. A row that can't be read becomes a REJECTED event
with its number, in its place. A file is refused whole when most rows of its head can't be read: then the mapping is
wrong, not the rows.

Sizes are counted in the step said (`size_step=`), else in whole units, or in 1e-8 when the head shows fractions. A size
that is no whole number of steps is refused with its row: nothing is rounded.
"""

import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from pipeline.block import Block, Blocks, Numbers
from pipeline.codes import FeedAction, Kind, Mark
from pipeline.errors import ConfigError, FeedError, UnitError
from pipeline.feeds.columns import Exact, exact_counts, exact_steps, exact_times, texts
from pipeline.feeds.table_files import BadRow, Chunk, Table, opened_table
from pipeline.feeds.zones import zone_named
from pipeline.instruments import COIN_STEP_NANO
from pipeline.normalize.conditions import bits_of
from pipeline.normalize.marks import Seen, hashes, with_mark
from pipeline.normalize.rows import TEXT_LENGTH_MAX, ranked
from pipeline.normalize.tables import (
    BUYER_MAKER,
    COUNTS,
    PRICES,
    REQUIRED,
    SIDES,
    SIZES,
    Mapping,
    block_of_table,
    completed,
    mapping_of,
    mapping_of_text,
    timeframe_ns,
)
from pipeline.units import ABSENT, text_from_nano

HEAD_ROWS: Final = 1_000
"""How many rows are looked at to find the length of bars, the step of sizes, and whether rows can be read at all."""

CHUNK_ROWS: Final = 32_768

_SIZE_HINT: Final = "say how fine with size_step="
_TIMES: Final = ("instrument_id", "ts_event_ns", "ts_recv_ns")
_IDENTITY: Final = {
    Kind.QUOTE: (*_TIMES, "bid_nano", "ask_nano", "bid_size_steps", "ask_size_steps"),
    Kind.BAR: (*_TIMES, "open_nano", "high_nano", "low_nano", "close_nano", "volume_steps", "trade_count"),
}
"""All that a table's row says: what makes two rows of one file the same row."""


def mapping_from(text: str) -> Mapping:
    """The mapping an operator gave: `key=value` words, or the name of a TOML file with the same keys.

    Raises ConfigError naming file and key.
    """
    if "=" in text:
        return mapping_of_text(text)
    try:
        return mapping_of(tomllib.loads(Path(text).read_text("utf-8")))
    except (OSError, ValueError, RecursionError, ConfigError) as error:
        raise ConfigError(f"{text}: {error}") from None


class TableFile:
    """A table as a source of events.

    Raises FeedError at once when there is no mapping for its columns or when most of its first rows can't be read.
    """

    def __init__(
        self, path: Path, mapping: Mapping | None = None, *, delay_ns: int = 0, chunk_rows: int = CHUNK_ROWS
    ) -> None:
        self.name = path.name
        self._path = path
        self._delay_ns = delay_ns
        self._chunk_rows = chunk_rows
        with opened_table(path) as table:
            self._mapping = _completed(mapping or Mapping(), table, path)
            self._check_columns(table)
            head = next(table.chunks(HEAD_ROWS), None)
        if head is not None and not self._mapping.size_step:
            self._mapping = _with_size_step(self._mapping, head.rows)
        self._length_ns = self._checked_head(head)

    def events(self) -> Iterator[Blocks]:
        """Batches of up to `chunk_rows` rows. Raises FeedError with the number of the row, from 1."""
        reader = _Reader(self._mapping, self._length_ns, self._delay_ns)
        with opened_table(self._path) as table:
            for chunk in table.chunks(self._chunk_rows):
                if batch := reader.batch(chunk):
                    yield batch
            if table.bad_rows:
                yield ranked(_rejected(table.bad_rows))
            if table.problem:
                raise FeedError(self._path, f"row {table.next_row + len(table.bad_rows)}", table.problem)

    def _check_columns(self, table: Table) -> None:
        for key, column in self._mapping.columns().items():
            if column not in table.names:
                raise FeedError(
                    self._path,
                    "header",
                    f"no column {column!r} for {key}; there are {', '.join(table.names)[:TEXT_LENGTH_MAX]}",
                )

    def _checked_head(self, head: Chunk | None) -> int:
        """The length of a bar. Raises FeedError when more than half of a head's rows can't be read."""
        mapping = self._mapping
        try:
            if mapping.tz:
                zone_named(mapping.tz)
            if head is None:
                return timeframe_ns(mapping.timeframe) if mapping.timeframe else 0
            times = _times(head.rows, mapping, "ts")
            length_ns = _length_ns(mapping, times.values)
            checked = _Checked(head.rows, mapping)
        except UnitError as error:
            raise FeedError(self._path, "row 1", str(error)) from None
        bad = checked.reasons[checked.is_bad].tolist()
        if 2 * len(bad) > len(head.rows):
            reason, _ = Counter(bad).most_common(1)[0]
            row = head.numbers[np.argmax(checked.reasons == reason)]
            raise FeedError(
                self._path, f"row {row}", f"{reason} ({len(bad)} of the first {len(head.rows)} rows can't be read)"
            )
        return length_ns


def _with_size_step(mapping: Mapping, head: pa.RecordBatch) -> Mapping:
    """The mapping with the step of coins, when the head's sizes are fractions and the mapping's own step is coarser."""
    columns = [name for key in SIZES[mapping.kind] if (name := getattr(mapping, key))]

    def refused_count(step_nano: int) -> int:
        found = [exact_steps(head.column(head.schema.get_field_index(name)), step_nano, name) for name in columns]
        return sum(int(np.count_nonzero(exact.reasons != "")) for exact in found if exact.reasons is not None)

    try:
        if refused_count(COIN_STEP_NANO) < refused_count(mapping.size_step_nano):
            return replace(mapping, size_step=text_from_nano(COIN_STEP_NANO))
    except UnitError:
        pass  # no numbers at all: the check of the head will say which column
    return mapping


def _completed(mapping: Mapping, table: Table, path: Path) -> Mapping:
    """The mapping with the rest found in the header. Raises FeedError saying what is missing."""
    whole = completed(mapping, table.names, path.name.partition(".")[0].upper())
    if whole is not None:
        return whole
    header = ", ".join(table.names)[:TEXT_LENGTH_MAX]
    if mapping.kind:
        missing = ", ".join(name for name in mapping.missing if name != "symbol")
        raise FeedError(
            path, "header", f"columns {header}: say which are the {missing} of a {mapping.kind} in a mapping"
        )
    raise FeedError(
        path,
        "header",
        f"columns {header} are not known by themselves; say kind=, symbol=, ts= and the columns in a mapping",
    )


def _length_ns(mapping: Mapping, times: Numbers) -> int:
    """The length said, else the commonest step between the head's times. Raises UnitError when there is none."""
    if mapping.timeframe:
        return timeframe_ns(mapping.timeframe)
    if mapping.kind != "bar":
        return 0
    steps = np.diff(np.unique(times[times != ABSENT])).tolist()
    if not steps:
        raise UnitError("the length of its bars can't be told from one row: say timeframe=1m or the like")
    commonest: int = max(Counter(steps).items(), key=lambda step: (step[1], -step[0]))[0]
    return commonest


def _times(chunk: pa.RecordBatch, mapping: Mapping, key: str) -> Exact:
    name = getattr(mapping, key)
    column = chunk.column(chunk.schema.get_field_index(name))
    return exact_times(column, unit=mapping.unit, zone=mapping.tz, fold=mapping.fold, name=name)


class _Checked:
    """A chunk's columns as exact integers by the mapping's keys, and why some of its rows are refused."""

    def __init__(self, chunk: pa.RecordBatch, mapping: Mapping) -> None:
        self.columns: dict[str, Numbers] = {}
        self.reasons: Numbers = np.full(len(chunk), "", object)
        self._chunk = chunk
        self._take("ts", _times(chunk, mapping, "ts"))
        if mapping.recv:
            self._take("recv", _times(chunk, mapping, "recv"))
        for key in (*PRICES[mapping.kind], *SIZES[mapping.kind], *COUNTS[mapping.kind]):
            name = getattr(mapping, key)
            if not name:
                continue
            column = self._column(name)
            if key in COUNTS[mapping.kind]:
                self._take(key, exact_counts(column, name))
            elif key in PRICES[mapping.kind]:
                self._take(key, exact_steps(column, 1, name))
            else:
                self._take(key, exact_steps(column, mapping.size_step_nano, name), _SIZE_HINT)
        needed = (*REQUIRED[mapping.kind], *(("recv",) if mapping.recv else ()))
        for key in (key for key in needed if key not in PRICES["quote"]):  # a quote may be one-sided
            self._refuse(self.columns[key] == ABSENT, f"no {key}")
        for key in SIZES[mapping.kind]:
            if key in self.columns:
                sizes = self.columns[key]
                self._refuse((sizes < 0) & (sizes != ABSENT), f"{key} is negative")
        self._sides(mapping)
        self._conditions(mapping)

    @property
    def is_bad(self) -> Numbers:
        """(n,) bool: rows that are refused."""
        return self.reasons != ""  # type: ignore[no-any-return]  # numpy hands out Any

    def refuse_row(self, row: int, reason: str) -> None:
        """Refuse one row, unless it is refused already."""
        self.reasons[row] = self.reasons[row] or reason

    def _column(self, name: str) -> Any:
        return self._chunk.column(self._chunk.schema.get_field_index(name))

    def _take(self, key: str, exact: Exact, hint: str = "") -> None:
        self.columns[key] = exact.values
        if exact.reasons is not None:
            rows = exact.reasons != ""
            for row in np.flatnonzero(rows).tolist():
                reason = exact.reasons[row]
                self.refuse_row(row, f"{reason}; {hint}" if hint and " is finer than " in reason else reason)

    def _refuse(self, rows: Numbers, reason: str) -> None:
        self.reasons[rows & (self.reasons == "")] = reason

    def _sides(self, mapping: Mapping) -> None:
        name, sides = (mapping.side, SIDES) if mapping.side else (mapping.buyer_maker, BUYER_MAKER)
        if mapping.kind != "print" or not name:
            return
        spellings = [text.lower() for text in texts(self._column(name))]
        self.columns["aggressor"] = np.array([sides.get(text, 0) for text in spellings], np.int64)
        for row, text in enumerate(spellings):
            if text not in sides:
                accepted = ", ".join(filter(None, sides))
                self.refuse_row(row, f"{name} {text[:20]!r} is unknown; accepted are {accepted}")

    def _conditions(self, mapping: Mapping) -> None:
        if mapping.kind != "print" or not mapping.conditions:
            return
        spellings = texts(self._column(mapping.conditions))
        known: dict[str, int | str] = {}
        for text in set(spellings):
            try:
                known[text] = bits_of(text, mapping.condition_codes)
            except UnitError as error:
                known[text] = str(error)
        self.columns["conditions"] = np.array(
            [bits if isinstance(bits := known[text], int) else 0 for text in spellings], np.int64
        )
        for row, text in enumerate(spellings):
            if isinstance(reason := known[text], str):
                self.refuse_row(row, f"{mapping.conditions}: {reason}")


class _Reader:
    """The chunks of one table, one after the other."""

    def __init__(self, mapping: Mapping, length_ns: int, delay_ns: int) -> None:
        self._mapping = mapping
        self._length_ns = length_ns
        self._delay_ns = delay_ns
        self._ids: dict[str, int] = {}
        self._seen = Seen()

    def batch(self, chunk: Chunk) -> Blocks:
        """The events of a chunk."""
        checked = _Checked(chunk.rows, self._mapping)
        ids, instruments = self._numbered(chunk, checked)
        is_bad = checked.is_bad
        rows = np.flatnonzero(~is_bad)
        columns = {name: column[rows] for name, column in checked.columns.items()}
        columns |= {"seq": 2 * chunk.numbers[rows], "instrument_id": ids[rows]}
        refused = [(int(chunk.numbers[row]), checked.reasons[row]) for row in np.flatnonzero(is_bad).tolist()]
        table_block = block_of_table(self._mapping, columns, length_ns=self._length_ns, delay_ns=self._delay_ns)
        return ranked([self._marked(table_block), *instruments, *_rejected(chunk.bad_rows + refused)])

    def _marked(self, block: Block) -> Block:
        """A bar or a quote that repeats an earlier row whole, its times too, is a duplicate.

        A print is not: two trades of one size at one price and time are two trades. Those with a trade id are found
        by it when sources are merged.
        """
        if block.kind is Kind.PRINT or not len(block):
            return block
        identity = hashes([block.number(name) for name in _IDENTITY[block.kind]])
        repeated = self._seen.duplicates(identity, np.zeros(len(block), np.int16), np.ones(len(block), np.bool_))
        return block.with_columns(marks=with_mark(block.number("marks"), repeated, Mark.DUPLICATE))

    def _numbered(self, chunk: Chunk, checked: _Checked) -> tuple[Numbers, Blocks]:
        """(n,) our number of each row's instrument, and the definitions of those met for the first time."""
        ids = np.zeros(len(chunk.rows), np.int32)
        rows = np.flatnonzero(~checked.is_bad)
        numbers = chunk.numbers[rows]
        spellings, first, which = self._spellings(chunk.rows, rows)
        met: list[dict[str, Any]] = []
        for place in np.argsort(first).tolist():
            spelt = which == place
            try:
                instrument = self._mapping.instrument(spellings[place])
            except UnitError as error:
                for row in rows[spelt].tolist():
                    checked.refuse_row(row, str(error))
                continue
            if instrument.symbol not in self._ids:
                self._ids[instrument.symbol] = len(self._ids) + 1
                header = {"seq": 2 * int(numbers[first[place]]) - 1, "ts_event_ns": ABSENT, "ts_recv_ns": ABSENT}
                met.append({**header, "instrument_id": self._ids[instrument.symbol], **instrument.row()})
            ids[rows[spelt]] = self._ids[instrument.symbol]
        return ids, [Block.from_rows(Kind.INSTRUMENT, met)] if met else []

    def _spellings(self, chunk: pa.RecordBatch, rows: Numbers) -> tuple[list[str], Numbers, Numbers]:
        """The symbols of these rows: each spelling once, the first row it stands in, and which one each row has."""
        name = self._mapping.symbol_column
        if name:
            symbols = np.array(texts(chunk.column(chunk.schema.get_field_index(name))), object)[rows]
            found, first, which = np.unique(symbols.astype(str), return_index=True, return_inverse=True)
            return found.tolist(), first, which
        none = np.zeros(0, np.int64)
        return (
            ([self._mapping.symbol], np.zeros(1, np.int64), np.zeros(len(rows), np.int64))
            if len(rows)
            else ([], none, none)
        )


def _rejected(rows: list[BadRow]) -> Blocks:
    """The rows as REJECTED events, each in its place: twice its number, for an instrument's definition may stand in front."""
    if not rows:
        return []
    times = {"ts_event_ns": ABSENT, "ts_recv_ns": ABSENT, "action": FeedAction.REJECTED}
    told = [
        {**times, "seq": 2 * number, "position": number, "text": reason[:TEXT_LENGTH_MAX]}
        for number, reason in sorted(rows)
    ]
    return [Block.from_rows(Kind.FEED, told)]
