import itertools

import pytest

from pipeline.codes import OrderState
from pipeline.core.orders import ALLOWED, FOLLOWS, is_final, move
from pipeline.core.world import ORDER

S = OrderState
FINAL = {S.REFUSED, S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED, S.REPLACED}


@pytest.mark.parametrize(
    ("before", "after"), list(itertools.product(OrderState, OrderState)), ids=lambda state: state.name
)
def test_every_state_meets_every_state(before, after):
    order = ORDER.new()
    order.state = before
    if after in FOLLOWS[before]:
        move(order, after)
        assert order.state == after
    else:
        with pytest.raises(AssertionError, match=f"{before.name} -> {after.name}"):
            move(order, after)
        assert order.state == before


def test_the_bits_are_the_table():
    assert {(a, b) for a in S for b in S if ALLOWED[a] >> b & 1} == {(a, b) for a in S for b in FOLLOWS[a]}


def test_nothing_follows_a_final_state_and_all_others_lead_to_one():
    for state in S:
        order = ORDER.new()
        order.state = state
        assert is_final(order) == (state in FINAL)
    reached = {state: {state} for state in S}
    for _ in S:
        for state in S:
            for after in FOLLOWS[state]:
                reached[state] |= reached[after]
    assert all(reached[state] & FINAL for state in S)


def test_an_order_is_approved_before_it_is_sent():
    assert FOLLOWS[S.INTENDED] == {S.REFUSED, S.APPROVED}
    assert [state for state in S if S.SUBMITTED in FOLLOWS[state]] == [S.APPROVED, S.SUBMITTED]
