import io
import math

import pytest
from rich.console import Console

from pipeline.block import Block
from pipeline.cli.view import picture, tell
from pipeline.codes import (
    AccountAction,
    FeedAction,
    IntentAction,
    Kind,
    MessageLevel,
    OrderReason,
    OrderState,
    RiskRule,
    RiskVerdict,
    SessionAction,
    Side,
)
from pipeline.run.glimpse import LINES_MAX, TALK_MAX, UNTOLD_MAX, Glimpse
from pipeline.scanner.definition import Filter, shown
from pipeline.units import ABSENT, NANO

START = 1_793_779_200 * NANO


def block(kind, *rows):
    times = {"ts_recv_ns": START, "ts_event_ns": START - NANO // 2, "instrument_id": 1, "source": 1}
    return Block.from_rows(kind, [{"seq": seq, **times, **row} for seq, row in enumerate(rows, 1)])


def glimpse():
    seen = Glimpse(["massive"], [{0: "watching", 2: "long"}], ["mine"])
    seen.add([block(Kind.INSTRUMENT, {"symbol": "ABCD", "size_step_nano": NANO // 100})], [])
    return seen


def test_quotes_prints_phases_and_positions_of_a_symbol_are_seen():
    seen = glimpse()
    seen.add([block(Kind.QUOTE, {"bid_nano": 5 * NANO, "ask_nano": ABSENT})], [])
    seen.add([block(Kind.PRINT, {"price_nano": 6 * NANO})], [])
    seen.add(
        [],
        [
            block(Kind.TRANSITION, {"strategy_id": 1, "to_phase": 2}),
            block(Kind.POSITION, {"strategy_id": 1, "quantity_steps": 250}),
        ],
    )
    seen.look()
    (symbol,) = seen.symbols.values()
    assert (symbol.symbol, symbol.bid, symbol.last) == ("ABCD", 5.0, 6.0)
    assert math.isnan(symbol.ask)
    assert (symbol.phases, symbol.position) == ({1: 2}, {1: 2.5})
    assert (seen.inputs, seen.decisions) == (3, 2)
    assert (seen.feeds[0].rows, seen.feeds[0].lag_s) == (2, 0.5)
    assert [text for _, text in seen.lines] == ["mine ABCD is long"]


def test_what_happens_to_a_feed_is_seen_in_its_state_and_its_gaps():
    seen = glimpse()
    states = []
    for action in (FeedAction.CONNECTED, FeedAction.MUTE, FeedAction.HEARD, FeedAction.LOST, FeedAction.GAP_OPENED):
        seen.add([block(Kind.FEED, {"action": int(action), "text": "why"})], [])
        seen.look()
        states.append(seen.feeds[0].state)
    assert states == ["connected", "mute", "connected", "lost", "lost"]
    assert seen.feeds[0].gaps == 1
    assert [text for _, text in seen.lines][-1] == "massive: gap opened, why"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"scanner_id": 1, "action": 0, "rank": 2}, "scanner gappers picks ABCD, rank 2"),
        ({"scanner_id": 1, "action": 1, "reason": 102}, "scanner gappers drops ABCD: failed float <= 20,000,000"),
        ({"scanner_id": 1, "action": 1, "reason": 103}, "scanner gappers drops ABCD: filter 3"),
        ({"scanner_id": 1, "action": 1, "reason": 4}, "scanner gappers drops ABCD: outranked"),
        ({"scanner_id": 2, "action": 1, "reason": 101}, "scanner 2 drops ABCD: filter 1"),
        ({"scanner_id": 0, "action": 1, "reason": 3}, "the operator drops ABCD: unlisted"),
    ],
)
def test_a_list_is_told_in_the_words_of_its_definition(row, told):
    filters = [Filter("gap_pct", ">=", 10.0, 10.0), Filter("float", "<=", 2e7, 2e7)]
    words = [f"{each.field} {each.operator} {shown(each)}" for each in filters]
    seen = Glimpse(["massive"], [{}], ["mine"], scanners=[{"name": "gappers", "filters": words}])
    seen.add([block(Kind.INSTRUMENT, {"symbol": "ABCD", "size_step_nano": NANO})], [block(Kind.UNIVERSE, row)])
    seen.look()
    assert [text for _, text in seen.lines] == [told]


def test_polls_that_fail_are_told_and_the_feed_stays_what_it_is():
    seen = glimpse()
    for action, channel in ((FeedAction.CONNECTED, ""), (FeedAction.MUTE, "snapshots")):
        seen.add([block(Kind.FEED, {"action": int(action), "channel": channel, "text": "why"})], [])
        seen.look()
    assert seen.feeds[0].state == "connected"
    assert [text for _, text in seen.lines][-1] == "massive: mute snapshots, why"


def test_wishes_refusals_and_fills_are_told_in_words_and_units():
    seen = glimpse()
    seen.add(
        [],
        [
            block(
                Kind.INTENT,
                {"strategy_id": 1, "action": int(IntentAction.ENTER)},
                {"strategy_id": 1, "action": int(IntentAction.NONE)},
            ),
            block(
                Kind.ORDER,
                {"strategy_id": 1, "order_id": 7, "state": int(OrderState.REFUSED), "reason": int(OrderReason.NO_SLOT)},
                {"strategy_id": 1, "state": int(OrderState.FILLED)},
            ),
            block(
                Kind.FILL,
                {"strategy_id": 1, "side": int(Side.BUY), "quantity_steps": 12_345, "price_nano": 90_841_400_000_000},
            ),
        ],
    )
    seen.look()
    assert [text for _, text in seen.lines] == [
        "mine ABCD wishes to enter",
        "mine ABCD order 7 refused: no slot",
        "mine ABCD buy 123.45 at 90,841.4",
    ]


def test_what_a_broker_says_is_told_though_it_is_an_input():
    seen = glimpse()
    rows = [
        {"order_id": n, "strategy_id": 1, "state": int(state), "text": "its words"}
        for n, state in enumerate(OrderState)
    ]
    seen.add([block(Kind.ORDER, *rows)], [])
    seen.add([block(Kind.FILL, {"strategy_id": 1, "side": 1, "quantity_steps": 250, "price_nano": 3 * NANO})], [])
    seen.add(
        [
            block(
                Kind.ACCOUNT,
                {"action": int(AccountAction.CASH)},
                {"action": int(AccountAction.DIFFERENCE), "text": "10 A too many"},
            )
        ],
        [],
    )
    seen.add(
        [
            block(
                Kind.FEED, {"action": int(FeedAction.LOST), "channel": "orders", "source": 0, "text": "alpaca: silent"}
            )
        ],
        [],
    )
    seen.look()
    told = [text for _, text in seen.lines]
    assert sorted(text.split()[4].rstrip(":") for text in told if " order " in text) == [
        "expired",
        "refused",
        "rejected",
        "unknown",
    ]
    assert told[-3:] == ["mine ABCD buy 2.5 at 3", "the broker differs: 10 A too many", "orders: lost, alpaca: silent"]


def test_what_a_strategy_says_is_told_in_its_own_words():
    templates = {1: "spread {a:.1f} bps, cash {c:,.0f}", 2: "odd {d}"}
    seen = Glimpse(["massive"], [{}], ["mine"], [templates])
    seen.add([block(Kind.INSTRUMENT, {"symbol": "ABCD", "size_step_nano": NANO})], [])
    said = [
        {"strategy_id": 1, "code": 1, "a": 12.25, "c": 100_000.0},
        {"strategy_id": 1, "code": 2, "level": int(MessageLevel.WARNING)},
        {"strategy_id": 1, "code": 3, "a": 1.5, "b": -2.0},
    ]
    seen.add([], [block(Kind.MESSAGE, *said)])
    seen.look()
    assert [text for _, text in seen.lines] == [
        "mine ABCD: spread 12.2 bps, cash 100,000",
        "mine ABCD WARNING: odd {d}",
        "mine ABCD: message 3 1.5 -2",
    ]


def test_the_risk_gates_refusals_are_told_with_rule_value_and_limit():
    seen = glimpse()
    refused, approved = int(RiskVerdict.REFUSED), int(RiskVerdict.APPROVED)
    rows = [
        {"strategy_id": 1, "verdict": approved},
        {
            "strategy_id": 1,
            "verdict": refused,
            "rule": int(RiskRule.ORDER_NOTIONAL),
            "value": 12_000.0,
            "limit": 10_000.0,
        },
    ]
    seen.add([], [block(Kind.RISK, *rows)])
    seen.look()
    assert [text for _, text in seen.lines] == ["mine ABCD refused, order notional: 12,000, at most 10,000"]


def test_what_happened_in_one_commit_is_told_in_the_order_in_which_it_happened():
    seen = glimpse()
    at = {"strategy_id": 1, "seq": 9}
    refused = {"verdict": int(RiskVerdict.REFUSED), "rule": int(RiskRule.DAILY_LOSS)}
    seen.add(
        [],
        [
            block(Kind.TRANSITION, {**at, "ord": 4, "to_phase": 2}),
            block(Kind.INTENT, {**at, "ord": 2, "action": int(IntentAction.ENTER)}),
            block(Kind.RISK, {**at, "ord": 3, **refused}),
            block(Kind.MESSAGE, {**at, "ord": 1, "code": 5}),
        ],
    )
    seen.look()
    assert [text for _, text in seen.lines] == [
        "mine ABCD: message 5",
        "mine ABCD wishes to enter",
        "mine ABCD refused, daily loss",
        "mine ABCD is long",
    ]


def test_a_strategy_that_talks_without_end_is_cut_short_and_what_else_happened_is_not():
    seen, refused = glimpse(), int(RiskVerdict.REFUSED)
    seen.add([], [block(Kind.MESSAGE, *[{"strategy_id": 1, "code": 1}] * 900)])
    seen.add([], [block(Kind.RISK, *[{"strategy_id": 1, "verdict": refused, "rule": 2}] * 30)])
    seen.add([], [block(Kind.TRANSITION, {"strategy_id": 1, "to_phase": 2})])
    seen.look()
    told = [text for _, text in seen.untold]
    assert told[:TALK_MAX] == ["mine ABCD: message 1"] * TALK_MAX
    assert told[TALK_MAX:] == [
        "mine ABCD is long",
        f"... {900 - TALK_MAX:,} more messages of strategies",
        "... 30 more refusals of the risk gate",
    ]


def test_no_decision_is_forgotten_by_who_looks_seldom_and_lines_are_bounded():
    seen = glimpse()
    for _ in range(1_000):
        seen.add([block(Kind.QUOTE, {"bid_nano": NANO})], [block(Kind.TRANSITION, {"strategy_id": 1, "to_phase": 2})])
    seen.look()
    assert seen.happened == 1_000
    assert len(seen.lines) == LINES_MAX


def test_the_picture_shows_all_of_it(tmp_path):
    seen = glimpse()
    seen.add([block(Kind.QUOTE, {"bid_nano": 5 * NANO, "ask_nano": 6 * NANO})], [])
    seen.add([block(Kind.FEED, {"action": int(FeedAction.CONNECTED), "text": "here"})], [])
    seen.look()
    console = Console(record=True, width=100, file=io.StringIO())
    console.print(picture(seen, "s-1", tmp_path))
    text = console.export_text()
    for word in ("s-1", "2026-11-04T08:00:00", "massive", "connected", "ABCD", "GiB free", "massive: connected, here"):
        assert word in text


def happenings(seen, count):
    rows = [{"action": int(FeedAction.LOST), "text": str(n)} for n in range(count)]
    seen.add([block(Kind.FEED, *rows)], [])


def test_every_happening_is_a_line_however_many_come_at_once():
    seen, said = glimpse(), []
    happenings(seen, 3 * LINES_MAX)
    told = tell(seen, 0, said.append)
    assert [line.rpartition(" ")[2] for line in said] == [str(n) for n in range(3 * LINES_MAX)]
    assert tell(seen, told, said.append) == 0
    happenings(seen, UNTOLD_MAX + 5)
    said.clear()
    assert tell(seen, told, said.append) == UNTOLD_MAX + 5
    assert (said[0], len(said)) == ("... 5 more", UNTOLD_MAX + 1)


def test_lines_that_nobody_reads_end_nothing():
    def gone(_line):
        raise BrokenPipeError

    seen = glimpse()
    happenings(seen, 2)
    assert tell(seen, 0, gone) == 2


def test_strangers_words_are_shown_and_not_obeyed():
    seen = glimpse()
    seen.add([block(Kind.INSTRUMENT, {"symbol": "[/red]", "size_step_nano": NANO, "instrument_id": 2})], [])
    seen.add([block(Kind.INSTRUMENT, {"symbol": "A\x1b[2J", "size_step_nano": NANO, "instrument_id": 3})], [])
    seen.add([block(Kind.FEED, {"action": int(FeedAction.LOST), "text": "\x1b]0;mine\x07 [bold]"})], [])
    seen.look()
    console = Console(file=io.StringIO(), width=120)
    console.print(picture(seen, "a session", "/"))
    drawn = console.file.getvalue()
    assert "\x1b" not in drawn
    assert "[/red]" in drawn
    assert "]0;mine" in seen.lines[-1][1]
    assert "\x1b" not in seen.lines[-1][1]


def test_a_strategy_that_stopped_is_told():
    seen = glimpse()
    seen.add([], [block(Kind.SESSION, {"action": int(SessionAction.STOPPED), "key": "mine", "text": "KeyError: 7"})])
    seen.look()
    assert [text for _, text in seen.lines] == ["strategy mine stopped: KeyError: 7"]


def test_a_clock_that_was_set_is_told():
    seen = glimpse()
    seen.add([block(Kind.SESSION, {"action": int(SessionAction.CLOCK_STEPPED), "key": "back", "text": "3.5"})], [])
    seen.look()
    assert [text for _, text in seen.lines] == ["this machine's clock was set back by 3.5 s"]
