from hypothesis import given
from hypothesis import strategies as st

from pipeline.feeds.subscriptions import Subscriptions, Verdict
from pipeline.ports import Channel, Topic

A, B, C = (Topic(Channel.QUOTES, symbol) for symbol in "ABC")
ALL = frozenset({A, B, C})


def asked(*topics):
    state = Subscriptions()
    state.connected()
    state.want(0.0, frozenset(topics))
    return state


def test_what_is_answered_is_complete():
    state = asked(A, B)
    assert not state.is_complete
    state.answered({A})
    assert not state.is_complete
    state.answered({B})
    assert state.is_complete
    assert state.judge(60.0) == Verdict()


def test_nothing_wanted_is_complete():
    assert asked().is_complete


def test_a_missing_answer_is_asked_for_once_more_then_worth_a_connection():
    state = asked(A, B)
    state.answered({A})
    assert state.judge(4.9) == Verdict()
    assert state.judge(5.0) == Verdict(again=frozenset({B}))
    assert state.judge(9.9) == Verdict()
    assert state.judge(10.0) == Verdict(reconnect=frozenset({B}))


def test_a_topic_that_is_never_answered_is_given_up_on_the_next_connection():
    state = asked(A, B)
    state.judge(5.0)
    state.judge(10.0)
    state.connected()
    state.want(11.0, {A, B})
    state.answered({A})
    assert state.is_complete
    assert state.judge(16.0) == Verdict(given_up=frozenset({B}))
    assert state.judge(60.0) == Verdict()


def test_an_answer_at_last_makes_a_topic_like_any_other():
    state = asked(A)
    state.judge(5.0)
    state.judge(10.0)
    state.connected()
    state.want(11.0, {A})
    state.answered({A})
    state.connected()
    state.want(20.0, {A})
    assert not state.is_complete
    assert state.judge(25.0) == Verdict(again=frozenset({A}))


def test_added_topics_have_their_own_time_and_removed_ones_are_forgotten():
    state = asked(A)
    state.want(4.0, {A, B})
    assert state.judge(5.0) == Verdict(again=frozenset({A}))
    state.want(6.0, {B})
    assert state.judge(9.0) == Verdict(again=frozenset({B}))
    state.want(9.0, set())
    assert state.is_complete


def test_what_the_vendor_takes_back_waits_for_an_answer_again():
    state = asked(A)
    state.answered({A})
    state.withdrawn(20.0, {A, B})
    assert not state.is_complete
    assert state.judge(25.0) == Verdict(again=frozenset({A}))


steps = st.lists(
    st.tuples(st.sampled_from(["want", "answer", "wait", "connect"]), st.frozensets(st.sampled_from([A, B, C]))),
    max_size=40,
)


@given(steps)
def test_an_unanswered_topic_costs_one_connection_at_most(life):
    state, now_s, wanted, reconnects = Subscriptions(), 0.0, frozenset(), dict.fromkeys(ALL, 0)
    for verb, topics in life:
        if verb == "want":
            wanted = topics
            state.want(now_s, wanted)
        elif verb == "answer":
            state.answered(topics & wanted)
            reconnects |= dict.fromkeys(topics & wanted, 0)
        elif verb == "connect":
            state.connected()
            state.want(now_s, wanted)
        now_s += 3.0
        verdict = state.judge(now_s)
        assert not verdict.again & verdict.reconnect
        assert verdict.again | verdict.given_up | verdict.reconnect <= wanted
        for topic in verdict.reconnect:
            reconnects[topic] += 1
            assert reconnects[topic] == 1
        if verdict.reconnect:
            state.connected()
            state.want(now_s, wanted)
