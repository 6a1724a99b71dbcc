"""Far: a session of large parts pushed to an S3 server on loopback and pulled from it, beside a plain copy of the same files.

The plain copy is pyarrow's own through the same server, as many files at a time, nothing hashed and nothing synced. A pull ends with
everything durable; how long the disk takes for that is told beside, by the same copy with each file synced.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from pyarrow import fs

from benchmarks.measure import Figure, ratio, seconds
from pipeline.block import Block
from pipeline.codes import Kind, Origin
from pipeline.events import LAYOUTS
from pipeline.log import manifest
from pipeline.log.far import AT_ONCE, CHUNK_BYTES, Far
from pipeline.log.parts import MERGED, Parts, Tally
from pipeline.log.pulling import pull
from pipeline.log.pushing import push
from pipeline.log.store import Store
from pipeline.log.visiting import visit
from pipeline.provenance import Mode

KEYS = ("benchmark-key", "benchmark-secret")
ROWS = 600_000
KINDS = (Kind.QUOTE, Kind.PRINT, Kind.SNAPSHOT, Kind.BAR, Kind.ORDER, Kind.FILL)


def figures():
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ.update(AWS_ACCESS_KEY_ID=KEYS[0], AWS_SECRET_ACCESS_KEY=KEYS[1], TAPE_CACHE=str(home / "cache"))
        os.environ["AWS_REQUEST_CHECKSUM_CALCULATION"] = (
            "when_required"  # as `log.far` has it for servers like this one
        )
        (home / "objects").mkdir()
        words = [Path(sys.executable).with_name("rclone"), "serve", "s3", "--addr", "127.0.0.1:0"]
        words += ["--auth-key", ",".join(KEYS), home / "objects"]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as server:
            try:
                said = (re.search(r"server on \[http://(127\.0\.0\.1:\d+)/\]", line) for line in server.stderr)
                yield from measured(home, next(match for match in said if match)[1])
            finally:
                server.kill()


def measured(home, address):
    files = fs.S3FileSystem(
        access_key=KEYS[0],
        secret_key=KEYS[1],
        endpoint_override=address,
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
    )
    files.create_dir("tapes")
    local = fs.LocalFileSystem()
    store, times = Store(home / "store"), iter(range(1_000))
    session = sealed(store)
    size = sum(part.size for part in session.parts)
    paths = [store.folder(session.id) / part.file for part in session.parts]
    uri = f"s3://tapes/{{}}?endpoint_override={address}&scheme=http&region=us-east-1"

    def pushed():
        push(store, session.id, Far(uri.format(f"pushed-{next(times)}")))

    def copied_there():
        target = f"tapes/copied-{next(times)}"
        in_parallel(lambda path: copy(local, str(path), files, f"{target}/{path.parent.name}"), paths)

    def pulled():
        pull(Store(home / f"pulled-{next(times)}"), there, session.id)

    def copied_here(*, is_synced=False):
        target = home / f"copied-{next(times)}"
        target.mkdir()
        in_parallel(
            lambda path: copy(files, f"tapes/plain/{path.parent.name}", local, str(target / path.parent.name)), paths
        )
        if is_synced:
            in_parallel(sync, [target / path.parent.name for path in paths])

    push(store, session.id, Far(uri.format("first")))
    in_parallel(lambda path: copy(local, str(path), files, f"tapes/plain/{path.parent.name}"), paths)
    there = Store(visit(uri.format("first")))
    beside = f"{size / 1e6:,.0f} MB in {len(paths)} parts; {{:.2f}} s to {{:.2f}} s"
    found, ours_s, theirs_s = ratio(pushed, copied_there)
    yield Figure(
        "push of a session, to a plain copy through the same server",
        found,
        "",
        0.6,
        beside=beside.format(ours_s, theirs_s),
    )
    found, ours_s, theirs_s = ratio(pulled, copied_here)
    synced_s = seconds(lambda: copied_here(is_synced=True), runs=3)
    yield Figure(
        "pull of a session, to a plain copy through the same server",
        found,
        "",
        0.6,
        beside=f"{beside.format(ours_s, theirs_s)}, {synced_s:.2f} s with each file synced",
    )
    for path in home.glob("copied-*"):
        shutil.rmtree(path)


def copy(source, path, target, name):
    with source.open_input_stream(path) as read, target.open_output_stream(name) as written:
        while chunk := read.read(CHUNK_BYTES):
            written.write(chunk)


def in_parallel(work, things):
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(work, things))


def sync(path):
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sealed(store):
    """A session of columns that don't compress, so that few rows make large files."""
    made = store.create_session("large", mode=Mode.IMPORT, created_ns=1)
    parts, tally, random = Parts(store.folder(made.id), store.disk), Tally(), np.random.default_rng(1)
    for number, kind in enumerate(KINDS):
        seqs = np.arange(1 + number * ROWS, 1 + (number + 1) * ROWS)
        columns = {
            field.name: random.integers(1, np.iinfo(field.type).max, ROWS, field.type)
            for field in LAYOUTS[kind].payload
            if field.type in ("i4", "i8")
        }
        origin = np.full(ROWS, Origin.INPUT)
        block = Block.of(kind, ROWS, seq=seqs, ord=np.zeros(ROWS, "i4"), ts_recv_ns=seqs, origin=origin, **columns)
        parts.write(block, MERGED)
        tally.add(block)
    of = tally.applied(made, parts=tuple(parts.publish("", "")), sealed=manifest.NOTHING_SEALED)
    manifest.save(store.folder(made.id), of, store.disk)
    return of
