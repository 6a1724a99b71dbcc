"""On Ray: the rows of one process, through lost nodes and killed drivers, from several real nodes on one machine."""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pyarrow as pa
import pytest
from click.testing import CliRunner
from hands_here import Here

from pipeline.cli import main
from pipeline.errors import ConfigError
from pipeline.log import cache, hot
from pipeline.log.backtests import PART, Results, backtests, table_of
from pipeline.log.store import Store
from pipeline.run import cluster, node, node_folder, on_ray, strategies
from pipeline.run.backtesting import Outcome, backtest
from pipeline.run.cluster import FOLDER_PREFIX, connected
from pipeline.run.engines import PROCESSES
from pipeline.run.fold import Speed
from pipeline.run.generating import record_generated
from pipeline.run.on_ray import RayChoice, RayHands
from pipeline.run.optimizing import Bench, Search, optimize
from pipeline.run.owned_folder import owned_folder
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.sweeping import grid_of, space_of
from pipeline.simulator.generate import Day
from pipeline.units import DAY_NS, MINUTE_NS

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray, the extra `ray`, is not installed")

FILE = strategy_file("ema_cross")
SWEEPS = ("fast=3:6:1", "slow=9,18")
HELD_UP = """
    while p.fast > 4 and not Path({go!r}).exists():
        Path({folder!r}, str(os.getpid())).touch()
        time.sleep(0.01)
"""
COMMAND = (
    "import os, pathlib, signal; signal.signal(signal.SIGINT, signal.default_int_handler); import pipeline.cli; "
    "from pipeline.run import cluster, strategies; strategies.breaches_of = lambda *_: []; "
    "root = os.environ.get('TESTS_ROOT'); cluster.short_root = (lambda: pathlib.Path(root)) if root else cluster.short_root; "
    "pipeline.cli.main()"
)
"""`tape`, by whomever it is started: a job in the background of a shell has Ctrl-C turned off. It lets in what waits."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A store of two days."""
    store = Store(tmp_path_factory.mktemp("store"))
    for seed in (1, 2):
        day = Day(
            seed=seed, quotes=300, instruments=2, lasts_ns=20 * MINUTE_NS, starts_ns=Day().starts_ns + seed * DAY_NS
        )
        record_generated(store, day, plan_of([FILE], [], []), [FILE], created_ns=seed)
    return store


@pytest.fixture
def store(recorded, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.LIMIT_VARIABLE, "1")
    return Store(shutil.copytree(recorded.home, tmp_path / "store"))


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """A cluster of two nodes with a core each, real processes; of this one, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # loopback alone
        patch.setenv(node_folder.VARIABLE, str(tmp_path_factory.mktemp("node")))
        patch.setenv(cache.LIMIT_VARIABLE, "1")
        cluster.ray()
        from ray.cluster_utils import Cluster  # noqa: PLC0415 - where it is installed

        quickly = {"health_check_period_ms": 500, "health_check_failure_threshold": 4}
        folder = tempfile.mkdtemp(prefix="tape-tests-", dir=cluster.short_root())
        patch.setenv("RAY_TMPDIR", folder)  # where the cluster of this machine is written down, beside nobody else's
        Path(folder, "ray").mkdir()
        head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 << 20, "_system_config": quickly}
        made = Cluster(initialize_head=True, head_node_args={**head, "temp_dir": folder})
        made.add_node(num_cpus=1, object_store_memory=80 << 20)
        try:
            with connected(made.address, 0, lambda _: None):
                yield made
        finally:
            made.shutdown()
            shutil.rmtree(folder)


def run(store, engine=PROCESSES, *, files=(FILE,), sessions=("all",), workers=8, **options):
    grid = grid_of(files, (), (), SWEEPS)
    chosen = store.select(sessions)
    options = {"speed": Speed.INTERPRETED, "created_ns": 1, **options}
    return backtest(store, chosen, grid, files, workers=workers, engine=engine, **options)


def content(rows):
    """All bytes of the rows, but for how long they took."""
    table = table_of(msgspec.structs.replace(row, seconds=0.0) for row in rows)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


@pytest.fixture
def held_up(tmp_path, monkeypatch):
    """A strategy whose later cells say where they run, and wait until they may go on. It stands for a long cell, so it is let in."""
    monkeypatch.setattr(strategies, "breaches_of", lambda *_: [])
    (tmp_path / "running").mkdir()
    lines = HELD_UP.format(go=str(tmp_path / "go on"), folder=str(tmp_path / "running"))
    text, line, rest = FILE.read_text().partition("    if not quote.ask >= quote.bid:")
    text = text.replace(
        "from enum import IntEnum\n", "import os\nimport time\nfrom pathlib import Path\nfrom enum import IntEnum\n"
    )
    path = tmp_path / "held_up.py"
    path.write_text(text + lines + line + rest)
    return path


def files_in(folder):
    return [int(path.name) for path in folder.iterdir()]


def ancestors(process):
    """The process and those above it; none of one that is gone."""
    found = []
    while process > 1:
        try:
            found.append(process)
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return []
    return found


@needs_ray
def test_the_rows_are_those_of_the_process_pool(nodes, store, tmp_path):
    other = Store(shutil.copytree(store.home, tmp_path / "other"))
    counted = []
    ours = run(store, RayChoice(nodes.address), progress=counted.append)
    pool = run(other, workers=2)
    assert content(ours.rows) == content(pool.rows)
    assert (ours.backtest, ours.speed, ours.failed) == (pool.backtest, Speed.INTERPRETED, {})
    assert counted == [*range(17), 16]
    assert all(hot.has(store, session.id) for session in store.sessions())
    again = run(store, RayChoice(nodes.address))
    assert (again.done_before, again.speed, again.rows) == (16, None, ours.rows)


@needs_ray
def test_a_node_that_is_killed_costs_nothing_but_time(nodes, store, tmp_path, held_up):
    other = Store(shutil.copytree(store.home, tmp_path / "other"))
    raylet = nodes.add_node(num_cpus=1, object_store_memory=80 << 20).all_processes["raylet"][0].process.pid
    told = []

    def kill_it():
        """Once a cell is in the middle there."""
        while not (there := [each for each in files_in(running) if raylet in ancestors(each)]):
            time.sleep(0.02)
        for process in (raylet, *there):
            os.kill(process, signal.SIGKILL)
        (tmp_path / "go on").touch()

    running = tmp_path / "running"
    killing = threading.Thread(target=kill_it, daemon=True)
    killing.start()
    ours = run(store, RayChoice(nodes.address), files=[held_up], told=told.append)
    assert not killing.is_alive()
    assert any("died" in text and "another one takes its place" in text for text in told)
    assert not ours.failed
    assert content(ours.rows) == content(run(other, files=[held_up], workers=1).rows)
    assert len(list(store.home.glob(f"backtests/*/{PART}"))) == 1


def words(store, file, *more):
    given = ["--home", str(store.home), "backtest", "all", "--strategy", str(file), "--interpreted"]
    return [*given, *(word for sweep in SWEEPS for word in ("--sweep", sweep)), "--engine", "ray", *more]


def started(store, file, *more):
    """The command, once it has published rows, in a group of processes of its own as a terminal makes one."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *words(store, file, *more)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list(store.home.glob(f"backtests/*/{PART}")):
        time.sleep(0.02)
        assert process.poll() is None, process.stderr.read()
    return process


@needs_ray
def test_a_cell_that_kills_every_worker_is_given_up_and_the_others_go_on(nodes, store, tmp_path, held_up):
    path = tmp_path / "deadly.py"
    path.write_text(held_up.read_text().replace("time.sleep(0.01)", "os.kill(os.getpid(), 9)"))
    told = []
    grid = grid_of([path], (), (), ["fast=3,5"])
    chosen = store.select(["last"])
    outcome = backtest(
        store, chosen, grid, [path], created_ns=1, workers=8, engine=RayChoice(nodes.address), told=told.append
    )
    assert [row.params["fast"] for row in outcome.rows] == [3]
    ((cell, why),) = outcome.failed.items()
    assert "fast=5" in cell
    assert f"died (WorkerCrashedError), {on_ray.LOST_MAX} times" in why
    assert len([text for text in told if "another one takes its place" in text]) == on_ray.LOST_MAX - 1


@needs_ray
def test_the_same_command_goes_on_behind_a_driver_that_was_killed(nodes, store, tmp_path, held_up):
    process = started(store, held_up, "--address", nodes.address)
    process.kill()
    process.communicate(timeout=60)
    (asked,) = backtests(store)
    kept = Results(store, asked.id).rows()
    assert 0 < len(kept) < asked.rows == 16
    (tmp_path / "go on").touch()
    done = CliRunner().invoke(main, words(store, held_up, "--address", nodes.address, "--json"))
    assert done.exit_code == 0, done.output
    (line,) = done.stdout.splitlines()
    outcome = msgspec.json.decode(line, type=Outcome)
    assert (outcome.backtest, outcome.done_before, len(outcome.rows)) == (asked.id, len(kept), 16)
    assert {row.place: row for row in outcome.rows}.items() >= {row.place: row for row in kept}.items()


@needs_ray
def test_a_node_that_does_not_see_the_store_is_sent_the_sessions_once(nodes, store, tmp_path, monkeypatch):
    other = Store(shutil.copytree(store.home, tmp_path / "other"))
    begin, packed = RayHands.__init__, []

    def begin_elsewhere(hands, choice, setup, *more):
        begin(hands, choice, setup, *more)
        away = msgspec.structs.replace(setup, home=str(tmp_path / "away"))
        hands._kit = msgspec.json.encode(
            msgspec.structs.replace(msgspec.json.decode(hands._kit, type=node.Kit), setup=away)
        )

    pack = RayHands._pack
    monkeypatch.setattr(RayHands, "__init__", begin_elsewhere)
    monkeypatch.setattr(RayHands, "_pack", lambda hands, id_, digest: packed.append(id_) or pack(hands, id_, digest))
    ours = run(store, RayChoice(nodes.address))
    assert set(packed) == {session.id for session in store.sessions()}
    assert content(ours.rows) == content(run(other, workers=2).rows)
    assert not any(hot.has(store, session.id) for session in store.sessions())
    folder = Path(os.environ[node_folder.VARIABLE])
    assert {path.name for path in (folder / "cache" / "hot").glob("[!.]*")} >= set(map(cache.key_of, store.sessions()))
    packed.clear()
    shutil.rmtree(store.home / "backtests")
    assert content(run(store, RayChoice(nodes.address)).rows) == content(ours.rows)
    assert packed == []


@needs_ray
def test_an_interrupt_ends_all_that_was_started(store, held_up):
    """Without an address: a cluster of its own, which nobody outside of this machine reaches."""
    process = started(store, held_up, "--workers", "1")
    begun = [path for path in Path("/proc").glob("[0-9]*") if process.pid in ancestors(int(path.name))]
    assert any("raylet" in (path / "comm").read_text() for path in begun)
    assert listening(begun)
    assert all(address in {"0100007F", "0000000000000000FFFF00000100007F"} for address in listening(begun))
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert said.splitlines()[0] == "starting Ray on this machine"
    assert "the same command goes on" in said.splitlines()[-1]
    assert not [
        path for path in begun if path.exists() and (path / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    ]
    assert 0 < len(Results(store, backtests(store)[0].id).rows()) < 16


@needs_ray
def test_a_head_that_is_killed_is_told_and_the_same_command_goes_on_without_it(store, tmp_path, held_up):
    process = started(store, held_up, "--workers", "1")
    head = next(
        int(path.name)
        for path in Path("/proc").glob("[0-9]*")
        if process.pid in ancestors(int(path.name)) and "gcs_server" in (path / "comm").read_text()
    )
    os.kill(head, signal.SIGKILL)
    _, said = process.communicate(timeout=55)  # after a minute Ray would end it
    assert process.returncode == 2, said
    assert "tape: the head of the Ray cluster is gone" in said.splitlines()[-1]
    kept = Results(store, backtests(store)[0].id).rows()
    assert 0 < len(kept) < 16
    (tmp_path / "go on").touch()
    outcome = run(store, files=[held_up])
    assert (outcome.done_before, len(outcome.rows), outcome.failed) == (len(kept), 16, {})


@needs_ray
def test_what_a_killed_driver_leaves_goes_with_the_next_one(store, held_up, monkeypatch):
    """Its folder; Ray's own processes end by themselves, which takes them up to two minutes."""
    with tempfile.TemporaryDirectory(prefix="tape-root-", dir=cluster.short_root()) as root:
        monkeypatch.setenv("TESTS_ROOT", root)  # others run Ray meanwhile
        process = started(store, held_up, "--workers", "1")
        try:
            goes_with_the_next_one(process, Path(root))
        finally:
            process.kill()
            process.communicate(timeout=60)


def goes_with_the_next_one(process, root):
    begun = [int(path.name) for path in Path("/proc").glob("[0-9]*") if process.pid in ancestors(int(path.name))]
    (made,) = root.glob(f"{FOLDER_PREFIX}*")
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    with owned_folder(FOLDER_PREFIX, root):
        assert made.is_dir()  # its owner lives
    process.kill()
    process.wait(60)
    assert (made / "owner").is_file()
    with owned_folder(FOLDER_PREFIX, root) as ours:
        assert not made.exists()
        assert ours.is_dir()
    assert not ours.exists()
    for each in begun:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def listening(processes):
    """The addresses, as Linux writes them, at which these processes accept connections."""
    sockets = {str(link.readlink()) for path in processes for link in path.glob("fd/*") if link.is_symlink()}
    lines = [line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]]
    return [line[1].partition(":")[0] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in sockets]


@needs_ray
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--address", "127.0.0.1:1"), "--address 127.0.0.1:1: no Ray cluster that can be joined"),
        (
            ("--address", "ray://somewhere:1"),
            "accepted are auto, for the cluster that runs on this machine, and HOST:PORT",
        ),
        (("--engine", "processes", "--address", "auto"), "it is of a Ray cluster; add --engine ray, or leave it out"),
    ],
)
def test_an_address_that_leads_nowhere_is_told_in_one_line(recorded, more, said):
    refused(recorded, more, said)


@needs_ray
@pytest.mark.parametrize(("says", "told"), [(b"", "timed out"), (b"HTTP/1.1 400\r\n\r\n", "no head of a cluster")])
def test_what_is_no_head_at_an_address_is_not_waited_for(monkeypatch, says, told):
    monkeypatch.setattr(cluster, "_REACHED_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        taken = threading.Thread(target=lambda: answer(server.accept()[0], says))
        taken.start()
        with pytest.raises(ConfigError, match=rf"{address}: no Ray cluster that can be joined \(.*{told}"):
            cluster._join(address)
        taken.join(10)


@needs_ray
def test_a_head_is_known_by_an_answer_in_pieces_and_one_that_speaks_tls_by_ray_alone(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = threading.Thread(target=lambda: answer(server.accept()[0], b"\0\0\0", b"\4\0\0\0\0\0"))
        taken.start()
        cluster.greet(*server.getsockname())
        taken.join(10)
    monkeypatch.setenv("RAY_USE_TLS", "1")
    monkeypatch.setattr(cluster, "_REACHED_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        cluster.greet(*server.getsockname())


def test_the_token_that_ray_start_asks_for_is_shown(tmp_path, monkeypatch):
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    cluster._take_token()
    assert "RAY_AUTH_MODE" not in os.environ
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").touch()
    cluster._take_token()
    assert os.environ["RAY_AUTH_MODE"] == "token"
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    cluster._take_token()
    assert os.environ["RAY_AUTH_MODE"] == "disabled", "who says how means it"


class InThisProcess:
    """Ray as far as it is asked, and a clock: tasks run where their answers are taken, and take 20 s."""

    now_s = 0.0

    def monotonic(self):
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds

    def wait(self, tasks, timeout):
        return tasks[:1], tasks[1:]

    def get(self, task):
        self.sleep(20.0)
        return task()

    def cluster_resources(self):
        return {"CPU": 1}

    def get_runtime_context(self):
        return SimpleNamespace(gcs_address="[::1]:6379")


def test_a_head_that_is_silent_for_a_moment_costs_no_cell(store, tmp_path, monkeypatch):
    """Also where it was not asked for longer than it may be silent, and nothing is under way."""
    asked = []

    def greet(host, port):
        asked.append((host, port))
        if len(asked) % 3:
            raise ConnectionRefusedError

    here = InThisProcess()
    monkeypatch.setattr(on_ray, "ray", lambda: here)
    monkeypatch.setattr(on_ray, "time", here)
    monkeypatch.setattr(on_ray, "connected", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(on_ray, "greet", greet)
    monkeypatch.setattr(on_ray, "_task", lambda work: SimpleNamespace(remote=lambda *words: partial(work, *words)))
    monkeypatch.setenv(node_folder.VARIABLE, str(tmp_path / "node"))
    ours = run(store, RayChoice("[::1]:6379"), workers=1)
    assert (len(ours.rows), ours.failed) == (16, {})
    assert set(asked) == {("::1", 6379)}


def answer(connection, *says):
    with connection, contextlib.suppress(ConnectionResetError):
        for piece in says:
            connection.sendall(piece)
            time.sleep(0.05)
        while connection.recv(1 << 10):  # until the other end goes
            pass


@needs_ray
def test_auto_is_the_cluster_that_is_written_down_and_no_other_one(nodes, tmp_path, monkeypatch):
    """Beside the head of another one, which is no business of ours."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with pytest.raises(ConfigError, match=r"no HOST:PORT in RAY_ADDRESS, nor in .*ray_current_cluster"):
        cluster._join("auto")
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:1\n")
    with pytest.raises(ConfigError, match=r"--address auto: no Ray cluster that can be joined \(.*refused"):
        cluster._join("auto")
    monkeypatch.setenv("RAY_ADDRESS", nodes.address)
    assert cluster._written_down() == nodes.address


@needs_ray
def test_whoever_runs_many_backtests_starts_one_cluster_for_them(nodes, monkeypatch):
    """The one that there is serves what is asked of none in particular; another address is not taken for it."""
    monkeypatch.setattr(cluster, "_start", lambda *_: pytest.fail("started another one"))
    told = []
    with RayChoice().opened(told.append, for_many=True), RayChoice(nodes.address).opened(told.append):
        assert cluster.ray().is_initialized()
    assert cluster.ray().is_initialized()
    assert told == []


def test_without_the_extra_it_is_said_how_to_have_it(recorded, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    refused(recorded, (), "Ray is not installed; pip install 'tapeworks[ray]'")


def refused(store, more, said):
    done = CliRunner().invoke(main, words(store, FILE, *more))
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert re.fullmatch(r"tape: .*\n", done.stderr)
    assert said in done.stderr
    assert not (store.home / "backtests").exists()


@needs_ray
def test_a_search_on_a_cluster_is_the_search_in_one_process(store, nodes, tmp_path):
    other = Store(shutil.copytree(store.home, tmp_path / "other"))
    space = space_of([FILE], (), (), SWEEPS)
    search = Search("profit", trades_min=0, trials=4, batch=2)
    for each, engine in ((store, RayChoice(nodes.address)), (other, Here())):
        bench = Bench(each, [FILE], 1, speed=Speed.INTERPRETED, engine=engine)
        optimize(bench, space, each.select(["last"]), search, lambda _: None)
    found = [sorted(path.read_bytes() for path in each.home.glob("studies/*/*.json")) for each in (store, other)]
    assert found[0] == found[1]
    assert len(found[0]) == 3
