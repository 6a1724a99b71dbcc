"""Primitives: what generated code stands on: tables and columns, groups of them, doors.

A table is an address and a length; its rows are numba records, which are addresses too, so that nothing is counted or
copied in the loop.
"""

import operator
from typing import Any, Final

from blake3 import blake3
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import NumbaTypeError
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic, models, overload, register_model

from pipeline.core.tables import claim
from pipeline.kernel.arithmetic import OPTIONS, is_int

_WORD: Final = ir.IntType(64)
_WORD_SIZE: Final = 8


class TableType(types.Type):
    """A table of records: an address and a length."""

    def __init__(self, record: Any) -> None:
        self.record = record
        super().__init__(name=f"Table({record})")


class ColumnType(types.Type):
    """A column of numbers, read only: an address. How long it is its group knows, who reads it checks that once a row."""

    def __init__(self, number: Any) -> None:
        self.number = number
        super().__init__(name=f"Column({number})")


@register_model(TableType)
class _TableModel(models.StructModel):
    def __init__(self, manager: Any, stretch: Any) -> None:
        super().__init__(manager, stretch, [("address", types.voidptr), ("length", types.intp)])


@register_model(ColumnType)
class _ColumnModel(models.PrimitiveModel):
    def __init__(self, manager: Any, column: Any) -> None:
        super().__init__(manager, column, cgutils.voidptr_t)


@intrinsic
def number_at(_context: Any, column: Any, _index: Any) -> Any:
    """A number of a column, at a place that was checked against the count of its group."""

    def build(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        numbers = builder.bitcast(args[0], context.get_value_type(column.number).as_pointer())
        return _never_changing(builder, builder.load(builder.gep(numbers, [args[1]])))

    return column.number(column, types.intp), build


def _row_pointer(context: Any, builder: Any, table_type: Any, value: Any, index: Any) -> Any:
    proxy = cgutils.create_struct_proxy(table_type)(context, builder, value=value)
    offset = builder.mul(index, ir.Constant(index.type, table_type.record.size))
    return cgutils.pointer_add(builder, proxy.address, offset)


@intrinsic
def _row(_context: Any, table_: Any, _index: Any) -> Any:
    record = table_.record

    def build(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        pointer = _row_pointer(context, builder, table_, args[0], args[1])
        return builder.bitcast(pointer, context.get_value_type(record))

    return record(table_, types.intp), build


@intrinsic
def _reset(_context: Any, table_: Any, _index: Any) -> Any:
    """Copy row 0 over a row."""

    def build(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        zero = ir.Constant(args[1].type, 0)
        source = _row_pointer(context, builder, table_, args[0], zero)
        target = _row_pointer(context, builder, table_, args[0], args[1])
        cgutils.raw_memcpy(builder, target, source, ir.Constant(args[1].type, table_.record.size), 1)
        return context.get_dummy_value()

    return types.none(table_, types.intp), build


@intrinsic
def _length(_context: Any, table_: Any) -> Any:
    def build(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return cgutils.create_struct_proxy(table_)(context, builder, value=args[0]).length

    return types.intp(table_), build


@intrinsic
def _is_outside(_context: Any, index: Any, length: Any) -> Any:
    """`index < 0 or index >= length` in one: read without its sign, what is below 0 is beyond every length."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.icmp_unsigned(">=", context.cast(builder, args[0], signature.args[0], types.intp), args[1])

    return types.boolean(index, length), build


# numba compares the signatures of an overload and of what it gives, annotations included: these have none.


@overload(operator.getitem, jit_options=OPTIONS)
def _getitem(rows, index):  # noqa: ANN001, ANN202, ARG001  # as said above
    if not isinstance(rows, TableType):
        return None

    def get(rows, index):  # noqa: ANN001, ANN202  # as said above
        if _is_outside(index, _length(rows)):
            raise IndexError
        return _row(rows, index)

    return get


@overload(len, jit_options=OPTIONS)
def _len(rows):  # noqa: ANN001, ANN202  # as said above
    return (lambda rows: _length(rows)) if isinstance(rows, TableType) else None  # noqa: PLW0108  # an intrinsic is no function


@overload(claim, jit_options=OPTIONS)
def _claim(table, index):  # noqa: ANN001, ANN202, ARG001  # as said above
    if not isinstance(table, TableType):
        return None

    def get(table, index):  # noqa: ANN001, ANN202  # as said above
        if _is_outside(index, _length(table)):
            raise IndexError
        _reset(table, index)
        return _row(table, index)

    return get


class GroupType(types.Type):
    """Members by name, behind one address (`groups`). Every kernel's context is of a class of its own.

    A named tuple would do, but numba compares types at every call and hands a tuple over member by member: with thirty
    tables that costs half a microsecond a call, and minutes to compile.
    """

    is_lasting = True
    """Whether its words stand before the function begins, and never change while it runs."""

    def __init__(self, members: tuple[tuple[str, Any], ...]) -> None:
        self.members = members
        self.words = sum(_words_of(type_) for _, type_ in members)
        self.places = {name: i for i, (name, _) in enumerate(members)}
        digest = blake3(str(members).encode()).hexdigest()[:16]
        super().__init__(name=f"{type(self).__module__}.{type(self).__name__}({digest})")


class PartType(GroupType):
    """A group that stands inside of another, so that its members are as near as that one's own."""


def _words_of(type_: Any) -> int:
    if isinstance(type_, PartType):
        return type_.words
    return 2 if isinstance(type_, TableType) else 1


class _GroupModel(models.PrimitiveModel):
    def __init__(self, manager: Any, group: Any) -> None:
        super().__init__(manager, group, cgutils.voidptr_t)


register_model(GroupType)(_GroupModel)
register_model(PartType)(_GroupModel)


def _member_pointer(context: Any, builder: Any, group: GroupType, address: Any, place: int) -> Any:
    made = _slots_type(context, group)
    return cgutils.gep_inbounds(builder, builder.bitcast(address, made.as_pointer()), 0, place)


def _slots_type(context: Any, group: GroupType) -> Any:
    return ir.LiteralStructType([_slot_type(context, type_) for _, type_ in group.members])


def _slot_type(context: Any, type_: Any) -> Any:
    if isinstance(type_, PartType):
        return _slots_type(context, type_)
    return _WORD if isinstance(type_, types.Boolean) else context.get_value_type(type_)


@infer_getattr
class _Members(AttributeTemplate):
    key = GroupType

    def generic_resolve(self, group: Any, name: str) -> Any:
        place = group.places.get(name)
        return None if place is None else group.members[place][1]


@lower_getattr_generic(GroupType)
def _read_member(context: Any, builder: Any, group: Any, value: Any, name: str) -> Any:
    place = group.places[name]
    type_, pointer = group.members[place][1], _member_pointer(context, builder, group, value, place)
    if not group.is_lasting:
        return builder.load(pointer)
    if isinstance(type_, PartType):
        return builder.bitcast(pointer, cgutils.voidptr_t)
    if isinstance(type_, TableType):  # word by word: LLVM forgets what is said of a load when it takes one apart
        table = cgutils.create_struct_proxy(type_)(context, builder)
        table.address = _never_changing(builder, builder.load(cgutils.gep_inbounds(builder, pointer, 0, 0)))
        table.length = _never_changing(builder, builder.load(cgutils.gep_inbounds(builder, pointer, 0, 1)))
        return table._getvalue()  # noqa: SLF001  # how numba itself ends each of these
    loaded = _never_changing(builder, builder.load(pointer))
    if isinstance(type_, types.Boolean):
        return builder.icmp_unsigned("!=", loaded, ir.Constant(_WORD, 0))
    if isinstance(type_, (types.Record, GroupType)):
        size = type_.size if isinstance(type_, types.Record) else _WORD_SIZE * type_.words
        for fact, number in (("dereferenceable", size), ("align", _WORD_SIZE)):
            loaded.set_metadata(fact, builder.module.add_metadata([ir.Constant(_WORD, number)]))
    return loaded


def _never_changing(builder: Any, loaded: Any) -> Any:
    """A load of what nobody writes while the function runs, so that it may be made once, before a loop."""
    loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
    return loaded


def group_at(group: GroupType) -> Any:
    """What finds a group by its address, an int64. Its members never change while the function runs."""

    def build(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], cgutils.voidptr_t)

    def typed(_context: Any, _address: Any) -> Any:
        return group(types.int64), build

    return intrinsic(typed)


def group_maker(group_class: type[GroupType], names: tuple[str, ...]) -> Any:
    """What makes a group of a tuple of its members in compiled code; it lives as long as the function that made it."""
    register_model(group_class)(_GroupModel)

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        group = signature.return_type
        made = ir.LiteralStructType([context.get_value_type(type_) for _, type_ in group.members])
        with builder.goto_entry_block():
            room = builder.alloca(made)
        address = builder.bitcast(room, cgutils.voidptr_t)
        for i in range(len(names)):
            builder.store(builder.extract_value(args[0], i), _member_pointer(context, builder, group, address, i))
        return address

    def typed(_context: Any, values: Any) -> Any:
        members = tuple((name, types.unliteral(each)) for name, each in zip(names, values, strict=True))
        return group_class(members)(values), build

    return intrinsic(typed)


def door(symbol: str, signature: Any, *, is_rare: bool) -> Any:
    """A function of another object, called by its symbol: not linked in, so not compiled again. What it raises is raised on.

    Around one that is rarely called, registers are kept for what happens else.
    """

    def build(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        made = context.call_conv.get_function_type(signature.return_type, signature.args)
        function = cgutils.get_or_insert_function(builder.module, made, symbol)
        if is_rare:
            function.attributes.add("cold")
        status, _ = context.call_conv.call_function(builder, function, signature.return_type, signature.args, args)
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()

    names = ", ".join(f"_{i}" for i in range(len(signature.args)))
    typed = eval(f"lambda _context, {names}: made", {"made": (signature, build)})  # noqa: S307  # numba counts its arguments
    return intrinsic(typed)


def _fits(member: Any, value: Any) -> bool:
    """Whether a value is of a member's sort.

    Not even a literal integer may stand for a float: interpreted it is one until the handler ends, and -s.total of 0 is no -0.0.
    """
    if isinstance(member, types.Boolean):
        return isinstance(value, (types.Boolean, types.BooleanLiteral))
    return isinstance(value, types.Float) if isinstance(member, types.Float) else is_int(value)


@intrinsic(prefer_literal=True)
def put_member(_context: Any, value: Any, row: Any, name: Any) -> Any:
    """`row.name = value`, refused where the member is of another sort: the interpreter would refuse it or keep its own."""
    if not isinstance(name, types.StringLiteral):
        return None
    if not isinstance(row, types.Record):
        raise NumbaTypeError(f"{row} has no members that can be set")
    member, attribute = row.typeof(name.literal_value), name.literal_value
    if not _fits(member, value):
        raise NumbaTypeError(f"{attribute} is a {member}, and can't be set to a {types.unliteral(value)}")

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        made = cgutils.get_record_member(builder, args[1], row.offset(attribute), context.get_data_type(member))
        number = context.cast(builder, args[0], signature.args[0], member)
        context.pack_value(builder, member, number, made, align=1)
        return context.get_dummy_value()

    return types.none(types.unliteral(value), row, name), build


def put_item(value: Any, values: Any, index: Any) -> None:
    """`values[index] = value`, refused where the array is of another sort."""
    values[index] = value


@overload(put_item, jit_options=OPTIONS, prefer_literal=True)
def _put_item(value, values, index):  # noqa: ANN001, ANN202, ARG001  # as said above
    if not (isinstance(values, types.Array) and isinstance(values.dtype, (types.Integer, types.Float))):
        raise NumbaTypeError(f"a {values} has no places that can be set")
    is_literal = isinstance(values.dtype, types.Float) and isinstance(value, types.Literal) and is_int(value)
    if not is_literal and not _fits(values.dtype, value):  # an array makes a float of it at once, at either speed
        raise NumbaTypeError(f"an array of {values.dtype} can't be given a {types.unliteral(value)}")

    def put(value, values, index):  # noqa: ANN001, ANN202  # as said above
        values[index] = value

    return put
