"""`tape explain`: why something was decided, from the fill back to the tick; or why nothing was, gate by gate."""

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pipeline.cli.show import as_json_line, json_option, line_console, progress, show_line

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.log.store import Store
    from pipeline.reports.explain_chain import Step
    from pipeline.reports.explain_refusals import ScannerAnswer
    from pipeline.run.explaining import Explained, Explainer, WhyNot

_INDENT: Final = "  "
_MISSING: Final = "missing"


@click.command("explain")
@click.argument("name")
@click.option("--fill", type=int, help="the number of a fill")
@click.option("--order", type=int, help="the number of an order: how it came to each of its states")
@click.option("--row", metavar="SEQ,ORD", help="any row of the log, e.g. a transition or a message")
@click.option("--symbol", help="with --at: its last fill by then; with --why-not what refused")
@click.option(
    "--at", metavar="TIME", help="09:31:07.250 on the session's first day, or with a date  [default: its end]"
)
@click.option(
    "--why-not", "is_why_not", is_flag=True, help="the gates, risk rules, rivals and filters that refused by then"
)
@click.option("--exactly", "is_exact", is_flag=True, help="of --why-not: what gates see at the last tick, by a replay")
@click.option("--all", "is_all", is_flag=True, help="earlier fills of the same order too, one by one")
@click.option("--tz", metavar="ZONE", help="clocks to read and tell times by  [default: the exchange's]")
@json_option
@click.pass_obj
def command(home: str, /, name: str, tz: str | None, *, is_all: bool, as_json: bool, **asked: Any) -> None:
    """Why session or run NAME has a fill, an order or any row: each cause with its (seq, ord) and time; or why it has none.

    \b
    tape explain last --fill 3
    tape explain last-run --order 7
    tape explain last-run --symbol ABCD --at 03:31:07.250
    tape explain last --symbol ABCD --at 03:31:07.250 --why-not

    The chain goes from what is asked, at the top, back through order, risk, intent and tick. Beside a step stands what
    belongs to it: what filled it, how the strategy moved, what it had shown, the bars and ticks in force. All columns: --json.
    """
    from pipeline.log.store import Store
    from pipeline.run.explaining import Explainer

    store = Store(Path(home))
    _check(asked)
    explainer = Explainer(store, name)
    zone, ts_ns = _moment(store, explainer, asked["at"], asked["symbol"], tz)
    if asked["is_why_not"]:
        refused = explainer.why_not(asked["symbol"], ts_ns)
        if asked["is_exact"]:
            refused = _regated(store, explainer, refused)
        as_json_line(refused) if as_json else _show_refusals(refused, zone)
        return
    found = _explained(explainer, asked, ts_ns)
    as_json_line(found) if as_json else _show(found, zone, is_all=is_all)


def _check(asked: dict[str, Any]) -> None:
    """Refuse what is no single question. Raises click.UsageError."""
    ways = [word for word in ("fill", "order", "row", "symbol") if asked[word] is not None]
    if len(ways) != 1:
        raise click.UsageError("say one of --fill N, --order N, --row SEQ,ORD and --symbol SYMBOL")
    if ways != ["symbol"] and (asked["at"] or asked["is_why_not"]):
        raise click.UsageError("--at and --why-not go with --symbol")
    if asked["is_exact"] and not asked["is_why_not"]:
        raise click.UsageError("--exactly goes with --why-not")


def _moment(
    store: "Store", explainer: "Explainer", at: str | None, symbol: str | None, tz: str | None
) -> tuple[tzinfo, int]:
    """By whose clocks, and up to when; the session's end without a moment."""
    from pipeline.run.looking import moment_in
    from pipeline.units import INT64_MAX

    zone, ts_ns = moment_in(store, explainer.session.id, at, symbol=symbol, named=tz)
    return zone, INT64_MAX if ts_ns is None else ts_ns


def _explained(explainer: "Explainer", asked: dict[str, Any], ts_ns: int) -> "Explained":
    if asked["fill"] is not None:
        return explainer.fill(asked["fill"])
    if asked["order"] is not None:
        return explainer.order(asked["order"])
    if asked["row"] is not None:
        return explainer.row(*_place(asked["row"]))
    return explainer.last_before(asked["symbol"], ts_ns)


def _regated(store: "Store", explainer: "Explainer", found: "WhyNot") -> "WhyNot":
    from pipeline.run.traveling import Traveler, journey_of_log

    journey = journey_of_log(store, explainer.manifest.id)
    compiling = lambda: click.echo("compiling the strategies, once: up to a minute", err=True)  # noqa: E731  # a word at the terminal
    with (
        progress(f"replaying {journey.session.id}:") as told,
        Traveler(store, journey, progress=told, compiling=compiling) as traveler,
    ):
        return explainer.regated(found, traveler)


def _place(text: str) -> tuple[int, int]:
    seq, _, ord_ = text.replace(" ", "").partition(",")
    if not seq.isdecimal() or not (ord_ or "0").isdecimal():
        raise click.UsageError(f"--row {text}: accepted is SEQ,ORD such as 3180,2, or a SEQ alone for an input")
    return int(seq), int(ord_ or "0")


def _show(found: "Explained", zone: tzinfo, *, is_all: bool) -> None:
    console = line_console()
    day = next((_clock(step.ts_ns, zone, "%Y-%m-%d") for steps in found.chains for step in steps[:1]), "")
    show_line(console, f"{found.asked} of {found.id}, {day}, times of {zone}")
    for steps in found.chains:
        console.print()
        depth, left_out = 0, 0
        for step in _shortened(steps, is_all=is_all):
            if step is None:
                left_out += 1
                continue
            if left_out:
                show_line(console, f"{'':36}{_INDENT * depth}... {left_out:,} earlier rows of the same order: --all")
                depth, left_out = depth + 1, 0
            _show_step(console, step, depth, zone)
            depth += 1


def _shortened(steps: "Sequence[Step]", *, is_all: bool) -> "Iterator[Step | None]":
    """The steps, None for each that tells of an earlier part of an order whose later part was told."""
    told: dict[int, int] = {}
    for number, step in enumerate(steps):
        order_id = step.values.get("order_id", 0) if step.kind in ("order", "fill") else 0
        is_part = step.kind == "fill" or step.values.get("filled_steps", 0) > 0
        count = told.get(order_id, 0)
        told[order_id] = count + 1
        is_asked = number == 0 or (steps[0].kind == "order" and number == 1)
        yield None if order_id and is_part and count and not is_all and not is_asked else step


def _show_step(console: "Console", step: "Step", depth: int, zone: tzinfo) -> None:
    head = "" if step.kind == _MISSING else f"{_clock(step.ts_ns, zone):<20}({step.seq:,}, {step.ord})"
    role = "" if step.says.startswith(step.role) else f"{step.role}: "
    show_line(console, f"{head:<36}{_INDENT * depth}{role}{step.says}", style="dim" if step.role else "")
    for beside in step.beside:
        _show_step(console, beside, depth + 2, zone)


def _show_refusals(found: "WhyNot", zone: tzinfo) -> None:
    console = line_console()
    moment = _clock(found.ts_ns, zone, "%Y-%m-%d %H:%M:%S")
    show_line(console, f"{found.symbol} in {found.id} behind seq {found.seq:,}, {moment}, times of {zone}")
    for step in found.market:
        _show_step(console, step, 0, zone)
    for each in found.strategies:
        console.print()
        phase = f"in phase {each.phase}" if each.phase else "moved to no phase by then"
        nothing = (
            "" if each.findings else "; it wished nothing of it, and no gate refused: it waited, or heard nothing of it"
        )
        show_line(console, f"{each.strategy}: {phase}{nothing}")
        for step in each.findings:
            _show_step(console, step, 1, zone)
    for scanner in found.scanners:
        console.print()
        _show_scanner(console, scanner, zone)


def _show_scanner(console: "Console", found: "ScannerAnswer", zone: tzinfo) -> None:
    rank = f", rank {found.rank}" if found.rank else ""
    show_line(
        console,
        f"scanner {found.scanner}: {found.verdict}{rank} at evaluation {found.evaluation:,}, "
        f"{_clock(found.ts_ns, zone)} ({found.seq:,})",
    )
    for each in found.filters:
        word = "" if each.passed is None else "passes" if each.passed else "REFUSES"
        limit = "" if each.threshold is None else f", limit {each.threshold:,.10g}"
        value = "none" if each.value is None else f"{each.value:,.10g}"
        show_line(console, f"  {word:<8} {each.filter}: {value}{limit}")
    if found.listed is not None:
        _show_step(console, found.listed, 1, zone)


def _clock(ts_ns: int, zone: tzinfo, form: str = "%H:%M:%S") -> str:
    from pipeline.units import NANO

    told = datetime.fromtimestamp(ts_ns // NANO, zone).strftime(form)
    return f"{told}.{ts_ns % NANO:09}" if form.endswith("%S") else told
