"""Snapshots: an account as its broker sees it now, as rows."""

from pipeline.block import Blocks
from pipeline.codes import AccountAction, Kind, OrderReason, OrderState
from pipeline.errors import VenueError
from pipeline.execution.calls import Talk
from pipeline.execution.orders import Orders
from pipeline.execution.paper import Paper, request_columns
from pipeline.execution.reports import Report, Standing, Status
from pipeline.execution.tongue import Failed, Tongue


def snapshot(tongue: Tongue, orders: Orders, now_ns: int) -> Talk[Blocks]:
    """ACCOUNT rows CASH and POSITION, then an ORDER row for each open order of ours. Raises VenueError."""
    listed = yield from tongue.orders(now_ns)
    standing = yield from tongue.standing()
    for said in (listed, standing):
        if isinstance(said, Failed):
            raise VenueError(f"{tongue.name}: no snapshot: {said.why}")
    assert not isinstance(listed, Failed)
    assert not isinstance(standing, Failed)
    paper = Paper(orders.identity.account)
    paper.now_ns = now_ns
    _account(standing, tongue, orders, paper)
    for report in listed:
        _order(report, orders, paper)
    return paper.take()


def _account(standing: Standing, tongue: Tongue, orders: Orders, paper: Paper) -> None:
    """What is held of an instrument that nobody here knows has instrument 0, and its name in the text."""
    account = orders.identity.account
    paper.write(
        Kind.ACCOUNT,
        action=int(AccountAction.CASH),
        account=account,
        currency=standing.currency,
        cash_nano=standing.cash_nano,
        buying_power_nano=standing.buying_power_nano,
    )
    ids = {tongue.holding_of(orders.instruments[id_].symbol): id_ for id_ in sorted(orders.instruments, reverse=True)}
    for holding in standing.holdings:
        id_ = ids.get(holding.symbol, 0)
        known = {} if id_ == 0 else {
            "quantity_steps": holding.quantity_nano // orders.instruments[id_].size_step_nano,
            "average_nano": holding.average_nano,
        }  # fmt: skip
        paper.write(
            Kind.ACCOUNT,
            instrument_id=id_,
            action=int(AccountAction.POSITION),
            account=account,
            currency=standing.currency,
            text=holding.symbol,
            **known,
        )


def _order(report: Report, orders: Orders, paper: Paper) -> None:
    tracked = orders.known(report.client_order_id)
    if tracked is None or report.is_final:
        return
    filled = report.filled_nano // tracked.size_step_nano
    working = OrderState.PARTIALLY_FILLED if filled else OrderState.ACCEPTED
    state = OrderState.CANCEL_PENDING if report.status is Status.CANCEL_PENDING else working
    paper.write(
        Kind.ORDER,
        **request_columns(tracked.request),
        state=int(state),
        reason=int(OrderReason.VENUE),
        filled_steps=filled,
        venue_order_id=report.venue_order_id,
    )
