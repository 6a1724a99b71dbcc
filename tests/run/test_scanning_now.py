"""A scan of now, over sockets: what a served market looks like at this moment, once or again and again, kept only where asked for."""

import dataclasses
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import date
from typing import NamedTuple

import msgspec
import pytest
from click.testing import CliRunner
from live_sessions import live_store
from served_days import Served

from pipeline.cli import main
from pipeline.codes import Kind, Mark
from pipeline.errors import ConfigError, TheirsError
from pipeline.log.reader import LogReader
from pipeline.normalize.reference import SHARES_VENUE, Fact
from pipeline.run.asking import now_of
from pipeline.run.clock import ScaledClock
from pipeline.run.referencing import keep
from pipeline.run.scanners import load_scanner, scanner_plan
from pipeline.run.scanning import scan
from pipeline.run.scanning_now import scan_now
from pipeline.run.trading_days import close_ns
from pipeline.run.verifying import verify
from pipeline.simulator.alpaca import AlpacaVenue
from pipeline.simulator.days import DAYS, GeneratedMarket
from pipeline.simulator.massive import MassiveVenue
from pipeline.simulator.served import GeneratedTape
from pipeline.simulator.venue import HttpAnswer
from pipeline.units import HOUR_NS, MINUTE_NS, NANO, iso_from_ns

__all__ = ["live_store"]

DAY = dataclasses.replace(DAYS["premarket"], instruments=8, quotes=3_000, lasts_ns=70 * MINUTE_NS)
VENUES = {"massive": MassiveVenue, "alpaca": AlpacaVenue}
PREVIOUS_CLOSE = 3.0
SCANNER = """
name = "now"
limit = 3
show = ["last", "volume", "float"]
[schedule]
every_s = 5
from = "00:00"
until = "23:59"
[[filters]]
field = "gap_pct"
op = ">="
threshold = 1.0
[[rank]]
field = "gap_pct"
"""


ENDED_NS = DAY.starts_ns + DAY.lasts_ns


class Market(NamedTuple):
    """A day that was served to its end, so that what it looks like stands still."""

    feed: str
    url: str
    tape: GeneratedTape


@pytest.fixture(scope="module", params=VENUES)
def market(request):
    tape = GeneratedTape(GeneratedMarket(DAY))
    with Served(tape, {request.param: lambda _: VENUES[request.param]()}, speed=2_000.0, clients_first=0) as served:
        assert served.is_served.wait(240)
        yield Market(request.param, served.urls[request.param], tape)


@pytest.fixture
def scanner(tmp_path):
    path = tmp_path / "now.toml"
    path.write_text(SCANNER)
    return path


def told_facts(store, tape):
    """Yesterday's close and a float of every share."""
    known_ns, as_of_ns = tape.starts_ns - HOUR_NS, close_ns(date(2026, 11, 3), "XNYS")
    facts = [
        Fact(symbol, SHARES_VENUE, name, value, "", known_ns, as_of_ns, "mine")
        for symbol in tape.symbols.values()
        for name, value in (("previous_close", PREVIOUS_CLOSE), ("float_shares", 5e6))
    ]
    keep(store, facts, now_ns=known_ns)


def plain_market(tape):
    """Last price and volume of each share, by a loop over what was served."""
    found = {symbol: {"last": None, "volume": 0, "at": 0} for symbol in tape.symbols.values()}
    for portion in tape.portions():
        for block in (block for block in portion.blocks if block.kind is Kind.PRINT):
            for row in block.rows():
                share = found[tape.symbols[row["instrument_id"]]]
                if not row["marks"] & (Mark.NO_VOLUME | Mark.CANCEL | Mark.CORRECTION | Mark.DUPLICATE):
                    share["volume"] += row["size_steps"]
                    moves = not row["marks"] & Mark.NO_LAST
                    if moves and row["ts_event_ns"] >= share["at"]:
                        share["last"], share["at"] = row["price_nano"] / NANO, row["ts_event_ns"]
    return found


def tape_command(store, *words):
    return CliRunner().invoke(main, ["--home", str(store.home), *words])


def words_of(market, scanner):
    return [
        "scan",
        "--config",
        str(scanner),
        "--feed",
        f"{market.feed}={market.url}",
        "--clock",
        f"{iso_from_ns(ENDED_NS)}@1",
    ]


def test_now_is_what_the_vendor_answers_and_leaves_nothing_behind(live_store, market, scanner):
    told_facts(live_store, market.tape)
    result = tape_command(live_store, *words_of(market, scanner), "--all", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.splitlines()[-1])
    plain = plain_market(market.tape)
    assert found["evaluations"] == 1
    assert {each["symbol"] for each in found["candidates"]} == set(plain)
    for each in found["candidates"]:
        fields, expected = each["fields"], plain[each["symbol"]]
        assert (fields["last"], fields["volume"]) == (pytest.approx(expected["last"]), expected["volume"])
        assert fields["float"] == 5e6
        assert each["in_list"] == (each["symbol"] in found["listed"])
    assert 0 < len(found["listed"]) <= 3
    assert found["funnel"][0]["shown"] == len(plain)
    lacking = [each for each in found["candidates"] if each["fields"]["gap_pct"] is None]
    assert found["funnel"][0]["absent"] == len(lacking) < len(plain)
    assert live_store.sessions() == []
    assert live_store.runs() == []


def test_a_field_that_nobody_has_a_value_of_is_told_by_the_funnel(live_store, market, scanner):
    symbols = ",".join(market.tape.symbols.values())
    result = tape_command(live_store, *words_of(market, scanner), "--symbols", symbols, "--json")
    (step,) = json.loads(result.stdout.splitlines()[-1])["funnel"]
    assert (step["left"], step["alone"], step["absent"]) == (0, 8, 8), "nobody told yesterday's close"


def test_people_see_picks_near_misses_and_the_funnel(live_store, market, scanner):
    told_facts(live_store, market.tape)
    told = tape_command(live_store, *words_of(market, scanner)).output
    assert f"now over {market.feed}" in told
    assert "in the list of 8" in told
    assert "picked" in told
    assert "gap_pct >= 1" in told
    assert "fails alone" in told
    assert "no value" in told
    shut = scanner.with_name("shut.toml")
    shut.write_text(SCANNER.replace('"23:59"', '"00:01"'))
    assert "no evaluation up to there" in tape_command(live_store, *words_of(market, shut)).output


def test_what_was_kept_is_a_session_that_explains_itself_later(live_store, market, scanner):
    told_facts(live_store, market.tape)
    result = tape_command(live_store, *words_of(market, scanner), "--keep", "--all", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.splitlines()[-1])
    (session,) = live_store.sessions()
    assert (session.id, session.state) == (found["session"], "sealed")
    assert verify(live_store, session.id).identical
    assert verify(live_store, session.id, always_apart=True).identical
    again = scan(live_store, session.id, load_scanner(scanner))
    assert json.loads(msgspec.json.encode(again.candidates)) == found["candidates"]
    assert again.listed == found["listed"]
    batches = LogReader(live_store.folder(session.id)).batches(kinds=[Kind.CANDIDATE], what="derived")
    assert sum(map(len, [block for batch in batches for block in batch])) > 0


@pytest.mark.parametrize("is_kept", [False, True])
def test_following_looks_again_and_again_until_its_time_has_come(live_store, market, scanner, is_kept):
    told_facts(live_store, market.tape)
    clock = ScaledClock(ENDED_NS, 10.0)
    text = f"{market.feed}={market.url}"
    now = now_of(scanner_plan(scanner), feed=text, symbols=(), every="5s", until=None, clock=None)
    now = dataclasses.replace(now, clock=clock, until_ns=ENDED_NS + 100 * NANO)
    seen = []
    scan_now(live_store, now, seen.append, is_kept=is_kept)
    evaluations = [each.evaluations for each in seen]
    assert len(seen) >= 3
    assert evaluations == sorted(evaluations)
    assert [each.at_ns for each in seen] == sorted({each.at_ns for each in seen}), "each time it looked anew"
    assert {tuple(each.listed) for each in seen} == {tuple(seen[0].listed)}, "what stands still is found the same"
    if is_kept:
        (session,) = live_store.sessions()
        assert verify(live_store, session.id).identical
        assert session.kinds["snapshot"] == len(market.tape.symbols), "what did not change was not written again"


def test_where_nobody_answers_it_says_so_and_leaves_nothing_behind(live_store, scanner):
    now = now_of(
        scanner_plan(scanner), feed="massive=ws://127.0.0.1:1/stocks", symbols=(), every=None, until=None, clock=None
    )
    with pytest.raises(TheirsError, match=r"massive: .*127\.0\.0\.1"):
        scan_now(live_store, now, lambda _: None)
    result = tape_command(live_store, "scan", "--config", str(scanner), "--feed", "massive=ws://127.0.0.1:1/stocks")
    assert result.exit_code == 2
    assert len(result.output.splitlines()) == 1
    assert live_store.sessions() == []


def test_alpaca_is_asked_by_names_and_needs_some(live_store, scanner):
    now = now_of(
        scanner_plan(scanner), feed="alpaca=ws://127.0.0.1:1/v2/sip", symbols=(), every=None, until=None, clock=None
    )
    with pytest.raises(ConfigError, match=r"--symbols: alpaca\.sip is asked by names"):
        scan_now(live_store, now, lambda _: None)


class SlowMassive(MassiveVenue):
    """Massive that takes its time to answer."""

    def get(self, path, query, headers, history):
        time.sleep(0.5)
        return super().get(path, query, headers, history)


def test_a_slow_answer_is_waited_for_before_the_scanner_looks(live_store, scanner):
    """Ten seconds of the session pass meanwhile, two of its slots."""
    tape = GeneratedTape(GeneratedMarket(DAY))
    told_facts(live_store, tape)
    with Served(tape, {"massive": lambda _: SlowMassive()}, speed=2_000.0, clients_first=0) as served:
        assert served.is_served.wait(240)
        text = f"massive={served.urls['massive']}"
        now = now_of(scanner_plan(scanner), feed=text, symbols=(), every=None, until=None, clock=None)
        seen = []
        scan_now(live_store, dataclasses.replace(now, clock=ScaledClock(ENDED_NS, 20.0)), seen.append)
    (found,) = seen
    assert found.evaluations == 1
    assert len(found.listed) == 3


def followed_until(number, store, market, scanner):
    """Follow and keep in a process of its own, which gets a signal when it has looked twice; what it saw, and its exit code."""
    words = [*words_of(market, scanner), "--every", "2s", "--keep", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "--home", str(store.home), *words],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        looks = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(number)
        process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    return looks, process.returncode


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_following_and_what_was_kept_is_sealed(live_store, market, scanner, number):
    told_facts(live_store, market.tape)
    looks, code = followed_until(number, live_store, market, scanner)
    assert code == 0
    (session,) = live_store.sessions()
    assert {look["session"] for look in looks} == {session.id}
    assert session.state == "sealed"
    assert verify(live_store, session.id).identical


def test_what_a_killed_scan_kept_is_sealed_when_it_is_asked_for(live_store, market, scanner):
    told_facts(live_store, market.tape)
    _, code = followed_until(signal.SIGKILL, live_store, market, scanner)
    assert code == -signal.SIGKILL
    (session,) = live_store.sessions()
    assert session.state == "open"
    result = tape_command(live_store, "sessions", "seal", session.id)
    assert result.exit_code == 0, result.output
    assert live_store.manifest(session.id).state == "sealed"
    assert verify(live_store, session.id, always_apart=True).identical
    assert scan(live_store, session.id, load_scanner(scanner)).listed


class FailingMassive(MassiveVenue):
    """Massive that answers GETs with a status as long as it has one; `asked` counts them."""

    status, asked = 0, 0

    def get(self, path, query, headers, history):
        self.asked += 1
        return HttpAnswer(self.status, b"", {}) if self.status else super().get(path, query, headers, history)


@pytest.fixture
def failing():
    """A served market that fails as told; the venue, and its address."""
    tape, venue = GeneratedTape(GeneratedMarket(DAY)), FailingMassive()
    with Served(tape, {"massive": lambda _: venue}, speed=2_000.0, clients_first=0) as served:
        assert served.is_served.wait(240)
        yield venue, tape, f"massive={served.urls['massive']}"


def following(scanner, address):
    now = now_of(scanner_plan(scanner), feed=address, symbols=(), every="5s", until=None, clock=None)
    return dataclasses.replace(now, clock=ScaledClock(ENDED_NS, 20.0))


@pytest.mark.parametrize("is_down_first", [False, True])
def test_a_vendor_that_fails_meanwhile_is_told_once_and_that_it_answers_again_too(
    live_store, scanner, failing, is_down_first
):
    venue, tape, address = failing
    told_facts(live_store, tape)
    asked, told, seen = threading.Event(), [], []
    steps = ([503] * 3 if is_down_first else []) + [0, 0, 503, 503, 503, 0, 0]
    venue.status = steps[0]

    def look(found):
        seen.append(found)
        if len(seen) < len(steps):
            venue.status = steps[len(seen)]
        else:
            asked.set()

    scan_now(live_store, following(scanner, address), look, told=told.append, asked=asked)
    assert len(seen) == len(steps)
    failed = ["no snapshot, it is asked again and again", "snapshots are there again"]
    assert [line.split(": ")[1] for line in told] == failed * (2 if is_down_first else 1)
    assert "HTTP status 503" in told[0]
    assert len(seen[-1].listed) == 3


@pytest.mark.parametrize("is_kept", [False, True])
def test_following_ends_at_once_when_the_first_answer_is_a_refusal(live_store, scanner, failing, is_kept):
    venue, _, address = failing
    venue.status = 403
    told, seen = [], []
    with pytest.raises(TheirsError, match=r"massive: http://127.0.0.1:\d+/.*HTTP status 403"):
        scan_now(live_store, following(scanner, address), seen.append, told=told.append, is_kept=is_kept)
    assert (told, seen, venue.asked) == ([], [], 1)
    assert live_store.sessions() == []


def test_a_refusal_later_on_is_told_and_asked_again(live_store, scanner, failing):
    venue, tape, address = failing
    told_facts(live_store, tape)
    asked, told, seen = threading.Event(), [], []

    def look(found):
        seen.append(found)
        venue.status = 403
        if len(seen) == 3:
            asked.set()

    scan_now(live_store, following(scanner, address), look, told=told.append, asked=asked)
    assert len(told) == 1
    assert "HTTP status 403" in told[0]


def test_following_a_host_that_there_is_not_ends_at_once(live_store, scanner, monkeypatch):
    """The name is looked up as any other; only whom the machine would ask is not there."""

    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MASSIVE_API_KEY", "mine")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(TheirsError, match="Name or service not known"):
        scan_now(live_store, following(scanner, "massive=wss://nowhere.massive.com/stocks"), lambda _: None)


def test_a_scan_of_once_that_is_asked_to_end_before_its_answer_leaves_nothing(live_store, scanner):
    tape, venue = GeneratedTape(GeneratedMarket(DAY)), SlowMassive()
    asked = threading.Event()
    asked.set()
    with Served(tape, {"massive": lambda _: venue}, speed=2_000.0, clients_first=0) as served:
        text = f"massive={served.urls['massive']}"
        now = now_of(scanner_plan(scanner), feed=text, symbols=(), every=None, until=None, clock=None)
        with pytest.raises(KeyboardInterrupt):
            scan_now(live_store, now, lambda _: None, is_kept=True, asked=asked)
    assert live_store.sessions() == []
