"""Node: what is sent is compared with its hashes, kept by content and run as it would be at home; what does not fit is refused."""

import shutil
import subprocess
import sys
from pathlib import Path
from threading import Event

import msgspec
import pytest

from pipeline.errors import ConfigError
from pipeline.log import cache, hot
from pipeline.log.far import Far
from pipeline.log.pushing import push
from pipeline.log.store import Store
from pipeline.log.visiting import visit
from pipeline.run import node, node_folder
from pipeline.run.backtesting import Overnight, backtest
from pipeline.run.engines import EngineChoice
from pipeline.run.fold import Speed
from pipeline.run.generating import record_generated
from pipeline.run.node import Answer, Failed, Kit, Missing, Order, Ran, Ready, Unfit
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.sweeping import grid_of
from pipeline.simulator.generate import Day
from pipeline.units import DAY_NS, MINUTE_NS

FILE = strategy_file("ema_cross")


class Nodes(EngineChoice, frozen=True):
    """A node in this very process, whose store would lie elsewhere; `sent` are the bytes of what is fetched."""

    home: str
    sent: object = bytes
    asked: list = msgspec.field(default_factory=list)
    """What was missing there, each time."""
    sources: dict = msgspec.field(default_factory=dict)
    """Instead of those that there are."""
    file: str = ""

    @property
    def decodes_here(self):
        return False

    def hands(self, setup, count, told):
        return _Hands(self, setup, told)


class _Hands:
    def __init__(self, choice, setup, told):
        text = Path(setup.code.files[0]).read_text()
        code = msgspec.structs.replace(setup.code, files=(choice.file or setup.code.files[0],))
        away = msgspec.structs.replace(setup, home=choice.home, sources={**setup.sources, **choice.sources}, code=code)
        self.kit = msgspec.json.encode(Kit(away, (text,)))
        self.store, self.choice, self.told = Store(Path(setup.home)), choice, told
        self.ready, self.is_over = None, Event()

    def run(self, jobs):
        self.ready = msgspec.json.decode(node.prepare(self.kit), type=Answer)
        assert isinstance(self.ready, Ready), self.ready
        for job in jobs:
            sealed = {cell.session: node.sealed_of(self.store, cell.session) for cell in job.cells}
            order = msgspec.json.encode(Order(job, sealed, is_shared=True))
            answer = self.answer(order, {})
            if isinstance(answer, Missing):
                self.choice.asked.append(answer.sessions)
                answer = self.answer(order, {sealed[id_].blake3: self.parcel(id_) for id_ in answer.sessions})
            if isinstance(answer, Ran) and answer.told:
                self.told(answer.told)
            yield job, answer.rows if isinstance(answer, Ran) else answer.reason

    def answer(self, order, parcels):
        return msgspec.json.decode(node.run(self.kit, order, parcels, self.choice.sent), type=Answer)

    def parcel(self, session):
        return {name: path.read_bytes() for name, path in node.files_of(self.store, session).items()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_over.set()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A store of two days."""
    store = Store(tmp_path_factory.mktemp("store"))
    for seed in (1, 2):
        day = Day(
            seed=seed, quotes=200, instruments=2, lasts_ns=20 * MINUTE_NS, starts_ns=Day().starts_ns + seed * DAY_NS
        )
        record_generated(store, day, plan_of([FILE], [], []), [FILE], created_ns=seed)
    return store


@pytest.fixture(scope="module")
def at_home(recorded, tmp_path_factory):
    """The rows of a node that sees the store, which are those of the process pool: see `test_on_ray`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(node_folder.VARIABLE, str(tmp_path_factory.mktemp("node")))
        store = Store(shutil.copytree(recorded.home, tmp_path_factory.mktemp("home") / "store"))
        return {way: timeless(run(store, Nodes(str(store.home)), overnight=way).rows) for way in Overnight}


@pytest.fixture
def store(recorded, tmp_path, monkeypatch):
    monkeypatch.setenv(node_folder.VARIABLE, str(tmp_path / "node"))
    monkeypatch.setenv(cache.LIMIT_VARIABLE, "1")
    return Store(shutil.copytree(recorded.home, tmp_path / "store"))


def run(store, engine, sessions=("all",), **options):
    grid = grid_of([FILE], (), (), ["fast=3,5"])
    options = {"created_ns": 1, "workers": 1, "speed": Speed.INTERPRETED, **options}
    return backtest(store, store.select(sessions), grid, [FILE], engine=engine, **options)


def timeless(rows):
    return [msgspec.structs.replace(row, seconds=0.0) for row in rows]


@pytest.mark.parametrize("overnight", Overnight)
def test_sessions_that_were_sent_give_the_rows_of_home(store, at_home, tmp_path, overnight):
    asked = []
    away = run(store, Nodes(str(tmp_path / "away"), asked=asked), overnight=overnight)
    assert [set(ids) for ids in asked] == (
        [{session.id for session in store.sessions()}]
        if overnight is Overnight.CARRY
        else [{session.id} for session in store.sessions()]
    )
    assert not any(hot.has(store, session.id) for session in store.sessions())
    assert timeless(away.rows) == at_home[overnight]


def test_sessions_of_a_far_store_are_sent_as_well(store, at_home, tmp_path, monkeypatch):
    monkeypatch.setenv("TAPE_CACHE", str(tmp_path / "user-cache"))
    (tmp_path / "mounted").mkdir()
    uri = f"file://{tmp_path}/mounted"
    for session in store.sessions():
        push(store, session.id, Far(uri))
    away = run(Store(visit(uri)), Nodes(str(tmp_path / "away")))
    assert away.failed == {}
    assert timeless(away.rows) == at_home[Overnight.FLAT]


def test_what_was_sent_is_kept_and_decoded_once(store, tmp_path):
    asked = []
    for _ in range(2):
        outcome = run(store, Nodes(str(tmp_path / "away"), asked=asked))
        assert len(outcome.rows) == 4
        shutil.rmtree(store.home / "backtests")
    assert len(asked) == 2
    kept = tmp_path / "node" / cache.FOLDER
    assert {entry.key for entry in cache.entries_of(kept)} == set(map(cache.key_of, store.sessions()))


def kept(tmp_path):
    return {path.name for path in (tmp_path / "node" / "kept").iterdir()}


def test_what_was_sent_is_kept_up_to_a_limit_and_the_last_used_stays(store, at_home, tmp_path, monkeypatch):
    first, second = (node.sealed_of(store, session.id).blake3 for session in store.sessions())
    away, ids = str(tmp_path / "away"), [session.id for session in store.sessions()]

    def again(*sessions):
        shutil.rmtree(store.home / "backtests", ignore_errors=True)
        return run(store, Nodes(away), sessions)

    again(*ids)
    assert kept(tmp_path) == {first, second}
    homes = tmp_path / "node" / "homes"
    assert len(list(homes.iterdir())) == 2
    size = node_folder._size_of(tmp_path / "node" / "kept" / first)
    again(ids[0])  # used last now
    monkeypatch.setenv(node_folder.LIMIT_VARIABLE, str((size + 1) / 2**30))
    node_folder.make_room(1)
    assert kept(tmp_path) == {first}
    assert len(list(homes.iterdir())) == 1
    assert timeless(again(*ids).rows) == at_home[Overnight.FLAT]
    assert kept(tmp_path) == {second}
    monkeypatch.setenv(node_folder.LIMIT_VARIABLE, "much")
    assert all("TAPE_NODE_GIB='much': write how many GiB kept may take" in why for why in again(ids[0]).failed.values())
    assert kept(tmp_path) == {second}


def test_all_sessions_of_a_job_stay_though_they_pass_the_limit(store, at_home, tmp_path, monkeypatch):
    monkeypatch.setenv(node_folder.LIMIT_VARIABLE, "0")
    away = run(store, Nodes(str(tmp_path / "away")), overnight=Overnight.CARRY)
    assert timeless(away.rows) == at_home[Overnight.CARRY]


USING = """
import sys, time
from pipeline.run.node_folder import alone, make, room, used
folder = room("kept") / sys.argv[1]
with alone(folder.name):
    make(folder, lambda making: (making / "part").write_bytes(bytes(1000)))
    using = used(folder)
    using.__enter__()
def write(making):
    print("used", flush=True)
    time.sleep(300)
half = folder.with_name("half of " + folder.name)
with alone(half.name):
    make(half, write)
"""


def test_no_session_goes_while_a_process_uses_it_and_what_killed_ones_had_goes(store, tmp_path, monkeypatch):
    monkeypatch.setenv(node_folder.LIMIT_VARIABLE, "0")
    processes = [
        subprocess.Popen([sys.executable, "-c", USING, name], stdout=subprocess.PIPE, text=True) for name in "ab"
    ]
    try:
        assert [process.stdout.readline() for process in processes] == ["used\n", "used\n"]
        node_folder.make_room(1)
        assert kept(tmp_path) == {"a", "b", ".making-half of a", ".making-half of b"}
        processes[1].kill()
        processes[1].wait()
        node_folder.make_room(1)
        assert kept(tmp_path) == {"a", ".making-half of a"}
        assert len(list((tmp_path / "node" / "used").iterdir())) == 1
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    node_folder.make_room(1)
    assert kept(tmp_path) == set()
    assert list((tmp_path / "node" / "used").iterdir()) == []


def test_a_session_that_another_process_drops_first_is_gone_all_the_same(store, tmp_path, monkeypatch):
    monkeypatch.setenv(node_folder.LIMIT_VARIABLE, "0")
    (node_folder.room("kept") / "a").mkdir()
    monkeypatch.setattr(node_folder, "_size_of", lambda folder: folder.rmdir() or 1)
    node_folder.make_room(1)
    assert kept(tmp_path) == set()


def test_a_link_in_the_folder_for_temporary_files_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.delenv(node_folder.VARIABLE, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    root = node_folder.room("kept").parent
    assert root.parent == tmp_path
    root.rename(tmp_path / "ours")
    root.symlink_to(tmp_path / "ours")
    with pytest.raises(ConfigError, match="or a link: say in TAPE_NODE_FOLDER where"):
        node_folder.room("kept")
    monkeypatch.setenv(node_folder.VARIABLE, str(root))
    assert node_folder.room("kept") == tmp_path / "ours" / "kept", "who says where means it"


def test_a_store_that_lies_at_the_same_path_is_read_there(store, tmp_path):
    asked = []
    outcome = run(store, Nodes(str(store.home), asked=asked))
    assert len(outcome.rows) == 4
    assert asked == []
    assert all(hot.has(store, session.id) for session in store.sessions())
    assert not (tmp_path / "node" / "kept").exists()


def test_another_session_of_the_same_name_is_not_taken_for_it(store, at_home, tmp_path):
    other = Store(tmp_path / "away")
    first, second = store.sessions()
    for mine, theirs in ((first, second), (second, first)):
        shutil.copytree(store.folder(theirs.id), other.folder(mine.id))
    asked = []
    away = run(store, Nodes(str(other.home), asked=asked))
    assert len(asked) == 2
    assert timeless(away.rows) == at_home[Overnight.FLAT]


@pytest.mark.parametrize("place", ["manifest", "part"])
def test_bytes_that_changed_on_the_way_are_refused_and_not_kept(store, tmp_path, place):
    def changed(content):
        is_meant = content.startswith(b"{") == (place == "manifest")
        return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:] if is_meant else content

    away = str(tmp_path / "away")
    outcome = run(store, Nodes(away, sent=changed), ["last"])
    assert len(outcome.failed) == 2
    assert all("does not have the hash that it was sealed with" in why for why in outcome.failed.values())
    assert list((tmp_path / "node" / "kept").iterdir()) == []
    assert len(run(store, Nodes(away), ["last"]).rows) == 2


def test_a_strategy_that_lies_elsewhere_is_written_down(store, at_home, tmp_path):
    outcome = run(store, Nodes(str(store.home), file="/nowhere/ema_cross.py"))
    (written,) = (tmp_path / "node" / "code").glob("*/*.py")
    assert written.read_bytes() == FILE.read_bytes()
    assert timeless(outcome.rows) == at_home[Overnight.FLAT]


def test_a_node_with_other_sources_is_named_with_the_file(store):
    with pytest.raises(AssertionError) as refused:
        run(store, Nodes(str(store.home), sources={"pipeline/core/engine.py": "0" * 64}))
    assert "Unfit(reason='node " in str(refused.value)
    assert "pipeline/core/engine.py is not the one that the backtest began with" in str(refused.value)


def test_whole_logs_are_kept_in_the_store_itself_or_refused(store, tmp_path):
    copy = shutil.copytree(store.home, tmp_path / "copy")
    for home, said in ((tmp_path / "away", "mount it there at the same path"), (copy, "is a copy of the store")):
        outcome = run(store, Nodes(str(home)), ["last"], keep_runs=True)
        assert len(outcome.failed) == 2
        assert all(said in why for why in outcome.failed.values())
        assert store.runs() == Store(copy).runs() == []
    outcome = run(store, Nodes(str(store.home)), ["last"], keep_runs=True)
    assert {row.run for row in outcome.rows} == {made.id for made in store.runs()}
    assert len(store.runs()) == 2


def test_a_hot_cache_without_room_is_told_once(store, monkeypatch):
    monkeypatch.setenv(cache.LIMIT_VARIABLE, "1e-9")
    told = []
    assert len(run(store, Nodes(str(store.home)), ["last"], told=told.append).rows) == 2
    assert len(told) == 1
    assert "no room in the hot cache of" in told[0]


def test_a_session_that_is_gone_fails_alone(store, monkeypatch):
    gone = store.find_one("last").id
    sealed_of = node.sealed_of

    def delete_and_look(store, session):
        if store.folder(gone).is_dir():
            store.delete(gone)
        return sealed_of(store, session)

    monkeypatch.setattr(node, "sealed_of", delete_and_look)
    outcome = run(store, Nodes(str(store.home)))
    assert len(outcome.rows) == 2
    assert all(gone in cell and "no manifest.json" in why for cell, why in outcome.failed.items())
    assert len(outcome.failed) == 2


def test_answers_are_told_apart():
    for answer in (Ran((), "x"), Failed("x"), Missing(("x",)), Unfit("x")):
        assert msgspec.json.decode(msgspec.json.encode(answer), type=Answer) == answer
