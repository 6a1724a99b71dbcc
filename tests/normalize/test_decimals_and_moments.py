"""Numbers and times as text: fast, and the very integers that the slow and careful way gives."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UnitError
from pipeline.instruments import COIN_STEP_NANO, steps_from_text
from pipeline.normalize.decimals import coin_steps_column, coin_steps_of, nano_of, nanos_of
from pipeline.normalize.moments import ns_of_text, ns_of_texts, text_of_ns
from pipeline.units import ABSENT, TS_MAX_NS, nano_from_text

DIGITS = st.text("0123456789", min_size=1, max_size=14)
PLAIN = st.builds("{}.{}".format, DIGITS, DIGITS) | DIGITS
ODD = st.sampled_from(
    ["", "-", "-1", "-0", "+1", "1e3", "1e400", "1e-9", "1e-10", "nan", "inf", "0x1", "1_0", " 1 ", ".5", "5.", "٣"]
)
HOSTILE = st.sampled_from(["9" * 40, "1." + "0" * 5_000, "0." + "0" * 5_000 + "1", "1" * 5_000, "2" * 65])
TEXTS = PLAIN | ODD | st.floats(allow_nan=True).map(repr) | st.text(max_size=12)

PRICES = (nano_of, nanos_of, nano_from_text)
SIZES = (coin_steps_of, coin_steps_column, partial(steps_from_text, size_step_nano=COIN_STEP_NANO))


def value_or_refusal(function, text):
    try:
        return function(text)
    except UnitError:
        return None


@pytest.mark.parametrize(("one", "column", "careful"), [PRICES, SIZES], ids=["prices", "sizes"])
@given(texts=st.lists(TEXTS, max_size=30))
def test_every_text_is_what_the_careful_way_says(one, column, careful, texts):
    expected = [value_or_refusal(careful, text) for text in texts]
    assert [value_or_refusal(one, text) for text in texts] == expected
    values, refused = column(texts)
    assert sorted(refused) == [place for place, value in enumerate(expected) if value is None]
    assert values.tolist() == [ABSENT if value is None else value for value in expected]


@pytest.mark.parametrize(("one", "column", "careful"), [PRICES, SIZES], ids=["prices", "sizes"])
@given(texts=st.lists(PLAIN, min_size=13, max_size=40))
def test_whole_columns_of_plain_numbers(one, column, careful, texts):
    expected = [value_or_refusal(careful, text) for text in texts]
    assert column(texts).values.tolist() == [ABSENT if value is None else value for value in expected]


@given(text=HOSTILE)
def test_numbers_of_thousands_of_digits_are_refused(text):
    for one, column, _ in (PRICES, SIZES):
        assert value_or_refusal(one, text) is None
        assert list(column([text] * 20).refused) == list(range(20))


def test_a_float_that_two_texts_share_decides_for_neither():
    assert nano_of("21921.73") == 21_921_730_000_000
    with pytest.raises(UnitError, match="finer than 1e-9"):
        nano_of("21921.7300000000001")
    assert nano_of("1234567.123456789") == 1_234_567_123_456_789
    assert nanos_of(["1234567.123456789"] * 20).values.tolist() == [1_234_567_123_456_789] * 20


@given(st.integers(0, TS_MAX_NS - 1), st.integers(0, 9))
def test_a_time_comes_back_with_as_many_digits_as_it_has(ts_ns, digits):
    ts_ns -= ts_ns % 10 ** (9 - digits)
    text = text_of_ns(ts_ns)
    shorter = f"{text[: 20 + digits]}Z" if digits else f"{text[:19]}Z"
    assert ns_of_text(text) == ns_of_text(shorter) == ts_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Z",
        "2021-04-17T16:43:37",
        "2021-04-17 16:43:37Z",
        "2021-04-17T16:43:60Z",
        "2021-04-17T16:61:37Z",
        "2021-02-30T16:43:37Z",
        "2021-04-17T16:43:37.1234567891Z",
        "2021-04-17T16:43:37,5Z",
        "2021-04-17T16:43:3_Z",
        "2021-04-17T16:43:٣7Z",
        "1969-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z",
        "2021-04-17T16:43:37+00:00",
    ],
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UnitError):
        ns_of_text(text)
    values, refused = ns_of_texts([text, "2021-04-17T16:43:37Z"])
    assert list(refused) == [0]
    assert values.tolist() == [ABSENT, 1_618_677_817_000_000_000]


MINUTE = st.sampled_from(["2021-04-17T16:43:", "2021-04-17T16:44:", "2021-02-30T16:44:", "2021-04-17 16:43:"])
SECONDS = st.from_regex(r"[0-6][0-9](\.[0-9]{0,10})?Z?", fullmatch=True) | st.sampled_from(
    ["1.5Z", ".55Z", "+5.1Z", "5_.1Z", "05.1e1Z"]
)


@given(st.lists(st.integers(0, 59_999_999_999), min_size=13, max_size=40), st.integers(1, 9))
def test_a_column_of_one_minute_is_what_each_time_is(within_ns, digits):
    minute_ns = 1_618_677_780_000_000_000
    texts = [f"{text_of_ns(minute_ns + ns)[: 20 + digits]}Z" for ns in within_ns]
    assert ns_of_texts(texts).values.tolist() == [ns_of_text(text) for text in texts]


@given(st.lists(st.builds("{}{}".format, MINUTE, SECONDS), min_size=13, max_size=20))
def test_a_column_is_what_each_time_is_or_refused(texts):
    values, refused = ns_of_texts(texts)
    expected = [value_or_refusal(ns_of_text, text) for text in texts]
    assert values.tolist() == [ABSENT if value is None else value for value in expected]
    assert sorted(refused) == [place for place, value in enumerate(expected) if value is None]


@given(SECONDS)
def test_a_column_that_is_odd_all_over_is_refused_as_each_is(seconds):
    texts = [f"2021-04-17T16:43:{seconds}"] * 13
    expected = value_or_refusal(ns_of_text, texts[0])
    assert ns_of_texts(texts).values.tolist() == [ABSENT if expected is None else expected] * 13


@given(st.text(max_size=32))
def test_any_text_is_a_time_or_refused(text):
    value_or_refusal(ns_of_text, text)
