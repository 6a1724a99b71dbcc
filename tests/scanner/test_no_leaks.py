"""The future planted into a tape, family by family: nothing that is written before it has a trace of it, and behind it the fields move."""

import math

import pytest
from scan_tape import CRYPTO, FIELDS, Tape, at, nano, rows_of, scanned, scanner_of, wants

from pipeline.block import concat
from pipeline.codes import Kind, StatusReason, TradingStatus
from pipeline.core.hashing import packed_rows
from pipeline.scanner import company_fields, price_fields, status_fields, volume_fields
from pipeline.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

T = at("10:00:00")
CLOSED = at("16:00:00", "2026-11-03")
YESTERDAY = at("09:35:00", "2026-11-03")
PLANTED = T + 6 * MINUTE_NS + 3 * SECOND_NS
"""What is planted is known from here on; the day is looked at until two minutes later."""

EVERY = tuple(FIELDS)
FACTS = {
    "previous_close": 100.0, "float_shares": 5e6, "shares_outstanding": 9e6, "split_ratio": 0.5, "short_interest": 2e5,
    "days_to_cover": 2.0, "short_volume": 1e5, "easy_to_borrow": 1, "shortable": 1, "locate_fee": 0.1, "prior_runner": 1,
}  # fmt: skip
WORDS = ("news", "catalyst", "sector", "industry", "exchange", "country", "tier", "security_type")


def day():
    """Two days of a share and one of a coin, in which every field has a value, as of the second day's morning."""
    tape = Tape().instrument(YESTERDAY, 1, "A").instrument(YESTERDAY, 2, "BTC-USD", CRYPTO)
    for minute in range(30):
        for id_ in (1, 2):
            tape.print(YESTERDAY + minute * MINUTE_NS, id_, 95 + minute / 10, 700)
        tape.timer(YESTERDAY + minute * MINUTE_NS + 1)
    for name, value in FACTS.items():
        as_of_ns = at("00:00:00", "2026-10-20") if name == "split_ratio" else CLOSED
        tape.fact(CLOSED + HOUR_NS, 1, name, value, as_of_ns=as_of_ns)
    for name in WORDS:
        tape.fact(CLOSED + HOUR_NS, 1, name, text=f"{name} before")
    tape.fact(CLOSED + HOUR_NS, 1, "ipo", text="2026-01-02", as_of_ns=at("00:00:00", "2026-01-02"))
    tape.print(at("09:00:00"), 1, 101, 500).print(at("09:31:00"), 1, 102, 900).print(at("09:31:00"), 2, 102, 900)
    tape.status(at("09:40:00"), 1, TradingStatus.PAUSED, reason=int(StatusReason.VOLATILITY))
    tape.status(at("09:45:00"), 1, TradingStatus.TRADING, limit_down_nano=nano(90), limit_up_nano=nano(120))
    tape.timers(at("09:31:01"), T, MINUTE_NS)
    for second in range(0, 480, 20):
        ts_ns = T + second * SECOND_NS
        for id_ in (1, 2):
            tape.print(ts_ns, id_, 103 + second / 100, 300).quote(ts_ns + 1, id_, 103, 103.1)
        tape.timer(ts_ns + 2).timer(ts_ns + 5 * SECOND_NS)
    return tape


def planted(tape, plant):
    """The tape with what a family plants among its rows: where it was received later behind it, facts in front of everything."""
    begun = len(tape.rows)
    plant(tape)
    new = tape.rows[begun:]
    del tape.rows[begun:]
    early = [row for row in new if row[1]["ts_recv_ns"] < PLANTED]
    late = [row for row in new if row[1]["ts_recv_ns"] >= PLANTED]
    place = next(at_ for at_, row in enumerate(tape.rows) if row[1]["ts_recv_ns"] >= PLANTED)
    tape.rows[place:place] = late
    tape.rows[2:2] = early
    return tape, len(early)


def known_later(name, value=math.nan, text="", **more):
    """A fact that stands on the tape from the beginning and becomes known, or comes in force, when the rest does."""

    def plant(tape):
        times = {"known_ns": PLANTED, "as_of_ns": CLOSED + 2 * HOUR_NS, **more}
        tape.fact(YESTERDAY, 1, name, value, text=text, **times)

    return plant


def in_force_later(name, value):
    return known_later(name, value, known_ns=YESTERDAY, as_of_ns=PLANTED)


def late(method, event_ns, *args, **more):
    """A row that speaks of a moment before, received when it is planted."""
    return lambda tape: getattr(tape, method)(event_ns, 1, *args, recv_ns=PLANTED, **more)


def snapshot(tape):
    tape.put(
        Kind.SNAPSHOT, T, 1, recv_ns=PLANTED, ts_trade_ns=PLANTED, last_nano=nano(500), ts_quote_ns=PLANTED, bid_nano=nano(499),
        ask_nano=nano(501), volume_steps=10**7, vwap=300.0, high_nano=nano(600), low_nano=nano(1), open_nano=nano(2),
    )  # fmt: skip


def halt(tape):
    tape.status(
        T, 1, TradingStatus.HALTED, recv_ns=PLANTED, reason=int(StatusReason.NEWS_PENDING), limit_down_nano=nano(50),
        limit_up_nano=nano(400), is_short_restricted=1,
    )  # fmt: skip


FAMILIES = {
    "late print": (late("print", T + SECOND_NS, 900, 5_000), ["hod", "volume", "vwap", "dollar_vol", "rvol_tod", "float_rotation"]),
    "print": (late("print", PLANTED, 900, 5_000), ["last", "chg_1m_pct", "chg_5m_pct", "dist_hod_pct", "new_high"]),
    "late quote": (late("quote", PLANTED, 1.0, 2.0), ["bid"]),
    "bar": (late("bar", T - 5 * MINUTE_NS, (1, 9_000, 1, 1), 10**6), []),
    "daily bar": (late("bar", at("00:00:00", "2026-11-02"), (50, 60, 40, 55), 10**6, length=DAY_NS), []),
    "daily bar of yesterday": (late("bar", at("00:00:00", "2026-11-03"), (50, 60, 40, 55), 10**6, length=DAY_NS), []),
    "halt, bands and the short-sale rule": (halt, ["halted", "halt_code", "halts_today", "luld_upper", "dist_luld_pct", "ssr"]),
    "snapshot": (snapshot, ["last", "ask", "volume", "hod", "rth_high"]),
    "previous close": (known_later("previous_close", 50.0), ["prev_close", "gap_pct", "change_pct", "atr_pct"]),
    "split known later": (known_later("split_ratio", 0.1, as_of_ns=at("00:00:00")), ["prev_close", "float", "adv", "days_since_split", "days_since_rsplit", "rvol_tod"]),
    "split in force later": (in_force_later("split_ratio", 0.1), ["prev_close", "float"]),
    "two splits": (lambda tape: [known_later("split_ratio", ratio, as_of_ns=at("00:00:00", day))(tape) for ratio, day in ((0.1, "2026-11-04"), (3.0, "2026-11-01"))], ["prev_close"]),
    "float": (known_later("float_shares", 1e6), ["float", "float_rotation"]),
    "shares": (known_later("shares_outstanding", 1e6), ["shares_out", "mkt_cap"]),
    "market cap": (known_later("market_cap", 7.0), ["mkt_cap"]),
    "average volume": (known_later("average_daily_volume", 9e9), ["adv", "vol_pct_adv"]),
    "usual volume": (lambda tape: [known_later(f"mean_volume_by:{clock}", 1e6)(tape) for clock in ("0930", "1100")], []),
    "range": (known_later("atr14", 77.0), ["atr14", "atr_pct"]),
    "news": (known_later("news", text="from the future"), ["news_count_24h", "last_headline", "headline_age_s"]),
    "ipo": (known_later("ipo", as_of_ns=at("00:00:00", "2026-11-03")), ["days_since_ipo"]),
    **{name: (known_later(name, text="from the future"), [name]) for name in WORDS[1:-1]},
    "kind": (known_later("security_type", text="from the future"), ["kind"]),
    **{name: (known_later(name, 9.5), [name]) for name in list(FACTS)[4:]},
}  # fmt: skip


def everything():
    return scanner_of(
        show=EVERY, filters=[wants("last", ">", 0)], asset_classes=["equity", "crypto"], full_table_every_s=1,
        schedule={"every_s": 1, "from": "00:00", "until": "23:59"},
    )  # fmt: skip


def before(made, shift=0):
    """What was written before the future began, as bytes, as if the facts in front had not been there."""
    kept = [block.take(block.number("ts_recv_ns") < PLANTED) for block in made]
    moved = [
        block.with_columns(seq=block.number("seq") - shift, cause_seq=block.number("cause_seq") - shift)
        for block in concat(kept)
    ]
    return b"".join(packed_rows(block) for block in moved)


def later(made):
    """The values of each field of the share from when the future began."""
    told = {}
    for row in rows_of(made, Kind.CANDIDATE):
        if row["instrument_id"] == 1 and row["ts_recv_ns"] >= PLANTED:
            told.setdefault(EVERY[row["field_id"] - 1], []).append(row["value"])
    return told


@pytest.fixture(scope="module")
def base():
    return scanned(day(), everything())[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_of_what_is_planted_is_seen_before_and_its_fields_move_behind(base, family):
    plant, moved = FAMILIES[family]
    tape, shift = planted(day(), plant)
    made = scanned(tape, everything())[0]
    assert before(made, shift) == before(base)
    told, plain = later(made), later(base)
    for name in moved:
        assert repr(told[name]) != repr(plain[name]), f"{name} was to move behind it, or this shows nothing"


@pytest.mark.parametrize("family", ["late print", "snapshot", "halt, bands and the short-sale rule", "news"])
def test_it_is_the_same_when_the_future_lies_in_one_batch_with_the_past(base, family):
    tape, shift = planted(day(), FAMILIES[family][0])
    assert (
        before(scanned(tape, everything(), 7)[0], shift)
        == before(scanned(tape, everything(), 0)[0], shift)
        == before(base)
    )


def test_every_field_has_a_value_in_that_day_so_that_a_leak_would_show(base):
    seen = {}
    for row in rows_of(base, Kind.CANDIDATE):
        if row["instrument_id"] and row["ts_recv_ns"] < PLANTED and not math.isnan(row["value"]):
            seen[EVERY[row["field_id"] - 1]] = True
    missing = set(EVERY) - set(seen)
    assert missing == {"chg_15m_pct", "chg_30m_pct", "chg_60m_pct"} - set(seen), missing


def test_every_family_of_fields_is_moved_by_something():
    moved = {name for _, names in FAMILIES.values() for name in names}
    for module in (price_fields, volume_fields, company_fields, status_fields):
        names = {field.name for field in module.FIELDS}
        assert len(names & moved) >= 5, module.__name__
