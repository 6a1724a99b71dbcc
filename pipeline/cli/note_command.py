"""`tape note`: a remark on a session."""

import time
from pathlib import Path

import click


@click.command("note")
@click.argument("name")
@click.argument("text")
@click.option("--tag", default="", help="one word to find it by")
@click.option("--about", metavar="SEQ,ORD", help="the row it is about, e.g. entry_seq,entry_ord of a trade")
@click.pass_obj
def command(home: str, name: str, text: str, tag: str, about: str | None) -> None:
    """Remark TEXT on the session or run NAME: an input while it is recorded, an entry of the store's notes afterwards.

    TEXT has up to 4,000 characters. `last` is the session being recorded, the one started last; else the one begun last by its own clock.

    \b
    tape note last "entered late, spread was 40 cents" --tag discipline
    tape note last-run "chased it" --tag discipline --about 3201,2
    """
    from pipeline.log.store import Store
    from pipeline.run.notes import remark

    place = _place(about) if about else None
    click.echo(remark(Store(Path(home)), name, text, tag=tag, now_ns=time.time_ns(), about=place))


def _place(text: str) -> tuple[int, int]:
    seq, _, ord_ = text.partition(",")
    if not (seq.isdecimal() and ord_.isdecimal() and int(seq)):
        raise click.UsageError(f"--about {text}: accepted is SEQ,ORD such as 3201,2")
    return int(seq), int(ord_)
