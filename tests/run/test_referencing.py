"""Facts in the store: dated, never overwritten, and only those known at its start in a session."""

import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.block import Block
from pipeline.codes import AssetClass, Kind
from pipeline.errors import ConfigError, FeedError
from pipeline.instruments import WHOLE_STEP_NANO, Instrument
from pipeline.log.check import check
from pipeline.log.reader import read_journal
from pipeline.log.store import Store
from pipeline.normalize.reference import Fact, chosen
from pipeline.normalize.reference_tables import moment_of
from pipeline.run.referencing import (
    _Known,
    choices_of_symbol,
    facts_of,
    import_table,
    keep,
    opening_rows,
    previous_close_ns,
)
from pipeline.run.trading_days import close_ns
from pipeline.scanner.facts import Facts
from warehouse import connect, named_in

NOW_NS = moment_of("2026-11-27T20:00:00Z")
SHARE = Instrument("ABCD", "MASSIVE", WHOLE_STEP_NANO, AssetClass.EQUITY, calendar="XNYS")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def fact(
    field="float_shares", value=5e6, known="2026-11-20T13:00:00Z", as_of="2026-11-20", by="massive", symbol="ABCD"
):
    return Fact(symbol, "US", field, value, "", moment_of(known), moment_of(as_of), by)


def table(tmp_path, text, name="floats.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_what_is_kept_is_read_back(store):
    facts = [fact(), fact("previous_close", 4.1), fact(symbol="WXYZ", by="alpaca")]
    assert keep(store, facts, now_ns=NOW_NS) == (3, 0)
    assert facts_of(store) == facts
    assert facts_of(store, ["WXYZ"]) == facts[2:]
    assert check(store).sound


def test_nothing_is_overwritten_and_nothing_said_twice(store):
    keep(store, [fact()], now_ns=NOW_NS)
    again = fact(known="2026-11-21T13:00:00Z", as_of="2026-11-21")
    changed = fact(value=4e6, known="2026-11-22T13:00:00Z", as_of="2026-11-22")
    assert keep(store, [again, changed], now_ns=NOW_NS) == (1, 1)
    assert [each.value for each in facts_of(store)] == [5e6, 4e6]


def test_what_is_said_again_against_another_provider_is_written(store):
    days = [f"2026-11-{day}" for day in (20, 21, 22, 23)]
    mine, theirs, mine_again, once_more = (
        fact(value=value, known=f"{day}T13:00:00Z", as_of=day, by=by)
        for day, value, by in zip(days, (5e6, 4e6, 5e6, 5e6), ("massive", "mylist", "massive", "massive"), strict=True)
    )
    assert keep(store, [mine, theirs, mine_again, once_more], now_ns=NOW_NS) == (3, 1)
    choice = choices_of_symbol(store, "ABCD", NOW_NS)["US"]["float_shares"]
    assert (choice.value, choice.why) == (5e6, "massive speaks of the latest day")


SAID = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from([1.0, 2.0])), max_size=12)


@given(SAID, st.integers(0, 14))
def test_leaving_out_what_was_said_before_changes_nothing_that_counts(said, at):
    """Of statements about the moment they were made, as providers' that date nothing."""
    facts = [
        Fact("A", "US", "market_cap", value, "", place, place, provider)
        for place, (provider, value) in enumerate(said, 1)
    ]
    known = _Known()
    kept = [each for each in facts if known.is_new(each)]
    of_all, of_kept = chosen(facts, at), chosen(kept, at)
    assert [each.value for each in of_kept.values()] == [each.value for each in of_all.values()]


def test_what_turns_out_to_have_been_known_earlier_is_new(store):
    keep(store, [fact(known="2026-11-21T13:00:00Z")], now_ns=NOW_NS)
    assert keep(store, [fact(known="2026-11-20T13:00:00Z")], now_ns=NOW_NS) == (1, 0)


def test_the_same_close_on_two_days_is_two_facts(store):
    closes = [fact("previous_close", 4.1, as_of=day) for day in ("2026-11-19", "2026-11-20")]
    assert keep(store, [*closes, *closes], now_ns=NOW_NS) == (2, 2)


def test_a_log_that_goes_on_keeps_its_numbers(store):
    keep(store, [fact(), fact(symbol="WXYZ")], now_ns=NOW_NS)
    keep(store, [fact(symbol="NEW"), fact(symbol="WXYZ", value=1e6)], now_ns=NOW_NS)
    assert [each.symbol for each in facts_of(store)] == ["ABCD", "WXYZ", "NEW", "WXYZ"]
    seqs = [
        seq for batch in read_journal(store.reference_folder) for block in batch for seq in block.number("seq").tolist()
    ]
    assert sorted(seqs) == list(range(1, 8))


def test_a_table_becomes_facts(store, tmp_path):
    path = table(tmp_path, "ticker,float,prev_close,price\nabcd,4.2M,3.10,9\nwxyz,,2.00,9\n")
    done = import_table(store, path, provider="mine", as_of="2026-11-27", now_ns=NOW_NS)
    assert (done.written, done.symbols, done.ignored, done.refused) == (3, 2, ["price"], [])
    closes = [each for each in facts_of(store) if each.field == "previous_close"]
    # The list of the half day behind Thanksgiving tells of the close of the Wednesday before it.
    assert {each.as_of_ns for each in closes} == {close_ns(date(2026, 11, 25), "XNYS")}
    assert {each.known_at_ns for each in closes} == {NOW_NS}


def test_rows_that_can_not_be_read_are_told(store, tmp_path):
    path = table(tmp_path, "symbol,float\nA,1M\nB,many\nC,2M\n")
    done = import_table(store, path, provider="mine", now_ns=NOW_NS)
    assert done.written == 2
    assert done.refused == [(2, "float_shares: 'many' is no number; accepted are 1234567, 1,234,567, 12.5M and $4.10")]


def test_a_table_most_of_whose_rows_can_not_be_read_is_refused_whole(store, tmp_path):
    with pytest.raises(FeedError, match="2 of 3 rows"):
        import_table(store, table(tmp_path, "symbol,float\nA,x\nB,y\nC,2M\n"), provider="mine", now_ns=NOW_NS)
    with pytest.raises(FeedError, match=r"header.*symbol=COLUMN"):
        import_table(store, table(tmp_path, "a,b\n1,2\n"), provider="mine", now_ns=NOW_NS)
    assert facts_of(store) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"known_at": "2027-01-01T00:00:00Z"}, "--known-at 2027"),
        ({"as_of": "soon"}, "--as-of: 'soon' is no date"),
        ({"provider": "My List"}, "is no id"),
    ],
)
def test_times_and_names_that_are_none_are_refused(store, tmp_path, arguments, said):
    with pytest.raises(ConfigError, match=said):
        import_table(
            store, table(tmp_path, "symbol,float\nA,1\n"), **{"provider": "mine", "now_ns": NOW_NS, **arguments}
        )


def test_a_session_begins_with_what_was_known_then_and_nothing_else(store):
    keep(
        store,
        [
            fact(value=5e6, known="2026-11-20T13:00:00Z"),
            fact(value=1e6, known="2026-11-24T13:00:00Z", as_of="2026-11-24"),
            fact("previous_close", 4.1, known="2026-11-23T22:00:00Z", as_of="2026-11-23T21:00:00Z"),
            fact(symbol="OTHER"),
        ],
        now_ns=NOW_NS,
    )
    other = Instrument("NONE", "MASSIVE", WHOLE_STEP_NANO, AssetClass.EQUITY, calendar="XNYS")
    at_ns = moment_of("2026-11-24T09:00:00Z")
    defined, told = opening_rows(store, [other, SHARE], at_ns)
    assert (defined.kind, told.kind) == (Kind.INSTRUMENT, Kind.REFERENCE)
    assert [(row["seq"], row["instrument_id"], row["venue"]) for row in defined.rows()] == [
        (1, 1, "MASSIVE"),
        (2, 2, "MASSIVE"),
    ]
    assert [(row["seq"], row["instrument_id"], row["field"], row["value"]) for row in told.rows()] == [
        (3, 2, "float_shares", 5e6),
        (4, 2, "previous_close", 4.1),
    ]
    assert set(told.number("ts_recv_ns").tolist()) == {at_ns}
    assert (told.number("known_at_ns") <= at_ns).all()
    assert opening_rows(store, [other], at_ns) == []


def test_a_session_is_told_the_close_and_the_split_for_whoever_counts_after_it(store):
    keep(
        store,
        [
            fact("previous_close", 0.1, known="2026-11-23T22:00:00Z", as_of="2026-11-23T21:00:00Z"),
            fact("split_ratio", 0.02, known="2026-11-18T22:00:00Z", as_of="2026-11-24"),
        ],
        now_ns=NOW_NS,
    )
    at_ns = moment_of("2026-11-24T09:00:00Z")
    _, told = opening_rows(store, [SHARE], at_ns)
    assert [(row["field"], row["value"]) for row in told.rows()] == [("previous_close", 0.1), ("split_ratio", 0.02)]
    shown = choices_of_symbol(store, "ABCD", at_ns)["US"]["previous_close"]
    assert (shown.value, shown.note) == (pytest.approx(5.0), "0.1 before the split 1:50 on 2026-11-24")


@pytest.mark.parametrize(
    ("now", "closed"),
    [
        ("2026-11-27T12:00:00Z", "2026-11-25T21:00:00Z"),  # behind Thanksgiving
        ("2026-11-30T09:00:00Z", "2026-11-27T18:00:00Z"),  # behind a half day
        ("2026-03-09T08:00:00Z", "2026-03-06T21:00:00Z"),  # clocks went forward between
        ("2026-11-02T09:00:00Z", "2026-10-30T20:00:00Z"),  # clocks went back between
    ],
)
def test_the_previous_close_is_of_the_trading_day_before(now, closed):
    assert previous_close_ns(moment_of(now)) == moment_of(closed)


def test_two_sources_that_disagree_are_both_shown(store):
    keep(store, [fact(), fact(value=30e6, by="alpaca")], now_ns=NOW_NS)
    (choices,) = choices_of_symbol(store, "ABCD", NOW_NS, prefer=["alpaca"]).values()
    choice = choices["float_shares"]
    assert (choice.value, choice.others[0].value, choice.is_disputed) == (30e6, 5e6, True)
    assert choices_of_symbol(store, "NONE", NOW_NS) == {}


def test_a_real_table_of_low_floats(store, shared_data):
    path = next((shared_data / "equities" / "low-float-data").glob("*.csv"))
    done = import_table(
        store, path, provider="ignition", as_of="2026-09-09", known_at="2026-09-09T12:00:00Z", now_ns=NOW_NS
    )
    facts = facts_of(store)
    floats = [each.value for each in facts if each.field == "float_shares"]
    assert (len(floats), sum(each < 5e6 for each in floats), done.refused) == (144, 58, [])
    assert import_table(store, path, provider="ignition", as_of="2026-09-09", now_ns=NOW_NS).written == 0


def test_facts_are_asked_in_sql_of_the_store_and_of_sessions(store):
    keep(store, [fact(), fact(value=30e6, by="alpaca")], now_ns=NOW_NS)
    query = "select session, symbol, venue, value, provider, as_of::date::varchar from facts order by provider"
    assert connect(store.home, asked=named_in(query)).sql(query).fetchall() == [
        (None, "ABCD", "US", 30e6, "alpaca", "2026-11-20"),
        (None, "ABCD", "US", 5e6, "massive", "2026-11-20"),
    ]
    query = "select count(*) from staging.stg_instruments"
    assert connect(store.home, asked=named_in(query)).sql(query).fetchall() == [(0,)]


facts_drawn = st.lists(
    st.builds(
        Fact,
        st.just("ABCD"),
        st.just("US"),
        st.sampled_from(["float_shares", "previous_close", "market_cap"]),
        st.sampled_from([1.0, 2.0, 3.0]),
        st.just(""),
        st.integers(1, 20),
        st.integers(1, 20),
        st.sampled_from(["massive", "alpaca", "mine"]),
    ),
    min_size=1,
    max_size=12,
)


@given(facts_drawn, st.integers(1, 20), st.lists(st.sampled_from(["massive", "alpaca"]), unique=True))
def test_a_scanner_chooses_by_the_same_rule(facts, at_ns, prefer):
    columns = {name: [getattr(each, name) for each in facts] for name in Fact._fields[2:]}
    scanner = Facts(prefer)
    scanner.fold(Block.of(Kind.REFERENCE, len(facts), seq=list(range(1, len(facts) + 1)), instrument_id=0, **columns))
    scanner.release(at_ns, 1)
    choices = chosen(facts, at_ns, prefer=prefer)
    for field in ("float_shares", "previous_close", "market_cap"):
        value = choices[field].fact.value if field in choices else math.nan
        assert scanner.of(field, 1)["value"][0] == pytest.approx(value, nan_ok=True)
