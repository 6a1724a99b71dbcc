"""The command `tape`: words of the field in, one clear answer out.

Exit codes: 0 fine, 1 found something (a divergence, damage, a failed check), 2 could not run, 3 (`verify`) identical, but
stopped before the last inputs were decided.
Each command lives in a module of its own that is imported only when it is called, so `tape --help` is instant.
"""

import importlib
import sys
from pathlib import Path
from typing import Any, Final

import click

from pipeline.errors import ConfigError, TapeError

_EVERY_DAY: Final = {
    "demo": "a generated day: recorded, proved identical, replayed, asked",
    "record": "a live session from one or more feeds, strategies deciding on paper",
    "import": "DBN, CSV, Parquet and captured frames into a session",
    "replay": "a strategy over recorded sessions",
    "verify": "fold a recording again with its own code and compare bit for bit",
    "sql": "ask the tape",
    "dashboard": "the pages: sessions, trades, charts, in the browser",
}
_MORE: Final = {
    "accounts": "what outlives a session: cash, positions; list, show, set",
    "backtest": "many sessions and parameters, a row for each",
    "backtests": "list, show, delete",
    "check": "find every damaged byte of the store; salvage what is whole",
    "diff": "what two runs decided differently, and what it did to profit",
    "explain": "why there is a fill, back to the tick that caused it; or why there is none, gate by gate",
    "fetch": "history from Databento: the price first, a budget, nothing paid twice, straight into sessions",
    "halt": "the kill switch",
    "lookahead-check": "whether a strategy decides otherwise when the future is not there",
    "new": "a strategy or a scanner to begin with, and its test",
    "montecarlo": "what else the trades might have come to: slippage, misses, halts, another order",
    "note": "remark on a session",
    "optimize": "search for parameters, and what the best of them are worth: out of sample, beside chance, beside their neighbours",
    "reference": "float, shares, sector, previous close, splits: dated, from several sources",
    "parity": "live against a replay or another recording of the day: the cause of each difference",
    "refill": "the wishes of a run filled again: other latency, size or model of the venue",
    "pull": "sessions and runs out of an object store, every byte proved",
    "push": "finished sessions and runs into an object store: s3://, gs://, a mounted path",
    "renormalize": "a session made again from the messages it kept",
    "report": "the trades of sessions and runs on one page: statistics, charts, every trade; or in the terminal",
    "runs": "list, show, delete",
    "scan": "what a scanner picks now, or would have picked at any moment of a session, and why not the others",
    "serve": "a day over the vendors' own protocols, for any client on this machine; faults on request",
    "sessions": "list, show, seal, export, delete, prune",
    "simulations": "list and delete what montecarlo kept",
    "state": "what a strategy remembered at any moment; what differs between two",
    "stats": "what trades add up to: statistics with intervals, breakdowns, other slippage and fees after the fact",
    "strategy": "check one of your own: the dialect, and a day at both speeds",
    "studies": "list, show, delete",
    "tell": "add or drop symbols, flatten, end: a request to a session that is recorded",
    "walkforward": "parameters chosen on some sessions and traded on the next ones, window after window",
    "strategies": "list the strategies that come along, with their parameters",
    "warmup-check": "from which warm-up on a strategy decides as over a whole session",
}
_HIDDEN: Final = {"docs": "write the pages that come from the code"}
_HERE: Final = frozenset(
    ("accounts", "dashboard", "demo", "fetch", "halt", "import", "note", "record", "reference", "renormalize", "tell")
)
"""Commands that a store far away is nothing to: they write one, or stay open beside it."""
_OF_WHAT_IS_THERE: Final = frozenset(("dashboard", "note", "renormalize"))
"""Those of them that are about sessions which lie there."""
_HOMELESS: Final = frozenset(("docs", "new", "pull", "strategies", "strategy"))
"""Commands that look into no store, or refuse one that is far away themselves."""
_SCHEMES: Final = frozenset(("abfs", "abfss", "file", "gcs", "gs", "s3"))
"""What a URI of a store may begin with."""
_ASKS_HELP: Final = "tape.asks_help"
_COMMANDS: Final = {**_EVERY_DAY, **_MORE, **_HIDDEN}


class _Tape(click.Group):
    """A group that imports a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [*_EVERY_DAY, *_MORE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"pipeline.cli.{cmd_name.replace('-', '_')}_command")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Every day"):
            formatter.write_dl([*_EVERY_DAY.items()])
        with formatter.section("More"):
            formatter.write_dl([*_MORE.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            ctx.meta[_ASKS_HELP] = not {"-h", "--help"}.isdisjoint(ctx.args)
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever read has seen enough: click ends quietly
        except (TapeError, OSError) as error:  # the disk is full, may not be written, is no folder...
            from pipeline.cli.show import said_safely  # only where something went wrong

            click.echo(f"tape: {said_safely(str(error))}{_where(error, ctx.params['home'])}", err=True)
            sys.exit(2)


def is_far(home: str) -> bool:
    """Whether a store's name is a URI, also one with slashes too few, and no folder."""
    scheme, colon, _ = home.partition(":")
    return "://" in home or (bool(colon) and scheme in _SCHEMES)


def _visited(uri: str, command: str | None) -> str:
    """The home that shows a far store. Raises ConfigError for a command that needs a folder, FarError."""
    from pipeline.log.far import shown  # only who goes far waits for what that takes
    from pipeline.log.visiting import visit

    if command in _HERE:
        what = "--home FOLDER, then `tape push` what is finished"
        if command in _OF_WHAT_IS_THERE:
            place = shown(uri) + ("?..." if "?" in uri else "")
            what = f"`tape --home FOLDER pull last --from {place}` brings a session here, then `tape --home FOLDER {command}`"
        raise ConfigError(f"{shown(uri)} is a store to read from, and `tape {command}` needs a folder: {what}")
    return str(visit(uri, lambda text: click.echo(f"tape: {text}", err=True)))


def _where(error: Exception, home: str) -> str:
    """Which disk it may have been: a failed write names no file."""
    is_placeless = isinstance(error, OSError) and error.filename is None and not is_far(home)
    return f"; the store is {Path(home).resolve()}" if is_placeless else ""


@click.group(cls=_Tape, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tapeworks", prog_name="tape")
@click.option(
    "--home",
    envvar="TAPE_HOME",
    default="data",
    show_default=True,
    help="the store: a folder, or the URI of one to read from",
)
@click.pass_context
def main(ctx: click.Context, home: str) -> None:
    """Record the tape, play it back bit for bit, ask it anything."""
    is_visited = is_far(home) and not ctx.meta[_ASKS_HELP] and ctx.invoked_subcommand not in _HOMELESS
    ctx.obj = _visited(home, ctx.invoked_subcommand) if is_visited else home
