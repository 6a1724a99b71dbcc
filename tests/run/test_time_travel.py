"""Time travel: any moment is the one that reducing from the start comes to, whatever became of the waypoints."""

import json
import shutil
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
from blake3 import blake3
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.cli import main
from pipeline.core.engine import Engine, Plan
from pipeline.core.frozen import freeze
from pipeline.errors import ConfigError, NotFoundError
from pipeline.log import manifest as manifests
from pipeline.log import trail
from pipeline.log.manifest import code_hash
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.generating import record_generated
from pipeline.run.loading import load_strategy
from pipeline.run.looking import compare, look, moves_between
from pipeline.run.moves import moves_in
from pipeline.run.replaying import replay
from pipeline.run.scanners import scanner_plan
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.traveling import Traveler, journey_of_log, journey_over
from pipeline.simulator.generate import Day
from pipeline.units import iso_from_ns

FILE = strategy_file("opening_range")
PARAMS = ["open_minute=480"]
SPACING = 500


@pytest.fixture(autouse=True, scope="module")
def narrow():
    """Waypoints close to each other, so that a short day has many."""
    before, trail.SPACING = trail.SPACING, SPACING
    yield
    trail.SPACING = before


@pytest.fixture(scope="module")
def day(tmp_path_factory, narrow):
    """A store with a session and two runs over it; the inputs' session times by seq."""
    store = Store(tmp_path_factory.mktemp("store"))
    plan = plan_of([FILE], PARAMS, [])
    session = record_generated(store, Day(quotes=1_200, instruments=3), plan, [FILE], created_ns=1)
    runs = [
        replay(store, session.id, plan_of([FILE], [*PARAMS, f"minutes={minutes}"], []), [FILE], created_ns=2).run
        for minutes in (5, 9)
    ]
    times = np.zeros(session.inputs + 1, np.int64)
    for blocks in LogReader(store.folder(session.id)).batches():
        for block in blocks:
            times[block.number("seq")] = block.number("ts_recv_ns")
    return store, session, runs, np.maximum.accumulate(times)


@pytest.fixture(scope="module")
def states(day):
    """The frozen state behind an input, reduced from the start."""
    store, session, _, _ = day
    strategy = load_strategy(FILE)
    known = {}

    def behind(seq):
        if seq not in known:
            engine = Engine([Plan(strategy, strategy.Params(open_minute=480))])
            for blocks in LogReader(store.folder(session.id)).batches(to_seq=seq):
                engine.reduce(blocks)
            known[seq] = freeze(engine.snapshot())
        return known[seq]

    return behind


def trail_files(store):
    return sorted((store.home / trail.FOLDER).glob(f"*/{trail.FILE}"))


def traveled(store, name):
    return Traveler(store, journey_of_log(store, name))


def test_a_replay_leaves_waypoints_and_the_session_shares_them(day):
    store, session, runs, _ = day
    assert len(trail_files(store)) == 2
    plan = plan_of([FILE], PARAMS, [])
    for journey in (
        journey_of_log(store, runs[0]),
        journey_of_log(store, session.id),
        journey_over(store, session.id, plan, [FILE]),
    ):
        with Traveler(store, journey) as traveler:
            assert [place.seq for place in traveler._trail.places] == list(range(SPACING, session.inputs + 1, SPACING))
    assert len(trail_files(store)) == 2


@given(st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_state_is_that_of_reducing_from_the_start(day, states, data):
    store, session, runs, times = day
    seq = data.draw(st.integers(1, session.inputs))
    with traveled(store, runs[0]) as traveler:
        assert traveler.at(seq).state == states(seq)
        ts_ns = int(times[seq])
        last = int(np.searchsorted(times, ts_ns, side="right")) - 1
        assert traveler.seq_at(ts_ns) == last
        assert traveler.seq_at(int(times[1]) - 1) == 0
        assert traveler.seq_at(int(times[-1]) + 10**12) == session.inputs


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "gone", "index"])
def test_damaged_waypoints_are_done_without(day, states, tmp_path, harm):
    store, _session, runs, _ = day
    store = Store(shutil.copytree(store.home, tmp_path / "store"))
    seq = 2 * SPACING + 77
    for path in trail_files(store):
        content = bytearray(path.read_bytes())
        if harm == "flip":
            content[len(content) // 4] ^= 1
            path.write_bytes(content)
        elif harm == "cut":
            path.write_bytes(content[: len(content) // 3])
        elif harm == "empty":
            path.write_bytes(b"")
        elif harm == "gone":
            shutil.rmtree(path.parent)
        else:
            (path.parent / "index.json").write_bytes(b"?")
    for _ in range(2):
        with traveled(store, runs[0]) as traveler:
            stop = traveler.at(seq)
            assert stop.state == states(seq)
            expected = [
                move for move in moves_in(LogReader(store.folder(runs[0])), {1: "", 2: "", 3: ""}) if move.seq <= seq
            ]
            assert [move.seq for move in moves_between(traveler, 0, stop)] == [move.seq for move in expected]


def test_moves_between_two_moments_are_those_of_the_log(day):
    store, session, runs, _ = day
    symbols = {row["instrument_id"]: row["symbol"] for row in manifests.load(store.folder(runs[0])).instruments}
    whole = moves_in(LogReader(store.folder(runs[0])), symbols)
    assert len(whole) > 5
    with traveled(store, runs[0]) as traveler:
        for after, until in pairwise([0, 700, 1_300, 1_301, session.inputs]):
            stop = traveler.at(until)
            assert moves_between(traveler, after, stop) == [move for move in whole if after < move.seq <= until]
    for before, after in pairwise([move for move in whole if move.symbol == symbols[1]]):
        assert after.from_phase == before.to_phase
        assert after.seconds_in_phase == (after.ts_ns - before.ts_ns) / 1e9


def test_what_differs_is_told_field_by_field(day):
    store, _, runs, _ = day
    symbols = {row["instrument_id"]: row["symbol"] for row in manifests.load(store.folder(runs[0])).instruments}
    move = next(move for move in moves_in(LogReader(store.folder(runs[0])), symbols) if move.to_phase == "entering")
    with traveled(store, runs[0]) as traveler:
        before = look(traveler, traveler.at(move.seq - 1), move.symbol)
        stop = traveler.at(move.seq)
        (found,) = compare(before, look(traveler, stop, move.symbol), moves_between(traveler, move.seq - 1, stop))
    changes = {(change.section, change.name): (change.before, change.after) for change in found.changes}
    assert changes["state", "phase"] == ("watching", "entering")
    assert (found.before.phase, found.after.phase) == ("watching", "entering")
    assert changes["position", "open_orders"] == (0, 1)
    assert any(section.startswith("order ") for section, _ in changes)
    assert [(each.from_phase, each.to_phase) for each in found.moves] == [("watching", "entering")]
    assert ("state", "day") not in changes


def test_two_versions_at_one_moment(day):
    store, session, runs, _ = day
    with traveled(store, runs[0]) as one, traveled(store, runs[1]) as other:
        seq = session.inputs // 2
        pairs = compare(look(one, one.at(seq), "ABCD"), look(other, other.at(seq), "ABCD"), [])
    (found,) = pairs
    assert {change.section for change in found.changes} >= {"state", "account"}
    assert ("quote", "bid") not in {(change.section, change.name) for change in found.changes}


def test_a_moment_shows_what_the_engine_knows(day):
    store, session, runs, _ = day
    with traveled(store, runs[0]) as traveler:
        (moment,) = look(traveler, traveler.at(session.inputs), "BRNX")
    strategy = load_strategy(FILE)
    engine = Engine([Plan(strategy, strategy.Params(open_minute=480))])
    for blocks in LogReader(store.folder(session.id)).batches():
        engine.reduce(blocks)
    state = engine.state_of(1, 2)
    told = moment.sections["state"]
    assert told["range.high"] == state.range.high
    assert told["phase"] == moment.phase == strategy.phases(state.phase).name.lower()
    assert moment.sections["indicators"]["vwap.value"] == state.vwap.value
    assert moment.sections["quote"]["bid"] == engine.world.instruments[2].bid
    assert moment.sections["position"]["realized"] == engine.world.positions[2].realized
    assert moment.sections["account"]["cash"] == engine.world.account.cash


def test_a_run_of_other_code_is_asked_by_its_own(day, states, tmp_path):
    store, session, runs, _ = day
    store = Store(shutil.copytree(store.home, tmp_path / "store"))
    folder = store.folder(runs[0])
    changed = folder / "code" / "pipeline/core/venue.py"
    changed.write_text(changed.read_text() + "\n# as it was then\n")
    code = {**store.manifest(runs[0]).code, "pipeline/core/venue.py": blake3(changed.read_bytes()).hexdigest()}
    manifests.update(folder, code=code, code_hash=code_hash(code))
    journey = journey_of_log(store, runs[0])
    assert journey.recorded == folder / "code"
    for _ in range(2):  # the second time from waypoints that its own code left
        with Traveler(store, journey) as traveler:
            stop = traveler.at(session.inputs - 10)
            assert stop.state == states(session.inputs - 10)
            theirs = look(traveler, stop, "ABCD")
            moved = moves_between(traveler, 0, stop)
    with traveled(store, session.id) as traveler:
        stop = traveler.at(session.inputs - 10)
        assert msgspec.to_builtins(look(traveler, stop, "ABCD")) == msgspec.to_builtins(theirs)
        assert moves_between(traveler, 0, stop) == moved
    without = {name: hash_ for name, hash_ in code.items() if name != "pipeline/run/outline.py"}
    manifests.update(folder, code=without, code_hash=code_hash(without))
    with pytest.raises(ConfigError, match="keeps code that can't be asked for its state"):
        journey_of_log(store, runs[0])


def test_what_is_not_sealed_has_no_trail_and_the_same_states(day, states, tmp_path):
    store, session, _runs, _ = day
    with traveled(store, session.id) as traveler:
        traveler._trail.__exit__(None, None, None)
        traveler._trail = None
        stop = traveler.at(1_234)
        assert stop.state == states(1_234)
        assert stop.since == 0


def test_what_can_not_be_asked_is_refused(day):
    store, session, runs, _ = day
    with traveled(store, runs[0]) as traveler:
        with pytest.raises(NotFoundError, match=f"seq 0: .* has 1 to {session.inputs}"):
            traveler.at(0)
        with pytest.raises(
            NotFoundError, match="no symbol 'ABCE' is known at seq 900: there is ABCD, BRNX, CRVQ; did you mean ABCD"
        ):
            look(traveler, traveler.at(900), "ABCE")
        with pytest.raises(NotFoundError, match=r"no strategy 'hold' in .*: there is opening_range"):
            look(traveler, traveler.at(900), "ABCD", "hold")
    with pytest.raises(ConfigError, match=f"its session is {session.id}"):
        journey_over(store, runs[0], plan_of([FILE], [], []), [FILE])


def tape(store, *arguments):
    done = CliRunner().invoke(main, ["--home", str(store.home), "state", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    return done


def test_the_command_tells_a_moment(day):
    store, session, runs, times = day
    at = iso_from_ns(int(times[900]))
    text = tape(store, session.id, "--strategy", "opening_range", "--param", PARAMS[0], "--symbol", "ABCD", "--at", at)
    assert text.exit_code == 0, text.output
    assert "America/New_York" in text.output
    assert "opening_range in ABCD: " in text.output
    asked = [runs[0], "--symbol", "ABCD", "--at", at]
    told = json.loads(tape(store, *asked, "--json").output)
    assert told["seq"] >= 900
    assert told["moments"][0]["sections"]["state"]["phase"] == told["moments"][0]["phase"]
    assert json.loads(tape(store, runs[0], "--symbol", "ABCD", "--seq", str(told["seq"]), "--json").output) == told
    everybody = tape(store, runs[0], "--seq", "900").output
    assert [line.split()[1] for line in everybody.splitlines()[1:4]] == ["ABCD", "BRNX", "CRVQ"]


def test_the_command_reads_times_by_the_exchanges_clock_or_another(day):
    store, _session, runs, _ = day
    seqs = [
        json.loads(tape(store, runs[0], "--symbol", "ABCD", "--at", *words, "--json").output)["seq"]
        for words in (
            ["04:10"],
            ["2026-11-04T04:10"],
            ["09:10Z"],
            ["09:10", "--tz", "UTC"],
            ["2026-11-04T18:10", "--tz", "Asia/Tokyo"],
        )
    ]
    assert len(set(seqs)) == 1


def test_the_command_tells_differences_and_moves(day):
    store, session, runs, _times = day
    text = tape(store, runs[0], "--symbol", "ABCD", "--at", "03:04", "--diff", "03:30").output
    assert "state: phase" in text
    assert "seconds in phase" in text
    told = json.loads(tape(store, runs[0], "--symbol", "ABCD", "--seq", "300", "--diff", "900", "--json").output)
    assert [each["before"]["seq"] for each in told["compared"]] == [300]
    against = tape(store, runs[0], "--symbol", "ABCD", "--seq", "900", "--against", runs[1])
    assert against.exit_code == 0
    table = tape(store, runs[0], "--transitions").output.splitlines()
    assert table[0].split() == [
        "time",
        "(America/New_York)",
        "symbol",
        "strategy",
        "from",
        "to",
        "reason",
        "seq",
        "seconds",
        "in",
        "phase",
    ]
    moves = json.loads(
        tape(store, session.id, "--strategy", "opening_range", "--param", PARAMS[0], "--transitions", "--json").output
    )
    assert len(moves["moves"]) == len(table) - 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--at", "02:00"], "is before the first input of generated-7, 2026-11-04T08:00:00"),
        (["--at", "25:00"], "moment '25:00'"),
        (["--at", "03:10", "--tz", "Mars"], "time zone 'Mars' is unknown"),
        (["--seq", "900", "--symbol", "ZZZ"], "no symbol 'ZZZ' is in this session: there is ABCD"),
        (["--at", "03:10", "--symbol", "ABCE"], "did you mean ABCD?"),
        (["--transitions", "--symbol", "ABCE", "--json"], "did you mean ABCD?"),
        (["--seq", "99999999"], "seq 99999999: "),
        (["--seq", "900", "--diff", "400"], "--diff 400 is before 900"),
        (["--seq", "900", "--at", "03:10"], "say one of --at TIME, --seq N and --transitions"),
        (["--seq", "900", "--param", "minutes=3"], "a log has its own parameters"),
        (["--seq", "900", "--against", "nothing"], "'nothing' names nothing"),
    ],
)
def test_the_command_refuses_in_one_line(day, words, told):
    store, _, runs, _ = day
    done = tape(store, runs[0], *words)
    assert done.exit_code == 2
    assert told in done.output


def test_a_run_behind_a_scanner_can_be_asked_too(day):
    store, session, _, times = day
    chosen = scanner_plan(Path("scanners/running_up.toml"))
    plan = msgspec.structs.replace(plan_of([FILE], PARAMS, []), scanners=(chosen,))
    run = replay(store, session.id, plan, [FILE], created_ns=3, until_ns=int(times[1_000])).run
    with traveled(store, run) as traveler:
        moments = look(traveler, traveler.at(900), None)
        again = traveler.regated(901)
        assert {block.kind: len(block) for block in again} == {
            block.kind: len(block) for block in traveler.regated(901)
        }
    assert [moment.seq for moment in moments] == [900] * 3
