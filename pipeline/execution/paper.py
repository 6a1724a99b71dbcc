"""Paper: the rows that become of what brokers say, in order, and the time at which they were written."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from pipeline.block import Block, Blocks
from pipeline.codes import AccountAction, FeedAction, Kind, OrderFlag, OrderType, Origin, Side, TimeInForce
from pipeline.feeds.hiding import hidden
from pipeline.intents import OrderRequest
from pipeline.units import ABSENT

ORDERS: Final = "orders"
"""The channel of what happens to a broker's stream."""

DIFFERENCES: Final = frozenset((AccountAction.DIFFERENCE, AccountAction.POSITION_DIFFERENCE))
"""What a person is told of an account."""

TEXT_LENGTH_MAX: Final = 300
"""Brokers' words may be pages."""


class Paper:
    """Rows of origin INPUT; `now_ns` is set by whoever writes, from the clock of the recording.

    What waits here has no bound of its own: it is as much as orders cause, and a broker limits those.
    """

    def __init__(self, account: str, secrets: Sequence[bytes] = ()) -> None:
        """`secrets` are left out of all texts: a broker may repeat what it was sent."""
        self.now_ns = 0
        self._secrets = secrets
        self._account = account
        self._rows: list[tuple[Kind, dict[str, Any]]] = []

    def write(self, kind: Kind, *, ts_ns: int = ABSENT, instrument_id: int = 0, **columns: Any) -> None:
        """One row. The broker's time stands in for ours where it has one."""
        header = {
            "ts_event_ns": self.now_ns if ts_ns == ABSENT else ts_ns,
            "ts_recv_ns": self.now_ns,
            "instrument_id": instrument_id,
            "origin": int(Origin.INPUT),
        }
        if "text" in columns:
            columns["text"] = hidden(columns["text"], self._secrets)[:TEXT_LENGTH_MAX]
        self._rows.append((kind, header | columns))

    def differ(self, text: str, *, instrument_id: int = 0, quantity_steps: int = ABSENT) -> None:
        """What the broker says and what we know are not the same; the quantity is the broker's less ours."""
        self.write(
            Kind.ACCOUNT,
            instrument_id=instrument_id,
            action=int(AccountAction.DIFFERENCE),
            account=self._account,
            quantity_steps=quantity_steps,
            text=text,
        )

    def position_differs(self, text: str, instrument_id: int, quantity_steps: int) -> None:
        """From here on the broker's position in an instrument, less that of the log, is another one; 0: they agree again."""
        self.write(
            Kind.ACCOUNT,
            instrument_id=instrument_id,
            action=int(AccountAction.POSITION_DIFFERENCE),
            account=self._account,
            quantity_steps=quantity_steps,
            text=text,
        )

    def tell(self, action: FeedAction, text: str) -> None:
        """Something happened to the connection."""
        self.write(Kind.FEED, action=int(action), channel=ORDERS, text=text)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written since rows were last taken."""
        return not self._rows

    def take(self) -> Blocks:
        """What was written since the last time, `seq` from 1; [] when nothing was."""
        rows, self._rows = self._rows, []
        by_kind: dict[Kind, tuple[list[int], list[dict[str, Any]]]] = {}
        for number, (kind, row) in enumerate(rows, 1):
            seqs, own = by_kind.setdefault(kind, ([], []))
            seqs.append(number)
            own.append(row)
        return [
            Block.from_rows(kind, own).with_columns(seq=np.array(seqs, np.int64))
            for kind, (seqs, own) in sorted(by_kind.items())
        ]

    def take_rows(self) -> list[tuple[Kind, dict[str, Any]]]:
        """The same as plain rows."""
        rows, self._rows = self._rows, []
        return rows


def request_columns(request: OrderRequest) -> dict[str, Any]:
    """What a row of an order repeats of what was asked for."""
    return {
        "instrument_id": request.instrument_id,
        "order_id": request.order_id,
        "side": int(request.side),
        "order_type": int(request.order_type),
        "time_in_force": int(request.time_in_force),
        "flags": int(request.flags),
        "quantity_steps": request.quantity_steps,
        "limit_nano": request.limit_nano,
        "trigger_nano": request.trigger_nano,
        "expires_ns": request.expires_ns,
    }


def request_of(row: Mapping[str, Any]) -> OrderRequest:
    """The way back: what was asked for, by such columns."""
    return OrderRequest(
        row["order_id"],
        row["instrument_id"],
        Side(row["side"]),
        OrderType(row["order_type"]),
        TimeInForce(row["time_in_force"]),
        OrderFlag(row["flags"]),
        row["quantity_steps"],
        row["limit_nano"],
        row["trigger_nano"],
        row["expires_ns"],
    )
