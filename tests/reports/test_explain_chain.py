"""Chains: every step is the cause that the one before it names, and beside it stands what was known then."""

import pytest
from made_rows import TELLER, MadeRows, made

from pipeline.codes import BarBasis, BarUnit, IntentAction, Kind, Mark, OrderState, Origin, RiskVerdict, Side
from pipeline.reports.explain_chain import chain, chains_of_order
from pipeline.units import NANO

S = OrderState


def price(number):
    return round(number * NANO)


def entry():
    """A quote, a wish, an order; the venue fills it at the next quote."""
    return [
        made(Kind.PRINT, 1, price_nano=price(9.0), size_steps=5),
        made(Kind.INDICATOR, 2, 1, (2, 0), output_id=1, value=8.0),
        made(Kind.INDICATOR, 2, 2, (2, 0), output_id=2, value=7.0),
        made(Kind.TIMER, 2, instrument_id=0),
        made(Kind.QUOTE, 3, bid_nano=price(9.5), ask_nano=price(9.6)),
        made(Kind.INDICATOR, 3, 1, (3, 0), output_id=1, value=9.25),
        made(Kind.TRANSITION, 3, 2, (3, 0), from_phase=0, to_phase=1, reason=1),
        made(Kind.TRANSITION, 3, 3, (3, 0), strategy_id=2, to_phase=1),
        made(Kind.INTENT, 3, 4, (3, 0), side=Side.BUY, quantity_steps=100),
        made(Kind.RISK, 3, 5, (3, 4), verdict=RiskVerdict.APPROVED, quantity_steps=100),
        made(Kind.ORDER, 3, 6, (3, 5), order_id=1, state=S.APPROVED, quantity_steps=100),
        made(Kind.ORDER, 3, 7, (3, 6), order_id=1, state=S.SUBMITTED, quantity_steps=100),
        made(Kind.QUOTE, 4, bid_nano=price(9.5), ask_nano=price(9.7)),
        made(Kind.ORDER, 4, 1, (3, 7), order_id=1, state=S.ACCEPTED, quantity_steps=100),
        made(Kind.FILL, 4, 2, (4, 1), order_id=1, fill_id=1, side=Side.BUY, quantity_steps=100, price_nano=price(9.7)),
        made(Kind.ORDER, 4, 3, (4, 2), order_id=1, state=S.FILLED, quantity_steps=100, filled_steps=100),
    ]


def told(steps):
    return [(step.kind, step.place) for step in steps]


def beside(step):
    return [(each.role, each.place) for each in step.beside]


def test_a_fill_goes_back_to_the_quote_that_began_it():
    steps = chain(MadeRows(*entry()), (4, 2), TELLER)
    assert told(steps) == [
        ("fill", (4, 2)), ("order", (4, 1)), ("order", (3, 7)), ("order", (3, 6)), ("risk", (3, 5)), ("intent", (3, 4)),
        ("quote", (3, 0)),
    ]  # fmt: skip
    met, intent, quote = steps[1], steps[5], steps[6]
    assert beside(met) == [("met by", (4, 0))]
    assert beside(intent) == [("moved", (3, 2)), ("shown", (3, 1)), ("shown", (2, 2))], "of this strategy, the latest"
    assert beside(quote) == [("print before", (1, 0))]
    assert [step.is_input for step in steps] == [False] * 6 + [True]
    assert steps[0].says == "fill 1: buy 100 at 9.7, order 1, fee 0, unknown"
    assert intent.beside[0].says == "probe ABCD: watching -> long, broke"
    assert intent.beside[1].says == "high 9.25"
    assert steps[0].values["price_nano"] == 9_700_000_000
    assert steps[6].ts_ns == 3 * NANO


def test_an_order_that_is_due_at_another_instruments_tick_meets_the_quote_of_its_own():
    rows = [row for row in entry() if row.values["seq"] < 4]
    rows += [
        made(Kind.QUOTE, 4, instrument_id=2),
        made(Kind.ORDER, 4, 1, (3, 7), order_id=1, state=S.ACCEPTED),
        made(Kind.FILL, 4, 2, (4, 1), order_id=1, fill_id=1),
    ]
    steps = chain(MadeRows(*rows), (4, 2), TELLER)
    assert beside(steps[1]) == [("due by", (4, 0)), ("met by", (3, 0))]


def test_at_a_broker_fills_and_states_are_inputs_that_the_order_sent_caused():
    rows = [row for row in entry() if row.values["seq"] < 4]
    rows += [
        made(Kind.ORDER, 4, 0, (3, 7), order_id=1, state=S.ACCEPTED, text="ok"),
        made(Kind.FILL, 5, 0, (3, 7), order_id=1, fill_id=1, quantity_steps=100, price_nano=price(9.6)),
        made(Kind.INTENT, 5, 1, (5, 0), action=IntentAction.EXIT),
    ]
    steps = chain(MadeRows(*rows), (5, 1), TELLER)
    assert told(steps)[:4] == [("intent", (5, 1)), ("fill", (5, 0)), ("order", (3, 7)), ("order", (3, 6))]
    assert (steps[1].is_input, beside(steps[1])) == (True, [])
    assert told(chain(MadeRows(*rows), (4, 0), TELLER))[-1] == ("quote", (3, 0))


def test_a_cause_that_is_not_there_is_said_so():
    steps = chain(MadeRows(made(Kind.FILL, 4, 2, (3, 7), order_id=1)), (4, 2), TELLER)
    assert told(steps) == [("fill", (4, 2)), ("missing", (3, 7))]
    assert "no row stands at (3, 7)" in steps[1].says


def test_rows_that_cause_each_other_end():
    rows = MadeRows(made(Kind.ORDER, 4, 1, (4, 2)), made(Kind.ORDER, 4, 2, (4, 1)))
    assert told(chain(rows, (4, 1), TELLER)) == [("order", (4, 1)), ("order", (4, 2))]


def test_an_order_that_is_cancelled_has_two_causes():
    rows = [
        *(row for row in entry() if row.place < (4, 2)),
        made(Kind.QUOTE, 5),
        made(Kind.INTENT, 5, 1, (5, 0), action=IntentAction.CANCEL),
        made(Kind.ORDER, 5, 2, (5, 1), order_id=1, state=S.CANCEL_PENDING),
        made(Kind.ORDER, 6, 1, (5, 2), order_id=1, state=S.CANCELLED),
    ]
    states = [row for row in rows if row.kind is Kind.ORDER]
    cancelled, arisen = chains_of_order(MadeRows(*rows), states, TELLER)
    assert told(cancelled) == [("order", (6, 1)), ("order", (5, 2)), ("intent", (5, 1)), ("quote", (5, 0))]
    assert told(arisen)[0] == ("order", (4, 1))
    assert told(arisen)[-1] == ("quote", (3, 0))


def bar(seq, *, cause=None, unit=BarUnit.TIME, basis=BarBasis.PRINTS, start=10, end=20, **values):
    prices = {f"{name}_nano": price(values.pop(name)) for name in ("open", "high", "low", "close")}
    times = {"ts_event_ns": start * NANO, "ts_close_ns": end * NANO, "bar_unit": unit, "bar_length": 10 * NANO}
    return made(Kind.BAR, seq, 1, cause or (seq, 0), basis=basis, **times, **prices, **values)


def tick(seq, at, number, *, marks=0):
    return made(Kind.PRINT, seq, ts_event_ns=round(at * NANO), price_nano=price(number), marks=int(marks), size_steps=1)


@pytest.mark.parametrize("unit", [BarUnit.TIME, BarUnit.TICKS])
def test_a_bar_names_the_prints_that_made_it(unit):
    rows = [
        bar(9, unit=unit, start=0, end=9, open=1, high=1, low=1, close=1),
        tick(8, 9.5, 4),  # before the bar
        tick(11, 12, 5, marks=Mark.NO_LAST),  # earlier than the open, but it may not open
        tick(12, 13, 5),
        tick(13, 14, 9, marks=Mark.NO_HIGH_LOW),
        tick(14, 15, 9),
        tick(15, 16, 3),
        tick(16, 18, 7),
        tick(17, 17, 7, marks=Mark.DUPLICATE),
        bar(20, unit=unit, start=12, end=18 if unit else 20, open=5, high=9, low=3, close=7),
        tick(21, 19, 7),  # late: it was not known when the bar closed
    ]
    (step, cause) = chain(MadeRows(*rows, made(Kind.TIMER, 20, instrument_id=0)), (20, 1), TELLER)
    assert beside(step) == [("open", (12, 0)), ("high", (14, 0)), ("low", (15, 0)), ("close", (16, 0))]
    assert (step.ts_event_ns, cause.kind) == (12 * NANO, "timer")


def test_a_bar_of_quotes_names_quotes_by_their_middle():
    sides = {"bid_nano": price(4), "ask_nano": price(6), "ts_event_ns": 11 * NANO}
    crossed = made(Kind.QUOTE, 11, marks=int(Mark.CROSSED), **sides)
    rows = [crossed, made(Kind.QUOTE, 12, **sides), made(Kind.TIMER, 20, instrument_id=0)]
    steps = chain(MadeRows(*rows, bar(20, basis=BarBasis.QUOTES, open=5, high=5, low=5, close=5)), (20, 1), TELLER)
    assert beside(steps[0]) == [("open, high, low, close", (12, 0))]


def test_a_wish_of_a_bar_stands_on_the_bar_and_the_bars_of_other_lengths():
    rows = [
        bar(5, start=0, end=5, unit=BarUnit.TICKS, open=1, high=1, low=1, close=1),
        made(Kind.TIMER, 20, instrument_id=0),
        bar(20, open=5, high=5, low=5, close=5),
        made(Kind.INTENT, 20, 2, (20, 1), side=Side.BUY),
    ]
    steps = chain(MadeRows(*rows), (20, 2), TELLER)
    assert told(steps) == [("intent", (20, 2)), ("bar", (20, 1)), ("timer", (20, 0))]
    assert beside(steps[1]) == [("bar", (5, 1))]


def test_every_kind_of_row_has_words():
    for kind in Kind:
        row = made(
            kind, 3, 1, instrument_id=99, **({"strategy_id": 99} if "strategy_id" in made(kind, 1).values else {})
        )
        assert TELLER.says(row)


def test_a_message_whose_text_asks_for_what_there_is_not_is_told_by_its_numbers():
    assert TELLER.says(made(Kind.MESSAGE, 1, 1, code=1, a=1.5)) == 'probe ABCD says "range 1.50"'
    assert TELLER.says(made(Kind.MESSAGE, 1, 1, code=7, a=1.5)) == 'probe ABCD says "message 7 1.5"'


def test_origin_says_what_is_an_input():
    backfilled = made(Kind.PRINT, 1, origin=int(Origin.BACKFILL))
    assert chain(MadeRows(backfilled), (1, 0), TELLER)[0].is_input
