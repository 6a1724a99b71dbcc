"""`tape note`: a remark on a session."""

import time
from pathlib import Path

import click


@click.command("note")
@click.argument("name")
@click.argument("text")
@click.option("--tag", default="", help="one word to find it by")
@click.pass_obj
def command(home: str, name: str, text: str, tag: str) -> None:
    """Remark TEXT on the session NAME: an input while it is recorded, an entry of the store's notes afterwards.

    `last` is the session being recorded, the one started last; else the one begun last by its own clock.

    \b
    tape note last "entered late, spread was 40 cents" --tag discipline
    """
    from pipeline.log.store import Store
    from pipeline.run.notes import remark

    click.echo(remark(Store(Path(home)), name, text, tag=tag, now_ns=time.time_ns()))
