"""`tape verify`: a recording folded again with its own code."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pipeline.cli.show import as_json_line, json_option, progress

if TYPE_CHECKING:
    from pipeline.run.comparing import Difference

UNDECIDED: Final = 3
"""Exit code: what was decided is identical, and the last inputs were not decided upon."""


@click.command("verify")
@click.argument("name")
@click.option("--batch", "rows", type=click.IntRange(1), default=65_536, show_default=True, help="inputs at a time")
@click.option("--apart", is_flag=True, help="in a process of its own even when the recorded code is today's")
@json_option
@click.pass_obj
def command(home: str, name: str, rows: int, apart: bool, as_json: bool) -> None:
    """Fold the inputs of a session or run NAME again with the code it keeps, and compare every row.

    Exits with 1 when a row differs; the first difference is shown with what led to it. Exits with 3 when all that was
    decided is identical, and the session, which nobody ended, stopped before its last inputs were decided.

    \b
    tape verify last
    tape verify last-run --batch 7
    """
    from pipeline.log.store import Store
    from pipeline.run.verifying import verify

    store = Store(Path(home))
    with progress("verifying", store.find_one(name).inputs or None) as told:
        verdict = verify(store, name, rows=rows, always_apart=apart, progress=told)
    if as_json:
        as_json_line(verdict)
    elif verdict.undecided:
        first, last = verdict.undecided
        click.echo(
            f"{verdict.id}: identical as far as it was decided, {verdict.derived:,} decisions over {first - 1:,} inputs; "
            f"stopped before inputs {first}..{last} were decided"
        )
        click.echo("  whoever goes on with it decides them: the same tape record again")
    elif verdict.identical and not verdict.derived:
        click.echo(
            f"{verdict.id}: identical: {verdict.events:,} inputs, every frame and file proved; nothing was decided"
        )
    elif verdict.identical:
        click.echo(f"{verdict.id}: identical, {verdict.derived:,} decisions over {verdict.events:,} inputs")
        click.echo(f"  decisions {verdict.decisions_hash}")
        if not verdict.same_code:
            click.echo("  by the code it keeps; today's code is another")
        if not verdict.same_packages:
            click.echo("  with other package versions than it was recorded with")
    elif verdict.first_difference is None:
        click.echo(f"{verdict.id}: every row is the same, and the hash is not: the manifest says otherwise")
    else:
        click.echo(f"{verdict.id}: NOT identical")
        _show(verdict.first_difference)
    sys.exit(1 if not verdict.identical else UNDECIDED if verdict.undecided else 0)


def _show(difference: "Difference") -> None:
    from pipeline.run.comparing import readable

    click.echo(f"  first difference at seq {difference.seq} ord {difference.ord}")
    for side, row in (("recorded", difference.recorded), ("derived now", difference.derived)):
        click.echo(f"  {side:<12} {readable(difference.kind, row) if row else 'nothing'}")
    if difference.differs:
        click.echo(f"  differs in   {', '.join(difference.differs)}")
    for row in difference.led_to:
        values = {name: value for name, value in row.items() if name != "kind"}
        click.echo(f"  led to by    {readable(row['kind'], values)}")
