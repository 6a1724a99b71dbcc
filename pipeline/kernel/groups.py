"""Groups: what compiled code finds behind each address it is handed, as plain words that anybody can write.

A group is a row of 64-bit words: the address of a row, of another group or of a column (numbers, read only; all columns of
a group are as long as its `count` says), the address and the length of a table (rows), a number itself, that never
changes, or all words of a part. The words are written by `memory` and `inputs` and read by compiled code, for which
`signatures` turns the same lists into types.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from pipeline.codes import Kind
from pipeline.core import step
from pipeline.core.chunk import EVENTS, PRICES, SIZES
from pipeline.core.record import record_of
from pipeline.core.state import state
from pipeline.core.strategy import Strategy
from pipeline.core.tape import KINDS, TAPE_LENGTH, Tape, row_dtype
from pipeline.core.world import PERSISTENT, QUEUES, SINGLE, World
from pipeline.events import FIELD_BY_NAME

Words = np.ndarray[Any, np.dtype[np.int64]]
Array = np.ndarray[Any, np.dtype[Any]]


class Run(Protocol):
    """The loop."""

    def __call__(self, call_address: int, *, is_short: bool = False) -> bool:
        """Run the `call` group at this address, and say whether all went well.

        Other threads may go on meanwhile, but not during a call that is short: to get the interpreter back from them can take
        longer than the call.
        """
        ...


STEPS: Final[dict[Kind, Any]] = {
    Kind.QUOTE: step.take_quote,
    Kind.PRINT: step.step_print,
    Kind.BAR: step.step_bar,
    Kind.STATUS: step.step_status,
    Kind.TIMER: step.step_timer,
    Kind.FEED: step.step_feed,
}
"""The kinds that compiled code reduces by a function of their own; before that of quotes it calls `step.begin`."""


class Form(Enum):
    """What a member is."""

    ROW = 1
    TABLE = 2
    COLUMN = 3
    GROUP = 4
    COUNT = 5
    NUMBER = 6
    PART = 7


class Member(NamedTuple):
    """One member: `what` is the dtype of its rows or numbers or its own, the group it is, or the column it counts."""

    name: str
    form: Form
    what: Any


class Group(NamedTuple):
    """Members in their order."""

    name: str
    members: tuple[Member, ...]


@state
class Progress:
    """How far a call is: it begins at input `at`, ends behind `stop`, or when `rows_max` derived rows wait."""

    at: int
    stop: int
    rows_max: int


@state
class Cursor:
    """The next row of a kind."""

    row: int


@state
class Nothing:
    """What stands where a strategy has no shared State."""

    nothing: int


PROGRESS: Final = record_of(Progress)
CURSOR: Final = record_of(Cursor)
NOTHING: Final = record_of(Nothing)


def columns_of(kind: Kind) -> tuple[str, ...]:
    """The columns that an event of this kind is made from."""
    names = {PRICES.get(name) or SIZES.get(name) or name: None for name in EVENTS[kind]._fields}
    return tuple(names)


def _columns(kind: Kind, names: Sequence[str]) -> tuple[Member, ...]:
    fields = FIELD_BY_NAME[kind]
    columns = (Member(name, Form.COLUMN, np.dtype("<" + fields[name].type)) for name in names)
    return (Member("count", Form.COUNT, names[0]), *columns)


COLUMNS: Final = {kind: Group(f"{kind.name.lower()}s", _columns(kind, columns_of(kind))) for kind in STEPS}
"""The columns of each kind."""

OTHERS: Final = Group("others", _columns(Kind.NOTE, ("ts_recv_ns", "origin")))
"""Columns of what moves only the session time."""


def _rows(name: str, dtype: np.dtype[Any], *, is_single: bool) -> Member:
    return Member(name, Form.ROW if is_single else Form.TABLE, dtype)


TAPE: Final = Group(
    "tape",
    (
        Member("length", Form.ROW, TAPE_LENGTH.dtype),
        *(_rows(name, row_dtype(kind), is_single=False) for name, kind in KINDS.items()),
    ),
)
WORLD: Final = Group(
    "world",
    (
        *(
            _rows(name, record.dtype, is_single=name in SINGLE)
            for name, record in sorted((PERSISTENT | QUEUES).items(), key=lambda item: World._fields.index(item[0]))
        ),
        Member("tape", Form.GROUP, TAPE),
    ),
)
assert [member.name for member in TAPE.members] == list(Tape._fields)
assert [member.name for member in WORLD.members] == list(World._fields)


@cache
def params_group(strategy: Strategy) -> Group:
    """Parameters: numbers that no handler may set, so that what is made of them is made once, not at every input."""
    codes = {bool: "?", int: "<i8", float: "<f8"}
    specs = strategy.Params.specs
    return Group("params", tuple(Member(spec.name, Form.NUMBER, np.dtype(codes[spec.type])) for spec in specs))


def cells_group(strategies: tuple[Strategy, ...]) -> Group:
    """What belongs to the strategies, numbered from 1."""
    members = []
    for number, strategy in enumerate(strategies, 1):
        members += [
            Member(f"state_{number}", Form.TABLE, strategy.record.dtype),
            Member(f"shared_{number}", Form.ROW, (strategy.shared_record or NOTHING).dtype),
            Member(f"params_{number}", Form.PART, params_group(strategy)),
        ]
    return Group("cells", tuple(members))


@cache
def call_group(strategies: tuple[Strategy, ...]) -> Group:
    """All that the loop is given: the one address it takes is that of this group."""
    return Group(
        "call",
        (
            Member("world", Form.GROUP, WORLD),
            Member("cells", Form.GROUP, cells_group(strategies)),
            Member("progress", Form.ROW, PROGRESS.dtype),
            Member("cursors", Form.TABLE, CURSOR.dtype),
            Member("count", Form.COUNT, "kinds"),
            Member("kinds", Form.COLUMN, np.dtype(np.int8)),
            *(Member(group.name, Form.GROUP, group) for group in COLUMNS.values()),
            Member("others", Form.GROUP, OTHERS),
        ),
    )


def address_of(array: Array) -> int:
    """Where an array's memory begins."""
    return int(array.ctypes.data)


def _word_of(number: Array) -> int:
    """A number's eight bytes as an integer; a bool is 0 or 1."""
    wide = number.astype(np.float64 if number.dtype.kind == "f" else np.int64)
    return int(wide.view(np.int64).item())


def words_of(group: Group, arrays: Mapping[str, Array]) -> Words:
    """A group over arrays, which must outlive it; a member that is a group stands for its own words."""
    words: list[int] = []
    columns = {len(arrays[member.name]) for member in group.members if member.form is Form.COLUMN}
    assert len(columns) <= 1, f"{group.name}: columns of {columns} rows"
    for name, form, what in group.members:
        if form is Form.COUNT:
            words.append(len(arrays[what]))
            continue
        if form is Form.NUMBER:
            words.append(_word_of(arrays[name]))
            continue
        if form is Form.PART:
            words += arrays[name].tolist()
            continue
        words.append(address_of(arrays[name]))
        if form is Form.TABLE:
            words.append(len(arrays[name]))
    return np.array(words, np.int64)
