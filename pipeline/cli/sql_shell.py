"""A shell for SQL: statements that end with a semicolon, words completed with Tab, what was typed before with the arrows."""

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pipeline.cli import sql_out
from pipeline.errors import TapeError

if TYPE_CHECKING:
    import duckdb

HISTORY: Final = "cache/sql_history"
_HISTORY_LINES_MAX: Final = 2_000
_KEYWORDS: Final = """
select from where group by order limit join left inner asof on using having with as and or not null is between distinct
case when then else end union all desc asc count sum avg min max filter over partition describe show tables
"""
_HELP: Final = """\
a statement ends with ; and may have several lines
.answers         the views that answer, each with its grain
.columns NAME    the columns of a view
.format FORM     table, csv or json
.again           connect again, to see what a recording has added
.quit            leave, as Ctrl-D does"""

_BEHIND_FROM: Final = re.compile(r"\b(?:from|join|into|table|describe|columns)\s+[\w.]*$", re.IGNORECASE)


def completions(before: str, columns: Mapping[str, Sequence[str]]) -> list[str]:
    """Words that may stand where the last one of `before` is being typed; `columns`: of each view by its name.

    Behind `from` and `join` views, behind a view's name and a dot its columns, else the columns of the views that are
    named, views and SQL's own words.
    """
    word = re.search(r"[\w.]*$", before)
    begun = word[0] if word else ""
    if _BEHIND_FROM.search(before):
        found: Iterable[str] = columns
    elif "." in begun and begun.rpartition(".")[0] in columns:
        view = begun.rpartition(".")[0]
        found = [f"{view}.{column}" for column in columns[view]]
    else:
        named = set(re.findall(r"[\w.]+", before)) & columns.keys()
        found = [*(column for view in sorted(named) for column in columns[view]), *columns, *_KEYWORDS.split()]
    return sorted({each for each in found if each.lower().startswith(begun.lower())})


class Shell:
    """Statements, one after the other, over one connection."""

    def __init__(self, connect: "Callable[[], duckdb.DuckDBPyConnection]", list_answers: Callable[[], None]) -> None:
        """`connect` makes a connection with all views; it is called again when the user asks for what was added."""
        self._connect, self._list_answers = connect, list_answers
        self._connection = connect()
        self._columns = _columns_of(self._connection)
        self._typed: list[str] = []
        self._form = "table"

    def run(self, home: Path) -> None:
        """Until `.quit` or Ctrl-D. What is typed is kept in the store, for the arrows of the next time."""
        with _line_editing(home / HISTORY, self._complete):
            click.echo("SQL over the tape; .help tells what else, Ctrl-D leaves")
            while True:
                try:
                    line = input("   ...> " if self._typed else "tape> ")
                except EOFError:
                    click.echo()
                    return
                except KeyboardInterrupt:
                    click.echo()
                    self._typed.clear()
                    continue
                if not self._typed and line.strip() in (".quit", ".exit"):
                    return
                self.take(line)

    def take(self, line: str) -> None:
        """A line: a word with a dot in front, or a part of a statement, which runs when it ends with a semicolon."""
        if not self._typed and line.strip().startswith("."):
            self._obey(*line.split())
            return
        if line.strip() or self._typed:
            self._typed.append(line)
        if line.rstrip().endswith(";"):
            statement = "\n".join(self._typed)
            self._typed.clear()
            self._ask(statement)

    def _ask(self, statement: str, *, is_again: bool = False) -> None:
        import duckdb

        try:
            result: Any = self._connection.sql(statement)
            if result is not None:
                sql_out.write(result, self._form, None, is_whole=False)
            self._columns = _columns_of(self._connection)
        except duckdb.Error as error:
            if is_again or "No files found" not in str(error):
                click.echo(f"tape: {error}", err=True)
                return
            try:
                self._connection = self._connect()
            except TapeError as lost:
                click.echo(f"tape: {lost}", err=True)
                return
            click.echo(
                "connected again: a recording has put files together meanwhile; tables made here are gone", err=True
            )
            self._ask(statement, is_again=True)
        except KeyboardInterrupt:
            self._connection.interrupt()
            click.echo("interrupted", err=True)

    def _obey(self, word: str, *rest: str) -> None:
        if word == ".answers":
            self._list_answers()
        elif word == ".again":
            self._connection = self._connect()
        elif word == ".columns" and len(rest) == 1 and rest[0] in self._columns:
            click.echo(", ".join(self._columns[rest[0]]))
        elif word == ".format" and len(rest) == 1 and rest[0] in ("table", "csv", "json"):
            self._form = rest[0]
        else:
            click.echo(_HELP)

    def _complete(self, _: str, place: int) -> str | None:
        import readline

        before = "\n".join([*self._typed, readline.get_line_buffer()[: readline.get_endidx()]])
        found = completions(before, self._columns)
        return found[place] if place < len(found) else None


def _columns_of(connection: "duckdb.DuckDBPyConnection") -> dict[str, list[str]]:
    """The columns of each view and table, those of `main` by their bare names."""
    rows = connection.execute(
        "select case schema_name when 'main' then '' else schema_name || '.' end || table_name, list(column_name order by column_index) "
        "from duckdb_columns() where not internal group by all order by all"
    ).fetchall()
    return {name: list(columns) for name, columns in rows}


@contextlib.contextmanager
def _line_editing(history: Path, complete: Callable[[str, int], str | None]) -> Any:
    """Completion and history, where the system has readline; without it lines are plain."""
    try:
        import readline
    except ImportError:
        yield
        return
    readline.set_completer_delims(" \t\n,()=<>;+-*/")
    readline.set_completer(complete)
    readline.parse_and_bind("bind ^I rl_complete" if "libedit" in (readline.__doc__ or "") else "tab: complete")
    with contextlib.suppress(OSError):
        readline.read_history_file(history)
    readline.set_history_length(_HISTORY_LINES_MAX)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            history.parent.mkdir(parents=True, exist_ok=True)
            history.touch(0o600)
            readline.write_history_file(history)
        readline.set_completer(None)
