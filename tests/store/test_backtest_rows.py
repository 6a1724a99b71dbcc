"""Rows of backtests: read back as they were, proved, counted once, whatever a crash left."""

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import CorruptError, NotFoundError
from pipeline.log.backtests import (
    ASKED,
    PART,
    SCHEMA,
    Backtest,
    CellRow,
    Results,
    SymbolRow,
    TradeSums,
    _record,
    _rows,
    backtests,
    find_backtest,
    rows_by_backtest,
)
from pipeline.log.check import check
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.units import DAY_NS, NANO

ASKED_NOW = Backtest(
    id="b-probe-1",
    created_ns=1,
    strategies=("probe",),
    params={"size": 2.5},
    sweeps={"fast": (3, 5)},
    sessions=("monday", "friday"),
    settings={"cash": 1000.0},
    overnight="flat",
    code_hash="c",
    rows=4,
    packages={},
    platform="",
)


def row(session, cell, **changes):
    given = {
        "key": f"{session}-{cell}",
        "session": session,
        "cell": cell,
        "params": {"fast": cell, "size": 2.5, "both": True, "bars": "1m+5m"},
        "refused_by": {"stale_quote": 7},
        "invalid_by": {"misplaced": 4, "unsized": 3},
        **dict.fromkeys(("events", "intents", "refused", "invalid", "fills", "trades", "open_positions"), 7),
        **dict.fromkeys(("net_profit_nano", "open_profit_nano", "fees_nano"), -(10**25)),
        "max_drawdown": 0.1,
        "decisions_hash": "d",
        "state_hash": "s",
        "stopped": ("probe: no",),
        "run": "",
        "seconds": 0.5,
    }
    return CellRow(**(given | changes))


NOVEMBER_NS = 1_793_491_200 * NANO  # 2026-11-01, UTC
ROWS = [row(session, cell) for session in ("monday", "friday") for cell in (1, 2)]


@pytest.fixture
def results(tmp_path):
    made = Results(Store(tmp_path), ASKED_NOW.id)
    made.begin(ASKED_NOW)
    return made


def parts(results):
    return sorted(results.folder.glob(PART))


def test_rows_that_were_written_before_there_were_days_are_read(results):
    old = pa.Table.from_pylist([*map(_record, ROWS)], SCHEMA).drop_columns(["day", "symbols", "trade_sums"])
    sink = pa.BufferOutputStream()
    pq.write_table(old, sink)
    content = sink.getvalue().to_pybytes()
    (results.folder / f"cells-{blake3(content).hexdigest()[:32]}.parquet").write_bytes(content)
    assert results.rows() == ROWS
    assert results.finish() == ROWS


def test_rows_of_some_keys_are_those_rows_and_the_only_ones_that_are_made(results, monkeypatch):
    symbol = SymbolRow("probe", "ABCD", 1, 2, 3, 4, 5, -6, 7, 8)
    all_ = [msgspec.structs.replace(each, symbols=(symbol,), trade_sums=TradeSums(2, 1, 1, 10**20)) for each in ROWS]
    for first in (2, 0):
        results.add(all_[first : first + 2])
    made = []
    monkeypatch.setattr("pipeline.log.backtests._rows", lambda table: made.append(len(table)) or _rows(table))
    assert results.rows_of({"friday-1", "monday-2", "sunday-1"}) == [all_[1], all_[2]]
    assert made == [1, 1]
    assert results.rows_of(()) == []
    parts(results)[0].write_bytes(parts(results)[0].read_bytes()[:-1])
    with pytest.raises(CorruptError):
        results.rows_of({"friday-1"})


class Overtaken(Results):
    """Rows that are put into one part behind the look at which parts there are."""

    is_finished = False

    def _parts(self):
        found = super()._parts()
        if not self.is_finished:
            self.is_finished = True
            super().finish()
        return found


def test_who_reads_while_another_one_finishes_reads_all_rows(results, tmp_path):
    for read in (Results.rows, lambda results: results.rows_of({row.key for row in ROWS})):
        for each in ROWS:
            results.add([each])
        assert read(Overtaken(Store(tmp_path), ASKED_NOW.id)) == ROWS
    parts(results)[0].rename(results.folder / "kept")
    (results.folder / "cells-0.parquet").symlink_to("nowhere")
    with pytest.raises(FileNotFoundError):
        results.rows()


def test_sums_of_trades_come_back_exactly_and_add_up(results):
    one, two = TradeSums().with_trade(10**17), TradeSums().with_trade(-3).with_trade(0)
    results.add([row("monday", 1, trade_sums=one), row("monday", 2, trade_sums=two)])
    assert [each.trade_sums for each in results.rows()] == [one, two]
    assert one + two == TradeSums(3, 1, 1, 10**17 - 3, 10**34 + 9, 10**51 - 27, 10**68 + 81)


def test_days_and_symbols_come_back_in_order(results):
    symbols = (SymbolRow("probe", "ABCD", 1, 2, 3, 4, 0, 10**25, -1, 5), SymbolRow("probe", "WXYZ", *[0] * 8))
    of_days = [row("monday", 1, day=f"2026-11-0{day}", symbols=symbols[:day]) for day in (1, 2)]
    results.add(of_days[::-1])
    assert results.rows() == of_days


def test_rows_come_back_as_they_were_in_the_order_asked_for(results):
    for each in reversed(ROWS):
        results.add([each])
    assert results.rows() == ROWS
    assert [type(value) for value in results.rows()[0].params.values()] == [int, float, bool, str]


def test_finishing_leaves_one_file_and_the_same_rows(results):
    for each in ROWS:
        results.add([each])
    assert len(parts(results)) == 4
    assert results.finish() == ROWS
    assert len(parts(results)) == 1
    assert results.finish() == results.rows() == ROWS
    assert len(parts(results)) == 1


def test_a_crash_while_finishing_counts_no_row_twice(results):
    results.add(ROWS[:2])
    results.add(ROWS[2:])
    results.add(ROWS)
    assert results.rows() == ROWS
    assert results.finish() == ROWS


def test_of_two_rows_of_a_cell_the_one_that_kept_its_run_counts(results):
    for kept in ("r-one", "", "r-one", ""):
        results.add([row("monday", 1, run=kept)])
    assert [each.run for each in results.rows()] == ["r-one"]


@given(data=st.data())
def test_every_damaged_byte_is_found(data, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    results = Results(store, ASKED_NOW.id)
    results.begin(ASKED_NOW)
    results.add(ROWS)
    assert check(store).sound
    path = data.draw(st.sampled_from([results.folder / ASKED, *parts(results)]))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    assert [damage.file for damage in check(store).damage] == [path.relative_to(store.home).as_posix()]
    with pytest.raises(CorruptError):
        results.rows()


def test_what_a_crash_left_is_no_damage(results, tmp_path):
    results.add(ROWS)
    (results.folder / "cells-0.parquet.tmp").touch()
    results.hold().release()
    report = check(Store(tmp_path))
    assert report.sound
    assert report.leftovers == ["backtests/b-probe-1/cells-0.parquet.tmp"]
    (results.folder / ASKED).unlink()
    assert not check(Store(tmp_path)).sound


def test_backtests_are_found_by_name_beginning_and_time(results, tmp_path):
    store = Store(tmp_path)
    assert backtests(store) == [ASKED_NOW]
    assert find_backtest(store, "b-pro") == find_backtest(store, "last") == ASKED_NOW
    with pytest.raises(NotFoundError, match="'b-x' names 0 backtests; there is b-probe-1"):
        find_backtest(store, "b-x")
    results.delete()
    assert not results.folder.exists()
    with pytest.raises(NotFoundError):
        results.asked()


@pytest.mark.parametrize("keys", [None, {ROWS[0].key}])
def test_a_backtest_that_is_deleted_while_all_are_read_is_left_out(results, tmp_path, keys):
    store = Store(tmp_path)
    for id_ in ("b-probe-2", "b-probe-3"):
        Results(store, id_).begin(msgspec.structs.replace(ASKED_NOW, id=id_))
        Results(store, id_).add(ROWS)
    read = rows_by_backtest(store, keys)
    assert next(read) == (ASKED_NOW, [])
    Results(store, "b-probe-2").delete()
    assert [(asked.id, rows) for asked, rows in read] == [("b-probe-3", ROWS[:1] if keys else ROWS)]


def test_sessions_are_selected_by_days_words_and_beginnings(tmp_path):
    store = Store(tmp_path)
    ids = []
    for day in (3, 1, 2):
        made = store.create_session(f"2026-11-0{day}", mode=Mode.IMPORT, created_ns=NOVEMBER_NS + (day - 1) * DAY_NS)
        ids.append(made.id)
    first, second, third = sorted(ids)

    def selected(*texts):
        return [session.id for session in store.select(texts)]

    assert selected("all") == selected("2026-11") == [first, second, third]
    assert selected("2026-11-02..2026-11-03") == [second, third]
    assert selected("2026-11-03", "2026-11-01", "2026-11-01..2026-11-01") == [first, third]
    assert selected("last 2") == [second, third]
    run = store.create_run("x", mode=Mode.REPLAY, created_ns=1, parents=[first])
    for text, said in (("2026-12-01..2026-12-31", "names nothing"), (run.id, f"is a run: name its session {first}")):
        with pytest.raises(NotFoundError, match=said):
            selected(text)
