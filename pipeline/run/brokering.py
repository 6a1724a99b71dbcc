"""Brokering: a session's orders on their way to its broker, and what becomes of them on its way back.

What the reducer decides is collected behind each commit, in order, and goes out once it is durable: who asks the broker, in the thread of
the sockets, waits for that first. An order whose cancel was decided meanwhile, by a kill switch say, is not sent. What the
broker says comes through the inbox like a feed's messages, and becomes inputs that say whose order it is.

The queue "to send" holds what was decided and is not durable yet. It has no bound of its own: the reducer's open orders have one.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from threading import Lock
from typing import Any, Final

import anyio
import numpy as np
from anyio import to_thread
from anyio.from_thread import BlockingPortal

from pipeline.block import Block, Blocks
from pipeline.codes import Kind, OrderFlag, OrderState, OrderType, Side
from pipeline.execution.broker import LiveBroker
from pipeline.execution.identity import Identity
from pipeline.execution.paper import request_of
from pipeline.execution.tracked import NOT_CANCELLED, OVER
from pipeline.feeds.bell import Bell
from pipeline.feeds.inbox import Inbox
from pipeline.instruments import Instrument
from pipeline.intents import CancelRequest, OrderRequest
from pipeline.ports import Clock, Reported
from pipeline.run.brokers import AtBroker
from pipeline.run.outstanding import Labels, Outstanding
from pipeline.units import ABSENT, NANO, text_from_nano

Requests = list[OrderRequest | CancelRequest]
_INSTRUMENT: Final = tuple(Instrument.__dataclass_fields__)


class Brokering:
    """One session at one broker. `add` and what it says belong to the thread that reduces, the rest to that of the sockets."""

    def __init__(
        self,
        at: AtBroker,
        identity: Identity,
        known: Outstanding,
        inbox: Inbox,
        clock: Clock,
        *,
        wait_durable: Callable[[], None],
        draw: Callable[[], float],
    ) -> None:
        """`known` is what the log knows at the start; `wait_durable` returns when all that was committed is durable."""
        self._instruments = dict(known.instruments)
        self._labels = dict(known.labels)
        self._working = {each.request.order_id: each.request for each in known.logged}
        self._unsure = {each.request.order_id for each in known.logged}
        """Orders on which the broker has not said its word."""
        self._leaving = {each.request.order_id for each in known.logged if each.is_cancel_wanted}
        """Orders whose cancel it has not answered: what it said of them before that is on its way as well."""
        self._fill_id = known.fill_id
        self._inbox = inbox
        self._clock = clock
        self._wait_durable = wait_durable
        self._lock = Lock()
        self._to_send: Requests = []
        self._bell = Bell()
        self._broker = LiveBroker(
            at.venue,
            identity,
            self._instruments,
            clock,
            draw=draw,
            logged=known.logged,
            positions=known.positions,
            differences=known.differences,
            times=at.times,
            timeout_s=at.timeout_s,
        )
        self._running: Future[None] | None = None
        self._send(list(known.unsent))

    def start(self, portal: BlockingPortal) -> None:
        """Be connected from now on."""
        self._running = portal.start_task_soon(self._run)

    def check(self) -> None:
        """Raises what ended it, which nothing but a fault of ours or of the disk does."""
        if self._running is not None and self._running.done():
            self._running.result()

    def close(self) -> None:
        """Leave the broker; what works there works on."""
        if self._running is not None:
            self._running.cancel()
            with suppress(CancelledError):
                self._running.result()
            self._running = None

    def add(self, inputs: Blocks, derived: Blocks) -> None:
        """A commit, and what was decided about it."""
        for block in inputs:
            if block.kind is Kind.INSTRUMENT:
                self._meet(block)
        requests: Requests = []
        for block in derived:
            if block.kind is Kind.ORDER:
                requests += self._requests(block)
        if requests:
            self._send(requests)

    def reported(self, blocks: Blocks) -> Blocks:
        """What the broker says, with what it does not say: whose order it is, which row sent it, the number of a fill."""
        return [self._labelled(block) if block.kind in (Kind.ORDER, Kind.FILL) else block for block in blocks]

    @property
    def is_settled(self) -> bool:
        """Whether nothing is on its way: no entry works, nothing that fills at once, and the broker said its word on every order and cancel."""
        return not self._unsure | self._leaving and not any(
            request.order_type is OrderType.MARKET or not request.flags & OrderFlag.REDUCE_ONLY
            for request in self._working.values()
        )

    def left(self) -> list[str]:
        """What works at the broker, or may, each in words."""
        return [self._told(request) for _, request in sorted(self._working.items())]

    def _meet(self, block: Block) -> None:
        for row in block.rows():
            self._instruments[row["instrument_id"]] = Instrument(**{name: row[name] for name in _INSTRUMENT})

    def _requests(self, block: Block) -> Iterator[OrderRequest | CancelRequest]:
        for row in block.rows():
            order_id = row["order_id"]
            if row["state"] == OrderState.SUBMITTED:
                places = row["strategy_id"], row["tag"], row["parent_order_id"], row["seq"], row["ord"]
                self._labels[order_id] = Labels(*places)
                self._working[order_id] = request = request_of(row)
                self._unsure.add(order_id)
                yield request
            elif row["state"] == OrderState.CANCEL_PENDING:
                self._leaving.add(order_id)
                yield CancelRequest(order_id)

    def _labelled(self, block: Block) -> Block:
        labels = [self._labels.get(order_id, Labels(0, 0, 0, 0, 0)) for order_id in block.number("order_id").tolist()]
        strategy_ids, tags, parents, seqs, ords = map(list, zip(*labels, strict=True))
        columns: dict[str, Any] = {"strategy_id": strategy_ids, "tag": tags, "cause_seq": seqs, "cause_ord": ords}
        if block.kind is Kind.ORDER:
            columns["parent_order_id"] = parents
            states, words = block.number("state").tolist(), block.columns["text"]
            for order_id, state, text in zip(block.number("order_id").tolist(), states, words, strict=True):
                is_over = OrderState(state) in OVER
                if state not in (OrderState.CANCEL_PENDING, OrderState.UNKNOWN):
                    self._unsure.discard(order_id)
                if is_over or text.startswith(NOT_CANCELLED):
                    self._leaving.discard(order_id)
                if is_over:
                    self._working.pop(order_id, None)
        else:
            columns["fill_id"] = range(self._fill_id + 1, self._fill_id + 1 + len(block))
            self._fill_id += len(block)
        return block.with_columns(
            **{name: np.array(values, block.number(name).dtype) for name, values in columns.items()}
        )

    def _told(self, request: OrderRequest) -> str:
        instrument = self._instruments[request.instrument_id]
        side, kind = Side(request.side).name.lower(), OrderType(request.order_type).name.lower().replace("_", " ")
        prices = [
            f"{word} {text_from_nano(price)}"
            for word, price in (("limit", request.limit_nano), ("stop", request.trigger_nano))
            if price != ABSENT
        ]
        size = f"{request.quantity_steps * instrument.size_step_nano / NANO:,.10g}"
        return " ".join([f"order {request.order_id}: {kind} {side} {size} {instrument.symbol}", *prices])

    # From here on: the thread of the sockets, but for `_send`, which any may call.

    def _send(self, requests: Requests) -> None:
        with self._lock:
            self._to_send += requests
        self._bell.ring()

    async def _run(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._broker.run)
            tasks.start_soon(self._hear)
            await self._ask()

    async def _hear(self) -> None:
        async for blocks in self._broker.events():
            self._inbox.put([(0, Reported(self._clock.now_ns(), blocks))], 0)

    async def _ask(self) -> None:
        while True:
            await self._bell.wait()
            with self._lock:
                requests, self._to_send = self._to_send, []
            if not requests:
                continue
            await to_thread.run_sync(self._wait_durable, abandon_on_cancel=True)
            for place, request in enumerate(requests):
                if isinstance(request, CancelRequest):
                    await self._broker.cancel(request)
                elif self._is_withdrawn(request.order_id, requests[place:]):
                    await self._broker.withdraw(request)
                else:
                    await self._broker.submit(request)

    def _is_withdrawn(self, order_id: int, later: Requests) -> bool:
        with self._lock:
            return CancelRequest(order_id) in [*later, *self._to_send]
