"""Coinbase's server against our own reader and conversation, without a socket: what is served comes back."""

import json

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pipeline.block import Block
from pipeline.codes import BarBasis, FeedAction, Kind, Mark, Side, TradingStatus
from pipeline.feeds.coinbase_advanced import CoinbaseDialogue, vendor
from pipeline.feeds.coinbase_token import token_maker
from pipeline.feeds.dialogue import DialogueError
from pipeline.instruments import COIN_STEP_NANO
from pipeline.normalize.coinbase_advanced import CoinbaseMessages
from pipeline.normalize.coinbase_advanced_out import CARRIED, CoinbaseEncoder
from pipeline.normalize.rows import ranked
from pipeline.ports import Answer, Channel, Message, Topic
from pipeline.simulator.coinbase_advanced import SUBSCRIBE_WITHIN_S, CoinbaseVenue, Rules
from pipeline.units import ABSENT, MINUTE_NS, NANO

START_NS = 1_790_000_100 * NANO
SYMBOLS = {1: "BTC-USD", 2: "ETH-USD"}
ALL = {
    channel: Topic(channel, "BTC-USD")
    for channel in (Channel.QUOTES, Channel.PRINTS, Channel.BARS_5M, Channel.STATUSES)
}
WANTED = set(ALL.values()) | {Topic(channel, "ETH-USD") for channel in (Channel.QUOTES, Channel.PRINTS)}


def day(seed=5, count=400):
    """A batch of all that Coinbase carries, in an order of chance."""
    chance = np.random.default_rng(seed)
    kinds = chance.choice([0, 0, 0, 1, 1, 2, 3], count)
    places = [np.flatnonzero(kinds == kind) for kind in range(4)]
    times = START_NS + np.arange(count) * 1_234_567_891
    starts = START_NS // (5 * MINUTE_NS) * 5 * MINUTE_NS + np.arange(len(places[2])) // 2 * 5 * MINUTE_NS
    bids = 60_000 * NANO + chance.integers(0, 500, len(places[0])) * 10_000_000
    header = [
        {"seq": place + 1, "ts_event_ns": times[place], "ts_recv_ns": times[place] + 40_000_000} for place in places
    ]
    step = {"size_step_nano": COIN_STEP_NANO, "multiplier_nano": NANO, "symbol": list(SYMBOLS.values())}
    low = np.full(len(places[2]), 59_000 * NANO)
    return ranked(
        [
            Block.of(Kind.INSTRUMENT, 2, seq=[-1, 0], instrument_id=[1, 2], **step),
            Block.of(
                Kind.QUOTE,
                len(bids),
                **header[0],
                instrument_id=chance.integers(1, 3, len(bids)),
                bid_nano=bids,
                ask_nano=np.where(chance.random(len(bids)) < 0.1, ABSENT, bids + 10_000_000),
                bid_size_steps=np.arange(len(bids)) + 1,
                ask_size_steps=chance.integers(1, 10**12, len(bids)),
            ),
            Block.of(
                Kind.PRINT,
                len(places[1]),
                **header[1],
                instrument_id=chance.integers(1, 3, len(places[1])),
                price_nano=60_000 * NANO + chance.integers(0, 10**9, len(places[1])),
                size_steps=chance.integers(1, 10**10, len(places[1])),
                aggressor=chance.choice([int(Side.BUY), int(Side.SELL)], len(places[1])),
                trade_id=np.arange(len(places[1])) + 900_000_000,
            ),
            Block.of(
                Kind.BAR,
                len(places[2]),
                **header[2] | {"ts_event_ns": starts, "ts_recv_ns": starts + 5 * MINUTE_NS + NANO},
                instrument_id=1,
                bar_length=5 * MINUTE_NS,
                ts_close_ns=starts + 5 * MINUTE_NS,
                open_nano=low,
                low_nano=low,
                high_nano=low + NANO,
                close_nano=low + np.arange(len(low)),
                volume_steps=chance.integers(1, 10**12, len(low)),
                revision=np.arange(len(low)) % 2,
                basis=int(BarBasis.VENDOR),
            ),
            Block.of(
                Kind.STATUS,
                len(places[3]),
                **header[3],
                instrument_id=1,
                status=np.where(np.arange(len(places[3])) % 2, int(TradingStatus.TRADING), int(TradingStatus.HALTED)),
            ),
        ]
    )


def facts(batch, *, symbols=None):
    """Per symbol and kind the carried fields of each row, in order; snapshots apart."""
    found = {}
    for block in batch:
        if block.kind is Kind.INSTRUMENT:
            symbols = dict(zip(block.number("instrument_id").tolist(), block.text("symbol"), strict=True))
    for block in batch:
        for row in block.rows() if block.kind in CARRIED else ():
            if not row["marks"] & Mark.SNAPSHOT:
                fields = tuple(row[name] for name in CARRIED[block.kind])
                found.setdefault((symbols[row["instrument_id"]], block.kind), []).append(fields)
    for key, fields in found.items():  # an absent side has no size
        if key[1] is Kind.QUOTE:
            found[key] = [
                (event, bid, ask, bid_size, ABSENT if ask == ABSENT else ask_size)
                for event, bid, ask, bid_size, ask_size in fields
            ]
    return found


def connected(venue, wanted=WANTED, *, token=None, quotes_from="level2"):
    """A conversation and what was said until all is subscribed."""
    dialogue, conversation = CoinbaseDialogue(token, quotes_from), venue.conversation({})
    spoken = dialogue.connected() + dialogue.want(wanted)
    answers = [*conversation.connected()] + [answer for message in spoken for answer in conversation.hear(message)]
    for answer in answers:
        if dialogue.concerns(answer):
            dialogue.hear(answer)
    return dialogue, conversation, answers


def messages(frames):
    return [Message(START_NS + place, frame) for place, frame in enumerate(frames)]


@pytest.mark.parametrize("quotes_from", ["level2", "ticker"])
@pytest.mark.parametrize("step", [1, 7, 1_000])
def test_what_is_served_comes_back_in_the_fields_that_are_carried(step, quotes_from):
    venue, batch = CoinbaseVenue(), day()
    dialogue, conversation, frames = connected(venue, quotes_from=quotes_from)
    assert dialogue.acknowledged == WANTED | {Topic(Channel.HEARTBEATS, "")}
    served = [each for each in venue.encoder.served(batch, SYMBOLS) if each.topic in conversation.wanted]
    assert [each.seq for each in served] == sorted(each.seq for each in served)
    for start in range(0, len(served), step):
        frames += conversation.frame([each.payload for each in served[start : start + step]])
    numbers = [json.loads(frame)["sequence_num"] for frame in frames]
    assert numbers == list(range(len(frames)))
    reader = CoinbaseMessages()
    back = reader.read(messages(frames))
    assert reader.trouble == ""
    assert [row for block in back if block.kind is Kind.FEED for row in block.rows()] == []
    assert facts(back) == facts(batch, symbols=SYMBOLS)
    assert {kind for _, kind in facts(back)} == CARRIED.keys()


def test_only_what_is_subscribed_is_wanted():
    venue = CoinbaseVenue()
    dialogue, conversation, _ = connected(venue)
    assert conversation.wanted == WANTED
    for message in dialogue.want({ALL[Channel.PRINTS]}):
        conversation.hear(message)
    assert conversation.wanted == {ALL[Channel.PRINTS]}
    assert conversation.hear(b'{"type":"unsubscribe","channel":"market_trades"}')
    assert conversation.wanted == set()


class Past:
    """A history that was served: one batch."""

    def __init__(self, batch):
        self._batch = batch

    def rows(self, topic, from_ns, to_ns, rows_max):
        kind = {Channel.QUOTES: Kind.QUOTE, Channel.PRINTS: Kind.PRINT, Channel.BARS_5M: Kind.BAR}[topic.channel]
        id_ = next(id_ for id_, symbol in SYMBOLS.items() if symbol == topic.symbol)
        block = next(block for block in self._batch if block.kind is kind)
        times = block.number("ts_event_ns")
        is_asked = (times >= from_ns) & (times < to_ns) & (block.number("instrument_id") == id_)
        if kind is Kind.BAR:  # revisions stand side by side
            is_asked &= np.append(times[1:] != times[:-1], [True])
        return [block.take(is_asked).slice(0, rows_max)]


def test_a_new_subscriber_hears_the_book_and_recent_trades():
    batch = day()
    reader, venue = CoinbaseMessages(), CoinbaseVenue(history=Past(batch))
    rows = {block.kind: block for block in reader.read(messages(connected(venue)[2]))}
    assert set(rows[Kind.QUOTE].number("marks").tolist()) <= {
        Mark.SNAPSHOT | Mark.UNDEFINED_TS,
        Mark.SNAPSHOT | Mark.UNDEFINED_TS | Mark.ONE_SIDED,
    }
    assert len(rows[Kind.QUOTE]) == 2
    prints = rows[Kind.PRINT]
    assert set(prints.number("marks").tolist()) == {int(Mark.SNAPSHOT)}
    of_btc = prints.number("trade_id")[prints.number("instrument_id") == prints.number("instrument_id")[0]]
    assert (np.diff(of_btc) > 0).all()
    assert len(of_btc) == 50


def fetched(venue, topic, from_ns, to_ns, past):
    """The answers to all questions about a hole."""
    answers, questions = [], vendor(rest_url="http://127.0.0.1:1").history(topic, from_ns, to_ns)
    question = next(questions, None)
    while question is not None:
        path, _, query = question.url.removeprefix("http://127.0.0.1:1").partition("?")
        answer = venue.get(path, dict(part.split("=") for part in query.split("&")), question.headers, past)
        assert answer.status == 200, answer.body
        answers.append(Answer(topic, START_NS, answer.body))
        try:
            question = questions.send(answer.body)
        except StopIteration:
            question = None
    return answers


def test_a_hole_is_fetched_whole_and_in_order():
    batch = day(count=16_000)
    past, venue, reader = Past(batch), CoinbaseVenue(), CoinbaseMessages()
    list(venue.encoder.served(batch, SYMBOLS))
    from_ns, to_ns = START_NS + 30 * NANO, START_NS + 16_000 * NANO
    answers = fetched(venue, ALL[Channel.PRINTS], from_ns, to_ns, past)
    assert len(answers) > 1
    found = next(block for block in reader.read_history(answers) if block.kind is Kind.PRINT)
    inside = past.rows(ALL[Channel.PRINTS], from_ns, to_ns, 10**6)[0].number("trade_id").tolist()
    assert len(inside) > 1_000
    assert [id_ for id_ in found.number("trade_id").tolist() if id_ in inside] == inside
    assert (np.diff(found.number("ts_event_ns")) >= 0).all()


def test_missed_candles_are_fetched_in_their_last_form():
    batch = day(count=16_000)
    past, venue, reader = Past(batch), CoinbaseVenue(), CoinbaseMessages()
    list(venue.encoder.served(batch, SYMBOLS))
    topic, to_ns = ALL[Channel.BARS_5M], START_NS + 800 * 5 * MINUTE_NS
    answers = fetched(venue, topic, START_NS, to_ns, past)
    assert len(answers) == 3
    bars = next(block for block in reader.read_history(answers) if block.kind is Kind.BAR)
    expected = past.rows(topic, START_NS, to_ns, 10**6)[0]
    assert len(bars) == 800
    for name in ("ts_event_ns", "close_nano", "volume_steps"):
        assert bars.number(name).tolist() == expected.number(name).tolist()


@pytest.mark.parametrize("path", ["/", "/api/v3/brokerage/accounts", "/api/v3/brokerage/market/products/X/book"])
def test_other_pages_are_not_there(path):
    assert CoinbaseVenue().get(path, {}, {}, Past(day())).status == 404


def test_a_question_that_is_none_is_refused():
    venue, path = CoinbaseVenue(), "/api/v3/brokerage/market/products/BTC-USD/"
    assert venue.get(f"{path}ticker", {"limit": "many"}, {}, Past(day())).status == 400
    assert venue.get(f"{path}candles", {"start": "0", "end": str(351 * 300)}, {}, Past(day())).status == 400


KEY = ed25519.Ed25519PrivateKey.generate()
SECRET = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_a_server_with_a_public_key_takes_fresh_tokens_of_that_key_only():
    venue = CoinbaseVenue(Rules(public_key=PUBLIC))
    make = token_maker("organizations/1/apiKeys/2", SECRET)
    assert connected(venue, token=make)[0].acknowledged >= WANTED
    same = make()
    other = token_maker(
        "k",
        ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    )
    for token in (None, lambda: same, other, lambda: "no token"):
        with pytest.raises(DialogueError, match="authentication failure"):
            connected(venue, token=token)
    with pytest.raises(DialogueError, match="authentication failure"):
        connected(CoinbaseVenue(Rules(refuses_auth=True)))


def test_an_unknown_product_is_refused_by_name():
    dialogue, conversation, _ = connected(
        CoinbaseVenue(Rules(unknown_products={"ETH-USD"})), {ALL[Channel.PRINTS], Topic(Channel.QUOTES, "ETH-USD")}
    )
    assert list(dialogue.refused) == [Topic(Channel.QUOTES, "ETH-USD")]
    assert conversation.wanted == {ALL[Channel.PRINTS]}


def test_heartbeats_and_late_acknowledgements_come_as_time_passes():
    dialogue, conversation, _ = connected(CoinbaseVenue(Rules(acks_after_s=2.5)))
    assert dialogue.acknowledged == set()
    words = [
        [json.loads(frame)["channel"] for frame in conversation.waited(elapsed_s)] for elapsed_s in (0.5, 1.0, 2.0, 3.1)
    ]
    assert words == [[], ["heartbeats"], ["heartbeats"], ["subscriptions"] * 5 + ["heartbeats"]]
    assert conversation.close_code is None


def test_a_client_that_does_not_subscribe_is_dropped():
    conversation = CoinbaseVenue().conversation({})
    conversation.connected()
    conversation.waited(SUBSCRIBE_WITHIN_S - 0.1)
    assert conversation.close_code is None
    assert json.loads(conversation.hear(b"hello")[0]) == {
        "type": "error",
        "message": "subscribe or unsubscribe required",
    }
    conversation.waited(SUBSCRIBE_WITHIN_S)
    assert conversation.close_code == 1008


def test_a_lost_frame_is_noticed():
    venue = CoinbaseVenue()
    _, conversation, frames = connected(venue)
    served = [each.payload for each in venue.encoder.served(day(), SYMBOLS) if each.topic in conversation.wanted]
    frames += [frame for payload in served for frame in conversation.frame([payload])]
    reader = CoinbaseMessages()
    back = reader.read(messages(frames[:100] + frames[101:]))
    assert reader.trouble.startswith("sequence 100 expected")
    gaps = [row for block in back if block.kind is Kind.FEED for row in block.rows()]
    assert [row["channel"] for row in gaps if row["action"] == FeedAction.GAP_OPENED] == ["", "level2", "level2"]


def test_the_encoders_own_frame_is_the_first_message_of_a_connection():
    encoder = CoinbaseEncoder()
    served = [each for each in encoder.served(day(), SYMBOLS) if each.topic.channel is Channel.PRINTS]
    body = json.loads(encoder.frame([each.payload for each in served[:3]]))
    assert (body["channel"], body["sequence_num"], len(body["events"][0]["trades"])) == ("market_trades", 0, 3)
