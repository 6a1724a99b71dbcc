"""Point in time: what was not known yet is not seen; facts are chosen by a rule, split by ratio, dated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_tape import CRYPTO, ETF, FIELDS, Tape, at, known_of, rows_of, scanned, scanner_of, value_of, wants

from pipeline.codes import Kind
from pipeline.core.hashing import packed_rows
from pipeline.units import ABSENT, DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

T = at("08:00:00")
CLOSED = at("16:00:00", "2026-11-03")
EVERY = tuple(FIELDS)
FACTS = (
    "previous_close", "float_shares", "shares_outstanding", "market_cap", "split_ratio", "average_daily_volume", "atr14",
    "news", "sector", "security_type", "ipo", "mean_volume_by:0800", "short_interest", "catalyst",
)  # fmt: skip


def known_day():
    """A name with facts and trades until 8:00:30."""
    tape = Tape().instrument(T, 1, "A")
    for place, name in enumerate(FACTS, 1):
        ratio = 0.5 if name == "split_ratio" else 1_000.0 * place
        tape.fact(T, 1, name, ratio, text=f"word {place}", as_of_ns=CLOSED - HOUR_NS)
    for second in range(1, 30):
        tape.print(T + second * SECOND_NS, 1, 900 + second, 1_000).quote(T + second * SECOND_NS, 1, 900, 901)
        tape.timer(T + second * SECOND_NS + 1)
    return tape


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.sampled_from(FACTS), st.integers(1, 10**6), st.sampled_from(["known", "as_of"])),
        min_size=1,
        max_size=8,
    ),
    st.integers(0, 14),
)
def test_facts_that_are_known_or_in_force_later_change_nothing_before(planted, place):
    """They stand in the log from the start, and nothing that is written before their moment has a trace of them."""
    expected = [packed_rows(block) for block in scanned(known_day(), everything())[0]]
    tape = known_day()
    later_ns = T + 60 * SECOND_NS
    for name, value, which in planted:
        times = (
            {"known_ns": later_ns, "as_of_ns": CLOSED + HOUR_NS}
            if which == "known"
            else {"known_ns": T, "as_of_ns": later_ns}
        )
        tape.fact(T, 1, name, float(value), text="from the future", **times)
        tape.rows.insert(1 + place, tape.rows.pop())
    found = scanned(tape, everything())[0]
    assert [packed_rows(moved(block, len(planted))) for block in found] == expected


def moved(block, count):
    """The block as if so many inputs had not been in front of it."""
    columns = {name: block.number(name) - count for name in ("seq", "cause_seq")}
    return block.with_columns(**columns)


def everything():
    return scanner_of(show=EVERY, filters=[wants("last", ">", 0)])


def test_later_prints_quotes_and_bars_change_nothing_before():
    short, long = known_day(), known_day()
    later_ns = T + 40 * SECOND_NS
    long.print(T + 2 * SECOND_NS, 1, 5_000, recv_ns=later_ns).quote(T, 1, 1, 2, recv_ns=later_ns)
    long.bar(T - 5 * MINUTE_NS, 1, (1, 9_000, 1, 1), 10**6, recv_ns=later_ns).timer(later_ns + SECOND_NS)
    before = scanned(short, everything())[0]
    upto = [block.take(block.number("seq") <= len(short.rows)) for block in scanned(long, everything())[0]]
    assert [packed_rows(block) for block in upto] == [packed_rows(block) for block in before]


def test_a_fact_counts_from_the_moment_at_which_it_is_known():
    tape = Tape().instrument(T, 1, "A").fact(T, 1, "float_shares", 5e6, as_of_ns=CLOSED)
    tape.fact(T, 1, "float_shares", 7e6, known_ns=T + 10 * SECOND_NS, as_of_ns=CLOSED + 1)
    told = []
    for second in (9, 10):
        tape.timer(T + second * SECOND_NS)
        _, scanner = scanned(tape, scanner_of(show=["float"]))
        told.append((value_of(scanner, "float"), known_of(scanner, "float") - T))
    assert told == [(5e6, 0), (7e6, 10 * SECOND_NS)]


def test_every_value_that_is_written_was_known_by_then():
    made, _ = scanned(known_day(), everything())
    rows = rows_of(made, Kind.CANDIDATE)
    assert len({row["field_id"] for row in rows}) == len(EVERY) + 1
    for row in rows:
        assert row["known_at_ns"] <= row["ts_recv_ns"]
        assert (row["known_at_ns"] == ABSENT) >= bool(np.isnan(row["value"]))


@pytest.mark.parametrize(
    ("facts", "providers", "chosen"),
    [
        pytest.param([("a", 1, 10, 0), ("b", 2, 20, 1)], [], 2, id="the one that describes the later moment"),
        pytest.param([("b", 2, 20, 1), ("a", 1, 10, 2)], [], 2, id="whatever came last"),
        pytest.param([("a", 1, 10, 5), ("b", 2, 10, 3)], [], 1, id="of one moment the one known last"),
        pytest.param([("a", 1, 10, 3), ("b", 2, 10, 3)], [], 2, id="then the one that came last"),
        pytest.param([("a", 1, 10, 0), ("b", 2, 20, 1)], ["a"], 1, id="named first, believed first"),
        pytest.param([("c", 3, 90, 0), ("b", 2, 20, 1), ("a", 1, 1, 1)], ["b", "a"], 2, id="in the order of the names"),
    ],
)
def test_of_providers_that_disagree_one_is_believed_by_the_rule(facts, providers, chosen):
    tape = Tape().instrument(T, 1, "A")
    for provider, value, as_of, known in facts:
        tape.fact(T + 9, 1, "float_shares", value, provider=provider, as_of_ns=CLOSED + as_of, known_ns=T + known)
    more = {"measures": {"providers": providers}} if providers else {}
    _, scanner = scanned(tape.timer(T + SECOND_NS), scanner_of(show=["float", "float_source"], **more))
    assert value_of(scanner, "float") == chosen
    source = scanner.state.facts.text(int(value_of(scanner, "float_source")))
    assert source == {1: "a", 2: "b", 3: "c"}[chosen]


def test_a_reverse_split_this_morning_makes_no_gap():
    """One for ten: yesterday's close of a dollar is ten of today's, and a tenth of the shares is left."""
    tape = Tape().instrument(T, 1, "A").fact(T, 1, "previous_close", 1.0, as_of_ns=CLOSED)
    tape.fact(T, 1, "float_shares", 5e6, as_of_ns=CLOSED - 30 * DAY_NS).fact(
        T, 1, "average_daily_volume", 1e6, as_of_ns=CLOSED
    )
    tape.fact(T, 1, "split_ratio", 0.1, known_ns=CLOSED - DAY_NS, as_of_ns=at("00:00:00"))
    tape.print(T + 1, 1, 10.5, 1_000).timer(T + SECOND_NS)
    shown = ["prev_close", "gap_pct", "float", "adv", "days_since_rsplit", "days_since_split"]
    _, scanner = scanned(tape, scanner_of(show=shown))
    assert [value_of(scanner, name) for name in shown] == [10, pytest.approx(5), 5e5, 1e5, 0, 0]


def split_tape(*splits, closed=CLOSED):
    """What was said at a close, then splits as (ratio, day)."""
    tape = Tape().instrument(T, 1, "A")
    told = {
        "previous_close": 12.0,
        "float_shares": 6e6,
        "average_daily_volume": 3e6,
        "atr14": 1.2,
        "short_interest": 6e5,
    }
    for name, value in told.items():
        tape.fact(T, 1, name, value, as_of_ns=closed)
    for ratio, day, *provider in splits:
        named = {"provider": provider[0]} if provider else {}
        tape.fact(T, 1, "split_ratio", ratio, known_ns=closed - DAY_NS, as_of_ns=at("00:00:00", day), **named)
    return tape.timer(T + SECOND_NS)


SPLIT = ("prev_close", "float", "adv", "atr14", "short_interest", "days_since_split", "days_since_rsplit")


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        pytest.param([(0.1, "2026-11-04"), (0.5, "2026-11-02")], [240, 3e5, 1.5e5, 24, 3e4, 0, 0], id="two since"),
        pytest.param(
            [(2, "2026-11-04"), (0.1, "2026-11-01")], [60, 1.2e6, 6e5, 6, 1.2e5, 0, 3], id="forward, then reverse"
        ),
        pytest.param([(0.5, "2026-11-03"), (0.1, "2026-10-20")], [24, 3e6, 1.5e6, 2.4, 3e5, 1, 1], id="one before"),
        pytest.param(
            [(0.1, "2026-11-02", "b"), (0.1, "2026-11-03", "c")], [120, 6e5, 3e5, 12, 6e4, 1, 1], id="two tell one"
        ),
        pytest.param([(0.1, "2026-11-02"), (0.1, "2026-11-03")], [1200, 6e4, 3e4, 120, 6e3, 1, 1], id="one tells two"),
    ],
)
def test_all_splits_since_count(splits, expected):
    _, scanner = scanned(split_tape(*splits, closed=at("16:00:00", "2026-10-31")), scanner_of(show=SPLIT))
    assert [value_of(scanner, name) for name in SPLIT] == pytest.approx(expected)


def test_a_split_counts_from_its_day_on_not_from_when_it_is_announced_or_tells_of_the_next():
    tape = split_tape((0.5, "2026-11-03"), (0.1, "2026-11-05"), closed=at("16:00:00", "2026-11-02"))
    assert value_of(scanned(tape, scanner_of(show=SPLIT))[1], "prev_close") == 24
    tape.timer(at("08:00:00", "2026-11-05"))
    assert value_of(scanned(tape, scanner_of(show=SPLIT))[1], "prev_close") == 240


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_days_that_the_session_saw_are_counted_in_todays_shares(rows):
    """Four daily bars with splits between them: as if all of them had been traded in the last day's shares."""
    plain, split = (Tape().instrument(T, 1, "A") for _ in range(2))
    days = ("2026-10-28", "2026-10-29", "2026-10-30", "2026-11-03")
    split.fact(T, 1, "split_ratio", 0.1, as_of_ns=at("00:00:00", "2026-10-29"))
    split.fact(T, 1, "split_ratio", 2.0, as_of_ns=at("00:00:00", "2026-11-03"))
    for place, (day, before) in enumerate(zip(days, (0.2, 2.0, 2.0, 1.0), strict=True)):
        prices, volume = [20.0 + place, 22.0 + place, 19.0 + place, 21.0 + place], 10_000 * (place + 1)
        plain.bar(at("00:00:00", day), 1, prices, volume, length=DAY_NS, recv_ns=T + 1)
        then = [price * before for price in prices]
        split.bar(at("00:00:00", day), 1, then, round(volume / before), length=DAY_NS, recv_ns=T + 1)
    names = ("prev_close", "adv", "atr14")
    found = [scanned(tape.timer(T + SECOND_NS), scanner_of(show=names), rows)[1] for tape in (plain, split)]
    assert [value_of(found[1], name) for name in names] == pytest.approx([value_of(found[0], name) for name in names])


def test_a_split_that_is_announced_is_not_in_force():
    tape = Tape().instrument(T, 1, "A").fact(T, 1, "previous_close", 1.0, as_of_ns=CLOSED)
    tape.fact(T, 1, "split_ratio", 0.1, as_of_ns=at("00:00:00", "2026-11-05")).timer(T + SECOND_NS)
    _, scanner = scanned(tape, scanner_of(show=["prev_close", "days_since_split"]))
    assert (value_of(scanner, "prev_close"), value_of(scanner, "days_since_split")) == (1, None)


@pytest.mark.parametrize(("days_ago", "close"), [(1, 5.0), (4, 5.0), (5, 5.0), (6, None)])
def test_a_previous_close_from_before_a_long_week_end_is_none(days_ago, close):
    tape = Tape().instrument(T, 1, "A").fact(T, 1, "previous_close", 5.0, as_of_ns=CLOSED - (days_ago - 1) * DAY_NS)
    _, scanner = scanned(tape.timer(T + 1), scanner_of(show=["prev_close"]))
    assert value_of(scanner, "prev_close") == close


def test_todays_own_close_is_not_the_previous_one():
    tape = Tape().instrument(T, 1, "A").fact(T, 1, "previous_close", 5.0, as_of_ns=CLOSED)
    tape.fact(at("15:59:00"), 1, "previous_close", 9.0, as_of_ns=at("15:59:00")).timer(at("15:59:30"))
    _, scanner = scanned(tape, scanner_of(show=["prev_close"]))
    assert value_of(scanner, "prev_close") == 5
    tape.timer(at("09:00:00", "2026-11-05"))
    assert value_of(scanned(tape, scanner_of(show=["prev_close"]))[1], "prev_close") == 9


def test_company_fields_are_their_facts():
    tape = Tape().instrument(T, 1, "A").instrument(T, 2, "FUNDX", ETF)
    facts = {
        "float_shares": 4e6, "shares_outstanding": 1e7, "short_interest": 3e5, "days_to_cover": 1.5, "short_volume": 2e5,
        "easy_to_borrow": 0, "shortable": 1, "locate_fee": 0.02, "prior_runner": 1, "atr14": 0.4, "average_daily_volume": 2e6,
    }  # fmt: skip
    for name, value in facts.items():
        tape.fact(T, 1, name, value, as_of_ns=CLOSED)
    tape.fact(T, 1, "ipo", as_of_ns=at("00:00:00", "2026-10-25"))
    tape.fact(T, 1, "previous_close", 4.0, as_of_ns=CLOSED).print(T + 1, 1, 5, 10**6).timer(T + SECOND_NS)
    expected = {
        "float": 4e6, "shares_out": 1e7, "mkt_cap": 5e7, "float_rotation": 0.25, "float_age_days": 1, "short_interest": 3e5,
        "days_to_cover": 1.5, "short_volume": 2e5, "easy_to_borrow": 0, "shortable": 1, "locate_fee": 0.02, "prior_runner": 1,
        "atr14": 0.4, "atr_pct": pytest.approx(10), "days_since_ipo": 10, "adv": 2e6, "vol_pct_adv": 50,
    }  # fmt: skip
    _, scanner = scanned(tape, scanner_of(show=list(expected)))
    assert {name: value_of(scanner, name) for name in expected} == expected
    tape.fact(T + 2, 1, "market_cap", 6e7).timer(T + 2 * SECOND_NS)
    assert value_of(scanned(tape, scanner_of(show=["mkt_cap"]))[1], "mkt_cap") == 6e7


def test_news_count_by_when_they_were_first_seen():
    tape = Tape().instrument(T, 1, "A").instrument(T, 2, "B")
    for hours in (25, 23, 2, -1):
        tape.fact(T, 1, "news", text=f"{hours} hours ago", known_ns=T - hours * HOUR_NS, as_of_ns=T - 30 * HOUR_NS)
    tape.timer(T + SECOND_NS)
    shown = ["news_count_24h", "headline_age_s", "last_headline"]
    _, scanner = scanned(tape, scanner_of(show=shown))
    assert value_of(scanner, "news_count_24h") == 2
    assert value_of(scanner, "headline_age_s") == 2 * 3_600 + 1
    assert scanner.state.facts.text(int(value_of(scanner, "last_headline"))) == "2 hours ago"
    assert [value_of(scanner, name, 2) for name in shown] == [0, None, None]


@pytest.mark.parametrize(
    ("symbol", "told", "kind"),
    [
        ("ABCD", "", "common"), ("ABCDW", "", "warrant"), ("ABCDR", "", "right"), ("ABCDU", "", "unit"), ("ABCDF", "", "common"),
        ("BAC.WS", "", "warrant"), ("BAC/U", "", "unit"), ("BAC.PRL", "", "preferred"), ("BRK.B", "", "common"),
        ("ABCDW", "adr", "adr"),
    ],
)  # fmt: skip
def test_the_kind_is_told_or_read_off_the_symbol(symbol, told, kind):
    tape = Tape().instrument(T, 1, symbol).instrument(T, 2, "FUND", ETF).instrument(T, 3, "BTC", CRYPTO)
    if told:
        tape.fact(T, 1, "security_type", text=told)
    _, scanner = scanned(tape.timer(T + 1), scanner_of(show=["kind"], asset_classes=["equity", "etf", "crypto"]))
    text = scanner.state.facts.text
    assert text(int(value_of(scanner, "kind"))) == kind
    assert text(int(value_of(scanner, "kind", 2))) == "etf"
    assert value_of(scanner, "kind", 3) is None


@pytest.mark.parametrize(("op", "listed"), [("in", ["A"]), ("not in", ["B"])])
def test_a_text_is_filtered_by_a_list(op, listed):
    tape = Tape().instrument(T, 1, "A").instrument(T, 2, "B").instrument(T, 3, "C")
    tape.fact(T, 1, "sector", text="Energy").fact(T, 2, "sector", text="Utilities").timer(T + 1)
    _, scanner = scanned(tape, scanner_of(filters=[wants("sector", op, ["Energy", "Health"])]))
    assert scanner.get_active_stock_list() == listed


def test_known_at_is_when_the_value_came_not_when_its_like_did():
    """The high of the regular session is not known since the premarket had a higher one; a late low not since the last trade."""
    open_ns = at("09:30:00")
    tape = Tape().instrument(T, 1, "A").print(T + 1, 1, 20)
    tape.print(open_ns + 1, 1, 10).print(open_ns + 2, 1, 9, recv_ns=open_ns + 2)
    tape.print(open_ns + 1, 1, 8, recv_ns=open_ns + 3).timer(open_ns + SECOND_NS)
    _, scanner = scanned(
        tape, scanner_of(show=["hod", "pm_high", "rth_high", "rth_low", "last", "open", "dist_hod_pct"])
    )
    told = {name: known_of(scanner, name) for name in scanner.definition.fields}
    assert told == {
        "hod": T + 1, "pm_high": T + 1, "rth_high": open_ns + 3, "rth_low": open_ns + 3, "last": open_ns + 2,
        "open": open_ns + 1, "dist_hod_pct": open_ns + 2,
    }  # fmt: skip
