"""`tape report`: what traders read in the evening, in one file, or in the terminal."""

import shutil
import sys
from pathlib import Path
from typing import Final, Literal

import click

from pipeline.cli.show import FiniteRange

_WIDTH: Final = 110
"""Columns where nobody looks: a file or a pipe."""


@click.command("report")
@click.argument("over", nargs=-1, required=True)
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False), help="the file [default: reports/NAME.html, .pdf or .png]"
)
@click.option("--pdf", "forms", flag_value="pdf", multiple=True, help="printed by the Chromium of this machine")
@click.option("--png", "forms", flag_value="png", multiple=True, help="a picture, by the same")
@click.option(
    "--text", "forms", flag_value="text", multiple=True, help="in the terminal, or into the file that -o names"
)
@click.option(
    "--compare", "others", multiple=True, metavar="OTHER", help="a session or run beside it; up to four times"
)
@click.option(
    "--paths", type=click.IntRange(0, 1_000_000), default=5_000, show_default=True, help="of Monte Carlo; 0: none"
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="of Monte Carlo")
@click.option("--capital", type=FiniteRange(0, min_open=True), help="of daily returns; else the cash it began with")
@click.pass_obj
def command(
    home: str,
    over: tuple[str, ...],
    out: str | None,
    forms: tuple[Literal["pdf", "png", "text"], ...],
    others: tuple[str, ...],
    paths: int,
    seed: int,
    capital: float | None,
) -> None:
    """Everything about the trades of sessions and runs OVER on one page that needs no network.

    \b
    tape report last-run
    tape report last-run --text
    tape report all -o evening.pdf --pdf
    tape report last-run --compare 2026-11-03-massive
    """
    from pipeline.errors import ConfigError
    from pipeline.log.store import Store
    from pipeline.reports.report_comparison import ROLES
    from pipeline.reports.report_page import page_of
    from pipeline.reports.report_printing import browser, printed
    from pipeline.reports.report_sections import document_of
    from pipeline.reports.report_text import text_of
    from pipeline.run.reporting import material_of

    if len(set(forms)) > 1:
        raise ConfigError(f"--{' --'.join(forms)}: accepted is one of them, or none: a page of HTML")
    form = forms[0] if forms else None
    if len(others) >= len(ROLES):
        raise ConfigError(f"--compare {len(others)} times: accepted are up to {len(ROLES) - 1}")
    if form in {"pdf", "png"}:
        browser()  # who has none is told before the work, not behind it
    store = Store(Path(home))
    material = material_of(store, over, paths=paths, seed=seed, capital=capital)
    beside = [material_of(store, [other], paths=0, seed=seed, capital=capital) for other in others]
    document = document_of(material, beside)
    if form == "text" and out is None:
        width = shutil.get_terminal_size((_WIDTH, 24)).columns if sys.stdout.isatty() else _WIDTH
        click.echo(text_of(document, width), nl=False)
        return
    path = Path(out) if out else Path("reports", f"{material.logs[-1].id}.{form or 'html'}")
    path.parent.mkdir(parents=True, exist_ok=True)
    match form:
        case "pdf" | "png":
            printed(page_of(document), form, path)
        case "text":
            path.write_text(text_of(document, _WIDTH), encoding="utf-8")
        case None:
            path.write_text(page_of(document), encoding="utf-8")
    click.echo(f"{path}: {path.stat().st_size:,} bytes")
