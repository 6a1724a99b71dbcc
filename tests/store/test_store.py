"""Names that people use, and what the store does with what they name."""

import tarfile
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from crashing_disk import CrashingDisk, Died
from hypothesis import given
from hypothesis import strategies as st
from store_samples import START_NS, random_block, rows_of, write_steps

from pipeline.codes import Kind
from pipeline.errors import ConfigError, CorruptError, LockedError, LogError, NotFoundError, TapeError
from pipeline.log import familiar, manifest
from pipeline.log.check import check
from pipeline.log.export import bring_in, export
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.reader import LogReader
from pipeline.log.seal import seal
from pipeline.log.store import Store, slug
from pipeline.provenance import Mode

DAY_NS = 86_400 * 10**9


def made(store, *hints):
    return [
        store.create_session(hint, mode=Mode.IMPORT, created_ns=START_NS + number).id
        for number, hint in enumerate(hints)
    ]


def ids(found):
    return [entry.id for entry in found]


def everything(folder):
    return rows_of([block for batch in LogReader(folder).batches(what="all") for block in batch])


def test_ids_are_readable_and_unique(store):
    assert made(store, "2024-08-08 BTC/USDT", "2024-08-08 btc usdt", "  ", "last", "r-sneaky", "naïve ☃") == [
        "2024-08-08-btc-usdt",
        "2024-08-08-btc-usdt-2",
        "session",
        "s-last",
        "s-r-sneaky",
        "na-ve",
    ]
    run = store.create_run("ema_cross day", mode=Mode.REPLAY, created_ns=1, parents=["session"])
    assert run.id == "r-ema_cross-day"
    assert store.folder(run.id).parent.name == "runs"


def test_names_are_resolved(store):
    made(store, "2024-08-07-aapl", "2024-08-08-btcusdt", "2024-08-08-ethusdt")
    store.create_run("hold", mode=Mode.REPLAY, created_ns=START_NS, parents=["2024-08-07-aapl"])
    assert ids(store.find("2024-08-08-btcusdt")) == ["2024-08-08-btcusdt"]
    assert ids(store.find("2024-08-07")) == ["2024-08-07-aapl"]
    assert ids(store.find("r-h")) == ["r-hold"]
    assert ids(store.find("last")) == ["2024-08-08-ethusdt"]
    assert ids(store.find("last 2")) == ids(store.find("last-2")) == ["2024-08-08-btcusdt", "2024-08-08-ethusdt"]
    assert ids(store.find("last 99")) == ids(store.find("all")) == ids(store.sessions())
    assert ids(store.find("last-run")) == ["r-hold"]
    assert store.find_one("last").id == "2024-08-08-ethusdt"
    with pytest.raises(NotFoundError, match="begins several names: 2024-08-08-btcusdt, 2024-08-08-ethusdt"):
        store.find("2024-08-08")
    with pytest.raises(NotFoundError, match="names nothing; there is 2024-08-07-aapl"):
        store.find("msft")
    with pytest.raises(NotFoundError, match="means 3 sessions, one is wanted"):
        store.find_one("all")


def test_a_name_that_is_another_names_beginning_means_itself(store):
    made(store, "day", "day")
    assert store.find_one("day").id == "day"


def test_yesterday_is_a_day_in_the_traders_zone(store):
    evening = datetime(2024, 8, 8, 21, 30, tzinfo=ZoneInfo("America/New_York"))
    moment = int(evening.timestamp()) * 10**9
    store.create_session("evening", mode=Mode.PAPER, created_ns=moment)
    assert ids(store.find("yesterday", now_ns=moment + DAY_NS, zone=ZoneInfo("America/New_York"))) == ["evening"]
    assert ids(store.find("yesterday", now_ns=moment + DAY_NS, zone=UTC)) == ["evening"]
    with pytest.raises(NotFoundError, match="'yesterday' names nothing"):
        store.find("yesterday", now_ns=moment, zone=UTC)


def test_a_pattern_means_every_session_it_fits(store):
    made(store, "mon", "tue-1", "tue-2")
    assert ids(store.find("tue*")) == ids(store.select(["tue-?"])) == ["tue-1", "tue-2"]
    assert ids(store.select(["*", "mon"])) == ["mon", "tue-1", "tue-2"]
    with pytest.raises(NotFoundError, match=r"'wed\*' names nothing in .*; there is mon, tue-1, tue-2"):
        store.find("wed*")
    with pytest.raises(NotFoundError, match="one is wanted"):
        store.find_one("tue*")


def test_an_empty_store_says_so(store):
    assert store.find("all") == []
    with pytest.raises(NotFoundError, match="there is nothing"):
        store.find("last")


@given(st.text(max_size=80))
def test_no_text_leads_out_of_the_store(tmp_path_factory, text):
    store = Store(tmp_path_factory.getbasetemp() / "nowhere")
    try:
        folder = store.folder(text)
    except ConfigError:
        return
    assert folder.parent.parent == store.home
    assert folder.name == text


@given(st.text(max_size=200))
def test_any_hint_makes_an_id(text):
    assert slug(slug(text)) == slug(text)
    assert len(slug(text)) <= 48


def test_code_is_kept_and_hashed(store):
    (id_,) = made(store, "day")
    kept = store.keep_code(id_, {"pipeline/core/engine.py": "x = 1\n", "hold.py": "é\n"})
    assert (store.folder(id_) / "code" / "pipeline" / "core" / "engine.py").read_text() == "x = 1\n"
    assert set(kept.code) == {"pipeline/core/engine.py", "hold.py"}
    assert kept.code_hash == manifest.code_hash(dict(reversed(kept.code.items())))
    for name in ("../x.py", "/etc/passwd", "a/../b", "a//b", ".hidden", "a\\b", "a/.b", ""):
        with pytest.raises(ConfigError, match="no name of a source file"):
            store.keep_code(id_, {name: ""})


SOURCES = {"pipeline/core/engine.py": "x = 1\n", "pipeline/units.py": "y = 2\n", "strategies/hold.py": "z = 3\n"}


def kept_by(disk, home):
    """Sources kept by a process that may die over it; what the manifest says of them then, and what is there of each."""
    (id_,) = made(Store(home), "day")
    store = Store(home, disk)
    try:
        store.keep_code(id_, SOURCES)
    except Died:
        died = True
    else:
        died = False
    disk.power_cut(seed=len(disk.calls))
    folder = store.folder(id_) / "code"
    there = {name: (folder / name).read_text() for name in SOURCES if (folder / name).is_file()}
    return died, Store(home), id_, there


def test_sources_that_a_manifest_names_are_there_whatever_happens(tmp_path):
    whole = CrashingDisk()
    assert kept_by(whole, tmp_path / "a" / "b" / "rehearsal")[::3] == (False, SOURCES)
    assert {f"sync_folder {name}" for name in ("day", "code", "pipeline", "core", "strategies")} <= set(whole.calls)
    named = set()
    for call in range(len(whole.calls)):
        died, store, id_, there = kept_by(CrashingDisk(dies_at=call), tmp_path / "a" / "b" / f"c{call}")
        assert died
        named.add(bool(store.manifest(id_).code))
        assert there == SOURCES or not store.manifest(id_).code
        assert set(store.keep_code(id_, SOURCES).code) == set(SOURCES)
    assert named == {False, True}


@pytest.mark.parametrize("rule", ["sync", "sync_folder"])
def test_each_sync_of_sources_is_needed(tmp_path, rule):
    careless = type("Careless", (CrashingDisk,), {rule: lambda self, what: None})
    for seed in range(40):
        disk = careless()
        disk.calls += [""] * seed
        try:
            _, store, id_, there = kept_by(disk, tmp_path / "a" / "b" / f"c{seed}")
            if there != SOURCES or store.manifest(id_).code.keys() != SOURCES.keys():
                return
        except LogError:
            return
    pytest.fail(f"{rule} was never missed")


def test_one_unreadable_manifest_hides_no_other(store):
    first, second = made(store, "a", "b")
    (store.folder(first) / "manifest.json").write_bytes(b"{}")
    assert ids(store.sessions()) == [second]
    assert isinstance(store.unreadable()[first], CorruptError)


def test_what_may_mean_an_unreadable_folder_is_refused_and_not_passed_over(store):
    first, second = made(store, "day-a", "day-b")
    run = store.create_run("hold", mode=Mode.REPLAY, created_ns=START_NS, parents=[first]).id
    path = store.folder(first) / "manifest.json"
    content = path.read_bytes()
    path.write_bytes(content[:300] + bytes([content[300] ^ 1]) + content[301:])
    for name in (first, "day-", "day-a"):
        with pytest.raises(CorruptError, match=r"day-a/manifest\.json"):
            store.find(name)
    for words in ("all", "last", "last 2", "yesterday"):
        with pytest.raises(LogError, match=r"may mean day-a, which can't be read.*tape check"):
            store.find(words, now_ns=START_NS + DAY_NS)
    assert store.find_one(second).id == second
    assert store.find_one("last-run").id == run
    (store.folder(run) / "manifest.json").unlink()
    with pytest.raises(LogError, match="may mean r-hold"):
        store.find("last-run")
    with pytest.raises(NotFoundError, match=r"no manifest\.json"):
        store.find("r-ho")


def test_an_unreadable_or_half_made_folder_can_be_deleted_by_its_id(store):
    damaged, whole = made(store, "a", "b")
    (store.folder(damaged) / "manifest.json").write_bytes(b"{}")
    (store.folder("half") / "journal").mkdir(parents=True)
    for id_ in (damaged, "half"):
        assert store.delete(id_).deleted == (id_,)
    assert ids(store.find("all")) == [whole]
    assert check(store).sound


def test_a_folder_claimed_without_a_manifest_is_a_leftover_that_hides_nothing(store, begun):
    _, journal = begun()
    write_steps(journal, 1)
    journal.close()
    (store.folder("half") / "journal").mkdir(parents=True)
    (store.folder("half") / "journal" / "000001.seg").write_bytes(bytes(128))
    report = check(store)
    assert (report.sound, report.leftovers) == (True, ["sessions/half"])
    assert store.unreadable() == {}
    assert store.find_one("last").id == "day"
    for name in ("manifest.json", "manifest.copy.json"):  # with rows in it, it is no leftover
        (store.folder("day") / name).unlink()
    assert not check(store).sound
    assert set(store.unreadable()) == {"day"}


def test_delete_takes_a_session_and_tells_of_its_runs(store):
    first, second = made(store, "a", "b")
    for parent in (first, second):
        store.create_run(f"of {parent}", mode=Mode.REPLAY, created_ns=1, parents=[parent])
    removed = store.delete(first)
    assert (removed.deleted, removed.orphans) == (("a",), ("r-of-a",))
    assert not store.folder(first).exists()
    assert store.delete("r-of-a").orphans == ()
    with pytest.raises(NotFoundError, match="there is b, r-of-b"):
        store.delete("a")
    with pytest.raises(ConfigError, match="is no id"):
        store.delete("../b")
    assert [path.name for path in (store.home / "sessions").iterdir()] == ["b"]


def test_prune_leaves_what_is_being_written(store, begun):
    writing, journal = begun("writing", created_ns=1)
    made(store, "a", "b", "c")
    removed = store.prune(keep=2)
    assert (removed.deleted, removed.held) == (("a",), (writing.id,))
    with pytest.raises(LockedError):
        store.delete(writing.id)
    journal.close()
    assert store.prune(created_before_ns=START_NS).deleted == ("writing",)
    assert store.prune(keep=1, created_before_ns=START_NS).deleted == ()
    assert ids(store.sessions()) == ["b", "c"]
    with pytest.raises(ConfigError, match="how many to keep"):
        store.prune()


def test_a_crash_while_deleting_is_finished_later(store):
    (id_,) = made(store, "a")
    store.folder(id_).rename(store.home / "sessions" / ".deleted-1234-a")
    assert store.sessions() == []
    assert check(store).leftovers == ["sessions/.deleted-1234-a"]
    assert store.finish_deleting() == [".deleted-1234-a"]
    assert check(store).leftovers == []


@pytest.mark.parametrize("is_sealed", [False, True])
@pytest.mark.parametrize("target", ["copy", "copy.tar"])
def test_an_export_stands_alone_and_comes_back(store, ended, tmp_path, target, is_sealed):
    session, written = ended(steps=3)
    store.keep_code(session.id, {"strategies/hold.py": "x = 1\n"})
    if is_sealed:
        seal(store.folder(session.id))
    before = sorted(path.name for path in store.folder(session.id).rglob("*"))
    path = export(store, session.id, tmp_path / "out" / target)
    assert sorted(path.name for path in store.folder(session.id).rglob("*")) == before
    assert [entry.name for entry in path.parent.iterdir()] == [target]
    with pytest.raises(ConfigError, match="the store has it already, as day"):
        bring_in(store, path)
    other = Store(tmp_path / "other")
    other.create_session("day", mode=Mode.IMPORT, created_ns=1)
    taken = bring_in(other, path)
    assert (taken.id, taken.state, taken.inputs) == ("day-2", "sealed", 60)
    assert everything(other.folder(taken.id)) == rows_of(written)
    assert (other.folder(taken.id) / "code" / "strategies" / "hold.py").read_text() == "x = 1\n"
    assert check(other).sound


def test_a_damaged_export_is_refused_whole(store, ended, tmp_path):
    session, _ = ended(steps=1)
    store.keep_code(session.id, {"hold.py": "x = 1\n"})
    path = export(store, session.id, tmp_path / "copy.tar")
    content = path.read_bytes()
    with tarfile.open(path) as tar:
        places = {member.name: member.offset_data for member in tar}
    other = Store(tmp_path / "other")
    for name, offset in places.items():
        changed = bytearray(content)
        changed[offset + 5] ^= 1
        path.write_bytes(changed)
        with pytest.raises(TapeError):
            bring_in(other, path)
        assert other.sessions() == [], name
        assert not any((other.home / "sessions").glob("*"))
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises((TapeError, tarfile.TarError)):
        bring_in(other, path)


def test_an_open_session_is_not_exported(store, begun, tmp_path):
    session, journal = begun()
    write_steps(journal, 1)
    with pytest.raises(LogError, match="open; end it"):
        export(store, session.id, tmp_path / "copy")
    journal.close()
    assert not (tmp_path / "copy").exists()


def test_notes_and_accounts_are_read(store):
    assert list(store.notes()) == []
    notes = random_block(Kind.NOTE, [1, 2, 3], [0, 0, 0], 5)
    with Journal.create(store.notes_folder, log_id=bytes(16)) as journal:
        for row in range(3):
            journal.append(FrameKind.INPUTS, [notes.slice(row, row + 1)])
    read = [block for batch in store.notes() for block in batch]
    assert rows_of(read) == rows_of([notes])
    assert list(store.account("paper")) == []
    with pytest.raises(ConfigError, match="is no id"):
        store.account("../x")
    assert np.array_equal(read[0].number("seq"), [1, 2, 3])


def test_a_manifest_is_read_again_when_its_file_is_another(store, monkeypatch):
    (id_,) = made(store, "day")
    young = store.sessions()
    assert store.sessions()[0] is not young[0]  # written this moment: it may change within one tick of the clock
    monkeypatch.setattr(familiar, "_SETTLED_NS", 0)
    known = store.sessions()
    assert store.sessions()[0] is known[0]
    manifest.update(store.folder(id_), refused=3)
    assert store.sessions()[0].refused == 3
    path = store.folder(id_) / manifest.MANIFEST
    text = path.read_bytes()
    store.sessions()
    path.write_bytes(text.replace(b'"refused": 3', b'"refused": 4'))
    assert store.sessions() == []
    assert id_ in store.unreadable()
    store.delete(id_)
    assert store.sessions() == []
    assert store.unreadable() == {}
