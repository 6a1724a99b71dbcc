"""`tape new`: a strategy or a scanner to begin with, that works as it stands, and its test."""

from collections.abc import Callable
from pathlib import Path

import click

from pipeline.cli.show import as_json_line, json_option

_into = click.option(
    "--into",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="folder to write to  [default: this one]",
)


@click.group("new")
def command() -> None:
    """Files to begin one's own with."""


@command.command()
@click.argument("name")
@_into
@json_option
def strategy(name: str, folder: Path, as_json: bool) -> None:
    """A strategy that works as it stands, NAME.py, and tests of it, test_NAME.py.

    \b
    tape new strategy burst
    tape new strategy burst --into mine
    """
    from pipeline.run.drafting import draft_strategy

    _told(draft_strategy, name, folder, as_json, "tape strategy check {0}; pytest {1}; tape replay last --strategy {0}")


@command.command()
@click.argument("name")
@_into
@json_option
def scanner(name: str, folder: Path, as_json: bool) -> None:
    """A scanner that works as it stands, NAME.toml, and tests of it, test_NAME.py.

    \b
    tape new scanner movers
    """
    from pipeline.run.drafting import draft_scanner

    _told(draft_scanner, name, folder, as_json, "pytest {1}; tape scan last --config {0}")


def _told(
    draft: Callable[[str, Path], list[Path]], name: str, folder: Path, as_json: bool, following: str
) -> None:  # as click has it
    paths = draft(name, folder)
    if as_json:
        as_json_line({"files": [str(path) for path in paths]})
        return
    for path in paths:
        click.echo(path)
    click.echo(f"Next: {following.format(*paths)}")
