import gzip
import json
import re

import pytest
from feed_samples import DATA, START_NS, counts_of, needs_data, one_block, readable, rows_of

from pipeline.codes import AssetClass, FeedAction, Kind, Mark, Side
from pipeline.errors import FeedError
from pipeline.feeds.captures import CaptureFile
from pipeline.feeds.merge import merged
from pipeline.instruments import COIN_STEP_NANO, WHOLE_STEP_NANO
from pipeline.units import ABSENT, NANO

HFT = DATA / "crypto" / "hftbacktest"
SPOT = HFT / "spot" / "btcusdt_20240808.gz"
CRYPTOFEED = DATA / "websocket" / "cryptofeed"
BOOK_TICKER = {"stream": "x@bookTicker", "data": {"u": 1, "s": "XUSDT", "b": "1.5", "B": "2", "a": "1.6", "A": "3"}}


def captured(tmp_path, *frames, start_ns=START_NS, name="x.txt"):
    """A capture as hftbacktest writes it, a millisecond between frames; frames are objects or raw text."""
    lines = [
        f"{start_ns + n * 1_000_000} {frame if isinstance(frame, str) else json.dumps(frame, separators=(',', ':'))}"
        for n, frame in enumerate(frames)
    ]
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n")
    return path


def cryptofeed(tmp_path, host, *messages):
    """A capture as cryptofeed writes it, a second between messages."""
    lines = [f"wss://{host}/ws <-> 1700000000.5"]
    lines += [f"{1_700_000_001 + n}.25: {json.dumps(message)}" for n, message in enumerate(messages)]
    path = tmp_path / "x.0"
    path.write_text("\n".join(lines) + "\n")
    return path


def ignored(batches):
    rows = [row for row in rows_of(batches) if row["kind"] is Kind.FEED and row["action"] == FeedAction.IGNORED]
    return {row["text"]: row["count"] for row in rows}


@needs_data
@pytest.mark.parametrize(
    ("path", "counts", "left_out"),
    [
        (SPOT, {"INSTRUMENT": 1, "QUOTE": 28_040, "PRINT": 9_757}, {"depth": 3_451, "depth snapshot": 1}),
        (
            HFT / "cm" / "btcusd_perp_20240808.gz",
            {"INSTRUMENT": 1, "QUOTE": 19_136, "PRINT": 2_286},
            {"depth": 26_847, "depth snapshot": 1},
        ),
        (HFT / "hyperliquid" / "btcusd_20250126.gz", {"INSTRUMENT": 1, "QUOTE": 46, "PRINT": 64}, {}),
        (
            CRYPTOFEED / "BINANCE.ws.1.0",
            {"INSTRUMENT": 3, "QUOTE": 84, "PRINT": 2, "FEED": 1},
            {"depth": 177, "kline not closed yet": 2},
        ),
        # 9 719 l2update change the best 1 768 times; 97 matches and 10 last matches
        (CRYPTOFEED / "COINBASE.ws.28.0", {"INSTRUMENT": 10, "QUOTE": 1_778, "PRINT": 107, "FEED": 7}, {"ticker": 107}),
    ],
)
def test_every_frame_of_a_recorded_capture_is_an_event_or_counted(path, counts, left_out):
    batches = list(CaptureFile(path).events())
    assert ignored(batches) == left_out
    assert counts_of(batches) == {**counts, **({"FEED": counts.get("FEED", 0) + len(left_out)} if left_out else {})}
    assert not [
        row for row in rows_of(batches) if row.get("action") == FeedAction.REJECTED and row["kind"] is Kind.FEED
    ]


@needs_data
@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("COINBASE.0", "REST answers of api.pro.coinbase.com"),
        ("GEMINI.0", "REST answers of api.gemini.com"),
        ("GEMINI.ws.1.0", "of api.gemini.com"),
        *[(f"KRAKEN.ws.{n}.0", "of ws.kraken.com") for n in (48, 49, 50)],
    ],
)
def test_captures_of_other_venues_are_refused_by_name(name, host):
    with pytest.raises(FeedError, match=f"no frames of a known venue but {host}; accepted are captures of Binance"):
        CaptureFile(CRYPTOFEED / name)


@needs_data
def test_every_cryptofeed_file_has_its_case():
    assert len(list(CRYPTOFEED.glob("*.0"))) == 8


@needs_data
def test_recorded_quotes_and_prints_are_exact():
    rows = rows_of(CaptureFile(SPOT).events())
    quote = next(row for row in rows if row["kind"] is Kind.QUOTE)
    assert (quote["bid_nano"], quote["ask_nano"]) == (61_837_630_000_000, 61_837_640_000_000)
    assert (quote["bid_size_steps"], quote["ask_size_steps"]) == (378_826_000, 154_698_000)
    assert (quote["vendor_seq"], quote["ts_recv_ns"]) == (50_093_239_212, 1_723_161_254_087_891_268)
    assert (quote["ts_event_ns"], quote["marks"]) == (quote["ts_recv_ns"], Mark.UNDEFINED_TS)
    trade = next(row for row in rows if row["kind"] is Kind.PRINT)
    assert (trade["price_nano"], trade["size_steps"], trade["aggressor"]) == (61_837_630_000_000, 2_000_000, Side.SELL)
    assert (trade["trade_id"], trade["ts_event_ns"]) == (3_735_683_259, 1_723_161_255_342_000_000)
    instrument = rows[0]
    assert (instrument["symbol"], instrument["venue"], instrument["currency"]) == ("BTCUSDT", "BINANCE", "USDT")
    assert (instrument["asset_class"], instrument["size_step_nano"]) == (AssetClass.CRYPTO, COIN_STEP_NANO)


@needs_data
def test_coin_margined_contracts_are_whole_and_have_a_venue_of_their_own():
    rows = rows_of(CaptureFile(HFT / "cm" / "btcusd_perp_20240808.gz").events())
    assert (rows[0]["venue"], rows[0]["size_step_nano"]) == ("BINANCE.COINM", WHOLE_STEP_NANO)
    assert rows[0]["asset_class"] == AssetClass.CRYPTO_PERPETUAL
    assert (rows[1]["bid_size_steps"], rows[1]["ask_size_steps"]) == (35, 1_645)


@needs_data
def test_a_book_built_from_depth_agrees_with_book_ticker(tmp_path):
    """Both speak of updates by number: after update u, the book's best is what bookTicker said at or before u."""
    lines = gzip.decompress(SPOT.read_bytes()).splitlines(keepends=True)
    tickers = {}
    for line in lines:
        if b"@bookTicker" in line:
            ticker = json.loads(line.split(b" ", 1)[1])["data"]
            tickers[ticker["u"]] = tuple(round(float(ticker[side]) * NANO) for side in "ba")
    path = tmp_path / "depth.txt"
    path.write_bytes(b"".join(line for line in lines if b"@bookTicker" not in line))
    quotes = list(one_block(CaptureFile(path).events(), Kind.QUOTE).rows())
    assert len(quotes) > 1_000
    assert quotes[0]["marks"] & Mark.SNAPSHOT
    numbers, place = sorted(tickers), 0
    agreed = 0
    for quote in quotes[1:]:
        while place + 1 < len(numbers) and numbers[place + 1] <= quote["vendor_seq"]:
            place += 1
        agreed += tickers[numbers[place]] == (quote["bid_nano"], quote["ask_nano"])
    assert agreed >= 0.999 * (len(quotes) - 1)


def depth(first, last, bids, asks=()):
    message = {
        "e": "depthUpdate",
        "E": 1_700_000_000_000,
        "s": "XUSDT",
        "U": first,
        "u": last,
        "b": bids,
        "a": list(asks),
    }
    return {"stream": "x@depth@100ms", "data": message}


def test_a_break_in_depth_is_a_gap_until_the_next_snapshot(tmp_path):
    snapshot = {"lastUpdateId": 10, "bids": [["5", "1"]], "asks": [["6", "1"]]}
    path = captured(
        tmp_path,
        depth(9, 11, [["5.1", "2"]]),
        snapshot,
        depth(12, 12, [["5.2", "1"]]),
        depth(15, 16, [["5.3", "1"]]),
        depth(17, 17, [["5.4", "1"]]),
        {**snapshot, "lastUpdateId": 16},
    )
    rows = [row for row in rows_of(CaptureFile(path).events()) if row["kind"] is not Kind.INSTRUMENT]
    assert [(row["kind"], row.get("bid_nano", row.get("text"))) for row in rows] == [
        (Kind.QUOTE, 5_100_000_000),
        (Kind.QUOTE, 5_200_000_000),
        (Kind.FEED, "update 13 expected, found 15"),
        (Kind.FEED, "book loaded from a snapshot"),
        (Kind.QUOTE, 5_400_000_000),
    ]
    assert [row["action"] for row in rows if row["kind"] is Kind.FEED] == [FeedAction.GAP_OPENED, FeedAction.GAP_CLOSED]


def test_an_empty_side_is_absent(tmp_path):
    ticker = {"stream": "x@bookTicker", "data": {**BOOK_TICKER["data"], "b": "0.00000000", "B": "0.00000000"}}
    quote = next(one_block(CaptureFile(captured(tmp_path, ticker)).events(), Kind.QUOTE).rows())
    assert (quote["bid_nano"], quote["bid_size_steps"]) == (ABSENT, ABSENT)
    assert quote["marks"] == Mark.ONE_SIDED | Mark.UNDEFINED_TS


def test_a_closed_kline_is_a_bar_and_an_open_one_is_counted(tmp_path):
    bar = {"t": 1_700_000_040_000, "T": 1_700_000_099_999, "i": "1m", "o": "1", "h": "3", "l": "0.5", "c": "2"}
    bar |= {"v": "10", "q": "20", "n": 4, "x": True}
    frames = [
        {"stream": "x@kline_1m", "data": {"e": "kline", "s": "XUSDT", "k": bar | {"x": x}}} for x in (False, True)
    ]
    batches = list(CaptureFile(captured(tmp_path, *frames)).events())
    row = next(one_block(batches, Kind.BAR).rows())
    assert (row["open_nano"], row["high_nano"], row["low_nano"], row["close_nano"]) == (
        NANO,
        3 * NANO,
        NANO // 2,
        2 * NANO,
    )
    assert (row["ts_event_ns"], row["ts_close_ns"] - row["ts_event_ns"]) == (1_700_000_040 * NANO, 60 * NANO)
    assert (row["volume_steps"], row["trade_count"]) == (10 * NANO // COIN_STEP_NANO, 4)
    assert ignored(batches) == {"kline not closed yet": 1}


def test_sums_of_trades_are_prints_only_where_single_trades_are_not(tmp_path):
    def trade(stream, number):
        data = {"s": "XUSDT", "p": "1", "q": "1", "T": 1_700_000_000_000, "m": False, number: 7}
        return {"stream": f"x@{stream}", "data": data}

    alone = list(CaptureFile(captured(tmp_path, trade("aggTrade", "a"))).events())
    assert one_block(alone, Kind.PRINT).number("aggressor").tolist() == [Side.BUY]
    both = list(CaptureFile(captured(tmp_path, trade("aggTrade", "a"), trade("trade", "t"))).events())
    assert counts_of(both)["PRINT"] == 1
    assert ignored(both) == {"aggTrade": 1}


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ('{"stream":"x@trade","data":{"s":"X"}}', "missing required field `p`"),
        ('{"stream":"x@bookTicker","data":', "truncated"),
        (json.dumps({**BOOK_TICKER, "data": {**BOOK_TICKER["data"], "b": "1.00000000001"}}), "finer than 1e-9"),
        (json.dumps({**BOOK_TICKER, "data": {**BOOK_TICKER["data"], "B": "0.000000001"}}), "finer than 0.00000001"),
        (json.dumps({**BOOK_TICKER, "data": {**BOOK_TICKER["data"], "b": "99999999999"}}), "larger than 9.2e9|between"),
        (json.dumps({**BOOK_TICKER, "data": {**BOOK_TICKER["data"], "s": "B\u0007D"}}), "printable ASCII"),
        (json.dumps({**BOOK_TICKER, "data": {**BOOK_TICKER["data"], "T": 1}}) + "x", "malformed"),
        ('{"stream":' + "[" * 5_000, "recursion|truncated|Expected"),
    ],
)
def test_a_frame_that_can_t_be_read_is_rejected_with_its_line(tmp_path, frame, reason):
    path = captured(tmp_path, BOOK_TICKER, frame, BOOK_TICKER)
    rows = rows_of(CaptureFile(path).events())
    assert [row["kind"] for row in rows] == [Kind.INSTRUMENT, Kind.QUOTE, Kind.FEED, Kind.QUOTE]
    assert (rows[2]["action"], rows[2]["position"]) == (FeedAction.REJECTED, 2)
    assert re.search(reason, rows[2]["text"])


def test_a_line_that_is_no_frame_is_rejected(tmp_path):
    path = captured(tmp_path, BOOK_TICKER)
    path.write_bytes(path.read_bytes() + b"what is this\n\n99999999999999999999 {}\n")
    rejected = [row for row in rows_of(CaptureFile(path).events()) if row["kind"] is Kind.FEED]
    assert [(row["position"], row["text"]) for row in rejected] == [
        (2, "no frame: b'what is this'"),
        (4, "no frame: b'99999999999999999999 {}'"),
    ]


@needs_data
def test_a_cut_capture_gives_the_lines_before_the_cut(tmp_path):
    content = SPOT.read_bytes()
    path = tmp_path / "cut.gz"
    path.write_bytes(content[: len(content) // 2])
    batches, error = readable(CaptureFile(path).events())
    whole = rows_of(CaptureFile(SPOT).events())
    rows = [row for row in rows_of(batches) if row["kind"] is not Kind.FEED]
    assert len(rows) > 10_000
    assert str(rows[:10_000]) == str(whole[:10_000])
    assert isinstance(error, FeedError)
    assert error.position.startswith("line ")
    assert "REJECTED" not in {FeedAction(row["action"]).name for row in rows_of(batches) if row["kind"] is Kind.FEED}


@needs_data
@pytest.mark.parametrize("chunk_lines", [1, 7])
def test_chunks_of_any_number_of_lines_give_the_same_rows(chunk_lines):
    path = CRYPTOFEED / "BINANCE.ws.1.0"
    whole = rows_of(CaptureFile(path).events())
    assert str(rows_of(CaptureFile(path, chunk_lines=chunk_lines).events())) == str(whole)


@needs_data
def test_a_recorded_coinbase_capture_has_connection_subscriptions_and_snapshots():
    rows = rows_of(CaptureFile(CRYPTOFEED / "COINBASE.ws.28.0").events())
    assert rows[0]["action"] == FeedAction.CONNECTED
    assert rows[0]["ts_recv_ns"] == 1_618_677_816_843_429_800
    assert sum(row["kind"] is Kind.FEED and row["action"] == FeedAction.SUBSCRIBED for row in rows) == 6
    quotes = [row for row in rows if row["kind"] is Kind.QUOTE]
    assert sum(bool(row["marks"] & Mark.SNAPSHOT) for row in quotes) == 10
    assert not [row for row in quotes if row["marks"] & Mark.CROSSED]


MATCH = {"trade_id": 5, "side": "sell", "size": "2", "price": "3", "product_id": "A-USD", "sequence": 9}
MATCH |= {"time": "2023-11-14T22:13:21.123456Z"}


def test_a_last_match_seen_again_is_marked(tmp_path):
    path = cryptofeed(tmp_path, "ws-feed.pro.coinbase.com", {"type": "last_match", **MATCH}, {"type": "match", **MATCH})
    rows = [row for row in rows_of(merged([CaptureFile(path)])) if row["kind"] is Kind.PRINT]
    assert [row["marks"] for row in rows] == [Mark.SNAPSHOT, Mark.DUPLICATE]
    assert [row["aggressor"] for row in rows] == [Side.BUY, Side.BUY]
    assert rows[0]["ts_event_ns"] == 1_700_000_001_123_456_000


def test_coinbase_quotes_follow_the_best_of_the_book(tmp_path):
    def update(*changes):
        return {"type": "l2update", "product_id": "A-USD", "changes": changes, "time": "2023-11-14T22:13:21Z"}

    path = cryptofeed(
        tmp_path,
        "ws-feed.pro.coinbase.com",
        update(["buy", "1", "1"]),
        {"type": "snapshot", "product_id": "A-USD", "bids": [["5", "1"], ["4", "2"]], "asks": [["6", "3"]]},
        update(["buy", "3", "9"]),
        update(["buy", "5", "0"]),
        update(["sell", "6", "0"]),
        {"type": "ticker", "product_id": "A-USD", "sequence": 1, "best_bid": "1", "best_ask": "2"},
        {"type": "ticker", "product_id": "B-USD", "sequence": 1, "best_bid": "1", "best_ask": "2"},
        {"type": "error", "message": "no"},
        {"type": "match", **MATCH, "side": "short"},
    )
    batches = list(CaptureFile(path).events())
    quotes = [row for row in rows_of(batches) if row["kind"] is Kind.QUOTE]
    assert [(row["bid_nano"], row["ask_nano"], row["bid_size_steps"]) for row in quotes] == [
        (5 * NANO, 6 * NANO, 100_000_000),
        (4 * NANO, 6 * NANO, 200_000_000),
        (4 * NANO, ABSENT, 200_000_000),
        (1 * NANO, 2 * NANO, ABSENT),
    ]
    assert ignored(batches) == {"l2update before its snapshot": 1, "ticker": 1}
    refused = [row["text"] for row in rows_of(batches) if row.get("action") == FeedAction.REJECTED]
    assert refused[0] == "the venue says: no"
    assert "side 'short' is unknown; accepted are buy and sell" in refused


def test_hyperliquid_sides_are_the_aggressors(tmp_path):
    def trades(side):
        trade = {"coin": "kPEPE", "px": "1.5", "sz": "2", "side": side, "tid": 3, "time": 1_700_000_000_000}
        return {"channel": "trades", "data": [trade]}

    path = captured(tmp_path, trades("A"), trades("B"), trades("C"), {"channel": "pong", "data": None})
    rows = rows_of(CaptureFile(path).events())
    assert [row["aggressor"] for row in rows if row["kind"] is Kind.PRINT] == [Side.SELL, Side.BUY]
    assert rows[0]["symbol"] == "kPEPE"
    assert rows[3]["text"] == "side 'C' is unknown; accepted are A and B"
    assert rows[4]["text"] == "pong"
