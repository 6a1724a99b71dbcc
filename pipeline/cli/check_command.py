"""`tape check`: every damaged byte of the store, and every row that must not be."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.show import as_json_line, json_option

if TYPE_CHECKING:
    from pipeline.log.store import Store
    from warehouse.checking import Found


@click.command("check")
@click.argument("name", required=False)
@click.option("--salvage", is_flag=True, help="copy what is whole of NAME into a new session; NAME stays as it is")
@json_option
@click.pass_obj
def command(home: str, name: str | None, salvage: bool, as_json: bool) -> None:
    """Read every byte of the store, or of NAME, and look for rows that must not be. Exits with 1 when it finds anything.

    Bytes are compared with what was written. Rows that must not be are effects before their causes, cash, profits and
    positions that their fills don't add up to, executions in a halt, and trades in a gap that are not marked.

    \b
    tape check
    tape check generated-7 --salvage
    """
    import msgspec

    from pipeline.log.check import check, check_log
    from pipeline.log.store import Store
    from warehouse.checking import offenders

    store = Store(Path(home))
    if salvage:
        if name is None:
            raise click.UsageError("--salvage needs the name of a session or run")
        _salvage(store, name, as_json=as_json)
        return
    report = check_log(store.folder(store.find_one(name).id)) if name else check(store)
    found = offenders(home, [name] if name else ["all"]) if report.sound else []
    if as_json:
        as_json_line({**msgspec.to_builtins(report), "checks": {each.check: each.count for each in found}})
    else:
        click.echo(
            f"{'sound' if report.sound else 'DAMAGED'}: {report.sessions} sessions and runs, {report.bytes:,} bytes"
        )
        for label, entries in (("damaged", report.damage), ("torn", report.torn)):
            for entry in entries:
                click.echo(f"  {label}: {entry.file}: byte {entry.offset}: {entry.reason}")
        for leftover in report.leftovers:
            click.echo(f"  leftover, removed at the next start: {leftover}")
        _show_found(found)
    sys.exit(0 if report.sound and not any(each.count for each in found) else 1)


def _show_found(found: "list[Found]") -> None:
    """How many rows were looked for in vain, or the first that were found."""
    if found and not any(each.count for each in found):
        click.echo(f"consistent: nothing found by {len(found)} checks: {', '.join(each.check for each in found)}")
    for each in found:
        if each.count:
            click.echo(f"WRONG: {each.check}: {each.count:,}: {each.grain}; tape sql 'from checks.{each.check}'")
        for row in each.first:
            click.echo(f"  {', '.join(f'{name} {value}' for name, value in row.items() if value is not None)}")


def _salvage(store: "Store", id_: str, *, as_json: bool) -> None:
    """By its exact id: a damaged manifest can't be looked up by anything else."""
    from pipeline.log.salvage import salvage

    done = salvage(store, id_, created_ns=time.time_ns())
    if as_json:
        as_json_line(done)
        return
    click.echo(f"{done.id}: {done.inputs:,} inputs and {done.derived:,} decisions kept of {id_}")
    click.echo(f"  known to be lost: {done.lost_inputs:,} inputs, {done.dropped_derived:,} decisions with them")
    for entry in done.damage:
        click.echo(f"  damaged: {entry.file}: byte {entry.offset}: {entry.reason}")
