"""Generated days: one seed is one day, and it has what it promises: tails, spreads, bands, pauses, bars that add up."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.block import chained
from pipeline.codes import FeedAction, Kind, Mark, StatusReason, TradingStatus
from pipeline.errors import ConfigError
from pipeline.instruments import COIN_STEP_NANO
from pipeline.normalize.conditions import FORM_T, in_regular_hours
from pipeline.simulator.days import DAYS, GeneratedMarket, on_date
from pipeline.simulator.names import SHARES_MAX, share_symbol
from pipeline.simulator.ticks import ODD_LOT
from pipeline.units import ABSENT, DAY_NS, MINUTE_NS, SECOND_NS, iso_from_ns

SMALL = replace(DAYS["premarket"], instruments=3, quotes=800)


def all_of(day, *, is_whole=True):
    batches = list(GeneratedMarket(day, is_whole=is_whole).events())
    return {block.kind: block for block in chained(batches)}


@pytest.fixture(scope="module")
def premarket():
    return all_of(DAYS["premarket"])


@pytest.fixture(scope="module")
def opening():
    return all_of(replace(DAYS["open"], instruments=150, quotes=700))


@pytest.fixture(scope="module")
def crypto():
    return all_of(replace(DAYS["crypto"], quotes=3_000))


def of(block, instrument_id):
    return block.take(block.number("instrument_id") == instrument_id)


def marked(block, mark):
    return block.number("marks") & mark != 0


def test_one_seed_is_one_day_in_any_batch_size():
    one, other = all_of(replace(SMALL, batch_rows=64)), all_of(replace(SMALL, batch_rows=100_000))
    assert one.keys() == other.keys()
    for kind in one:
        for name in set(one[kind].columns) - {"seq"}:
            assert np.array_equal(one[kind].columns[name], other[kind].columns[name], equal_nan=name == "vwap"), name
    assert not np.array_equal(
        all_of(replace(SMALL, seed=8))[Kind.QUOTE].number("bid_nano")[:50], one[Kind.QUOTE].number("bid_nano")[:50]
    )


def test_a_name_is_the_same_however_many_others_there_are():
    few, many = all_of(SMALL), all_of(replace(SMALL, instruments=6))
    for kind in (Kind.QUOTE, Kind.PRINT, Kind.BAR, Kind.STATUS):
        for name in set(few[kind].columns) - {"seq"}:
            assert np.array_equal(of(few[kind], 2).columns[name], of(many[kind], 2).columns[name], equal_nan=True), name


def test_each_batch_counts_from_one_in_receive_order():
    last = 0
    for batch in GeneratedMarket(replace(SMALL, batch_rows=500)).events():
        ranks = np.concatenate([block.number("seq") for block in batch])
        times = np.concatenate([block.number("ts_recv_ns") for block in batch])[np.argsort(ranks)]
        assert sorted(ranks.tolist()) == list(range(1, len(ranks) + 1))
        assert np.all(np.diff(times) >= 0)
        assert times[0] >= last
        last = times[-1]


def test_every_symbol_is_another():
    assert len({share_symbol(index) for index in range(SHARES_MAX)}) == SHARES_MAX


def test_a_day_without_names_or_with_too_many_is_refused():
    for day in (replace(SMALL, instruments=0), replace(DAYS["crypto"], instruments=13), replace(SMALL, lasts_ns=5)):
        with pytest.raises(ConfigError, match="accepted"):
            GeneratedMarket(day)


@pytest.mark.parametrize("day", ["premarket", "opening", "crypto"])
def test_returns_have_heavy_tails_and_spreads_widen_where_it_is_busy(day, request):
    quotes = request.getfixturevalue(day)[Kind.QUOTE]
    kurtosis, widening, busier = [], [], []
    for id_ in np.unique(quotes.number("instrument_id")).tolist():
        mine = of(quotes, id_)
        mine = mine.take(~marked(mine, Mark.CROSSED))
        if len(mine) < 1_500:
            continue
        bid, ask = mine.number("bid_nano"), mine.number("ask_nano")
        spread = (ask - bid) / (ask + bid)
        bucket = mine.number("ts_event_ns") // (10 * SECOND_NS)
        ends = np.flatnonzero(np.diff(bucket))
        returns = np.diff(np.log((bid + ask)[ends]))
        kurtosis.append(((returns - returns.mean()) ** 4).mean() / returns.var() ** 2)
        widening.append(np.quantile(spread, 0.995) / np.median(spread))
        minute = (mine.number("ts_event_ns") - mine.number("ts_event_ns")[0]) // MINUTE_NS
        counts = np.bincount(minute)
        widths = np.bincount(minute, spread)[counts > 5] / counts[counts > 5]
        busier.append(np.corrcoef(widths, counts[counts > 5])[0, 1])
    assert len(kurtosis) > 5
    assert np.median(kurtosis) > 4.5  # 3 is a normal distribution's
    assert np.median(widening) > 3
    assert np.median(busier) > 0.2


@pytest.mark.parametrize("day", ["premarket", "opening", "crypto"])
def test_quotes_have_two_sides_and_are_crossed_only_where_they_say_so(day, request):
    quotes = request.getfixturevalue(day)[Kind.QUOTE]
    assert (quotes.number("bid_nano") > 0).all()
    assert (quotes.number("bid_size_steps") > 0).all()
    crossed = marked(quotes, Mark.CROSSED)
    assert np.array_equal(crossed, quotes.number("bid_nano") > quotes.number("ask_nano"))
    assert 0 < crossed.sum() < len(quotes) / 500


@pytest.mark.parametrize("day", ["premarket", "opening", "crypto"])
def test_numbers_of_the_vendor_rise_in_the_order_of_receiving(day, request):
    found = request.getfixturevalue(day)
    quotes, prints = found[Kind.QUOTE], found[Kind.PRINT]
    for id_ in np.unique(quotes.number("instrument_id")).tolist():
        both = [of(block, id_) for block in (quotes, prints)]
        places = np.concatenate([block.number("seq") for block in both])
        assert (np.diff(np.concatenate([block.number("vendor_seq") for block in both])[np.argsort(places)]) > 0).all()


@pytest.mark.parametrize("day", ["premarket", "opening"])
def test_nothing_is_printed_outside_of_the_bands(day, request):
    found = request.getfixturevalue(day)
    checked = 0
    for id_ in np.unique(found[Kind.PRINT].number("instrument_id")).tolist():
        statuses, prints = of(found[Kind.STATUS], id_), of(found[Kind.PRINT], id_)
        prints = prints.take(~marked(prints, Mark.CANCEL))
        since = np.searchsorted(statuses.number("ts_event_ns"), prints.number("ts_event_ns"), "right") - 1
        for row, status in zip(prints.rows(), since.tolist(), strict=True):
            low = statuses.number("limit_down_nano")[status] if status >= 0 else ABSENT
            if low == ABSENT or row["ts_event_ns"] - statuses.number("ts_event_ns")[status] < 1_000_000:
                continue  # it printed off a quote of the second before
            assert low <= row["price_nano"] <= statuses.number("limit_up_nano")[status], row
            checked += 1
    assert checked > 5_000


def test_bands_are_there_in_regular_hours_only_and_around_the_price(opening):
    statuses = opening[Kind.STATUS]
    has_bands = statuses.number("limit_up_nano") != ABSENT
    assert np.array_equal(has_bands, in_regular_hours(statuses.number("ts_event_ns")))
    low, high = statuses.number("limit_down_nano")[has_bands], statuses.number("limit_up_nano")[has_bands]
    width = (high - low) / (high + low)
    assert ((np.abs(width - 0.05) < 0.005) | (np.abs(width - 0.10) < 0.005) | (np.abs(width - 0.20) < 0.005)).all()


def pauses_of(found):
    """(id, from, quoted again, until) of every pause that ended."""
    statuses = found[Kind.STATUS]
    for id_ in np.unique(statuses.number("instrument_id")).tolist():
        rows = [row for row in of(statuses, id_).rows() if row["status"] != TradingStatus.LIMITS]
        for one, two, three in zip(rows, rows[1:], rows[2:], strict=False):
            if one["status"] == TradingStatus.PAUSED and three["status"] == TradingStatus.TRADING:
                yield id_, one["ts_event_ns"], two["ts_event_ns"], three["ts_event_ns"]


def test_fifteen_seconds_at_a_band_pause_a_name_for_five_minutes_and_it_reopens_with_a_gap_either_way(opening):
    pauses = list(pauses_of(opening))
    ways = set()
    for id_, from_ns, quoted_ns, until_ns in pauses:
        assert until_ns - from_ns == 5 * MINUTE_NS
        statuses, quotes, prints = (of(opening[kind], id_) for kind in (Kind.STATUS, Kind.QUOTE, Kind.PRINT))
        limits = statuses.take(statuses.number("reason") == StatusReason.LIMIT_STATE).number("ts_event_ns")
        assert limits[limits < from_ns][-1] <= from_ns - 15 * SECOND_NS
        asked, printed = quotes.number("ts_event_ns"), prints.number("ts_event_ns")
        assert not ((asked >= from_ns) & (asked < quoted_ns)).any()
        cancels = marked(prints, Mark.CANCEL)
        assert not ((printed >= from_ns + 1_000_000) & (printed < until_ns) & ~cancels).any()
        before, after = np.flatnonzero(asked < from_ns)[-1:], np.flatnonzero(asked >= until_ns)[:1]
        if len(before) and len(after):
            mids = quotes.number("bid_nano") + quotes.number("ask_nano")
            ways.add(bool(mids[after[0]] > mids[before[0]]))
    assert len(pauses) >= 2
    assert ways == {True, False}


def test_a_gapper_is_halted_for_news_before_the_open(premarket):
    statuses = premarket[Kind.STATUS]
    halts = statuses.take(statuses.number("reason") == StatusReason.NEWS_PENDING)
    assert halts.number("status").tolist() == [TradingStatus.HALTED]
    assert not in_regular_hours(halts.number("ts_event_ns")).any()
    halted_ns = int(halts.number("ts_event_ns")[0])
    prints = of(premarket[Kind.PRINT], int(halts.number("instrument_id")[0]))
    ts_ns = prints.number("ts_event_ns")
    assert not (
        (ts_ns > halted_ns + 1_000_000) & (ts_ns < halted_ns + 10 * MINUTE_NS) & ~marked(prints, Mark.CANCEL)
    ).any()


def test_prints_carry_the_conditions_of_their_hour_and_size(premarket):
    prints = premarket[Kind.PRINT]
    prints = prints.take(~marked(prints, Mark.CANCEL))
    bits, sizes = prints.number("conditions"), prints.number("size_steps")
    is_regular = in_regular_hours(prints.number("ts_event_ns"))
    assert np.array_equal(bits >> FORM_T & 1 == 1, ~is_regular)
    assert np.array_equal(bits >> ODD_LOT & 1 == 1, sizes < 100)
    assert 0.3 < (sizes < 100).mean() < 0.5
    assert sizes.max() > 50 * np.median(sizes)


def test_late_prints_come_long_after_they_happened(premarket):
    prints = premarket[Kind.PRINT]
    waited = prints.number("ts_recv_ns") - prints.number("ts_event_ns")
    late = marked(prints, Mark.LATE)
    assert late.sum() > 20
    assert (waited[late] > 10 * SECOND_NS).all()
    assert (waited[~late] < SECOND_NS).all()


def test_a_cancelled_print_was_there_before(premarket):
    prints = premarket[Kind.PRINT]
    back = prints.take(marked(prints, Mark.CANCEL))
    assert len(back) > 5
    for row in back.rows():
        traded = of(prints, row["instrument_id"])
        first = traded.take(traded.number("trade_id") == row["corrects_trade_id"])
        assert first.number("seq")[0] < row["seq"]
        assert first.number("price_nano")[0] == row["price_nano"]
        assert first.number("size_steps")[0] == row["size_steps"]


def bar_by_hand(prints, known_ns):
    """A bar of these prints, oldest first, one by one, from what is known at a moment."""
    gone = {row["corrects_trade_id"] for row in prints if row["marks"] & Mark.CANCEL and row["ts_recv_ns"] <= known_ns}
    mine = [
        row
        for row in sorted(prints, key=lambda each: each["ts_event_ns"])
        if row["ts_recv_ns"] <= known_ns and not row["marks"] & Mark.CANCEL and row["trade_id"] not in gone
    ]
    last = [row["price_nano"] for row in mine if not row["marks"] & Mark.NO_LAST]
    ranged = [row["price_nano"] for row in mine if not row["marks"] & Mark.NO_HIGH_LOW]
    counted = [row["size_steps"] for row in mine if not row["marks"] & Mark.NO_VOLUME]
    return last and (last[0], max(ranged), min(ranged), last[-1], sum(counted), len(counted))


@pytest.mark.parametrize(("day", "length_ns"), [("premarket", MINUTE_NS), ("crypto", 5 * MINUTE_NS)])
def test_bars_add_up_to_the_prints_known_when_they_came(day, length_ns, request):
    found = request.getfixturevalue(day)
    revised = 0
    for id_ in (1, 3, 8):
        prints = list(of(found[Kind.PRINT], id_).rows())
        made_at = {row["trade_id"]: row["ts_event_ns"] for row in prints}
        by_start = {}
        for row in prints:
            ts_ns = made_at[row["corrects_trade_id"]] if row["marks"] & Mark.CANCEL else row["ts_event_ns"]
            by_start.setdefault(ts_ns // length_ns * length_ns, []).append(row)
        bars = list(of(found[Kind.BAR], id_).rows())
        for bar in bars:
            wanted = bar_by_hand(by_start[bar["ts_event_ns"]], bar["ts_recv_ns"])
            names = ("open_nano", "high_nano", "low_nano", "close_nano", "volume_steps", "trade_count")
            assert tuple(bar[name] for name in names) == wanted
            assert bar["low_nano"] <= bar["vwap"] * 1e9 + 1_000 or bar["vwap"] * 1e9 <= bar["high_nano"] + 1_000
            assert bar["ts_close_ns"] - bar["ts_event_ns"] == bar["bar_length"] == length_ns
            revised += bar["revision"] > 0
        firsts = {bar["ts_event_ns"] for bar in bars if bar["revision"] == 0}
        assert len(firsts) == sum(bar["revision"] == 0 for bar in bars)
        assert firsts == {start for start, rows in by_start.items() if bar_by_hand(rows, 2**62)} & {
            start for start in by_start if start in firsts or start + length_ns < prints[-1]["ts_event_ns"]
        }
    assert revised > 2


def test_coins_trade_in_their_steps_over_midnight_and_are_never_halted(crypto):
    assert Kind.STATUS not in crypto
    assert set(crypto[Kind.INSTRUMENT].number("size_step_nano").tolist()) == {COIN_STEP_NANO}
    days = np.unique(crypto[Kind.QUOTE].number("ts_event_ns") // DAY_NS)
    assert len(days) == 2
    prints = crypto[Kind.PRINT]
    assert (prints.number("size_steps") > 0).all()
    assert (prints.number("conditions") == 0).all()


def test_a_recorder_misses_what_went_by_while_the_feed_was_down():
    whole, heard = all_of(SMALL), all_of(SMALL, is_whole=False)
    lost_ns, back_ns = SMALL.drop_ns
    assert heard[Kind.FEED].number("action").tolist() == [
        FeedAction.LOST, FeedAction.GAP_OPENED, FeedAction.CONNECTED, FeedAction.GAP_CLOSED
    ]  # fmt: skip
    assert Kind.FEED not in whole
    ts_recv_ns = whole[Kind.QUOTE].number("ts_recv_ns")
    missed = (ts_recv_ns >= lost_ns) & (ts_recv_ns < back_ns)
    assert missed.any()
    assert len(heard[Kind.QUOTE]) == len(whole[Kind.QUOTE]) - missed.sum()


@pytest.mark.parametrize(
    ("name", "date", "starts"),
    [
        ("premarket", "2026-11-03", "2026-11-03T13:30:00"),
        ("premarket", "2026-07-01", "2026-07-01T12:30:00"),  # half past eight in New York's summer
        ("crypto", "2026-11-07", "2026-11-07T22:00:00"),
    ],
)
def test_a_day_keeps_its_hours_on_another_date(name, date, starts):
    assert iso_from_ns(on_date(DAYS[name], date).starts_ns).startswith(starts)


@pytest.mark.parametrize(
    ("date", "told"),
    [("2026-11-07", "Saturday"), ("tomorrow", "accepted is a day"), ("1901-01-01", "accepted is a day")],
)
def test_a_date_that_is_none_is_told(date, told):
    with pytest.raises(ConfigError, match=told):
        on_date(DAYS["premarket"], date)
