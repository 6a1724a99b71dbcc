"""Speech: what the one who asks and the worker say to each other, a line of JSON each; behind `Answered` come its bytes."""

import msgspec


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a statement may cost. What goes beyond is cut or ended, and the answer says so."""

    statement_chars: int = 20_000
    """DuckDB's parser takes half a gigabyte for fifty thousand terms."""
    rows: int = 200_000
    bytes: int = 50_000_000
    """Of the result, as Arrow has it."""
    memory_mb: int = 512
    """Of DuckDB: what it sorts, joins and groups."""
    process_bytes: int = 1 << 30
    """Of the whole process; a third of it are stacks that are never touched."""
    threads: int = 2
    execution_ms: int = 3_000
    """After which DuckDB itself gives up, where it looks at its clock."""
    wall_s: float = 5.0
    """After which the worker is killed."""
    load_s: float = 60.0
    """As long may logs be opened and proved: none of it depends on what the statement says but for its views."""
    start_s: float = 120.0


class Ask(msgspec.Struct, frozen=True, tag="ask", forbid_unknown_fields=True):
    """A statement over logs, named as `connect` takes them."""

    sql: str
    over: tuple[str, ...]


class GoOn(msgspec.Struct, frozen=True, tag="go_on", forbid_unknown_fields=True):
    """What is kept of slow answers is there: answer."""


Heard = Ask | GoOn


class Ready(msgspec.Struct, frozen=True, tag="ready", forbid_unknown_fields=True):
    """The worker has closed itself in, and how well."""

    landlock_abi: int
    no_sockets: bool
    weaker: tuple[str, ...]


class Accepted(msgspec.Struct, frozen=True, tag="accepted", forbid_unknown_fields=True):
    """The gate let the statement pass; the views it reads."""

    views: tuple[str, ...]


class Loaded(msgspec.Struct, frozen=True, tag="loaded", forbid_unknown_fields=True):
    """The views stand, DuckDB is locked, the statement runs."""


class Answered(msgspec.Struct, frozen=True, tag="answered", forbid_unknown_fields=True):
    """So many bytes of an Arrow stream follow."""

    size: int
    cut: str
    """Why rows were left out; empty: these are all."""


class Unanswered(msgspec.Struct, frozen=True, tag="unanswered", forbid_unknown_fields=True):
    """No answer, and why in one line."""

    what: str
    """`refused` by the gate, `failed` in DuckDB or the log, `stopped` by a limit."""
    line: str


Said = Ready | Accepted | Loaded | Answered | Unanswered
