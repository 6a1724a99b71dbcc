"""Orders that tests place, and what became of them in rows short enough to compare."""

from core_probe import probe

from pipeline.codes import Kind, OrderState, Side
from pipeline.core.settings import EngineSettings
from pipeline.core.verbs import enter
from pipeline.units import NANO

FAST = EngineSettings(latency_ns=NANO, quote_age_ns_max=10**15)


def buy(**order):
    return lambda s, event, ctx: enter(ctx, Side.BUY, **order)


def sell(**order):
    return lambda s, event, ctx: enter(ctx, Side.SELL, **order)


def fills(derived):
    return [
        (row["seq"], row["side"], row["price_nano"] / NANO, row["quantity_steps"], row["liquidity"])
        for row in derived[Kind.FILL]
    ]


def states(derived, order_id=1):
    return [OrderState(row["state"]).name for row in derived[Kind.ORDER] if row["order_id"] == order_id]


def run(day, script, engine_settings=FAST):
    return day.run([probe(script)], engine_settings)[1]
