"""A follower sees each row once, in order, while another process writes, rotates, seals, dies and recovers."""

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from store_samples import rows_of, write_steps

from pipeline.errors import CorruptError
from pipeline.log import manifest
from pipeline.log.follow import Follower
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.reader import LogReader
from pipeline.log.seal import seal_segment

ROOT = Path(__file__).resolve().parents[2]


def taken(follower):
    return [block for batch in follower.poll() for block in batch]


@pytest.mark.parametrize("what", ["inputs", "derived", "all"])
@pytest.mark.parametrize("from_seq", [1, 47, 500])
def test_every_row_comes_once(store, begun, what, from_seq):
    made, journal = begun(segment_bytes=40_000)
    folder = store.folder(made.id)
    follower = Follower(folder, from_seq, what=what)
    seen, written = taken(follower), []
    for step in range(10):
        written += write_steps(journal, 1 + step % 3, lag=0, first=journal.written.seq + 1, seed=step)
        if step % 4 == 3:
            seal_segment(folder)
        seen += taken(follower)
    assert not follower.is_ended
    journal.close()
    seen += taken(follower)
    assert follower.is_ended
    wanted = [
        block.take(
            (block.number("seq") >= from_seq) & ((what == "all") | ((block.number("ord") > 0) == (what == "derived")))
        )
        for block in written
    ]
    assert rows_of(seen) == rows_of(wanted)


def test_a_slow_follower_finds_sealed_what_it_missed(store, begun):
    made, journal = begun(segment_bytes=30_000)
    folder = store.folder(made.id)
    written = write_steps(journal, 1)
    follower = Follower(folder)
    seen = taken(follower)
    written += write_steps(journal, 6, first=21, lag=2)
    while seal_segment(folder):
        pass
    seen += taken(follower)
    assert rows_of(seen) == rows_of(written)
    journal.close()


def test_durable_only_stops_at_the_published_end(store, begun):
    made, journal = begun()
    folder = store.folder(made.id)
    written = write_steps(journal, 2)
    eager, careful = Follower(folder), Follower(folder, durable_only=True)
    assert rows_of(taken(careful)) == rows_of(taken(eager)) == rows_of(written)
    late = write_steps_unsynced(journal)
    assert rows_of(taken(eager)) == rows_of(late)
    assert taken(careful) == []
    journal.sync()
    assert rows_of(taken(careful)) == rows_of(late)
    assert careful.durable.seq == journal.durable.seq
    journal.close()


def write_steps_unsynced(journal):
    from store_samples import inputs  # noqa: PLC0415 - only here

    batch = inputs(journal.written.seq + 1, journal.written.seq + 5)
    journal.append(FrameKind.INPUTS, batch)
    return batch


def test_a_frame_that_is_half_there_is_waited_for(store, begun):
    made, journal = begun()
    folder = store.folder(made.id)
    first = write_steps(journal, 1, lag=0)
    follower = Follower(folder)
    seen = taken(follower)
    path = folder / "journal" / "000001.seg"
    before = path.stat().st_size
    late = write_steps(journal, 1, first=21, lag=0)
    journal.abandon()
    whole = path.read_bytes()
    for cut in range(before, len(whole), 997):
        path.write_bytes(whole[:cut])
        (folder / "journal" / "durable").unlink(missing_ok=True)
        seen += taken(follower)
    path.write_bytes(whole)
    seen += taken(follower)
    assert rows_of(seen) == rows_of(first + late)


def test_recovery_of_the_writer_is_followed(store, begun):
    made, journal = begun()
    folder = store.folder(made.id)
    written = write_steps(journal, 2)
    follower = Follower(folder)
    seen = taken(follower)
    journal.abandon()
    with (folder / "journal" / "000001.seg").open("ab") as file:
        file.write(b"TAPE torn")
    assert taken(follower) == []
    journal, recovered = Journal.resume(folder / "journal")
    assert recovered.cut_bytes == 9
    written += write_steps(journal, 2, first=41)
    seen += taken(follower)
    journal.close()
    seen += taken(follower)
    assert rows_of(seen) == rows_of(written)
    assert follower.is_ended


def test_rows_that_were_shown_and_lost_are_told(store, begun):
    made, journal = begun()
    folder = store.folder(made.id)
    write_steps(journal, 1)
    kept = (folder / "journal" / "000001.seg").stat().st_size
    write_steps(journal, 1, first=21)
    follower = Follower(folder)
    taken(follower)
    journal.abandon()
    path = folder / "journal" / "000001.seg"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CorruptError, match="rows up to seq 40 were shown, never synced, and lost in a crash"):
        taken(follower)


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = [{root!r}, {samples!r}]
from store_samples import write_steps
from pipeline.log.journal import Journal, Limits
journal = Journal.create(Path({folder!r}), log_id=bytes(16), limits=Limits(segment_bytes=50_000))
for step in range(25):
    write_steps(journal, 1, first=1 + 20 * step, lag=0, seed=step)
journal.close()
"""


def test_another_process_is_followed_to_its_end(store, begun):
    made, journal = begun()
    journal.abandon()
    folder = store.folder(made.id)
    for path in (folder / "journal").iterdir():
        path.unlink()
    manifest.update(folder, log_id=bytes(16).hex())
    script = WRITER.format(root=str(ROOT), samples=str(Path(__file__).parent), folder=str(folder / "journal"))
    follower = Follower(folder, durable_only=True)
    seen, polls = [], 0
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)]) as writer:
        deadline = time.monotonic() + 60
        while not follower.is_ended and time.monotonic() < deadline:
            seen += taken(follower)
            polls += 1
            time.sleep(0.002)
        assert writer.wait(10) == 0
    assert follower.is_ended
    written = [block for batch in LogReader(folder).batches(what="all") for block in batch]
    assert rows_of(seen) == rows_of(written)
    assert sum(len(block) for block in seen if block.kind is not None) > 500
    assert polls > 3
