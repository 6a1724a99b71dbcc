"""A tape of a few rows that people can check by hand: one round trip and one miss in New York's premarket."""

from pipeline.block import Block
from pipeline.codes import (
    FeedAction,
    IntentAction,
    IntentOutcome,
    Kind,
    Mark,
    OrderFlag,
    OrderReason,
    OrderState,
    OrderType,
    Origin,
    RiskRule,
    RiskVerdict,
    SessionAction,
    Side,
    StatusReason,
    TradingStatus,
)
from pipeline.log import manifest as manifests
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.manifest import StrategyEntry, Words
from pipeline.log.reader import JOURNAL
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.scanner_codes import CandidateVerdict, UniverseAction, UniverseReason
from pipeline.units import NANO

OPEN_NS = 1_793_784_600 * NANO
"""2026-11-04T09:30:00Z, 4:30 in New York."""

WORDS = Words(
    phases={"flat": 0, "entering": 1, "long": 2},
    gates={"spread": 3},
    reasons={"breakout": 1, "filled": 2, "closed": 3},
    outputs={"vwap": 1},
    messages={"wide": 7},
    templates={"wide": "spread {a:.2f}"},
)
SCANNER = {
    "name": "gappers",
    "fields": ["gap_pct", "rvol_tod", "float"],
    "units": ["%", "times", "shares"],
    "sources": ["prints", "prints", "reference float_shares"],
    "filters": ["gap_pct >= 10"],
}


def at(seconds):
    return OPEN_NS + round(seconds * NANO)


def cents(price):
    return round(price * 100) * NANO // 100


def written(home, rows, *, name="day", state="ended", settings=None, parents=()):
    """A session with these rows, or a run over another: (kind, seq, ord, seconds, fields); ord 0 is an input."""
    store = Store(home)
    facts = {
        "created_ns": 1,
        "settings": settings if settings is not None else {"scanners": [SCANNER]},
        "strategies": (StrategyEntry("probe", {}, "0", WORDS),),
    }
    if parents:
        manifest = store.create_run(name, mode=Mode.REPLAY, parents=parents, **facts)
    else:
        manifest = store.create_session(name, mode=Mode.PAPER, **facts)
    folder = store.folder(manifest.id)
    with Journal.create(
        folder / JOURNAL, log_id=bytes.fromhex(manifest.log_id), is_derived_only=bool(parents)
    ) as journal:
        for frame, is_input in ((FrameKind.INPUTS, True), (FrameKind.DERIVED, False)):
            if blocks := blocks_of([row for row in rows if (row[2] == 0) is is_input]):
                journal.append(frame, blocks)
    if state != "open":
        manifests.update(folder, state="ended")
    if state == "sealed":
        seal(folder)
    return manifest.id


def blocks_of(rows):
    by_kind = {}
    for kind, seq, ord_, seconds, fields in sorted(rows, key=lambda row: row[1:3]):
        origin = Origin.INPUT if ord_ == 0 else Origin.DERIVED
        row = {"seq": seq, "ord": ord_, "ts_event_ns": at(seconds), "ts_recv_ns": at(seconds), "origin": int(origin)}
        by_kind.setdefault(kind, []).append(row | fields)
    return [Block.from_rows(kind, of_kind) for kind, of_kind in by_kind.items()]


def instrument(seq, id_, symbol, **fields):
    told = {
        "instrument_id": id_, "symbol": symbol, "venue": "XNAS", "currency": "USD", "asset_class": 1, "source": 1,
        "size_step_nano": NANO, "multiplier_nano": NANO, "calendar": "XNYS",
    }  # fmt: skip
    return Kind.INSTRUMENT, seq, 0, 0, told | fields


def quote(seq, seconds, id_, bid, ask, **fields):
    told = {"instrument_id": id_, "source": 1, "bid_nano": cents(bid), "ask_nano": cents(ask)}
    return Kind.QUOTE, seq, 0, seconds, told | fields


def decided(kind, seq, ord_, seconds, cause, **fields):
    told = {"instrument_id": 1, "cause_seq": cause[0], "cause_ord": cause[1]}
    if kind not in (Kind.CANDIDATE, Kind.UNIVERSE):
        told["strategy_id"] = 1
    return kind, seq, ord_, seconds, told | fields


def order(seq, ord_, seconds, cause, state, **fields):
    told = {
        "order_id": 1,
        "side": int(Side.BUY),
        "order_type": int(OrderType.LIMIT),
        "quantity_steps": 100,
        "filled_steps": 0,
    }
    told |= {"limit_nano": cents(10.07), "flags": int(OrderFlag.BRACKET_ENTRY), "tag": 4, "state": int(state)}
    return decided(Kind.ORDER, seq, ord_, seconds, cause, **told | fields)


STOP = {
    "order_id": 2, "side": int(Side.SELL), "order_type": int(OrderType.STOP), "limit_nano": -(2**63),
    "trigger_nano": cents(9.97), "flags": int(OrderFlag.BRACKET_STOP | OrderFlag.REDUCE_ONLY), "parent_order_id": 1,
}  # fmt: skip


def fill(seq, ord_, seconds, cause, side, price, **fields):
    told = {"order_id": 1, "fill_id": 1, "side": int(side), "price_nano": cents(price), "quantity_steps": 100, "tag": 4}
    return decided(Kind.FILL, seq, ord_, seconds, cause, **told | fields)


def candidate(ord_, field_id, value, *, filter_id=0):
    told = {"scanner_id": 1, "evaluation": 1, "verdict": int(CandidateVerdict.PICKED), "rank": 2, "field_id": field_id}
    told |= {"value": value, "filter_id": filter_id, "is_passed": 1 if filter_id else -1, "threshold": 10.0}
    return decided(Kind.CANDIDATE, 5, ord_, 0.5, (5, 0), **told)


INPUTS = [
    (Kind.FEED, 1, 0, 0, {"source": 1, "action": int(FeedAction.DECLARED), "text": "made"}),
    (Kind.FEED, 2, 0, 0, {"source": 1, "action": int(FeedAction.CONNECTED)}),
    instrument(3, 1, "ABCD"),
    instrument(4, 2, "=WXYZ"),
    quote(5, 0.5, 1, 10.00, 10.02),
    quote(6, 1.0, 1, 10.04, 10.06, ts_event_ns=at(0.96)),
    quote(7, 2.0, 1, 10.05, 10.07),
    quote(8, 2.5, 2, 5.00, 5.02),
    (Kind.STATUS, 9, 0, 3, {"instrument_id": 1, "status": int(TradingStatus.PAUSED), "reason": int(StatusReason.VOLATILITY)}),
    (Kind.STATUS, 10, 0, 4, {"instrument_id": 1, "status": int(TradingStatus.TRADING)}),
    quote(11, 5, 1, 10.27, 10.29),
    quote(12, 6, 1, 11.00, 10.90, marks=int(Mark.CROSSED)),
    quote(13, 30, 2, 6.02, 6.04, marks=int(Mark.LATE)),
    (Kind.FEED, 14, 0, 40, {"source": 1, "action": int(FeedAction.LOST)}),
    (Kind.FEED, 15, 0, 40, {"source": 1, "action": int(FeedAction.GAP_OPENED), "from_ns": at(40)}),
    (Kind.FEED, 16, 0, 50, {"source": 1, "action": int(FeedAction.CONNECTED)}),
    (Kind.FEED, 17, 0, 50, {"source": 1, "action": int(FeedAction.GAP_CLOSED), "from_ns": at(40), "to_ns": at(50)}),
    quote(18, 65, 1, 9.96, 9.98),
    (Kind.FEED, 19, 0, 90, {"source": 1, "action": int(FeedAction.MUTE)}),
    (Kind.FEED, 20, 0, 95, {"source": 1, "action": int(FeedAction.HEARD)}),
    quote(21, 130, 1, 9.90, 9.92),
    (Kind.PRINT, 22, 0, 131, {"instrument_id": 1, "source": 1, "price_nano": cents(9.91), "size_steps": 50, "aggressor": 1}),
    (Kind.BAR, 23, 0, 132, {
        "instrument_id": 1, "source": 1, "bar_length": 60 * NANO, "ts_close_ns": at(120), "open_nano": cents(9.9),
        "high_nano": cents(9.96), "low_nano": cents(9.9), "close_nano": cents(9.92), "volume_steps": 70,
    }),
    (Kind.SNAPSHOT, 24, 0, 133, {"instrument_id": 2, "source": 1, "last_nano": cents(6.03), "volume_steps": 900}),
    (Kind.REFERENCE, 25, 0, 134, {"instrument_id": 1, "field": "float_shares", "value": 4e6, "provider": "fmp", "known_at_ns": at(0)}),
    (Kind.NOTE, 26, 0, 135, {"tag": "=1+1", "text": '+SUM(A1) "late"', "about_seq": 7}),
    (Kind.SESSION, 27, 0, 140, {"action": int(SessionAction.ENDED)}),
]  # fmt: skip

DECISIONS = [
    decided(Kind.UNIVERSE, 5, 1, 0.5, (5, 0), scanner_id=1, action=int(UniverseAction.ADDED), reason=int(UniverseReason.RANKED), rank=2),
    decided(Kind.UNIVERSE, 5, 2, 0.5, (5, 0), scanner_id=1, action=int(UniverseAction.ADDED), reason=int(UniverseReason.RANKED), rank=1, instrument_id=2),
    candidate(3, 1, 25.0, filter_id=1),
    candidate(4, 2, 6.5),
    candidate(5, 3, 4e6),
    decided(Kind.CANDIDATE, 5, 6, 0.5, (5, 0), instrument_id=0, scanner_id=1, evaluation=1, verdict=int(CandidateVerdict.COUNTED), value=9.0),
    decided(Kind.CANDIDATE, 5, 7, 0.5, (5, 0), instrument_id=0, scanner_id=1, evaluation=1, verdict=int(CandidateVerdict.COUNTED), value=2.0, filter_id=1),
    decided(Kind.TRANSITION, 6, 1, 1, (6, 0), from_phase=0, to_phase=1, reason=1),
    decided(
        Kind.INTENT, 6, 2, 1, (6, 0), action=int(IntentAction.ENTER), outcome=int(IntentOutcome.TAKEN), side=1, order_type=1,
        quantity_steps=100, limit_nano=cents(10.07), stop_loss_nano=cents(9.97), take_profit_nano=cents(10.27), risk=10.0, tag=4,
    ),
    decided(Kind.RISK, 6, 3, 1, (6, 2), verdict=int(RiskVerdict.APPROVED), rule=int(RiskRule.PASSED), quantity_steps=100),
    order(6, 4, 1, (6, 3), OrderState.APPROVED),
    order(6, 5, 1, (6, 4), OrderState.SUBMITTED),
    order(7, 1, 2, (6, 5), OrderState.ACCEPTED, reason=int(OrderReason.VENUE)),
    fill(7, 2, 2, (7, 1), Side.BUY, 10.07, fee_nano=NANO // 2, bid_nano=cents(10.05), ask_nano=cents(10.07), liquidity=1),
    order(7, 3, 2, (7, 2), OrderState.FILLED, filled_steps=100),
    decided(Kind.POSITION, 7, 4, 2, (7, 2), quantity_steps=100, average_price=10.07, fees=0.5, cash=98_992.5),
    decided(Kind.RISK, 7, 5, 2, (7, 2), verdict=int(RiskVerdict.APPROVED), rule=int(RiskRule.PASSED), quantity_steps=100),
    order(7, 6, 2, (7, 5), OrderState.APPROVED, **STOP),
    order(7, 7, 2, (7, 6), OrderState.SUBMITTED, **STOP),
    decided(Kind.TRANSITION, 7, 8, 2, (7, 2), from_phase=1, to_phase=2, reason=2),
    decided(Kind.INDICATOR, 7, 9, 2, (7, 0), output_id=1, value=10.05),
    decided(
        Kind.INTENT, 8, 1, 2.5, (8, 0), instrument_id=2, action=int(IntentAction.NONE), outcome=int(IntentOutcome.GATED), gate=3,
        gate_value=40.0, gate_threshold=30.0,
    ),
    decided(Kind.MESSAGE, 8, 2, 2.5, (8, 0), instrument_id=2, code=7, a=40.0),
    order(9, 1, 3, (7, 7), OrderState.ACCEPTED, **STOP),
    decided(
        Kind.INTENT, 13, 1, 30, (13, 0), instrument_id=2, action=int(IntentAction.ENTER), outcome=int(IntentOutcome.TAKEN), side=1,
        quantity_steps=10,
    ),
    decided(Kind.RISK, 13, 2, 30, (13, 1), instrument_id=2, verdict=int(RiskVerdict.REFUSED), rule=int(RiskRule.PRICE_COLLAR), value=2.0, limit=1.0),
    fill(18, 1, 65, (9, 1), Side.SELL, 9.96, order_id=2, fill_id=2, fee_nano=NANO // 4, bid_nano=cents(9.96), ask_nano=cents(9.98), liquidity=1),
    order(18, 2, 65, (18, 1), OrderState.FILLED, **STOP, filled_steps=100),
    decided(Kind.POSITION, 18, 3, 65, (18, 1), quantity_steps=0, average_price=0.0, realized=-11.0, fees=0.75, cash=99_988.25),
    decided(Kind.TRANSITION, 18, 4, 65, (18, 1), from_phase=2, to_phase=0, reason=3),
]  # fmt: skip
