"""Parity: a difference has the cause that was put there, and none where nothing tells which of several it was."""

import msgspec
import numpy as np
import pytest
from made_rows import TELLER, made

from pipeline.block import Block
from pipeline.codes import IntentAction, Kind, Mark, OrderFlag, OrderState, Origin, RiskRule, RiskVerdict
from pipeline.codes import Side as Direction
from pipeline.reports.explain_matches import Executed, Wish, matched
from pipeline.reports.explain_parity import Gap, Side, differences
from pipeline.reports.explain_revisions import revisions
from pipeline.reports.explain_streams import apart, stream_of
from pipeline.reports.explain_wishes import wishes_of
from pipeline.units import NANO


def wish(seq, *, action="enter", symbol="ABCD", at=None, cause=None, since=None, fills=None, **terms):
    at = seq if at is None else at
    return Wish(
        strategy="probe", symbol=symbol, action=action, side="buy", place=(seq, 1), ts_ns=seq, at_ns=at,
        cause=cause or (seq, 0), cause_from_ns=at if since is None else since, cause_says="a tick",
        terms={"quantity_steps": 100} | terms, judgement={"outcome": "taken"}, executed=fills or {},
    )  # fmt: skip


def side(name, *wishes, **more):
    told = {
        "id": name, "session": "day", "wishes": list(wishes), "gaps": [], "code": {"core.py": "1", "probe.py": "1"},
        "files": {"probe": "probe.py"}, "params": {"probe": {"n": 1}}, "settings": {"latency_ns": 5},
        "at_broker": False, "to_seq": 1_000,
    }  # fmt: skip
    return Side(**(told | more))


def stream(ticks, recv=0):
    """Prints at (seq, event time, price)."""
    seq, times, prices = np.array(ticks, np.int64).reshape(-1, 3).T
    return stream_of(
        [Block.of(Kind.PRINT, len(seq), seq=seq, instrument_id=1, ts_event_ns=times, ts_recv_ns=times + recv, price_nano=prices)], 1
    )  # fmt: skip


def causes(a, b, ticks_a=(), ticks_b=(), recv=0):
    found = differences(a, b, lambda _: apart(stream(ticks_a), stream(ticks_b, recv)))
    return [(each.change, each.cause) for each in found]


def filled(average, *, at_broker=False):
    return {"": Executed(quantity_steps=100, average=average, first_ns=20, at_broker=at_broker)}


def test_no_difference_needs_no_cause():
    assert causes(side("a", wish(10)), side("b", wish(10))) == []


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"params": {"probe": {"n": 2}}}, "settings"),
        ({"settings": {"latency_ns": 6}}, "settings"),
        ({"params": {}}, "settings"),
        ({"to_seq": 9}, "settings"),
        ({"code": {"core.py": "2", "probe.py": "1"}}, "code"),
        ({"code": {"core.py": "1", "probe.py": "2"}}, "code"),
        ({"code": {"core.py": "2", "probe.py": "1"}, "params": {"probe": {"n": 2}}}, "unexplained"),
        ({}, "unexplained"),
        # what only another strategy needs, or is, changes nothing of this one
        ({"code": {"core.py": "1", "probe.py": "1", "its_own.py": "3"}}, "unexplained"),
    ],
)
def test_over_the_same_inputs_what_alone_differs_is_the_cause(more, cause):
    assert causes(side("a", wish(10)), side("b", **more)) == [("removed", cause)]
    assert causes(side("a", **more), side("b", wish(10), to_seq=1_000)) == [("added", cause)]


def test_another_strategys_source_is_no_cause():
    files = {"probe": "probe.py", "other": "other.py"}
    code = {"core.py": "1", "probe.py": "1", "other.py": "1"}
    a = side("a", wish(10), files=files, code=code)
    assert causes(a, side("b", files=files, code=code | {"other.py": "2"})) == [("removed", "unexplained")]


def test_a_broker_fills_otherwise_and_what_closes_follows():
    a = side("a", wish(10, fills=filled(9.5)), wish(30, action="exit"), at_broker=True)
    b = side("b", wish(10, fills=filled(9.6)), wish(33, action="exit"))
    found = differences(a, b, lambda _: pytest.fail("the inputs are the same"))
    assert [(each.change, each.cause) for each in found] == [("filled", "fill"), ("moved", "fill")]
    assert found[0].says == "order filled 100 steps at 9.5 -> 100 steps at 9.6"
    assert found[1].evidence.startswith("follows what was filled")


def test_an_entry_behind_other_fills_is_theirs_unless_code_differs_too():
    a = side("a", wish(10, fills=filled(9.5)), wish(40), at_broker=True)
    b = side("b", wish(10, fills=filled(9.6)))
    assert causes(a, b) == [("filled", "fill"), ("removed", "fill")]
    b = msgspec.structs.replace(b, code={"core.py": "2", "probe.py": "1"})
    assert causes(a, b) == [("filled", "fill"), ("removed", "unexplained")]


def test_what_a_side_began_with_counts_while_nothing_was_filled_otherwise():
    b = side("b", wish(10, fills=filled(9.6)), settings={"latency_ns": 5, "begins_anew": True})
    a = side("a", wish(10, fills=filled(9.5)), wish(40), settings={"latency_ns": 5}, at_broker=True)
    assert causes(a, b) == [("filled", "fill"), ("removed", "fill")]
    nothing = msgspec.structs.replace(b, wishes=[])
    assert causes(msgspec.structs.replace(a, wishes=[wish(40)]), nothing) == [("removed", "settings")]


def test_a_broker_says_more_of_orders_than_fills():
    judged = msgspec.structs.replace(wish(10), judgement={"outcome": "taken", "rule": "unknown order"})
    assert causes(side("a", judged, at_broker=True), side("b", wish(10))) == [("judged", "fill")]


def test_simulated_fills_differ_by_what_differs():
    a, b = side("a", wish(10, fills=filled(9.5))), side("b", wish(10, fills=filled(9.6)), settings={"latency_ns": 6})
    assert causes(a, b) == [("filled", "settings")]
    assert causes(side("a", wish(10, fills=filled(9.5))), side("b", wish(10))) == [("filled", "unexplained")]


ALL = [(2, 2, 5), (6, 6, 5), (10, 10, 7), (12, 12, 5)]


def final(*wishes, **more):
    return side("b", *wishes, session="final", **more)


@pytest.mark.parametrize(
    ("ticks_b", "gaps", "cause"),
    [
        ([tick for tick in ALL if tick[0] != 10], [], "data"),  # what caused it is not there
        ([(10, 10, 8) if tick[0] == 10 else tick for tick in ALL], [], "data"),  # or says something else
        ([tick for tick in ALL if tick[0] != 6], [], "data"),  # what stood before it is not there
        ([tick for tick in ALL if tick[0] < 5], [Gap(5, 20, "", "a gap")], "gap"),
        ([tick for tick in ALL if tick[0] != 6], [Gap(5, 8, "ABCD", "a gap")], "gap"),
        ([tick for tick in ALL if tick[0] != 6], [Gap(5, 8, "EFGH", "a gap of another")], "data"),
        ([tick for tick in ALL if tick[0] not in (2, 6)], [Gap(5, 8, "", "a gap")], "unexplained"),  # one of the two
        ([ALL[1], ALL[0], *ALL[2:]], [], "timing"),
        ([tick for tick in ALL if tick[0] != 12], [], "unexplained"),  # what came later was not known
        (ALL, [], "unexplained"),
    ],
)
def test_over_other_inputs_it_is_what_differs_of_what_was_known(ticks_b, gaps, cause):
    renumbered = [(number, *tick[1:]) for number, tick in enumerate(ticks_b, 1)]
    assert causes(side("a", wish(10)), final(gaps=gaps), ALL, renumbered) == [("removed", cause)]
    swapped = causes(side("a", gaps=gaps), final(wish(10)), renumbered, ALL)
    assert swapped == [("added", cause)]


def test_the_same_ticks_received_at_other_times_are_timing():
    assert causes(side("a", wish(10)), final(wish(10, at=12)), ALL, ALL, recv=3) == [("moved", "timing")]
    changed = final(wish(10, at=12), params={"probe": {"n": 2}})
    assert causes(side("a", wish(10)), changed, ALL, ALL, recv=3) == [("moved", "settings")]


def test_of_a_bar_what_made_it_counts_before_what_came_earlier():
    ticks_b = [(1, 2, 9), (2, 6, 5), (3, 12, 5), (4, 10, 7)]
    a = side("a", wish(14, at=13, cause=(14, 1), since=9))
    assert causes(a, final(), ALL, ticks_b) == [("removed", "timing")]
    assert causes(side("a", wish(14, at=13, cause=(14, 1), since=1)), final(), ALL, ticks_b) == [
        ("removed", "unexplained")
    ]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([10], [10], [""]),
        ([10], [14], ["moved"]),
        ([10, 30, 50], [30, 40, 50], ["removed", "", "added", ""]),
        ([10, 10], [10], ["", "removed"]),
        ([], [10], ["added"]),
    ],
)
def test_a_shared_place_is_never_moved_across(a, b, expected):
    found = matched([wish(at) for at in a], [wish(at) for at in b], by_seq=True)
    assert [match.change for match in found] == expected


def test_terms_and_verdicts_that_differ():
    (resized,) = matched([wish(10)], [wish(10, quantity_steps=50)], by_seq=True)
    judged = msgspec.structs.replace(wish(10), judgement={"outcome": "lost"})
    (other,) = matched([wish(10)], [judged], by_seq=True)
    assert (resized.change, other.change) == ("resized", "judged")


def test_wishes_with_their_orders_legs_and_causes():
    bar = {"bar_unit": 0, "ts_event_ns": 10, "ts_close_ns": 20}
    order = {"state": OrderState.APPROVED, "quantity_steps": 100}
    fill = {"quantity_steps": 50, "price_nano": 3 * NANO}
    rows = [
        made(Kind.INTENT, 3, 2, (3, 1), side=Direction.BUY, quantity_steps=100),
        made(Kind.INTENT, 3, 3, (3, 1), action=IntentAction.NONE),
        made(Kind.RISK, 3, 4, (3, 2), verdict=RiskVerdict.APPROVED, rule=RiskRule.PASSED),
        made(Kind.ORDER, 3, 5, (3, 4), order_id=1, **order),
        made(Kind.FILL, 4, 0, (3, 5), order_id=1, **fill),
        made(Kind.FILL, 5, 0, (3, 5), order_id=1, **(fill | {"price_nano": 5 * NANO})),
        made(Kind.RISK, 5, 1, (5, 0), verdict=RiskVerdict.APPROVED),
        made(Kind.ORDER, 5, 2, (5, 1), order_id=2, parent_order_id=1, flags=OrderFlag.BRACKET_STOP, **order),
        made(Kind.FILL, 6, 2, (5, 2), order_id=2, origin=int(Origin.DERIVED), **fill),
    ]
    (found,) = wishes_of(rows, {(3, 1): made(Kind.BAR, 3, 1, (3, 0), **bar)}, TELLER)
    assert (found.place, found.cause, found.cause_from_ns, found.at_ns) == ((3, 2), (3, 1), 10, 19)
    assert found.judgement == {"outcome": "taken", "verdict": "approved", "rule": "passed"}
    assert found.executed == {
        "": Executed(quantity_steps=100, average=4.0, first_ns=4 * NANO, at_broker=True),
        "stop": Executed(quantity_steps=50, average=3.0, first_ns=6 * NANO, at_broker=False),
    }


def seen_bar(seq, start, close, revision=0):
    return made(Kind.BAR, seq, 1, (seq, 0), ts_event_ns=start, bar_length=10, close_nano=close, revision=revision)


def test_a_bar_revised_behind_a_wish_that_stood_on_it():
    bars = [seen_bar(10, 0, 5), seen_bar(20, 10, 6), seen_bar(25, 0, 7, 1), seen_bar(40, 20, 8), seen_bar(50, 10, 9, 1)]
    wishes = [wish(10, cause=(10, 1)), wish(12), wish(22), wish(30), wish(45), wish(60), wish(31, symbol="EFGH")]
    found = revisions(bars, [], wishes, TELLER)
    assert [(each.seen, each.revised, each.wishes) for each in found.acted_on] == [
        ((10, 1), (25, 1), [(12, 1)]),
        ((20, 1), (50, 1), [(22, 1), (30, 1)]),
    ]
    assert (found.bars, found.prints) == (2, 0)


def test_a_print_corrected_behind_a_wish_that_stood_on_it():
    prints = [
        made(Kind.PRINT, 5, ts_event_ns=5, trade_id=1, price_nano=9),
        made(Kind.PRINT, 6, ts_event_ns=6, trade_id=2, price_nano=9),
        made(Kind.PRINT, 20, trade_id=3, corrects_trade_id=1, marks=int(Mark.CANCEL)),
        made(Kind.PRINT, 21, trade_id=4, corrects_trade_id=99, marks=int(Mark.CANCEL)),
    ]
    wishes = [wish(5), wish(6), wish(15, since=0, cause=(15, 1)), wish(25, at=5)]
    found = revisions([], prints, wishes, TELLER)
    assert [(each.seen, each.revised, each.wishes) for each in found.acted_on] == [((5, 0), (20, 0), [(5, 1), (15, 1)])]
    assert found.prints == 1
