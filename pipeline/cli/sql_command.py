"""`tape sql`: a query over the views."""

import sys
from pathlib import Path
from typing import Any, Final

import click

_SHOWN_MAX: Final = 100
"""Rows on a terminal, unless all are asked for."""

_TABLE_ROWS_MAX: Final = 10_000
"""DuckDB draws no longer tables."""


@click.command("sql")
@click.argument("query", required=False)
@click.option("--over", multiple=True, default=("all",), show_default=True, help="sessions or runs, e.g. last")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="value of $NAME in the query")
@click.option("--all", "is_all", is_flag=True, help="every row, on a terminal too, where a table ends after 100")
@click.pass_obj
def command(
    home: str, query: str | None, over: tuple[str, ...], form: str, params: tuple[str, ...], is_all: bool
) -> None:
    """Ask the tape. QUERY is SQL, the path of a .sql file, or - for standard input; without it, the views are listed.

    \b
    tape sql "select ts_event, symbol, side, quantity, price from fills order by seq limit 20"
    tape sql
    """
    import duckdb

    from warehouse import connect, named_in

    if query is None:
        _list_answers()
        return
    text = sys.stdin.read() if query == "-" else Path(query).read_text() if query.endswith(".sql") else query
    if wrong := [param for param in params if "=" not in param]:
        raise click.UsageError(f"--param {wrong[0]}: write NAME=VALUE")
    values = dict(param.split("=", 1) for param in params)
    connection = connect(home, over, asked=named_in(text))
    try:
        result: Any = connection.sql(text, params=values or None)
    except duckdb.Error as error:
        click.echo(f"tape: {error}", err=True)
        sys.exit(2)
    if result is None:
        return
    if form == "table":
        _show(result, is_whole=is_all or not sys.stdout.isatty())
    elif form == "csv":
        _write_csv(result)
    else:
        click.echo(_as_json(result))


def _show(result: Any, *, is_whole: bool) -> None:
    """A table; where it is not whole, its first rows and how many there are. A whole one begins anew every 10,000 rows."""
    kept = result.materialize()
    count, at_once = kept.shape[0], _TABLE_ROWS_MAX if is_whole else _SHOWN_MAX
    for start in range(0, max(count, 1) if is_whole else 1, at_once):
        kept.limit(at_once, start).show(max_rows=at_once, max_width=_width(), max_col_width=60)
    if not is_whole and count > at_once:
        click.echo(f"{at_once} of {count:,} rows; --all")


def _list_answers() -> None:
    """The views that answer, each with its grain."""
    from warehouse.views import marts

    width = max(len(view.name) for view in marts())
    for view in marts():
        click.echo(f"{view.name:<{width}}  {view.grain}")
    click.echo("\nand beneath them staging.* and intermediate.*: tape sql 'show all tables'")


def _width() -> int:
    import shutil

    return shutil.get_terminal_size((200, 24)).columns if sys.stdout.isatty() else 1_000


def _rows(result: Any) -> list[tuple[Any, ...]]:
    """The rows as Python values, but times of nanoseconds as texts: Python's own end at microseconds."""
    if "TIMESTAMP_NS" not in map(str, result.types):
        return result.fetchall()  # type: ignore[no-any-return]  # of a relation that is Any
    told = [
        f"replace(#{place}::varchar, ' ', 'T') || 'Z'" if str(type_) == "TIMESTAMP_NS" else f"#{place}"
        for place, type_ in enumerate(result.types, 1)
    ]
    return result.project(", ".join(told)).fetchall()  # type: ignore[no-any-return]  # the same


def _write_csv(result: Any) -> None:
    import csv

    writer = csv.writer(sys.stdout)
    writer.writerow(result.columns)
    writer.writerows(_rows(result))


def _as_json(result: Any) -> str:
    """One list of objects; what JSON has no word for (NaN, infinities) is null, times are texts."""
    import msgspec

    rows = [dict(zip(result.columns, row, strict=True)) for row in _rows(result)]
    return msgspec.json.encode(rows, enc_hook=str).decode()
