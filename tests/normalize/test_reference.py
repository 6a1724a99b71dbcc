"""Which of several statements counts: the rule, and that nothing of the future leaks."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import AssetClass
from pipeline.instruments import WHOLE_STEP_NANO, Instrument
from pipeline.normalize.reference import (
    FIELDS,
    Fact,
    belongs,
    chosen,
    latest_by_provider,
    newest,
    number_text,
    opening_facts,
    ratio_text,
)


def fact(field="float_shares", value=5e6, *, known=10, as_of=5, by="massive", text=""):
    return Fact("ABCD", "US", field, value, text, known, as_of, by)


def test_what_was_not_known_yet_does_not_count():
    facts = [fact(value=5e6, known=10), fact(value=4e6, known=20)]
    assert chosen(facts, 9) == {}
    assert chosen(facts, 19)["float_shares"].value == 5e6
    assert chosen(facts, 20)["float_shares"].value == 4e6


def test_what_describes_a_later_moment_does_not_count_yet():
    announced = fact("split_ratio", 0.1, known=10, as_of=50)
    assert chosen([announced], 49) == {}
    assert chosen([announced], 50)["split_ratio"].value == 0.1


def test_of_one_provider_the_latest_moment_counts_then_the_latest_correction():
    facts = [fact(value=1, as_of=5, known=10), fact(value=2, as_of=7, known=11), fact(value=3, as_of=6, known=12)]
    assert chosen(facts, 100)["float_shares"].value == 2
    assert chosen([*facts, fact(value=4, as_of=7, known=13)], 100)["float_shares"].value == 4


@pytest.mark.parametrize(
    ("prefer", "expected", "why"),
    [
        ([], "alpaca", "alpaca speaks of the latest day"),
        (["massive"], "massive", "massive is preferred"),
        (["mine", "massive"], "mine", "mine is preferred"),
        (["nobody"], "alpaca", "alpaca speaks of the latest day"),
    ],
)
def test_a_preference_decides_then_the_latest_day(prefer, expected, why):
    facts = [
        fact(value=1, by="alpaca", as_of=9),
        fact(value=2, by="massive"),
        fact(value=3, by="older", as_of=3),
        fact(value=4, by="mine", as_of=4),
    ]
    choice = chosen(facts, 100, prefer=prefer)["float_shares"]
    assert (choice.fact.provider, choice.why) == (expected, why)
    assert len(choice.others) == 3
    assert choice.is_disputed


def test_of_two_about_one_day_that_known_last_counts_then_that_written_last():
    first, second = fact(value=1, by="alpaca", known=12), fact(value=2, by="massive", known=11)
    choice = chosen([first, second], 100)["float_shares"]
    assert (choice.value, choice.why) == (1, "alpaca said it last of those who speak of 1969-12-31")
    assert chosen([first, second._replace(known_at_ns=12)], 100)["float_shares"].value == 2


def test_providers_that_agree_are_no_dispute():
    choice = chosen([fact(by="massive"), fact(by="alpaca")], 100)["float_shares"]
    assert not choice.is_disputed
    assert chosen([fact()], 100)["float_shares"].why == "only massive says so"


def test_providers_that_spoke_before_and_behind_a_split_are_compared_in_shares_of_now():
    split, after = fact("split_ratio", 0.1, known=7, as_of=7), fact(value=1e6, known=9, as_of=8, by="mylist")
    choice = chosen([fact(value=10e6, known=6), split, after], 20)["float_shares"]
    assert (choice.value, choice.other_values, choice.differs, choice.is_disputed) == (1e6, (1e6,), (False,), False)
    choice = chosen([fact(value=30e6, known=6), split, after], 20)["float_shares"]
    assert (choice.value, choice.other_values, choice.differs, choice.is_disputed) == (1e6, (3e6,), (True,), True)


def test_a_previous_close_of_another_day_does_not_count():
    facts = [fact("previous_close", 4.0, as_of=5), fact("float_shares", 5e6, as_of=5)]
    assert set(chosen(facts, 100, closed_ns=6)) == {"float_shares"}
    assert set(chosen(facts, 100, closed_ns=5)) == {"float_shares", "previous_close"}
    fresh = fact("previous_close", 4.1, as_of=6, by="alpaca")
    assert chosen([*facts, fresh], 100, closed_ns=6)["previous_close"].fact.provider == "alpaca"


def test_a_reverse_split_makes_no_gap():
    split = fact("split_ratio", 0.02, as_of=50, known=40)
    facts = [fact("previous_close", 0.1, as_of=30), fact("float_shares", 50e6), fact("market_cap", 5e6), split]
    before, after = chosen(facts, 49), chosen(facts, 50)
    assert before["previous_close"].value == 0.1
    assert after["previous_close"].value == pytest.approx(5.0)
    assert after["float_shares"].value == pytest.approx(1e6)
    assert after["market_cap"].value == 5e6
    assert after["previous_close"].note.startswith("0.1 before the split 1:50 on 19")


def test_one_days_split_is_one_split_whoever_tells_of_it():
    splits = [fact("split_ratio", 20.0, as_of=50, by=by) for by in ("massive", "alpaca")]
    assert chosen([fact("previous_close", 100.0), *splits], 60)["previous_close"].value == 5.0
    corrected = fact("split_ratio", 10.0, as_of=50, known=20)
    assert chosen([fact("previous_close", 100.0), *splits, corrected], 60)["previous_close"].value == 10.0


def test_a_price_behind_a_split_is_not_divided_again():
    split = fact("split_ratio", 20.0, as_of=50)
    assert chosen([fact("previous_close", 5.0, as_of=55), split], 60)["previous_close"].value == 5.0


facts_drawn = st.lists(
    st.builds(
        fact,
        st.sampled_from(["float_shares", "split_ratio", "previous_close", "market_cap"]),
        st.sampled_from([0.5, 1.0, 2.0, 3.0]),
        known=st.integers(0, 20),
        as_of=st.integers(0, 20),
        by=st.sampled_from(["massive", "alpaca", "mine"]),
    ),
    max_size=12,
)


@given(facts_drawn, facts_drawn, st.integers(0, 20))
def test_nothing_of_the_future_leaks(facts, planted, at_ns):
    future = [each._replace(known_at_ns=at_ns + 1 + each.known_at_ns, value=each.value * 1e6) for each in planted]
    mixed = [each for pair in zip(future, facts, strict=False) for each in pair] + facts[len(future) :]
    assert chosen([*mixed, *future], at_ns) == chosen(facts, at_ns)


@given(facts_drawn, st.integers(0, 20), st.integers(0, 20))
def test_the_newest_facts_come_to_the_same_as_all(facts, at_ns, closed_ns):
    few = newest(facts, at_ns)
    assert chosen(few, at_ns, closed_ns=closed_ns) == chosen(facts, at_ns, closed_ns=closed_ns)
    assert opening_facts(few, at_ns, closed_ns=closed_ns) == opening_facts(facts, at_ns, closed_ns=closed_ns)


def by_the_splits(told, field):
    """The value that a reader comes to who takes in the splits since, as the scanner does."""
    last = [each for each in told if each.field == field][-1]
    splits = [each for each in told if each.field == "split_ratio" and last.as_of_ns < each.as_of_ns <= AT_NS]
    return last.value / math.prod(each.value for each in splits)


AT_NS = 20


@given(facts_drawn)
def test_who_takes_in_the_splits_comes_to_what_counts(facts):
    told = opening_facts(facts, AT_NS)
    for field in {each.field for each in told} & {"previous_close"}:
        assert by_the_splits(told, field) == pytest.approx(chosen(facts, AT_NS)[field].value)


def test_a_session_is_told_of_a_split_that_is_still_to_come():
    coming = fact("split_ratio", 0.1, known=10, as_of=50)
    past = fact("split_ratio", 2.0, known=10, as_of=15)
    assert opening_facts([coming, past, fact(known=90)], 20) == [past, coming]


def test_a_session_is_told_what_others_say_in_front_of_what_counts():
    facts = [fact(value=1, by="alpaca", as_of=9), fact(value=2, by="massive"), fact(value=3, by="mine", as_of=4)]
    assert [each.provider for each in opening_facts(facts, 20, prefer=["massive"])] == ["mine", "alpaca", "massive"]


def test_a_session_is_told_of_every_split():
    splits = [fact("split_ratio", 0.5, as_of=10, known=9), fact("split_ratio", 0.1, as_of=15, known=9)]
    told = opening_facts([fact("previous_close", 1.0, as_of=5), *splits], 20)
    assert [(each.field, each.value, each.as_of_ns) for each in told] == [
        ("previous_close", 1.0, 5),
        ("split_ratio", 0.5, 10),
        ("split_ratio", 0.1, 15),
    ]


@given(facts_drawn, st.integers(0, 20))
def test_whoever_says_something_is_heard(facts, at_ns):
    choices = chosen(facts, at_ns)
    for field, by_provider in latest_by_provider(facts, at_ns).items():
        said = {choices[field].fact, *choices[field].others}
        last_ns = max(each.as_of_ns for each in by_provider.values())
        is_split = field == "split_ratio"
        assert said == {each for each in by_provider.values() if not is_split or each.as_of_ns == last_ns}


SHARE = Instrument("ABCD", "MASSIVE", WHOLE_STEP_NANO, AssetClass.EQUITY, calendar="XNYS")


def test_facts_of_american_shares_belong_to_shares_of_any_feed():
    coin = Instrument("ABCD", "COINBASE", WHOLE_STEP_NANO, AssetClass.CRYPTO, calendar="24/7")
    unknown = Instrument("ABCD", "FILE", WHOLE_STEP_NANO)
    assert belongs("US", SHARE)
    assert belongs("US", unknown)
    assert not belongs("US", coin)
    assert belongs("COINBASE", coin)
    assert not belongs("COINBASE", SHARE)


def test_every_field_has_a_unit_and_a_meaning():
    assert all(spec.unit and spec.doc for spec in FIELDS.values())


def test_numbers_and_ratios_are_told_without_noise():
    assert [number_text(each) for each in (4_200_000.0, 3.125, math.nan, 0.1)] == ["4,200,000", "3.125", "", "0.1"]
    assert [ratio_text(each) for each in (20.0, 0.02, 4 / 3)] == ["20:1", "1:50", "4:3"]
