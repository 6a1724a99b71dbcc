"""`tape reference`: what is known of instruments, dated, from several sources."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.show import as_json_line, json_option

if TYPE_CHECKING:
    from pipeline.normalize.reference import Choice, Fact


@click.group("reference")
def command() -> None:
    """Float, shares, sector, previous close, splits: kept with what was known when, and by whom."""


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--provider", required=True, help="who says so, in one word")
@click.option("--as-of", "as_of", metavar="DATE", help="the day it describes  [default: its column, else --known-at]")
@click.option("--known-at", "known_at", metavar="MOMENT", help="when it became known  [default: now]")
@click.option("--map", "mapping", default="", help="'symbol=ticker float_shares=float ...'; the rest by the header")
@click.option("--venue", default="US", show_default=True, help="whose symbols they are; US: American shares")
@json_option
@click.pass_obj
def import_(
    home: str,
    file: Path,
    provider: str,
    as_of: str | None,
    known_at: str | None,
    mapping: str,
    venue: str,
    as_json: bool,
) -> None:
    """Add what the table FILE says; nothing that was there is overwritten.

    \b
    tape reference import floats.csv --provider mylist --as-of 2026-11-20
    tape reference import old.csv --provider mylist --as-of 2026-09-09 --known-at 2026-09-09T12:00:00Z
    """
    from pipeline.log.store import Store
    from pipeline.run.referencing import import_table

    said = import_table(
        Store(Path(home)),
        file,
        provider=provider,
        as_of=as_of,
        known_at=known_at,
        mapping=mapping,
        venue=venue,
        now_ns=time.time_ns(),
    )
    if as_json:
        as_json_line(said)
        return
    click.echo(f"{said.written:,} new facts of {said.symbols:,} symbols; {said.known:,} were known")
    click.echo(f"  read: {', '.join(f'{field} from {column}' for field, column in said.columns.items())}")
    if said.ignored:
        click.echo(f"  not read: {', '.join(said.ignored)}")
    for number, reason in said.refused:
        click.echo(f"  row {number} refused: {reason}", err=True)


@command.command()
@click.option("--provider", required=True, type=click.Choice(["massive", "alpaca", "databento"]))
@click.option("--symbols", default="", help="with commas between them")
@click.option("--from-scan", "days", metavar="DAY[..DAY]", help="or what was picked on these days")
@click.option("--session", help="or all that a session holds, e.g. last")
@click.option("--url", help="a server on this machine that speaks the provider's REST, instead of the provider's")
@json_option
@click.pass_obj
def fetch(
    home: str, provider: str, symbols: str, days: str | None, session: str | None, url: str | None, as_json: bool
) -> None:
    """Ask a provider about symbols by REST, and add what is new; done each day it makes a history.

    \b
    tape reference fetch --provider massive --symbols ABCD,WXYZ
    tape reference fetch --provider massive --from-scan 2026-11-20

    Massive: details, float, splits, previous close. Alpaca: asset, splits. Databento: security master, splits.
    Keys as for recording, from the environment or the keyring.
    """
    from pipeline.log.store import Store
    from pipeline.run.inquiring import inquire

    store = Store(Path(home))
    answered = inquire(store, provider, _asked_about(store, symbols, days, session), now_ns=time.time_ns, url=url)
    if as_json:
        as_json_line({**answered.kept._asdict(), "failed": answered.failed})
    else:
        click.echo(f"{answered.kept.written:,} new facts; {answered.kept.known:,} were known")
    for reason in answered.failed:
        click.echo(f"tape: {reason}", err=True)
    sys.exit(1 if answered.failed else 0)


def _asked_about(store: Any, symbols: str, days: str | None, session: str | None) -> list[str]:
    from pipeline.errors import ConfigError
    from pipeline.run.picking import days_of, picked
    from pipeline.run.referencing import shares_of

    if sum(map(bool, (symbols, days, session))) != 1:
        raise click.UsageError("say one of --symbols NAMES, --from-scan DAY, --session ID")
    if session:
        return shares_of(store, session)
    if not days:
        return symbols.split(",")
    found = [symbol for of_day in picked(store, *days_of(days)).values() for symbol in of_day]
    if not found:
        raise ConfigError(
            f"--from-scan {days}: nothing was picked then; `tape import FILE --as candidates` brings lists in"
        )
    return found


@command.command()
@click.argument("symbol")
@click.option("--at", metavar="MOMENT", help="as it was known then, e.g. 2026-11-20T13:00:00Z  [default: now]")
@click.option("--prefer", default="", help="providers to believe first, e.g. mylist,massive")
@json_option
@click.pass_obj
def show(home: str, symbol: str, at: str | None, prefer: str, as_json: bool) -> None:
    """What counts of SYMBOL at a moment, who else says what, and the rule that chose.

    \b
    tape reference show ABCD
    tape reference show ABCD --at 2026-11-20T13:00:00Z --prefer mylist
    """
    from pipeline.config import moment_ns
    from pipeline.instruments import meant_symbol
    from pipeline.log.store import Store
    from pipeline.run.referencing import choices_of_symbol

    now_ns = time.time_ns()
    at_ns = moment_ns(at, day_ns=now_ns) if at else now_ns
    preferred = [name.strip() for name in prefer.split(",") if name.strip()]
    symbol = meant_symbol(symbol)
    found = choices_of_symbol(Store(Path(home)), symbol, at_ns, prefer=preferred)
    if as_json:
        as_json_line({venue: {field: _told(each) for field, each in by.items()} for venue, by in found.items()})
        return
    for venue, choices in found.items():
        click.echo(f"{symbol} ({venue})")
        for field, choice in sorted(choices.items()):
            _show(field, choice)
    if not found:
        click.echo(f"nothing is known of {symbol} at that moment")


def _show(field: str, choice: "Choice") -> None:
    from pipeline.normalize.reference import SPLIT_RATIO, number_text, ratio_text

    told = ratio_text if field == SPLIT_RATIO else number_text
    said = choice.fact.text or told(choice.value)
    click.echo(f"  {field:<19} {said:<24}{_by(choice.fact)}")
    if choice.note:
        click.echo(f"  {'':<20}{choice.note}")
    for other, value, differs in zip(choice.others, choice.other_values, choice.differs, strict=True):
        click.echo(f"  {'':<20}{'but' if differs else 'also'} {other.text or told(value)}, {_by(other)}")
    if choice.others:
        click.echo(f"  {'':<20}{choice.why}")


def _by(fact: "Fact") -> str:
    from pipeline.units import iso_from_ns

    return f"{fact.provider}, of {iso_from_ns(fact.as_of_ns)[:10]}, known {iso_from_ns(fact.known_at_ns)[:19]}Z"


def _told(choice: "Choice") -> dict[str, Any]:
    return {
        "said": choice.fact.text or choice.value,
        "note": choice.note,
        "why": choice.why,
        "is_disputed": choice.is_disputed,
        "by": _fact(choice.fact),
        "others": [_fact(other) for other in choice.others],
    }


def _fact(fact: "Fact") -> dict[str, Any]:
    from pipeline.units import iso_from_ns

    times = {"known_at": iso_from_ns(fact.known_at_ns), "as_of": iso_from_ns(fact.as_of_ns)}
    return {"provider": fact.provider, "stated": fact.stated, **times}
