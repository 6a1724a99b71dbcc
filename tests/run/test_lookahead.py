"""What knows the future is caught, whichever way it came by it; what comes along knows nothing of it."""

import contextlib
import importlib
import importlib.metadata
import os
import socket
import sys
import sysconfig
import textwrap
import threading
import zoneinfo
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from commands import tape

from pipeline.block import between
from pipeline.errors import NotFoundError
from pipeline.log import manifest as manifests
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.reader import JOURNAL
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.run.comparing import first_difference
from pipeline.run.early import first_true
from pipeline.run.lookahead import look_ahead
from pipeline.run.overhearing import overhearing
from pipeline.run.replaying import replay
from pipeline.run.retracing import alone
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.handwritten import Day

QUOTES = 60
PEAK = 47
"""The quote, from 1, with the highest bid of the day; the instrument's definition is seq 1."""


def session_of(store, name, day):
    """A written day as a session that was imported."""
    made = store.create_session(name, mode=Mode.IMPORT, created_ns=1)
    folder = store.folder(made.id)
    with Journal.create(folder / JOURNAL, log_id=bytes.fromhex(made.log_id)) as journal:
        for batch in day.batches():
            journal.append(FrameKind.INPUTS, batch)
    manifests.update(folder, state="ended", inputs=len(day.rows), first_ts_ns=day.starts_ns)
    return made.id


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("lookahead"))
    day = Day("ABCD")
    for n in range(1, QUOTES + 1):
        bid = 10.0 + n * 0.01 - (2.0 if n > PEAK else 0.0)
        day.quote(n, bid, bid + 0.02).timer(n + 0.5)
    session_of(store, "walk", day)
    bars = Day("ABCD")
    for n in range(30):
        bars.quote(60 * n, 10.0, 10.02)
        close = 10.5 if n == 17 else 9.5
        bars.bar(60 * n + 0.01, 60 * n, (10.0, 10.6, 9.4, close))  # there as it begins
    session_of(store, "too-soon", bars)
    late = Day("ABCD")
    for n in range(30):
        late.quote(60 * n, 10.0, 10.02)
        late.bar(60 * n + 60.01, 60 * n, (10.0, 10.6, 9.4, 10.5 if n == 17 else 9.5))
    session_of(store, "in-time", late)
    return store


HEAD = """
    from pipeline.codes import Side
    from pipeline.core.params import params
    from pipeline.core.state import state
    from pipeline.core.strategy import Bars, Strategy
    from pipeline.core.verbs import enter

    @params
    class Params:
        pass

    @state
    class State:
        count: int
"""


def written(folder, name, body):
    path = folder / f"{name}.py"
    path.write_text(textwrap.dedent(HEAD) + textwrap.dedent(body))
    return path


def looked(store, session, file, params=(), **more):
    plan = plan_of([file], params, [])
    return look_ahead(store, session, plan, [file], seed=3, **{"cuts": 40, **more})


@pytest.mark.parametrize(
    ("name", "session", "params"),
    [
        ("hold", "walk", []),
        ("ema_cross", "walk", ["fast=2", "slow=5"]),
        ("opening_range", "in-time", ["open_minute=870"]),
    ],
)
def test_what_comes_along_does_not_look_ahead(store, session, name, params):
    found = looked(store, session, strategy_file(name), params=params)
    assert not found.sees_ahead
    assert (found.peek, found.opened, found.early, found.same_state) == (None, [], 0, True)
    assert 5 < found.deciding == found.cuts_at_decisions
    assert 40 < found.cuts < found.inputs


BY_BARS = """
    def on_bar(s, bar, p, ctx):
        if bar.close > bar.open:
            enter(ctx, Side.BUY, quantity=10)

    strategy = Strategy("by_bars", Params, State, on_bar=on_bar, bars=Bars("1m"))
"""


def test_a_bar_that_is_there_as_it_begins_is_the_future(store, tmp_path):
    file = written(tmp_path, "by_bars", BY_BARS)
    found = looked(store, "too-soon", file)
    assert found.sees_ahead
    assert found.early == 30
    peek = found.peek
    bar = 1 + 2 * 18  # the definition, then a quote and a bar for each minute
    assert (peek.how, peek.without, peek.input["kind"], peek.decision.seq) == ("early", bar, "bar", bar)
    assert peek.decision.derived is None
    assert not looked(store, "in-time", file).sees_ahead
    assert not looked(store, "too-soon", file, skew_ns=60_000_000_000).sees_ahead, "clocks may be a minute apart"


def test_what_remembers_an_earlier_run_is_caught(store, tmp_path, monkeypatch):
    """The helper knows the day's highest bid once it has seen the day: a second time it buys below it alone."""
    (tmp_path / "highest_bid.py").write_text(
        "known = {}\ndef is_high(bid):\n"
        "    is_high = bid >= known.get('bid', 0.0)\n    known['bid'] = max(bid, known.get('bid', 0.0))\n    return is_high\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    file = written(
        tmp_path,
        "remembers",
        """
        import highest_bid

        def on_quote(s, quote, p, ctx):
            if highest_bid.is_high(quote.bid):
                enter(ctx, Side.BUY, quantity=10)

        strategy = Strategy("remembers", Params, State, on_quote=on_quote)
        """,
    )
    found = looked(store, "walk", file)
    del sys.modules["highest_bid"]
    assert (found.peek.how, found.peek.without) == ("memory", None)
    assert found.peek.decision.seq == 2
    assert (found.peek.decision.kind, found.peek.decision.derived) == ("intent", None)


def test_what_reads_beside_the_log_is_overheard(store, tmp_path, monkeypatch):
    (tmp_path / "levels.csv").write_text("10.3\n")
    (tmp_path / "read_levels.py").write_text(
        f"from pathlib import Path\nFILE = Path({str(tmp_path / 'levels.csv')!r})\n"
        "def level():\n    return float(FILE.read_text())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    file = written(
        tmp_path,
        "reads",
        """
        import read_levels

        def on_quote(s, quote, p, ctx):
            if quote.bid > read_levels.level():
                enter(ctx, Side.BUY, quantity=10)

        strategy = Strategy("reads", Params, State, on_quote=on_quote)
        """,
    )
    found = looked(store, "walk", file)
    del sys.modules["read_levels"]
    assert found.peek is None, "what is read is the same whatever is cut"
    assert found.sees_ahead
    assert found.opened == [f"opens {tmp_path / 'levels.csv'}"]


def test_what_reads_on_in_its_batch_is_caught(store, tmp_path, monkeypatch):
    (tmp_path / "reads_on.py").write_text(
        "import sys\nfrom pipeline.codes import Kind\n"
        "def highest_bid():\n"
        "    frame = sys._getframe()\n"
        "    while frame.f_code.co_qualname != 'Engine.reduce':\n        frame = frame.f_back\n"
        "    (quotes,) = [block for block in frame.f_locals['batch'] if block.kind is Kind.QUOTE]\n"
        "    return quotes.number('bid_nano').max() / 1e9\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    file = written(
        tmp_path,
        "reads",
        """
        import reads_on

        def on_quote(s, quote, p, ctx):
            s.count += 1
            if s.count == 20 and reads_on.highest_bid() >= 10.45:
                enter(ctx, Side.BUY, quantity=10)

        strategy = Strategy("reads", Params, State, on_quote=on_quote)
        """,
    )
    found = looked(store, "walk", file)
    del sys.modules["reads_on"]
    peek = found.peek
    assert peek.how == "batch"
    assert (peek.input["kind"], peek.input["bid_nano"]) == ("quote", 10_450_000_000), "the first that is high enough"
    assert (peek.decision.seq, peek.decision.derived) == (2 * 20, None)
    assert peek.cut_seq == peek.without - 1


def test_one_decision_that_knows_the_next_quote_is_enough(store, tmp_path, monkeypatch):
    """A random point hardly falls between the two: each check cuts behind decisions, too."""
    (tmp_path / "next_quote.py").write_text(
        "import sys\nfrom pipeline.codes import Kind\n"
        "def next_bid(ts_ns):\n"
        "    frame = sys._getframe()\n"
        "    while frame.f_code.co_qualname != 'Engine.reduce':\n        frame = frame.f_back\n"
        "    quotes = [block for block in frame.f_locals['batch'] if block.kind is Kind.QUOTE][0]\n"
        "    later = quotes.number('ts_recv_ns') > ts_ns\n"
        "    return quotes.number('bid_nano')[later].tolist()[:1]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    file = written(
        tmp_path,
        "knows",
        """
        import next_quote

        def on_quote(s, quote, p, ctx):
            s.count += 1
            if s.count == 30 and next_quote.next_bid(quote.ts_recv_ns):
                enter(ctx, Side.BUY, quantity=10)

        strategy = Strategy("knows", Params, State, on_quote=on_quote)
        """,
    )
    found = looked(store, "walk", file, cuts=1)
    del sys.modules["next_quote"]
    assert (found.peek.how, found.peek.decision.seq, found.peek.without) == ("batch", 60, 62)


def test_what_is_cut_off_is_not_even_in_memory():
    (batch,) = Day("ABCD").quote(1, 1.0, 1.1).quote(2, 2.0, 2.1).batches()
    views = between(batch, 1, 3)
    assert any(column.base is not None for block in views for column in numbers(block))
    assert all(column.base is None for block in alone(views) for column in numbers(block))
    assert first_difference(alone(views), views) is None


def numbers(block):
    return [column for column in block.columns.values() if isinstance(column, np.ndarray)]


def test_what_is_read_while_it_is_loaded_is_told_and_no_verdict(store, tmp_path, monkeypatch):
    (tmp_path / "at_load.csv").write_text("10.3\n")
    (tmp_path / "loads_levels.py").write_text(
        f"from pathlib import Path\nLEVEL = float(Path({str(tmp_path / 'at_load.csv')!r}).read_text())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    file = written(
        tmp_path,
        "loads",
        """
        from loads_levels import LEVEL

        def on_quote(s, quote, p, ctx):
            if quote.bid > LEVEL:
                enter(ctx, Side.BUY, quantity=10)

        strategy = Strategy("loads", Params, State, on_quote=on_quote)
        """,
    )
    told = tape(store.home, "lookahead-check", file, "--over", "walk", "--seed", 5, "--cuts", 3)
    del sys.modules["loads_levels"]
    assert told.returncode == 0
    assert f"  opens {tmp_path / 'at_load.csv'} when it is loaded" in told.stdout


def test_what_is_overheard_is_of_this_thread_and_those_it_starts(tmp_path):
    names = ("one", "mine", "later", "ours", "behind")
    files = {name: tmp_path / f"{name}.csv" for name in names}
    for path in files.values():
        path.write_text("1")
    go = threading.Event()

    def read_when_told(name):
        go.wait()
        files[name].read_text()

    ours = threading.Thread(target=read_when_told, args=["ours"])
    ours.start()
    with ThreadPoolExecutor(1) as pool:
        with overhearing() as heard:
            files["one"].read_text()
            files["one"].read_text()
            pool.submit(files["mine"].read_text).result()
            go.set()
            ours.join()
        files["behind"].read_text()
        pool.submit(files["later"].read_text).result()
    assert heard.said == [f"opens {files[name]}" for name in ("one", "mine", "later")]
    with overhearing(heard), socket.socket() as one, contextlib.suppress(OSError):
        one.connect(("127.0.0.1", 9))
    assert heard.said[3:] == ["connects to ('127.0.0.1', 9)"]


def test_a_thread_that_began_as_a_strategy_was_loaded_is_heard_while_it_decides(tmp_path):
    with overhearing() as at_load, ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        with overhearing() as heard:
            pool.submit(os.listdir, tmp_path).result()
    assert heard.said == at_load.said == [f"lists {tmp_path}"]


def forked(path):
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


def spawned(path):
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


def sent(path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", ("127.0.0.1", 9))


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (os.listdir, "lists {}"),
        (lambda path: list(os.scandir(path)), "lists {}"),
        (lambda path: [*path.glob("*.csv")], "lists {}"),
        (lambda path: (path / "levels.py").read_text(), "opens {}/levels.py"),
        (lambda path: os.close(os.open(path / "levels.so", os.O_RDONLY)), "opens {}/levels.so"),
        (forked, "forks"),
        (spawned, "starts /bin/true"),
        (sent, "sends to ('127.0.0.1', 9)"),
        (lambda _: socket.getaddrinfo("127.0.0.1", 80), "looks up 127.0.0.1"),
    ],
)
def test_whichever_way_something_is_asked_it_is_overheard(tmp_path, done, said):
    for name in ("levels.py", "levels.so"):
        (tmp_path / name).write_text("10.3")
    with overhearing() as heard:
        done(tmp_path)
    assert heard.said == [said.format(tmp_path)]


@pytest.mark.parametrize("is_kept", [False, True])
def test_what_python_loads_is_no_data_and_what_lies_beside_it_is(tmp_path, monkeypatch, is_kept):
    (tmp_path / "loaded_now.py").write_text("import sqlite3.dump\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", not is_kept)
    with contextlib.suppress(ImportError):
        importlib.import_module("importlib_metadata")  # whoever loads it has it answer for Python's own from then on
    with overhearing() as heard:
        importlib.import_module("loaded_now")
        importlib.metadata.version("numpy")
        zoneinfo.ZoneInfo.no_cache("America/New_York")
    del sys.modules["loaded_now"]
    assert heard.said == []
    packages, library = sysconfig.get_path("purelib"), sysconfig.get_path("stdlib")
    beside = [f"{sys.prefix}-data/levels.csv", f"{packages}/levels/levels.csv"]
    with overhearing() as heard:
        for path in [*beside, f"{library}/levels.txt", f"{packages}/levels.py", f"{packages}/holidays/locale/XNYS.mo"]:
            with contextlib.suppress(OSError):
                open(path).close()  # noqa: PTH123 - the event, not the file
    assert heard.said == [f"opens {path}" for path in beside]


@pytest.mark.parametrize("begins", [1, 2, 7, 40])
def test_where_something_begins_to_hold_is_found(begins):
    assert first_true(0, 40, lambda number: number >= begins) == begins


def test_the_command_says_it_in_a_line_and_the_seed_repeats_it(store, tmp_path):
    sound = tape(store.home, "lookahead-check", "hold", "--over", "walk", "--seed", 5, "--cuts", 3)
    assert sound.returncode == 0
    assert "hold over walk: does not look ahead" in sound.stdout.splitlines()[0]
    assert "(seed 5)" in sound.stdout
    file = written(tmp_path, "by_bars", BY_BARS)
    caught = tape(store.home, "lookahead-check", file, "--over", "too-soon", "--seed", 5)
    assert caught.returncode == 1
    first = caught.stdout.splitlines()[0]
    assert (
        first
        == "by_bars over too-soon: LOOKS AHEAD: the decision at seq 37 changes when the input 37 is not there (seed 5)"
    )
    assert caught.stdout == tape(store.home, "lookahead-check", file, "--over", "too-soon", "--seed", 5).stdout


def test_where_nothing_is_decided_nothing_is_shown(store):
    told = tape(store.home, "lookahead-check", "opening_range", "--over", "walk", "--seed", 5)
    assert told.returncode == 2
    assert told.stdout == "opening_range over walk: decides nothing, so nothing could be compared (seed 5)\n"
    assert "nothing is decided in it" in told.stderr


def test_a_run_is_refused(store):
    file = strategy_file("hold")
    run = replay(store, "walk", plan_of([file], [], []), [file], created_ns=1).run
    with pytest.raises(NotFoundError, match="is a run: name its session walk"):
        looked(store, run, file)
