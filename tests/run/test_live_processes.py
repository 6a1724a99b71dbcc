"""`tape record` against `tape serve`, both as processes of their own: killed, asked again, told to end."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from held_against import Account
from live_sessions import live_store
from websockets.sync.client import connect

from pipeline.codes import FeedAction, Kind, Origin, SessionAction
from pipeline.kernel.build import CACHE_VARIABLE
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.fold import FoldPlan
from pipeline.run.generating import record_generated
from pipeline.run.verifying import verify
from pipeline.simulator.generate import Day
from pipeline.simulator.history import ServedHistory
from pipeline.simulator.ledger import ListLedger, Sent
from pipeline.simulator.served import RecordedTape
from pipeline.units import MINUTE_NS, NANO

__all__ = ["live_store"]


@contextlib.contextmanager
def tape(home, *arguments, **pipes):
    """The command as a process, ended when the block is."""
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(home), *map(str, arguments)]
    process = subprocess.Popen(command, text=True, **pipes)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def rows(log, *kinds):
    return [row for batch in log.batches(kinds=kinds) for block in batch for row in block.rows()]


def live_log(store):
    """The one session that is recorded live, as far as it is written."""
    (manifest,) = store.sessions()
    return LogReader(store.folder(manifest.id))


def counted(store, kind, origin=Origin.INPUT):
    return sum(row["origin"] == origin for row in rows(live_log(store), kind))


def url_of(serving):
    word, _, url = serving.stdout.readline().split()
    assert word == "LISTENING"
    return url


@contextlib.contextmanager
def begun(url, at_ns):
    """The client that a day waits for: connected at once, subscribed to something nobody sells when it is time."""
    with connect(url) as client:
        client.recv()
        client.send('{"action":"auth","params":"any"}')
        client.recv()
        time.sleep(max(0.0, (at_ns - time.time_ns()) / NANO))
        client.send('{"action":"subscribe","params":"Q.NOBODY"}')
        yield


def test_a_recording_that_is_killed_goes_on_when_it_is_asked_again(live_store, tmp_path):
    day = Day(instruments=4, quotes=900, starts_ns=time.time_ns() + 6 * NANO, lasts_ns=MINUTE_NS)
    served_store, sent = Store(tmp_path / "served"), tmp_path / "sent.jsonl"
    session = record_generated(served_store, day, FoldPlan((), {}), [], created_ns=1)
    options = ("--protocol", "massive", "--port", 0, "--wait", 2, "--sent", sent)
    with tape(served_store.home, "serve", session.id, *options, stdout=subprocess.PIPE) as serving:
        url = url_of(serving)
        asked = (
            "record",
            "--feed",
            f"massive={url}",
            "--symbols",
            "ABCD,BRNX,CRVQ,DLTA",
            "--strategy",
            "hold",
            "--interpreted",
            "--plain",
        )
        with tape(live_store.home, *asked, stderr=subprocess.DEVNULL) as recording, begun(url, day.starts_ns):
            until(lambda: live_store.sessions() and counted(live_store, Kind.QUOTE) > 100)
            recording.send_signal(signal.SIGKILL)
            recording.wait(30)
            without_sockets = shutil.ignore_patterns("*.sock")
            killed = Store(shutil.copytree(live_store.home, tmp_path / "killed", ignore=without_sockets))
            time.sleep(0.5)
            heard = counted(live_store, Kind.QUOTE)
            with tape(live_store.home, *asked, stderr=subprocess.PIPE) as again:
                until(lambda: counted(live_store, Kind.QUOTE, Origin.BACKFILL) > 0)
                until(lambda: counted(live_store, Kind.QUOTE) > heard)  # the day itself has a hole of twelve seconds
                again.send_signal(signal.SIGTERM)
                said = again.communicate(timeout=60)[1]
                assert again.returncode == 0, said
        serving.send_signal(signal.SIGTERM)
        serving.wait(30)
    told = re.search(r"was not ended: reading back its ([0-9,]+) inputs to go on with it", said)
    assert int(told[1].replace(",", "")) > 100
    assert told.start() < said.index("(resumed)")
    assert "ended because of SIGTERM; sealed" in said
    (manifest,) = live_store.sessions()
    assert manifest.state == "sealed"
    log = LogReader(live_store.folder(manifest.id))
    assert [row["action"] for row in rows(log, Kind.SESSION)].count(SessionAction.RESUMED) == 1
    check_killed(live_store, manifest, served_store.folder(session.id), sent)
    assert verify(live_store, manifest.id).identical
    assert verify(killed, manifest.id).identical  # as far as it was decided


def check_killed(store, manifest, served_folder, sent):
    """What two processes recorded, held against what the exchange wrote down that it sent."""
    served = RecordedTape(LogReader(served_folder))
    ledger = ListLedger(
        Sent(**{**row, "rows": tuple(row["rows"])}) for row in map(json.loads, sent.read_text().splitlines())
    )
    others = {each.client for each in ledger} - {each.client for each in ledger if each.rows}
    account = Account(
        store,
        manifest,
        SimpleNamespace(tape=served, ledger=ledger, _history=ServedHistory(served)),
        "massive",
        others=others,
    )
    last = max(row for each in ledger for row in each.rows)
    account.served = {seq: row for seq, row in account.served.items() if seq <= last}
    account.check()
    assert len(account.gaps()) == 1
    assert len(account.told(FeedAction.DECLARED)) == 1
    assert account.missing()
    assert account.filling()


@pytest.mark.parametrize(
    ("number", "speed"), [(signal.SIGINT, "--compiled"), (signal.SIGTERM, "--interpreted")], ids=["INT", "TERM"]
)
def test_a_signal_ends_and_seals(number, speed, live_store, tmp_path):
    options = (
        "--generate",
        "crypto",
        "--minutes",
        30,
        "--symbols",
        2,
        "--speed",
        60,
        "--protocol",
        "coinbase",
        "--port",
        0,
    )
    with tape(tmp_path, "serve", *options, stdout=subprocess.PIPE) as serving:
        asked = (
            "record",
            "--feed",
            f"coinbase={url_of(serving)}",
            "--symbols",
            "BTC-USD,ETH-USD",
            "--strategy",
            "hold",
        )
        clock = ("--clock", "served", "--plain")
        kernels = tmp_path / "kernels"
        given = {**os.environ, CACHE_VARIABLE: str(kernels)} if speed == "--interpreted" else None
        with tape(live_store.home, *asked, speed, *clock, stderr=subprocess.PIPE, env=given) as recording:
            until(lambda: live_store.sessions() and counted(live_store, Kind.QUOTE) > 20, 200)  # it may have to compile
            recording.send_signal(number)
            said = recording.communicate(timeout=60)[1]
            assert recording.returncode == 0, said
    (manifest,) = live_store.sessions()
    assert f"ended because of {number.name}; sealed" in said
    assert manifest.state == "sealed"
    assert not list(kernels.rglob("*.o")), "interpreted means that nothing is compiled"
    assert verify(live_store, manifest.id).identical


def test_a_recording_of_every_day_says_which_signal_ended_it(live_store, tmp_path):
    generated = ("--generate", "crypto", "--minutes", 30, "--symbols", 2, "--speed", 60)
    with tape(tmp_path, "serve", *generated, "--protocol", "coinbase", "--port", 0, stdout=subprocess.PIPE) as serving:
        asked = ("record", "--feed", f"coinbase={url_of(serving)}", "--symbols", "BTC-USD", "--strategy", "hold")
        asked = (*asked, "--interpreted", "--plain")
        with tape(live_store.home, *asked, "--schedule", "00:00-00:00", stderr=subprocess.PIPE) as recording:
            until(lambda: live_store.sessions() and counted(live_store, Kind.QUOTE) > 20)
            recording.send_signal(signal.SIGTERM)
            said = recording.communicate(timeout=60)[1]
    assert recording.returncode == 0, said
    assert "ended because of SIGTERM; sealed" in said


def session_times(store):
    return [row["ts_recv_ns"] for row in rows(live_log(store), Kind.QUOTE, Kind.TIMER, Kind.FEED)]


def clock_of(url):
    return json.loads(urlopen(f"http://{urlsplit(url).netloc}/tape/clock", timeout=30).read())


def test_a_recording_of_a_served_day_keeps_to_its_clock_through_a_kill(live_store, tmp_path):
    """The clock is asked when it begins and when it goes on, so the hole is as long as the day says, and nothing is ahead of it."""
    options = ("--generate", "premarket", "--minutes", 30, "--symbols", 3, "--speed", 20, "--protocol", "massive")
    with tape(tmp_path, "serve", *options, "--port", 0, "--stay", stdout=subprocess.PIPE) as serving:
        url = url_of(serving)
        assert f"--feed massive={url} " in [serving.stdout.readline() for _ in range(3)][2]
        starts_ns = clock_of(url)["session_ns"]
        asked = ("record", "--feed", f"massive={url}", "--symbols", "IQAH,XIMH,MBYH", "--strategy", "hold")
        asked = (*asked, "--interpreted", "--clock", "served", "--plain")
        with tape(live_store.home, *asked, stderr=subprocess.DEVNULL) as recording:
            until(lambda: live_store.sessions() and counted(live_store, Kind.QUOTE) > 20)
            recording.send_signal(signal.SIGKILL)
            recording.wait(30)
        stopped_ns = max(session_times(live_store))
        assert starts_ns <= min(session_times(live_store))
        assert stopped_ns <= clock_of(url)["session_ns"]
        until(lambda: clock_of(url)["session_ns"] > stopped_ns + 30 * NANO)
        again_ns = clock_of(url)["session_ns"]
        with tape(live_store.home, *asked, stderr=subprocess.PIPE) as again:
            until(lambda: counted(live_store, Kind.QUOTE, Origin.BACKFILL) > 0)
            fresh = counted(live_store, Kind.QUOTE)
            until(lambda: counted(live_store, Kind.QUOTE) > fresh)
            again.send_signal(signal.SIGTERM)
            said = again.communicate(timeout=60)[1]
            assert again.returncode == 0, said
        ended_ns = clock_of(url)["session_ns"]
    assert "(resumed)" in said
    (manifest,) = live_store.sessions()
    gone_on = [time for time in session_times(live_store) if time > stopped_ns]
    assert again_ns <= min(gone_on)
    assert max(gone_on) <= ended_ns
    told = [row["action"] for row in rows(live_log(live_store), Kind.FEED)]
    assert FeedAction.GAP_OPENED in told
    assert FeedAction.BACKFILLED in told
    assert verify(live_store, manifest.id).identical
