"""The real worker, as a page uses it: answers, refusals, limits, and that nothing is left of what was killed."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from attacks import FILES, SECRET, attacks
from blake3 import blake3
from warehouse_samples import DECISIONS, INPUTS, written

from pipeline.log import proved
from pipeline.log.store import Store
from pipeline.sandbox import asking
from pipeline.sandbox.asking import Answer, NoAnswer, Sandbox
from pipeline.sandbox.closing import Protection
from pipeline.sandbox.examples import EXAMPLES
from pipeline.sandbox.landlock import abi
from pipeline.sandbox.speech import Limits
from pipeline.sandbox.worker import BOOT
from warehouse import connect, named_in
from warehouse.kept import Entry
from warehouse.reading import Reading
from warehouse.views import views


def rows(answer):
    assert isinstance(answer, Answer), answer
    return [tuple(row.values()) for row in answer.table.to_pylist()]


def test_it_answers_as_the_warehouse_does(sandbox, home):
    sql = "select session, run, seq, symbol, price from fills order by all"
    for over in (["all"], ["last-run"], ["open"]):
        answer = sandbox.ask(sql, over)
        assert rows(answer) == connect(home, over, asked=named_in(sql)).sql(sql).fetchall()
        assert (answer.cut, answer.protection.landlock_abi) == ("", abi())


def test_slow_answers_are_kept_by_who_asks_for_a_worker_can_not_write(tmp_path):
    """And read by the worker: what it would work out itself it can't keep, and has five seconds for."""
    written(tmp_path, [*INPUTS, *DECISIONS], state="sealed")
    with Sandbox(tmp_path, answers_per_worker=100) as sandbox:
        sandbox.protection()
        begun_before = sandbox._spare.pid
        assert rows(sandbox.ask("select count(*) from trades", ["day"])) == [(1,)]
        assert sandbox._spare.pid != begun_before  # that one may not look into a folder that it did not find
        kept = tmp_path / "cache" / "marts" / "day" / "trades.parquet"
        pq.write_table(pa.concat_tables([pq.read_table(kept)] * 3), kept)  # what nobody would work out
        entry = proved.read(kept.with_suffix(".json"), Entry)
        changed = msgspec.structs.replace(entry, blake3=blake3(kept.read_bytes()).hexdigest())
        kept.with_suffix(".json").write_bytes(proved.encoded(changed))
        assert rows(sandbox.ask("select count(*) from trades", ["day"])) == [(3,)]


def test_rows_are_the_same_when_arrow_reads_the_files(home):
    """Of every kind as it was recorded, and of one answer that is kept: all others are made of these."""
    asked = [view for view in views() if view.name.startswith("staging.") or view.name == "trades"]
    plain = connect(home, asked=asked)
    checked = connect(home, asked=asked, reading=Reading(through_arrow=True, settings=("set threads = 2",)))
    checked.execute("set enable_external_access = false")
    for view in asked:
        told = [each.sql(f"select * from {view.name} order by all").fetchall() for each in (plain, checked)]
        assert repr(told[0]) == repr(told[1]), view.name


def test_a_page_that_is_damaged_after_it_was_proved_is_found_by_its_own_check(tmp_path):
    written(tmp_path, [*INPUTS, *DECISIONS], state="sealed")
    (path,) = (tmp_path / "sessions" / "day").rglob("kind=quote/*.parquet")
    connection = connect(tmp_path, asked=named_in("from quotes"), reading=Reading(through_arrow=True))
    content = bytearray(path.read_bytes())
    content[len(content) // 8] ^= 1
    path.write_bytes(content)
    with pytest.raises((duckdb.Error, OSError)):
        connection.sql(
            "select sum(columns(*)) from (select columns(c -> c like '%_nano' or c like '%_ns') from quotes)"
        ).fetchall()


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.title for example in EXAMPLES])
def test_every_example_runs(sandbox, example):
    rows(sandbox.ask(example.sql, ["day"]))


def test_attacks_meet_the_gate_of_the_real_worker(sandbox, home):
    for sql in attacks(FILES, home / "accounts" / "kept.csv", home / "out"):
        answer = sandbox.ask(sql)
        assert isinstance(answer, NoAnswer)
        assert answer.what == "refused", sql
        assert SECRET not in answer.line


@pytest.mark.parametrize(
    ("sql", "over", "what", "told"),
    [
        ("select bidd from quotes", ["day"], "failed", "bidd"),
        ("select symbol::integer from quotes", ["day"], "failed", "Could not convert"),
        ("select 1", ["nosuch"], "failed", "names nothing"),
        ("select '\ud800'", ["day"], "refused", "half of a pair"),
        ("select 1", ["x" * 30_000], "refused", "name fewer"),
        ("x" * 30_000, ["day"], "refused", "20,000 are accepted"),
        ("select repeat('x', 3000000000)", ["day"], "stopped", "512 MB"),
        ("select repeat('x', 1000000) from range(1000)", ["day"], "stopped", "512 MB"),
    ],
    ids=["column", "cast", "log", "text", "names", "length", "text memory", "memory of the process"],
)
def test_what_is_not_answered_says_why_in_a_line(sandbox, sql, over, what, told):
    answer = sandbox.ask(sql, over)
    assert isinstance(answer, NoAnswer), answer
    assert answer.what == what
    assert told in answer.line
    assert "\n" not in answer.line


def test_many_rows_and_long_ones_are_cut_and_it_says_so(sandbox):
    many = sandbox.ask("select * from range(100000000) a, range(1000) b")
    assert (many.table.num_rows, many.cut) == (200_000, "the first 200,000 rows")
    long = sandbox.ask("select repeat('x', 10000) from range(100000)")
    assert 0 < long.table.nbytes <= 50_000_000
    assert "50 MB" in long.cut
    one = sandbox.ask("select repeat('x', 60000000)")
    assert (one.table.num_rows, one.cut) == (0, long.cut)


def test_a_result_of_every_type_comes_through(sandbox):
    (row,) = rows(
        sandbox.ask(
            "select 1::hugeint, 'a'::blob, [1, null], {'a': [1]}, map {'k': 1}, interval 1 day, date '2020-01-01', time '01:02:03',"
            " timestamptz '2020-01-01 00:00:00+00', timestamp_ns '2020-01-01 00:00:00', uuid(), '[1]'::json, 1.5::decimal(38, 10),"
            " null, 'x'::enum('x', 'y'), true, 'NaN'::double"
        )
    )
    assert row[2:4] == ([1, None], {"a": [1]})


@pytest.fixture(scope="module")
def hasty(home):
    """A sandbox whose DuckDB never gives up by itself, and that waits two seconds."""
    with Sandbox(home, Limits(execution_ms=10**8, wall_s=2.0)) as sandbox:
        yield sandbox


def test_what_takes_too_long_is_killed_and_nothing_is_left_of_it(hasty, monkeypatch):
    begun = []
    begin = asking.subprocess.Popen

    def watched(*arguments, **named):
        begun.append(begin(*arguments, **named))
        return begun[-1]

    monkeypatch.setattr(asking.subprocess, "Popen", watched)
    answer = hasty.ask("select count(*) from range(1000000000) a, range(1000000) b")
    assert isinstance(answer, NoAnswer)
    assert (answer.what, answer.line) == (
        "stopped",
        "it took longer than 2 s and was ended: ask for less, or over fewer logs",
    )
    killed, spare = begun
    with pytest.raises(ProcessLookupError):
        os.kill(killed.pid, 0)
    assert rows(hasty.ask("select 42")) == [(42,)]  # by the one that was in spare
    with pytest.raises(ProcessLookupError):
        os.kill(spare.pid, 0)


def test_each_statement_has_a_worker_of_its_own_and_nobody_is_left(hasty):
    hasty.protection()
    spare = hasty._spare.pid
    assert rows(hasty.ask("select 1")) == [(1,)]
    assert hasty._spare.pid != spare
    last = hasty._spare.pid
    hasty.close()
    for pid in (spare, last):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_worker_that_died_meanwhile_is_replaced(sandbox):
    sandbox.protection()
    os.kill(sandbox._spare.pid, 9)
    sandbox._spare._process.wait()
    assert rows(sandbox.ask("select 1")) == [(1,)]


def begun(home, wall_s=0.0):
    """A worker as it is begun, and what is said to it."""
    told = json.dumps({"wall_s": wall_s, "process_bytes": Limits().process_bytes})
    return subprocess.Popen(
        [sys.executable, "-I", "-B", "-c", BOOT, str(home), told], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}
    )


def test_a_worker_ends_with_who_began_it(home):
    with begun(home) as worker:
        assert json.loads(worker.stdout.readline())["type"] == "ready"
        worker.stdin.close()  # as the system does when he dies
        assert worker.wait(timeout=100) == 0


def test_a_statement_ends_by_the_systems_own_hand_when_nobody_is_left_to_kill(home):
    statement = {"type": "ask", "sql": "select count(*) from range(1000000000) a, range(1000000) b", "over": ["day"]}
    with begun(home, wall_s=-1.5) as worker:  # half a second, then
        for said in (statement, {"type": "go_on"}):
            worker.stdin.write(json.dumps(said).encode() + b"\n")
        worker.stdin.flush()
        assert worker.wait(timeout=100) in (-signal.SIGALRM, -signal.SIGXCPU)


def test_what_protects_is_told(sandbox):
    told = sandbox.protection()
    assert isinstance(told, Protection)
    assert told.landlock_abi == abi()
    assert bool(told.weaker) == (abi() < 6 or not told.no_sockets)


def test_several_threads_may_ask(sandbox):
    found = []
    threads = [
        threading.Thread(target=lambda number=number: found.extend(rows(sandbox.ask(f"select {number}"))))
        for number in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [(0,), (1,), (2,)]


def test_an_empty_store_and_one_that_grows_are_answered(tmp_path):
    with Sandbox(tmp_path, answers_per_worker=100) as sandbox:
        assert rows(sandbox.ask("select count(*) from sessions")) == [(0,)]
        written(tmp_path, [*INPUTS, *DECISIONS], state="sealed")
        assert rows(sandbox.ask("select count(*) from sessions")) == [(1,)]
        assert [session.id for session in Store(tmp_path).sessions()] == ["day"]


def test_the_environment_of_who_asks_is_not_the_workers(sandbox):
    assert os.environ["TAPE_TEST_KEY"] == SECRET
    sandbox.protection()
    try:
        told = Path(f"/proc/{sandbox._spare.pid}/environ").read_bytes()
    except OSError:
        pytest.skip("this system doesn't show the environment of a process")
    assert told == b""


def test_the_page_of_the_docs_says_the_limits_and_its_lines_run(home):
    text = (Path(__file__).parents[2] / "docs" / "sql_page.md").read_text()
    limits = Limits()
    told = [
        f"{limits.statement_chars:,} characters",
        f"| {limits.rows:,} |",
        f"| {limits.bytes // 10**6} MB |",
        f"| {limits.memory_mb} MB",
    ]
    told += [
        f"{limits.execution_ms // 1000} s by DuckDB's clock, {limits.wall_s:g} s by",
        f"| {limits.load_s:g} s |",
        f"| {limits.threads} |",
    ]
    for each in [*told, f"{limits.process_bytes >> 30} GiB", f"| {asking.AT_ONCE_MAX} |"]:
        assert each in text, each
    lines = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    names = {}
    exec("\n".join(lines).replace('"data"', repr(str(home))), names)
    assert isinstance(names["answer"], Answer)
