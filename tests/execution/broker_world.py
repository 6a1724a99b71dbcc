"""A world for one desk: a broker's counter in which everything may go wrong, a log, a virtual clock. No sockets.

The log is what a crash leaves: rows are in it when they were taken from the desk. Whatever a crash cuts off, the broker goes on:
requests on their way come, their answers find nobody.
"""

import heapq
import itertools
import random

from pipeline.codes import FeedAction, Kind, OrderFlag, OrderState, OrderType, Side, TimeInForce
from pipeline.core.orders import FOLLOWS
from pipeline.execution.alpaca import AlpacaTongue
from pipeline.execution.calls import Answer, Silence
from pipeline.execution.coinbase import CoinbaseTongue
from pipeline.execution.desk import Desk
from pipeline.execution.identity import Identity
from pipeline.execution.orders import Logged
from pipeline.instruments import Instrument
from pipeline.intents import CancelRequest, OrderRequest
from pipeline.simulator.trading.alpaca import AlpacaFace
from pipeline.simulator.trading.book import Book, Manners, Quote
from pipeline.simulator.trading.coinbase import CoinbaseFace
from pipeline.simulator.trading.counter import Counter
from pipeline.simulator.trading.face import Call
from pipeline.simulator.trading.mischief import Mischief
from pipeline.units import ABSENT, NANO, SECOND_NS, TS_MAX_NS

START_NS = 1_760_000_000 * SECOND_NS
TIMEOUT_S = 10.0
"""How long a request is waited for."""

LATENCY_S = 0.02
IDENTITY = Identity("paper", "session")
HEADERS = {
    "alpaca": {"apca-api-key-id": "key", "apca-api-secret-key": "secret"},
    "coinbase": {"authorization": "Bearer token"},
}
SYMBOLS = {"alpaca": "ABCD", "coinbase": "BTC-USD"}
STEPS = {"alpaca": NANO, "coinbase": 10_000_000}
S = OrderState
OVER = frozenset(state for state, after in FOLLOWS.items() if not after)
MAY_FOLLOW = {
    **FOLLOWS,
    S.CANCEL_PENDING: FOLLOWS[S.CANCEL_PENDING] | {S.ACCEPTED, S.PARTIALLY_FILLED},  # a cancel that is refused
    S.UNKNOWN: FOLLOWS[S.UNKNOWN] | {S.CANCEL_PENDING},  # we ask for the end of what nobody knows
}


class LogError(AssertionError):
    """A row that must not be."""


class Fold:
    """What a log of orders comes to, read as strictly as a reducer would."""

    def __init__(self):
        self.requests, self.state, self.filled, self.value, self.fees = {}, {}, {}, {}, {}
        self.venue_id, self.sent_ns, self.cancels, self.fill_ids = {}, {}, set(), set()
        self.differences, self.feed, self.positions = [], [], {}

    def intended(self, request, now_ns):
        id_ = request.order_id
        self.requests[id_], self.state[id_], self.sent_ns[id_] = request, S.SUBMITTED, now_ns
        self.filled[id_] = self.value[id_] = self.fees[id_] = 0
        self.venue_id[id_] = ""

    def cancel_wanted(self, id_):
        """As the core writes it: CANCEL_PENDING, for what is not over."""
        self.cancels.add(id_)
        self._move(id_, S.CANCEL_PENDING)

    def row(self, kind, row):
        if kind is Kind.ORDER:
            self._order(row)
        elif kind is Kind.FILL:
            self._fill(row)
        elif kind is Kind.ACCOUNT:
            self.differences.append(row["text"])
        else:
            self.feed.append(FeedAction(row["action"]))

    def _order(self, row):
        id_, state = row["order_id"], S(row["state"])
        if row["filled_steps"] != self.filled[id_]:
            raise LogError(f"{id_}: {state.name} shows {row['filled_steps']} filled, the fills say {self.filled[id_]}")
        if state is S.FILLED and self.filled[id_] != self.requests[id_].quantity_steps:
            raise LogError(f"{id_}: FILLED with {self.filled[id_]}")
        self._move(id_, state)
        self.venue_id[id_] = row["venue_order_id"]
        if state in {S.ACCEPTED, S.PARTIALLY_FILLED}:
            self.cancels.discard(id_)

    def _move(self, id_, state):
        if state not in MAY_FOLLOW[self.state[id_]]:
            raise LogError(f"{id_}: {self.state[id_].name} -> {state.name}")
        self.state[id_] = state

    def _fill(self, row):
        id_, size = row["order_id"], row["quantity_steps"]
        request = self.requests[id_]
        if size <= 0 or row["price_nano"] <= 0 or row["side"] != request.side:
            raise LogError(f"{id_}: no fill: {row}")
        if (id_, row["venue_fill_id"]) in self.fill_ids:
            raise LogError(f"{id_}: {row['venue_fill_id']} is told twice")
        self.fill_ids.add((id_, row["venue_fill_id"]))
        self.filled[id_] += size
        self.value[id_] += size * row["price_nano"]
        self.fees[id_] += row["fee_nano"]
        if self.filled[id_] > request.quantity_steps:
            raise LogError(f"{id_}: {self.filled[id_]} of {request.quantity_steps} filled")
        position = self.positions.get(request.instrument_id, 0)
        self.positions[request.instrument_id] = position + request.side * size

    def logged(self, step_nano):
        """What a session that goes on knows of its orders that are not over."""
        return [
            Logged(
                request, self.sent_ns[id_], self.state[id_], self.filled[id_], self.venue_id[id_], id_ in self.cancels,
                self.value[id_] * step_nano, self.fees[id_],
            )
            for id_, request in self.requests.items()
            if self.state[id_] not in OVER
        ]  # fmt: skip


class World:
    def __init__(self, broker, seed, *, mischief=None, crash_at=(), manners=None, times=None):
        self.broker, self.seed, self.step_nano = broker, seed, STEPS[broker]
        self.draw = random.Random(seed)
        self.now_ns, self.fold, self.generation, self.count_steps = START_NS, Fold(), 0, 0
        self._heap, self._order, self._answered = [], itertools.count(), set()
        self._crash_at, self._times = set(crash_at), times
        manners = manners or Manners()
        self.book = Book(cash_nano=10**9 * NANO, manners=manners, name=f"{broker}/{seed}")
        face = AlpacaFace(self.book, {"key": "secret"}) if broker == "alpaca" else CoinbaseFace(self.book)
        self.counter = Counter(face, mischief or Mischief())
        self.instruments = {1: Instrument(SYMBOLS[broker], "X", self.step_nano)}
        self.quote(100)
        self.desk, self._listener, self._due_ns = None, None, 0
        self.begin()

    @property
    def position_steps(self):
        return self.book.position_nano(SYMBOLS[self.broker]) // self.step_nano

    def at(self, seconds, what, *args):
        """Let something happen in so many seconds."""
        heapq.heappush(self._heap, (self.now_ns + round(seconds * NANO), next(self._order), what, args))

    def quote(self, price):
        self.book.quote(SYMBOLS[self.broker], Quote((price - 1) * NANO, price * NANO))
        self.book.settle(self.now_ns)

    def begin(self):
        """The desk begins, for the first time or after a crash."""
        tongue = AlpacaTongue("key", "secret") if self.broker == "alpaca" else CoinbaseTongue(lambda: "token")
        logged, positions = self.fold.logged(self.step_nano), {1: self.fold.positions.get(1, 0)}
        self.desk = Desk(
            tongue,
            IDENTITY,
            self.instruments,
            stamp=lambda: self.now_ns,
            logged=logged,
            positions=positions,
            differences=self.differences(),
            times=self._times,
        )
        self._enter(lambda desk: desk.start(self.now_ns))
        self.at(0.05, self._connect, self.generation)

    def differences(self):
        """What the log was told of positions."""
        return {}

    def submit(self, side=Side.BUY, type_=OrderType.MARKET, steps=10, limit=None, in_force=None, flags=OrderFlag.NONE):
        """An order: durable first, then handed over."""
        in_force = in_force or (TimeInForce.IOC if type_ is OrderType.MARKET else TimeInForce.GTC)
        if self.broker == "alpaca" and type_ is OrderType.MARKET:
            in_force = TimeInForce.DAY
        id_ = len(self.fold.requests) + 1
        prices = (ABSENT if limit is None else limit * NANO, ABSENT)
        request = OrderRequest(id_, 1, side, type_, in_force, flags, steps, *prices, ABSENT)
        self.fold.intended(request, self.now_ns)
        self._enter(lambda desk: desk.submit(request, self.now_ns))
        return id_

    def cancel(self, id_):
        if self.fold.state.get(id_, S.FILLED) in OVER:
            return
        self.fold.cancel_wanted(id_)
        self._enter(lambda desk: desk.cancel(CancelRequest(id_), self.now_ns))

    def crash(self):
        """The process is gone, with what it had not written."""
        self.generation += 1
        self.desk = None
        if self._listener is not None:
            self.counter.leave(self._listener)
            self._listener = None
        self.at(self.draw.uniform(0.1, 5.0), self.begin)

    def calm(self):
        """From here on nothing goes wrong any more."""
        self._crash_at.clear()
        self.counter.mischief.odds = {}

    def run(self, seconds):
        """Let so much time pass."""
        until_ns = self.now_ns + round(seconds * NANO)
        while True:
            next_ns = self._heap[0][0] if self._heap else TS_MAX_NS
            woken_ns = self.desk.next_ns() if self.desk else TS_MAX_NS
            due_ns = max(self.book.due_ns(), self.now_ns)
            earliest = min(next_ns, woken_ns, due_ns)
            if earliest > until_ns:
                self.now_ns = until_ns
                return
            self.now_ns = max(self.now_ns, earliest)
            if due_ns == earliest:
                self.counter.pass_time(self.now_ns)
                self._tell()
            elif next_ns == earliest:
                _, _, what, args = heapq.heappop(self._heap)
                what(*args)
            else:
                self._enter(lambda desk: desk.wake(self.now_ns))

    def _enter(self, what):
        """Something reaches the desk, which may be its last: then nothing of what it made of it was written."""
        self.count_steps += 1
        if self.desk is None:
            return None
        if self.count_steps in self._crash_at and self.draw.random() < 0.5:  # before it hears of it
            self.crash()
            return None
        said = what(self.desk)
        if self.count_steps in self._crash_at:
            for asked in self.desk.take_calls():  # what it asked last is under way
                self._send(asked)
            self.crash()
            return None
        for kind, row in self.desk.paper.take_rows():
            self.fold.row(kind, row)
        for asked in self.desk.take_calls():
            self._send(asked)
        return said

    def _send(self, asked):
        course, own = self.counter.course(), self.generation
        call = Call(asked.call.method, asked.call.path, asked.call.query, HEADERS[self.broker], asked.call.body)
        if course.is_refused:
            self.at(LATENCY_S, self._said, own, asked.number, Silence("connection refused", was_sent=False))
            return
        self.at(LATENCY_S + course.act_after_s, self._act, own, asked.number, call, course)
        self.at(TIMEOUT_S, self._give_up, own, asked.number)

    def _give_up(self, own, number):
        if (own, number) in self._answered:
            self._answered.remove((own, number))
        else:
            self._said(own, number, Silence("no answer within 10 s"))

    def _act(self, own, number, call, course):
        answer = self.counter.done(call, course, self.now_ns)
        self._tell()
        if course.answer_after_s is not None:
            said = Answer(answer.status, answer.body)
            self.at(LATENCY_S + course.answer_after_s, self._said, own, number, said)
            if self.draw.random() < 0.1:  # an answer that comes twice
                self.at(LATENCY_S + course.answer_after_s + 0.3, self._said, own, number, said)

    def _said(self, own, number, said):
        if own == self.generation:
            self._answered.add((own, number))
            self._enter(lambda desk: desk.said(number, said, self.now_ns))

    def _tell(self):
        for told in self.counter.told():
            if told.payload is None:
                self._listener = None
                self.at(LATENCY_S, self._lost, self.generation)
            else:
                self.at(LATENCY_S + told.after_s, self._heard, self.generation, told.listener, told.payload)

    def _connect(self, own):
        if own != self.generation or self.desk is None:
            return
        self._listener = listener = self.counter.connect()
        self._talk(listener, self._enter(lambda desk: desk.opened(self.now_ns)))

    def _talk(self, listener, payloads):
        """What the desk says to the stream, and what it answers."""
        for payload in payloads or ():
            for answer in listener.hear(payload, self.now_ns):
                self.at(2 * LATENCY_S, self._heard, self.generation, listener, answer)

    def _heard(self, own, listener, payload):
        if own == self.generation and listener is self._listener:
            self._talk(listener, self._enter(lambda desk: desk.heard(payload, self.now_ns)))

    def _lost(self, own):
        if own == self.generation:
            self._enter(lambda desk: desk.lost("dropped", self.now_ns))
            self.at(1.0, self._connect, own)

    def check(self):
        """Quiescent: what the log says of every order is what the broker says, and there are no others."""
        fold, book = self.fold, self.book
        ids = {IDENTITY.client_order_id(id_): id_ for id_ in fold.requests}
        there = [order.ticket.client_order_id for order in book.orders.values()]
        assert len(there) == len(set(there)), "an order is there twice"
        assert set(there) <= ids.keys(), "an order is there that was never wanted"
        for client_id, id_ in ids.items():
            state, order = fold.state[id_], book.orders.get(book.by_client_id.get(client_id, ""))
            assert state not in {S.SUBMITTED, S.UNKNOWN}, f"order {id_} is forgotten: {state.name}"
            assert state is not S.CANCEL_PENDING, f"the end of order {id_} is forgotten"
            if order is None:
                assert state in {S.REJECTED, S.CANCELLED}, f"order {id_} is {state.name} and was never there"
                assert fold.filled[id_] == 0
                continue
            assert fold.filled[id_] * self.step_nano == order.filled_nano, f"order {id_}: {order}"
            assert fold.fees[id_] == order.fees_nano
            worth = fold.value[id_] * self.step_nano // NANO
            assert abs(worth - order.value_nano) <= 10 * fold.filled[id_] + 1, f"order {id_} is worth {worth}: {order}"
            named = {"new": S.ACCEPTED, "canceled": S.CANCELLED}.get(
                order.status.value, S[order.status.name.replace("CANCELED", "CANCELLED").replace("NEW", "ACCEPTED")]
            )
            assert state is named, f"order {id_} is {state.name} in the log and {order.status} at the broker"
        assert (
            fold.positions.get(1, 0)
            == self.position_steps
            == sum(request.side * fold.filled[id_] for id_, request in fold.requests.items())
        )
