"""Coinbase's words for tickets, orders and fills, as REST and the user channel of Advanced Trade write them."""

from collections.abc import Mapping
from typing import Any, Final

from pipeline.codes import OrderType, Side, TimeInForce
from pipeline.normalize.moments import text_of_ns
from pipeline.simulator.trading.orders import Fill, Order, Status, Ticket
from pipeline.simulator.trading.wording import WordingError, moment_ns, nano_of
from pipeline.units import ABSENT, NANO, TS_MAX_NS, text_from_nano

_CONFIGURATIONS: Final = {
    "market_market_ioc": (OrderType.MARKET, TimeInForce.IOC),
    "sor_limit_ioc": (OrderType.LIMIT, TimeInForce.IOC),
    "limit_limit_gtc": (OrderType.LIMIT, TimeInForce.GTC),
    "limit_limit_gtd": (OrderType.LIMIT, TimeInForce.GTD),
    "limit_limit_fok": (OrderType.LIMIT, TimeInForce.FOK),
    "stop_limit_stop_limit_gtc": (OrderType.STOP_LIMIT, TimeInForce.GTC),
    "stop_limit_stop_limit_gtd": (OrderType.STOP_LIMIT, TimeInForce.GTD),
}
_IN_FORCE_WORDS: Final = {
    TimeInForce.IOC: "IMMEDIATE_OR_CANCEL",
    TimeInForce.GTC: "GOOD_UNTIL_CANCELLED",
    TimeInForce.GTD: "GOOD_UNTIL_DATE_TIME",
    TimeInForce.FOK: "FILL_OR_KILL",
}
_TYPE_WORDS: Final = {OrderType.MARKET: "MARKET", OrderType.LIMIT: "LIMIT", OrderType.STOP_LIMIT: "STOP_LIMIT"}
_STATUS_WORDS: Final = {
    Status.NEW: "OPEN",
    Status.PARTIALLY_FILLED: "OPEN",
    Status.FILLED: "FILLED",
    Status.CANCELED: "CANCELLED",
    Status.EXPIRED: "EXPIRED",
    Status.REPLACED: "CANCELLED",
}


def words_of(order: Order) -> dict[str, Any]:
    """An order as REST writes it."""
    ticket = order.ticket
    return {
        "order_id": order.id,
        "product_id": ticket.symbol,
        "user_id": "user",
        "order_configuration": ticket.words,
        "side": ticket.side.name,
        "client_order_id": ticket.client_order_id,
        "status": status_word(order),
        "time_in_force": _IN_FORCE_WORDS[ticket.time_in_force],
        "created_time": text_of_ns(order.created_ns),
        "completion_percentage": text_from_nano(100 * NANO * order.filled_nano // ticket.quantity_nano),
        "filled_size": text_from_nano(order.filled_nano),
        "average_filled_price": text_from_nano(order.average_nano),
        "fee": "",
        "number_of_fills": str(order.count_fills),
        "filled_value": text_from_nano(order.value_nano),
        "pending_cancel": order.is_cancel_pending,
        "size_in_quote": False,
        "total_fees": text_from_nano(order.fees_nano),
        "size_inclusive_of_fees": False,
        "total_value_after_fees": text_from_nano(_after_fees(order)),
        "trigger_status": "INVALID_ORDER_TYPE",
        "order_type": _TYPE_WORDS[ticket.order_type],
        "reject_reason": "REJECT_REASON_UNSPECIFIED",
        "settled": order.status is Status.FILLED,
        "product_type": "SPOT",
        "reject_message": "",
        "cancel_message": "",
        "last_fill_time": text_of_ns(order.updated_ns) if order.filled_nano else None,
    }


def user_order(order: Order) -> dict[str, Any]:
    """An order as the user channel writes it."""
    ticket = order.ticket
    return {
        "order_id": order.id,
        "client_order_id": ticket.client_order_id,
        "product_id": ticket.symbol,
        "product_type": "SPOT",
        "status": status_word(order),
        "order_side": ticket.side.name,
        "order_type": _TYPE_WORDS[ticket.order_type].capitalize(),
        "time_in_force": _IN_FORCE_WORDS[ticket.time_in_force],
        "post_only": "true" if ticket.is_post_only else "false",
        "limit_price": text_from_nano(ticket.limit_nano),
        "stop_price": text_from_nano(ticket.stop_nano),
        "cumulative_quantity": text_from_nano(order.filled_nano),
        "leaves_quantity": text_from_nano(order.open_nano),
        "avg_price": text_from_nano(order.average_nano),
        "filled_value": text_from_nano(order.value_nano),
        "total_fees": text_from_nano(order.fees_nano),
        "total_value_after_fees": text_from_nano(_after_fees(order)),
        "number_of_fills": str(order.count_fills),
        "completion_percentage": text_from_nano(100 * NANO * order.filled_nano // ticket.quantity_nano),
        "creation_time": text_of_ns(order.created_ns),
        "cancel_reason": "",
        "reject_Reason": "",
        "outstanding_hold_amount": "0",
        "risk_managed_by": "MANAGED_BY_VENUE",
        "trigger_status": "INVALID_ORDER_TYPE",
    }


def status_word(order: Order) -> str:
    """Where an order stands."""
    return "CANCEL_QUEUED" if order.is_open and order.is_cancel_pending else _STATUS_WORDS[order.status]


def _after_fees(order: Order) -> int:
    """What the account pays or gets."""
    return order.value_nano + (order.fees_nano if order.ticket.side is Side.BUY else -order.fees_nano)


def fill_words(fill: Fill) -> dict[str, Any]:
    """A fill as REST writes it."""
    return {
        "entry_id": f"entry-{fill.number}",
        "trade_id": fill.id,
        "order_id": fill.order_id,
        "trade_time": text_of_ns(fill.at_ns),
        "trade_type": "FILL",
        "price": text_from_nano(fill.price_nano),
        "size": text_from_nano(fill.quantity_nano),
        "commission": text_from_nano(fill.fee_nano),
        "product_id": fill.symbol,
        "sequence_timestamp": text_of_ns(fill.at_ns),
        "liquidity_indicator": "MAKER" if fill.is_maker else "TAKER",
        "size_in_quote": False,
        "user_id": "user",
        "side": fill.side.name,
    }


def ticket_of(said: Mapping[str, Any]) -> Ticket:
    """What is asked for. Raises WordingError."""
    configuration = said.get("order_configuration")
    product, side = said.get("product_id"), said.get("side")
    if not isinstance(configuration, dict) or len(configuration) != 1 or not isinstance(product, str):
        raise WordingError("product_id and one order_configuration are required")
    ((name, words),) = configuration.items()
    if name not in _CONFIGURATIONS or side not in ("BUY", "SELL"):
        raise WordingError(f"order_configuration {name} {side} is not supported")
    order_type, in_force = _CONFIGURATIONS[name]
    limit = ABSENT if order_type is OrderType.MARKET else nano_of(words, "limit_price")
    return Ticket(
        str(said["client_order_id"]),
        product,
        Side[side],
        order_type,
        in_force,
        nano_of(words, "base_size"),
        limit,
        nano_of(words, "stop_price") if order_type is OrderType.STOP_LIMIT else ABSENT,
        is_post_only=bool(words.get("post_only")),
        expires_ns=moment_ns(words.get("end_time"), TS_MAX_NS),
        words=configuration,
    )


def success_of(order: Order) -> dict[str, Any]:
    """The answer to an order that is taken."""
    ticket = order.ticket
    said = {
        "order_id": order.id,
        "product_id": ticket.symbol,
        "side": ticket.side.name,
        "client_order_id": ticket.client_order_id,
    }
    return {"success": True, "success_response": said, "order_configuration": ticket.words}


def failure_of(why: str, text: str, configuration: object) -> dict[str, Any]:
    """The answer to one that is not."""
    said = {
        "error": why,
        "message": text,
        "error_details": "",
        "preview_failure_reason": "UNKNOWN_PREVIEW_FAILURE_REASON",
        "new_order_failure_reason": "UNKNOWN_FAILURE_REASON",
    }
    return {"success": False, "error_response": said, "order_configuration": configuration}
