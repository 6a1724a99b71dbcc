"""Source: the whole kernel for a list of strategies as one text, from the lines of the core and of the strategies.

The text depends on nothing else, no parameter's value and no instrument: it is what the compile cache is keyed by.
"""

from functools import cache
from types import FunctionType
from typing import Any, Final

from pipeline.codes import Kind
from pipeline.core import step, verbs
from pipeline.core.cells import OF_ORDERS
from pipeline.core.chunk import EVENTS, PRICES, SIZES
from pipeline.core.closing import add_middle, add_print, close_due, see_vendor_bar
from pipeline.core.context import Context, check_ranges
from pipeline.core.desk import settle
from pipeline.core.dialect import price_of, size_of
from pipeline.core.queueing import match_print
from pipeline.core.strategy import HANDLERS, Strategy
from pipeline.core.venue import arrive, match_quote
from pipeline.core.world import hears, index_of, is_defined
from pipeline.kernel.groups import COLUMNS, OTHERS, STEPS, columns_of
from pipeline.kernel.translate import Translator

DOORS: Final[tuple[Any, ...]] = (
    arrive,
    close_due,
    settle,
    match_quote,
    match_print,
    see_vendor_bar,
    add_print,
    add_middle,
)
"""Where a step leaves the strategies' code for the engine's: compiled once, whatever the strategies are."""

RARE_DOORS: Final = frozenset((arrive, close_due, settle, match_quote, match_print))
"""Those that most inputs do not pass."""

_RARE: Final[tuple[Any, ...]] = (step._deliver_waiting, step._dispatch, step.give_up_waiting, verbs._claimed)  # noqa: SLF001  # parts of steps, named here alone
"""What most inputs do not reach: kept out of the loop's way, where inlined it would take its registers."""

_INLINED: Final[tuple[Any, ...]] = (step.begin, step.close_what_is_due, step.deliver_facts, step.finish)
"""What only looks, most times, whether there is anything to do: called from every step, so LLVM would not think of it."""

_INSIDE: Final[tuple[str, ...]] = ("alwaysinline",)
_OUTSIDE: Final[tuple[str, ...]] = ("cold", "noinline")
"""LLVM's words. numba's own for the former would hold for all that is called from there."""

_FOR_ALL: Final = ("on_status", "on_timer", "on_feed")
"""Handlers whose event may concern all instruments."""

_FACTS: Final = ("on_order", "on_fill", "on_bar")

_HEADER: Final = '''"""Written by the machine from the sources of the core and of the strategies it was made for."""

import math
from collections import namedtuple

from numba import int64, njit
from numba.extending import overload_attribute

from pipeline.core.tables import claim
from pipeline.kernel import primitives
from pipeline.kernel.arithmetic import abs_, add, ceil, div, exp, float_, floor, floordiv, int_, log, mod, mul, neg, round_
from pipeline.kernel.arithmetic import shl, shr, sqrt, sub
from pipeline.kernel.ordering import eq, ge, gt, le, lt, max_, min_, ne, same
from pipeline.kernel.primitives import OPTIONS, number_at, put_item, put_member
from pipeline.kernel.unifying import OneTypeCompiler

NAN = math.nan
INF = math.inf
MINUS_INF = -math.inf
'''
_CONTEXT: Final = """
class ContextType(primitives.GroupType):
    is_lasting = False


Context = primitives.group_maker(ContextType, ("world", "instrument", "shared", "strategy_id", "instrument_id"))
"""
_PLAIN: Final = "@njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, pipeline_class=OneTypeCompiler, **OPTIONS)"


@cache
def _engine() -> tuple[Translator, str]:
    translator = Translator()
    for door in DOORS:
        translator.add(door)
    names = _names(translator)
    events = [_event(kind, names, translator) for kind in STEPS]
    parts = [_HEADER, translator.text(lambda _name: _PLAIN)]
    parts += [f"{_PLAIN}\n{text}" for text in (_check_new(names), *events)]
    return translator, "\n\n".join(parts) + "\n"


def engine_text() -> str:
    """The module of the engine: venue, desk, risk, portfolio and bars, that no strategy changes."""
    return _engine()[1]


def engine_name(function: Any) -> str:
    """The name of a core's function in the engine's module."""
    return _engine()[0].add(function)


def places_in_loop(strategies: tuple[Strategy, ...]) -> dict[str, tuple[str, ...]]:
    """What LLVM is told of functions of the strategies' module, by name."""
    translator = _kernel(strategies)[0]
    told = {"check_new": _OUTSIDE}
    for functions, attributes in ((_RARE, _OUTSIDE), (_INLINED, _INSIDE)):
        told |= {name: attributes for each in functions if (name := translator.name_of(each))}
    return told


def kernel_text(strategies: tuple[Strategy, ...]) -> str:
    """The module of the strategies, over that of the engine. `run` takes the address of a `call` group.

    Raises StrategyError naming the file and line of what can't be compiled.
    """
    return _kernel(strategies)[1]


@cache
def _kernel(strategies: tuple[Strategy, ...]) -> tuple[Translator, str]:
    translator = Translator(_engine()[0])
    names = _names(translator)
    attributes = [
        _attribute(translator, name, made) for name, made in vars(Context).items() if isinstance(made, property)
    ]
    attributes += [_looked_up(name, found.format_map(names)) for name, found in _LOOKED_UP.items()]
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
    begin, other = translator.add(step.begin), translator.add(step.step_other)
    parts = [_HEADER + _CONTEXT, translator.text(lambda _name: _PLAIN), *attributes]
    parts += [f"{_PLAIN}\n{text}" for text in (*calls, *deliveries)]
    parts += [_run(begin, steps, other)]
    return translator, "\n\n".join(parts) + "\n"


def _names(translator: Translator) -> dict[str, str]:
    """The core's functions that the lines written here call."""
    called: tuple[Any, ...] = (is_defined, hears, index_of, check_ranges, price_of, size_of)
    return {function.__name__: translator.add(function) for function in called}


def _attribute(translator: Translator, name: str, made: property) -> str:
    """What a property of the context is, to compiled code."""
    assert isinstance(made.fget, FunctionType)
    function = translator.add(made.fget)
    return (
        f"@overload_attribute(ContextType, {name!r}, jit_options=OPTIONS)\n"
        f"def attribute_{name}(ctx):\n"
        f"    return lambda ctx: {function}(ctx)\n"
    )


_LOOKED_UP: Final = {
    "clock": "ctx.world.clock",
    "account": "ctx.world.account",
    "settings": "ctx.world.settings",
    "held": "ctx.world.positions[{index_of}(ctx.world, ctx.strategy_id, ctx.instrument_id)]",
    "cell": "ctx.world.cells[{index_of}(ctx.world, ctx.strategy_id, ctx.instrument_id)]",
}
"""Members of a context that are found when they are read: most calls of a handler read none of them."""


def _looked_up(name: str, found: str) -> str:
    return (
        f"@overload_attribute(ContextType, {name!r}, jit_options=OPTIONS)\n"
        f"def attribute_{name}(ctx):\n"
        f"    return lambda ctx: {found}\n"
    )


def _check_new(names: dict[str, str]) -> str:
    return (
        "def check_new(world, before):\n"
        "    for i in range(before + 1, world.counts.outputs + 1):\n"
        f"        {names['check_ranges']}(world.outputs[i])\n"
    )


def _call(number: int, name: str, handler: str, names: dict[str, str]) -> str:
    is_out = "" if name in OF_ORDERS else f" or not {names['hears']}(world, {number}, instrument_id, event.origin)"
    return (
        f"def call_{number}_{name}(world, cells, instrument_id, event):\n"
        f"    if world.runs[{number}].is_stopped{is_out}:\n"
        "        return\n"
        "    before = world.counts.outputs\n"
        # Made where it is used: what holds records can't be given back by compiled functions.
        f"    ctx = Context((world, world.instruments[instrument_id], cells.shared_{number}, {number}, instrument_id))\n"
        f"    {handler}(cells.state_{number}[instrument_id], event, cells.params_{number}, ctx)\n"
        "    if world.counts.outputs > before:\n"
        "        check_new(world, before)\n"
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
    """A row of columns, at a place that was checked, as the event that handlers see."""
    made = EVENTS[kind]
    sizes = {name for name in made._fields if name in SIZES and SIZES[name] in columns_of(kind)}
    lines = [f"def event_{kind.name.lower()}(world, columns, i):"]
    if kind in (Kind.QUOTE, Kind.PRINT, Kind.BAR):
        lines += [
            "    instrument_id = int64(number_at(columns.instrument_id, i))",
            "    if world.instruments[instrument_id].instrument_id == 0:",  # as every row that nothing defined, and row 0
            "        raise ValueError",
        ]
    if sizes:
        lines += ["    step_nano = world.instruments[instrument_id].size_step_nano"]
    values = []
    for name in made._fields:
        if name in PRICES:
            values.append(f"{names['price_of']}(number_at(columns.{PRICES[name]}, i))")
        elif name in sizes:
            values.append(f"{names['size_of']}(number_at(columns.{SIZES[name]}, i), step_nano)")
        elif name == "vwap":
            values.append(f"number_at(columns.{name}, i)")
        else:
            values.append(f"int64(number_at(columns.{name}, i))")
    lines += [f"    return {translator.add_tuple(made)}("] + [f"        {value}," for value in values] + ["    )\n"]
    return "\n".join(lines)


def _run(begin: str, steps: dict[Kind, str], other: str) -> str:
    """The loop. What it returns says nothing; how far it came stands in `progress`."""
    lines = [
        _PLAIN,
        "def run(address):",
        "    call = call_at(address)",
        "    world = call.world",
        "    cells = call.cells",
        "    progress = call.progress",
        "    kinds = call.kinds",
        "    cursors = call.cursors",
        *(f"    {group.name} = call.{group.name}" for group in (*COLUMNS.values(), OTHERS)),
        "    length = world.tape.length",
        "    i = progress.at",
        "    stop = progress.stop",
        "    rows_max = progress.rows_max",
        "    if i < 0 or stop > call.count:",
        "        raise IndexError",
        "    while i < stop and length.rows < rows_max:",
        "        kind = number_at(kinds, i)",
        "        cursor = cursors[kind]",
        "        k = first = cursor.row",
        "        if k < 0:",
        "            raise IndexError",
    ]
    word = "if"
    for kind, function in steps.items():
        columns = COLUMNS[kind].name
        event = f"event_{kind.name.lower()}(world, {columns}, k)"
        lines += [f"        {word} kind == {int(kind)}:"]
        started = [f"{begin}(world, number_at(quotes.ts_recv_ns, k), int64(number_at(quotes.origin, k)))"]
        before = started if kind == Kind.QUOTE else []
        lines += _one_after_another(columns, [*before, f"{function}(world, cells, {event})"])
        word = "elif"
    seen = "number_at(others.ts_recv_ns, k), int64(number_at(others.origin, k))"
    lines += [
        "        else:",
        *_one_after_another(OTHERS.name, [f"{other}(world, cells, {seen})"]),
        "        if k == first:",
        "            raise IndexError",
        "        i += k - first",
        "        cursor.row = k",
        "    progress.at = i",
        "    return 0",
    ]
    return "\n".join(lines)


def _one_after_another(columns: str, calls: list[str]) -> list[str]:
    """The inner loop: inputs of one kind, as long as they come, so that what they have in common stays in registers."""
    return [
        f"            until = min({columns}.count, k + stop - i)",
        "            while k < until and length.rows < rows_max and number_at(kinds, i - first + k) == kind:",
        "                progress.at = i - first + k",
        *(f"                {call}" for call in calls),
        "                k += 1",
    ]
