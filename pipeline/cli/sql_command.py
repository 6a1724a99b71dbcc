"""`tape sql`: a query over the views, or a shell for many."""

import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cli.show import said_safely
from pipeline.cli.sql_out import FORMS, form_of, write
from warehouse.writing import FILES


@click.command("sql")
@click.argument("query", required=False)
@click.option("--over", multiple=True, default=("all",), show_default=True, help="sessions or runs, e.g. last")
@click.option("--format", "form", type=click.Choice(FORMS), help="table, unless --out is named after another one")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="file to write, e.g. trades.csv, trades.parquet"
)
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="value of $NAME in the query")
@click.option("--all", "is_all", is_flag=True, help="every row, on a terminal too, where a table ends after 100")
@click.pass_obj
def command(
    home: str,
    query: str | None,
    over: tuple[str, ...],
    form: str | None,
    out: Path | None,
    params: tuple[str, ...],
    is_all: bool,
) -> None:
    """Ask the tape. QUERY is SQL, the path of a .sql file, or - for standard input; without it a shell, or the list of views.

    \b
    tape sql "select ts_event, symbol, side, quantity, price from fills order by seq limit 20"
    tape sql "from journal" --over last --out trades.csv
    tape sql
    """
    import duckdb

    from warehouse import connect, named_in

    chosen = form or (form_of(out) if out else None) or "table"
    if query is None:
        if sys.stdin.isatty() and sys.stdout.isatty():
            _open_shell(home, over)
        else:
            _list_answers()
        return
    if chosen in FILES and out is None and sys.stdout.isatty():
        raise click.UsageError(f"--format {chosen} is nothing to look at: --out FILE, or a pipe")
    text = sys.stdin.read() if query == "-" else _text_of(query) if query.endswith(".sql") else query
    if wrong := [param for param in params if "=" not in param]:
        raise click.UsageError(f"--param {wrong[0]}: write NAME=VALUE")
    values = dict(param.split("=", 1) for param in params)
    try:
        result: Any = connect(home, over, asked=named_in(text)).sql(text, params=values or None)
        if result is not None:
            write(result, chosen, out, is_whole=is_all or not sys.stdout.isatty())
    except duckdb.Error as error:
        click.echo(f"tape: {said_safely(str(error))}", err=True)
        sys.exit(2)


def _text_of(file: str) -> str:
    from pipeline.errors import ConfigError

    try:
        return Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is no such file of SQL here; a query itself is given in quotes") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: can't be read as text: {error}") from None


def _open_shell(home: str, over: tuple[str, ...]) -> None:
    from pipeline.cli.sql_shell import Shell
    from warehouse import connect

    Shell(lambda: connect(home, over), _list_answers).run(Path(home))


def _list_answers() -> None:
    """The views that answer, each with its grain."""
    from warehouse.views import marts

    width = max(len(view.name) for view in marts())
    for view in marts():
        click.echo(f"{view.name:<{width}}  {view.grain}")
    click.echo("\nand beneath them staging.* and intermediate.*: tape sql 'show all tables'")
