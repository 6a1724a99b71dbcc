"""`tape parity`: what was decided live against a replay, or against another recording of the day, and why each difference."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.show import as_json_line, json_option, line_console, show_line

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.run.parity import Parity


@click.command("parity")
@click.argument("name")
@click.option(
    "--against",
    multiple=True,
    metavar="RUN|SESSION",
    help="what to compare with; may be repeated  [default: the newest run over the session]",
)
@click.option("--cause", "wanted", metavar="CAUSE", help="these differences alone: data, gap, timing, fill, code ...")
@click.option("--show", "shown", type=click.IntRange(0), default=20, show_default=True, help="differences to print")
@json_option
@click.pass_obj
def command(home: str, name: str, against: tuple[str, ...], wanted: str | None, shown: int, as_json: bool) -> None:
    """Each difference between what session or run NAME decided and traded and what another log did, with its one cause.

    The cause is data, gap, timing, fill, code or settings, and what speaks for it; unexplained where nothing tells which.
    Behind it what NAME acted on before it was revised. Exits with 1 when they differ. All of it: --json.

    \b
    tape parity last
    tape parity generated-7 --against last-run --against final
    tape parity generated-7 --cause unexplained --show 100
    """
    from pipeline.errors import ConfigError
    from pipeline.log.store import Store
    from pipeline.names import did_you_mean
    from pipeline.reports.explain_parity import CAUSES
    from pipeline.run.parity import parity

    if wanted is not None and wanted not in CAUSES:
        raise ConfigError(f"--cause {wanted}: accepted are {', '.join(CAUSES)}{did_you_mean(wanted, CAUSES)}")
    store = Store(Path(home))
    compared = [parity(store, name, other) for other in against or (None,)]
    if as_json:
        as_json_line({"compared": compared})
    else:
        console = line_console()
        for found in compared:
            _show(console, found, wanted, shown)
        _show_revised(console, compared[0], shown)
    sys.exit(1 if any(found.differences for found in compared) else 0)


def _show(console: "Console", found: "Parity", wanted: str | None, shown: int) -> None:
    over = found.session_a if found.session_a == found.session_b else f"{found.session_a} and {found.session_b}"
    show_line(console, f"{found.a} -> {found.b}, over {over}: {found.wishes_a:,} wishes -> {found.wishes_b:,}")
    told = ", ".join(f"{count:,} {cause}" for cause, count in found.causes.items())
    show_line(
        console, f"{len(found.differences):,} differences: {told}" if told else "every wish and every fill is the same"
    )
    chosen = [each for each in found.differences if wanted in (None, each.cause)]
    for each in chosen[:shown]:
        places = " -> ".join(f"({at[0]:,}, {at[1]})" for at in (each.place_a, each.place_b) if at is not None)
        show_line(console, f"{each.cause:<12}{each.change:<9}{places}  {each.strategy}: {each.says}")
        show_line(console, f"{'':<12}{each.evidence}", style="dim")
    if len(chosen) > shown:
        show_line(console, f"and {len(chosen) - shown:,} more: --show, or --json")


def _show_revised(console: "Console", found: "Parity", shown: int) -> None:
    """As seen against as revised."""
    revised = found.revisions
    if not revised.bars and not revised.prints:
        return
    acted = f"{len(revised.acted_on):,} of them behind wishes that stood on them"
    show_line(console, f"{found.a}: {revised.bars:,} bars and {revised.prints:,} prints were revised, {acted}")
    for each in revised.acted_on[:shown]:
        wishes = ", ".join(f"({seq:,}, {ord_})" for seq, ord_ in each.wishes)
        show_line(console, f"  ({each.seen[0]:,}, {each.seen[1]}) as seen: {each.says_seen}; wished on it: {wishes}")
        show_line(console, f"  ({each.revised[0]:,}, {each.revised[1]}) as revised: {each.says_revised}")
