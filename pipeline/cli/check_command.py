"""`tape check`: every damaged byte of the store."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.show import as_json_line, json_option

if TYPE_CHECKING:
    from pipeline.log.store import Store


@click.command("check")
@click.argument("name", required=False)
@click.option("--salvage", is_flag=True, help="copy what is whole of NAME into a new session; NAME stays as it is")
@json_option
@click.pass_obj
def command(home: str, name: str | None, salvage: bool, as_json: bool) -> None:
    """Read every byte of the store, or of NAME, and compare it with what was written. Exits with 1 on damage.

    \b
    tape check
    tape check generated-7 --salvage
    """
    from pipeline.log.check import check, check_log
    from pipeline.log.store import Store

    store = Store(Path(home))
    if salvage:
        if name is None:
            raise click.UsageError("--salvage needs the name of a session or run")
        _salvage(store, name, as_json=as_json)
        return
    report = check_log(store.folder(store.find_one(name).id)) if name else check(store)
    if as_json:
        as_json_line(report)
    else:
        click.echo(
            f"{'sound' if report.sound else 'DAMAGED'}: {report.sessions} sessions and runs, {report.bytes:,} bytes"
        )
        for label, entries in (("damaged", report.damage), ("torn", report.torn)):
            for entry in entries:
                click.echo(f"  {label}: {entry.file}: byte {entry.offset}: {entry.reason}")
        for leftover in report.leftovers:
            click.echo(f"  leftover, removed at the next start: {leftover}")
    sys.exit(0 if report.sound else 1)


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
