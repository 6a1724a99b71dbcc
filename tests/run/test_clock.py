import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import pytest

from pipeline.errors import ConfigError
from pipeline.run.asking import recording_of
from pipeline.run.clock import ScaledClock, ServedClock, Steps, SystemClock
from pipeline.units import NANO

START = 1_793_779_200 * NANO


def test_a_scaled_clock_starts_where_it_is_told_and_runs_at_its_rate():
    before, clock = time.monotonic_ns(), ScaledClock(START, 1_000.0)
    anyio.run(clock.sleep_until, START + 20 * NANO)
    now, after = clock.now_ns(), time.monotonic_ns()
    assert now >= START + 20 * NANO
    assert (now - START) // 1_000 <= after - before
    assert clock.now_ns() >= now


def test_the_system_clock_is_that_of_the_machine():
    clock, before = SystemClock(), time.time_ns()
    anyio.run(clock.sleep_until, before + 20_000_000)
    assert before + 20_000_000 <= clock.now_ns() <= time.time_ns()


@pytest.mark.parametrize("rate", [0.0, -1.0, 1e7, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ConfigError, match=r"0\.001 to 1,000,000"):
        ScaledClock(START, rate)


def test_settings_name_the_clock():
    assert ScaledClock(START, 60.0).told() == "2026-11-04T08:00:00.000000000Z@60"
    assert SystemClock().told() == "system"


class Hands:
    """A clock and a monotonic one, as a test moves them; each look at either takes `look_ns`."""

    def __init__(self, rate=1.0):
        self.rate, self.ns, self.monotonic, self.look_ns = rate, START, 5 * NANO, [0]

    def now_ns(self):
        return self.ns

    def monotonic_ns(self):
        took_ns = self.look_ns.pop(0) if len(self.look_ns) > 1 else self.look_ns[0]
        self.run(took_ns)
        return self.monotonic

    def run(self, ns, step_ns=0):
        self.monotonic += ns
        self.ns += int(ns * self.rate) + step_ns


@pytest.mark.parametrize(
    ("step_s", "told_s"), [(3.5, 3.5), (-3.5, -3.5), (1.0, 0.0), (-1.0, 0.0), (0.0, 0.0), (1.001, 1.001)]
)
@pytest.mark.parametrize("after_s", [0, 7, 86_400])
def test_a_step_of_more_than_a_second_is_told_once_with_its_direction(step_s, told_s, after_s):
    hands = Hands()
    steps = Steps(hands, hands.monotonic_ns)
    hands.run(after_s * NANO, int(step_s * NANO))
    assert steps.step_s() == pytest.approx(told_s, abs=1e-6)
    hands.run(after_s * NANO)
    assert steps.step_s() == 0.0


def test_a_clock_that_drifts_makes_no_step():
    hands = Hands()
    steps = Steps(hands, hands.monotonic_ns)
    for _ in range(1_000):
        hands.run(NANO, NANO // 2_000)
        assert steps.step_s() == 0.0


def test_who_had_no_processor_between_two_looks_looks_again():
    hands = Hands()
    steps = Steps(hands, hands.monotonic_ns)
    hands.look_ns = [0, 3 * NANO, 3 * NANO, 0]
    assert steps.step_s() == 0.0
    hands.look_ns = [0]
    assert steps.step_s() == 0.0


def test_clocks_of_ours_make_no_steps_whatever_their_rate():
    steps = [Steps(ScaledClock(START, rate)) for rate in (0.001, 1.0, 60.0, 1e6)]
    for _ in range(100):
        assert [each.step_s() for each in steps] == [0.0] * 4


def test_the_clock_of_a_served_day_is_put_right_without_a_step():
    told = {"session_ns": START, "speed": 1.0, "has_begun": False}
    with day_at(told) as url:
        clock = ServedClock(url)
        steps = Steps(clock)
        with clock.kept():
            told |= {"session_ns": START + 60 * NANO, "has_begun": True}
            deadline = time.monotonic() + 30
            while clock.now_ns() < START + 60 * NANO:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        assert steps.step_s() == 0.0


@contextmanager
def day_at(told):
    """A server that tells of a day what stands in `told` at that moment; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(200 if self.path == "/tape/clock" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_clock_of_a_served_day_stands_until_the_day_begins_and_keeps_to_it():
    told = {"session_ns": START, "speed": 60.0, "has_begun": False, "is_over": False, "last_seq": 0}
    with day_at(told) as url:
        clock = ServedClock(url)
        with clock.kept():
            time.sleep(0.1)
            assert clock.now_ns() == START
            told |= {"session_ns": START + 100 * NANO, "has_begun": True}
            until(lambda: clock.now_ns() >= START + 100 * NANO)
            told["session_ns"] = START + 90_000 * NANO  # it has gone on meanwhile, as after a pause of this process
            until(lambda: clock.now_ns() >= START + 90_000 * NANO)
            told["session_ns"] = START  # never set back, whatever is told
            seen = clock.now_ns()
            time.sleep(0.1)
            assert clock.now_ns() > seen
        assert clock.told() == "served"
    anyio.run(clock.sleep_until, clock.now_ns() + NANO)  # nobody answers any more: it runs on


def test_a_day_without_a_pace_or_without_a_clock_is_refused():
    with day_at({"session_ns": START, "speed": None, "has_begun": True}) as url:
        with pytest.raises(ConfigError, match="served without a pace; leave --clock out"):
            ServedClock(url)
        with pytest.raises(ConfigError, match=r"no served day tells its time at .*404"):
            ServedClock(f"{url}/elsewhere")
    with pytest.raises(ConfigError, match="no served day tells its time"):
        ServedClock(url)


@pytest.mark.parametrize("body", [b"", b'{"session_ns": "\xff"}', b'{"\xff": 1}', b'{"x":' + b"[" * 50_000])
def test_a_clock_that_babbles_is_refused_in_one_error(body):
    with day_at(body) as url, pytest.raises(ConfigError, match="no served day tells its time"):
        ServedClock(url)


def asked(clock, *feeds):
    words = {"scanners": [], "channels": None, "watch_channels": None, "until": None}
    return recording_of(
        feeds=feeds, symbols=["A"], strategies=[], params=[], settings=[], watch=[], clock=clock,
        keeps_raw=False, is_fresh=False, **words,
    )  # fmt: skip


def test_the_clock_is_asked_for_where_a_feed_is_served_or_where_it_is_said():
    with day_at({"session_ns": START, "speed": 1.0, "has_begun": False}) as url:
        place = url.removeprefix("http://")
        assert asked("served", "databento=tcp://127.0.0.1:9", f"massive=ws://{place}/stocks").clock.now_ns() == START
        assert asked(f"served={url}", "databento=tcp://127.0.0.1:9").clock.now_ns() == START
    with pytest.raises(ConfigError, match="no --feed has an address that tells its time"):
        asked("served", "databento=tcp://127.0.0.1:9")
    with pytest.raises(ConfigError, match=r"--clock noon: write served, .* or START@RATE"):
        asked("noon", "massive=ws://127.0.0.1:9/stocks")
