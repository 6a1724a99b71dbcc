"""The whole way over real sockets: our broker against a counter on loopback, both languages, with everything going wrong."""

import asyncio
import random
import time
from contextlib import asynccontextmanager

import anyio
import pytest
from broker_world import IDENTITY, OVER, STEPS, SYMBOLS, Fold, World
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pipeline.block import row_count
from pipeline.codes import FeedAction, Kind, OrderFlag, OrderState, OrderType, Side, TimeInForce
from pipeline.errors import ConfigError, VenueError
from pipeline.execution.broker import LiveBroker
from pipeline.execution.jobs import Times
from pipeline.execution.venues import alpaca_venue, coinbase_venue
from pipeline.instruments import Instrument
from pipeline.intents import CancelRequest, OrderRequest
from pipeline.ports import Broker
from pipeline.simulator.trading.alpaca import AlpacaFace
from pipeline.simulator.trading.book import Book, Manners, Quote
from pipeline.simulator.trading.coinbase import CoinbaseFace
from pipeline.simulator.trading.counter import Counter
from pipeline.simulator.trading.doors import TradingDoors
from pipeline.simulator.trading.mischief import Mischief, Mishap
from pipeline.units import ABSENT, NANO

BROKERS = ("alpaca", "coinbase")
KEY = ed25519.Ed25519PrivateKey.generate()
PUBLIC_KEY = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
SECRET = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
HASTY = Times(
    again_s=0.05, again_max_s=0.3, proof_s=2.0, alarm_s=5.0, reconcile_s=0.5, poll_s=0.1, recheck_s=0.1
)  # requests come 0.5 s late at most
TIMEOUT_S = 1.0
S = OrderState


class WallClock:
    rate = 1.0

    def now_ns(self):
        return time.time_ns()

    async def sleep_until(self, ts_ns):
        await asyncio.sleep((ts_ns - time.time_ns()) / NANO)


class Floor:
    """A counter behind its doors, our broker in front of them, and the log between."""

    check = World.check

    def __init__(self, broker, *, mischief=None, manners=None, times=HASTY, key="key"):
        self.broker, self.step_nano, self.times, self.key = broker, STEPS[broker], times, key
        self.symbol = SYMBOLS[broker]
        self.mischief = mischief or Mischief()
        self.book = Book(cash_nano=10**9 * NANO, manners=manners or Manners(), name=f"{broker}/{self.mischief.seed}")
        self.book.quote(self.symbol, Quote(99 * NANO, 100 * NANO))
        alpaca = broker == "alpaca"
        self.face = AlpacaFace(self.book, {"key": "secret"}) if alpaca else CoinbaseFace(self.book, PUBLIC_KEY)
        self.counter = Counter(self.face, self.mischief)
        self.fold, self.ours = Fold(), None

    @property
    def position_steps(self):
        return self.book.position_nano(self.symbol) // self.step_nano

    @asynccontextmanager
    async def opened(self):
        async with TradingDoors(self.counter, time.time_ns).opened() as (rest, stream):
            self.urls = {"rest_url": rest.url, "stream_url": stream.url}
            yield

    @asynccontextmanager
    async def running(self, **urls):
        """Our broker, as one process would have it; leaving is its end, at whatever point it was."""
        urls = {**self.urls, **urls}
        if self.broker == "alpaca":
            venue = alpaca_venue(self.key, "secret", **urls)
        else:
            venue = coinbase_venue("organizations/1/apiKeys/2", SECRET if self.key == "key" else OTHER_SECRET, **urls)
        self.ours = LiveBroker(
            venue, IDENTITY, {1: Instrument(self.symbol, "X", self.step_nano)}, WallClock(), draw=lambda: 0.0,
            logged=self.fold.logged(self.step_nano), positions={1: self.fold.positions.get(1, 0)}, times=self.times,
            timeout_s=TIMEOUT_S,
        )  # fmt: skip
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.ours.run)
            tasks.start_soon(self._hear, self.ours)
            yield self.ours
            tasks.cancel_scope.cancel()

    async def _hear(self, ours):
        async for blocks in ours.events():
            rows = sorted((row["seq"], block.kind, row) for block in blocks for row in block.rows())
            assert [seq for seq, _, _ in rows] == list(range(1, row_count(blocks) + 1))
            for _, kind, row in rows:
                self.fold.row(kind, row)

    async def submit(self, side=Side.BUY, type_=OrderType.LIMIT, steps=10, limit=100):
        id_ = len(self.fold.requests) + 1
        in_force = TimeInForce.GTC if type_ is OrderType.LIMIT else TimeInForce.DAY
        price = limit * NANO if type_ is OrderType.LIMIT else ABSENT
        request = OrderRequest(id_, 1, side, type_, in_force, OrderFlag.NONE, steps, price, ABSENT, ABSENT)
        self.fold.intended(request, time.time_ns())
        await self.ours.submit(request)
        return id_

    async def cancel(self, id_):
        if self.fold.state[id_] not in OVER:
            self.fold.cancel_wanted(id_)
            await self.ours.cancel(CancelRequest(id_))

    async def until(self, is_so):
        while not is_so():  # noqa: ASYNC110 - what is looked at is the log
            await asyncio.sleep(0.01)

    async def until_state(self, id_, *states):
        await self.until(lambda: self.fold.state[id_] in states)

    def is_quiet(self):
        """Whether the log says of each order what the broker does."""
        try:
            self.check()
        except AssertionError:
            return False
        return True


OTHER_SECRET = (
    ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
)


def bounded(test, seconds=120):
    async def within():
        async with asyncio.timeout(seconds):
            await test()

    asyncio.run(within())


@pytest.fixture(params=BROKERS)
def name(request):
    return request.param


def test_it_is_the_port():
    assert all(hasattr(LiveBroker, verb) for verb in ("submit", "cancel", "events", "snapshot"))
    assert {verb for verb in vars(Broker) if not verb.startswith("_")} == {"submit", "cancel", "events", "snapshot"}


def test_orders_from_their_requests_to_their_ends(name):
    async def run():
        floor = Floor(name, manners=Manners(parts=lambda _: 2, step_nano=STEPS[name], gap_ns=NANO // 20))
        async with floor.opened(), floor.running() as ours:
            bought = await floor.submit()
            market = await floor.submit(Side.SELL, OrderType.MARKET, 4)
            resting = await floor.submit(limit=90)
            await floor.until_state(resting, S.ACCEPTED)
            await floor.until_state(bought, S.FILLED)
            blocks = await ours.snapshot()
            rows = {block.kind: list(block.rows()) for block in blocks}
            (order,) = [row for row in rows[Kind.ORDER] if row["order_id"] == resting]
            assert (S(order["state"]), order["venue_order_id"]) == (S.ACCEPTED, floor.fold.venue_id[resting])
            cash, *positions = rows[Kind.ACCOUNT]
            assert (cash["currency"], cash["account"]) == ("USD", "paper")
            assert 0 < cash["buying_power_nano"] < cash["cash_nano"]
            assert [row["instrument_id"] for row in positions] == [1]
            await floor.cancel(resting)
            await floor.until(floor.is_quiet)
            assert floor.fold.state == {
                bought: S.FILLED, market: S.FILLED if name == "alpaca" else S.CANCELLED, resting: S.CANCELLED,
            }  # fmt: skip
            assert floor.fold.differences == []

    bounded(run)


@pytest.mark.parametrize("seed", range(5))
def test_everything_goes_wrong_and_it_crashes(name, seed):
    draw = random.Random(seed)
    odds = dict.fromkeys(Mishap, 0.06) | {Mishap.PARTIAL_FILLS: 0.7, Mishap.CANCEL_RACE: 0.3}
    mischief = Mischief(seed, odds, late_s=0.5, request_late_s=0.5, stream_late_s=0.3)
    manners = Manners(
        parts=mischief.parts, step_nano=STEPS[name], gap_ns=NANO // 10, cancel_ns=draw.choice([0, NANO // 5])
    )
    floor = Floor(name, mischief=mischief, manners=manners)

    async def trade():
        ids = [
            await floor.submit(
                draw.choice([Side.BUY, Side.SELL]), steps=draw.randrange(1, 9), limit=draw.randrange(97, 103)
            )
        ]
        await asyncio.sleep(draw.uniform(0, 0.4))
        ids.append(await floor.submit(limit=90))
        await asyncio.sleep(draw.uniform(0, 0.4))
        await floor.cancel(ids[1])
        await asyncio.sleep(draw.uniform(0, 0.3))

    async def run():
        async with floor.opened():
            for _ in range(2):  # two processes that end in the middle of it
                async with floor.running():
                    await trade()
            async with floor.running():
                await trade()
                mischief.odds = {}
                await floor.until(floor.is_quiet)
                await asyncio.sleep(0.3)
                floor.check()

    bounded(run)


def test_the_stream_comes_back_and_what_it_missed_is_known(name):
    async def run():
        floor = Floor(name)
        async with floor.opened(), floor.running():
            resting = await floor.submit(limit=90)
            await floor.until_state(resting, S.ACCEPTED)
            floor.mischief.odds = {Mishap.DROP: 1.0}
            other = await floor.submit(limit=80)
            await floor.until(lambda: FeedAction.LOST in floor.fold.feed)
            floor.mischief.odds = {}
            floor.book.quote(floor.symbol, Quote(84 * NANO, 85 * NANO))
            await floor.until_state(resting, S.FILLED)
            await floor.until_state(other, S.ACCEPTED)
            await floor.until(lambda: floor.fold.feed.count(FeedAction.CONNECTED) == 2)
            assert floor.fold.differences == []

    bounded(run)


def test_a_wrong_key_ends_it_and_nothing_is_sent(name):
    async def run():
        floor = Floor(name, key="wrong")
        async with floor.opened(), floor.running() as ours:
            waiting = await floor.submit()
            await floor.until(lambda: FeedAction.ENDED in floor.fold.feed)
            await floor.until_state(waiting, S.REJECTED)
            later = await floor.submit()
            await floor.until_state(later, S.REJECTED)
            with pytest.raises(VenueError, match="no snapshot"):
                await ours.snapshot()
            assert not floor.book.orders

    bounded(run)


def test_where_nobody_takes_the_connection_nothing_was_sent(name):
    """The stream is there and REST is not any more: no byte of an order leaves, and that is told as it is."""

    async def run():
        floor = Floor(name)
        async with floor.opened(), floor.running() as ours:
            first = await floor.submit(limit=90)
            await floor.until_state(first, S.ACCEPTED)
            server = await asyncio.start_server(lambda _r, writer: writer.close(), "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            server.close()
            await server.wait_closed()
            ours._rest._client.base_url = f"http://127.0.0.1:{port}"
            id_ = await floor.submit()
            await floor.until_state(id_, S.REJECTED)
            assert len(floor.book.orders) == 1

    bounded(run)


def test_a_stream_that_is_silent_is_made_anew(monkeypatch):
    async def run():
        floor = Floor("coinbase")
        async with floor.opened(), floor.running() as ours:
            ours._venue.tongue.quiet_s = 0.4
            monkeypatch.setattr("pipeline.simulator.trading.coinbase.HEARTBEAT_S", 1e9)
            await floor.until(lambda: floor.fold.feed.count(FeedAction.LOST) >= 1)
            await floor.until(lambda: floor.fold.feed.count(FeedAction.CONNECTED) >= 2)

    bounded(run)


@pytest.mark.parametrize(
    ("make", "words", "urls"),
    [
        (alpaca_venue, "may be real money", {"rest_url": "https://api.alpaca.markets"}),
        (alpaca_venue, "may be real money", {"stream_url": "wss://api.alpaca.markets/stream"}),
        (alpaca_venue, "may be real money", {"rest_url": "https://paper-api.alpaca.markets.example.org"}),
        (coinbase_venue, "may be real money", {}),
        (coinbase_venue, "no place for real money", {"rest_url": "http://127.0.0.1:1", "is_real_money": True}),
        (
            alpaca_venue,
            "no place for real money",
            {"rest_url": "https://paper-api.alpaca.markets", "is_real_money": True},
        ),
        (alpaca_venue, "plain text", {"rest_url": "http://api.alpaca.markets", "is_real_money": True}),
        (alpaca_venue, "plain text", {"rest_url": "http://paper-api.alpaca.markets"}),
    ],
)
def test_real_money_is_a_word_of_its_own(make, words, urls):
    with pytest.raises(ConfigError, match=words):
        make("key", SECRET, **urls)


def test_paper_is_where_it_goes_by_itself_and_no_secret_is_shown():
    venue = alpaca_venue("the-key", "the-secret")
    assert (venue.rest_url, venue.url) == ("https://paper-api.alpaca.markets", "wss://paper-api.alpaca.markets/stream")
    assert not venue.is_real_money
    assert alpaca_venue("key", "secret", is_real_money=True).rest_url == "https://api.alpaca.markets"
    assert coinbase_venue("key", SECRET, is_real_money=True).url == "wss://advanced-trade-ws-user.coinbase.com"
    assert "the-" not in repr(venue)
