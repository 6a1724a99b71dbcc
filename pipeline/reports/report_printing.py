"""A page as PDF or PNG: printed by the Chromium of this machine, without a window and without a network.

Nothing is installed for it: where no browser is found, one line says which. The picture is as high as the page, up to HEIGHT_MAX; of
a long table of trades it shows the first 25, the PDF all.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from pipeline.errors import ConfigError

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
"""The first of these on the path is taken."""

WIDTH: Final = 1440
"""Pixels of a picture."""

PRINTED_WIDTH: Final = 1512
"""Of a sheet of A3 between margins of 10 mm: 400 mm at 96 pixels an inch; see `@page` in report.css."""

HEIGHT_MAX: Final = 16_000
"""Pixels; browsers draw no higher picture."""

_ALONE: Final = (
    "--headless",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-extensions",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no name leads anywhere
    "--virtual-time-budget=30000",  # how long the page may take to draw, by its own clock
    "--force-color-profile=srgb",
)
_SECONDS_MAX: Final = 180
_HEIGHT: Final = re.compile(r'<html[^>]* data-height="(\d+)"')

Form = Literal["pdf", "png"]


def browser() -> str:
    """The program that prints. Raises ConfigError where there is none."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    raise ConfigError(
        "--pdf and --png need a browser: install Chromium (Debian and Ubuntu: apt install chromium) or Google Chrome; "
        f"looked for on the path: {', '.join(BROWSERS)}; the HTML file needs none, and prints from any browser"
    )


def printed(page: str, form: Form, path: Path) -> None:
    """Write a page as PDF or PNG. Raises ConfigError where there is no browser, or it does not print."""
    program = browser()
    with tempfile.TemporaryDirectory(prefix="tape-report-", ignore_cleanup_errors=True) as folder:
        source, made = Path(folder, "report.html"), Path(folder, f"report.{form}")
        source.write_text(page, encoding="utf-8")
        if form == "pdf":
            asked = [
                f"--window-size={PRINTED_WIDTH},1000",
                f"--print-to-pdf={made}",
                "--no-pdf-header-footer",
                f"{source.as_uri()}#light",
            ]
        else:
            picture = f"{source.as_uri()}#light-picture"
            height = _height(_run(program, folder, [f"--window-size={WIDTH},1000", "--dump-dom", picture]))
            asked = [f"--window-size={WIDTH},{height}", f"--screenshot={made}", picture]
        told = _run(program, folder, asked)
        if not made.is_file():
            raise ConfigError(f"{program} printed nothing: {_last_line(told)}")
        shutil.copyfile(made, path)


def _height(dom: str) -> int:
    """What the page says of itself once it is drawn."""
    found = _HEIGHT.search(dom)
    return min(int(found[1]), HEIGHT_MAX) if found else HEIGHT_MAX


def _run(program: str, folder: str, asked: Sequence[str]) -> str:
    """What the browser put out. Its sandbox does not work for root, where only containers run it."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    command = [program, *_ALONE, f"--user-data-dir={folder}/profile", *(["--no-sandbox"] if is_root else []), *asked]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS_MAX, check=False)  # noqa: S603 - a program of this machine, nothing a stranger wrote
    except subprocess.TimeoutExpired:
        raise ConfigError(f"{program} did not print within {_SECONDS_MAX} s") from None
    if done.returncode:
        raise ConfigError(f"{program} failed: {_last_line(done.stderr.decode(errors='replace'))}")
    return done.stdout.decode(errors="replace")


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "it does not say why")
