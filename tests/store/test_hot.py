"""The hot cache gives the rows of the sealed files, or it is made again; nothing depends on it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from store_quotes import random_walk_quotes
from store_samples import rows_of

from pipeline.block import Block
from pipeline.cli import main
from pipeline.codes import Kind
from pipeline.errors import ConfigError
from pipeline.log import cache, hot, manifest
from pipeline.log.frames import FrameKind
from pipeline.log.mapped import MAPPABLE
from pipeline.log.proved import read as read_proved
from pipeline.log.reader import LogReader
from pipeline.log.seal import seal


@pytest.fixture(autouse=True)
def _room(monkeypatch):
    monkeypatch.setenv(cache.LIMIT_VARIABLE, "1")


@pytest.fixture
def sealed(store, ended):
    """Make a sealed session; its id and its inputs."""

    def make(hint="day", steps=20, **more):
        made, written = ended(hint, steps, **more)
        seal(store.folder(made.id))
        return made.id, [part for block in written if len(part := block.take(block.number("ord") == 0))]

    return make


@pytest.fixture
def quotes(store, begun):
    """Make a sealed session of so many quotes; its id."""

    def make(count, hint="quotes", seed=7):
        made, journal = begun(hint)
        day = random_walk_quotes(count, seed=seed)
        for start in range(0, count, 20_000):
            journal.append(FrameKind.INPUTS, [day.slice(start, start + 20_000)])
        journal.close()
        manifest.update(store.folder(made.id), state="ended")
        seal(store.folder(made.id))
        return made.id

    return make


def everything(batches):
    return [block for batch in batches for block in batch]


def entry(store):
    (found,) = hot.entries(store)
    return store.home / cache.FOLDER / found.key


def left(store):
    root = store.home / cache.FOLDER
    return sorted(path.name for path in root.iterdir()) if root.is_dir() else []


@pytest.mark.parametrize("rows", [1, 7, 150, 10_000])
def test_the_first_reading_leaves_an_entry_and_the_next_gives_the_same_rows(store, sealed, rows):
    id_, inputs = sealed()
    assert not hot.has(store, id_)
    assert rows_of(everything(hot.batches(store, id_, rows=rows))) == rows_of(inputs)
    assert hot.has(store, id_)
    found = list(hot.windows(store, id_, rows=rows))
    assert rows_of([block for window in found for block in window.blocks]) == rows_of(inputs)
    assert [window.first_seq for window in found] == [1, *(window.last_seq + 1 for window in found[:-1])]
    assert {kind.name.lower() for kind in MAPPABLE & {block.kind for block in inputs}} <= {
        path.name for path in entry(store).iterdir()
    }
    for window in found:
        assert sum(map(len, window.blocks)) == window.last_seq - window.first_seq + 1 <= rows


@pytest.mark.parametrize("is_hot", [False, True])
def test_a_part_can_be_asked_for(store, sealed, is_hot):
    id_, inputs = sealed()
    if is_hot:
        everything(hot.batches(store, id_))
    for first, last in ((1, 1), (55, 133), (399, 400), (400, 999), (401, 500), (-5, 3)):
        wanted = [block.take((block.number("seq") >= first) & (block.number("seq") <= last)) for block in inputs]
        assert rows_of(everything(hot.batches(store, id_, first, last, rows=50))) == rows_of(wanted)
    kinds = [Kind.QUOTE, Kind.FEED]
    wanted = [block for block in inputs if block.kind in kinds]
    assert rows_of(everything(hot.batches(store, id_, 2, kinds=kinds))) == rows_of(
        [block.take(block.number("seq") > 1) for block in wanted]
    )
    narrow = everything(hot.batches(store, id_, kinds=kinds, columns=["ts_recv_ns"]))
    assert {tuple(block.columns) for block in narrow} == {("seq", "ord", "ts_recv_ns")}
    assert sum(map(len, narrow)) == sum(map(len, wanted))


def test_batches_are_as_wide_as_asked_for(store, quotes):
    id_ = quotes(150_000)
    everything(hot.batches(store, id_))
    for rows in (1_000, 65_536, 100_000, 10**9):
        lengths = [sum(map(len, batch)) for batch in hot.batches(store, id_, rows=rows)]
        assert set(lengths[:-1]) <= {rows}
        assert sum(lengths) == 150_000


def test_only_a_whole_reading_leaves_something(store, sealed):
    id_, inputs = sealed()
    everything(hot.batches(store, id_, 2))
    everything(hot.batches(store, id_, 1, 399))
    everything(hot.batches(store, id_, build=False))
    reading = hot.batches(store, id_, rows=10)
    next(reading)
    reading.close()
    assert left(store) == []
    everything(hot.batches(store, id_, kinds=[Kind.QUOTE], columns=["bid_nano"]))
    assert rows_of(everything(hot.batches(store, id_))) == rows_of(inputs)
    assert hot.has(store, id_)


def test_what_is_not_sealed_is_read_as_it_lies(store, ended):
    made, written = ended()
    inputs = [block.take(block.number("ord") == 0) for block in written]
    assert rows_of(everything(hot.batches(store, made.id))) == rows_of(inputs)
    assert left(store) == []
    assert not hot.has(store, made.id)


def test_deleting_it_loses_nothing_not_even_while_it_is_read(store, sealed):
    id_, inputs = sealed()
    everything(hot.batches(store, id_))
    reading = hot.batches(store, id_, rows=100)
    found = next(reading)
    assert hot.forget(store, id_)
    assert not hot.forget(store, id_)
    found += everything(reading)
    assert rows_of(found) == rows_of(inputs)
    assert left(store) == []


def files_of(store):
    return sorted(path for path in entry(store).rglob("*") if path.is_file() and path.name != "lock")


def test_a_damaged_file_is_found_and_the_entry_made_again(store, sealed):
    id_, inputs = sealed(steps=3)
    everything(hot.batches(store, id_))
    everything(hot.batches(store, id_))
    names = [path.relative_to(entry(store)) for path in files_of(store)]
    names = [name for number, name in enumerate(names) if name.suffix == ".json" or number % 8 == 0]
    assert {Path("index.json"), Path("proved.json")} < set(names)
    for number, name in enumerate(names):
        path = entry(store) / name
        before, content = path.stat(), bytearray(path.read_bytes())
        content[len(content) // 2 if number % 2 else -400] ^= 4
        path.write_bytes(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert rows_of(everything(hot.batches(store, id_))) == rows_of(inputs), name
        assert rows_of(everything(hot.batches(store, id_))) == rows_of(inputs), name
        path.unlink()
        assert rows_of(everything(hot.batches(store, id_))) == rows_of(inputs), name
        everything(hot.batches(store, id_))


def test_a_comparison_holds_until_the_file_or_the_machine_changes(store, sealed, monkeypatch):
    id_, inputs = sealed()
    everything(hot.batches(store, id_))
    everything(hot.batches(store, id_, kinds=[Kind.QUOTE], columns=["bid_nano"]))
    path = entry(store) / "proved.json"
    proved = read_proved(path, cache.Proved)
    assert set(proved.files) == {"quote/seq", "quote/bid_nano"}
    everything(hot.batches(store, id_))
    assert set(read_proved(path, cache.Proved).files) > set(proved.files)
    monkeypatch.setattr(cache, "boot_id", lambda: "another start")
    assert rows_of(everything(hot.batches(store, id_, kinds=[Kind.QUOTE]))) == rows_of(
        [block for block in inputs if block.kind is Kind.QUOTE]
    )
    assert {name.partition("/")[0] for name in read_proved(path, cache.Proved).files} == {"quote"}


def test_one_writes_and_the_others_read_parquet(store, sealed):
    id_, inputs = sealed()
    first = hot.batches(store, id_, rows=100)
    found = next(first)
    assert rows_of(everything(hot.batches(store, id_))) == rows_of(inputs)
    assert [name[:8] for name in left(store)] == [".making-"]
    assert rows_of(found + everything(first)) == rows_of(inputs)
    assert left(store) == [cache.key_of(store.manifest(id_))]


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from pipeline.log import hot
from pipeline.log.proved import read as read_proved
from pipeline.log.store import Store
for number, batch in enumerate(hot.batches(Store(Path({home!r})), {id_!r}, rows=20_000)):
    if number == 3:
        print("reading", flush=True)
        time.sleep(60)
"""


def test_a_crash_in_the_middle_leaves_nothing_that_counts(store, quotes):
    id_, other = quotes(200_000), quotes(50_000, "other", 8)
    script = KILLED.format(root=str(Path(__file__).resolve().parents[2]), home=str(store.home), id_=id_)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"reading\n"
        time.sleep(0.1)
        assert [name[:8] for name in left(store)] == [".making-"]
        process.send_signal(signal.SIGKILL)
    assert not hot.has(store, id_)
    everything(hot.batches(store, other))
    assert left(store) == [cache.key_of(store.manifest(other))]
    assert sum(map(len, everything(hot.batches(store, id_)))) == 200_000
    assert hot.has(store, id_)


def test_a_leftover_of_the_same_session_is_written_over(store, sealed):
    id_, inputs = sealed()
    leftover = store.home / cache.FOLDER / (cache.MAKING + cache.key_of(store.manifest(id_)))
    (leftover / "quote").mkdir(parents=True)
    (leftover / "quote" / "seq.arrow").write_bytes(b"half")
    everything(hot.batches(store, id_))
    assert rows_of(everything(hot.batches(store, id_))) == rows_of(inputs)
    assert left(store) == [cache.key_of(store.manifest(id_))]


def test_the_least_recently_used_goes_first(store, quotes, monkeypatch):
    ids = [quotes(30_000, f"day-{number}", number) for number in range(4)]
    size = 0
    for id_ in ids[:3]:
        everything(hot.batches(store, id_))
        size = max(size, hot.entries(store)[-1].size)
    monkeypatch.setenv(cache.LIMIT_VARIABLE, str(3.3 * size / 2**30))
    everything(hot.batches(store, ids[0]))
    everything(hot.batches(store, ids[3]))
    assert [id_ for id_ in ids if hot.has(store, id_)] == [ids[0], ids[2], ids[3]]
    assert sum(entry.size for entry in hot.entries(store)) <= cache.limit_bytes(store.home)
    assert hot.clear(store) > 2 * size
    assert hot.entries(store) == []


def test_what_is_larger_than_the_limit_is_not_kept_and_drops_nothing(store, quotes, monkeypatch):
    small, large = quotes(5_000, "small"), quotes(100_000, "large")
    everything(hot.batches(store, small))
    for gib in ("0.001", "0"):
        monkeypatch.setenv(cache.LIMIT_VARIABLE, gib)
        assert sum(map(len, everything(hot.batches(store, large, rows=20_000)))) == 100_000
        assert (hot.has(store, small), hot.has(store, large)) == (True, False)
        assert len(left(store)) == 1
    monkeypatch.setenv(cache.LIMIT_VARIABLE, "much")
    with pytest.raises(ConfigError, match="TAPE_HOT_GIB='much': write how many GiB"):
        everything(hot.batches(store, large))
    monkeypatch.delenv(cache.LIMIT_VARIABLE)
    assert 0 < cache.limit_bytes(store.home) <= 20 * 2**30


def test_a_disk_that_refuses_does_not_stop_a_reading(store, sealed):
    id_, inputs = sealed()
    (store.home / "cache").write_text("no folder")
    assert rows_of(everything(hot.batches(store, id_))) == rows_of(inputs)
    (store.home / "cache").unlink()
    reading = hot.batches(store, id_, rows=50)
    found = next(reading)
    (making,) = (store.home / cache.FOLDER).iterdir()
    (making / "index.json").mkdir()
    assert rows_of(found + everything(reading)) == rows_of(inputs)
    assert left(store) == []


def test_derived_rows_in_one_file_with_inputs_stay_outside(store, sealed):
    id_, _ = sealed()
    assert "all" in {part.stretch for part in store.manifest(id_).parts_of(Kind.BAR)}
    everything(hot.batches(store, id_))
    bars = everything(hot.batches(store, id_, kinds=[Kind.BAR]))
    assert {int(ord_) for block in bars for ord_ in block.number("ord")} == {0}


MEMORY = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from pipeline.log import hot
from pipeline.log.proved import read as read_proved
from pipeline.log.store import Store
def resident_mb():
    return next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmRSS"))
peak, total, store = 0, 0, Store(Path({home!r}))
for _ in range(2):
    start = resident_mb()
    for batch in hot.batches(store, {id_!r}, rows=100_000):
        total += sum(int(column.sum()) & 1 for block in batch for column in block.columns.values())
        peak = max(peak, resident_mb() - start)
print(peak)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not tell a process's own memory")
@pytest.mark.parametrize("million", [1, pytest.param(10, marks=pytest.mark.soak)])
def test_memory_stays_flat_although_every_byte_is_touched(store, quotes, million):
    id_ = quotes(million * 1_000_000)
    script = MEMORY.format(root=str(Path(__file__).resolve().parents[2]), home=str(store.home), id_=id_)
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert hot.has(store, id_)
    assert int(done.stdout) < 130


def test_two_copies_of_a_session_share_an_entry(store, quotes):
    one, other = quotes(3_000, "one"), quotes(3_000, "other")
    everything(hot.batches(store, one))
    assert hot.has(store, other)
    assert np.array_equal(
        np.concatenate([block.number("bid_nano") for block in everything(hot.batches(store, other))]),
        np.concatenate([block.number("bid_nano") for block in everything(LogReader(store.folder(one)).batches())]),
    )


def test_a_session_without_numbers_is_kept_and_read(store, begun):
    made, journal = begun("notes")
    note = Block.of(Kind.NOTE, 2, seq=[1, 2], text=["a", "b"])
    journal.append(FrameKind.INPUTS, [note])
    journal.close()
    manifest.update(store.folder(made.id), state="ended")
    seal(store.folder(made.id))
    for _ in range(2):
        assert rows_of(everything(hot.batches(store, made.id))) == rows_of([note])


def test_people_see_it_and_clear_it(store, quotes):
    id_ = quotes(3_000)
    everything(hot.batches(store, id_))
    told = CliRunner().invoke(main, ["--home", str(store.home), "sessions", "cache"])
    assert told.exit_code == 0
    assert told.stdout.startswith(f"{id_} ")
    assert f"of {2**30:,} bytes" in told.stdout
    told = CliRunner().invoke(main, ["--home", str(store.home), "sessions", "cache", "--clear", "--json"])
    answer = json.loads(told.stdout.splitlines()[-1])
    assert [entry["session"] for entry in answer["entries"]] == [id_]
    assert answer["freed_bytes"] == answer["entries"][0]["bytes"] > 0
    assert not hot.has(store, id_)
    told = CliRunner().invoke(main, ["--home", str(store.home), "sessions", "cache"])
    assert told.stdout.startswith("nothing is kept")
