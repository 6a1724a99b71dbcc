"""Answers that are kept: the same rows as those worked out anew, made again when a log or a statement is another."""

import shutil

import pytest
from warehouse_samples import DECISIONS, INPUTS, cents, fill, order, written

import warehouse.views
from pipeline.codes import Kind, OrderState, Side
from pipeline.log.store import Store
from warehouse import connect, kept
from warehouse.logs import Logs, chosen
from warehouse.views import View, named_in, views

ENTRIES = View(
    "entries",
    """-- grain: one row per fill that buys
-- kept: per log
select session, run, price
from staging.stg_fills
where side = 'buy'
""",
)
"""A kept answer that is quickly made."""

RAN = [row for row in DECISIONS if row[0] is not Kind.FILL or row[1] != 7] + [
    fill(7, 2, 2, (7, 1), Side.BUY, 10.06, bid_nano=cents(10.05), ask_nano=cents(10.07))
]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A sealed session, a sealed run over it that filled at another price, and one that is still recorded."""
    every = (*views(), ENTRIES)
    monkeypatch.setattr(warehouse.views, "views", lambda: every)
    written(tmp_path, [*INPUTS, *DECISIONS], state="sealed")
    written(tmp_path, RAN, name="run", state="sealed", parents=("day",))
    written(tmp_path, [*INPUTS, *DECISIONS], name="open", state="open")
    return tmp_path


def there(home):
    return {path.relative_to(home / kept.FOLDER).as_posix() for path in (home / kept.FOLDER).rglob("[!.]*.parquet")}


def prices(home, *names):
    connection = connect(home, names or ("all",), asked=[ENTRIES])
    return connection.sql("select session, run, price from entries order by all").fetchall()


def run_in(home):
    (run,) = Store(home).runs()
    return run.id


@pytest.mark.parametrize("name", ["trades", "feed_health"])
def test_what_is_kept_is_what_each_log_alone_gives(home, name):
    (view,) = named_in(f"from {name}")
    first = rows_of(home, view)
    logs = {"day", run_in(home)} if view.kept == "log" else {"day"}
    assert there(home) == {f"{log}/{name}.parquet" for log in logs}
    assert rows_of(home, view) == first
    alone = [
        kept.computed(view, Logs(Store(home), log.manifests, log.brought))
        for log in kept.single(chosen(Store(home), ["all"]), view)
    ]
    assert sorted(map(str, first)) == sorted(str(tuple(row.values())) for table in alone for row in table.to_pylist())


def rows_of(home, view):
    result = connect(home, asked=[view]).sql(f"select * from {view.name}").to_arrow_table()
    return sorted((tuple(row.values()) for row in result.to_pylist()), key=str)


def test_each_log_has_its_own_rows(home):
    run = run_in(home)
    assert prices(home) == [("day", run, 10.06), ("day", None, 10.07), ("open", None, 10.07)]
    assert prices(home) == [("day", run, 10.06), ("day", None, 10.07), ("open", None, 10.07)]
    assert prices(home, run) == [("day", run, 10.06)]
    assert prices(home, "open") == [("open", None, 10.07)]
    assert there(home) == {"day/entries.parquet", f"{run}/entries.parquet"}


def test_a_damaged_entry_and_one_of_other_content_are_made_again(home):
    first = prices(home, "day")
    path = home / kept.FOLDER / "day" / "entries.parquet"
    sound = path.read_bytes()
    path.write_bytes(sound[:50] + bytes([sound[50] ^ 1]) + sound[51:])
    assert prices(home, "day") == first
    assert path.read_bytes() == sound
    shutil.rmtree(home / "sessions" / "day")
    written(home, [*INPUTS, *RAN], state="sealed")  # another one of the same name
    assert (None, 10.06) in [row[1:] for row in prices(home, "day")]


def test_a_run_is_made_again_when_its_session_is_another(home):
    """What a run's rows say of its session's market is in them."""
    run = run_in(home)
    prices(home)
    path = home / kept.FOLDER / run / "entries.json"
    first = path.read_bytes()
    shutil.rmtree(home / "sessions" / "day")
    written(home, [*INPUTS[:-1], *DECISIONS], state="sealed")
    prices(home)
    assert path.read_bytes() != first


def test_another_statement_makes_another_entry(home, monkeypatch):
    prices(home, "day")
    other = ENTRIES._replace(select=ENTRIES.select.replace("price\n", "price + 1 as price\n"))
    monkeypatch.setattr(warehouse.views, "views", lambda: (*views(), other))
    monkeypatch.setattr("test_kept.ENTRIES", other)
    assert prices(home, "day")[-1] == ("day", None, 11.07)


def test_what_is_kept_of_a_log_goes_when_the_log_is_gone(home):
    prices(home)
    Store(home).delete(run_in(home))
    written(home, [*INPUTS, *DECISIONS], name="next", state="sealed")
    prices(home)
    assert there(home) == {"day/entries.parquet", "next/entries.parquet"}


def test_a_session_that_is_recorded_is_asked_as_it_was_when_one_connected(home):
    """Rows are those of the moment, not of the first look at the answer."""
    connection = connect(home, ["open"], asked=[ENTRIES])
    shutil.rmtree(home / "sessions" / "open")
    assert connection.sql("select count(*) from entries").fetchall() == [(1,)]


def test_a_store_that_cannot_be_written_to_answers_all_the_same(home):
    (home / "cache").write_text("no folder")
    assert len(prices(home)) == 3


def test_small_logs_are_worked_out_together_and_large_ones_alone(home, monkeypatch):
    """As few statements as their size allows, and each log has its own entry."""
    calls = []
    computed = kept.computed
    monkeypatch.setattr(kept, "computed", lambda view, logs: calls.append(len(logs.manifests)) or computed(view, logs))
    prices(home)
    assert calls == [3]
    shutil.rmtree(home / kept.FOLDER)
    monkeypatch.setattr(kept, "_GROUP_ROWS_MAX", 1)
    calls.clear()
    assert len(prices(home)) == 3
    assert sorted(calls) == [1, 1, 2]  # a run is worked out with its session


def test_an_order_that_never_filled_is_in_no_trade(tmp_path):
    rest = [row for row in DECISIONS if row[0] in (Kind.INTENT, Kind.RISK)]
    written(tmp_path, [*INPUTS, *rest, order(6, 4, 1, (6, 3), OrderState.APPROVED, limit_nano=cents(9))])
    connection = connect(tmp_path, asked=named_in("from trades, latency"))
    assert connection.sql("select count(*) from trades").fetchall() == [(0,)]
    assert connection.sql("select order_id, state, seconds_to_fill from latency").fetchall() == [(1, "approved", None)]
