"""One order, told by reports and executions in any order: the rows are lawful and add up to what the broker has."""

import itertools
import random

import pytest
from broker_world import Fold

from pipeline.codes import Kind, OrderFlag, OrderReason, OrderState, OrderType, Side, TimeInForce
from pipeline.execution.paper import Paper
from pipeline.execution.reports import Execution, Report, Status
from pipeline.execution.tracked import Tracked
from pipeline.intents import OrderRequest
from pipeline.units import ABSENT, NANO

S = OrderState
PRICE = 2_500_000_000


def request(steps=10, side=Side.BUY):
    return OrderRequest(1, 1, side, OrderType.LIMIT, TimeInForce.DAY, OrderFlag.NONE, steps, 3 * NANO, ABSENT, ABSENT)


def tracked(steps=10, **words):
    return Tracked(request(steps), "c1", NANO, **words), Paper("paper")


def report(filled=0, status=Status.WORKING, *, price=PRICE, fees=ABSENT, quantity=10):
    return Report("c1", "v1", "ABCD", status, quantity * NANO, filled * NANO, price * filled * NANO, fees, 5, "words")


def execution(number, start, stop, price=PRICE, fee=0):
    size = (stop - start) * NANO
    return Execution("c1", "v1", f"x{number}", Side.BUY, price, size, stop * NANO, fee)


def told(paper):
    """States with what was filled, and fills with their price, as they were written."""
    found = []
    for kind, row in paper.take_rows():
        if kind is Kind.ORDER:
            found.append((S(row["state"]).name, row["filled_steps"]))
        elif kind is Kind.FILL:
            found.append((row["quantity_steps"], row["price_nano"], row["venue_fill_id"]))
        else:
            found.append(row["text"])
    return found


def test_a_fill_before_the_answer():
    order, paper = tracked()
    order.execution(execution(1, 0, 4), paper)
    order.report(report(4), paper)
    order.report(report(0), paper)  # the answer to the request, older than the fill
    assert told(paper) == [("ACCEPTED", 0), (4, PRICE, "x1"), ("PARTIALLY_FILLED", 4)]


def test_the_same_fill_by_the_stream_and_in_a_list():
    order, paper = tracked()
    for id_ in (1, 1, 2):
        order.execution(execution(id_, 0, 10), paper)
        order.report(report(10, Status.FILLED), paper)
    assert told(paper) == [("ACCEPTED", 0), (10, PRICE, "x1"), ("FILLED", 10)]


def test_a_fill_that_comes_again_with_another_sum_counts_once():
    order, paper = tracked()
    for stop in (4, 8):
        order.execution(execution(1, stop - 4, stop), paper)
    order.report(report(4), paper)
    assert told(paper) == [("ACCEPTED", 0), (4, PRICE, "x1"), ("PARTIALLY_FILLED", 4)]


def test_a_fill_that_no_message_told_is_made_of_the_sums():
    order, paper = tracked()
    order.execution(execution(2, 4, 10, price=3 * NANO), paper)
    order.report(report(10, Status.FILLED, price=2_600_000_000, fees=70), paper)
    assert told(paper) == [
        ("ACCEPTED", 0), (6, 3 * NANO, "x2"), (4, 2 * NANO, "v1:0-4"), ("FILLED", 10),
    ]  # fmt: skip
    assert order.fees_nano == 70


def test_sums_alone_make_fills_with_ids_of_their_own():
    order, paper = tracked()
    order.report(report(3, fees=30), paper)
    order.report(report(2, fees=20), paper)
    order.report(report(7, price=3_214_285_714, fees=90), paper)
    (_, first, _, second, _) = paper.take_rows()
    assert (first[1]["quantity_steps"], first[1]["price_nano"], first[1]["fee_nano"]) == (3, PRICE, 30)
    assert first[1]["venue_fill_id"] == "v1:0-3"
    assert (second[1]["quantity_steps"], second[1]["fee_nano"], second[1]["venue_fill_id"]) == (4, 60, "v1:3-7")
    assert second[1]["price_nano"] == 3_750_000_000  # rounded by the broker to less than a nano a share


def test_an_overfill_is_loud():
    order, paper = tracked()
    order.report(report(12, Status.FILLED), paper)
    assert told(paper) == [
        ("ACCEPTED", 0), (12, PRICE, "v1:0-12"), "order 1 is overfilled by 2 steps", ("FILLED", 12),
    ]  # fmt: skip


def test_a_fill_behind_the_end_is_told_and_loud():
    order, paper = tracked()
    order.report(report(3, Status.CANCELLED), paper)
    order.report(report(5, Status.CANCELLED), paper)
    order.report(report(5, Status.CANCELLED), paper)
    assert told(paper)[2:] == [
        ("CANCELLED", 3), (2, PRICE, "v1:3-5"), "order 1 was CANCELLED and filled 2 steps more",
    ]  # fmt: skip


def test_an_end_that_knows_of_less_than_was_told_is_loud():
    order, paper = tracked()
    order.execution(execution(1, 0, 4), paper)
    order.report(report(3, Status.CANCELLED), paper)
    assert told(paper)[2:] == ["order 1 ended with 3 steps filled, and 4 were told", ("CANCELLED", 4)]


def test_what_is_finer_than_a_step_is_loud():
    order, paper = tracked()
    order.report(report(1)._replace(filled_nano=NANO + 5, value=PRICE * NANO), paper)
    assert "no whole steps" in told(paper)[0]
    assert order.filled_steps == 1


def test_unknown_is_a_state_that_any_word_ends():
    order, paper = tracked()
    order.unknown("no answer", paper)
    order.unknown("no answer", paper)
    order.report(report(4), paper)
    assert told(paper) == [("UNKNOWN", 0), ("ACCEPTED", 0), (4, PRICE, "v1:0-4"), ("PARTIALLY_FILLED", 4)]


def test_what_was_seen_is_not_believed_to_be_refused():
    order, paper = tracked()
    order.report(report(), paper)
    order.refuse("HTTP status 422", paper)
    assert told(paper) == [("ACCEPTED", 0), "order 1 is refused, but was there: HTTP status 422"]
    order, paper = tracked()
    order.refuse("too poor", paper)
    ((_, row),) = paper.take_rows()
    assert (row["state"], row["reason"], row["text"]) == (S.REJECTED, OrderReason.VENUE, "too poor")


def test_a_cancel_that_is_refused_leaves_it_as_it_was():
    order, paper = tracked()
    order.report(report(2), paper)
    order.want_cancel()
    order.report(report(3), paper)
    order.cancel_refused("no", paper)
    states = [each for each in told(paper) if isinstance(each[0], str)]
    assert states == [("ACCEPTED", 0), ("PARTIALLY_FILLED", 2), ("CANCEL_PENDING", 3), ("PARTIALLY_FILLED", 3)]


def test_a_broker_that_rejects_what_it_took():
    order, paper = tracked()
    order.report(report(), paper)
    order.report(report(0, Status.REJECTED), paper)
    (_, (_, row)) = paper.take_rows()
    assert (row["state"], row["text"]) == (S.CANCELLED, "rejected: words")


def test_why_it_ended():
    for status, is_ours, reason in (
        (Status.CANCELLED, True, OrderReason.INTENT),
        (Status.CANCELLED, False, OrderReason.VENUE),
        (Status.EXPIRED, False, OrderReason.TIME_IN_FORCE),
    ):
        order, paper = tracked()
        order.report(report(), paper)
        if is_ours:
            order.want_cancel()
        order.report(report(0, status), paper)
        assert paper.take_rows()[-1][1]["reason"] == reason


def test_after_a_restart_fills_go_on_where_the_log_ends():
    order, paper = tracked(
        value=4 * PRICE * NANO, fees_nano=0, state=S.UNKNOWN, filled_steps=4, told_steps=4, known_steps=4
    )
    order.filled.add(0, 4)
    order.report(report(10, Status.FILLED, price=2_600_000_000), paper)
    assert told(paper) == [("ACCEPTED", 4), (6, 2_666_666_667, "v1:4-10"), ("FILLED", 10)]
    order, paper = tracked(value=None, fees_nano=None, state=S.UNKNOWN, filled_steps=4, told_steps=4, known_steps=4)
    order.filled.add(0, 4)
    order.report(report(10, Status.FILLED, price=2_600_000_000, fees=100), paper)
    ((_, fill),) = [row for row in paper.take_rows() if row[0] is Kind.FILL]
    assert (fill["price_nano"], fill["fee_nano"]) == (2_600_000_000, 60)


@pytest.mark.parametrize("seed", range(300))
def test_messages_in_any_order_and_number(seed):
    """What a broker has becomes what the log says, however its messages are shuffled, lost and repeated, once the last is heard."""
    draw = random.Random(seed)
    fold, (order, paper) = Fold(), tracked(20)
    fold.intended(order.request, 0)
    cuts = sorted({0, *(draw.randrange(1, 21) for _ in range(draw.randrange(6)))})
    prices = [draw.randrange(1, 9) * NANO for _ in cuts]
    messages, value = [report(0)], 0
    for number, (start, stop) in enumerate(itertools.pairwise(cuts)):
        value += prices[number] * (stop - start) * NANO
        status = Status.FILLED if stop == 20 else Status.WORKING
        messages += [execution(number, start, stop, prices[number]), report(stop, status)._replace(value=value)]
    if cuts[-1] < 20:
        messages.append(report(cuts[-1], draw.choice([Status.CANCELLED, Status.EXPIRED]))._replace(value=value))
    last = messages[-1]
    heard = draw.choices(messages, k=draw.randrange(30))
    for message in [*heard, last]:
        if draw.random() < 0.1:
            order.unknown("no answer", paper)
        (order.report if isinstance(message, Report) else order.execution)(message, paper)
        for kind, row in paper.take_rows():
            fold.row(kind, row)
    assert fold.filled[1] == cuts[-1]
    assert fold.state[1] is {Status.FILLED: S.FILLED, Status.CANCELLED: S.CANCELLED}.get(last.status, S.EXPIRED) or (
        last.status is Status.WORKING
    )
    assert abs(fold.value[1] * NANO - value) <= 20 * NANO
