"""A run is there whole or not at all: its writer dies at every call, with and without a power cut."""

import numpy as np
import pytest
from crashing_disk import CrashingDisk, Died
from store_samples import DERIVED_KINDS, random_block, rows_of

from pipeline.codes import Kind
from pipeline.errors import LockedError, LogError
from pipeline.log import manifest, parts
from pipeline.log.check import check, check_log
from pipeline.log.half_made import is_half_made
from pipeline.log.parquet import bytes_hash
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.log.whole import WholeLog
from pipeline.provenance import Mode

CODE = {"pipeline/core/engine.py": "x = 1\n", "strategies/hold.py": "y = 2\n"}
KINDS = DERIVED_KINDS[:3]


def derived(step):
    seqs = [step * 10 + i for i in range(1, 6)]
    return [random_block(kind, seqs, [kind] * 5, seed=step) for kind in KINDS]


def claimed(store):
    hashes = {name: bytes_hash(text.encode()) for name, text in CODE.items()}
    facts = {"code": hashes, "code_hash": manifest.code_hash(hashes)}
    return store.claim_run("hold day", mode=Mode.REPLAY, created_ns=1, parents=["day"], **facts)


def write(store, run, disk=None):
    """A whole run; its rows."""
    written = [derived(step) for step in range(3)]
    with WholeLog(store.folder(run.id), CODE, disk) as log:
        for blocks in written:
            log.write(blocks)
        log.publish(run)
    return rows_of([block for blocks in written for block in blocks])


def everything(folder):
    return rows_of([block for batch in LogReader(folder).batches(what="all") for block in batch])


def test_a_run_reads_as_it_was_written_and_says_what_it_holds(store):
    run = claimed(store)
    assert is_half_made(store.folder(run.id), store.disk)
    expected = write(store, run)
    made = store.manifest(run.id)
    assert made.state == "sealed"
    assert made.derived == sum(made.kinds.values()) == 45
    assert (made.inputs, made.first_seq, made.last_seq) == (0, 1, 25)
    assert everything(store.folder(run.id)) == expected
    assert (store.folder(run.id) / "code/strategies/hold.py").read_text() == "y = 2\n"
    report = check(store)
    assert report.sound
    assert not report.leftovers


def test_row_groups_grow_and_hold_every_row(store):
    run = claimed(store)
    seqs = np.arange(1, 60_001)
    written = random_block(Kind.MESSAGE, seqs, np.ones(60_000, int), seed=1)
    with WholeLog(store.folder(run.id), CODE) as log:
        for start in range(0, 60_000, 7_001):
            log.write([written.slice(start, start + 7_001)])
        log.publish(run)
    (part,) = store.manifest(run.id).parts
    assert [piece.rows for piece in part.pieces] == [8_192, 16_384, 32_768, 2_656, 0]
    assert everything(store.folder(run.id)) == rows_of([written])


def test_a_run_without_decisions_is_one_too(store):
    run = claimed(store)
    with WholeLog(store.folder(run.id), CODE) as log:
        log.publish(run)
    assert store.manifest(run.id).kinds == {}
    assert list(LogReader(store.folder(run.id)).batches(what="all")) == []


def test_a_run_that_is_being_made_is_nobodys_and_has_one_writer(store):
    run = claimed(store)
    with WholeLog(store.folder(run.id), CODE) as log:
        log.write(derived(0))
        assert store.runs() == []
        assert store.unreadable() == {}
        with pytest.raises(LockedError), WholeLog(store.folder(run.id), CODE):
            pass
        with pytest.raises(LockedError):
            store.delete(run.id)
        store.drop_half_made_runs(set())
        log.publish(run)
    assert [each.id for each in store.runs()] == [run.id]


def test_what_a_killed_maker_left_is_dropped_but_what_was_known_before(store):
    known, left = claimed(store), claimed(store)
    for run in (known, left):
        with WholeLog(store.folder(run.id), CODE) as log:
            log.write(derived(0))
    assert store.half_made_runs() == {known.id, left.id}
    assert check(store).leftovers == [f"runs/{known.id}", f"runs/{left.id}"]
    store.drop_half_made_runs({known.id})
    assert store.half_made_runs() == {known.id}
    write(store, finished := claimed(store))
    store.drop_half_made_runs(set())
    assert store.half_made_runs() == set()
    assert store.manifest(finished.id)


def test_what_reads_back_as_other_rows_is_no_run(store, monkeypatch):
    monkeypatch.setattr(parts.PartFile, "values", lambda _: ("other",))
    run = claimed(store)
    with pytest.raises(LogError, match="other rows"):
        write(store, run)
    assert store.runs() == []


@pytest.mark.parametrize("has_power_cut", [False, True])
def test_its_writer_may_die_at_any_call(tmp_path, has_power_cut):
    store = Store(tmp_path / "a" / "b" / "rehearsal")
    whole = CrashingDisk()
    expected = write(store, claimed(store), whole)
    outcomes = set()
    for call in range(len(whole.calls)):
        store = Store(tmp_path / "a" / "b" / f"c{call}")
        run = claimed(store)
        disk = CrashingDisk(dies_at=call)
        with pytest.raises(Died):
            write(store, run, disk)
        if has_power_cut:
            disk.power_cut(seed=call)
        folder = store.folder(run.id)
        outcomes.add(is_half_made(folder, store.disk))
        if (folder / manifest.MANIFEST).exists():
            assert everything(folder) == expected
        else:
            store.delete(run.id)
    assert outcomes == {True, False}


@pytest.mark.parametrize("rule", ["sync", "sync_folder"])
def test_each_of_its_syncs_is_needed(tmp_path, rule):
    """Without the syncs of files, or of folders, the very same simulation shows a run that is not whole."""
    careless = type("Careless", (CrashingDisk,), {rule: lambda self, what: None})
    for seed in range(40):
        store = Store(tmp_path / "a" / "b" / f"c{seed}")
        run = claimed(store)
        disk = careless()
        write(store, run, disk)
        disk.power_cut(seed=seed)
        report = check_log(store.folder(run.id))
        if not report.sound or report.leftovers:
            return
    pytest.fail(f"{rule} was never missed")
