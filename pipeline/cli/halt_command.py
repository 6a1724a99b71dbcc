"""`tape halt`: the kill switch."""

import sys
from pathlib import Path

import click

from pipeline.cli.show import as_json_line, json_option


@click.command("halt")
@click.argument("reason", required=False)
@click.option("--reset", "is_reset", is_flag=True, help="trade again")
@json_option
@click.pass_obj
def command(home: str, reason: str | None, is_reset: bool, as_json: bool) -> None:
    """Cancel all orders, close all positions and enter nothing any more: in every session that is recorded, now or later.

    \b
    tape halt "news I don't understand"
    tape halt --reset

    It stays until it is reset: a file in the store says so to every recording that begins.
    """
    from pipeline.errors import ConfigError
    from pipeline.log.store import Store
    from pipeline.run.halting import halt, reset

    if is_reset and reason is not None:
        raise ConfigError(f"--reset and {reason!r}: a reason is of a halt; leave one of them out")
    reason = "by hand" if reason is None else reason
    store = Store(Path(home))
    told = reset(store) if is_reset else halt(store, reason)
    if as_json:
        as_json_line({"halted": not is_reset, "sessions": told})
    else:
        click.echo("trading again" if is_reset else f"halted: {reason}")
        for session, seq, error in told:
            click.echo(f"{session}: {error or f'input {seq}'}")
    sys.exit(2 if any(each.error for each in told) else 0)
