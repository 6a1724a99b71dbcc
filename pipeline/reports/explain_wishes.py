"""Wishes: the wishes of a log with what came of each: verdict, orders, fills, and the tick or bar that caused it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pipeline.codes import BarUnit, IntentAction, IntentOutcome, Kind, OrderFlag, Origin, RiskRule, RiskVerdict, Side
from pipeline.reports.explain_matches import Executed, Place, Wish
from pipeline.reports.explain_rows import Row
from pipeline.reports.explain_words import Teller, word_of
from pipeline.timeframes import SESSION_UNITS
from pipeline.units import NANO

KINDS: Final = (Kind.INTENT, Kind.RISK, Kind.ORDER, Kind.FILL)
"""What is asked for of a log's decisions."""

_TERMS: Final = (
    "quantity_steps", "order_type", "time_in_force", "flags", "limit_nano", "trigger_nano", "stop_loss_nano",
    "take_profit_nano", "trail_nano",
)  # fmt: skip
_LEGS: Final = ((OrderFlag.BRACKET_STOP, "stop"), (OrderFlag.BRACKET_TARGET, "target"))


def wished(decisions: Iterable[Row]) -> list[Row]:
    """The rows that are wishes, a gate's verdict not among them."""
    return [row for row in decisions if row.kind is Kind.INTENT and row.values["action"] != IntentAction.NONE]


def wishes_of(decisions: Iterable[Row], causes: Mapping[Place, Row], teller: Teller) -> list[Wish]:
    """The wishes among the decisions of a log, in order.

    causes    by their places the rows that caused them, as far as there are
    """
    decisions = list(decisions)
    risks = {row.cause: row for row in decisions if row.kind is Kind.RISK}
    executed = _executed(decisions)
    return [_wish(row, risks.get(row.place), executed.get(row.place, {}), causes, teller) for row in wished(decisions)]


def _wish(
    row: Row, risk: Row | None, executed: Mapping[str, Executed], causes: Mapping[Place, Row], teller: Teller
) -> Wish:
    values = row.values
    cause = causes.get(row.cause or (0, 0))
    from_ns, at_ns = _stretch(cause, values["ts_recv_ns"])
    return Wish(
        strategy=teller.strategy(values["strategy_id"]) if values["strategy_id"] else "",
        symbol=teller.symbol(values["instrument_id"]),
        action=word_of(IntentAction, values["action"]),
        side=word_of(Side, values["side"]),
        place=row.place,
        ts_ns=values["ts_recv_ns"],
        at_ns=at_ns,
        cause=row.cause or (0, 0),
        cause_from_ns=from_ns,
        cause_says=teller.says(cause) if cause is not None else "what is not in the log",
        terms={name: values[name] for name in _TERMS},
        judgement=_judgement(values, risk),
        executed=executed,
    )


def _judgement(values: Mapping[str, Any], risk: Row | None) -> dict[str, str]:
    said = {"outcome": word_of(IntentOutcome, values["outcome"])}
    if risk is not None:
        said |= {
            "verdict": word_of(RiskVerdict, risk.values["verdict"]),
            "rule": word_of(RiskRule, risk.values["rule"]),
        }
    return said


def _stretch(cause: Row | None, now_ns: int) -> tuple[int, int]:
    """Event times that a cause speaks of: a bar's own stretch, a tick's moment; session time of anything else."""
    if cause is None or cause.kind not in (Kind.QUOTE, Kind.PRINT, Kind.BAR, Kind.STATUS):
        return now_ns, now_ns
    begins = cause.values["ts_event_ns"]
    if cause.kind is not Kind.BAR:
        return begins, begins
    is_by_time = cause.values["bar_unit"] % SESSION_UNITS == BarUnit.TIME
    return begins, cause.values["ts_close_ns"] - (1 if is_by_time else 0)


def _executed(decisions: Iterable[Row]) -> dict[Place, dict[str, Executed]]:
    """By the place of a wish and the leg what was filled."""
    roots = _roots(decisions)
    fills: defaultdict[tuple[Place, str], list[Row]] = defaultdict(list)
    for row in decisions:
        if row.kind is Kind.FILL and (root := roots.get(row.values["order_id"])):
            fills[root].append(row)
    found: defaultdict[Place, dict[str, Executed]] = defaultdict(dict)
    for (place, leg), rows in fills.items():
        steps = sum(row.values["quantity_steps"] for row in rows)
        value = sum(row.values["quantity_steps"] * row.values["price_nano"] for row in rows)
        found[place][leg] = Executed(
            quantity_steps=steps,
            average=value / steps / NANO if steps else 0.0,
            first_ns=rows[0].values["ts_recv_ns"],
            at_broker=rows[0].values["origin"] != Origin.DERIVED,
        )
    return found


def _roots(decisions: Iterable[Row]) -> dict[int, tuple[Place, str]]:
    """Of each order the wish that it goes back to, and as what: '' for its own, a leg of the entry it protects."""
    risks = {row.place: row for row in decisions if row.kind is Kind.RISK}
    roots: dict[int, tuple[Place, str]] = {}
    for row in decisions:
        order_id = row.values.get("order_id", 0)
        if row.kind is not Kind.ORDER or order_id in roots:
            continue
        parent = roots.get(row.values["parent_order_id"])
        leg = next((name for flag, name in _LEGS if row.values["flags"] & flag), "")
        risk = risks.get(row.cause or (0, 0))
        if parent is not None and leg:
            roots[order_id] = (parent[0], leg)
        elif risk is not None and risk.cause is not None:
            roots[order_id] = (risk.cause, "")
    return roots
