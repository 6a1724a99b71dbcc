"""The warehouse: rows in, rows out; sealed, unsealed and empty stores alike."""

import math
from datetime import datetime

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.block import Block
from pipeline.cli import main
from pipeline.codes import FeedAction, Kind, Origin, Side
from pipeline.feeds.facts import Fact, feed_block
from pipeline.log import manifest as manifests
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.manifest import StrategyEntry, Words
from pipeline.log.reader import JOURNAL
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.run.generating import record_generated
from pipeline.run.notes import remark
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.generate import Day
from pipeline.units import ABSENT, NANO
from warehouse import connect
from warehouse.views import LAYERS, closure, marts, named_in, views

TS = 1_793_779_200 * NANO
WORDS = Words(
    phases={"flat": 0, "long": 1},
    gates={"spread": 3},
    reasons={"crossed_up": 2},
    outputs={"fast": 1},
    messages={"wide": 7, "odd": 8},
    templates={"wide": "spread {a:.2f}, limit {b}", "odd": "{a:%} of {b}"},
)


def session_of(home, fills, *, name="s", state="ended", size_step_nano=NANO, multiplier_nano=NANO):
    """A session whose only decisions are these fills: (side, steps, price in nanos, fee in nanos)."""
    store = Store(home)
    strategies = (StrategyEntry("probe", {}, "0", WORDS),)
    manifest = store.create_session(name, mode=Mode.PAPER, created_ns=1, strategies=strategies)
    folder = store.folder(manifest.id)
    with Journal.create(folder / JOURNAL, log_id=bytes.fromhex(manifest.log_id)) as journal:
        journal.append(FrameKind.INPUTS, [_instrument(size_step_nano, multiplier_nano)])
        count = len(fills)
        if count:
            timers = Block.of(
                Kind.TIMER, count, seq=range(2, count + 2), ts_event_ns=TS, ts_recv_ns=TS, interval_ns=NANO
            )
            journal.append(FrameKind.INPUTS, [timers])
            journal.append(FrameKind.DERIVED, [_fills(fills)])
    if state != "open":
        manifests.update(folder, state="ended")
    if state == "sealed":
        seal(folder)
    return store


def _instrument(size_step_nano, multiplier_nano):
    return Block.of(
        Kind.INSTRUMENT, 1, seq=1, ts_event_ns=TS, ts_recv_ns=TS, instrument_id=1, symbol="ABCD", venue="XNAS",
        currency="USD", size_step_nano=size_step_nano, multiplier_nano=multiplier_nano,
    )  # fmt: skip


def _fills(fills):
    sides, steps, prices, fees = zip(*fills, strict=True)
    count = len(fills)
    return Block.of(
        Kind.FILL, count, seq=range(2, count + 2), ord=1, ts_event_ns=[TS + i * NANO for i in range(count)], ts_recv_ns=TS,
        instrument_id=1, origin=int(Origin.DERIVED), strategy_id=1, order_id=range(1, count + 1),
        fill_id=range(1, count + 1), side=[int(side) for side in sides], price_nano=prices, quantity_steps=steps, fee_nano=fees,
    )  # fmt: skip


def trades(home):
    query = "select * from trades order by trade_number"
    return connect(home, asked=named_in(query)).sql(query).arrow().read_all().to_pylist()


BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize("state", ["open", "ended", "sealed"])
def test_a_round_trip_is_one_trade_sealed_or_not(tmp_path, state):
    session_of(tmp_path, [(BUY, 100, 10_000_000_000, 5), (SELL, 100, 10_250_000_000, 7)], state=state)
    (trade,) = trades(tmp_path)
    assert (trade["strategy"], trade["symbol"], trade["side"]) == ("probe", "ABCD", "buy")
    assert (trade["quantity"], trade["entry_price"], trade["exit_price"]) == (100.0, 10.0, 10.25)
    assert trade["profit_nano"] == 25 * NANO - 12
    assert trade["is_closed"]
    assert trade["count_fills"] == 2


def test_an_open_position_is_a_trade_without_profit(tmp_path):
    session_of(tmp_path, [(BUY, 100, NANO, 0), (SELL, 40, 2 * NANO, 0)])
    (trade,) = trades(tmp_path)
    assert not trade["is_closed"]
    assert trade["profit_nano"] is None
    assert trade["closed_at"] is None


def test_a_fill_that_turns_the_position_closes_one_trade_and_opens_the_next(tmp_path):
    session_of(tmp_path, [(BUY, 100, 10 * NANO, 10), (SELL, 150, 11 * NANO, 30), (BUY, 50, 9 * NANO, 0)])
    first, second = trades(tmp_path)
    assert (first["side"], first["profit_nano"]) == ("buy", 100 * NANO - 10 - 20)
    assert (second["side"], second["quantity"], second["profit_nano"]) == ("sell", 50.0, 100 * NANO - 10)


def test_a_contract_is_worth_its_multiplier_and_a_coin_its_steps(tmp_path):
    session_of(tmp_path / "future", [(BUY, 2, 5_000 * NANO, 0), (SELL, 2, 5_001 * NANO, 0)], multiplier_nano=50 * NANO)
    assert trades(tmp_path / "future")[0]["profit"] == 100.0
    session_of(
        tmp_path / "coin", [(SELL, 5 * 10**7, 60_000 * NANO, 0), (BUY, 5 * 10**7, 59_000 * NANO, 0)], size_step_nano=10
    )
    (trade,) = trades(tmp_path / "coin")
    assert (trade["quantity"], trade["profit"], trade["side"]) == (0.5, 500.0, "sell")


@settings(max_examples=6)
@given(
    st.lists(
        st.tuples(st.sampled_from([BUY, SELL]), st.integers(1, 9), st.integers(1, 10**12)), min_size=1, max_size=30
    )
)
def test_profit_is_conserved_over_any_fills(tmp_path_factory, drawn):
    """All fills and one more that closes: the trades' profit is the money that came in less what went out."""
    fills = [(side, steps, price, 3) for side, steps, price in drawn]
    left = sum(side * steps for side, steps, _, _ in fills)
    if left:
        fills.append((SELL if left > 0 else BUY, abs(left), NANO, 3))
    home = tmp_path_factory.mktemp("store")
    session_of(home, fills)
    found = trades(home)
    assert all(trade["is_closed"] for trade in found)
    fees = sum(fee for *_, fee in fills)
    expected = sum(-side * steps * price for side, steps, price, _ in fills) - fees
    assert sum(trade["profit_nano"] for trade in found) == expected


@pytest.mark.parametrize(
    ("exit_nano", "profit_nano"), [(100_004, 0), (100_005, 1), (99_995, -1), (99_996, 0), (5_000_100_000, 500_000_000)]
)
def test_profit_finer_than_a_nano_is_rounded_once(tmp_path, exit_nano, profit_nano):
    """A step is 1e-8 of a coin: ten steps at a nano more are a tenth of a nano."""
    session_of(tmp_path, [(BUY, 10_000_000, 100_000, 0), (SELL, 10_000_000, exit_nano, 0)], size_step_nano=10)
    assert trades(tmp_path)[0]["profit_nano"] == profit_nano


def test_a_large_profit_is_exact(tmp_path):
    price = 9_123_456_789 * NANO // 1_000 + 1
    session_of(tmp_path, [(BUY, 1_000, NANO, 0), (SELL, 1_000, price, 1)])
    assert trades(tmp_path)[0]["profit_nano"] == 1_000 * (price - NANO) - 1


def test_a_run_brings_the_inputs_of_its_session_and_none_of_its_decisions(tmp_path):
    store = Store(tmp_path)
    files = [strategy_file("opening_range")]
    plan = plan_of(files, ["open_minute=480"], [])
    session = record_generated(store, Day(quotes=1_500), plan, files, created_ns=1)
    run = replay(store, session.id, plan, files, created_ns=2).run
    decided = ("fills", "intents", "orders", "positions", "transitions", "indicators", "trades", "bars")
    inputs = {
        "quotes": "quote",
        "prints": "print",
        "staging.stg_timers": "timer",
        "staging.stg_session_events": "session",
    }
    asked = named_in(" ".join([*decided, *inputs]))
    of_run, of_session, both = (
        connect(tmp_path, over, asked=asked) for over in ([run], [session.id], [run, session.id])
    )

    def count(connection, view):
        return connection.sql(
            f"select count(*) filter (run is null), count(*) filter (run is not null) from {view}"
        ).fetchall()[0]

    for view in decided:
        assert count(of_session, view)[0] == count(of_session, view)[1] > 0
        assert count(of_run, view) == (0, count(of_session, view)[1])
        assert count(both, view) == count(of_session, view)
    for view, kind in inputs.items():
        assert count(of_run, view)[0] == session.kinds[kind] > 0


def test_every_view_answers_over_an_empty_store(tmp_path):
    connection = connect(tmp_path)
    for view in views():
        assert connection.sql(f"select count(*) from {view.name}").fetchall()[0] == (0,), view.name


def test_every_view_answers_over_a_session(tmp_path):
    session_of(tmp_path, [(BUY, 1, NANO, 0)])
    connection = connect(tmp_path, ["last"])
    for view in views():
        if not view.name.startswith("intermediate."):  # steps of answers, and each alone is planned anew
            connection.sql(f"select * from {view.name}").fetchall()


def test_absent_numbers_are_null_and_times_keep_their_nanoseconds(tmp_path):
    store = Store(tmp_path)
    manifest = store.create_session("s", mode=Mode.IMPORT, created_ns=1)
    with Journal.create(store.folder(manifest.id) / JOURNAL, log_id=bytes.fromhex(manifest.log_id)) as journal:
        quote = Block.of(
            Kind.QUOTE, 1, seq=1, ts_event_ns=TS + 7, ts_recv_ns=TS + 8, bid_nano=10_250_000_000, marks=128 | 8
        )
        journal.append(FrameKind.INPUTS, [quote])
    row = (
        connect(tmp_path, asked=named_in("from quotes"))
        .sql("select bid, bid_nano, ask, ask_nano, bid_size, marks, ts_event::varchar, ts_recv_ns from quotes")
        .fetchall()[0]
    )
    assert row == (
        10.25,
        10_250_000_000,
        None,
        None,
        None,
        "crossed one_sided",
        "2026-11-04 08:00:00.000000007",
        TS + 8,
    )


def test_nan_is_null(tmp_path):
    store = session_of(tmp_path, [])
    assert store.sessions()
    connection = connect(tmp_path, asked=named_in("from fills"))
    connection.execute("create table t as select 'nan'::double as x")
    assert connection.sql("select known(x) from t").fetchall()[0] == (None,)
    assert connection.sql(f"select dollars({ABSENT}), moment({ABSENT}), present({ABSENT})").fetchall()[0] == (
        None,
        None,
        None,
    )
    assert math.isclose(connection.sql("select dollars(61837630000000)").fetchall()[0][0], 61837.63)


def gaps_of(home, *facts):
    """The view `gaps` over a session with these facts: symbol, channel, begin, end and pages of history of each."""
    manifest = Store(home).create_session("s", mode=Mode.PAPER, created_ns=1)
    declared = Fact(TS, FeedAction.DECLARED, text="massive")
    block = feed_block([declared, *facts])
    with Journal.create(Store(home).folder(manifest.id) / JOURNAL, log_id=bytes.fromhex(manifest.log_id)) as journal:
        journal.append(FrameKind.INPUTS, [block.with_columns(source=np.ones(len(block), np.int16))])
    names = "symbol, channel, from_ns, to_ns, history_pages"
    return (
        connect(home, asked=named_in("from gaps"))
        .sql(f"select {names} from gaps order by from_ns, symbol nulls first, channel")
        .fetchall()
    )


def gap(action, from_ns, to_ns=ABSENT, channel="", text="", count=ABSENT):
    return Fact(TS + 99, action, channel, TS + from_ns, to_ns if to_ns == ABSENT else TS + to_ns, count, text=text)


def test_what_a_vendor_stopped_to_send_is_a_gap_of_each_symbol(tmp_path):
    found = gaps_of(
        tmp_path,
        gap(FeedAction.GAP_OPENED, 10, channel="prints", text="A BACpB: no longer sent by the vendor"),
        gap(FeedAction.GAP_OPENED, 10, channel="quotes", text="A: no longer sent by the vendor"),
        gap(FeedAction.GAP_CLOSED, 10, 40, channel="prints", text="BACpB"),
        gap(FeedAction.BACKFILLED, 8, 42, channel="prints", count=3),
    )
    assert found == [
        ("A", "prints", TS + 10, None, 0),
        ("A", "quotes", TS + 10, None, 0),
        ("BACpB", "prints", TS + 10, TS + 40, 3),
    ]


def test_a_gap_is_of_the_whole_feed_or_of_what_its_words_name(tmp_path):
    found = gaps_of(
        tmp_path,
        gap(FeedAction.GAP_OPENED, 10),
        gap(FeedAction.GAP_CLOSED, 10, 40),
        gap(FeedAction.BACKFILLED, 8, 42, channel="prints", count=3),
        gap(FeedAction.BACKFILLED, 8, 42, channel="quotes", count=4),
        gap(FeedAction.GAP_OPENED, 50, channel="prints", text="A: no history: HTTP status 500: see: there"),
        gap(FeedAction.GAP_OPENED, 60, channel="l2_data", text="a number is missing: 5 behind 3"),
    )
    assert found == [
        (None, None, TS + 10, TS + 40, 7),
        ("A", "prints", TS + 50, None, 0),
        (None, "l2_data", TS + 60, None, 0),
    ]


def test_remarks_in_the_stores_own_log_join_their_session(tmp_path):
    store = session_of(tmp_path, [])
    remark(store, "s", "wide spread", tag="spread", now_ns=TS)
    remark(store, "s", "late", tag="", now_ns=TS + 1)
    rows = (
        connect(tmp_path, asked=named_in("from stg_notes"))
        .sql("select session, tag, text from staging.stg_notes order by ts_event")
        .fetchall()
    )
    assert rows == [("s", "spread", "wide spread"), ("s", "", "late")]


def test_a_view_chosen_by_name_leaves_other_sessions_out(tmp_path):
    session_of(tmp_path, [(BUY, 1, NANO, 0)], name="one")
    session_of(tmp_path, [(BUY, 1, NANO, 0)], name="two")
    fills = named_in("from fills")
    assert connect(tmp_path, ["one"], asked=fills).sql("select distinct session from fills").fetchall() == [("one",)]
    assert connect(tmp_path, asked=fills).sql("select count(*) from fills").fetchall()[0] == (2,)


def test_times_come_as_utc(tmp_path):
    session_of(tmp_path, [(BUY, 1, NANO, 0)])
    (moment,) = (
        connect(tmp_path, asked=named_in("from fills")).sql("select ts_event::timestamp from fills").fetchall()[0]
    )
    assert moment == datetime(2026, 11, 4, 8)  # noqa: DTZ001 - SQL timestamps carry no zone


def test_codes_of_a_strategy_come_with_its_words(tmp_path):
    """The last row of each kind has codes that the strategy never named."""
    store = session_of(tmp_path, [])
    place = {"ts_event_ns": TS, "ts_recv_ns": TS, "instrument_id": 1, "strategy_id": 1, "seq": 1, "origin": 3}
    rows = [
        Block.of(Kind.TRANSITION, 2, **place, ord=[1, 2], from_phase=[0, 5], to_phase=[1, 0], reason=[2, 0]),
        Block.of(Kind.INTENT, 2, **place, ord=[3, 4], gate=[3, 0]),
        Block.of(Kind.MESSAGE, 3, **place, ord=[5, 6, 7], code=[7, 8, 9], a=0.5, b=[1.0, 2.0, 3.0]),
        Block.of(Kind.INDICATOR, 2, **place, ord=[8, 9], output_id=[1, 2], value=3.5),
    ]
    run_of(store, "s", rows)

    def ask(query):
        return connect(tmp_path, asked=named_in(query)).sql(f"{query} order by ord").fetchall()

    assert ask("select strategy, symbol, from_phase, to_phase, reason, reason_code from transitions") == [
        ("probe", "ABCD", "flat", "long", "crossed_up", 2),
        ("probe", "ABCD", "5", "flat", None, 0),
    ]
    assert ask("select gate, gate_code from intents") == [("spread", 3), (None, 0)]
    assert ask("select message, text, b from messages") == [
        ("wide", "spread 0.50, limit 1.0", 1.0),
        ("odd", "{a:%} of {b}", 2.0),
        ("9", None, 3.0),
    ]
    assert ask("select output, output_code, value from indicators") == [("fast", 1, 3.5), ("2", 2, 3.5)]


def run_of(store, session, rows, **facts):
    """A finished run over a session, with these derived rows."""
    strategies = (StrategyEntry("probe", {}, "0", WORDS),)
    manifest = store.create_run(
        "probe", mode=Mode.REPLAY, created_ns=2, parents=(session,), strategies=strategies, **facts
    )
    folder = store.folder(manifest.id)
    log_id = bytes.fromhex(manifest.log_id)
    with Journal.create(folder / JOURNAL, log_id=log_id, is_derived_only=True) as journal:
        journal.append(FrameKind.DERIVED, rows)
    manifests.update(folder, state="ended")
    return manifest.id


def test_tables_shown_are_the_answers_and_all_else_has_a_full_name(tmp_path):
    connection = connect(tmp_path)
    assert [name for (name,) in connection.sql("show tables").fetchall()] == sorted(view.name for view in marts())
    schemas = {schema for (_, schema, *_) in connection.sql("show all tables").fetchall()}
    assert schemas == {"log", "kept", *LAYERS.values()}


def test_a_query_makes_what_it_names_and_what_that_stands_on(tmp_path):
    session_of(tmp_path, [(BUY, 1, NANO, 0)])
    query = "select symbol from fills"
    chosen, relations = closure(named_in(query))
    assert {"fills", "staging.stg_fills"} <= {view.name for view in chosen}
    assert "log.fill" in relations
    assert "log.quote" not in relations
    connection = connect(tmp_path, asked=named_in(query))
    assert connection.sql(query).fetchall() == [("ABCD",)]
    assert connection.sql("show tables").fetchall() == [("fills",)]


def test_a_kept_view_stands_on_nothing_unless_one_goes_through_it():
    (trades,) = named_in("select * from trades")
    assert closure([trades]) == ([trades], {"log.strategies"})
    needed, relations = closure([trades], through_kept=True)
    assert {"intermediate.int_fill_legs", "staging.stg_fills"} <= {view.name for view in needed}
    assert "log.quote" in relations


@pytest.mark.parametrize("view", marts(), ids=lambda view: view.name)
def test_each_view_answers_when_it_alone_is_asked_for(tmp_path, view):
    connection = connect(tmp_path, asked=named_in(f"select * from {view.name.upper()}"))
    assert connection.sql(f"select count(*) from {view.name}").fetchall() == [(0,)]


@pytest.mark.parametrize("query", ["show tables", "select 1", "select count(*) from duckdb_views() as trades"])
def test_a_query_about_the_views_makes_all_of_them(query):
    assert named_in(query) == list(views())


@pytest.mark.parametrize("form", ["csv", "json"])
def test_rows_for_machines_keep_the_nanoseconds_of_times(tmp_path, form):
    session_of(tmp_path, [(BUY, 1, NANO, 0)])
    moment = "make_timestamp_ns(epoch_ns(ts_event) + 7)"
    query = f"select 1 as a, {moment} as a, null::timestamp_ns as b from fills where side = $side"
    given = ["--home", str(tmp_path), "sql", query, "--format", form, "--param", "side=buy"]
    result = CliRunner().invoke(main, given)
    assert result.exit_code == 0, result.output
    assert "2026-11-04T08:00:00.000000007Z" in result.output


@pytest.mark.parametrize("count", [3, 450])
def test_every_row_has_the_names_of_its_instrument_however_many_there_are(tmp_path, count):
    """By the last definition; the second instrument was never defined, and a row of none has no name."""
    store = Store(tmp_path)
    manifest = store.create_session("s", mode=Mode.IMPORT, created_ns=1)
    ids = [1, *range(3, count + 1), 1]
    symbols = ["OLD", *(f"S{id_}" for id_ in ids[1:-1]), "NEW"]
    with Journal.create(store.folder(manifest.id) / JOURNAL, log_id=bytes.fromhex(manifest.log_id)) as journal:
        place = {"ts_event_ns": TS, "ts_recv_ns": TS}
        defined = Block.of(
            Kind.INSTRUMENT, len(ids), **place, seq=range(1, len(ids) + 1), instrument_id=ids, symbol=symbols, venue="XNAS",
            currency="USD", size_step_nano=NANO, multiplier_nano=NANO,
        )  # fmt: skip
        seq = range(len(ids) + 1, len(ids) + 5)
        quotes = Block.of(
            Kind.QUOTE, 4, **place, seq=seq, instrument_id=[0, 1, 2, count], bid_size_steps=7, bid_nano=NANO
        )
        journal.append(FrameKind.INPUTS, [defined, quotes])
    connection = connect(tmp_path, asked=named_in("from quotes"))
    rows = connection.sql("select symbol, venue, bid_size from quotes order by seq").fetchall()
    assert rows == [(None, None, None), ("NEW", "XNAS", 7.0), (None, None, None), (f"S{count}", "XNAS", 7.0)]
    assert connection.sql(f"select bid from quotes where symbol = 'S{count}'").fetchall() == [(1.0,)]
