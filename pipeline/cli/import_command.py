"""`tape import`: files into a session."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.show import INTERRUPTED, as_json_line, counted, json_option, progress

if TYPE_CHECKING:
    from pipeline.log.store import Store


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="what to call the session  [default: after the first file]")
@click.option(
    "--map",
    "mapping",
    help="columns of tables: 'kind=bar ts=time unit=ms ...' or a TOML file; the rest by their header",
)
@click.option("--delay", default="0s", show_default=True, help="receive time of rows that have none, after their event")
@click.option("--timer", default="1s", show_default=True, help="step of the timer grid; 0s: no timers")
@click.option("--quiet", default="15m", show_default=True, help="the grid pauses after so long without a row")
@click.option("--lateness", default="10s", show_default=True, help="prints older than this are marked late")
@click.option("--resume", metavar="SESSION", help="go on with an import of the same files that was interrupted")
@click.option("--seal/--no-seal", "is_sealed", default=True, help="Parquet at the end, or leave the journal")
@click.option(
    "--as",
    "what",
    type=click.Choice(["session", "candidates"]),
    default="session",
    show_default=True,
    help="candidates: your own lists of past days, a row a day and symbol",
)
@json_option
@click.pass_obj
def command(
    home: str,
    files: tuple[Path, ...],
    name: str | None,
    mapping: str | None,
    delay: str,
    timer: str,
    quiet: str,
    lateness: str,
    resume: str | None,
    is_sealed: bool,
    what: str,
    as_json: bool,
) -> None:
    """Import FILES into one session, merged in the order in which they were received.

    DBN (plain or zstd), CSV, Parquet and Feather tables, captured frames of Binance, Coinbase and Hyperliquid.

    \b
    tape import day.dbn.zst
    tape import btcusdt.gz bars.csv --map "kind=bar symbol=AAPL timeframe=1m ts=time tz=America/New_York \\
        open=o high=h low=l close=c volume=v"
    tape import picks.csv --as candidates --name premarket
    """
    if what == "candidates":
        _refuse_unheard("delay", "timer", "quiet", "lateness", "resume", "is_sealed")
        _import_picks(home, files, name, mapping or "", as_json=as_json)
        return
    from pipeline.config import duration_ns
    from pipeline.feeds.files import feed_of
    from pipeline.feeds.tables import mapping_from
    from pipeline.log.store import Store
    from pipeline.run.importing import MergeOptions, import_files

    columns = mapping_from(mapping) if mapping else None
    delay_ns = duration_ns(delay)
    sources = [feed_of(path, mapping=columns, delay_ns=delay_ns) for path in files]
    merge = MergeOptions(duration_ns(timer) or None, duration_ns(quiet), duration_ns(lateness))
    store, ids = Store(Path(home)), list[str]()
    try:
        with progress("importing") as told:
            done = import_files(
                store,
                sources,
                files,
                name=name or files[0].name.split(".")[0],
                created_ns=time.time_ns(),
                merge=merge,
                reading={"map": mapping or "", "delay_ns": delay_ns},
                resume=resume,
                is_sealed=is_sealed,
                progress=told,
                begun=ids.append,
            )
    except KeyboardInterrupt:
        _tell_interrupted(store, *ids)
        sys.exit(INTERRUPTED)
    for error in done.errors:
        click.echo(f"tape: {error}", err=True)
    if as_json:
        as_json_line(done)
    else:
        click.echo(f"session {done.session}: {done.events:,} inputs from {done.first_ts} to {done.last_ts}")
        click.echo(f"  {counted(done.kinds)}" + (f"; {done.refused:,} refused" if done.refused else ""))
    sys.exit(1 if done.errors else 0)


def _refuse_unheard(*names: str) -> None:
    """Raises ConfigError for an option that was given and is of sessions only."""
    from pipeline.errors import ConfigError

    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = "--seal/--no-seal" if name == "is_sealed" else f"--{name}"
            raise ConfigError(f"{option} is of sessions: a list of candidates has nothing of it; leave it out")


def _import_picks(home: str, files: tuple[Path, ...], name: str | None, mapping: str, *, as_json: bool) -> None:
    """Lists of picks; all under one name, or each under that of its file."""
    from pipeline.log.store import Store, slug
    from pipeline.run.picking import import_picks

    for path in files:
        list_name = name or slug(path.name.split(".")[0])
        said = import_picks(Store(Path(home)), path, list_name=list_name, mapping=mapping, now_ns=time.time_ns())
        if as_json:
            as_json_line({"list": list_name, **said._asdict()})
            continue
        click.echo(
            f"list {list_name}: {said.written:,} new picks of {said.symbols:,} symbols; {said.known:,} were known"
        )
        for number, reason in said.refused:
            click.echo(f"  row {number} refused: {reason}", err=True)


def _tell_interrupted(store: "Store", session: str = "") -> None:
    """Say how an import that Ctrl-C ended goes on."""
    if not session:
        said = "nothing was written yet"
    elif store.manifest(session).state == "open":
        said = f"what {session} holds is kept; the same command with --resume {session} goes on behind it"
    else:
        said = f"{session} is whole; `tape sessions seal {session}` makes Parquet of it"
    click.echo(f"interrupted: {said}", err=True)
