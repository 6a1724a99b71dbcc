"""`tape state`: what a strategy remembered at any moment, and what differs between two."""

from contextlib import ExitStack
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pipeline.cli.show import as_json_line, json_option, progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.log.store import Store
    from pipeline.run.looking import Compared
    from pipeline.run.moments import FieldChange, Moment, Section
    from pipeline.run.moves import Move
    from pipeline.run.traveling import Journey, Traveler

_NAME_WIDTH: Final = 18
_ARRAY_SHOWN_MAX: Final = 6
_LINES_MAX: Final = 40
"""Differences printed of one strategy in one instrument."""


@click.command("state")
@click.argument("name")
@click.option("--strategy", "strategies", multiple=True, help="today's code, by name or path; of a run: one of its own")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="of the strategy, or STRATEGY.NAME=VALUE")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="engine setting, as `tape replay` has it")
@click.option("--symbol", help="one instrument; without it all of them")
@click.option("--at", metavar="TIME", help="09:31:07.250 on the session's first day, or with a date in front")
@click.option("--seq", type=int, help="behind this input, in place of a time")
@click.option("--diff", "until", metavar="TIME", help="what is different then; a seq when --seq was given")
@click.option("--against", metavar="RUN", help="what is different at the same input of another run of the session")
@click.option("--transitions", is_flag=True, help="every move of a phase, as a table")
@click.option("--tz", metavar="ZONE", help="clocks to read and tell times by  [default: the exchange's]")
@json_option
@click.pass_obj
def command(home: str, /, as_json: bool, **asked: Any) -> None:
    """What a strategy remembered at a moment: of a run NAME, or over session NAME with today's --strategy.

    \b
    tape state last --strategy ema_cross --symbol ABCD --at 03:31:07.250
    tape state last --strategy ema_cross --symbol ABCD --at 03:31:07.250 --diff 03:31:09
    tape state r-ema_cross-generated-7 --symbol ABCD --at 03:31 --against r-ema_cross-generated-7-2
    tape state last-run --transitions

    The moment is the last input at or before it. A replay leaves waypoints, from which any moment is near; where none
    was, the first question takes as long as a replay. Fields and differences whole: --json.
    """
    from pipeline.log.store import Store

    store = Store(Path(home))
    if (asked["at"] is not None) + (asked["seq"] is not None) + asked["transitions"] != 1:
        raise click.UsageError("say one of --at TIME, --seq N and --transitions")
    journey = _journey(store, asked["name"], asked["strategies"], asked["params"], asked["settings"])
    picked = asked["strategies"][0] if asked["strategies"] and journey.id != journey.session.id else None
    with ExitStack() as stack:
        if asked["transitions"]:
            _tell_moves(store, journey, asked, picked, stack, as_json=as_json)
        else:
            _tell_moments(store, journey, asked, picked, stack, as_json=as_json)


def _journey(
    store: "Store", name: str, strategies: "Sequence[str]", params: "Sequence[str]", settings: "Sequence[str]"
) -> "Journey":
    from pipeline.run.strategies import plan_of, strategy_file
    from pipeline.run.traveling import journey_of_log, journey_over

    if strategies and store.find_one(name).what == "session":
        files = [strategy_file(strategy) for strategy in strategies]
        return journey_over(store, name, plan_of(files, params, settings), files)
    if params or settings or len(strategies) > 1:
        raise click.UsageError("a log has its own parameters: --param and --set go with a session and --strategy")
    return journey_of_log(store, name)


def _traveler(store: "Store", journey: "Journey", stack: ExitStack) -> "Traveler":
    from pipeline.run.traveling import Traveler

    told = stack.enter_context(progress(f"replaying {journey.session.id}:"))
    compiling = lambda: click.echo("compiling the strategies, once: up to a minute", err=True)  # noqa: E731  # a word at the terminal
    return stack.enter_context(Traveler(store, journey, progress=told, compiling=compiling))


def _tell_moments(
    store: "Store", journey: "Journey", asked: dict[str, Any], picked: str | None, stack: ExitStack, *, as_json: bool
) -> None:
    from pipeline.run.looking import compare, instruments, look, moves_between, seq_of, zone_of

    traveler = _traveler(store, journey, stack)
    symbol, day_ns = asked["symbol"], journey.session.first_ts_ns or journey.session.created_ns
    zone = zone_of(instruments(store, journey), symbol, asked["tz"])
    seq = asked["seq"] if asked["at"] is None else seq_of(traveler, asked["at"], zone, day_ns)
    stop = traveler.at(seq)
    moments = look(traveler, stop, symbol, picked)
    if asked["against"]:
        other = _traveler(store, _beside(store, journey, asked["against"]), stack)
        _show_differences(
            journey.id, compare(moments, look(other, other.at(seq), symbol, picked), []), zone, as_json=as_json
        )
    elif asked["until"]:
        ts_ns = moments[0].ts_ns if moments else day_ns
        later = seq_of(traveler, asked["until"], zone, ts_ns) if asked["at"] else _number(asked["until"])
        if later < seq:
            raise click.UsageError(f"--diff {asked['until']} is before {asked['at'] or seq}")
        reached = traveler.at(later)
        moves = moves_between(traveler, seq, reached)
        _show_differences(
            journey.id, compare(moments, look(traveler, reached, symbol, picked), moves), zone, as_json=as_json
        )
    else:
        _show_moments(journey, seq, moments, zone, as_json=as_json)


def _beside(store: "Store", journey: "Journey", name: str) -> "Journey":
    from pipeline.errors import ConfigError
    from pipeline.run.traveling import journey_of_log

    other = journey_of_log(store, name)
    if other.session.id != journey.session.id:
        raise ConfigError(f"{journey.id} is over {journey.session.id} and {other.id} over {other.session.id}")
    return other


def _number(text: str) -> int:
    if not text.isdigit():
        raise click.UsageError(f"--diff {text}: with --seq it is a seq too")
    return int(text)


def _tell_moves(
    store: "Store", journey: "Journey", asked: dict[str, Any], picked: str | None, stack: ExitStack, *, as_json: bool
) -> None:
    from pipeline.log.reader import LogReader
    from pipeline.run.looking import instruments, moves_between, zone_of
    from pipeline.run.moves import moves_in

    defined, symbol = instruments(store, journey), asked["symbol"]
    zone = zone_of(defined, symbol, asked["tz"])
    if asked["strategies"] and picked is None:
        traveler = _traveler(store, journey, stack)
        found = moves_between(traveler, 0, traveler.at(journey.to_seq))
    else:
        symbols = {row["instrument_id"]: row.get("symbol", "") for row in defined}
        found = moves_in(LogReader(store.folder(journey.id)), symbols)
    moves = [move for move in found if symbol in (None, move.symbol) and picked in (None, move.strategy)]
    if as_json:
        as_json_line({"id": journey.id, "moves": moves})
        return
    _table(moves, zone)


def _show_moments(journey: "Journey", seq: int, moments: "list[Moment]", zone: tzinfo, *, as_json: bool) -> None:
    if as_json:
        as_json_line({"id": journey.id, "session": journey.session.id, "seq": seq, "moments": moments})
        return
    if not moments:
        click.echo(f"seq {seq:,}: no instrument is known yet")
        return
    end = "; the last input, nothing comes later" if seq == journey.to_seq else ""
    click.echo(f"{journey.id}, seq {seq:,} of {journey.to_seq:,}, {_time(moments[0].ts_ns, zone)} {zone}{end}")
    for moment in moments:
        if len(moments) > 1:
            _show_line(moment)
        else:
            click.echo(f"{moment.strategy} in {moment.symbol}: {moment.phase or 'no phases'}")
            for name, section in moment.sections.items():
                _show_section(name, section, zone)
    if len(moments) > 1:
        click.echo("everything of one of them: --symbol")


def _show_line(moment: "Moment") -> None:
    position, orders = moment.sections["position"], sum(name.startswith("order ") for name in moment.sections)
    held = f"{position['quantity']:g} at {position['average_price']:g}" if position["quantity"] else "flat"
    is_stopped = "STOPPED" if moment.sections["strategy"]["is_stopped"] else ""
    click.echo(
        f"  {moment.strategy:<16}{moment.symbol:<10}{moment.phase:<14}{held:<24}{orders} open orders  {is_stopped}".rstrip()
    )


def _show_section(name: str, section: "Section", zone: tzinfo) -> None:
    click.echo(f"  {name}")
    for field, value in section.items():
        if value is not None:
            click.echo(f"    {field:<{_NAME_WIDTH}} {_value(field, value, zone)}")


def _show_differences(id_: str, found: "list[Compared]", zone: tzinfo, *, as_json: bool) -> None:
    if as_json:
        as_json_line({"id": id_, "compared": found})
        return
    for each in found:
        before, after = each.before, each.after
        seqs = f"seq {before.seq:,}" if before.seq == after.seq else f"seq {before.seq:,} -> {after.seq:,}"
        times = " -> ".join(dict.fromkeys(_time(moment.ts_ns, zone) for moment in (before, after)))
        click.echo(f"{each.strategy} in {each.symbol}, {seqs}, {times} {zone}")
        if not each.changes:
            click.echo("  nothing differs")
        for change in each.changes[:_LINES_MAX]:
            click.echo(f"  {_change(change, zone)}")
        if len(each.changes) > _LINES_MAX:
            click.echo(f"  and {len(each.changes) - _LINES_MAX:,} fields more, with --json")
        if each.moves:
            _table(each.moves, zone)


def _change(change: "FieldChange", zone: tzinfo) -> str:
    before, after = change.before, change.after
    name = f"{change.section}: {change.name}"
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        places = [i for i in range(len(before)) if before[i] != after[i]]
        return f"{name:<32} {len(places)} of {len(before)} values, the first at [{places[0]}]: {before[places[0]]} -> {after[places[0]]}"
    told = [_value(change.name, value, zone) if value is not None else "-" for value in (before, after)]
    return f"{name:<32} {' -> '.join(told)}"


def _table(moves: "Sequence[Move]", zone: tzinfo) -> None:
    """The moves below each other: when, who, from where to where, why, and how long it had been there."""
    heads = (f"time ({zone})", "symbol", "strategy", "from", "to", "reason", "seq", "seconds in phase")
    rows = [
        (
            _time(move.ts_ns, zone),
            *(move.symbol, move.strategy, move.from_phase, move.to_phase, move.reason, f"{move.seq:,}"),
            "" if move.seconds_in_phase is None else f"{move.seconds_in_phase:,.3f}",
        )
        for move in moves
    ]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        cells = [
            f"{cell:>{width}}" if i >= len(heads) - 2 else f"{cell:<{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def _time(ts_ns: int, zone: tzinfo) -> str:
    from pipeline.units import NANO

    return f"{datetime.fromtimestamp(ts_ns // NANO, zone):%Y-%m-%d %H:%M:%S}.{ts_ns % NANO:09}"


def _value(name: str, value: Any, zone: tzinfo) -> str:
    """As a person reads it: times by the clock, long arrays by their beginning."""
    if name.rpartition(".")[2].startswith("ts_") and name.endswith("_ns") and isinstance(value, int) and value > 0:
        return _time(value, zone)
    if isinstance(value, list):
        shown = ", ".join(map(_plain, value[:_ARRAY_SHOWN_MAX]))
        return f"[{shown}{', ...' if len(value) > _ARRAY_SHOWN_MAX else ''}] {len(value)} values"
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
