"""Answers of vendors as facts: real ones of their own tests, odd ones, and any JSON at all."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import FeedError
from pipeline.normalize import reference_bodies as bodies
from pipeline.units import iso_from_ns

NOW_NS = 1_764_000_000_000_000_000


def said(facts):
    return {(fact.symbol, fact.field): fact.text or fact.value for fact in facts}


def day(fact):
    return iso_from_ns(fact.as_of_ns)[:16]


@pytest.fixture
def massive(shared_data):
    return shared_data / "websocket" / "massive" / "rest_mocks"


def test_massive_details_of_its_own_tests(massive):
    facts = bodies.massive_details((massive / "v3/reference/tickers/AAPL.json").read_bytes(), NOW_NS)
    assert said(facts) == {
        ("AAPL", "market_cap"): 2488795282370.0,
        ("AAPL", "shares_outstanding"): 16319440000.0,
        ("AAPL", "industry"): "ELECTRONIC COMPUTERS",
        ("AAPL", "exchange"): "XNAS",
        ("AAPL", "security_type"): "common",
        ("AAPL", "is_active"): 1.0,
        ("AAPL", "name"): "Apple Inc.",
        ("AAPL", "ipo"): "1980-12-12",
    }
    assert {(fact.known_at_ns, fact.venue, fact.provider) for fact in facts} == {(NOW_NS, "US", "massive")}
    assert {day(fact) for fact in facts if fact.field == "ipo"} == {"1980-12-12T05:00"}
    assert {fact.as_of_ns for fact in facts if fact.field != "ipo"} == {NOW_NS}


def test_massive_splits_of_its_own_tests(massive):
    facts = bodies.massive_splits((massive / "v3/reference/splits.json").read_bytes(), NOW_NS)
    assert len(facts) == 10
    assert [(fact.symbol, fact.value, day(fact)) for fact in facts[:1]] == [("GOOGL", 20.0, "2022-07-18T04:00")]
    assert said(facts)["BRW", "split_ratio"] == 0.5


def test_the_close_of_massives_previous_bar_is_of_its_own_day(massive):
    facts = bodies.massive_previous((massive / "v2/aggs/ticker/AAPL/prev.json").read_bytes(), NOW_NS)
    assert [(fact.symbol, fact.field, fact.value, day(fact)) for fact in facts] == [
        ("AAPL", "previous_close", 156.8, "2022-04-26T20:00")
    ]


def test_massive_floats():
    body = (
        b'{"results":[{"effective_date":"2026-11-13","free_float":4200000,"free_float_percent":62.1,"ticker":"ABCD"}]}'
    )
    (fact,) = bodies.massive_floats(body, NOW_NS)
    assert (fact.symbol, fact.field, fact.value, day(fact)) == ("ABCD", "float_shares", 4.2e6, "2026-11-13T05:00")


def test_alpaca_splits_of_its_own_tests(shared_data):
    answers = msgspec.json.decode((shared_data / "websocket/alpaca/alpaca_rest_responses_py.json").read_bytes())
    body = next(each["body"] for each in answers if "reverse_splits" in each["body"].get("corporate_actions", {}))
    facts = bodies.alpaca_splits(msgspec.json.encode(body), NOW_NS)
    assert [(fact.symbol, fact.value, day(fact)) for fact in facts] == [
        ("SRE", 2.0, "2023-08-22T04:00"),
        ("MNTS", 0.02, "2023-08-24T04:00"),
    ]


def test_an_alpaca_asset():
    asset = {
        "id": "904837e3-3b76-47ec-b432-046db621571b",
        "class": "us_equity",
        "exchange": "NASDAQ",
        "symbol": "ABCD",
        "name": "Abcd Inc. Common Stock",
        "status": "active",
        "tradable": True,
        "shortable": False,
        "easy_to_borrow": False,
    }
    assert said(bodies.alpaca_asset(json.dumps(asset).encode(), NOW_NS)) == {
        ("ABCD", "name"): "Abcd Inc. Common Stock",
        ("ABCD", "exchange"): "XNAS",
        ("ABCD", "is_active"): 1.0,
        ("ABCD", "shortable"): 0.0,
        ("ABCD", "easy_to_borrow"): 0.0,
    }


def test_databentos_security_master_of_its_own_tests(shared_data):
    path = shared_data / "databento/databento-python/REFERENCE/test_data.security-master.jsonl"
    facts = bodies.databento_securities(path.read_bytes(), NOW_NS)
    shares = [fact for fact in facts if fact.field == "shares_outstanding"]
    assert {(fact.symbol, fact.value, day(fact)) for fact in shares} == {("AAPL_KZ", 15204137000.0, "2024-07-19T04:00")}
    assert said(facts)["AAPL_KZ", "security_type"] == "common"
    assert said(facts)["AAPL_KZ", "exchange"] == "XNAS"


def test_databentos_splits_of_its_own_tests(shared_data):
    path = shared_data / "databento/databento-python/REFERENCE/test_data.corporate-actions.jsonl"
    facts = bodies.databento_splits(path.read_bytes(), NOW_NS)
    assert [(fact.symbol, fact.value, day(fact)) for fact in facts] == [
        ("BOMO", 0.001, "2023-10-10T04:00"),
        ("BRQS", pytest.approx(1 / 12), "2023-10-10T04:00"),
    ]


@pytest.mark.parametrize(
    "row",
    [
        {"ticker": "", "free_float": 1},
        {"ticker": "A" * 90, "free_float": 1},
        {"ticker": 7, "free_float": 1},
        {"ticker": "A", "free_float": 0},
        {"ticker": "A", "free_float": -5},
        {"ticker": "A", "free_float": "4M"},
        {"ticker": "A", "free_float": True},
        {"ticker": "A", "free_float": 10**400},
        {"ticker": "A"},
        7,
        None,
    ],
)
def test_what_is_of_no_use_says_nothing(row):
    assert bodies.massive_floats(json.dumps({"results": [row]}).encode(), NOW_NS) == []


@pytest.mark.parametrize(
    "row",
    [
        {"ticker": "A", "execution_date": "soon", "split_to": 2, "split_from": 1},
        {"ticker": "A", "execution_date": "2026-11-20", "split_to": 0, "split_from": 1},
        {"ticker": "A", "execution_date": "2026-11-20", "split_to": 2},
        {"ticker": "A", "split_to": 2, "split_from": 1},
        {"ticker": "A", "execution_date": "0001-01-01", "split_to": 2, "split_from": 1},
    ],
)
def test_half_a_split_is_none(row):
    assert bodies.massive_splits(json.dumps({"results": [row]}).encode(), NOW_NS) == []


READERS = [
    bodies.massive_details,
    bodies.massive_splits,
    bodies.massive_previous,
    bodies.massive_floats,
    bodies.alpaca_asset,
    bodies.alpaca_splits,
    bodies.databento_securities,
    bodies.databento_splits,
]


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@pytest.mark.parametrize("body", [b"<html>", b"{", b"\xff\xfe", b"[" * 5_000])
def test_a_body_that_is_no_json_is_refused(read, body):
    with pytest.raises(FeedError):
        read(body, NOW_NS)


WORDS = [
    *("results", "ticker", "T", "t", "c", "free_float", "effective_date", "execution_date", "split_to", "split_from"),
    *(
        "market_cap",
        "type",
        "active",
        "symbol",
        "status",
        "exchange",
        "shortable",
        "corporate_actions",
        "forward_splits",
    ),
    *("ex_date", "new_rate", "old_rate", "event", "ratio_new", "ratio_old", "shares_outstanding", "listing_status"),
]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.just("2026-11-20"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=8),
    max_leaves=20,
)


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@given(content=st.dictionaries(st.sampled_from(WORDS), values, max_size=6))
def test_any_json_is_facts_or_refused(read, content):
    try:
        body = json.dumps(content, allow_nan=False).encode()
    except ValueError:
        return
    try:
        facts = read(body, NOW_NS)
    except FeedError:
        return
    assert all(fact.symbol and (fact.text or fact.value >= 0) for fact in facts)
