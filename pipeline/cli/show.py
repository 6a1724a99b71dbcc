"""What commands have in common: one object as JSON on the last line, counts and facts a person can read, a bar on long work."""

import math
import shutil
import sys
import textwrap
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.run.fold import Speed

INTERRUPTED: Final = 130
"""What a shell expects of a command that Ctrl-C ended."""

_NAMES_WIDTH: Final = 12
_WIDTH_MAX: Final = 110
"""Longer lines are hard to follow, however wide the window is."""

_PIPE_WIDTH: Final = 160
"""Columns where nobody looks: a file or a pipe has whole lines."""


class FiniteRange(click.FloatRange):
    """A number within bounds; NaN, which compares with none of them, is refused as infinity is."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number. Raises click.BadParameter."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


json_option = click.option("--json", "as_json", is_flag=True, help="one JSON object on the last line")


def speed_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How handlers are to run: `is_compiled`, `is_interpreted`, for `speed_asked`."""
    for option in (
        click.option("--interpreted", "is_interpreted", is_flag=True, help="plain Python, e.g. for breakpoints"),
        click.option(
            "--compiled", "is_compiled", is_flag=True, help="compile the handlers, however little there is to do"
        ),
    ):
        command = option(command)
    return command


def speed_asked(*, is_compiled: bool, is_interpreted: bool) -> "Speed":
    """The speed that was asked for. Raises ConfigError for both."""
    from pipeline.run.fold import Speed  # a command imports what it needs when it is called

    if is_compiled and is_interpreted:
        raise ConfigError("--compiled and --interpreted: accepted is one of them, or neither: compiled where that pays")
    return Speed.COMPILED if is_compiled else Speed.INTERPRETED if is_interpreted else Speed.AUTO


def as_json_line(result: Any) -> None:
    """The result on one line."""
    click.echo(msgspec.json.encode(result).decode())


def counted(kinds: dict[str, int]) -> str:
    """`28,040 quote, 9,757 print`, largest first."""
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: -item[1]))


def facts(rows: Iterable[tuple[str, str | Sequence[str]]]) -> None:
    """Two columns, names and what is to be said; a sequence has a line for each of its texts, no text no line at all."""
    from pipeline.names import printable

    width = min(shutil.get_terminal_size((_WIDTH_MAX, 24)).columns, _WIDTH_MAX)
    for name, said in rows:
        lines = [
            line
            for text in ([said] if isinstance(said, str) else said)
            for line in textwrap.wrap(text, width - _NAMES_WIDTH, break_long_words=False, break_on_hyphens=False)
        ]
        for number, line in enumerate(lines):
            click.echo(f"{name if number == 0 else '':<{_NAMES_WIDTH}}{printable(line)}")


def line_console() -> "Console":
    """Where lines are printed as they are: none broken that a file or a pipe takes."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def show_line(console: "Console", text: str, style: str = "") -> None:
    """One line: strangers' texts in it are no markup, and nothing that a terminal would obey."""
    from rich.text import Text

    from pipeline.names import printable

    console.print(Text(printable(text), style=style))


def said_safely(text: str) -> str:
    """A message without what a terminal would obey, its lines as they are: there may be symbols in it, strangers' words."""
    from pipeline.names import printable

    return "\n".join(map(printable, text.splitlines()))


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A function that is told how many events are done; draws a line on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    if total is None:
        yield lambda done: click.echo(f"\r{label} {done:,} events", nl=False, err=True)
        click.echo("\r\x1b[K", nl=False, err=True)
        return
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        yield lambda done: bar.update(done - bar.pos)


@contextmanager
def bytes_passing(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A function that is told, from any thread, how many bytes more have passed; draws a line on a terminal, nothing elsewhere.

    An interrupt says that nothing is lost, and ends the command.
    """
    lock, passed = threading.Lock(), 0
    try:
        with progress(label, total) as told:

            def more(count: int) -> None:
                nonlocal passed
                with lock:
                    passed += count
                    told(min(passed, total))

            yield more
    except KeyboardInterrupt:
        click.echo("interrupted: what arrived whole is kept, and the same command brings the rest", err=True)
        sys.exit(INTERRUPTED)
