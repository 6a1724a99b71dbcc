"""What commands have in common: one object as JSON on the last line, counts a person can read, a bar on long work."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import msgspec

json_option = click.option("--json", "as_json", is_flag=True, help="one JSON object on the last line")


def as_json_line(result: Any) -> None:
    """The result on one line."""
    click.echo(msgspec.json.encode(result).decode())


def counted(kinds: dict[str, int]) -> str:
    """`28,040 quote, 9,757 print`, largest first."""
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: -item[1]))


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A function that is told how many events are done; draws a line on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    if total is None:
        yield lambda done: click.echo(f"\r{label} {done:,} events", nl=False, err=True)
        click.echo("\r\x1b[K", nl=False, err=True)
        return
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        yield lambda done: bar.update(done - bar.pos)
