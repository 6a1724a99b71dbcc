"""A broker that throws dice: it takes, refuses, loses, fills in parts, cancels or doesn't, and says so late but in order."""

import random

from two_speeds import Derived, open_orders

from pipeline.block import Block
from pipeline.codes import (
    AccountAction,
    AssetClass,
    Kind,
    OrderFlag,
    OrderReason,
    OrderState,
    OrderType,
    RequestAction,
    Side,
)
from pipeline.core.engine import Engine
from pipeline.core.orders import reduces_only
from pipeline.units import NANO

S = OrderState
START_NS = 1_699_968_600 * NANO
STEP_NS = NANO // 10


class AtBroker:
    """An order in the broker's own book."""

    def __init__(self, row):
        self.id, self.instrument_id = row["order_id"], row["instrument_id"]
        self.side, self.type, self.seq = row["side"], row["order_type"], row["seq"]
        self.quantity, self.filled = row["quantity_steps"], 0
        self.limit, self.trigger = row["limit_nano"], row["trigger_nano"]
        self.reduces = bool(row["flags"] & OrderFlag.REDUCE_ONLY)
        self.is_target = bool(row["flags"] & OrderFlag.BRACKET_TARGET)
        self.is_taken = False
        self.is_cancel_asked = False

    @property
    def left(self):
        return self.quantity - self.filled


class Dealt:
    """An engine and its broker over a drawn market: the inputs as they came, what was derived, what the broker holds."""

    def __init__(self, plans, settings, seed, symbols=1, steps=200, *, withdraws=False, meddles=False):
        """With `meddles` a person trades beside us now and then, and the shell tells the difference."""
        self.meddles, self.differs, self.told_seq = meddles, dict.fromkeys(range(1, symbols + 1), 0), {}
        self.draw = random.Random(seed)
        self.engine, self.derived = Engine(plans, settings), Derived()
        self.inputs, self.orders, self.held = [], {}, dict.fromkeys(range(1, symbols + 1), 0)
        self.words = []
        self.over_closed = []
        self.prices = dict.fromkeys(self.held, 1_000)
        self.seq, self.now_ns = 0, START_NS
        for id_ in self.held:
            self._put(
                Kind.INSTRUMENT, id_, symbol=f"S{id_}", tick_nano=NANO // 100, size_step_nano=NANO, multiplier_nano=NANO,
                asset_class=int(AssetClass.EQUITY),
            )  # fmt: skip
        for _ in range(steps):
            self._step(1.0)
        if withdraws:
            self.open_before = [
                (order.order_id, order.state, reduces_only(order)) for order in open_orders(self.engine)
            ]
            self._put(Kind.REQUEST, 0, action=int(RequestAction.WITHDRAW))
            self.withdrawn_seq = self.seq
        for _ in range(200):  # the market stands still, nothing goes wrong any more: everything is said and done
            self._deal(0.0)
            self._say_all(1.0)

    def _step(self, chaos):
        draw = self.draw
        id_ = draw.choice(list(self.held))
        if draw.random() < 0.5:
            self.prices[id_] += draw.choice((-3, -2, -1, 0, 1, 2, 3))
            bid = self.prices[id_] * NANO // 100
            sizes = {"bid_size_steps": 500, "ask_size_steps": 500}
            self._put(Kind.QUOTE, id_, bid_nano=bid, ask_nano=bid + NANO // 100, **sizes)
        self._deal(chaos)
        self._say_all(0.6)
        if self.meddles and draw.random() < 0.04:
            self.meddle(id_)

    def meddle(self, id_):
        """Half of what is there, or all, is closed by somebody else, or what he did is undone."""
        held, differs = self.held[id_], self.differs[id_]
        change = (
            -differs if differs and self.draw.random() < 0.5 else -(held if self.draw.random() < 0.5 else held // 2)
        )
        if change:
            self.held[id_] += change
            self.differs[id_] += change
            columns = {"action": int(AccountAction.POSITION_DIFFERENCE), "quantity_steps": self.differs[id_]}
            self.words.append((Kind.ACCOUNT, id_, columns))
            self.told_seq[id_] = 10**9  # it is not told yet

    def _say_all(self, chance):
        while self.words and self.draw.random() < chance:
            kind, instrument_id, columns = self.words.pop(0)
            if kind is Kind.ACCOUNT and (kind, instrument_id) not in {word[:2] for word in self.words}:
                self.told_seq[instrument_id] = self.seq + 1
            self._put(kind, instrument_id, **columns)

    def _put(self, kind, instrument_id, at_s=None, **columns):
        self.seq += 1
        self.now_ns = self.now_ns + STEP_NS if at_s is None else START_NS + at_s * NANO
        now = self.now_ns
        row = {"seq": self.seq, "ts_recv_ns": now, "ts_event_ns": now, "instrument_id": instrument_id, **columns}
        batch = [Block.from_rows(kind, [row])]
        self.inputs.append(batch)
        made = self.engine.reduce(batch)
        self.derived.take(made)
        for block in made:
            if block.kind is Kind.ORDER:
                for row in block.rows():
                    self._hear(row)

    def _hear(self, row):
        """What the shell sends: what was submitted, and cancels."""
        if row["state"] == S.SUBMITTED:
            assert row["order_id"] not in self.orders
            self.orders[row["order_id"]] = AtBroker(row)
        elif row["state"] == S.CANCEL_PENDING and row["order_id"] in self.orders:  # or its end is on its way
            self.orders[row["order_id"]].is_cancel_asked = True

    def _say(self, order, state, reason=OrderReason.VENUE):
        columns = {"order_id": order.id, "state": int(state), "reason": int(reason), "filled_steps": order.filled}
        self.words.append((Kind.ORDER, order.instrument_id, columns | {"quantity_steps": order.quantity}))

    def _deal(self, chaos):
        draw = self.draw
        for order in list(self.orders.values()):
            luck = draw.random()
            if not order.is_taken:
                if luck < 0.05 * chaos:
                    self._end(order, S.REJECTED)
                elif luck < 0.1 * chaos:
                    self._say(order, S.UNKNOWN)
                    order.is_taken = True
                    self._say(order, S.ACCEPTED)
                elif luck < 0.7:
                    order.is_taken = True
                    self._say(order, S.ACCEPTED)
            elif self._trades(order) and luck < 0.5:
                self._fill(order, order.left if luck < 0.25 else draw.randint(1, order.left))
            elif order.is_cancel_asked and luck < 0.1 * chaos:
                order.is_cancel_asked = False
                self._say(order, S.PARTIALLY_FILLED if order.filled else S.ACCEPTED)
            elif order.is_cancel_asked and luck < 0.8:
                self._end(order, S.CANCELLED, OrderReason.INTENT)
            elif luck > 1.0 - 0.02 * chaos:
                self._end(order, S.EXPIRED)

    def _trades(self, order):
        if order.reduces and self._is_too_late(order):
            return False
        bid = self.prices[order.instrument_id] * NANO // 100
        far = bid + NANO // 100 if order.side == Side.BUY else bid
        if order.type == OrderType.STOP:
            return (far - order.trigger) * order.side >= 0
        return order.type == OrderType.MARKET or (order.limit - far) * order.side >= 0

    def _is_too_late(self, order):
        """Sent before we were told that a person closed something, and with the others for more than is there: it can but be ended."""
        id_ = order.instrument_id
        closing = sum(each.left for each in self.orders.values() if each.reduces and each.instrument_id == id_)
        return order.seq < self.told_seq.get(id_, 0) and closing > abs(self.held[id_])

    def _fill(self, order, steps):
        before = self.held[order.instrument_id]
        order.filled += steps
        self.held[order.instrument_id] += steps * order.side
        if order.reduces and (before * order.side >= 0 or before * self.held[order.instrument_id] < 0):
            self.over_closed.append(order.id)
        price = self.prices[order.instrument_id] * NANO // 100
        columns = {"order_id": order.id, "price_nano": price, "quantity_steps": steps, "side": order.side}
        self.words.append((Kind.FILL, order.instrument_id, columns | {"fee_nano": steps * 1_000}))
        if order.left == 0:
            self._end(order, S.FILLED)
        else:
            self._say(order, S.PARTIALLY_FILLED)

    def _end(self, order, state, reason=OrderReason.VENUE):
        del self.orders[order.id]
        self._say(order, state, reason)
