"""The check finds every flipped byte, and nothing in a store that only crashed."""

import os
import shutil

import pytest
from store_samples import START_NS, random_block, write_few_kinds, write_steps

from pipeline.codes import Kind
from pipeline.errors import CorruptError
from pipeline.log import check as checking
from pipeline.log import compacting, manifest, proved
from pipeline.log.check import Damage, check, check_log
from pipeline.log.compacting import compact
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.reader import LogReader
from pipeline.log.seal import seal, seal_segment
from pipeline.log.store import SIMULATIONS


@pytest.fixture
def full_store(store, begun):
    """One session half sealed and ended, one sealed, notes and an account, code in both."""
    for hint in ("half", "sealed"):
        made, journal = begun(hint, segment_bytes=8_000)
        write_few_kinds(journal, 3)
        seal_segment(store.folder(made.id))
        journal.close()
        store.keep_code(made.id, {"pipeline/core/engine.py": "x = 1\n", "strategies/hold.py": "y = 2\n"})
        manifest.update(store.folder(made.id), state="ended")
    seal(store.folder("sealed"))
    for folder in (store.notes_folder, store.account_folder("paper")):
        with Journal.create(folder, log_id=bytes(16)) as journal:
            journal.append(FrameKind.INPUTS, [random_block(Kind.NOTE, [1, 2], [0, 0], 1)])
    (store.home / SIMULATIONS).mkdir()
    (store.home / SIMULATIONS / "mc-1.json").write_bytes(proved.encoded(Damage("as any other", 1, "content")))
    return store


def test_a_sound_store_is_sound(full_store):
    report = check(full_store)
    assert (report.sound, report.sessions) == (True, 2), report
    assert (report.damage, report.torn, report.leftovers) == ([], [], [])
    assert report.bytes > 10_000


def test_every_flipped_byte_is_found(full_store):
    """Each byte of each file that holds something is flipped once (every third, in the large ones)."""
    undetected = []
    for path in sorted(path for path in full_store.home.rglob("*") if path.is_file()):
        if path.name == "lock":
            continue  # a process id nobody relies on
        content = path.read_bytes()
        folder = path.relative_to(full_store.home).parts
        with path.open("r+b", buffering=0) as file:
            for at in range(len(content) % 7, len(content), 41 if len(content) > 2_000 else 7):
                os.pwrite(file.fileno(), bytes([content[at] ^ 1 << at % 8]), at)
                report = (
                    check_log(full_store.home / folder[0] / folder[1]) if folder[0] == "sessions" else check(full_store)
                )
                # A crash may cut the end of a journal that was not closed; these were closed.
                if not any(damage.file.endswith(path.name) and damage.offset <= at for damage in report.damage):
                    undetected.append((path, at))
                os.pwrite(file.fileno(), content[at : at + 1], at)
    assert undetected == []


def test_missing_files_are_told(full_store):
    folder = full_store.folder("sealed")
    part = manifest.load(folder).parts[0]
    (folder / part.file).unlink()
    (folder / "code" / "strategies" / "hold.py").unlink()
    shutil.rmtree(full_store.folder("half") / "journal")
    reasons = {damage.file.rsplit("/", 1)[-1]: damage.reason for damage in check(full_store).damage}
    assert reasons["journal"] == "the log was closed, and its last segment is missing"
    assert reasons["hold.py"] == "the file is missing"
    assert f"the file is missing, {part.rows} rows" in reasons.values()


def test_what_a_crash_leaves_is_no_damage(store, begun):
    made, journal = begun()
    folder = store.folder(made.id)
    write_steps(journal, 2)
    journal.abandon()
    with (folder / "journal" / "000001.seg").open("ab") as file:
        file.write(b"TAPE and then nothing")
    (folder / "events" / "kind=quote").mkdir(parents=True)
    (folder / "events" / "kind=quote" / "inputs-000001.parquet.tmp").write_bytes(b"half")
    report = check(store)
    assert report.sound
    assert [torn.file for torn in report.torn] == ["sessions/day/journal/000001.seg"]
    assert report.leftovers == ["sessions/day/events/kind=quote/inputs-000001.parquet.tmp"]


def test_damage_below_the_durable_end_is_damage(store, begun):
    made, journal = begun()
    path = store.folder(made.id) / "journal" / "000001.seg"
    write_steps(journal, 1)
    journal.abandon()
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    report = check(store)
    assert not report.sound
    assert report.damage[0].file == "sessions/day/journal/000001.seg"


def test_a_recording_can_be_checked(store, begun):
    _, journal = begun(created_ns=START_NS)
    write_steps(journal, 3)
    assert check(store).sound
    journal.close()


def test_a_log_whose_last_segments_vanished_is_damaged(store, begun):
    made, journal = begun()
    write_steps(journal, 3)
    journal.abandon()
    (store.folder(made.id) / "journal" / "000001.seg").unlink()
    (damage,) = check(store).damage
    assert (damage.file, damage.offset) == ("sessions/day/journal/000001.seg", 0)
    assert "the segment is missing, and it was durable up to byte" in damage.reason
    with pytest.raises(CorruptError, match="the segment is missing"):
        LogReader(store.folder(made.id))


def test_a_journal_of_notes_that_vanished_is_damage(full_store):
    (full_store.notes_folder / "000001.seg").unlink()
    assert [damage.file for damage in check(full_store).damage] == ["notes/000001.seg"]


def test_every_flipped_byte_of_the_durable_file_is_found(full_store):
    path = full_store.notes_folder / "durable"
    content = path.read_bytes()
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        assert [damage.file for damage in check(full_store).damage] == ["notes/durable"], at
    path.write_bytes(content[:-1])
    assert [damage.file for damage in check(full_store).damage] == ["notes/durable"]


def test_a_durable_file_is_sound_from_its_first_slot_on(store, begun):
    made, journal = begun()
    path = store.folder(made.id) / "journal" / "durable"
    states = [path.read_bytes()]
    for step in range(3):
        write_steps(journal, 1, first=1 + 20 * step)
        states.append(path.read_bytes())
        assert check(store).damage == []
    assert states[0][:128] == bytes(128)
    assert len(set(states)) == 4
    path.write_bytes(states[1][:128] + bytes(128))
    assert not check(store).sound
    journal.abandon()


def test_sealing_keeps_no_durable_file(full_store):
    assert not (full_store.folder("sealed") / "journal" / "durable").exists()
    assert (full_store.folder("half") / "journal" / "durable").exists()
    assert check(full_store).leftovers == []


def test_what_is_sealed_while_it_is_looked_at_is_no_damage(store, begun, monkeypatch):
    made, journal = begun(segment_bytes=60_000)
    folder = store.folder(made.id)
    write_steps(journal, 12, lag=3)
    assert seal_segment(folder)
    prove, sealed = checking.prove_kept, []

    def prove_slowly(*of):
        if len(sealed) < 3:
            sealed.append(seal_segment(folder))
            while compact(folder):
                pass
            sealed.append(seal_segment(folder))
        return prove(*of)

    monkeypatch.setattr(compacting, "AT_ONCE", 2)
    monkeypatch.setattr(checking, "prove_kept", prove_slowly)
    report = check_log(folder)
    assert sealed
    assert report.sound, report.damage
    path = folder / manifest.load(folder).parts[0].file
    path.unlink()
    assert [damage.reason.partition(",")[0] for damage in check_log(folder).damage] == ["the file is missing"]
