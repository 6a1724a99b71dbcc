"""Source: the whole kernel for a list of strategies as one text, from the lines of the core and of the strategies.

The text depends on nothing else, no parameter's value and no instrument: it is what the compile cache is keyed by.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import FunctionType
from typing import Any, Final

from pipeline.codes import Kind
from pipeline.core import step
from pipeline.core.chunk import EVENTS, PRICES, SIZES
from pipeline.core.context import Context, check_ranges
from pipeline.core.dialect import price_of, size_of
from pipeline.core.strategy import HANDLERS, Strategy
from pipeline.core.tape import Tape
from pipeline.core.world import SINGLE, World, index_of, is_defined
from pipeline.kernel.signatures import DOORS
from pipeline.kernel.translate import Translator

STEPS: Final[dict[Kind, Any]] = {
    Kind.QUOTE: step.step_quote,
    Kind.PRINT: step.step_print,
    Kind.BAR: step.step_bar,
    Kind.STATUS: step.step_status,
    Kind.TIMER: step.step_timer,
    Kind.FEED: step.step_feed,
}
"""The kinds that compiled code reduces by a function of their own."""

AT: Final = len(Kind) + 1
"""In the kernel's cursors, the place of the input it is at."""

INTERPRETED: Final = frozenset((Kind.INSTRUMENT, Kind.ACCOUNT, Kind.REQUEST, Kind.SESSION))
"""The kinds that only the interpreter reduces: they are few and carry text."""

_FOR_ALL: Final = ("on_status", "on_timer", "on_feed")
"""Handlers whose event may concern all instruments."""

_FACTS: Final = ("on_order", "on_fill", "on_bar")

WORLD_ROWS: Final = tuple(name for name in World._fields if name != "tape")
TAPE_ROWS: Final = Tape._fields

_HEADER: Final = '''"""Written by the machine from the sources of the core and of the strategies it was made for."""

import math
from collections import namedtuple

from numba import int64, njit
from numba.extending import overload_attribute

from pipeline.core.tables import claim
from pipeline.kernel import primitives
from pipeline.kernel.arithmetic import add, ceil, div, float_, floor, int_, mul, neg, round_, sub
from pipeline.kernel.primitives import OPTIONS, column_over, put_member, table_over

NAN = math.nan
INF = math.inf
MINUS_INF = -math.inf
'''
_PLAIN: Final = "@njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)"
_KEPT: Final = "@njit(cache=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)"


def columns_of(kind: Kind) -> tuple[str, ...]:
    """The columns that an event of this kind is made from."""
    names = {PRICES.get(name) or SIZES.get(name) or name: None for name in EVENTS[kind]._fields}
    return tuple(names)


@cache
def _engine() -> tuple[Translator, str]:
    translator = Translator()
    doors = {translator.add(door) for door in DOORS}
    names = _names(translator)
    events = [_event(kind, names, translator) for kind in STEPS]
    parts = [_HEADER, *_groups({"World": World._fields, "Tape": TAPE_ROWS})]
    parts += [f"{name} = namedtuple('{name}', {list(fields)!r})" for name, fields in _ROWS.items()]
    parts += [*_groups({f"{kind.name.title()}s": columns_of(kind) for kind in STEPS})]
    parts += [translator.text(lambda name: _KEPT if name in doors else _PLAIN)]
    parts += [f"{_PLAIN}\n{text}" for text in (_check_new(names), *events)]
    return translator, "\n\n".join(parts) + "\n"


def engine_text() -> str:
    """The module of the engine: venue, desk, risk, portfolio and bars, that no strategy changes."""
    return _engine()[1]


def engine_name(function: Any) -> str:
    """The name of a core's function in the engine's module."""
    return _engine()[0].add(function)


def kernel_text(strategies: Sequence[Strategy], engine_module: str) -> str:
    """The module of the strategies, over that of the engine.

    Raises StrategyError naming the file and line of what can't be compiled.
    """
    translator = Translator(_engine()[0])
    names = _names(translator)
    attributes = [
        _attribute(translator, name, made) for name, made in vars(Context).items() if isinstance(made, property)
    ]
    handlers = {
        (number, name): translator.add(handler)
        for number, strategy in enumerate(strategies, 1)
        for name in HANDLERS
        if isinstance(handler := getattr(strategy, name), FunctionType)
    }
    calls = [_call(number, name, handler, names) for (number, name), handler in handlers.items()]
    deliveries = [_deliver(name, handlers, names) for name in HANDLERS if name not in _FACTS]
    deliveries += [_deliver_to_one(name, handlers) for name in _FACTS]
    steps = {kind: translator.add(function) for kind, function in STEPS.items()}
    other = translator.add(step.step_other)
    functions = translator.text(lambda _name: _PLAIN)
    doors = {name for door in DOORS if (name := _engine()[0].add(door)) in translator.imported}
    translator.imported = {name: None for name in translator.imported if name not in doors}
    own = [
        "World",
        "Tape",
        *_ROWS,
        *(f"{kind.name.title()}s" for kind in STEPS),
        "check_new",
        *(f"event_{kind.name.lower()}" for kind in STEPS),
    ]
    parts = [_HEADER + f"from {engine_module} import {', '.join([*own, *translator.imported])}\n"]
    parts += [f"from {engine_module} import door_{name} as {name}" for name in sorted(doors)]
    parts += [*_strategy_groups(strategies), functions, *attributes]
    parts += [f"{_PLAIN}\n{text}" for text in (*calls, *deliveries)]
    parts += [_run(strategies, steps, other)]
    return "\n\n".join(parts) + "\n"


def _names(translator: Translator) -> dict[str, str]:
    """The core's functions that the lines written here call."""
    called: tuple[Any, ...] = (is_defined, index_of, check_ranges, price_of, size_of)
    return {function.__name__: translator.add(function) for function in called}


def _groups(groups: Mapping[str, tuple[str, ...]], tagged: Mapping[str, str] | None = None) -> Iterator[str]:
    for name, members in groups.items():
        tag = (tagged or {}).get(name, "")
        yield f"class {name}Type(primitives.GroupType):\n    pass\n"
        yield f"{name} = primitives.group_maker({name}Type, {members!r}, {tag!r})"


def _strategy_groups(strategies: Sequence[Strategy]) -> Iterator[str]:
    numbers = range(1, len(strategies) + 1)
    fields = tuple(f"{what}_{number}" for number in numbers for what in ("state", "shared", "params"))
    yield from _groups({"Context": Context.__slots__, "Cells": (*fields, "nothing")}, {"Context": "shared"})
    yield f"CellRows = namedtuple('CellRows', {[*fields, 'nothing']!r})"
    for number, strategy in enumerate(strategies, 1):
        yield f"Params{number} = namedtuple('Params{number}', {list(strategy.Params._fields) or ['nothing']!r})"


def _columns_name(kind: Kind) -> str:
    return f"{kind.name.title()}Columns"


_ROWS: Final = {
    "Rows": WORLD_ROWS,
    "TapeRows": TAPE_ROWS,
    **{_columns_name(kind): columns_of(kind) for kind in STEPS},
    "OtherColumns": ("ts_recv_ns", "origin"),
}
"""Arrays as the kernel takes them, by the name of their named tuple."""


def _attribute(translator: Translator, name: str, made: property) -> str:
    """What a property of the context is, to compiled code."""
    assert isinstance(made.fget, FunctionType)
    function = translator.add(made.fget)
    return (
        f"@overload_attribute(ContextType, {name!r}, jit_options=OPTIONS)\n"
        f"def attribute_{name}(ctx):\n"
        f"    return lambda ctx: {function}(ctx)\n"
    )


def _context(number: int) -> str:
    """A context, where it is used: what holds records can't be given back by compiled functions."""
    members = {
        "world": "world",
        "clock": "world.clock",
        "account": "world.account",
        "settings": "world.settings",
        "instrument": "world.instruments[instrument_id]",
        "held": "world.positions[index]",
        "cell": "world.cells[index]",
        "shared": f"cells.shared_{number}",
        "strategy_id": str(number),
        "instrument_id": "instrument_id",
    }
    return f"Context(({', '.join(members[name] for name in Context.__slots__)}))"


def _check_new(names: dict[str, str]) -> str:
    return (
        "def check_new(world, before):\n"
        "    for i in range(before + 1, world.counts.outputs + 1):\n"
        f"        {names['check_ranges']}(world.outputs[i])\n"
    )


def _call(number: int, name: str, handler: str, names: dict[str, str]) -> str:
    return (
        f"def call_{number}_{name}(world, cells, instrument_id, event):\n"
        f"    if world.runs[{number}].is_stopped:\n"
        "        return\n"
        "    before = world.counts.outputs\n"
        f"    index = {names['index_of']}(world, {number}, instrument_id)\n"
        f"    ctx = {_context(number)}\n"
        f"    {handler}(cells.state_{number}[instrument_id], event, cells.params_{number}, ctx)\n"
        "    check_new(world, before)\n"
    )


def _deliver(name: str, handlers: dict[tuple[int, str], str], names: dict[str, str]) -> str:
    lines = [f"def deliver_{name}(world, cells, instrument_id, event):"]
    for number, handled in handlers:
        if handled != name:
            continue
        if name in _FOR_ALL:
            lines += [
                "    for each in range(1, world.counts.instruments + 1):",
                f"        if instrument_id in (0, each) and {names['is_defined']}(world, each):",
                f"            call_{number}_{name}(world, cells, each, event)",
            ]
        else:
            lines += [f"    call_{number}_{name}(world, cells, instrument_id, event)"]
    return "\n".join([*lines, "    return\n"])


def _deliver_to_one(name: str, handlers: dict[tuple[int, str], str]) -> str:
    lines = [f"def deliver_to_one_{name}(world, cells, strategy_id, instrument_id, event):"]
    for number, handled in handlers:
        if handled == name:
            lines += [
                f"    if strategy_id == {number}:",
                f"        call_{number}_{name}(world, cells, instrument_id, event)",
            ]
    return "\n".join([*lines, "    return\n"])


def _event(kind: Kind, names: dict[str, str], translator: Translator) -> str:
    """A row of columns as the event that handlers see."""
    made = EVENTS[kind]
    sizes = {name for name in made._fields if name in SIZES and SIZES[name] in columns_of(kind)}
    lines = [f"def event_{kind.name.lower()}(world, columns, i):"]
    if kind in (Kind.QUOTE, Kind.PRINT, Kind.BAR):
        lines += [
            "    instrument_id = int64(columns.instrument_id[i])",
            f"    if not {names['is_defined']}(world, instrument_id):",
            "        raise ValueError",
        ]
    if sizes:
        lines += ["    step_nano = world.instruments[instrument_id].size_step_nano"]
    values = []
    for name in made._fields:
        if name in PRICES:
            values.append(f"{names['price_of']}(columns.{PRICES[name]}[i])")
        elif name in sizes:
            values.append(f"{names['size_of']}(columns.{SIZES[name]}[i], step_nano)")
        elif name == "vwap":
            values.append(f"columns.{name}[i]")
        else:
            values.append(f"int64(columns.{name}[i])")
    lines += [f"    return {translator.add_tuple(made)}("] + [f"        {value}," for value in values] + ["    )\n"]
    return "\n".join(lines)


def _columns(kind: Kind) -> str:
    """The columns of a kind, in one group."""
    columns = [f"column_over({kind.name.lower()}.{name})" for name in columns_of(kind)]
    return f"{kind.name.title()}s(({', '.join(columns)}))"


def _run(strategies: Sequence[Strategy], steps: dict[Kind, str], other: str) -> str:
    """The loop. It ends behind `stop`, or when `rows_max` derived rows wait; its answer is the next input's place."""
    arguments = ["rows", "tape_rows", "cell_rows", *(kind.name.lower() for kind in STEPS), "other"]
    world = [f"rows.{name}[0]" if name in SINGLE else f"table_over(rows.{name})" for name in WORLD_ROWS]
    tape = [f"tape_rows.{name}[0]" if name == "length" else f"table_over(tape_rows.{name})" for name in TAPE_ROWS]
    cells = []
    for number in range(1, len(strategies) + 1):
        cells += [
            f"table_over(cell_rows.state_{number})",
            f"cell_rows.shared_{number}[0]",
            f"cell_rows.params_{number}",
        ]
    lines = [
        "@njit(cache=True, **OPTIONS)",
        f"def run({', '.join(arguments)}, kinds, cursors, start, stop, rows_max):",
        f"    tape = Tape(({', '.join(tape)}))",
        f"    world = World(({', '.join(world)}, tape))",
        f"    cells = Cells(({', '.join([*cells, '0'])}))",
        *(f"    {kind.name.lower()}s = {_columns(kind)}" for kind in STEPS),
        "    i = start",
        "    while i < stop and tape.length.rows < rows_max:",
        f"        cursors[{AT}] = i",
        "        kind = kinds[i]",
        "        k = cursors[kind]",
    ]
    word = "if"
    for kind, function in steps.items():
        column = kind.name.lower()
        lines += [
            f"        {word} kind == {int(kind)}:",
            f"            {function}(world, cells, event_{column}(world, {column}s, k))",
        ]
        word = "elif"
    lines += [
        "        else:",
        f"            {other}(world, cells, other.ts_recv_ns[k], int64(other.origin[k]))",
        "        cursors[kind] = k + 1",
        "        i += 1",
        "    return i",
    ]
    return "\n".join(lines)
