"""`tape strategy`: work on one's own."""

import sys
from typing import TYPE_CHECKING

import click

from pipeline.cli.show import as_json_line, counted, json_option

if TYPE_CHECKING:
    from pipeline.run.trying import Trial


@click.group("strategy")
def command() -> None:
    """Work on a strategy of one's own."""


@command.command()
@click.argument("name")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="of the day that is run; may be repeated")
@json_option
def check(name: str, params: tuple[str, ...], as_json: bool) -> None:
    """Check a strategy, NAME or path of a .py file: every line outside of the dialect; then a day at both speeds, byte for byte.

    Exits with 1 when something was found. A rule marked "refused" keeps it from being loaded; the others from being compiled.

    \b
    tape strategy check mine.py
    tape strategy check opening_range --param open_minute=480 --json
    """
    from pipeline.run.strategies import strategy_file
    from pipeline.run.trying import try_strategy

    path = strategy_file(name)
    trial = try_strategy(path, params, compiling=lambda: None if as_json else click.echo(f"{path.name}: compiling"))
    if as_json:
        as_json_line(trial)
    else:
        _show(trial)
    sys.exit(0 if trial.sound else 1)


def _show(trial: "Trial") -> None:
    if trial.problem:
        click.echo(trial.problem)
    for found in trial.breaches:
        fate = "refused" if found.is_refused_at_load else "runs interpreted"
        click.echo(f"{found.file}: line {found.line}: {found.what}")
        click.echo(f"    rule {found.rule}, {fate}; accepted: {found.accepted}")
    if trial.breaches:
        click.echo(f"{len(trial.breaches)} places outside of the dialect, see docs/dialect.md")
    if not trial.inputs:
        return
    told = counted(trial.kinds) or "nothing decided"
    click.echo(f"a generated day of {trial.inputs:,} inputs: {told}")
    for text in trial.stopped:
        click.echo(f"  STOPPED {text}")
    if trial.difference:
        at = trial.difference
        click.echo(
            f"  THE TWO SPEEDS DIFFER from seq {at.seq}, {at.kind}: {', '.join(at.differs) or 'a row of one alone'}"
        )
    elif not trial.same_state:
        click.echo("  THE TWO SPEEDS DIFFER in the state they leave")
    else:
        click.echo("  interpreted and compiled: the same rows, the same state, byte for byte")
    click.echo("  " + ", ".join(f"{part} {seconds:.2f} s" for part, seconds in trial.seconds.items()))
