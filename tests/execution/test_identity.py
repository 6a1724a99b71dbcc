"""Identity: the id of an order at a broker is the same whenever it is asked for, and leads back to the order."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.execution.identity import Identity

NAMES = st.text(max_size=60)
IDS = st.integers(1, 2**63 - 1)


@given(NAMES, NAMES, IDS)
def test_it_leads_back(account, session, order_id):
    identity = Identity(account, session)
    told = identity.client_order_id(order_id)
    assert Identity(account, session).client_order_id(order_id) == told
    assert identity.order_id(told) == order_id
    assert identity.is_of_session(told)
    assert len(told) <= 48
    assert told.isascii()


@given(NAMES, NAMES, NAMES, IDS)
def test_an_account_knows_its_orders_of_other_sessions(account, session, other, order_id):
    told = Identity(account, other).client_order_id(order_id)
    identity = Identity(account, session)
    assert identity.order_id(told) == order_id
    assert identity.is_of_session(told) == (session == other)


def test_what_is_not_ours_is_nobody():
    identity = Identity("paper", "session")
    for told in ("", "tape-1", Identity("real", "session").client_order_id(1), "x" + identity.client_order_id(1)):
        assert identity.order_id(told) is None
        assert not identity.is_of_session(told)


def test_it_is_pinned():
    """It stands in brokers' books: another way to make it would ask for orders under names they don't have."""
    assert Identity("paper", "2026-11-04-premarket").client_order_id(7) == PINNED


PINNED = "tape-a96e9373-1d347a8e1d-7"
