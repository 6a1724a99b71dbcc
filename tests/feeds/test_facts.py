from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import FeedAction, Kind
from pipeline.feeds.facts import NO_CODE, Fact, about, feed_block
from pipeline.normalize.rows import TEXT_LENGTH_MAX
from pipeline.ports import Channel, Topic
from pipeline.units import ABSENT


def test_facts_are_feed_rows_in_their_order():
    facts = [
        Fact(5, FeedAction.LOST, code=1006, count=3, text="no goodbye"),
        Fact(6, FeedAction.GAP_CLOSED, "quotes", from_ns=1, to_ns=6),
    ]
    block = feed_block(facts)
    assert block.kind is Kind.FEED
    rows = list(block.rows())
    assert [row["seq"] for row in rows] == [1, 2]
    assert [row["ts_event_ns"] for row in rows] == [row["ts_recv_ns"] for row in rows] == [5, 6]
    for fact, row in zip(facts, rows, strict=True):
        assert {name: row[name] for name in Fact._fields} == fact._asdict()


def test_no_facts_are_no_rows():
    assert len(feed_block([])) == 0


@given(st.integers(-(2**40), 2**40), st.text(max_size=400))
def test_what_a_vendor_says_fits_a_row(code, text):
    (row,) = feed_block([Fact(1, FeedAction.LOST, code=code, text=text)]).rows()
    assert row["code"] == (code if abs(code) < 2**31 else NO_CODE)
    assert row["text"] == text[:TEXT_LENGTH_MAX]
    assert row["count"] == row["position"] == row["from_ns"] == ABSENT


topics = st.frozensets(
    st.builds(Topic, st.sampled_from([Channel.QUOTES, Channel.PRINTS]), st.text("ABCDEF", min_size=1, max_size=12)),
    max_size=80,
)


@given(topics)
def test_a_fact_about_topics_names_each_of_them(given_topics):
    facts = list(about(given_topics, FeedAction.REJECTED, 7, why=": not entitled"))
    named = [
        Topic(Channel(fact.channel), symbol)
        for fact in facts
        for symbol in fact.text.removesuffix(": not entitled").split()
    ]
    assert sorted(named) == sorted(given_topics)
    assert sum(fact.count for fact in facts) == len(given_topics)
    assert all(len(fact.text) <= TEXT_LENGTH_MAX and fact.text.endswith(": not entitled") for fact in facts)
