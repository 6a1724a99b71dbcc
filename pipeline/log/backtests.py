"""Backtests: folders of result rows, one row for each session and set of parameters.

    backtests/<id>/backtest.json             what was asked, proved by the hash in front of it
    backtests/<id>/cells-<blake3>.parquet    rows; the name is the hash of the file, so a file proves itself
    backtests/<id>/lock                      held by the one process that adds rows

The id is made of what was asked, by content: the same sessions, code, parameters and settings are the same backtest, so
asking again goes on where it was interrupted. Rows are added by publishing one more file. When all are there they are
written as one, in order, and the others are dropped; a crash in between leaves rows twice, which count once, by session,
day and place in the sweep. Two sessions of one content have rows of one key, and each has its own.
"""

import contextlib
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from blake3 import blake3

from pipeline.errors import CorruptError, NotFoundError
from pipeline.log import proved
from pipeline.log.disk import Disk, Held, publish
from pipeline.log.lock import FILE_NAME as LOCK
from pipeline.log.store import Store, checked_id
from pipeline.names import did_you_mean, listed

FOLDER: Final = "backtests"
ASKED: Final = "backtest.json"
PART: Final = "cells-*.parquet"
_HASH_CHARS: Final = 32

Place = tuple[str, str, int]
"""Of a cell: its session, the day of its picks, the place of its parameters in the sweep."""

Value = bool | int | float | str
"""Of a parameter; the sizes of bars are a text."""


class Backtest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was asked."""

    id: str
    created_ns: int
    strategies: tuple[str, ...]
    params: dict[str, Value]
    """Those that are the same in all cells; with the strategy's name in front when there are several."""
    sweeps: dict[str, tuple[Value, ...]]
    sessions: tuple[str, ...]
    settings: dict[str, Any]
    overnight: str
    code_hash: str
    rows: int
    """How many there are when all is done."""
    packages: dict[str, str]
    platform: str
    scanner: str = ""
    """What chose the symbols: the days of picks (`picks of 2026-10-01..2026-11-20`), or a scanner's name; '' for all there are."""


class SymbolRow(msgspec.Struct, frozen=True):
    """What one strategy came to in one symbol of a cell; money in 1e-9 of the quote currency. They add up to their cell's."""

    strategy: str
    symbol: str
    intents: int
    refused: int
    fills: int
    trades: int
    open_positions: int
    net_profit_nano: int
    open_profit_nano: int
    fees_nano: int


class TradeSums(msgspec.Struct, frozen=True):
    """Sums over closed round trips, profits after fees in 1e-9 of the quote currency: exact, so those of sessions add up.

    Mean, deviation, skew and kurtosis of a trade follow from them. A fill that turns a position around shares its fee by size.
    """

    count: int = 0
    won: int = 0
    """With a profit above 0."""
    lost: int = 0
    total: int = 0
    squares: int = 0
    cubes: int = 0
    fourths: int = 0

    def __add__(self, other: "TradeSums") -> "TradeSums":
        """Of both."""
        return TradeSums(*map(int.__add__, msgspec.structs.astuple(self), msgspec.structs.astuple(other)))

    def with_trade(self, profit_nano: int) -> "TradeSums":
        """With one trade more."""
        powers = (profit_nano**power for power in range(1, 5))
        return self + TradeSums(1, int(profit_nano > 0), int(profit_nano < 0), *powers)


class CellRow(msgspec.Struct, frozen=True):
    """What one set of parameters came to in one session. Money in 1e-9 of the quote currency, but for the drawdown."""

    key: str
    """Hash of all that the row depends on: the session's content, code, parameters, settings, what was carried in."""
    session: str
    cell: int
    """Place of the parameters in the sweep, from 1."""
    params: dict[str, Value]
    events: int
    intents: int
    refused: int
    """Orders that the risk gate refused."""
    refused_by: dict[str, int]
    """The same by rule."""
    invalid: int
    """Wishes that make no order."""
    invalid_by: dict[str, int]
    """The same by what was wrong with them, an outcome of `codes.IntentOutcome`."""
    fills: int
    trades: int
    open_positions: int
    net_profit_nano: int
    """Exact: fees off, what is open at the end valued at the far side of the quote."""
    open_profit_nano: int
    fees_nano: int
    max_drawdown: float
    decisions_hash: str
    state_hash: str
    stopped: tuple[str, ...]
    run: str
    """The whole log, when it was kept."""
    seconds: float
    day: str = ""
    """On which day's picks it traded, `2026-11-20`; '' for all that the session holds."""
    trade_sums: TradeSums = TradeSums()
    """Of its closed trades; a row that was written before there were any has none."""
    symbols: tuple[SymbolRow, ...] = ()
    """By strategy and instrument: where there was a wish, a position or a trade, and all that was picked."""

    @property
    def place(self) -> "Place":
        """What tells it from the other rows of its backtest."""
        return self.session, self.day, self.cell


_MONEY: Final = pa.decimal128(38, 0)
_COUNTS: Final = ("cell", "events", "intents", "refused", "invalid", "fills", "trades", "open_positions")
_COUNTED: Final = ("refused_by", "invalid_by")
_TEXTS: Final = ("key", "session", "day", "decisions_hash", "state_hash", "run", "params_json")
_TRADE_SUMS: Final = pa.struct(
    [
        *((name, pa.int64()) for name in ("count", "won", "lost")),
        *((name, pa.utf8()) for name in ("total", "squares", "cubes", "fourths")),  # past every width of integers
    ]
)
_SYMBOL: Final = pa.struct(
    [
        *((name, pa.utf8()) for name in ("strategy", "symbol")),
        *((name, pa.int64()) for name in ("intents", "refused", "fills", "trades", "open_positions")),
        *((name, _MONEY) for name in ("net_profit_nano", "open_profit_nano", "fees_nano")),
    ]
)
SCHEMA: Final = pa.schema(
    [
        *((name, pa.utf8()) for name in _TEXTS),
        ("params", pa.map_(pa.utf8(), pa.float64())),
        *((name, pa.int64()) for name in _COUNTS),
        *((name, pa.map_(pa.utf8(), pa.int64())) for name in _COUNTED),
        *((name, _MONEY) for name in ("net_profit_nano", "open_profit_nano", "fees_nano")),
        ("max_drawdown", pa.float64()),
        ("stopped", pa.list_(pa.utf8())),
        ("seconds", pa.float64()),
        ("trade_sums", _TRADE_SUMS),
        ("symbols", pa.list_(_SYMBOL)),
    ]
)
"""Columns of a part. `params` are the numbers, to ask about; `params_json` is exact, and has the texts."""


class Results:
    """The rows of one backtest."""

    def __init__(self, store: Store, id_: str) -> None:
        """Raises ConfigError for what is no id."""
        self.folder: Final = store.home / FOLDER / checked_id(id_)
        self._disk: Disk = store.disk

    def asked(self) -> Backtest:
        """What was asked. Raises NotFoundError, CorruptError."""
        try:
            return proved.read(self.folder / ASKED, Backtest)
        except FileNotFoundError:
            raise NotFoundError(f"{self.folder.name}: no such backtest") from None

    def begin(self, asked: Backtest) -> None:
        """Write what was asked, unless it stands there already. Raises OSError."""
        proved.write_first(self._disk, self.folder, ASKED, asked)

    def rows(self) -> list[CellRow]:
        """All rows so far, by session as asked and place in the sweep. Raises CorruptError, NotFoundError."""
        return self._in_order(row for table in self.tables() for row in _rows(table))

    def rows_of(self, keys: Collection[str]) -> list[CellRow]:
        """Those with one of these keys; as `rows`, but only they are made. Raises CorruptError, NotFoundError."""
        return self._in_order(row for table in self._read(partial(_table_of, keys=keys)) for row in _rows(table))

    def _in_order(self, read: Iterable[CellRow]) -> list[CellRow]:
        places = {session: place for place, session in enumerate(self.asked().sessions)}
        found = {row.place: row for row in sorted(read, key=lambda row: bool(row.run))}  # one that kept its run is more
        return sorted(found.values(), key=lambda row: (places[row.session], row.day, row.cell))

    def tables(self) -> list[pa.Table]:
        """The parts, each proved. Raises CorruptError, NotFoundError."""
        return self._read(_table)

    def _read(self, read: Callable[[Path], pa.Table]) -> list[pa.Table]:
        """All parts; once more where who finishes has put them into one meanwhile."""
        while True:
            parts = self._parts()
            try:
                return [read(path) for path in parts]
            except FileNotFoundError:
                self.asked()  # raises when it was deleted
                if self._parts() == parts:
                    raise

    def add(self, rows: Sequence[CellRow]) -> None:
        """Publish rows, all or none of them, durable when this returns. Raises OSError."""
        if rows:
            self._publish(rows)

    def finish(self) -> list[CellRow]:
        """Put all rows into one part, in order; give them."""
        rows, parts = self.rows(), self._parts()
        if len(parts) > 1:
            whole = self._publish(rows)
            for path in parts:
                if path != whole:
                    self._disk.unlink(path)
        return rows

    def hold(self) -> Held:
        """Become the one process that adds rows. Raises LockedError naming the process that is."""
        return self._disk.lock(self.folder / LOCK)

    def delete(self) -> None:
        """Take it away, what was asked first: without it there is none. Raises LockedError, NotFoundError."""
        self.asked()
        held = self.hold()
        try:
            self._disk.unlink(self.folder / ASKED)
            shutil.rmtree(self.folder)
        finally:
            held.release()

    def _publish(self, rows: Iterable[CellRow]) -> Path:
        sink = pa.BufferOutputStream()
        pq.write_table(table_of(rows), sink, compression="zstd")
        content = sink.getvalue()
        path = self.folder / PART.replace("*", blake3(content).hexdigest()[:_HASH_CHARS])
        publish(self._disk, path, memoryview(content))
        return path

    def _parts(self) -> list[Path]:
        return sorted(self.folder.glob(PART))


def table_of(rows: Iterable[CellRow]) -> pa.Table:
    """Rows as a table with the columns of SCHEMA."""
    return pa.Table.from_pylist([_record(row) for row in rows], SCHEMA)


def backtests(store: Store) -> list[Backtest]:
    """What was asked so far, oldest first. Raises CorruptError."""
    found = []
    for path in (store.home / FOLDER).glob(f"[!.]*/{ASKED}"):
        with contextlib.suppress(NotFoundError):  # another command deletes it
            found.append(Results(store, path.parent.name).asked())
    return sorted(found, key=lambda asked: (asked.created_ns, asked.id))


def rows_by_backtest(
    store: Store, keys: Collection[str] | None = None, *, of: Iterable[Backtest] | None = None
) -> Iterator[tuple[Backtest, list[CellRow]]]:
    """Each of them, or of these, with its rows so far, or those with one of these keys; what is deleted meanwhile is left out. Raises CorruptError."""
    for asked in backtests(store) if of is None else of:
        results = Results(store, asked.id)
        try:
            rows = results.rows() if keys is None else results.rows_of(keys)
        except NotFoundError:  # another command deletes it
            continue
        yield asked, rows


def find_backtest(store: Store, text: str) -> Backtest:
    """The backtest of this id, the one whose id begins so, or the last one. Raises NotFoundError."""
    among = backtests(store)
    found = among[-1:] if text == "last" else [asked for asked in among if asked.id.startswith(text)]
    exact = [asked for asked in found if asked.id == text] or found
    if len(exact) != 1:
        names, hint = [asked.id for asked in among], did_you_mean(text, [asked.id for asked in among])
        raise NotFoundError(f"{text!r} names {len(exact)} backtests; there is {listed(names[::-1])}{hint}")
    return exact[0]


def damage(folder: Path) -> list[CorruptError]:
    """Every file of a backtest's folder whose bytes are not those that were written."""
    found = []
    try:
        proved.read(folder / ASKED, Backtest)
    except CorruptError as error:
        found.append(error)
    except FileNotFoundError:
        if any(folder.glob(PART)):
            found.append(CorruptError(folder / ASKED, 0, "the file is missing"))
    for path in sorted(folder.glob(PART)):
        try:
            _proved_bytes(path)
        except CorruptError as error:
            found.append(error)
    return found


def _proved_bytes(path: Path) -> bytes:
    content = path.read_bytes()
    if path.stem.rpartition("-")[2] != blake3(content).hexdigest()[:_HASH_CHARS]:
        raise CorruptError(path, 0, "its content does not have the hash that is its name")
    return content


def _table(path: Path) -> pa.Table:
    return pq.read_table(pa.BufferReader(_proved_bytes(path)), use_threads=False)


def _table_of(path: Path, keys: Collection[str]) -> pa.Table:
    """The part's rows with one of these keys: most parts have none, and then nothing else is decoded."""
    content = _proved_bytes(path)
    own = pq.read_table(pa.BufferReader(content), columns=["key"], use_threads=False)["key"].to_pylist()
    places = [place for place, key in enumerate(own) if key in keys]
    return pq.read_table(pa.BufferReader(content), use_threads=False).take(places) if places else SCHEMA.empty_table()


def _record(row: CellRow) -> dict[str, Any]:
    record = msgspec.structs.asdict(row)
    record |= {field.name: Decimal(record[field.name]) for field in SCHEMA if field.type == _MONEY}
    return record | {
        "trade_sums": {
            field.name: str(value) if field.type == pa.utf8() else value
            for field, value in zip(_TRADE_SUMS, msgspec.structs.astuple(row.trade_sums), strict=True)
        },
        "symbols": [_exact(each, Decimal) for each in map(msgspec.structs.asdict, row.symbols)],
        "params": [(name, float(value)) for name, value in row.params.items() if not isinstance(value, str)],
        "params_json": msgspec.json.encode(row.params).decode(),
    }


def _exact(record: dict[str, Any], kind: type[Any]) -> dict[str, Any]:
    """A record of a symbol with its money in numbers of this kind."""
    return record | {field.name: kind(record[field.name]) for field in _SYMBOL if field.type == _MONEY}


def _rows(table: pa.Table) -> list[CellRow]:
    return [
        msgspec.convert(
            {name: int(value) if isinstance(value, Decimal) else value for name, value in record.items()}
            | {"params": msgspec.json.decode(record["params_json"])}
            | {name: dict(record[name]) for name in _COUNTED}
            | {"trade_sums": {name: int(value) for name, value in (record.get("trade_sums") or {}).items()}}
            | {"symbols": [_exact(each, int) for each in record.get("symbols", ())]},
            CellRow,
        )
        for record in table.to_pylist()
    ]
