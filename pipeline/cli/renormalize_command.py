"""`tape renormalize`: a recorded session made again from the messages it kept."""

import time
from pathlib import Path

import click

from pipeline.cli.show import as_json_line, counted, json_option, progress


@click.command("renormalize")
@click.argument("session")
@json_option
@click.pass_obj
def command(home: str, session: str, as_json: bool) -> None:
    """Make SESSION again, as a new session, from the messages it kept (tape record --raw), with today's normalisers.

    \b
    tape renormalize last

    For a day on which a message was refused or misread: mend the normaliser, make the day again, replay the new session, which
    is `last` until another one is recorded. A SESSION that was itself made again stands for the one that was recorded.
    """
    from pipeline.log.store import Store
    from pipeline.run.feeds import normalizers
    from pipeline.run.renormalizing import renormalize

    with progress("renormalizing") as told:
        made = renormalize(Store(Path(home)), session, normalizers(), created_ns=time.time_ns(), progress=told)
    if as_json:
        as_json_line({"session": made.id, "kinds": made.kinds, "refused": made.refused})
        return
    click.echo(f"session {made.id}: {counted(made.kinds)}" + (f"; {made.refused:,} refused" if made.refused else ""))
