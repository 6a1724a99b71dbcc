"""Books of one's own: all that rows tell of orders, fills and limits, reckoned beside the engine and held against it."""

import math
from collections import defaultdict, deque

import pytest

from pipeline.codes import (
    IntentAction,
    IntentOutcome,
    Kind,
    Liquidity,
    OrderFlag,
    OrderState,
    RiskRule,
    RiskVerdict,
    Side,
)
from pipeline.core.orders import ALLOWED
from pipeline.units import ABSENT, NANO

REDUCE_ONLY = OrderFlag.REDUCE_ONLY


class Watch:
    """All orders as their rows tell them, held against every fill."""

    def __init__(self, limits):
        self.limits, self.orders, self.filled, self.held, self.cash = limits, {}, {}, {}, limits.cash

    def see(self, derived):
        told = [(row["ord"], Kind.ORDER, row) for row in derived[Kind.ORDER]]
        told += [(row["ord"], Kind.FILL, row) for row in derived[Kind.FILL]]
        for _, kind, row in sorted(told, key=lambda each: (each[2]["seq"], each[0])):
            if kind is Kind.ORDER:
                self.order(row)
            else:
                self.fill(row)

    def order(self, row):
        before = self.orders.get(row["order_id"])
        if before:
            assert ALLOWED[before["state"]] >> row["state"] & 1, (OrderState(before["state"]), OrderState(row["state"]))
        assert row["filled_steps"] == self.filled.get(row["order_id"], 0) <= row["quantity_steps"]
        if row["order_id"] and not before and row["state"] == OrderState.APPROVED:
            assert row["quantity_steps"] <= self.limits.order_quantity_max or row["flags"] & REDUCE_ONLY
        self.orders[row["order_id"]] = row

    def fill(self, row):
        order, signed = self.orders[row["order_id"]], row["side"] * row["quantity_steps"]
        assert ALLOWED[order["state"]], "of an order that is over"
        assert row["quantity_steps"] > 0
        self.filled[row["order_id"]] = self.filled.get(row["order_id"], 0) + row["quantity_steps"]
        assert self.filled[row["order_id"]] <= order["quantity_steps"]
        assert order["limit_nano"] == ABSENT or (order["limit_nano"] - row["price_nano"]) * row["side"] >= 0
        far_nano = row["ask_nano"] if row["side"] == Side.BUY else row["bid_nano"]
        if row["liquidity"] == Liquidity.TAKER:
            assert (row["price_nano"] - far_nano) * row["side"] >= 0, "better than the far side"
        pair = row["strategy_id"], row["instrument_id"]
        if order["flags"] & REDUCE_ONLY:
            held = self.held.get(pair, 0)
            assert held * signed < 0, "what only reduces, enlarged"
            assert abs(signed) <= abs(held), "what only reduces, turned"
        self.held[pair] = self.held.get(pair, 0) + signed
        self.cash -= row["price_nano"] / NANO * signed + row["fee_nano"] / NANO


def most(limit):
    """What a limit allows of which 0 means that there is none."""
    return limit or math.inf


class CrowdWatch(Watch):
    """Besides: who is near whom at every entry that the gate lets through, or refuses for it; `sectors` and `themes` by instrument."""

    def __init__(self, limits, sectors, themes):
        super().__init__(limits)
        self.sectors, self.themes = sectors, themes
        self.quotes, self.working, self.intents, self.taken = {}, defaultdict(dict), {}, set()
        self.now_ns, self.sent_ns = 0, deque()
        self.said, self.winners = defaultdict(int), 0

    def see_all(self, inputs, derived):
        """Rows of inputs, with their kinds, and what was derived of them, in the order in which they happened."""
        rows = [(row["seq"], 0, kind, row) for kind, row in inputs]
        rows += [(row["seq"], row["ord"], kind, row) for kind, told in derived.by_kind.items() for row in told]
        for _, ord_, kind, row in sorted(rows, key=lambda each: each[:2]):
            if ord_ == 0:
                self.input(kind, row)
            elif kind in _SEEN:
                _SEEN[kind](self, row)

    def input(self, kind, row):
        self.now_ns = max(self.now_ns, row["ts_recv_ns"])
        self.intents, self.taken = {}, set()
        if kind is Kind.QUOTE:
            self.quotes[row["instrument_id"]] = row["bid_nano"] / NANO, row["ask_nano"] / NANO

    def order(self, row):
        super().order(row)
        if row["order_id"] and not row["flags"] & REDUCE_ONLY:
            working = self.working[row["strategy_id"], row["instrument_id"]]
            working.pop(row["order_id"], None)
            if ALLOWED[row["state"]]:
                working[row["order_id"]] = row["side"], row["quantity_steps"] - row["filled_steps"]

    def position(self, row):
        assert row["quantity_steps"] == self.held[row["strategy_id"], row["instrument_id"]]
        assert row["cash"] == pytest.approx(self.cash, rel=1e-9, abs=1e-4)

    def intent(self, row):
        place = row["seq"], row["ord"]
        self.intents[place] = row
        winner = row["winner_seq"], row["winner_ord"]
        if winner != (0, 0):
            assert winner in self.taken, "the winner is an entry of this input that became an order"
            self.winners += 1

    def risk(self, row):
        intent = self.intents.get((row["cause_seq"], row["cause_ord"]))
        if intent is None or intent["action"] != IntentAction.ENTER:
            return
        near = self.near(intent)
        if row["verdict"] == RiskVerdict.APPROVED:
            assert intent["outcome"] == IntentOutcome.TAKEN
            for rule, (value, limit) in near.items():
                assert value <= limit * (1 + 1e-9), rule
            self.taken.add((intent["seq"], intent["ord"]))
            self.send()
            return
        rule = RiskRule(row["rule"])
        self.said[rule] += 1
        is_shared = rule in near or rule is RiskRule.ORDER_RATE
        assert (intent["outcome"] in (IntentOutcome.LOST, IntentOutcome.DUPLICATE)) == is_shared
        if rule in near:
            assert (row["value"], row["limit"]) == pytest.approx(near[rule], rel=1e-9, abs=1e-6)
            assert row["value"] > row["limit"]
        if intent["winner_seq"]:
            assert self.is_rival(rule, self.intents[intent["winner_seq"], intent["winner_ord"]], intent)

    def send(self):
        """At most so many at once, and as many again within a second."""
        rate = self.limits.order_rate_max
        self.sent_ns.append(self.now_ns)
        while self.sent_ns[0] <= self.now_ns - NANO:
            self.sent_ns.popleft()
        assert len(self.sent_ns) <= 2 * rate
        assert sum(sent_ns == self.now_ns for sent_ns in self.sent_ns) <= rate

    def near(self, intent):
        """What each rule should see, this entry included, and what it allows."""
        strategy_id, instrument_id = pair = intent["strategy_id"], intent["instrument_id"]
        held = {each for each, steps in self.held.items() if steps} | {
            each for each, open_ in self.working.items() if open_
        }
        sector, theme = self.sectors[instrument_id], self.themes[instrument_id]
        bid, ask = self.quotes[instrument_id]
        price = ask if intent["side"] == Side.BUY else bid
        price = price if intent["limit_nano"] == ABSENT else intent["limit_nano"] / NANO
        amount, limits = price * intent["quantity_steps"], self.limits

        def exposure(is_near):
            return amount + sum(self.exposure(each) for each in held if is_near(each[1]))

        def count(is_near):
            return len({each[1] for each in held | {pair} if is_near(each[1])})

        def has_sector(other):
            return self.sectors[other] == sector

        def has_theme(other):
            return theme != "" and self.themes[other] == theme

        def is_there(other):
            return other == instrument_id

        entries = sum(side == intent["side"] for side, _ in self.working[pair].values())
        strategies = {each[0] for each in held if is_there(each[1])} | {strategy_id}
        worth = self.cash + sum(self.held.get(each, 0) * self.mark(each[1]) for each in held)
        total = exposure(lambda _: True)
        return {
            RiskRule.PLACES: (len(held | {pair}), limits.positions_max),
            RiskRule.DUPLICATE: (entries + 1, most(limits.open_entries_max)),
            RiskRule.INSTRUMENT_STRATEGIES: (len(strategies), most(limits.instrument_strategies_max)),
            RiskRule.INSTRUMENT_NOTIONAL: (exposure(is_there), most(limits.instrument_notional_max)),
            RiskRule.SECTOR_INSTRUMENTS: (count(has_sector), most(limits.sector_instruments_max)),
            RiskRule.SECTOR_NOTIONAL: (exposure(has_sector), most(limits.sector_notional_max)),
            RiskRule.THEME_INSTRUMENTS: (count(has_theme), most(limits.theme_instruments_max)),
            RiskRule.THEME_NOTIONAL: (exposure(has_theme) if theme else 0.0, most(limits.theme_notional_max)),
            RiskRule.TOTAL_NOTIONAL: (total, most(limits.total_notional_max)),
            RiskRule.BUYING_POWER: (total, max(0.0, worth) * limits.buying_power),
        }

    def exposure(self, pair):
        return (abs(self.held.get(pair, 0)) + sum(left for _, left in self.working[pair].values())) * self.mark(pair[1])

    def mark(self, instrument_id):
        bid, ask = self.quotes[instrument_id]
        return bid if bid > ask else (bid + ask) * 0.5

    def is_rival(self, rule, winner, loser):
        one, other = winner["instrument_id"], loser["instrument_id"]
        if rule is RiskRule.DUPLICATE:
            return all(winner[name] == loser[name] for name in ("strategy_id", "instrument_id", "side"))
        if rule.name.startswith("INSTRUMENT_"):
            return one == other
        if rule.name.startswith("SECTOR_"):
            return self.sectors[one] == self.sectors[other]
        return not rule.name.startswith("THEME_") or self.themes[one] == self.themes[other] != ""


_SEEN = {
    Kind.ORDER: CrowdWatch.order,
    Kind.FILL: CrowdWatch.fill,
    Kind.POSITION: CrowdWatch.position,
    Kind.INTENT: CrowdWatch.intent,
    Kind.RISK: CrowdWatch.risk,
}
