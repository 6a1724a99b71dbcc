"""Outstanding: what a log knows of its orders at a broker when somebody goes on with it: those that may still be there.

The state of the fold says which they are; the rows of this session, and of those that it goes on from, say when each was sent, under which
number the broker has it and what its fills came to. What was submitted since the session went on, and that nobody sent yet, is
to be sent. Of any other the broker is asked.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.codes import Kind, OrderState, SessionAction
from pipeline.errors import NotFoundError
from pipeline.execution.orders import Logged
from pipeline.execution.paper import request_of
from pipeline.instruments import Instrument
from pipeline.intents import CancelRequest, OrderRequest
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.fold import BEGAN_WITH, Carried
from pipeline.run.replaying import instruments_of
from pipeline.units import DAY_NS

_KEPT_NS = 30 * DAY_NS
"""So long before a session an order may have been sent of which no log is left."""

_SENT = frozenset(
    (
        OrderState.SUBMITTED,
        OrderState.UNKNOWN,
        OrderState.ACCEPTED,
        OrderState.PARTIALLY_FILLED,
        OrderState.CANCEL_PENDING,
    )
)


class Labels(NamedTuple):
    """What of an order its broker does not repeat: whose it is, and the row (`seq`, `ord`) that sent it."""

    strategy_id: int
    tag: int
    parent_order_id: int
    seq: int
    ord: int


class Outstanding(NamedTuple):
    """Orders, positions in steps by instrument, and instruments, as a broker that goes on has to know them."""

    logged: tuple[Logged, ...]
    unsent: tuple[OrderRequest | CancelRequest, ...]
    labels: dict[int, Labels]
    positions: dict[int, int]
    differences: dict[int, int]
    """What the broker's positions were last told to be more than these."""
    instruments: dict[int, Instrument]
    fill_id: int
    """The last number given to a fill."""


def outstanding(store: Store, session: Manifest, carried: Carried, names: list[str]) -> Outstanding:
    """What is outstanding when a session of strategies with these names begins to write; `carried` is its state by now."""
    orders, positions, differences, account = _told(carried)
    log = LogReader(store.folder(session.id))
    resumed = _resumed_seq(log)
    instruments = {int(row["instrument_id"]): _instrument(row) for row in instruments_of(log, log.last_seq)}
    logged: list[Logged] = []
    unsent: list[OrderRequest | CancelRequest] = []
    labels: dict[int, Labels] = {}
    past = _past(store, session, frozenset(orders))
    for order_id, (strategy, row) in sorted(orders.items()):
        request, state = request_of(row), OrderState(row["state"])
        known = past.get(order_id, _Past())
        is_here = known.session == session.id
        place = (known.seq, known.ord) if is_here else (0, 0)
        labels[order_id] = Labels(names.index(strategy) + 1, row["tag"], row["parent_order_id"], *place)
        is_leaving = state is OrderState.CANCEL_PENDING
        if is_here and known.seq >= resumed:
            unsent.append(request)
            unsent += [CancelRequest(order_id)] if is_leaving else []
            continue
        step = instruments[request.instrument_id].size_step_nano
        is_whole = known.filled_steps == row["filled_steps"]
        logged.append(
            Logged(
                request,
                known.sent_ns or session.created_ns - _KEPT_NS,
                state,
                row["filled_steps"],
                known.venue_order_id,
                is_cancel_wanted=is_leaving,
                value=known.value * step if is_whole else None,
                fees_nano=known.fees_nano if is_whole else None,
                session=known.log_id,
            )
        )
    return Outstanding(
        tuple(logged), tuple(unsent), labels, positions, differences, instruments, account["fill_id_last"]
    )


def _instrument(row: Mapping[str, Any]) -> Instrument:
    return Instrument(**{name: row[name] for name in Instrument.__dataclass_fields__ if name in row})


def _told(
    carried: Carried,
) -> tuple[dict[int, tuple[str, dict[str, Any]]], dict[int, int], dict[int, int], dict[str, Any]]:
    """The orders that were sent, with their strategies, the positions, what differed in them, and the account, of a state."""
    orders: dict[int, tuple[str, dict[str, Any]]] = {}
    positions: dict[int, int] = {}
    differences: dict[int, int] = {}
    account: dict[str, Any] = {"fill_id_last": 0}
    for key, text in carried:
        kind, _, rest = key.partition("/")
        owner, _, number = rest.rpartition("/")
        if kind == "order" and not (row := json.loads(text))["is_kept"] and row["state"] in _SENT:
            orders[int(number)] = owner, row
        elif kind == "position":
            positions[int(number)] = positions.get(int(number), 0) + json.loads(text)["quantity_steps"]
        elif kind == "instrument":
            differences[int(number)] = json.loads(text)["differs_steps"]
        elif kind == "account":
            account = json.loads(text)
    return orders, positions, differences, account


class _Past:
    """What rows say of one order; `value` is the sum of price times steps of its fills."""

    def __init__(self) -> None:
        self.session = self.log_id = ""
        self.seq = self.ord = self.sent_ns = 0
        self.venue_order_id = ""
        self.filled_steps = self.value = self.fees_nano = 0

    def order(self, session: Manifest, row: Mapping[str, Any]) -> None:
        """One of its ORDER rows."""
        if row["state"] == OrderState.SUBMITTED and row["ord"]:
            self.session, self.log_id = session.id, session.log_id
            self.seq, self.ord, self.sent_ns = row["seq"], row["ord"], row["ts_recv_ns"]
        self.venue_order_id = self.venue_order_id or row["venue_order_id"]

    def fill(self, row: Mapping[str, Any]) -> None:
        """One of its FILL rows."""
        self.filled_steps += row["quantity_steps"]
        self.value += row["price_nano"] * row["quantity_steps"]
        self.fees_nano += row["fee_nano"]


def _past(store: Store, session: Manifest, wanted: frozenset[int]) -> dict[int, _Past]:
    """What the rows of this session, and of those before it, say of these orders."""
    found: dict[int, _Past] = {}
    for manifest in _chain(store, session):
        if wanted <= {order_id for order_id, past in found.items() if past.session}:
            break
        for batch in LogReader(store.folder(manifest.id)).batches(what="all", kinds=[Kind.ORDER, Kind.FILL]):
            for block in batch:
                for row in block.rows():
                    if row["order_id"] not in wanted:
                        continue
                    past = found.setdefault(row["order_id"], _Past())
                    if block.kind is Kind.ORDER:
                        past.order(manifest, row)
                    else:
                        past.fill(row)
    return found


def _chain(store: Store, session: Manifest) -> Iterator[Manifest]:
    """A session, the one that it goes on from, and so on."""
    yield session
    while (name := _before(session)) != "":
        try:
            session = store.manifest(name)
        except NotFoundError:
            return
        yield session


def _before(session: Manifest) -> str:
    """The session that this one goes on from; '' for none."""
    told: Any = next((session.settings[name] for name in BEGAN_WITH if name in session.settings), "")
    return str(told["session"] if isinstance(told, dict) else told)


def _resumed_seq(log: LogReader) -> int:
    """The input with which its writer began; 0 for a session that is new."""
    last = 0
    for batch in log.batches(what="inputs", kinds=[Kind.SESSION]):
        for block in batch:
            for row in block.rows():
                if row["action"] == SessionAction.RESUMED:
                    last = row["seq"]
    return last
