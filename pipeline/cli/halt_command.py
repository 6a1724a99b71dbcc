"""`tape halt`: the kill switch."""

import sys
from pathlib import Path

import click

from pipeline.cli.show import as_json_line, json_option


@click.command("halt")
@click.argument("reason", required=False)
@click.option(
    "--reduce", "is_reduced", is_flag=True, help="enter nothing any more, and leave what is held to its strategies"
)
@click.option("--reset", "is_reset", is_flag=True, help="trade again; say why")
@json_option
@click.pass_obj
def command(home: str, reason: str | None, is_reduced: bool, is_reset: bool, as_json: bool) -> None:
    """Cancel all orders, close all positions and enter nothing any more: in every session that is recorded, now or later.

    \b
    tape halt "news I don't understand"
    tape halt --reduce "enough for today"
    tape halt --reset "read the news"

    It stays until it is reset: a file in the store says so to every recording that begins. A session that loses what it
    may lose in a day reduces by itself, and that stays, too.
    """
    from pipeline.errors import ConfigError
    from pipeline.log.store import Store
    from pipeline.run.halting import Halt, halt, reset

    if is_reset and is_reduced:
        raise ConfigError("--reset and --reduce: leave one of them out")
    if is_reset and not (reason or "").strip():
        raise ConfigError('--reset: say why it is traded again, as in `tape halt --reset "read the news"`')
    reason = reason or "by hand"
    store = Store(Path(home))
    told = reset(store, reason) if is_reset else halt(store, Halt(reason, is_reduced))
    if as_json:
        as_json_line({"halted": not is_reset and not is_reduced, "reducing": is_reduced, "sessions": told})
    else:
        word = "trading again" if is_reset else "entering nothing" if is_reduced else "halted"
        click.echo(f"{word}: {reason}")
        for session, seq, error in told:
            click.echo(f"{session}: {error or f'input {seq}'}")
    sys.exit(2 if any(each.error for each in told) else 0)
