"""Answering: a DuckDB over some logs that can reach nothing but them, and what it says within limits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from pipeline.sandbox.speech import Limits
from warehouse.connection import connect
from warehouse.reading import Reading
from warehouse.views import views

_BATCH_ROWS: Final = 8_192


def spared(limits: Limits) -> tuple[str, ...]:
    """Settings of every DuckDB of a worker, those that work out slow answers too: memory, threads, nothing spilled to a disk."""
    return (
        f"set threads = {limits.threads}",
        f"set memory_limit = '{limits.memory_mb}MB'",
        "set temp_directory = ''",
        "set enable_progress_bar = false",
    )


def locked(limits: Limits) -> tuple[str, ...]:
    """Statements after which nobody can load, reach or set anything more, in the order in which they hold."""
    return (
        "set autoload_known_extensions = false",
        "set autoinstall_known_extensions = false",
        "set allow_community_extensions = false",
        "set allow_persistent_secrets = false",
        "set python_enable_replacements = false",
        f"set max_execution_time = {limits.execution_ms}",
        "set enable_external_access = false",
        "set lock_configuration = true",  # the last: behind it no setting is taken
    )


def parser(limits: Limits) -> duckdb.DuckDBPyConnection:
    """A DuckDB with nothing in it, locked, for the gate."""
    connection = duckdb.connect(":memory:")
    for statement in (*spared(limits), *locked(limits)):
        connection.execute(statement)
    return connection


def over(home: Path, names: Sequence[str], wanted: Sequence[str], limits: Limits) -> duckdb.DuckDBPyConnection:
    """The views wanted over the logs named, locked. Sealed rows come through Arrow, so that DuckDB opens no file at all.

    Raises as `connect` does.
    """
    asked = [view for view in views() if view.name in wanted]
    connection = connect(home, names, asked=asked, reading=Reading(through_arrow=True, settings=spared(limits)))
    for statement in locked(limits):
        connection.execute(statement)
    return connection


def fetched(connection: duckdb.DuckDBPyConnection, sql: str, limits: Limits) -> tuple[pa.Buffer, str]:
    """The answer as an Arrow stream, and why rows were left out of it; empty when none were. Raises duckdb.Error."""
    reader = connection.sql(sql).to_arrow_reader(_BATCH_ROWS)  # `execute` would hold all rows first
    batches: list[pa.RecordBatch] = []
    rows = size = 0
    cut = ""
    for batch in reader:
        fitting = _fitting(batch, limits.bytes - size)
        if fitting < batch.num_rows:
            cut = f"the first rows, which have {limits.bytes // 1_000_000:,} MB: select fewer columns or rows"
        if rows + fitting > limits.rows:
            fitting = limits.rows - rows
            cut = f"the first {limits.rows:,} rows"
        batches.append(batch.slice(0, fitting))
        rows, size = rows + fitting, size + batches[-1].nbytes
        if cut:
            break
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, reader.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue(), cut


def _fitting(batch: pa.RecordBatch, room: int) -> int:
    """How many of its first rows have no more bytes than there is room; rows are taken as they are, for they differ."""
    if batch.nbytes <= room:
        return int(batch.num_rows)
    fitting, beyond = 0, int(batch.num_rows)
    while fitting + 1 < beyond:
        middle = (fitting + beyond) // 2
        fitting, beyond = (middle, beyond) if batch.slice(0, middle).nbytes <= room else (fitting, middle)
    return fitting
