"""`tape diff`: two runs of one session beside each other."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.show import as_json_line, json_option

if TYPE_CHECKING:
    from pipeline.run.diffing import Change, Diff


@click.command("diff")
@click.argument("a")
@click.argument("b")
@click.option("--show", "shown", type=click.IntRange(0), default=20, show_default=True, help="changes to print")
@json_option
@click.pass_obj
def command(home: str, a: str, b: str, shown: int, as_json: bool) -> None:
    """What run B wished for that run A did not, and what it did to profit. A session counts as a run of itself.

    Exits with 1 when they differ. All changes: --json, or the views diffs and diff_profits.

    \b
    tape diff r-ema_cross-generated-7 r-ema_cross-generated-7-2
    tape diff last last-run
    """
    from pipeline.log.store import Store
    from pipeline.run.diffing import diff

    found = diff(Store(Path(home)), a, b)
    if as_json:
        as_json_line(found)
    else:
        _show(found, shown)
    sys.exit(0 if found.identical else 1)


def _show(found: "Diff", shown: int) -> None:
    click.echo(f"{found.a} -> {found.b}, over {found.session}")
    if found.last_seq_a != found.last_seq_b:
        click.echo(f"  not as far: up to seq {found.last_seq_a:,} -> {found.last_seq_b:,}")
    told = ", ".join(f"{count:,} {change}" for change, count in found.counts.items() if count)
    click.echo(f"  {told or 'every wish is the same'}; {found.wishes_a:,} wishes -> {found.wishes_b:,}")
    if found.same_rows:
        click.echo("  every derived row is the same, byte for byte")
    for change in found.changes[:shown]:
        click.echo(f"  {_line(change)}")
    if len(found.changes) > shown:
        click.echo(f"  and {len(found.changes) - shown:,} more, in the view diffs and with --json")
    _show_effects(found)


def _show_effects(found: "Diff") -> None:
    """Round trips and profit by symbol, and in all."""
    if not found.effects:
        click.echo("  neither of them traded")
        return
    click.echo(f"  {'':<12}{'trades':>16}{'profit':>32}{'effect':>14}")
    for effect in found.effects:
        _show_effect(effect.symbol, effect.trades_a, effect.trades_b, effect.profit_a, effect.profit_b, effect.effect)
    trades_a, trades_b = (sum(getattr(effect, side) for effect in found.effects) for side in ("trades_a", "trades_b"))
    _show_effect("in all", trades_a, trades_b, found.profit_a, found.profit_b, found.effect)
    if still_open := sum(effect.open_a + effect.open_b for effect in found.effects):
        click.echo(f"  {still_open:,} round trips still open are not in it")


def _show_effect(what: str, was: int, now: int, profit_a: float, profit_b: float, effect: float) -> None:
    click.echo(f"  {what:<12}{was:>6,} -> {now:>6,}{profit_a:>14,.2f} -> {profit_b:>14,.2f}{effect:>+14,.2f}")


def _line(change: "Change") -> str:
    seqs = " -> ".join(f"{seq:,}" for seq in _sides(change.seq_a, change.seq_b))
    sizes = " -> ".join(f"{size:,g}" for size in _sides(change.quantity_a, change.quantity_b))
    limits = " -> ".join(f"{price:,g}" for price in _sides(change.limit_price_a, change.limit_price_b))
    words = (change.strategy, change.symbol, change.action, change.side if change.side != "none" else "", sizes)
    terms = (f"limit {limits}" if limits else "", f"({', '.join(change.differs)})" if change.differs else "")
    return f"{change.change:<8} seq {seqs:<20} {' '.join(word for word in (*words, *terms) if word)}"


def _sides(a: float | None, b: float | None) -> list[float]:
    """What is there, once when it is the same on both sides."""
    return [side for side in dict.fromkeys((a, b)) if side is not None]
