"""Fields of the tape: each against a plain formula over the prints and quotes that had come."""

import math

import numpy as np
import pytest
from scan_tape import CRYPTO, EQUITY, FIELDS, Tape, at, known_of, nano, scanned, scanner_of, value_of, wants

from pipeline.codes import BarUnit, Kind, Mark, Origin, StatusReason, TradingStatus
from pipeline.scanner import price_fields, status_fields, volume_fields
from pipeline.units import DAY_NS, HOUR_NS, MINUTE_NS, NANO, SECOND_NS

OPEN = at("09:30:00")
EVERY = tuple(FIELDS)
MARKS = [Mark.NONE] * 12 + [
    Mark.NO_LAST,
    Mark.NO_HIGH_LOW,
    Mark.NO_VOLUME,
    Mark.CANCEL,
    Mark.DUPLICATE,
    Mark.CORRECTION,
]
MARKET = {field.name for field in (*price_fields.FIELDS, *volume_fields.FIELDS)}
PREVIOUS, ADV = 8.0, 250_000.0


class Plain:
    """What a loop over the rows that came before a moment makes of them; prints as (event, recv, price, size, marks)."""

    def __init__(self, now_ns, prints, quotes):
        self.now_ns, self.prints, self.quotes = now_ns, prints, quotes

    def counted(self, since_ns=0, until_ns=math.inf, received_ns=math.inf):
        """(price, signed size) of what counts as volume."""
        for event_ns, recv_ns, price, size, marks in self.prints:
            is_counted = not marks & (Mark.NO_VOLUME | Mark.DUPLICATE | Mark.CORRECTION)
            if is_counted and since_ns <= event_ns < until_ns and recv_ns < received_ns:
                yield price, -size if marks & Mark.CANCEL else size

    def moving(self, mark, since_ns=0, until_ns=math.inf, received_ns=math.inf):
        """(event, price) of what moves highs and lows, or last."""
        no = mark | Mark.DUPLICATE | Mark.CORRECTION | Mark.CANCEL
        return [
            (event_ns, price)
            for event_ns, recv_ns, price, _, marks in self.prints
            if not marks & no and since_ns <= event_ns < until_ns and recv_ns < received_ns
        ]

    def size(self, *args):
        return sum(size for _, size in self.counted(*args))

    def dollars(self, *args):
        return sum(price * size for price, size in self.counted(*args))

    def trades(self, *args):
        return sum(1 if size > 0 else -1 for _, size in self.counted(*args))

    def last(self, *args):
        return max(
            enumerate(self.moving(Mark.NO_LAST, *args)), key=lambda row: (row[1][0], row[0]), default=(0, (0, None))
        )[1][1]

    def high(self, *args):
        return max((price for _, price in self.moving(Mark.NO_HIGH_LOW, *args)), default=None)

    def low(self, *args):
        return min((price for _, price in self.moving(Mark.NO_HIGH_LOW, *args)), default=None)

    def open(self):
        regular = self.moving(Mark.NO_LAST, OPEN)
        return min(enumerate(regular), key=lambda row: (row[1][0], row[0]))[1][1] if regular else None

    def then(self, minutes):
        """The step at or before so many minutes ago."""
        step_ns = 10 * SECOND_NS if minutes <= 5 else MINUTE_NS
        return (self.now_ns - minutes * MINUTE_NS) // step_ns * step_ns

    def change(self, minutes):
        before = self.last(0, math.inf, self.then(minutes))
        thick = self.trades() - self.trades(0, math.inf, self.then(minutes)) >= 2
        return pct(self.last(), before) if thick else None

    def volume_since(self, minutes):
        return self.size() - self.size(0, math.inf, self.then(minutes))

    def values(self):
        """Every field of prices and volumes that the tape has enough rows for."""
        bid, ask, bid_size, ask_size, quoted_ns = self.quotes[-1]
        pre = (at("04:00:00"), OPEN)
        opened = self.open()
        share_1m, share_5m = (max(ADV * minutes / 390, 1_000 * minutes / 390) for minutes in (1, 5))
        newest_ns = max(
            event_ns for event_ns, _, _, _, marks in self.prints
            if not marks & (Mark.NO_VOLUME | Mark.DUPLICATE | Mark.CORRECTION | Mark.CANCEL)
        )  # fmt: skip
        return {
            "last": self.last(), "bid": bid, "ask": ask, "bid_size": bid_size, "ask_size": ask_size,
            "spread": ask - bid, "spread_pct": (ask - bid) / ((ask + bid) / 2) * 100,
            "prev_close": PREVIOUS, "change_pct": pct(self.last(), PREVIOUS),
            "gap_pct": pct(self.last() if opened is None else opened, PREVIOUS),
            "gap_basis": 1 if opened is None else 2, "open": opened, "chg_from_open_pct": pct(self.last(), opened),
            "chg_1m_pct": self.change(1), "chg_5m_pct": self.change(5), "chg_15m_pct": self.change(15),
            "chg_30m_pct": None, "chg_60m_pct": None, "chg_24h_pct": None,
            "hod": self.high(), "lod": self.low(), "rth_high": self.high(OPEN), "rth_low": self.low(OPEN),
            "dist_hod_pct": pct(self.last(), self.high()), "dist_rth_high_pct": pct(self.last(), self.high(OPEN)),
            "pm_high": self.high(*pre), "pm_low": self.low(*pre), "dist_pm_high_pct": pct(self.last(), self.high(*pre)),
            "volume": self.size(), "dollar_vol": self.dollars(), "trades": self.trades(), "vwap": self.dollars() / self.size(),
            "pm_volume": self.size(*pre), "pm_dollar_vol": self.dollars(*pre), "pm_trades": self.trades(*pre),
            "pm_vwap": self.dollars(*pre) / self.size(*pre), "adv": ADV, "vol_pct_adv": self.size() / ADV * 100,
            "rvol_tod": None, "rvol_1m": min(self.volume_since(1) / share_1m, 100), "rvol_5m": min(self.volume_since(5) / share_5m, 100),
            "volume_1m": self.volume_since(1), "volume_5m": self.volume_since(5),
            "dollar_vol_5m": self.dollars() - self.dollars(0, math.inf, self.then(5)), "volume_24h": None, "dollar_vol_24h": None,
            "trades_per_s": (self.trades() - self.trades(0, math.inf, self.then(1))) / 60,
            "tape_age_s": max(self.now_ns - newest_ns, 0) / NANO, "quote_age_s": (self.now_ns - quoted_ns) / NANO,
        }  # fmt: skip


def pct(now, before):
    return None if now is None or before is None else (now / before - 1) * 100


def busy_day(seed, until_ns):
    """Prints and quotes of one name from 9:10 on, some late, some odd, and the plain reader's copy of them."""
    random = np.random.default_rng(seed)
    starts_ns = at("09:10:00")
    tape = Tape().instrument(starts_ns, 1, "AAAA", EQUITY)
    tape.fact(starts_ns, 1, "previous_close", PREVIOUS, as_of_ns=at("16:00:00", "2026-11-03"))
    tape.fact(starts_ns, 1, "average_daily_volume", ADV)
    prints, quotes, price = [], [], 9.0
    for recv_ns in range(starts_ns + SECOND_NS // 2, until_ns, 4 * SECOND_NS):
        price = round(price * float(np.exp(random.normal(0, 0.004))), 2)
        event_ns = recv_ns - int(random.choice([0, 1, SECOND_NS, 45 * SECOND_NS], p=[0.6, 0.2, 0.1, 0.1]))
        size, marks = int(random.integers(1, 500)), int(random.choice(MARKS))
        tape.print(event_ns, 1, price, size, recv_ns=recv_ns, marks=marks)
        tape.quote(recv_ns, 1, price - 0.02, price + 0.01)
        prints.append((event_ns, recv_ns, nano(price) / NANO, size, marks))
        quotes.append((nano(price - 0.02) / NANO, nano(price + 0.01) / NANO, 300, 200, recv_ns))
    return tape.timer(until_ns), Plain(until_ns, prints, quotes)


@pytest.mark.parametrize("clock", ["09:26:33", "09:29:58", "09:31:07", "09:37:40"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_field_of_the_tape_is_its_plain_formula(seed, clock):
    tape, plain = busy_day(seed, at(clock))
    _, scanner = scanned(tape, scanner_of(show=EVERY))
    expected = plain.values()
    assert expected.keys() == MARKET - {"new_high"}
    for name, value in expected.items():
        assert value_of(scanner, name) == (None if value is None else pytest.approx(value, rel=1e-9)), name


def test_new_high_speaks_of_the_time_since_the_last_evaluation():
    tape, told = Tape().instrument(OPEN, 1, "A"), []
    for second, price in enumerate([None, 10, 10, 11, 10.5, 11.5], 1):
        if price:
            tape.print(OPEN + second * SECOND_NS - 1, 1, price)
        tape.timer(OPEN + second * SECOND_NS)
        told.append(value_of(scanned(tape, scanner_of(show=["new_high"]))[1], "new_high"))
    assert told == [None, 1, 0, 1, 0, 1]


def test_the_gap_is_of_the_last_price_until_the_open_has_traded_and_of_the_open_from_then_on():
    tape = Tape().instrument(OPEN - HOUR_NS, 1, "A")
    tape.fact(OPEN - HOUR_NS, 1, "previous_close", 10.0, as_of_ns=OPEN - DAY_NS)
    tape.print(OPEN - SECOND_NS, 1, 12).timer(OPEN + SECOND_NS)
    assert gap(tape) == (pytest.approx(20), 1)
    tape.print(OPEN + 2 * SECOND_NS, 1, 13).timer(OPEN + 3 * SECOND_NS)
    tape.print(OPEN + 4 * SECOND_NS, 1, 20).timer(OPEN + 5 * SECOND_NS)
    assert gap(tape) == (pytest.approx(30), 2)


def gap(tape):
    _, scanner = scanned(tape, scanner_of(show=["gap_pct", "gap_basis"]))
    return value_of(scanner, "gap_pct"), value_of(scanner, "gap_basis")


def test_bars_count_like_the_prints_in_them_and_a_revision_takes_the_place_of_its_bar():
    tape = Tape().instrument(OPEN - HOUR_NS, 1, "A")
    for minute, prices in enumerate([(10, 12, 9, 11), (11, 11.5, 10, 10.5), (10.5, 14, 10.5, 13)], -2):
        tape.bar(OPEN + minute * MINUTE_NS, 1, prices, 100 * (minute + 3), trade_count=10 * (minute + 3), vwap=10.0)
    again = OPEN + 3 * MINUTE_NS
    tape.bar(OPEN, 1, (10.5, 15, 10.5, 12), 500, trade_count=40, vwap=11.0, revision=1, recv_ns=again).timer(again + 1)
    _, scanner = scanned(tape, scanner_of(show=EVERY))
    expected = {
        "last": 12, "open": 10.5, "hod": 15, "lod": 9, "pm_high": 12, "pm_low": 9, "rth_high": 15, "volume": 800,
        "pm_volume": 300, "trades": 70, "pm_trades": 30, "pm_vwap": 10, "dollar_vol": 3_000 + 5_500,
    }  # fmt: skip
    assert {name: value_of(scanner, name) for name in expected} == expected


def test_prints_and_bars_of_the_same_trades_count_once():
    tape = Tape().instrument(OPEN, 1, "A").instrument(OPEN, 2, "B")
    for id_ in (1, 2):
        tape.bar(OPEN, id_, (10, 10, 10, 10), 100, length=SECOND_NS)
        if id_ == 1:
            tape.print(OPEN, 1, 10, 100).print(OPEN + 2 * SECOND_NS, 1, 10, 60)
        tape.bar(OPEN, id_, (10, 10, 10, 10), 160)
    tape.in_receive_order().timer(OPEN + 2 * MINUTE_NS)
    _, scanner = scanned(tape, scanner_of(show=["volume"]))
    assert (value_of(scanner, "volume", 1), value_of(scanner, "volume", 2)) == (160, 100)


def test_bars_that_count_no_trades_have_none():
    tape = Tape().instrument(OPEN, 1, "A").bar(OPEN, 1, (10, 10, 10, 10), 100).timer(OPEN + 2 * MINUTE_NS)
    _, scanner = scanned(tape, scanner_of(show=EVERY))
    assert [value_of(scanner, name) for name in ("trades", "pm_trades", "volume")] == [None, None, 100]


def test_bars_of_ticks_say_nothing_of_the_day():
    tape = Tape().instrument(OPEN, 1, "A")
    tape.rows.append((Kind.BAR, {**_bar_row(OPEN), "bar_unit": int(BarUnit.TICKS)}))
    _, scanner = scanned(tape.timer(OPEN + 2 * MINUTE_NS), scanner_of(show=["volume", "last"]))
    assert (value_of(scanner, "volume"), value_of(scanner, "last")) == (0, None)


def _bar_row(start_ns):
    tape = Tape().bar(start_ns, 1, (10, 10, 10, 10), 100)
    return tape.rows[0][1]


def test_a_thin_tape_has_no_change():
    tape = Tape().instrument(OPEN, 1, "A").print(OPEN, 1, 10)
    tape.timers(OPEN + SECOND_NS, OPEN + 3 * MINUTE_NS, 10 * SECOND_NS)
    tape.print(OPEN + 3 * MINUTE_NS - 2, 1, 12).timer(OPEN + 3 * MINUTE_NS)
    for trades_min, change in ((1, pytest.approx(20)), (2, None)):
        _, scanner = scanned(tape, scanner_of(show=["chg_1m_pct"], measures={"trades_min": trades_min}))
        assert value_of(scanner, "chg_1m_pct") == change


def days_of_volume(volumes, *, clock="04:00:00", symbol="A"):
    """Days on which so much was traded by 8:00 and as much again by 10:00; the last of them ends at its first half."""
    tape = Tape().instrument(at(clock, "2026-11-02"), 1, symbol)
    for day, volume in zip(("2026-11-02", "2026-11-03", "2026-11-04"), volumes, strict=True):
        tape.timer(at("07:00:00", day))
        tape.print(at("07:59:00", day), 1, 10, volume).timer(at("08:00:00", day))
        if day != "2026-11-04":
            tape.print(at("09:59:00", day), 1, 12, volume).timer(at("10:00:00", day)).timer(at("21:00:00", day))
    return tape


def test_relative_volume_is_held_against_the_same_time_of_other_days():
    tape = days_of_volume((10_000, 30_000, 60_000))
    _, scanner = scanned(tape, scanner_of(show=EVERY))
    assert value_of(scanner, "rvol_tod") == pytest.approx(60_000 / 20_000)
    assert value_of(scanner, "adv") == 40_000
    assert value_of(scanner, "vol_pct_adv") == pytest.approx(150)
    assert value_of(scanner, "prev_close") == 12


def test_daily_bars_give_close_average_volume_and_average_true_range():
    random = np.random.default_rng(3)
    tape, starts_ns = (
        Tape().instrument(at("00:00:00", "2026-09-01"), 1, "A"),
        1_788_220_800 * NANO,
    )  # 2026-09-01T00:00:00Z
    ranges, volumes, before = [], [], None
    for day in range(40):
        low, close, high = sorted(np.round(random.uniform(9, 11, 3), 2).tolist())
        volumes.append(int(random.integers(1_000, 9_000)))
        tape.bar(starts_ns + day * DAY_NS, 1, (low, high, low, close), volumes[-1], length=DAY_NS)
        ranges.append(max(high, before or high) - min(low, before or low))
        before = close
    atr = sum(ranges[:14]) / 14
    for reach in ranges[14:]:
        atr = (13 * atr + reach) / 14
    tape.timer(starts_ns + 40 * DAY_NS + 12 * HOUR_NS)
    schedule = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}
    _, scanner = scanned(tape, scanner_of(show=["prev_close", "adv", "atr14", "atr_pct"], schedule=schedule))
    assert value_of(scanner, "prev_close") == before
    assert value_of(scanner, "adv") == pytest.approx(sum(volumes[-30:]) / 30)
    assert value_of(scanner, "atr14") == pytest.approx(atr)
    assert value_of(scanner, "atr_pct") == pytest.approx(atr / before * 100)


@pytest.mark.parametrize(
    ("measures", "expected"),
    [
        ({"rvol_floor": 40_000}, 1.5),
        ({"rvol_cap": 2}, 2),
        ({"rvol_volume_min": 60_001}, None),
        ({"rvol_days": 1}, 2),
    ],
)
def test_relative_volume_has_a_floor_a_cap_and_a_least_volume(measures, expected):
    _, scanner = scanned(days_of_volume((10_000, 30_000, 60_000)), scanner_of(show=["rvol_tod"], measures=measures))
    assert value_of(scanner, "rvol_tod") == expected


def test_relative_volume_can_be_told_by_times_of_the_day():
    tape = Tape().instrument(at("07:00:00"), 1, "A")
    for clock, mean in (("0700", 1_000), ("0800", 5_000), ("0930", 50_000)):
        tape.fact(at("07:00:00"), 1, f"mean_volume_by:{clock}", mean)
    tape.print(at("07:29:00"), 1, 10, 6_000).timer(at("07:30:00"))
    _, scanner = scanned(tape, scanner_of(show=["rvol_tod"]))
    assert value_of(scanner, "rvol_tod") == pytest.approx(6_000 / 3_000)
    assert known_of(scanner, "rvol_tod") == at("07:29:00")


def test_a_coin_has_days_of_utc_a_rolling_day_and_neither_gap_nor_float_nor_halts():
    start = at("00:00:00", "2026-11-03")
    tape = Tape().instrument(start, 1, "BTC-USD", CRYPTO, step=10).timer(start)
    midnight = 1_793_750_400 * NANO  # 2026-11-04T00:00:00Z
    for hour in range(1, 40):
        tape.print(start + hour * HOUR_NS, 1, 100 + hour, 10**8).timer(start + hour * HOUR_NS + 1)
    schedule = {"calendar": "24/7", "every_s": 60}
    _, scanner = scanned(
        tape,
        scanner_of(
            show=[n for n in EVERY if not FIELDS[n].classes or n == "last"],
            asset_classes=["crypto"],
            schedule=schedule,
        ),
    )
    hours = [start + hour * HOUR_NS for hour in range(1, 40)]
    today = [hour for hour in hours if hour >= midnight]
    last, before = 139, 100 + max(hour for hour in range(1, 40) if start + hour * HOUR_NS < midnight)
    assert value_of(scanner, "volume") == pytest.approx(len(today))
    assert value_of(scanner, "prev_close") == before
    assert value_of(scanner, "change_pct") == pytest.approx(pct(last, before))
    step_ns = start + 15 * HOUR_NS  # a stretch of a day begins at the quarter of an hour at or before
    assert value_of(scanner, "volume_24h") == sum(hour >= step_ns for hour in hours)
    assert value_of(scanner, "chg_24h_pct") == pytest.approx(pct(last, 114))


def test_what_a_class_has_not_is_absent_not_zero():
    tape = Tape().instrument(OPEN, 1, "A").instrument(OPEN, 2, "BTC-USD", CRYPTO)
    for id_ in (1, 2):
        tape.print(OPEN + 1, id_, 10, 100).status(OPEN + 1, id_, TradingStatus.TRADING)
        tape.fact(OPEN + 1, id_, "float_shares", 1e6).fact(OPEN + 1, id_, "news", text="x")
        tape.fact(OPEN + 1, id_, "previous_close", 8.0, as_of_ns=OPEN - DAY_NS)
    tape.timer(OPEN + SECOND_NS)
    _, scanner = scanned(tape, scanner_of(show=EVERY, asset_classes=["equity", "crypto"]))
    for name in (
        "gap_pct",
        "open",
        "pm_volume",
        "float",
        "halted",
        "halts_today",
        "ssr",
        "news_count_24h",
        "float_rotation",
    ):
        assert value_of(scanner, name, 1) is not None, name
        assert value_of(scanner, name, 2) is None, name


def test_halts_bands_and_resumptions():
    tape = Tape().instrument(OPEN, 1, "A").print(OPEN + 1, 1, 10)
    bands = {"limit_down_nano": nano(9), "limit_up_nano": nano(11)}
    tape.status(OPEN + 2, 1, TradingStatus.LIMITS, **bands).timer(OPEN + SECOND_NS)
    assert halts(tape) == {
        "halted": 0,
        "halts_today": 0,
        "luld_lower": 9,
        "luld_upper": 11,
        "dist_luld_pct": pytest.approx(10),
    }
    tape.status(OPEN + 2 * SECOND_NS, 1, TradingStatus.PAUSED, reason=int(StatusReason.VOLATILITY))
    tape.status(OPEN + 3 * SECOND_NS, 1, TradingStatus.HALTED).status(OPEN + 4 * SECOND_NS, 1, TradingStatus.QUOTING)
    tape.timer(OPEN + 12 * SECOND_NS)
    assert halts(tape) | {"halted": 1, "halts_today": 1, "halt_age_s": 10} == halts(tape)
    tape.status(OPEN + 13 * SECOND_NS, 1, TradingStatus.TRADING).timer(OPEN + 20 * SECOND_NS)
    assert halts(tape) | {"halted": 0, "halts_today": 1, "halt_age_s": 18, "resume_age_s": 7} == halts(tape)
    tape.timer(at("15:59:00")).timer(at("16:00:01"))
    assert "luld_upper" not in halts(tape)


def halts(tape):
    schedule = {"from": "04:00", "until": "20:00"}
    _, scanner = scanned(tape, scanner_of(show=[field.name for field in status_fields.FIELDS], schedule=schedule))
    told = {field.name: value_of(scanner, field.name) for field in status_fields.FIELDS}
    return {name: value for name, value in told.items() if value is not None and name not in ("ssr", "halt_code")}


def test_short_sales_are_restricted_by_a_fall_in_regular_hours_for_that_day_and_the_next():
    tape = Tape().instrument(at("09:00:00"), 1, "A")
    tape.fact(at("09:00:00"), 1, "previous_close", 10.0, as_of_ns=at("16:00:00", "2026-11-03"))
    told = {}
    moments = [
        ("2026-11-04", "09:10:00", 8.0), ("2026-11-04", "09:31:00", 9.5), ("2026-11-04", "10:00:00", 9.0),
        ("2026-11-04", "15:00:00", 9.9), ("2026-11-05", "10:00:00", 9.9), ("2026-11-06", "10:00:00", 9.9),
    ]  # fmt: skip
    for day, clock, price in moments:
        tape.print(at(clock, day), 1, price).timer(at(clock, day) + 1)
        told[day[-2:], clock] = value_of(scanned(tape, scanner_of(show=["ssr"]))[1], "ssr")
    assert list(told.values()) == [0, 0, 1, 1, 1, 0]
    tape.status(at("10:01:00", "2026-11-06"), 1, TradingStatus.LIMITS, is_short_restricted=1).timer(
        at("10:02:00", "2026-11-06")
    )
    assert value_of(scanned(tape, scanner_of(show=["ssr"]))[1], "ssr") == 1


def test_a_backfilled_quote_is_not_in_force_and_a_backfilled_print_counts():
    tape = Tape().instrument(OPEN, 1, "A").quote(OPEN + SECOND_NS, 1, 10, 10.1).print(OPEN + SECOND_NS, 1, 10, 5)
    late = {"recv_ns": OPEN + 2 * SECOND_NS, "origin": int(Origin.BACKFILL)}
    tape.quote(OPEN, 1, 8, 8.1, **late).print(OPEN, 1, 8, 7, **late).timer(OPEN + 3 * SECOND_NS)
    _, scanner = scanned(tape, scanner_of(show=["bid", "last", "volume", "lod"]))
    assert [value_of(scanner, name) for name in ("bid", "last", "volume", "lod")] == [10, 10, 12, 8]


def test_a_print_of_yesterday_or_far_ahead_moves_nothing():
    tape = Tape().instrument(OPEN, 1, "A").print(OPEN - DAY_NS, 1, 5, recv_ns=OPEN + 1)
    tape.print(OPEN + HOUR_NS, 1, 50, recv_ns=OPEN + 2).timer(OPEN + SECOND_NS)
    _, scanner = scanned(tape, scanner_of(show=["last", "volume"], filters=[wants("volume", ">", 0)]))
    assert (value_of(scanner, "last"), value_of(scanner, "volume")) == (None, 0)
