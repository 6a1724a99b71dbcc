"""The view: a recording drawn on a terminal while it runs, and told in plain lines where there is none."""

import math
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pipeline.units import iso_from_ns

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from pipeline.run.glimpse import Glimpse

_DRAWN_EVERY_S: Final = 0.25
_TOLD_EVERY_S: Final = 0.5
_SYMBOLS_MAX: Final = 20
_COLOURS: Final = {
    "connected": "green",
    "mute": "yellow",
    "lagging": "yellow",
    "lost": "red",
    "ended": "red",
    "connecting": "cyan",
}


@contextmanager
def shown(glimpse: "Glimpse", title: str, folder: Path, *, is_plain: bool = False) -> Iterator[None]:
    """Show it while the block runs: drawn when standard error is a terminal, otherwise a line for each happening."""
    is_over = threading.Event()
    work = _told if is_plain or not sys.stderr.isatty() else _drawn
    thread = threading.Thread(target=work, args=(glimpse, title, folder, is_over), name="view", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _told(glimpse: "Glimpse", _title: str, _folder: Path, is_over: threading.Event) -> None:
    told = 0
    while True:
        is_last = is_over.wait(_TOLD_EVERY_S)
        told += tell(glimpse, told, lambda line: click.echo(line, err=True))
        if is_last:
            return


def tell(glimpse: "Glimpse", told: int, say: Callable[[str], None]) -> int:
    """Say what happened since `told` happenings, a line each; how many there were."""
    glimpse.look()
    fresh = glimpse.happened - told
    lines = [glimpse.untold.popleft() for _ in range(len(glimpse.untold))]
    with suppress(OSError):  # nobody reads any more: the recording goes on
        if fresh > len(lines):
            say(f"... {fresh - len(lines):,} more")
        for ts_ns, text in lines:
            say(f"{iso_from_ns(ts_ns)[:23]}Z  {text}")
    return fresh


def _drawn(glimpse: "Glimpse", title: str, folder: Path, is_over: threading.Event) -> None:
    from rich.console import Console  # only where it is drawn
    from rich.live import Live  # same

    with Live(console=Console(stderr=True), screen=False, auto_refresh=False) as live:
        while True:
            is_last = is_over.wait(_DRAWN_EVERY_S)
            glimpse.look()
            live.update(picture(glimpse, title, folder), refresh=True)
            if is_last:
                return


def picture(glimpse: "Glimpse", title: str, folder: Path) -> "RenderableType":
    """What is seen at this moment."""
    from rich.console import Group  # only where it is drawn
    from rich.text import Text  # same

    free_gib = shutil.disk_usage(folder).free / 2**30
    clock = f"{iso_from_ns(glimpse.session_ns)[:19]}Z" if glimpse.session_ns else "waiting for the first row"
    head = Text(
        f"{title}   {clock}   {glimpse.inputs:,} inputs   {glimpse.decisions:,} decisions   {free_gib:,.0f} GiB free",
        "bold",
    )
    lines = Text("\n".join(f"{iso_from_ns(ts_ns)[11:23]}Z  {text}" for ts_ns, text in glimpse.lines))
    return Group(head, _feeds(glimpse), _symbols(glimpse), lines)


def _feeds(glimpse: "Glimpse") -> "Table":
    table = _table("feed", "state", "rows", "lag s", "gaps")
    for feed in glimpse.feeds:
        state = f"[{_COLOURS.get(feed.state, 'white')}]{feed.state}[/]"
        table.add_row(feed.name, state, f"{feed.rows:,}", f"{feed.lag_s:,.3f}", str(feed.gaps))
    return table


def _symbols(glimpse: "Glimpse") -> "Table":
    """Those with a position first, then those in another phase than their first, then by number."""
    from rich.markup import escape  # only where it is drawn; symbols are strangers' words

    has_many = len(glimpse.feeds) > 1
    table = _table("symbol", "bid", "ask", "last", "position", "phases")
    busy = sorted(
        glimpse.symbols.items(),
        key=lambda item: (not any(item[1].position.values()), not any(item[1].phases.values()), item[0]),
    )
    for _, seen in busy[:_SYMBOLS_MAX]:
        phases = " ".join(glimpse.phase(strategy, code) for strategy, code in sorted(seen.phases.items()))
        held = sum(seen.position.values())
        table.add_row(
            escape(f"{seen.symbol} {seen.feed}" if has_many else seen.symbol),
            _number(seen.bid),
            _number(seen.ask),
            _number(seen.last),
            f"{held:,.10g}" if held else "",
            phases,
        )
    if len(busy) > _SYMBOLS_MAX:
        table.add_row(f"{len(busy) - _SYMBOLS_MAX} more", "", "", "", "", "")
    return table


def _table(*columns: str) -> "Table":
    from rich.table import Table  # only where it is drawn

    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in columns:
        table.add_column(name, justify="left" if name in ("feed", "state", "symbol", "phases") else "right")
    return table


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:,.4f}".rstrip("0").rstrip(".")
