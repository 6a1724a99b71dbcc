"""Counter: where a broker is spoken to: its face, the streams that are open, and what goes wrong with both. No socket, no clock.

Whoever holds the sockets does as a `Course` says: lets a request be `done` when and as often as it is, and puts what the
streams are to be told, a `Told` each, on their way.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.simulator.trading.book import taken
from pipeline.simulator.trading.face import Call, Face, Listener
from pipeline.simulator.trading.mischief import Course, Mischief
from pipeline.simulator.venue import HttpAnswer


class Told(NamedTuple):
    """A message for a stream, seconds from now; None: the stream ends."""

    listener: Listener
    after_s: float
    payload: bytes | None


class Counter:
    """One broker, open."""

    def __init__(self, face: Face, mischief: Mischief | None = None) -> None:
        self.face = face
        self.mischief = mischief or Mischief()
        self.listeners: list[Listener] = []

    def course(self) -> Course:
        """What becomes of the next request."""
        return self.mischief.of_request()

    def done(self, call: Call, course: Course, now_ns: int) -> HttpAnswer:
        """Do what is asked, as often as it comes; what is answered."""
        said = HttpAnswer(course.status, b'{"message":"nobody is there"}', {"Content-Type": "application/json"})
        for _ in range(course.times):
            for id_ in self.face.cancels(call):
                self._race(id_, now_ns)
            answer = self.face.answer(call, now_ns)
            said = said if course.status else answer
        return said

    def connect(self) -> Listener:
        """A stream opens."""
        listener = self.face.listener()
        self.listeners.append(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """A stream has ended."""
        self.listeners = [each for each in self.listeners if each is not listener]

    def pass_time(self, now_ns: int) -> None:
        """Let happen what is due."""
        self.face.book.settle(now_ns)

    def told(self) -> Iterator[Told]:
        """What the streams are to be told of what happened since this was last asked."""
        for change in taken(self.face.book.changes):
            for listener in list(self.listeners):
                for payload in listener.tell(change):
                    sending = self.mischief.of_message()
                    if sending.is_dropped:
                        self.leave(listener)
                        yield Told(listener, 0.0, None)
                        break
                    for after_s in sending.after_s:
                        yield Told(listener, after_s, payload)

    def _race(self, order_id: str, now_ns: int) -> None:
        """What is to be cancelled may fill first, at the price that stands."""
        order = self.face.book.orders.get(order_id)
        if order is None or not order.is_open or not self.mischief.is_race():
            return
        ticket, quote = order.ticket, self.face.book.quotes.get(order.ticket.symbol)
        price = ticket.limit_nano if ticket.limit_nano > 0 else quote.ask_nano if quote else 0
        if price > 0:
            self.face.book.trade(order_id, order.open_nano, price, now_ns)
