"""`tape tell`: a request to a session that is being recorded."""

import sys
from pathlib import Path
from typing import Final

import click

from pipeline.cli.show import as_json_line, json_option

_ACTIONS: Final = {
    "add": "ADD_SYMBOL",
    "drop": "DROP_SYMBOL",
    "flatten": "FLATTEN",
    "end": "END",
}
_NEED_TARGETS: Final = ("add", "drop")


@click.command("tell")
@click.argument("session")
@click.argument("what", type=click.Choice(list(_ACTIONS)))
@click.argument("targets", nargs=-1)
@click.option("--reason", default="", help="kept with the request")
@json_option
@click.pass_obj
def command(home: str, session: str, what: str, targets: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Ask SESSION, while it is recorded, to do WHAT; the request becomes an input of it. `last` is the one started last.

    \b
    tape tell last add NVDA coinbase:SOL-USD
    tape tell last flatten ABCD --reason "spread of a dollar"
    tape tell last end
    """
    from pipeline.codes import RequestAction
    from pipeline.errors import ConfigError
    from pipeline.log.store import Store
    from pipeline.run.control import Request, ask
    from pipeline.run.telling import spoken_to, targets_of

    if what in _NEED_TARGETS and not targets:
        raise ConfigError(f"tape tell {session} {what}: name one or more, e.g. tape tell last {what} NVDA")
    if what == "end" and targets:
        raise ConfigError(f"tape tell {session} end {targets[0]}: a session ends whole; leave out {', '.join(targets)}")
    store = Store(Path(home))
    manifest = spoken_to(store, session)
    meant = targets_of(store, manifest, RequestAction[_ACTIONS[what]], targets)
    answers = {
        target: ask(store.folder(manifest.id), Request(_ACTIONS[what], target=target, text=reason))
        for target in meant or ("",)
    }
    if as_json:
        as_json_line({"session": manifest.id, "asked": what, "answers": answers})
    else:
        for target, answer in answers.items():
            said = f"input {answer.seq}" if answer.ok else answer.error
            click.echo(f"{manifest.id}: {what}{target and f' {target}'}: {said}")
    sys.exit(0 if all(answer.ok for answer in answers.values()) else 2)
