"""The world of a desk with the reducer in it: what it decides is what is sent, and what the broker says is what it decides on."""

from broker_world import START_NS, SYMBOLS, Fold, S, World

from pipeline.block import Block
from pipeline.codes import Kind, OrderFlag, RequestAction, Side
from pipeline.core.engine import Engine
from pipeline.core.orders import is_final
from pipeline.core.params import param, params
from pipeline.core.settings import BROKERED, EngineSettings
from pipeline.core.state import state
from pipeline.core.strategy import Plan, Strategy
from pipeline.core.verbs import enter, leave
from pipeline.execution.paper import request_of
from pipeline.units import NANO

MOST = 40
"""The largest entry, in steps."""

SETTINGS = EngineSettings(execution=BROKERED, quote_age_ns_max=10**15, order_rate_max=10_000, short_sales=2)


@params
class Params:
    seed: int = param(1, low=1)
    unit: float = param(1.0, help="one step")


@state
class State:
    dice: int


def throw(s, p, sides):
    if s.dice == 0:
        s.dice = p.seed
    s.dice = (s.dice * 1_103_515_245 + 12_345) % 2_147_483_648
    return s.dice // 65_536 % sides


def on_quote(s, quote, p, ctx):
    """Buys with a stop and perhaps a target, adds nothing, leaves in whole, in part, at a price."""
    what = throw(s, p, 8)
    if ctx.position == 0.0 and ctx.open_orders == 0:
        size = float(1 + throw(s, p, 40)) * p.unit
        if what < 4:
            enter(ctx, Side.BUY, quantity=size, stop=quote.bid - 2.0, tag=7)
        else:
            enter(ctx, Side.BUY, quantity=size, limit=quote.ask, stop=quote.bid - 2.0, target=quote.ask + 1.0)
    elif what == 0:
        leave(ctx)
    elif what == 1:
        leave(ctx, quantity=p.unit)
    elif what == 2:
        leave(ctx, limit=quote.ask)


bold = Strategy("bold", Params, State, on_quote=on_quote)


class Reducing(Fold):
    """A log that is reduced as it grows: its rows are inputs, in order."""

    def __init__(self):
        super().__init__()
        self.waiting = []

    def row(self, kind, row):
        super().row(kind, row)
        if kind in (Kind.ORDER, Kind.FILL, Kind.ACCOUNT):
            self.waiting.append((kind, row))


class CoreWorld(World):
    def __init__(self, broker, seed, **options):
        self.engine, self.seq, self.flips = None, 0, []
        self.taken_steps, self.count_taken, self.sent_knowing, self.blind = 0, 0, {}, []
        super().__init__(broker, seed, **options)
        self.fold = Reducing()
        plan = Plan(bold, Params(seed=seed + 1, unit=self.step_nano / NANO))
        self.engine = Engine([plan], SETTINGS)
        columns = {"tick_nano": NANO // 100, "size_step_nano": self.step_nano, "multiplier_nano": NANO}
        self.reduce(Kind.INSTRUMENT, {"instrument_id": 1, "symbol": self.instruments[1].symbol, **columns})

    def quote(self, price):
        """The market moves, for the broker and for us."""
        super().quote(price)
        if self.engine is not None:
            sizes = {"bid_size_steps": 10**6, "ask_size_steps": 10**6}
            columns = {"bid_nano": (price - 1) * NANO, "ask_nano": price * NANO, **sizes}
            self.reduce(Kind.QUOTE, {"instrument_id": 1, **columns})

    def differences(self):
        return {1: self.engine.world.instruments[1].differs_steps} if self.engine else {}

    def take(self, steps):
        """A person sells so much of ours, or buys it back."""
        self.taken_steps += steps
        self.count_taken += 1
        self.book.positions[SYMBOLS[self.broker]].quantity_nano -= steps * self.step_nano

    def request(self, action):
        self.reduce(Kind.REQUEST, {"action": int(action)})

    def reduce(self, kind, row):
        """One input, and what follows from it, which goes to the desk behind it."""
        if kind is Kind.FILL and row["side"] == Side.SELL and self.position_steps < 0:
            self.blind += [row for told in [self.sent_knowing[row["order_id"]]] if told == self.count_taken]
        self.seq += 1
        now_ns = max(self.now_ns, START_NS)
        header = {"seq": self.seq, "ts_recv_ns": now_ns, "ts_event_ns": now_ns}
        for block in self.engine.reduce([Block.from_rows(kind, [row | header])]):
            if block.kind is Kind.ORDER:
                for made in block.rows():
                    self._send_on(made)

    def _send_on(self, row):
        if row["state"] == S.SUBMITTED:
            is_known = self.engine.world.instruments[1].differs_steps == -self.taken_steps
            self.sent_knowing[row["order_id"]] = self.count_taken if is_known else -1
            request = request_of(row)
            self.fold.intended(request, self.now_ns)
            self._enter(lambda desk: desk.submit(request, self.now_ns))
        elif row["state"] == S.CANCEL_PENDING and row["order_id"] in self.fold.requests:
            self.cancel(row["order_id"])

    def _enter(self, what):
        before = self.position_steps
        said = super()._enter(what)
        self._look(before)
        while self.engine is not None and self.fold.waiting:
            self.reduce(*self.fold.waiting.pop(0))
        return said

    def _act(self, *args):
        before = self.position_steps
        super()._act(*args)
        self._look(before)

    def _tell(self):
        super()._tell()
        self._look(0)

    def _look(self, before):
        """Nothing of ours ever holds more than one entry, or the other side."""
        if not 0 <= self.position_steps <= MOST:
            self.flips.append((self.now_ns, before, self.position_steps))

    def check(self):
        """Quiescent, and flat: what the reducer believes is what the log says is what the broker says."""
        super().check()
        position = self.engine.world.positions[1]
        assert position.quantity_steps == self.position_steps
        world = self.engine.world
        believed = {
            world.orders[world.open_orders[place].slot].order_id
            for place in range(1, world.counts.open_orders + 1)
            if not world.orders[world.open_orders[place].slot].is_kept
        }
        there = {id_ for id_, state in self.fold.state.items() if state in (S.ACCEPTED, S.PARTIALLY_FILLED)}
        assert believed == there, "the reducer and the log believe in other orders"
        assert not any(
            is_final(world.orders[world.open_orders[i].slot]) for i in range(1, world.counts.open_orders + 1)
        )
        late = any("told as not sent" in text or "filled" in text for text in self.fold.differences)
        assert late or not self.flips, f"more was held than entered, or the other side: {self.flips[0]}"

    def flatten(self):
        """The end of a day: entries are withdrawn, and all is closed."""
        self.request(RequestAction.WITHDRAW)
        self.request(RequestAction.FLATTEN)


def protected(world):
    """Whether what is held has a stop at the broker, or here, or is being left."""
    engine = world.engine.world
    orders = [engine.orders[engine.open_orders[i].slot] for i in range(1, engine.counts.open_orders + 1)]
    closing = [order for order in orders if order.flags & OrderFlag.REDUCE_ONLY]
    return sum(order.quantity_steps - order.filled_steps for order in closing) >= engine.positions[1].quantity_steps
