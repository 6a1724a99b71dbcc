"""Record: a state class with its capacities known: how its rows are made, saved, restored, packed and compared.

Packed means little-endian bytes of a numpy structured dtype without padding. The functions are written out for each
class, since one of them runs for every handler call: saving a small row takes well under a microsecond, and checks it.
"""

import struct
import sys
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np

from pipeline.core.state import ArrayOf, Capacity, GroupOf, Member, StateClass
from pipeline.errors import StrategyError

assert sys.byteorder == "little"  # array.tobytes() is the machine's order, the tape's is little endian

_CODE: Final = {bool: "?", float: "d"}
"""struct's letters; every other scalar is an int64."""
_DTYPE: Final = {"?": "?", "d": "<f8", "q": "<i8"}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One number, or one array of them, in a row: `path` is what stands after `row.` in an expression."""

    path: str
    code: str
    count: int
    """Length of an array; 0 for a scalar."""
    type: type[Any]
    """What it was declared as: bool, int, float or an IntEnum."""

    @property
    def size(self) -> int:
        """Bytes taken."""
        return struct.calcsize("<" + self.code) * (self.count or 1)

    def unpacked(self, content: bytes, offset: int) -> tuple[Any, ...]:
        """Its numbers out of a packed row in which it begins at `offset`."""
        return struct.unpack_from(f"<{self.count or 1}{self.code}", content, offset)

    def packed(self, numbers: Sequence[Any]) -> bytes:
        """Its numbers as they lie in a packed row. Raises struct.error for one that it can't hold."""
        return struct.pack(f"<{self.count or 1}{self.code}", *numbers)


class Change(NamedTuple):
    """A field that differs between two rows."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Record:
    """A state class bound to its capacities.

    `save(row)` gives packed bytes (raises OverflowError or TypeError naming the field that can't be packed);
    `restore(row, packed)` sets every member from them; `new()` gives a row with every member at its default.
    `settle(row)` makes each scalar what its bytes say, where a handler put an integer in a float, a number in a bool, or an enum's
    member, which has other words, in an integer.
    """

    cls: type[Any]
    capacities: Mapping[str, int]
    dtype: np.dtype[Any]
    leaves: tuple[Leaf, ...]
    save: Callable[[Any], bytes]
    restore: Callable[[Any, bytes], None]
    new: Callable[[], Any]
    settle: Callable[[Any], None]

    def pack(self, row: Any) -> bytes:
        """The row's bytes with every NaN in its one bit pattern: what is hashed and written."""
        if not self.leaves:
            return b""
        packed = np.frombuffer(self.save(row), self.dtype).copy()
        canonicalize(packed)
        return packed.tobytes()

    def unpack(self, packed: bytes) -> Any:
        """A new row from its bytes. Raises ValueError when there are too few or too many."""
        if len(packed) != self.dtype.itemsize:
            raise ValueError(f"{self.cls.__name__} takes {self.dtype.itemsize} bytes, not {len(packed)}")
        row = self.new()
        self.restore(row, packed)
        return row

    def diff(self, before: bytes, after: bytes) -> list[Change]:
        """The fields in which two packed rows differ, in the order of their declaration."""
        old, new = dict(self._values(before)), dict(self._values(after))
        return [Change(path, old[path], new[path]) for path in old if not _same(old[path], new[path])]

    def _values(self, packed: bytes) -> Iterator[tuple[str, Any]]:
        offset = 0
        for leaf in self.leaves:
            values = leaf.unpacked(packed, offset)
            offset += leaf.size
            if not leaf.count:
                yield leaf.path, values[0]
            for i in range(leaf.count):
                yield f"{leaf.path}[{i}]", values[i]


def record_of(cls: type[Any], capacities: Mapping[str, int] | None = None) -> Record:
    """The record of a state class. Raises StrategyError for a capacity that nobody named."""
    hashable: Any = cls  # a class is, whatever mypy thinks of type[Any]
    return _record(hashable, tuple(sorted((capacities or {}).items())))


def dtype_of(cls: type[Any], capacities: Mapping[str, int] | None = None) -> np.dtype[Any]:
    """The packed numpy dtype of a state class with these capacities."""
    return record_of(cls, capacities).dtype


@cache
def _record(cls: Any, capacities: tuple[tuple[str, int], ...]) -> Record:
    known = dict(capacities)
    leaves = tuple(_leaves(cls, known, ""))
    return Record(cls, known, _dtype(cls, known), leaves, *_written_out(cls, known, leaves))


def _resolved(capacity: Capacity, known: Mapping[str, int], where: str) -> int:
    if isinstance(capacity, int):
        return capacity
    if capacity not in known:
        raise StrategyError(f"{where}: no capacity named {capacity!r}; known are {', '.join(known) or 'none'}")
    return known[capacity]


def _passed_down(shape: GroupOf, known: Mapping[str, int], where: str) -> dict[str, int]:
    return {name: _resolved(capacity, known, where) for name, capacity in shape.capacities.items()}


def _members(cls: type[Any], known: Mapping[str, int]) -> Iterator[tuple[Member, int | None, dict[str, int]]]:
    """Each member with how many there are (None: one) and the capacities its group sees."""
    assert issubclass(cls, StateClass), f"{cls.__name__} is no @state class"
    for member in cls.members:
        where = f"{cls.__qualname__}.{member.name}"
        if isinstance(member.shape, ArrayOf):
            yield member, _resolved(member.shape.capacity, known, where), {}
        elif isinstance(member.shape, GroupOf):
            count = None if member.shape.count is None else _resolved(member.shape.count, known, where)
            yield member, count, _passed_down(member.shape, known, where)
        else:
            yield member, None, {}


def _leaves(cls: type[Any], known: Mapping[str, int], prefix: str) -> Iterator[Leaf]:
    for member, count, below in _members(cls, known):
        path = prefix + member.name
        if not isinstance(member.shape, GroupOf):
            yield Leaf(path, _CODE.get(member.type, "q"), count or 0, member.type)
        elif count is None:
            yield from _leaves(member.type, below, f"{path}.")
        else:
            for i in range(count):
                yield from _leaves(member.type, below, f"{path}[{i}].")


def _dtype(cls: type[Any], known: Mapping[str, int]) -> np.dtype[Any]:
    fields: list[Any] = []
    for member, count, below in _members(cls, known):
        inner = (
            _dtype(member.type, below)
            if isinstance(member.shape, GroupOf)
            else np.dtype(_DTYPE[_CODE.get(member.type, "q")])
        )
        fields.append((member.name, inner) if count is None else (member.name, inner, (count,)))
    return np.dtype(fields)


def _first_row(cls: type[Any], known: Mapping[str, int]) -> Any:
    row = cls()
    for member, count, below in _members(cls, known):
        if isinstance(member.shape, ArrayOf):
            value: Any = array(_CODE.get(member.type, "q"), [member.type(member.default)] * (count or 0))
        elif isinstance(member.shape, GroupOf):
            value = _first_row(member.type, below)
            value = value if count is None else [_first_row(member.type, below) for _ in range(count)]
        else:
            value = member.default
        setattr(row, member.name, value)
    return row


def _written_out(
    cls: type[Any], known: Mapping[str, int], leaves: tuple[Leaf, ...]
) -> tuple[Callable[[Any], bytes], Callable[[Any, bytes], None], Callable[[], Any], Callable[[Any], None]]:
    """`save`, `restore`, `new` and `settle` as straight-line code: runs of scalars through one struct, arrays as they lie."""
    names: dict[str, Any] = {"array": array, "StructError": struct.error, "blamed": lambda row: _blamed(row, leaves)}
    saved, restored, offset = [], [], 0
    for run in _runs(leaves):
        size = sum(leaf.size for leaf in run)
        if run[0].count:
            saved.append(f"row.{run[0].path}.tobytes()")
            restored.append(f"row.{run[0].path}[:] = array({run[0].code!r}, packed[{offset}:{offset + size}])")
        else:
            name = f"run_{offset}"
            names[name] = struct.Struct("<" + "".join(leaf.code for leaf in run))
            fields = ", ".join(f"row.{leaf.path}" for leaf in run)
            saved.append(f"{name}.pack({fields})")
            restored.append(f"{fields}, = {name}.unpack_from(packed, {offset})")
        offset += size
    source = [
        "def save(row):",
        "    try:",
        f"        packed = {' + '.join(saved) or repr(b'')}",
        "    except StructError:",
        "        raise blamed(row) from None",
        f"    if len(packed) != {offset}:",
        "        raise ValueError('an array of the State has another length than it was declared with')",
        "    return packed",
        "def restore(row, packed):",
        *(f"    {line}" for line in restored or ["pass"]),
        "def settle(row):",
        *(f"    {line}" for line in _settled(leaves) or ["pass"]),
        "def new():",
        *(f"    {line}" for line in _built(cls, known, "row", names)),
        "    restore(row, first)",
        "    return row",
    ]
    exec("\n".join(source), names)  # noqa: S102  # the text is made of member names, which are identifiers
    names["first"] = names["save"](_first_row(cls, known))
    return names["save"], names["restore"], names["new"], names["settle"]


def _settled(leaves: tuple[Leaf, ...]) -> list[str]:
    kinds = {"?": "bool", "d": "float", "q": "int"}
    scalars = [(f"row.{leaf.path}", kinds[leaf.code]) for leaf in leaves if not leaf.count]
    return [f"if {path}.__class__ is not {kind}: {path} = {kind}({path})" for path, kind in scalars]


def _built(cls: type[Any], known: Mapping[str, int], path: str, names: dict[str, Any]) -> Iterator[str]:
    """The lines that make the groups and arrays of a row, without their values."""
    made = f"class_{len(names)}"
    names[made] = cls
    yield f"{path} = {made}()"
    for member, count, below in _members(cls, known):
        inner = f"{path}.{member.name}"
        if isinstance(member.shape, ArrayOf):
            code = _CODE.get(member.type, "q")
            yield f"{inner} = array({code!r}, bytes({struct.calcsize(code)} * {count}))"
        elif isinstance(member.shape, GroupOf) and count is None:
            yield from _built(member.type, below, inner, names)
        elif isinstance(member.shape, GroupOf):
            yield f"{inner} = [None] * {count}"
            for i in range(count or 0):
                yield from _built(member.type, below, f"{inner}[{i}]", names)


def _runs(leaves: tuple[Leaf, ...]) -> Iterator[list[Leaf]]:
    run: list[Leaf] = []
    for leaf in leaves:
        if run and (leaf.count or run[0].count):
            yield run
            run = []
        run.append(leaf)
    if run:
        yield run


def _blamed(row: Any, leaves: tuple[Leaf, ...]) -> Exception:
    """The error that names the first scalar that can't be packed."""
    for leaf in leaves:
        if leaf.count:
            continue
        value = eval(f"row.{leaf.path}", {"row": row})  # noqa: S307  # a path of member names
        try:
            struct.pack("<" + leaf.code, value)
        except struct.error:
            if isinstance(value, int):
                return OverflowError(f"{leaf.path} can't hold {value}: it is an int64")
            wanted = {"q": "an integer", "d": "a number", "?": "a bool"}[leaf.code]
            return TypeError(f"{leaf.path} can't hold a {type(value).__name__}: it is {wanted}")
    raise AssertionError("every member can be packed by itself")


def canonicalize(packed: np.ndarray[Any, Any]) -> None:
    """Give every NaN of packed rows its one bit pattern, in place."""
    if packed.dtype.names is None:
        if packed.dtype.kind == "f":
            packed[np.isnan(packed)] = np.nan
        return
    for part, offset in _parts_with_floats(packed.dtype):
        canonicalize(packed.getfield(part, offset))


@cache
def _parts_with_floats(dtype: np.dtype[Any]) -> tuple[tuple[np.dtype[Any], int], ...]:
    """Types and offsets of the fields that hold floats, neighbours together: each asks the same of few rows."""
    parts: list[tuple[np.dtype[Any], int]] = []
    for name in dtype.names or ():
        inner, offset = dtype.fields[name][:2]  # type: ignore[index]  # a dtype with names has fields
        if not _has_floats(inner):
            continue
        if (
            parts
            and inner.kind == "f"
            and parts[-1][0].base == inner
            and parts[-1][1] + parts[-1][0].itemsize == offset
        ):
            before, start = parts[-1]
            parts[-1] = np.dtype((inner, (before.itemsize // inner.itemsize + 1,))), start
        else:
            parts.append((inner, offset))
    return tuple(parts)


def _has_floats(dtype: np.dtype[Any]) -> bool:
    inner = dtype.base
    return inner.kind == "f" or bool(_parts_with_floats(inner))


def _same(left: Any, right: Any) -> bool:
    return bool(left == right or (left != left and right != right))  # noqa: PLR0124  # NaN is not itself
